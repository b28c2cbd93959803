from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.models import FailureKind, TaskUUID
from service.clips.outcomes import Acknowledged, Failed, Outcome, Succeeded, Unknown, VideoRefused
from service.errors import MalformedResult
from service.runware.results import read_statements, video_url_check
from service.runware.verdicts import Asked, judge
from service.runware.webhooks import pushed_outcomes

TASK = TaskUUID("11111111-1111-4111-8111-111111111111")
OTHER = TaskUUID("22222222-2222-4222-8222-222222222222")
URL = "https://im.runware.ai/video/1.mp4"
check = video_url_check(["*.runware.ai"])
FLAT = {
    "taskType": "videoInference",
    "taskUUID": TASK,
    "videoURL": URL,
    "cost": 0.8,
    "videoUUID": "x",
    "new": 1,
}
ERROR = {"code": "providerContentPolicyViolation", "message": "Blocked.", "taskUUID": TASK}


@pytest.mark.parametrize(
    "body",
    [
        FLAT,
        {**FLAT, "status": "success"},
        [FLAT],
        {"data": [FLAT]},
        {"data": FLAT},
        {"data": [FLAT], "errors": []},
        {**FLAT, "errors": []},
        {**FLAT, "data": [], "error": None},
        {**FLAT, "error": ""},
        {**FLAT, "error": {}},
        [{"data": [FLAT]}],
        {"data": [{"taskUUID": OTHER, "status": "processing"}, FLAT]},
    ],
)
def test_success_is_read_in_every_envelope(body: Any) -> None:
    assert pushed_outcomes(body, TASK, check) == [Succeeded(URL, 0.8)]


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [ERROR]},
        {"errors": ERROR},
        {"error": ERROR},
        {"error": {"code": ERROR["code"], "message": "Blocked."}, "taskUUID": TASK},
        {"data": [], "errors": [ERROR]},
        {"data": [{"taskUUID": TASK, "status": "error", "error": ERROR}]},
        {"taskUUID": TASK, "status": "error", "error": ERROR},
        [{"taskUUID": TASK, "status": "error", "error": ERROR}],
        {"taskUUID": TASK, "status": "error", "code": ERROR["code"], "message": "Blocked."},
    ],
)
def test_failure_is_read_in_every_place_it_comes_in(body: Any) -> None:
    (outcome,) = pushed_outcomes(body, TASK, check)
    assert isinstance(outcome, Failed)
    assert (outcome.failure.kind, outcome.failure.code) == (
        FailureKind.SAFETY,
        "providerContentPolicyViolation",
    )
    assert outcome.failure.message == "Blocked."


@pytest.mark.parametrize(
    ("element", "outcome"),
    [
        ({"taskUUID": TASK, "taskType": "videoInference"}, Acknowledged()),
        ({"taskUUID": TASK, "status": "processing", "progress": 40}, Acknowledged()),
        ({"taskUUID": TASK, "videoURL": URL}, Succeeded(URL, None)),
        ({"taskUUID": TASK, "videoURL": URL, "cost": "free"}, Succeeded(URL, None)),
        ({"taskUUID": TASK, "videoURL": URL, "cost": -1}, Succeeded(URL, None)),
        ({"taskUUID": TASK, "videoURL": URL, "cost": True}, Succeeded(URL, None)),
        ({"taskUUID": TASK, "videoURL": URL, "cost": 0}, Succeeded(URL, None)),
        (
            {"taskUUID": TASK, "videoURL": "https://evil.example/1.mp4"},
            VideoRefused("its host evil.example is not in VIDEO_HOSTS"),
        ),
    ],
)
def test_one_element_gives_one_outcome(element: Any, outcome: Outcome) -> None:
    (said,) = read_statements(element, check)
    assert (said.task_uuid, judge(said, Asked.STATUS)) == (TASK, outcome)


def test_success_without_a_video_is_like_a_task_that_is_gone() -> None:
    (said,) = read_statements({"taskUUID": TASK, "status": "success"}, check)
    assert isinstance(judge(said, Asked.STATUS), Unknown)


def test_unknown_code_is_a_failure_with_its_own_text() -> None:
    (outcome,) = pushed_outcomes(
        {"errors": [{"code": "brandNew", "message": "Odd.", "taskUUID": TASK}]}, TASK, check
    )
    assert isinstance(outcome, Failed)
    assert (outcome.failure.kind, outcome.failure.code, outcome.failure.message) == (
        FailureKind.PROVIDER,
        "brandNew",
        "Odd.",
    )


@pytest.mark.parametrize("code", ["taskNotFound", "taskFailedOrNotFound"])
def test_not_found_is_no_failure_of_the_job_yet(code: str) -> None:
    (said,) = read_statements({"errors": [{"code": code, "message": "?", "taskUUID": TASK}]}, check)
    assert isinstance(judge(said, Asked.STATUS), Unknown)


