from typing import Any

import pytest

from service.clips.models import Failure, FailureKind, TaskUUID
from service.clips.outcomes import (
    Absent,
    Acknowledged,
    Failed,
    Outcome,
    Succeeded,
    Throttled,
    Unclear,
    Unknown,
)
from service.runware.answers import Answer, NoJSON, Reply, read_archive, read_status, read_submission
from service.runware.client import remaining_batches
from service.runware.results import video_url_check

A, B, C = (TaskUUID(letter * 8) for letter in "abc")
URL = "https://im.runware.ai/1.mp4"
check = video_url_check(["*.runware.ai"])
REFUSED = Failed(Failure(FailureKind.REJECTED, "invalidDuration", "Use 4, 6 or 8."))


def ack(task: TaskUUID) -> dict[str, Any]:
    return {"taskType": "videoInference", "taskUUID": task}


def error(code: str, task: TaskUUID | None = None, message: str = "Use 4, 6 or 8.") -> dict[str, Any]:
    return {"code": code, "message": message} | ({"taskUUID": task} if task else {})


def kind_of(outcome: Outcome | None) -> FailureKind:
    assert isinstance(outcome, Failed)
    return outcome.failure.kind


def submission(status: int, body: Any, *tasks: TaskUUID) -> Answer:
    return read_submission(tasks or (A, B), Reply(status, body), check)


def status_of(status: int, body: Any, *tasks: TaskUUID) -> Answer:
    return read_status(tasks or (A, B), Reply(status, body), check)


def test_rejected_task_fails_with_runwares_code_and_words_while_the_others_go_on() -> None:
    answer = submission(200, {"data": [ack(A)], "errors": [error("invalidDuration", B)]})
    assert answer == Answer({A: Acknowledged(), B: REFUSED})


def test_conflict_means_that_the_task_was_taken() -> None:
    assert submission(400, {"errors": [error("conflictTaskUUID", A)]}, A).outcomes == {A: Acknowledged()}


def test_busy_code_for_one_task_is_unclear_and_not_a_failure() -> None:
    assert isinstance(submission(200, {"errors": [error("internalServerError", A)]}, A).outcomes[A], Unclear)


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_task_that_is_too_much_now_is_throttled_and_not_failed(status: int) -> None:
    (outcome,) = submission(status, {"errors": [error("rateLimitExceeded", A)]}, A).outcomes.values()
    assert isinstance(outcome, Throttled)
    assert not outcome.no_credit


@pytest.mark.parametrize("body", [NoJSON(), "text", None, {"data": ["odd"]}, [[1]]])
def test_nonsense_body_is_unclear_for_every_task(body: Any) -> None:
    answer = submission(200, body)
    assert answer.refusal is None
    assert all(isinstance(outcome, Unclear) for outcome in answer.outcomes.values())
    assert set(answer.outcomes) == {A, B}


def test_task_that_the_answer_does_not_mention_is_unclear() -> None:
    outcomes = submission(200, {"data": [ack(A)]}).outcomes
    assert outcomes[A] == Acknowledged()
    assert isinstance(outcomes[B], Unclear)


def test_whole_batch_refused_without_a_name_is_divisible() -> None:
    answer = submission(400, {"errors": [error("invalidDuration")]})
    assert answer == Answer({}, REFUSED, divisible=True)


def test_whole_batch_refused_with_http_200_is_divisible_too() -> None:
    assert submission(200, {"errors": [error("invalidDuration")]}) == Answer({}, REFUSED, divisible=True)


def test_refusal_that_is_no_json_has_words_of_its_own() -> None:
    answer = submission(400, NoJSON())
    assert answer.refusal == Failed(
        Failure(FailureKind.REJECTED, "http400", "Runware refused the request with HTTP 400.")
    )
    assert answer.divisible


@pytest.mark.parametrize("status", [401, 403, 404, 405])
@pytest.mark.parametrize("body", [NoJSON(), {"errors": [error("whatever")]}])
def test_refusal_of_the_account_is_never_divided(status: int, body: Any) -> None:
    if status == 404 and not isinstance(body, NoJSON):
        body = {"data": []}
    answer = submission(status, body)
    assert not answer.divisible
    assert kind_of(answer.refusal) is FailureKind.ACCOUNT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, NoJSON()),
        (402, {"errors": [error("whatever")]}),
        (402, {"errors": [error("insufficientCredits")]}),
        (200, {"errors": [error("quotaExceeded")]}),
        (400, {"errors": [error("insufficientCredits")]}),
    ],
)
def test_lack_of_credit_ends_nothing_by_itself_and_a_smaller_batch_may_fare_better(
    status: int, body: Any
) -> None:
    answer = submission(status, body)
    assert answer.outcomes == {}
    assert isinstance(answer.refusal, Throttled)
    assert (answer.refusal.no_credit, answer.divisible) == (True, True)


