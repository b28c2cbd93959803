"""Which error becomes which answer."""

from collections.abc import Collection, Mapping
from http import HTTPStatus

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.errors import (
    AdoptionRefused,
    ChoiceRefused,
    ClipNotFound,
    ClipNotReady,
    EditRefused,
    FramesNotReady,
    KeysUnavailable,
    MalformedResult,
    ProjectBusy,
    ProjectChanged,
    ProjectDeleted,
    ProjectEdited,
    ProjectNotFound,
    ProjectUnreadable,
    ProviderRefused,
    ProviderUnavailable,
    SceneNotFound,
    ServiceError,
    StoreUnavailable,
    Unauthorized,
    VideoGone,
    VideoRangeRefused,
    VideoUnreachable,
    VideoUnusable,
    VideoURLRefused,
)
from service.suggestions import did_you_mean
from service.web.schemas import ErrorAnswer

_MOST_LISTED = 5
# A clip is passed on within seconds.
_DOWNLOAD_RETRY_S = 5


class BadRequest(ServiceError):
    """The body is not JSON, or not of the shape that the call takes."""

    code = "bad_request"


class InvalidValue(ServiceError):
    """A body of the right shape, or the query, has a value that can't be."""

    code = "invalid_value"


class TooLarge(ServiceError):
    """The body is larger than the call takes."""

    code = "body_too_large"


class NothingAsked(ServiceError):
    """No clip of the project has been asked for yet, so that there is nothing to check or to retry."""

    code = "nothing_asked"


class Unsuccessful(ServiceError):
    """A function did for no scene what it is for; `answer` tells of each."""

    code = "unsuccessful"

    def __init__(self, answer: ErrorAnswer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class NothingMade(Unsuccessful):
    """None of the scenes that a call was about has its clip or may still get it."""

    code = "nothing_made"


class NothingCancelled(Unsuccessful):
    """None of the clips that a call was about could be cancelled."""

    code = "nothing_cancelled"


class UploadNotFound(ServiceError):
    """There is no uploaded image of this name."""

    code = "upload_not_found"


class TooManyDownloads(ServiceError):
    """As many videos are being passed on as this process may at a time."""

    code = "too_many_downloads"

    def __init__(self) -> None:
        super().__init__("Many clips are being downloaded just now. Try again in a few seconds.")


STATUS_BY_ERROR: Mapping[type[ServiceError], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    MalformedResult: HTTPStatus.BAD_REQUEST,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    ProjectNotFound: HTTPStatus.NOT_FOUND,
    ClipNotFound: HTTPStatus.NOT_FOUND,
    ClipNotReady: HTTPStatus.NOT_FOUND,
    UploadNotFound: HTTPStatus.NOT_FOUND,
    FramesNotReady: HTTPStatus.CONFLICT,
    AdoptionRefused: HTTPStatus.CONFLICT,
    NothingAsked: HTTPStatus.CONFLICT,
    NothingCancelled: HTTPStatus.CONFLICT,
    ProjectChanged: HTTPStatus.PRECONDITION_FAILED,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    InvalidValue: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unsuccessful: HTTPStatus.UNPROCESSABLE_ENTITY,
    ChoiceRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    EditRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    SceneNotFound: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProjectUnreadable: HTTPStatus.UNPROCESSABLE_ENTITY,
    VideoURLRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProjectDeleted: HTTPStatus.GONE,
    VideoGone: HTTPStatus.GONE,
    VideoRangeRefused: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    VideoUnusable: HTTPStatus.BAD_GATEWAY,
    VideoUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyDownloads: HTTPStatus.SERVICE_UNAVAILABLE,
    ProviderRefused: HTTPStatus.BAD_GATEWAY,
    ProviderUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ProjectBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    ProjectEdited: HTTPStatus.CONFLICT,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    KeysUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    # What no call is meant to meet.
    ServiceError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status_of(error: type[ServiceError]) -> HTTPStatus:
    """Give the status that answers an error: its own, else that of the nearest kind that it is one of."""
    return next(STATUS_BY_ERROR[kind] for kind in error.__mro__ if kind in STATUS_BY_ERROR)


def error_response(
    status: int, message: str, code: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with an error in the one form that all of them have."""
    return _answered(status, ErrorAnswer(error=message, code=code), headers)


async def service_error(_request: Request, error: Exception) -> Response:
    """Answer one of the service's own errors."""
    if not isinstance(error, ServiceError):
        raise error
    status = status_of(type(error))
    if isinstance(error, Unsuccessful):
        return _answered(status, error.answer)
    headers: Mapping[str, str] = {}
    if isinstance(error, Unauthorized):
        headers = {"WWW-Authenticate": "Bearer"}
    elif isinstance(error, TooManyDownloads):
        headers = {"Retry-After": str(_DOWNLOAD_RETRY_S)}
    return error_response(status, str(error), error.code, headers)


def _answered(status: int, answer: ErrorAnswer, headers: Mapping[str, str] | None = None) -> Response:
    body = answer.model_dump_json(by_alias=True)
    return Response(body, status, headers=headers, media_type="application/json")


async def http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path or method."""
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).name.lower()
    message = f"{error.detail}. /openapi.json lists the calls of this service."
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return error_response(error.status_code, message, code, headers)


def _allowed(request: Request) -> str:
    """List what all routes of a path take; the router names the first one's, and folders of files none."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = request.scope["path"]
    taken = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    return ", ".join(sorted(taken or {"GET", "HEAD"}))


def body_error(invalid: ValidationError, model: type[BaseModel]) -> BadRequest | InvalidValue:
    """Tell a body of the wrong shape from a wrong value, and say where it is wrong."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    if any(e["type"] == "json_invalid" for e in errors):
        return BadRequest("The body is not JSON. Correct it and call again.")
    shape = any(e["type"] in ("missing", "extra_forbidden") or e["type"].endswith("_type") for e in errors)
    listed = _listed(invalid, "body", model.model_fields)
    message = f"The body can't be used ({listed}). Correct it and call again."
    return BadRequest(message) if shape else InvalidValue(message)


def query_error(invalid: ValidationError) -> InvalidValue:
    """Say which parameter has a value that can't be, and what can be."""
    return InvalidValue(f"The query can't be used ({_listed(invalid, 'query')}). Correct it and call again.")


def _listed(invalid: ValidationError, whole: str, fields: Collection[str] = ()) -> str:
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    listed = "; ".join(
        f"{'.'.join(map(str, e['loc'])) or whole}: {_problem(e, fields)}" for e in errors[:_MOST_LISTED]
    )
    return f"{listed}; and {len(errors) - _MOST_LISTED} more" if len(errors) > _MOST_LISTED else listed


def _problem(error: ErrorDetails, fields: Collection[str]) -> str:
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] != "extra_forbidden":
        return said
    # What is known inside of a field is that field's own affair.
    known = fields if len(error["loc"]) == 1 else ()
    return f"this call has no such field.{did_you_mean(str(error['loc'][-1]), known)}"
