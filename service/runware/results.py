"""Reads what Runware says about jobs, in every envelope it has been seen in, without judging it. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from service.addresses import is_address, is_loopback
from service.clips.models import TaskUUID
from service.clips.outcomes import Succeeded, VideoRefused
from service.errors import MalformedResult

# Longer than any sentence of a provider's; cut again, to what is shown, once secrets are out of it.
_MAX_MESSAGE = 4000
_MAX_CODE = 100
# The longest URL that browsers and proxies agree on.
_MAX_URL = 8192
# A clip costs a few dollars; what is far beyond is no price.
_MAX_COST_USD = 1e6

# The characters of RFC 3986 that no reader treats in a way of its own.
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

URLCheck = Callable[[str], str | None]
"""Gives the reason why a video URL is not allowed, without its secret parts; None if it is."""


class Place(StrEnum):
    """Where something stood in an answer."""

    DATA = "data"
    """In the job's own element: of `data`, of a list, or the body itself."""
    ERRORS = "errors"
    """In `errors`, or in an `error` beside no job."""


@dataclass(frozen=True, slots=True)
class ErrorSaid:
    """An error in Runware's words. `detail` is what the model's provider said, empty where nothing is."""

    code: str
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said about one job; `task_uuid` is None where the answer names none.

    `task_type` and `status` are as they stood, empty where they were missing. `error` is set where it is one;
    `video` where there is a video, at a URL that may be handed on or not.
    """

    task_uuid: TaskUUID | None
    place: Place
    task_type: str = ""
    status: str = ""
    error: ErrorSaid | None = None
    video: Succeeded | VideoRefused | None = None
    cost_usd: float | None = None


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


def read_statements(body: object, check: URLCheck) -> Sequence[Statement]:
    """Read every statement in `body`: a direct answer, or a webhook in any of its envelopes.

    Raises MalformedResult if it is no JSON object or array of objects.
    """
    return list(_walk(body, check))


def is_envelope(body: object) -> bool:
    """Whether `body` has the form of Runware's direct answers, however empty it is."""
    return isinstance(body, Mapping) and any(isinstance(body.get(key), list) for key in ("data", "errors"))


def _walk(body: object, check: URLCheck) -> Iterator[Statement]:
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
        yield _statement_of_error(error, body)
    if not data and not errors:
        yield _own_statement(body, check)


def _listed_errors(body: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    listed = body.get(key)
    if isinstance(listed, list):
        return [error for error in listed if isinstance(error, Mapping)]
    # An `error` object in an element that names its task is read with that element.
    own = key == "error" and ("status" in body or "taskUUID" in body)
    return [listed] if isinstance(listed, Mapping) and not own else []


def _statement_of_error(error: Mapping[str, object], around: Mapping[str, object]) -> Statement:
    return Statement(
        task_uuid=_task_uuid(error) or _task_uuid(around),
        place=Place.ERRORS,
        task_type=_clean(error.get("taskType"), _MAX_CODE),
        status=_clean(error.get("status"), _MAX_CODE),
        error=_error_said(error),
        cost_usd=_cost(error),
    )


def _own_statement(element: Mapping[str, object], check: URLCheck) -> Statement:
    status, error, url = element.get("status"), element.get("error"), element.get("videoURL")
    said: ErrorSaid | None = None
    video: Succeeded | VideoRefused | None = None
    if status == "error" or (isinstance(error, Mapping | str) and error):
        own = error if isinstance(error, Mapping) else {"error": error}
        said = _error_said({**element, **own})
    elif isinstance(url, str) and url:
        refused = check(url)
        video = Succeeded(url, _cost(element)) if refused is None else VideoRefused(refused)
    return Statement(
        task_uuid=_task_uuid(element),
        place=Place.DATA,
        task_type=_clean(element.get("taskType"), _MAX_CODE),
        status=_clean(status, _MAX_CODE),
        error=said,
        video=video,
        cost_usd=_cost(element),
    )


def _error_said(error: Mapping[str, object]) -> ErrorSaid:
    """Read an error; what it lacks is filled in with words."""
    more = error.get("additionalDetails")
    nested: Mapping[str, object] = more if isinstance(more, Mapping) else {}
    code = _clean(error.get("code"), _MAX_CODE) or _clean(nested.get("errorCode"), _MAX_CODE)
    detail = next(
        (said for place in (error, nested) if (said := _clean(place.get("responseContent"), _MAX_MESSAGE))),
        "",
    )
    message = _clean(error.get("message"), _MAX_MESSAGE) or _clean(error.get("error"), _MAX_MESSAGE)
    if not message:
        message, detail = detail or "Runware gave no reason.", ""
    return ErrorSaid(code or "unspecifiedError", message, detail)


def _cost(element: Mapping[str, object]) -> float | None:
    cost = element.get("cost")
    # A cost of 0 was seen where none was meant.
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 < cost < _MAX_COST_USD:
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