def test_lack_of_credit_for_one_task_is_told_of_that_one_alone() -> None:
    outcomes = submission(200, {"data": [ack(A)], "errors": [error("insufficientCredits", B)]}).outcomes
    assert outcomes[A] == Acknowledged()
    refused = outcomes[B]
    assert isinstance(refused, Throttled)
    assert refused.no_credit


def test_account_code_is_told_by_any_status() -> None:
    (outcome,) = submission(400, {"errors": [error("invalidApiKey", A)]}, A).outcomes.values()
    assert kind_of(outcome) is FailureKind.ACCOUNT


@pytest.mark.parametrize(
    ("status", "busy"), [(200, False), (400, False), (408, True), (429, True), (500, True)]
)
def test_busy_statuses_are_those_the_official_client_retries(status: int, *, busy: bool) -> None:
    assert Reply(status, None).busy is busy


def test_poll_reads_each_jobs_state() -> None:
    body = {
        "data": [
            {"taskUUID": A, "status": "processing"},
            {"taskUUID": B, "status": "success", "videoURL": URL},
        ],
        "errors": [error("taskNotFound", C, "Never heard of it.")],
    }
    answer = status_of(200, body, A, B, C)
    unknown = Unknown(Failure(FailureKind.LOST, "taskNotFound", "Never heard of it."))
    assert answer.outcomes == {A: Acknowledged(), B: Succeeded(URL, None), C: unknown}


def test_poll_reads_a_jobs_error_from_either_place() -> None:
    failure = {"code": "timeoutProvider", "message": "Too slow."}
    expected = Failed(Failure(FailureKind.PROVIDER, "timeoutProvider", "Too slow."))
    in_data = status_of(200, {"data": [{"taskUUID": A, "status": "error", "error": failure}]}, A)
    in_errors = status_of(200, {"errors": [{**failure, "taskUUID": A}]}, A)
    assert in_data.outcomes == in_errors.outcomes == {A: expected}


@pytest.mark.parametrize("status", [400, 401, 402, 403])
def test_refused_poll_never_fails_a_clip(status: int) -> None:
    answer = status_of(status, {"errors": [error("invalidApiKey", A), error("invalidApiKey", B)]})
    assert answer.outcomes == {}
    assert answer.refusal is not None


def test_not_found_counts_in_a_refused_poll_as_well() -> None:
    assert isinstance(status_of(404, {"errors": [error("taskNotFound", A)]}, A).outcomes[A], Unknown)


@pytest.mark.parametrize("in_data", [False, True])
def test_conflict_and_busy_mean_the_same_wherever_they_stand(in_data: bool) -> None:
    def body(code: str) -> Any:
        if in_data:
            return {"data": [{"taskUUID": A, "status": "error", "error": error(code)}]}
        return {"errors": [error(code, A)]}

    assert submission(200, body("conflictTaskUUID"), A).outcomes == {A: Acknowledged()}
    assert isinstance(submission(200, body("internalServerError"), A).outcomes[A], Unclear)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("code", ["internalServerError", "serviceUnavailable"])
def test_busy_error_without_a_name_fails_no_clip(status: int, code: str) -> None:
    answer = submission(status, {"errors": [error(code)]})
    assert isinstance(answer.refusal, Unclear)
    assert (answer.outcomes, answer.divisible) == ({}, False)


def test_conflict_without_a_name_is_divided_until_it_can_only_mean_one_task() -> None:
    assert submission(400, {"errors": [error("conflictTaskUUID")]}).divisible
    assert submission(400, {"errors": [error("conflictTaskUUID")]}, A).refusal == Acknowledged()


@pytest.mark.parametrize(
    "code", ["invalidApiKey", "insufficientCredits", "invalidTaskType", "missingTaskUUID"]
)
def test_error_about_the_asking_is_no_end_of_the_job(code: str) -> None:
    assert isinstance(status_of(200, {"errors": [error(code, A)]}, A).outcomes[A], Unclear)


def test_error_that_names_the_question_is_no_end_of_the_job() -> None:
    about = {**error("maxTasksExceeded", A), "taskType": "getResponse"}
    assert isinstance(status_of(200, {"errors": [about]}, A).outcomes[A], Unclear)


def test_jobs_own_form_error_is_its_end() -> None:
    answer = status_of(200, {"errors": [error("invalidFrameImages", A)]}, A)
    assert isinstance(answer.outcomes[A], Failed)


