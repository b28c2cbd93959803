"""What a direct answer of Runware's means for each task that was in the request. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

from service.clips.models import ACCOUNT_REMEDY, Failure, FailureKind, TaskUUID
from service.clips.outcomes import (
    Absent,
    Acknowledged,
    Failed,
    Outcome,
    Succeeded,
    Throttled,
    Unclear,
    Unknown,
    VideoRefused,
)
from service.errors import MalformedResult
from service.runware.codes import CodeGroup, code_group
from service.runware.results import ErrorSaid, Place, Statement, URLCheck, is_envelope, read_statements
from service.runware.verdicts import Asked, is_success, judge, judge_refusal

# These refuse each request, whatever is asked: splitting the batch can't help.
_WORDS_BY_STATUS: Mapping[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: ("unauthorized", "Runware does not accept the API key."),
    HTTPStatus.FORBIDDEN: ("forbidden", "The API key lacks the permission for this."),
    HTTPStatus.NOT_FOUND: ("notFound", "There is no Runware API at RUNWARE_API_URL."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("methodNotAllowed", "There is no Runware API at RUNWARE_API_URL."),
}
_PAYMENT_REQUIRED = ErrorSaid("paymentRequired", "Runware says that the account has no credit.")
_NO_TRACE = Failure(FailureKind.LOST, "noTrace", "Runware has neither a result nor a record of the task.")


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


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome for each task that the reply settles; `refusal` is the outcome of each of the others.

    `divisible`: the others may fare better in smaller batches.
    """

    outcomes: Mapping[TaskUUID, Outcome]
    refusal: Outcome | None = None
    divisible: bool = False

    def mapped(self, change: Callable[[Outcome], Outcome]) -> Self:
        """Give the same answer with every outcome changed."""
        outcomes = {task_uuid: change(outcome) for task_uuid, outcome in self.outcomes.items()}
        return replace(self, outcomes=outcomes, refusal=self.refusal and change(self.refusal))


def read_submission(task_uuids: Sequence[TaskUUID], reply: Reply, check: URLCheck) -> Answer:
    """Read the answer to a submission. A task that a 2xx answer does not mention is unclear, not refused."""
    statements = _statements(reply, check)
    outcomes = _outcomes(task_uuids, statements, Asked.SUBMISSION, reply.status)
    rest = [task_uuid for task_uuid in task_uuids if task_uuid not in outcomes]
    unnamed = _unnamed_error(statements)
    taken = is_success(reply.status) or reply.status == HTTPStatus.CONFLICT
    if not rest or (taken and unnamed is None):
        return Answer(outcomes | _silence(rest, statements))
    if is_success(reply.status) and outcomes:
        return Answer(outcomes | _silence(rest, statements))
    return _refused(outcomes, rest, reply.status, unnamed)


def read_status(task_uuids: Sequence[TaskUUID], reply: Reply, check: URLCheck) -> Answer:
    """Read the answer to `getResponse` tasks.

    A task that an answer in Runware's form does not mention is absent. What a refused request does not name
    is unclear, and may be told by a smaller one: whether the good jobs of a poll that was refused for a
    failed one still show is not documented.
    """
    statements = _statements(reply, check)
    named = [said for said in statements or () if said.task_uuid is not None]
    unnamed = _unnamed_error(statements)
    if len(task_uuids) == 1 and not named and statements:
        # The one task that was asked for is meant, where an error speaks of a job at all.
        named = [
            replace(said, task_uuid=task_uuids[0])
            for said in statements
            if said.error is not None and not isinstance(judge(said, Asked.STATUS, reply.status), Unclear)
        ]
        unnamed = None if named else unnamed
    outcomes = _outcomes(task_uuids, named, Asked.STATUS, reply.status)
    if not is_success(reply.status):
        outcomes = {task: outcome for task, outcome in outcomes.items() if not isinstance(outcome, Unclear)}
    rest = [task_uuid for task_uuid in task_uuids if task_uuid not in outcomes]
    understood = is_success(reply.status) or (reply.status == HTTPStatus.NOT_FOUND and not named)
    if understood and unnamed is None and is_envelope(reply.body):
        return Answer(outcomes | dict.fromkeys(rest, Absent()))
    if is_success(reply.status):
        return Answer(outcomes | _silence(rest, statements))
    error = unnamed or next((said.error for said in named if said.error is not None), None)
    reason = _words(reply.status) if error is None else error
    account = _account_refused(reply.status, error)
    return Answer(outcomes, _unanswered(reason, account=account), divisible=not account)


def read_archive(task_uuids: Sequence[TaskUUID], reply: Reply, check: URLCheck) -> Answer:
    """Read the answer to `getTaskDetails` tasks: what Runware's archive knows of them.

    Unknown, if there is no record of a task; Acknowledged, if it was taken and its end is not told there.
    """
    records = _records(task_uuids, reply.body)
    outcomes = {task: _recorded(task, record, check) for task, record in records.items()}
    statements = _statements(reply, check) or ()
    rest = [task_uuid for task_uuid in task_uuids if task_uuid not in outcomes]
    for said in statements:
        about = said.task_uuid or (rest[0] if len(task_uuids) == len(rest) == 1 else None)
        if said.error is not None and about in rest:
            outcomes[about] = _unrecorded(said.error)
    rest = [task_uuid for task_uuid in rest if task_uuid not in outcomes]
    unnamed = _unnamed_error(statements)
    if is_success(reply.status) and unnamed is None and is_envelope(reply.body):
        return Answer(outcomes | dict.fromkeys(rest, Unknown(_NO_TRACE)))
    reason = unnamed or _words(reply.status)
    account = _account_refused(reply.status, unnamed)
    return Answer(outcomes, _unanswered(reason, account=account), divisible=not account)


