"""What the webhook reader may make of any bytes, and the known bodies to begin from."""

import json
from collections.abc import Iterator
from pathlib import Path

from service.clips.models import TaskUUID
from service.clips.outcomes import Acknowledged, Failed, Outcome, Succeeded, Unknown, VideoRefused
from service.errors import MalformedResult
from service.runware.results import video_url_check
from service.runware.webhooks import pushed_outcomes
from service.web.bodies import parse_json
from service.web.errors import BadRequest

TASK = TaskUUID("90751f29-689b-490a-9bbc-33eff7d63751")
_ANSWERS = Path(__file__).parents[1] / "runware_answers"
_MAX_COST_USD = 1e6
_check_video_url = video_url_check(["*.runware.ai"])


def read(body: bytes) -> list[Outcome]:
    """Read a body as the webhook's route does; nothing comes of one that is answered by 400.

    Raises AssertionError for an outcome that no webhook may have, or that can't be stored or shown.
    """
    try:
        outcomes = pushed_outcomes(parse_json(body), TASK, _check_video_url)
    except (BadRequest, MalformedResult):
        return []
    assert outcomes, "a body that says nothing of the job is refused"
    for outcome in outcomes:
        _assert_fit(outcome)
    return list(outcomes)


def _assert_fit(outcome: Outcome) -> None:
    match outcome:
        case Acknowledged() | VideoRefused():
            pass
        case Succeeded(video_url, cost_usd):
            assert _check_video_url(video_url) is None
            assert cost_usd is None or 0 < cost_usd < _MAX_COST_USD
        case Failed(failure) | Unknown(failure):
            assert failure.code
            assert failure.message
            assert f"{failure.code}{failure.message}{failure.detail}".isprintable()
            assert failure.sentence.encode()
        case _:
            raise AssertionError(f"a webhook can't mean {outcome}")


def seeds() -> Iterator[bytes]:
    """Give the webhooks among Runware's answers, each about the job."""
    for file in sorted(_ANSWERS.glob("webhook-*.json")):
        body = json.dumps(json.loads(file.read_text())["body"])
        yield body.replace("{task}", TASK).encode()