def test_unknown_task_does_not_blind_its_batch_whatever_the_status() -> None:
    body = {
        "data": [{"taskUUID": A, "status": "success", "videoURL": URL}],
        "errors": [error("taskNotFound", B)],
    }
    outcomes = status_of(404, body, A, B).outcomes
    assert outcomes[A] == Succeeded(URL, None)
    assert isinstance(outcomes[B], Unknown)
    alone = status_of(404, {"errors": [error("taskNotFound", B)]}, A, B)
    assert alone.divisible
    assert remaining_batches([A, B], alone) == [[A]]


def test_not_found_without_a_name_means_the_one_task_that_was_asked_for() -> None:
    assert isinstance(status_of(404, {"errors": [error("taskNotFound")]}, A).outcomes[A], Unknown)


def test_model_that_runware_does_not_have_is_told_as_a_refusal_of_the_task() -> None:
    (outcome,) = submission(404, {"errors": [error("modelNotFound", A)]}, A).outcomes.values()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.REJECTED


@pytest.mark.parametrize("backwards", [False, True])
def test_of_several_results_for_a_task_the_one_that_says_most_counts(backwards: bool) -> None:
    said = [
        {"taskUUID": A, "status": "success", "videoURL": URL},
        {"taskUUID": A, "status": "processing"},
        {"taskUUID": A, "status": "error", "error": error("inferenceError")},
    ]
    body = {"data": said[::-1] if backwards else said, "errors": [error("webhookFailed", A)]}
    assert status_of(200, body, A).outcomes == {A: Succeeded(URL, None)}


def test_acknowledgement_counts_more_than_a_warning_beside_it() -> None:
    body = {"data": [ack(A)], "errors": [error("someWarning", A)]}
    assert submission(200, body, A).outcomes == {A: Acknowledged()}


def test_conflict_that_says_nothing_is_unclear() -> None:
    assert isinstance(submission(409, NoJSON(), A).outcomes[A], Unclear)


@pytest.mark.parametrize("code", ["taskExpired", "taskUUIDNotFound", "jobNotFound", "resultNotFound"])
def test_task_that_is_gone_by_any_name_is_unknown(code: str) -> None:
    assert isinstance(status_of(200, {"errors": [error(code, A)]}, A).outcomes[A], Unknown)


def test_one_odd_element_does_not_hide_the_others() -> None:
    body = {"data": [None, 7, {"taskUUID": A, "status": "success", "videoURL": URL}]}
    assert status_of(200, body, A).outcomes == {A: Succeeded(URL, None)}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_told_as_a_wrong_address_and_never_divided(status: int) -> None:
    answer = submission(status, NoJSON())
    assert not answer.divisible
    assert isinstance(answer.refusal, Failed)
    assert "RUNWARE_API_URL" in answer.refusal.failure.message


def test_account_code_is_never_divided_whatever_the_status() -> None:
    assert not submission(400, {"errors": [error("invalidApiKey")]}).divisible


def test_refused_batch_is_sent_again_without_the_tasks_it_names() -> None:
    assert remaining_batches([A, B, C], Answer({B: REFUSED}, REFUSED, divisible=True)) == [[A, C]]


def test_refused_batch_that_names_no_task_is_halved_until_one_is_left() -> None:
    assert remaining_batches([A, B, C], Answer({}, REFUSED, divisible=True)) == [[A], [B, C]]
    assert remaining_batches([A], Answer({}, REFUSED, divisible=True)) == []


def test_indivisible_refusal_leaves_nothing_to_send() -> None:
    assert remaining_batches([A, B], Answer({}, REFUSED)) == []


MODERATED = {
    "code": "invalidProviderContent",
    "message": "Invalid content detected.",
    "responseContent": "The safety settings filtered out 1 videos. You will not be charged for them.",
    "taskUUID": A,
    "taskType": "videoInference",
    "status": "error",
}


@pytest.mark.parametrize("status", [200, 400, 402, 429, 500, 503])
def test_jobs_own_end_counts_whatever_the_http_status(status: int) -> None:
    (outcome,) = status_of(status, {"data": [], "errors": [MODERATED]}, A).outcomes.values()
    assert kind_of(outcome) is FailureKind.SAFETY


def test_poll_that_was_refused_for_a_failed_job_leaves_the_others_to_a_smaller_one() -> None:
    answer = status_of(400, {"data": [], "errors": [MODERATED]}, A, B, C)
    assert set(answer.outcomes) == {A}
    assert remaining_batches([A, B, C], answer) == [[B, C]]


