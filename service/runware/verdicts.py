"""What each thing that Runware can say about a job means for its clip: one table, read by everyone. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import assert_never

from service.clips.models import Failure, FailureKind
from service.clips.outcomes import Acknowledged, Failed, Outcome, Throttled, Unclear, Unknown
from service.runware.codes import CodeGroup, code_group
from service.runware.results import ErrorSaid, Place, Statement


class Asked(StrEnum):
    """What an error answers, and so what it is about."""

    SUBMISSION = "submission"
    """The task was sent: the error is about taking it."""
    STATUS = "status"
    """`getResponse`: the error is the job's own end, or about the question."""
    ARCHIVE = "archive"
    """The last response to the task, from `getTaskDetails`."""
    WEBHOOK = "webhook"
    """Nothing was asked: Runware calls when the job is done."""


class Verdict(StrEnum):
    """What an error means for the clip."""

    TAKEN = "taken"
    """Runware has the task."""
    UNKNOWN = "unknown"
    """Runware does not know the task."""
    LOST = "lost"
    """Runware has lost the task: a failure, presumed, since a video may still come."""
    THROTTLED = "throttled"
    """Not taken, for the moment."""
    NO_CREDIT = "no credit"
    """Not taken: throttled, or the account is empty. The balance tells."""
    UNCLEAR = "unclear"
    """Nothing follows."""
    REFUSED = "refused"
    """Not taken, for good."""
    ENDED = "ended"
    """The job is over, without a video."""


class Row(StrEnum):
    """Which row of the table an error is read by."""

    SUBMISSION = "submission"
    OWN_END = "own end"
    QUESTION = "question"
    ARCHIVE = "archive"
    WEBHOOK = "webhook"


# For each row the verdict of every group, in which the last line stands for all groups that are not named.
_REST = "rest"
TABLE: Mapping[Row, Mapping[CodeGroup | str, Verdict]] = {
    Row.SUBMISSION: {
        CodeGroup.CONFLICT: Verdict.TAKEN,
        CodeGroup.RATE: Verdict.THROTTLED,
        CodeGroup.CREDIT: Verdict.NO_CREDIT,
        CodeGroup.BUSY: Verdict.UNCLEAR,
        _REST: Verdict.REFUSED,
    },
    Row.OWN_END: {
        CodeGroup.CONFLICT: Verdict.TAKEN,
        CodeGroup.GONE: Verdict.UNKNOWN,
        _REST: Verdict.ENDED,
    },
    Row.QUESTION: {
        CodeGroup.CONFLICT: Verdict.TAKEN,
        CodeGroup.GONE: Verdict.UNKNOWN,
        # Moderation never concerns a question.
        CodeGroup.SAFETY: Verdict.ENDED,
        _REST: Verdict.UNCLEAR,
    },
    # The last response may be the refusal of a second send, so that only what it says of the job counts.
    Row.ARCHIVE: {
        CodeGroup.CONFLICT: Verdict.TAKEN,
        CodeGroup.GONE: Verdict.UNKNOWN,
        CodeGroup.RATE: Verdict.UNKNOWN,
        CodeGroup.CREDIT: Verdict.UNKNOWN,
        CodeGroup.BUSY: Verdict.UNCLEAR,
        _REST: Verdict.REFUSED,
    },
    Row.WEBHOOK: {
        CodeGroup.CONFLICT: Verdict.TAKEN,
        CodeGroup.GONE: Verdict.LOST,
        _REST: Verdict.ENDED,
    },
}

# These refuse every request, not what is asked for.
_KINDS_BY_STATUS: Mapping[int, FailureKind] = {
    HTTPStatus.UNAUTHORIZED: FailureKind.ACCOUNT,
    HTTPStatus.FORBIDDEN: FailureKind.ACCOUNT,
    HTTPStatus.METHOD_NOT_ALLOWED: FailureKind.ACCOUNT,
}
# Statuses under which an error may be about the request alone, even where it names a job.
_ABOUT_THE_MOMENT = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
_MOMENT_GROUPS = frozenset({CodeGroup.RATE, CodeGroup.BUSY, CodeGroup.CREDIT, CodeGroup.ACCOUNT})
_QUESTION_GROUPS = _MOMENT_GROUPS | {CodeGroup.FORM}
_OWN_TASK_TYPE = "videoInference"
_QUESTION_TASK_TYPE = "getResponse"
_NOT_CHARGED = "not be charged"


def judge(said: Statement, asked: Asked, status: int = HTTPStatus.OK) -> Outcome:
    """Give what a statement about one job means; `status` is the HTTP status of the answer it stood in."""
    if said.error is None:
        return _judge_result(said)
    group = _group(said.error, asked, status)
    row = _row(said, asked, group, status)
    verdict = TABLE[row].get(group, TABLE[row][_REST])
    return _outcome(verdict, said.error, group, status, said.cost_usd)


