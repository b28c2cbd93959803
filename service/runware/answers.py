"""What a direct answer of Runware's means for each task that was in the request. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

from service.clips.models import Failure, FailureKind, TaskUUID
from service.clips.outcomes import Failed, Outcome, Succeeded, Unclear, Unknown, VideoRefused
from service.errors import MalformedResult
from service.runware.codes import CONFLICT, failure_kind, is_busy, is_not_found
from service.runware.results import Result, URLCheck, error_outcome, read_results

# These refuse whoever asks and wherever they ask, not what is asked: splitting the batch can't help.
_NOT_ABOUT_THE_TASKS: dict[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: ("unauthorized", "Runware does not accept the API key."),
    HTTPStatus.PAYMENT_REQUIRED: ("paymentRequired", "The Runware account has no credit."),
    HTTPStatus.FORBIDDEN: ("forbidden", "The API key lacks the permission for this."),
    HTTPStatus.NOT_FOUND: ("notFound", "There is no Runware API at RUNWARE_API_URL."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("methodNotAllowed", "There is no Runware API at RUNWARE_API_URL."),
}


class NoJSON:
    """Stands for a body that is not JSON."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status, and its body as JSON or NoJSON. `retry_after_s` is as the header says."""

    status: int
    body: object
    retry_after_s: float | None = None

    @property
    def busy(self) -> bool:
        """Whether the same request may do better later: the statuses that the official SDK retries."""
        return self.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or self.status >= (
            HTTPStatus.INTERNAL_SERVER_ERROR
        )

    @property
    def successful(self) -> bool:
        """Whether the request as a whole was taken (2xx)."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome for each task that the reply settles, and `refusal`, why the rest was not taken.

    `divisible`: the rest may fare better in smaller batches.
    """

    outcomes: Mapping[TaskUUID, Outcome]
    refusal: Failure | None = None
    divisible: bool = False

    def mapped(self, change: Callable[[Outcome], Outcome]) -> Self:
        """Give the same answer with every outcome changed, and so what the refusal will be for a task."""
        outcomes = {task_uuid: change(outcome) for task_uuid, outcome in self.outcomes.items()}
        refused = None if self.refusal is None else change(Failed(self.refusal))
        refusal = refused.failure if isinstance(refused, Failed) else None
        return replace(self, outcomes=outcomes, refusal=refusal)


def read_submission(task_uuids: Sequence[TaskUUID], reply: Reply, check: URLCheck) -> Answer:
    """Read the answer to a submission. A task that a 2xx answer does not mention is unclear, not refused."""
    results = _results(reply, check)
    named = {
        task: _submission_outcome(result, reply.status)
        for task, result in _named(task_uuids, results).items()
    }
    unnamed = _unnamed_failure(results)
    conflict = unnamed is not None and unnamed.code == CONFLICT and len(task_uuids) == 1
    if unnamed is not None and (conflict or is_busy(unnamed.code)):
        rest = [task_uuid for task_uuid in task_uuids if task_uuid not in named]
        return Answer(named | dict.fromkeys(rest, error_outcome(unnamed)))
    taken = reply.successful or reply.status == HTTPStatus.CONFLICT
    if (not taken or unnamed is not None) and not (reply.successful and named):
        return _refused(named, reply.status, unnamed)
    return Answer(named | _silence(task_uuids, named, results))


def read_status(task_uuids: Sequence[TaskUUID], reply: Reply, check: URLCheck) -> Answer:
    """Read the answer to `getResponse` tasks.

    What stands in `errors` may be about the asking, and is then no end of a job that may be paid for: in a
    refused request only "not found" there is about a job.
    """
    results = _results(reply, check)
    named = {
        task: _status_outcome(result)
        for task, result in _named(task_uuids, results).items()
        if reply.successful or not result.in_errors or isinstance(result.outcome, Unknown)
    }
    unnamed = _unnamed_failure(results)
    if unnamed is not None and len(task_uuids) == 1 and not named and is_not_found(unnamed.code):
        return Answer({task_uuids[0]: error_outcome(unnamed)})
    if not reply.successful and len(named) < len(task_uuids):
        failure = unnamed or next((r.failure for r in results or () if r.failure is not None), None)
        return _refused(named, reply.status, failure)
    return Answer(named | _silence(task_uuids, named, results))


def _named(task_uuids: Sequence[TaskUUID], results: Sequence[Result] | None) -> dict[TaskUUID, Result]:
    """Give for each task the one result that says most, whatever their order in the answer."""
    named: dict[TaskUUID, Result] = {}
    for result in sorted(results or (), key=_weight):
        if result.task_uuid in task_uuids and result.task_uuid is not None:
            named[result.task_uuid] = result
    return named


def _weight(result: Result) -> int:
    """A video says more than an error of the job's own, that more than its state, that more than `errors`."""
    if isinstance(result.outcome, Succeeded | VideoRefused):
        return 3
    if result.in_errors:
        return 0
    return 2 if isinstance(result.outcome, Failed) else 1


def _unnamed_failure(results: Sequence[Result] | None) -> Failure | None:
    return next((r.failure for r in results or () if r.failure is not None and r.task_uuid is None), None)


def _results(reply: Reply, check: URLCheck) -> Sequence[Result] | None:
    try:
        return read_results(reply.body, check)
    except MalformedResult:
        return None


def _submission_outcome(result: Result, status: int) -> Outcome:
    failure = result.failure
    if failure is None:
        return result.outcome
    if failure.code == CONFLICT or is_busy(failure.code):
        return error_outcome(failure)
    return Failed(_refusal(status, failure))


def _status_outcome(result: Result) -> Outcome:
    failure = result.failure
    if failure is not None and result.about_asking:
        return Unclear(f"{failure.code}: {failure.message}")
    return result.outcome


def _refused(named: Mapping[TaskUUID, Outcome], status: int, failure: Failure | None) -> Answer:
    refusal = _refusal(status, failure)
    return Answer(named, refusal, divisible=refusal.kind is not FailureKind.ACCOUNT)


def _refusal(status: int, failure: Failure | None) -> Failure:
    code, message = _NOT_ABOUT_THE_TASKS.get(
        status, (f"http{status}", f"Runware refused the request with HTTP {status}.")
    )
    if _redirects(status):
        message = f"RUNWARE_API_URL leads elsewhere (HTTP {status}): write the address that it leads to."
    # A 404 with an error of Runware's is about what was asked for; without one there is no Runware.
    about_the_tasks = _about_the_tasks(status) or (failure is not None and status == HTTPStatus.NOT_FOUND)
    otherwise = FailureKind.REJECTED if about_the_tasks else FailureKind.ACCOUNT
    if failure is None:
        return Failure(otherwise, code, message)
    return Failure(failure_kind(failure.code, otherwise), failure.code, failure.message)


def _about_the_tasks(status: int) -> bool:
    return not _redirects(status) and status not in _NOT_ABOUT_THE_TASKS


def _redirects(status: int) -> bool:
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST


def _silence(
    task_uuids: Sequence[TaskUUID], named: Mapping[TaskUUID, Outcome], results: Sequence[Result] | None
) -> dict[TaskUUID, Outcome]:
    reason = (
        "the answer is no JSON that makes sense"
        if results is None
        else "the answer does not mention the task"
    )
    return {task_uuid: Unclear(reason) for task_uuid in task_uuids if task_uuid not in named}
