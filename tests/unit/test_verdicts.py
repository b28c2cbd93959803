"""What each thing that Runware can say means, row by row."""

from pathlib import Path
from typing import Any

import pytest

from service.clips.models import FailureKind
from service.clips.outcomes import Acknowledged, Failed, Outcome, Throttled, Unclear, Unknown
from service.runware.codes import CodeGroup, code_group
from service.runware.results import read_statements, video_url_check
from service.runware.verdicts import TABLE, Asked, Row, Verdict, judge

TASK = "11111111-1111-4111-8111-111111111111"
OWN: dict[str, str] = {"taskType": "videoInference"}
ENDED: dict[str, str] = {"status": "error"}
QUESTION: dict[str, str] = {"taskType": "getResponse"}
ACCOUNT, SAFETY, LOST = FailureKind.ACCOUNT, FailureKind.SAFETY, FailureKind.LOST
PROVIDER, REJECTED = FailureKind.PROVIDER, FailureKind.REJECTED

CODES = {
    CodeGroup.CONFLICT: "conflictTaskUUID",
    CodeGroup.GONE: "taskNotFound",
    CodeGroup.RATE: "rateLimitExceeded",
    CodeGroup.BUSY: "internalServerError",
    CodeGroup.CREDIT: "insufficientCredits",
    CodeGroup.ACCOUNT: "invalidApiKey",
    CodeGroup.FORM: "invalidTaskType",
    CodeGroup.SAFETY: "invalidProviderContent",
    CodeGroup.OTHER: "inferenceError",
}


def judged(place: str, code: str, fields: dict[str, str], asked: Asked, status: int = 200) -> Outcome:
    error: dict[str, Any] = {"code": code, "message": "No.", "taskUUID": TASK, **fields}
    body: Any = {
        "errors": {"errors": [error]},
        "nested": {"data": [{"taskUUID": TASK, "status": "error", "error": error}]},
        "flat": {"data": [{**error, "status": "error"}]},
    }[place]
    (said,) = read_statements(body, video_url_check([]))
    return judge(said, asked, status)


def kind_of(outcome: Outcome) -> FailureKind:
    assert isinstance(outcome, Failed)
    return outcome.failure.kind


@pytest.mark.parametrize(("group", "code"), CODES.items())
def test_example_of_each_group_is_of_that_group(group: CodeGroup, code: str) -> None:
    assert code_group(code) is group


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("quotaExceeded", CodeGroup.CREDIT),
        ("paymentRequired", CodeGroup.CREDIT),
        ("providerRateLimitExceeded", CodeGroup.RATE),
        ("taskExpired", CodeGroup.GONE),
        ("taskCancelled", CodeGroup.OTHER),
        ("modelNotFound", CodeGroup.OTHER),
        ("modelDisabled", CodeGroup.OTHER),
        ("timeoutProvider", CodeGroup.OTHER),
        ("accountSuspended", CodeGroup.ACCOUNT),
        ("brandNew", CodeGroup.OTHER),
    ],
)
def test_codes_that_look_alike_are_told_apart(code: str, group: CodeGroup) -> None:
    assert code_group(code) is group


def test_architecture_page_shows_the_table_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "service" / "README.md").read_text("utf-8")
    columns = (Row.SUBMISSION, Row.OWN_END, Row.QUESTION, Row.ARCHIVE, Row.WEBHOOK)
    for group in CodeGroup:
        verdicts = [TABLE[row].get(group, TABLE[row]["rest"]) for row in columns]
        assert all(isinstance(verdict, Verdict) for verdict in verdicts)
        assert f"| `{group}` | {' | '.join(verdicts)} |" in page


@pytest.mark.parametrize("place", ["errors", "nested", "flat"])
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (CodeGroup.CONFLICT, Acknowledged),
        (CodeGroup.RATE, Throttled),
        (CodeGroup.CREDIT, Throttled),
        (CodeGroup.BUSY, Unclear),
        (CodeGroup.GONE, REJECTED),
        (CodeGroup.FORM, REJECTED),
        (CodeGroup.OTHER, REJECTED),
        (CodeGroup.ACCOUNT, ACCOUNT),
        (CodeGroup.SAFETY, SAFETY),
    ],
)
def test_error_that_answers_a_submission(place: str, group: CodeGroup, expected: object) -> None:
    outcome = judged(place, CODES[group], OWN, Asked.SUBMISSION)
    assert (kind_of(outcome) if isinstance(outcome, Failed) else type(outcome)) == expected