def test_words_of_the_models_provider_are_kept_and_tell_that_nothing_was_charged() -> None:
    (flat,) = status_of(400, {"errors": [MODERATED]}, A).outcomes.values()
    words = MODERATED["responseContent"]
    nested = {**MODERATED, "additionalDetails": {"responseContent": words, "errorCode": "x"}}
    del nested["responseContent"]
    (inner,) = status_of(400, {"errors": [nested]}, A).outcomes.values()
    assert flat == inner
    assert isinstance(flat, Failed)
    assert (flat.failure.detail, flat.cost_usd) == (words, 0.0)
    assert flat.failure.sentence == f"Invalid content detected. {words}"


def test_task_that_an_understood_answer_does_not_mention_is_absent_which_proves_nothing() -> None:
    assert status_of(200, {"data": []}, A).outcomes == {A: Absent()}
    assert status_of(404, {"data": []}, A).outcomes == {A: Absent()}
    body = {"data": [{"taskUUID": B, "status": "processing"}]}
    assert status_of(200, body).outcomes == {A: Absent(), B: Acknowledged()}


@pytest.mark.parametrize("body", [NoJSON(), {}, [], "text", {"hello": "world"}])
def test_answer_that_is_none_of_runwares_leaves_every_task_unclear(body: Any) -> None:
    assert isinstance(status_of(200, body, A).outcomes[A], Unclear)


def archived(response: Any, task: TaskUUID = A) -> dict[str, Any]:
    return {
        "taskType": "getTaskDetails",
        "taskUUID": task,
        "request": [{"taskType": "videoInference", "taskUUID": task}],
        "response": response,
    }


def archive(status: int, body: Any, *tasks: TaskUUID) -> Answer:
    return read_archive(tasks or (A,), Reply(status, body), check)


@pytest.mark.parametrize(
    "response",
    [
        {},
        None,
        {"data": []},
        {"data": [ack(A)]},
        {"data": [{"taskUUID": A, "status": "processing"}]},
        {"errors": [error("conflictTaskUUID", A)]},
    ],
)
def test_archived_request_means_that_the_task_was_taken(response: Any) -> None:
    assert archive(200, {"data": [archived(response)]}).outcomes == {A: Acknowledged()}


def test_archived_result_is_taken() -> None:
    response = {"data": [{"taskUUID": A, "status": "success", "videoURL": URL, "cost": 0.8}]}
    assert archive(200, {"data": [archived(response)]}).outcomes == {A: Succeeded(URL, 0.8)}


def test_archived_refusal_is_the_tasks_own() -> None:
    (outcome,) = archive(
        200, {"data": [archived({"errors": [error("invalidDuration", A)]})]}
    ).outcomes.values()
    assert outcome == REFUSED


@pytest.mark.parametrize("code", ["rateLimitExceeded", "insufficientCredits"])
def test_archived_refusal_for_the_moment_means_that_the_task_was_not_taken(code: str) -> None:
    (outcome,) = archive(200, {"data": [archived({"errors": [error(code, A)]})]}).outcomes.values()
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": []}),
        (200, {"data": [{"taskType": "getTaskDetails", "taskUUID": A, "request": [], "response": {}}]}),
        (404, {"errors": [error("taskNotFound", A)]}),
        (404, {"errors": [error("taskNotFound")]}),
        (200, {"data": [], "errors": [error("taskNotFound", A)]}),
    ],
)
def test_archive_without_a_record_knows_nothing_of_the_task(status: int, body: Any) -> None:
    assert isinstance(archive(status, body).outcomes[A], Unknown)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, NoJSON()),
        (200, {}),
        (400, {"errors": [error("invalidTaskType", A)]}),
        (400, {"errors": [error("invalidTaskType")]}),
        (401, {"errors": [error("invalidApiKey")]}),
        (503, NoJSON()),
        (400, {"data": []}),
    ],
)
def test_archive_that_can_not_be_asked_proves_nothing(status: int, body: Any) -> None:
    answer = archive(status, body)
    assert isinstance(answer.outcomes.get(A, answer.refusal), Unclear)


def test_archive_tells_several_tasks_apart() -> None:
    body = {"data": [archived({}, B)], "errors": [error("taskNotFound", C)]}
    outcomes = archive(200, body, A, B, C).outcomes
    assert outcomes[B] == Acknowledged()
    assert [type(outcomes[task]) for task in (A, C)] == [Unknown, Unknown]


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, NoJSON()), (403, NoJSON()), (401, {"errors": [error("invalidApiKey")]})],
)
def test_key_that_is_refused_is_no_moment_without_an_answer(status: int, body: object) -> None:
    refused = status_of(status, body).refusal
    assert isinstance(refused, Unclear)
    assert refused.reason.startswith("it refuses the service's key or account: ")
    assert refused.reason.endswith("clips doctor says which of them it is.")