def _records(task_uuids: Sequence[TaskUUID], body: object) -> Mapping[TaskUUID, Mapping[str, object]]:
    """Find the record of each task that has one: an element with the request as it was archived."""
    found: dict[TaskUUID, Mapping[str, object]] = {}
    for element in _elements(body):
        named = element.get("taskUUID", task_uuids[0] if len(task_uuids) == 1 else None)
        if named in task_uuids and element.get("request"):
            found[TaskUUID(str(named))] = element
    return found


def _recorded(task_uuid: TaskUUID, record: Mapping[str, object], check: URLCheck) -> Outcome:
    statements = _statements(Reply(HTTPStatus.OK, record.get("response")), check) or ()
    own = [replace(said, task_uuid=task_uuid) for said in statements if said.task_uuid in (None, task_uuid)]
    return _outcomes([task_uuid], own, Asked.ARCHIVE, HTTPStatus.OK).get(task_uuid, Acknowledged())


def _unrecorded(error: ErrorSaid) -> Outcome:
    if code_group(error.code) is CodeGroup.GONE:
        return Unknown(_NO_TRACE)
    return Unclear(f"{error.code}: {error.message}")


def _elements(body: object) -> Iterator[Mapping[str, object]]:
    data = body.get("data") if isinstance(body, Mapping) else None
    for element in data if isinstance(data, list) else ():
        if isinstance(element, Mapping):
            yield element


def _outcomes(
    task_uuids: Sequence[TaskUUID], statements: Sequence[Statement] | None, asked: Asked, status: int
) -> dict[TaskUUID, Outcome]:
    """Give for each task the outcome of the one statement that says most, whatever their order."""
    wanted = set(task_uuids)
    said = [one for one in statements or () if one.task_uuid in wanted]
    judged = sorted(((judge(one, asked, status), one) for one in said), key=lambda pair: _weight(*pair))
    return {one.task_uuid: outcome for outcome, one in judged if one.task_uuid is not None}


def _weight(outcome: Outcome, said: Statement) -> int:
    """A video says more than a job's own end, that more than its state, that more than other errors."""
    if isinstance(outcome, Succeeded | VideoRefused):
        return 3
    own = said.place is Place.DATA or said.status == "error"
    if isinstance(outcome, Failed) and own:
        return 2
    return 1 if said.place is Place.DATA else 0


def _unnamed_error(statements: Sequence[Statement] | None) -> ErrorSaid | None:
    return next((said.error for said in statements or () if said.error and said.task_uuid is None), None)


def _statements(reply: Reply, check: URLCheck) -> Sequence[Statement] | None:
    try:
        return read_statements(reply.body, check)
    except MalformedResult:
        return None


def _refused(
    outcomes: Mapping[TaskUUID, Outcome], rest: Sequence[TaskUUID], status: int, error: ErrorSaid | None
) -> Answer:
    """Read a refusal that does not name all of its tasks.

    Only where it refuses the account does it speak for each of them: else another request may fare better.
    """
    if error is not None and code_group(error.code) is CodeGroup.CONFLICT and len(rest) > 1:
        return Answer(outcomes, Unclear(f"{error.code}: {error.message}"), divisible=True)
    if error is None and status == HTTPStatus.PAYMENT_REQUIRED:
        error = _PAYMENT_REQUIRED
    if error is not None:
        refusal = judge_refusal(error, Asked.SUBMISSION, status)
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        refusal = Throttled(_refusal(status))
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        refusal = Unclear(f"Runware is busy or down (HTTP {status})")
    else:
        refusal = Failed(_refusal(status))
    divisible = isinstance(refusal, Throttled) or (
        isinstance(refusal, Failed) and refusal.failure.kind is not FailureKind.ACCOUNT
    )
    return Answer(outcomes, refusal, divisible)


def _unanswered(reason: ErrorSaid, *, account: bool) -> Unclear:
    """Tell a key that is refused, which only its owner mends, from a moment without an answer."""
    said = f"{reason.code}: {reason.message}"
    return Unclear(f"it refuses the service's key or account: {said} {ACCOUNT_REMEDY}" if account else said)


def _account_refused(status: int, error: ErrorSaid | None) -> bool:
    if error is not None and code_group(error.code) is CodeGroup.ACCOUNT:
        return True
    return _redirects(status) or (status in _WORDS_BY_STATUS and status != HTTPStatus.NOT_FOUND)


def _refusal(status: int) -> Failure:
    words = _words(status)
    about_the_request = _redirects(status) or status in _WORDS_BY_STATUS
    kind = FailureKind.ACCOUNT if about_the_request else FailureKind.REJECTED
    return Failure(kind, words.code, words.message)


def _words(status: int) -> ErrorSaid:
    """Say what a refusal without a word of Runware's means."""
    if _redirects(status):
        message = f"RUNWARE_API_URL leads elsewhere (HTTP {status}): write the address that it leads to."
        return ErrorSaid(f"http{status}", message)
    code, message = _WORDS_BY_STATUS.get(
        status, (f"http{status}", f"Runware refused the request with HTTP {status}.")
    )
    return ErrorSaid(code, message)


def _redirects(status: int) -> bool:
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST


def _silence(
    task_uuids: Sequence[TaskUUID], statements: Sequence[Statement] | None
) -> dict[TaskUUID, Outcome]:
    reason = (
        "the answer is no JSON that makes sense"
        if statements is None
        else "the answer does not mention the task"
    )
    return dict.fromkeys(task_uuids, Unclear(reason))
