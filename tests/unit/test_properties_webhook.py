"""What holds of every body that comes to the webhook."""

from typing import Any

import pydantic_core
from hypothesis import example, given
from hypothesis import strategies as st

from service.clips.outcomes import Succeeded
from tests.fuzz.webhook import TASK, read, seeds
from tests.strategies import JSON, SCALARS

URL = "https://vm.runware.ai/a.mp4"
NAMES = st.sampled_from(
    [
        "taskUUID",
        "data",
        "errors",
        "error",
        "status",
        "videoURL",
        "code",
        "message",
        "cost",
        "responseContent",
    ]
)
VALUES = (
    st.sampled_from([TASK, "success", "error", "processing", URL, "http://a/b", "taskNotFound", "timeout"])
    | SCALARS
)
BODIES: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=5),
    max_leaves=12,
)


@given(st.binary() | (BODIES | JSON).map(pydantic_core.to_json))
@example(b"[" * 100_000)
@example(b'{"data":' * 300 + b"1" + b"}" * 300)
@example(b'{"cost": ' + b"9" * 5000 + b"}")
@example(b'{"taskUUID": "\\ud800"}')
def test_any_body_has_outcomes_that_can_be_kept_or_is_refused(body: bytes) -> None:
    read(body)


@given(BODIES, BODIES)
def test_nothing_beside_a_video_hides_it(before: Any, after: Any) -> None:
    video = {"taskUUID": TASK, "videoURL": URL, "cost": 0.5}
    assert Succeeded(URL, 0.5) in read(pydantic_core.to_json({"data": [before, video, after]}))


def test_every_known_webhook_says_something_of_the_job() -> None:
    assert all(read(body) for body in seeds())