def judge_refusal(error: ErrorSaid, asked: Asked, status: int) -> Outcome:
    """Give what an error that names no job means for each job of its request."""
    return judge(Statement(None, Place.ERRORS, error=error), asked, status)


def is_own_end(said: Statement, status: int) -> bool:
    """Whether an error in the answer to a question is the job's own end, and not about the question.

    It is one in the job's own element, under `status: "error"` or under the job's task type, wherever it
    stands and whatever the HTTP status. Without these marks, one that Runware moved to `errors` of an answer
    that was taken is one, too.
    """
    if said.error is None:
        return False
    group = code_group(said.error.code)
    if said.place is Place.DATA or said.status == "error":
        return True
    if said.task_type == _OWN_TASK_TYPE:
        return not (_is_about_the_moment(status) and group in _MOMENT_GROUPS)
    unmarked = said.task_type != _QUESTION_TASK_TYPE and said.task_uuid is not None
    return unmarked and is_success(status) and group not in _QUESTION_GROUPS


def is_success(status: int) -> bool:
    """Whether the request as a whole was taken (2xx)."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _judge_result(said: Statement) -> Outcome:
    if said.video is not None:
        return said.video
    if said.status == "success":
        # Its file may have gone, or not be there yet: like a task that Runware does not know any more.
        lost = Failure(FailureKind.LOST, "noVideoURL", "Runware reports success, but gives no video.")
        return Unknown(lost)
    return Acknowledged()


def _row(said: Statement, asked: Asked, group: CodeGroup, status: int) -> Row:
    match asked:
        case Asked.SUBMISSION:
            return Row.SUBMISSION
        case Asked.STATUS:
            return Row.OWN_END if is_own_end(said, status) else Row.QUESTION
        case Asked.ARCHIVE:
            return Row.OWN_END if said.status == "error" and group is not CodeGroup.CONFLICT else Row.ARCHIVE
        case Asked.WEBHOOK:
            return Row.WEBHOOK
        case _:
            assert_never(asked)


def _group(error: ErrorSaid, asked: Asked, status: int) -> CodeGroup:
    group = code_group(error.code)
    if asked is not Asked.SUBMISSION or group not in (CodeGroup.OTHER, CodeGroup.BUSY):
        return group
    # What the code leaves open, the status says.
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return CodeGroup.CREDIT
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return CodeGroup.RATE
    return CodeGroup.BUSY if status >= HTTPStatus.INTERNAL_SERVER_ERROR else group


def _is_about_the_moment(status: int) -> bool:
    return status in _ABOUT_THE_MOMENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _outcome(
    verdict: Verdict, error: ErrorSaid, group: CodeGroup, status: int, cost_usd: float | None
) -> Outcome:
    outcome: Outcome
    match verdict:
        case Verdict.TAKEN:
            outcome = Acknowledged()
        case Verdict.UNKNOWN:
            outcome = Unknown(_failure(FailureKind.LOST, error))
        case Verdict.LOST:
            outcome = Failed(_failure(FailureKind.LOST, error))
        case Verdict.THROTTLED:
            outcome = Throttled(_failure(FailureKind.REJECTED, error))
        case Verdict.NO_CREDIT:
            outcome = Throttled(_failure(FailureKind.ACCOUNT, error), no_credit=True)
        case Verdict.UNCLEAR:
            outcome = Unclear(f"{error.code}: {error.message}")
        case Verdict.REFUSED:
            kind = _kind(group, _KINDS_BY_STATUS.get(status, FailureKind.REJECTED))
            outcome = Failed(_failure(kind, error), _own_cost(error, cost_usd))
        case Verdict.ENDED:
            outcome = Failed(_failure(_kind(group, FailureKind.PROVIDER), error), _own_cost(error, cost_usd))
        case _:
            assert_never(verdict)
    return outcome


def _kind(group: CodeGroup, otherwise: FailureKind) -> FailureKind:
    if group is CodeGroup.SAFETY:
        return FailureKind.SAFETY
    return FailureKind.ACCOUNT if group in (CodeGroup.ACCOUNT, CodeGroup.CREDIT) else otherwise


def _own_cost(error: ErrorSaid, cost_usd: float | None) -> float | None:
    # A cost of 0 may mean that none was given; these words mean that there is none.
    return 0.0 if _NOT_CHARGED in f"{error.message} {error.detail}".lower() else cost_usd


def _failure(kind: FailureKind, error: ErrorSaid) -> Failure:
    return Failure(kind, error.code, error.message, error.detail)
