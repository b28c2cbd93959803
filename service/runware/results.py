"""Reads what Runware says about jobs, in every envelope it has been seen in. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from service.addresses import is_address, is_loopback
from service.clips.models import Failure, FailureKind, TaskUUID
from service.clips.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Succeeded,
    Unclear,
    Unknown,
    VideoRefused,
)
from service.errors import MalformedResult
from service.runware.codes import CONFLICT, failure_kind, is_about_form, is_busy, is_not_found

# Longer than any sentence of a provider's; cut again, to what is shown, once secrets are out of it.
_MAX_MESSAGE = 4000
# The longest URL that browsers and proxies agree on.
_MAX_URL = 8192
# A clip costs a few dollars; what is far beyond is no price.
_MAX_COST_USD = 1e6

# The characters of RFC 3986 that no reader treats in a way of its own.
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

URLCheck = Callable[[str], str | None]
"""Gives the reason why a video URL is not allowed, without its secret parts; None if it is."""


@dataclass(frozen=True, slots=True)
class Result:
    """One thing said about one job; `task_uuid` is None where the answer names none.

    `failure` is set where it is an error; what that means depends on what was asked, and on whether it stood
    in `errors` (`in_errors`) or in the job's own element. `about_asking`: it concerns the question alone.
    """

    task_uuid: TaskUUID | None
    outcome: Outcome
    failure: Failure | None = None
    in_errors: bool = False
    about_asking: bool = False


def video_url_check(allowed_hosts: Sequence[str]) -> URLCheck:
    """Make the check for VIDEO_HOSTS: patterns such as `*.runware.ai`; https, or http to loopback."""

    def reason_against(url: str) -> str | None:
        host = _host(url)
        if host is None:
            return "its URL can't be read"
        secure = url.startswith("https://") or (url.startswith("http://") and is_loopback(host))
        if not secure:
            return f"its URL is not https, at {host}"
        if not any(fnmatchcase(host, pattern.lower()) for pattern in allowed_hosts):
            return f"its host {host} is not in VIDEO_HOSTS"
        return None

    return reason_against


def _host(url: str) -> str | None:
    """Read the host that every reader of the URL agrees on; None if readers might disagree.

    Browsers turn a backslash into a slash, drop control characters and map other scripts, so that what
    passes here could lead them elsewhere: only plain URLs without a user are read.
    """
    if len(url) > _MAX_URL or not _PLAIN_URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    if parts.username is not None or not (_HOST_NAME.fullmatch(host) or is_address(host)):
        return None
    return host


def read_results(body: object, check: URLCheck) -> Sequence[Result]:
    """Read every result in `body`: a direct answer, or a webhook in any of its envelopes.

    Raises MalformedResult if it is no JSON object or array of objects.
    """
    return list(_walk(body, check))


def pushed_outcomes(body: object, task_uuid: TaskUUID, check: URLCheck) -> Sequence[Outcome]:
    """Read from a webhook's body what it says about its own job; the rest of it is ignored.

    A webhook comes when the job is done, so that an error which elsewhere speaks of the moment is the job's
    end here. Raises MalformedResult if the body says nothing about the job.
    """
    outcomes = [
        _pushed(result)
        for result in read_results(body, check)
        if result.task_uuid == task_uuid
        or (result.task_uuid is None and not isinstance(result.outcome, Acknowledged))
    ]
    if not outcomes:
        raise MalformedResult(
            f"The body says nothing about the job {task_uuid} that this callback URL is for."
        )
    return outcomes


def _pushed(result: Result) -> Outcome:
    if result.failure is None:
        return result.outcome
    match result.outcome:
        case Unclear():
            return Failed(result.failure)
        case Unknown(failure):
            return Failed(failure)
        case outcome:
            return outcome


def read_error(error: Mapping[str, object], otherwise: FailureKind) -> Failure:
    """Read an `error` object; what it lacks is filled in with words."""
    code = error.get("code")
    message = error.get("message") or error.get("error") or error.get("responseContent")
    code = _clean(code, 100) or "unspecifiedError"
    message = _clean(message, _MAX_MESSAGE) or "Runware gave no reason."
    return Failure(failure_kind(code, otherwise), code, message)


def _walk(body: object, check: URLCheck) -> Iterator[Result]:
    if isinstance(body, list):
        for element in body:
            # One odd element must not hide what the others say.
            if isinstance(element, list | Mapping):
                yield from _walk(element, check)
        return
    if not isinstance(body, Mapping):
        raise MalformedResult("A result must be a JSON object, or an array of objects.")
    data = body.get("data")
    errors = [error for key in ("errors", "error") for error in _listed_errors(body, key)]
    if isinstance(data, list | Mapping) and data:
        yield from _walk(data, check)
    for error in errors:
        yield _error(error, body)
    if not data and not errors:
        yield _own_result(body, check)


def _listed_errors(body: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    listed = body.get(key)
    if isinstance(listed, list):
        return [error for error in listed if isinstance(error, Mapping)]
    # An `error` object in an element that names its task is read with that element.
    own = key == "error" and ("status" in body or "taskUUID" in body)
    return [listed] if isinstance(listed, Mapping) and not own else []


def _error(error: Mapping[str, object], around: Mapping[str, object]) -> Result:
    failure = read_error(error, FailureKind.PROVIDER)
    of_question = error.get("taskType") == "getResponse" or is_about_form(failure.code)
    about_asking = failure.kind is FailureKind.ACCOUNT or (of_question and not is_not_found(failure.code))
    return Result(
        _task_uuid(error) or _task_uuid(around),
        error_outcome(failure),
        failure,
        in_errors=True,
        about_asking=about_asking,
    )


def error_outcome(failure: Failure) -> Outcome:
    """What an error means for the clip of the task that it is about."""
    if failure.code == CONFLICT:
        return Acknowledged()
    if is_not_found(failure.code):
        return Unknown(Failure(FailureKind.LOST, failure.code, failure.message))
    if is_busy(failure.code):
        return Unclear(f"{failure.code}: {failure.message}")
    return Failed(failure)


def _own_result(element: Mapping[str, object], check: URLCheck) -> Result:
    task_uuid = _task_uuid(element)
    status, error, url = element.get("status"), element.get("error"), element.get("videoURL")
    if status == "error" or (isinstance(error, Mapping | str) and error):
        details = error if isinstance(error, Mapping) else {"message": error, **element}
        failure = read_error(details, FailureKind.PROVIDER)
        ended = error_outcome(failure) if is_not_found(failure.code) else Failed(failure, _cost(element))
        return Result(task_uuid, ended, failure)
    if isinstance(url, str) and url:
        refused = check(url)
        succeeded = Succeeded(url, _cost(element)) if refused is None else VideoRefused(refused)
        return Result(task_uuid, succeeded)
    if status == "success":
        # Its file may have gone, or not be there yet: like a task that Runware does not know any more.
        lost = Failure(FailureKind.LOST, "noVideoURL", "Runware reports success, but gives no video.")
        return Result(task_uuid, Unknown(lost))
    return Result(task_uuid, Acknowledged())


def _cost(element: Mapping[str, object]) -> float | None:
    cost = element.get("cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 <= cost < _MAX_COST_USD:
        return None
    return float(cost)


def _clean(text: object, longest: int) -> str:
    """Keep what can be stored in any database and shown on any terminal."""
    if not isinstance(text, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in text[:longest]).strip()


def _task_uuid(element: Mapping[str, object]) -> TaskUUID | None:
    value = element.get("taskUUID")
    return TaskUUID(value) if isinstance(value, str) and value else None