# An own end by any of its marks, wherever it stands and whatever the status.
@pytest.mark.parametrize("status", [200, 400, 402, 429, 500, 503])
@pytest.mark.parametrize(
    ("place", "fields"),
    [
        ("nested", {}),
        ("flat", {}),
        ("errors", ENDED),
        ("errors", {**OWN, **ENDED}),
        ("errors", {**QUESTION, **ENDED}),
    ],
)
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (CodeGroup.CONFLICT, Acknowledged),
        (CodeGroup.GONE, Unknown),
        (CodeGroup.RATE, PROVIDER),
        (CodeGroup.BUSY, PROVIDER),
        (CodeGroup.FORM, PROVIDER),
        (CodeGroup.OTHER, PROVIDER),
        (CodeGroup.CREDIT, ACCOUNT),
        (CodeGroup.ACCOUNT, ACCOUNT),
        (CodeGroup.SAFETY, SAFETY),
    ],
)
def test_jobs_own_end_in_the_answer_to_a_poll(
    status: int, place: str, fields: dict[str, str], group: CodeGroup, expected: object
) -> None:
    outcome = judged(place, CODES[group], fields, Asked.STATUS, status)
    assert (kind_of(outcome) if isinstance(outcome, Failed) else type(outcome)) == expected


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize("group", [group for group in CodeGroup if group is not CodeGroup.CONFLICT])
def test_error_under_the_jobs_task_type_is_its_end_by_any_code(status: int, group: CodeGroup) -> None:
    outcome = judged("errors", CODES[group], OWN, Asked.STATUS, status)
    assert isinstance(outcome, Unknown if group is CodeGroup.GONE else Failed)


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 503])
@pytest.mark.parametrize("group", [CodeGroup.RATE, CodeGroup.BUSY, CodeGroup.CREDIT, CodeGroup.ACCOUNT])
def test_error_about_the_moment_under_a_status_of_the_moment_is_no_end(status: int, group: CodeGroup) -> None:
    assert isinstance(judged("errors", CODES[group], OWN, Asked.STATUS, status), Unclear)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 503])
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (CodeGroup.CONFLICT, Acknowledged),
        (CodeGroup.GONE, Unknown),
        (CodeGroup.SAFETY, Failed),
        *((group, Unclear) for group in CodeGroup if group not in ("conflict", "gone", "safety")),
    ],
)
def test_error_about_the_question_is_no_end(status: int, group: CodeGroup, expected: type) -> None:
    assert isinstance(judged("errors", CODES[group], QUESTION, Asked.STATUS, status), expected)


@pytest.mark.parametrize(("status", "expected"), [(200, Failed), (400, Unclear), (503, Unclear)])
def test_error_without_any_mark_is_an_end_only_where_the_question_was_taken(
    status: int, expected: type
) -> None:
    assert isinstance(judged("errors", "inferenceError", {}, Asked.STATUS, status), expected)


@pytest.mark.parametrize("place", ["errors", "nested", "flat"])
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (CodeGroup.CONFLICT, Acknowledged),
        (CodeGroup.GONE, LOST),
        (CodeGroup.RATE, PROVIDER),
        (CodeGroup.BUSY, PROVIDER),
        (CodeGroup.FORM, PROVIDER),
        (CodeGroup.OTHER, PROVIDER),
        (CodeGroup.CREDIT, ACCOUNT),
        (CodeGroup.ACCOUNT, ACCOUNT),
        (CodeGroup.SAFETY, SAFETY),
    ],
)
def test_error_in_a_webhook_is_the_jobs_end(place: str, group: CodeGroup, expected: object) -> None:
    outcome = judged(place, CODES[group], {}, Asked.WEBHOOK)
    assert (kind_of(outcome) if isinstance(outcome, Failed) else type(outcome)) == expected


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (CodeGroup.CONFLICT, Acknowledged),
        (CodeGroup.GONE, Unknown),
        (CodeGroup.RATE, Unknown),
        (CodeGroup.CREDIT, Unknown),
        (CodeGroup.BUSY, Unclear),
        (CodeGroup.OTHER, REJECTED),
        (CodeGroup.SAFETY, SAFETY),
    ],
)
def test_error_in_the_archive_is_about_the_last_send(group: CodeGroup, expected: object) -> None:
    outcome = judged("errors", CODES[group], OWN, Asked.ARCHIVE)
    assert (kind_of(outcome) if isinstance(outcome, Failed) else type(outcome)) == expected


def test_archived_end_of_the_job_is_its_own() -> None:
    assert kind_of(judged("errors", "inferenceError", {**OWN, **ENDED}, Asked.ARCHIVE)) is PROVIDER


@pytest.mark.parametrize(
    ("status", "expected"), [(402, "no credit"), (429, "throttled"), (500, "unclear"), (400, "refused")]
)
def test_status_of_a_refused_submission_says_what_its_code_leaves_open(status: int, expected: str) -> None:
    outcome = judged("errors", "brandNew", OWN, Asked.SUBMISSION, status)
    if isinstance(outcome, Throttled):
        assert expected == ("no credit" if outcome.no_credit else "throttled")
    else:
        assert isinstance(outcome, {"unclear": Unclear, "refused": Failed}[expected])