def test_error_without_code_or_message_still_has_words() -> None:
    (outcome,) = pushed_outcomes({"taskUUID": TASK, "status": "error", "error": {}}, TASK, check)
    assert isinstance(outcome, Failed)
    assert (outcome.failure.code, outcome.failure.message) == ("unspecifiedError", "Runware gave no reason.")


def test_providers_text_is_kept_short_and_printable() -> None:
    error = {"code": "a\x00b" * 100, "message": "line\x00\n\x1b[31m" * 1000, "taskUUID": TASK}
    (outcome,) = pushed_outcomes({"errors": [error]}, TASK, check)
    assert isinstance(outcome, Failed)
    assert outcome.failure.message.isprintable()
    assert len(outcome.failure.message) <= 4000
    assert len(outcome.failure.code) <= 100


def test_result_about_another_job_is_never_taken_by_this_jobs_callback() -> None:
    with pytest.raises(MalformedResult, match="says nothing about the job"):
        pushed_outcomes({**FLAT, "taskUUID": OTHER}, TASK, check)


def test_result_that_names_no_job_is_the_callbacks_own() -> None:
    assert pushed_outcomes({"videoURL": URL}, TASK, check) == [Succeeded(URL, None)]


@pytest.mark.parametrize(
    "body", [{}, {"hello": "world"}, {"data": []}, [], "text", 7, None, [1], {"data": ["x"]}]
)
def test_body_that_says_nothing_is_malformed(body: Any) -> None:
    with pytest.raises(MalformedResult):
        pushed_outcomes(body, TASK, check)


def test_busy_error_in_a_webhook_is_the_jobs_end() -> None:
    body = {"errors": [{"code": "internalServerError", "message": "Broken.", "taskUUID": TASK}]}
    (outcome,) = pushed_outcomes(body, TASK, check)
    assert isinstance(outcome, Failed)
    assert outcome.failure.code == "internalServerError"


def test_conflict_in_a_webhook_is_no_end_of_the_job_that_was_taken_first() -> None:
    body = {"errors": [{"code": "conflictTaskUUID", "message": "Again.", "taskUUID": TASK}]}
    assert pushed_outcomes(body, TASK, check) == [Acknowledged()]


def test_job_that_runware_says_it_lost_is_only_presumed_to_have_failed() -> None:
    body = {"errors": [{"code": "taskNotFound", "message": "Gone.", "taskUUID": TASK}]}
    (outcome,) = pushed_outcomes(body, TASK, check)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.LOST


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from([*FLAT, "data", "errors", "error", "status"]), inner)
    ),
    max_leaves=15,
)


@given(json_values)
def test_no_json_at_all_breaks_the_reader(body: Any) -> None:
    try:
        statements = read_statements(body, check)
    except MalformedResult:
        return
    for said in statements:
        for asked in Asked:
            outcome = judge(said, asked)
            assert not isinstance(outcome, Succeeded) or check(outcome.video_url) is None


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://im.runware.ai/a.mp4?sig=1", True),
        ("https://IM.Runware.AI/a.mp4", True),
        ("https://a.b.runware.ai/a.mp4", True),
        ("http://im.runware.ai/a.mp4", False),
        ("https://runware.ai/a.mp4", False),
        ("https://evilrunware.ai/a.mp4", False),
        ("https://im.runware.ai.evil.example/a.mp4", False),
        ("https://im.runware.ai@evil.example/a.mp4", False),
        ("https://evil.example/?im.runware.ai", False),
        ("https://evil.example#im.runware.ai", False),
        ("https://[im.runware.ai/a.mp4", False),
        ("javascript://im.runware.ai/%0aalert(1)", False),
        ("ftp://im.runware.ai/a.mp4", False),
        ("https://im.runware.ai/a b.mp4", False),
        ("https://evil.example\\\\@im.runware.ai/a.mp4", False),
        ("https://im.runware.ai./a.mp4", False),
        ("https://..runware.ai/a.mp4", False),
        ("https://evil.example@im.runware.ai/a.mp4", False),
        ("https://im.runware.ai:99999/a.mp4", False),
        ("https://im.runware.ai:8443/a.mp4", True),
        ("https://evil.example%2f.runware.ai/a.mp4", False),
        ("https://evil.example\uff3c.runware.ai/a.mp4", False),
        ("https://[::1%25.runware.ai]/a.mp4", False),
        ('https://im.runware.ai/"><script>', False),
        ("https://im.runware.ai/a.mp4\x00", False),
        ("https:///a.mp4", False),
        ("", False),
        ("https://im.runware.ai/" + "a" * 9000, False),
    ],
)
def test_video_url_must_be_https_at_an_allowed_host(url: str, *, allowed: bool) -> None:
    assert (check(url) is None) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:9/a.mp4", True),
        ("http://localhost/a.mp4", True),
        ("http://10.0.0.1/a.mp4", False),
        ("https://10.0.0.1/a.mp4", True),
    ],
)
def test_plain_http_is_for_loopback_only(url: str, *, allowed: bool) -> None:
    assert (video_url_check(["127.0.0.1", "localhost", "10.0.0.1"])(url) is None) is allowed
