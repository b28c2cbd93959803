"""Every call of the service, once: the routes and /openapi.json are both made from this table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.clips.images import ImageType
from service.clips.ownership import Anonymous, Caller
from service.runware.callbacks import WEBHOOK_PATH
from service.suggestions import did_you_mean
from service.web.access import Access
from service.web.downloads import VIDEO_MEDIA_TYPE
from service.web.edits import MERGE_PATCH, EditCall, etag
from service.web.errors import InvalidValue, NothingCancelled, NothingMade, Unsuccessful, status_of
from service.web.handlers import METRICS_MEDIA_TYPE, Handlers
from service.web.schemas import (
    CancelAnswer,
    CancelCall,
    CancelFailure,
    ChangesEvent,
    ErrorAnswer,
    GenerateAnswer,
    GenerateCall,
    GenerateFailure,
    Health,
    ImageStored,
    NewProject,
    ProjectCall,
    ProjectDetail,
    ProjectList,
    ProjectQuotes,
    ProjectRemoved,
    ProjectsQuery,
    ProjectStored,
    QuotesQuery,
    Readiness,
    RetryCall,
    SnapshotEvent,
    StatusAnswer,
    StatusFailure,
    StudioConfig,
    StudioEstimates,
    WebhookBody,
    WebhookQuery,
    WebhookReceipt,
)
from service.web.studio import UPLOADS_PATH, Studio

_FUNCTIONS_PREFIX = "/functions/v1"
EVENT_STREAM = "text/event-stream"
_MOST_LISTED = 5
_CALL_ERRORS = (400, 401, 404, 413, 422, 503)
_FUNCTION_ERRORS = (*_CALL_ERRORS, 409, 410)

Handler = Callable[[Request, Caller], Awaitable[BaseModel | Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: where it is, what it takes and gives, which errors it may answer with.

    `answer` is None where it is no JSON; the handler then gives the response itself, of `media_type`. It is
    a tuple where the answer may be of several models.
    A GET with a `query` takes that model's parameters and no others: else one that is misspelt would be
    answered as if it were not there. A call of one that is not `protected` is anonymous. `statuses` are
    those that the answer itself may come with; `status_of` picks one, else it is the first. `failures` are
    the errors that tell more than others, by their status. `request_headers` says of each header that the
    call heeds what it is for; `etag_of` gives the ETag of the answer.
    """

    method: str
    path: str
    handler: Handler
    answer: type[BaseModel] | tuple[type[BaseModel], ...] | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: Sequence[int] = ()
    failures: Mapping[int, type[ErrorAnswer]] = field(default_factory=dict)
    statuses: Sequence[int] = (HTTPStatus.OK,)
    status_of: Callable[[Any], int] | None = None
    protected: bool = True
    alias: str | None = None
    media_type: str = "application/json"
    body_types: Sequence[str] = ("application/json",)
    request_headers: Mapping[str, str] = field(default_factory=dict)
    etag_of: Callable[[Any], str] | None = None

    @property
    def answers(self) -> Sequence[type[BaseModel]]:
        """The models that the answer may be of; none where it is no JSON."""
        if isinstance(self.answer, tuple):
            return self.answer
        return () if self.answer is None else (self.answer,)

    @property
    def summary(self) -> str:
        """The handler's own first sentence."""
        return (self.handler.__doc__ or "").partition("\n")[0]


def operations(handlers: Handlers) -> Sequence[Operation]:
    """List the calls."""
    return (
        _function(
            "generate-clips", handlers.generate_clips, GenerateCall, GenerateAnswer, GenerateFailure, (502,)
        ),
        _function("retry-clips", handlers.retry_clips, RetryCall, GenerateAnswer, GenerateFailure, (502,)),
        _function(
            "check-clips-status", handlers.check_clips_status, ProjectCall, StatusAnswer, StatusFailure
        ),
        _function(
            "cancel-clips",
            handlers.cancel_clips,
            CancelCall,
            CancelAnswer,
            CancelFailure,
            unsuccessful=NothingCancelled,
        ),
        Operation(
            "GET",
            "/projects",
            handlers.list_projects,
            ProjectList,
            query=ProjectsQuery,
            errors=(401, 422, 503),
        ),
        Operation(
            "POST",
            "/projects",
            handlers.create_project,
            ProjectStored,
            NewProject,
            errors=(400, 401, 413, 422, 503),
            statuses=(HTTPStatus.CREATED,),
        ),
        Operation(
            "GET",
            "/projects/{project_id}",
            handlers.read_project,
            ProjectDetail,
            errors=(401, 404, 410, 503),
            etag_of=etag,
        ),
        Operation(
            "PATCH",
            "/projects/{project_id}",
            handlers.edit_project,
            ProjectDetail,
            EditCall,
            errors=(400, 401, 404, 410, 412, 413, 422, 503),
            body_types=("application/json", MERGE_PATCH),
            request_headers={"If-Match": "The ETag of the project as the edit's author saw it; * for any."},
            etag_of=etag,
        ),
        Operation(
            "DELETE",
            "/projects/{project_id}",
            handlers.delete_project,
            ProjectRemoved,
            errors=(401, 404, 503),
        ),
        Operation(
            "POST",
            "/projects/{project_id}/restore",
            handlers.restore_project,
            ProjectStored,
            errors=(400, 401, 404, 503),
        ),
        Operation(
            "POST",
            "/projects/{project_id}/copies",
            handlers.duplicate_project,
            ProjectStored,
            errors=(400, 401, 404, 410, 503),
            statuses=(HTTPStatus.CREATED,),
        ),
        Operation(
            "GET",
            "/projects/{project_id}/quotes",
            handlers.quote_project,
            ProjectQuotes,
            query=QuotesQuery,
            errors=(401, 404, 410, 422, 503),
        ),
        Operation(
            "GET",
            # A scene's name may hold anything, also a slash.
            "/projects/{project_id}/clips/{scene:path}.mp4",
            handlers.download_clip,
            None,
            errors=(401, 404, 410, 416, 502, 503),
            request_headers={"Range": "Which bytes of the video to give."},
            statuses=(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT),
            media_type=VIDEO_MEDIA_TYPE,
        ),
        Operation(
            "GET",
            "/projects/{project_id}/events",
            handlers.watch_project,
            (SnapshotEvent, ChangesEvent),
            errors=(401, 404, 410, 503),
            media_type=EVENT_STREAM,
            request_headers={
                "Last-Event-ID": "The id of the last event that was read: what came since is sent."
            },
        ),
        *_studio(handlers.studio),
        Operation(
            "POST",
            WEBHOOK_PATH,
            handlers.receive_webhook,
            WebhookReceipt,
            WebhookBody,
            query=WebhookQuery,
            errors=_CALL_ERRORS,
            protected=False,
        ),
        Operation("GET", "/healthz", handlers.health, Health, protected=False),
        Operation(
            "GET",
            "/readyz",
            handlers.readiness,
            Readiness,
            statuses=(HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE),
            status_of=_readiness_status,
            protected=False,
        ),
        Operation(
            "GET",
            "/metrics",
            handlers.metrics,
            None,
            errors=(401, 503),
            media_type=METRICS_MEDIA_TYPE,
        ),
    )


def _studio(studio: Studio) -> Sequence[Operation]:
    return (
        Operation("GET", "/studio/config", studio.config, StudioConfig, protected=False),
        Operation("GET", "/studio/estimates", studio.estimates, StudioEstimates, errors=(401, 503)),
        Operation(
            "POST",
            UPLOADS_PATH,
            studio.upload,
            ImageStored,
            errors=(400, 401, 413, 422, 503),
            statuses=(HTTPStatus.CREATED,),
            body_types=tuple(ImageType),
        ),
        Operation(
            "GET",
            f"{UPLOADS_PATH}/{{name}}",
            studio.uploaded,
            None,
            errors=(404,),
            protected=False,
            media_type="image/*",
        ),
    )


def routes(listed: Sequence[Operation], access: Access) -> list[Route]:
    """Make the routes of the calls, each also under its alias."""
    return [
        Route(path, _endpoint(operation, access), methods=[operation.method])
        for operation in listed
        for path in (operation.path, operation.alias)
        if path is not None
    ]


def _readiness_status(readiness: Readiness) -> int:
    return HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE


def _function(
    name: str,
    handler: Handler,
    body: type[BaseModel],
    answer: type[BaseModel],
    failure: type[ErrorAnswer],
    more_errors: tuple[int, ...] = (),
    unsuccessful: type[Unsuccessful] = NothingMade,
) -> Operation:
    return Operation(
        "POST",
        f"{_FUNCTIONS_PREFIX}/{name}",
        handler,
        answer,
        body,
        errors=sorted(_FUNCTION_ERRORS + more_errors),
        failures={status_of(unsuccessful): failure},
        alias=f"/{name}",
    )


def _endpoint(operation: Operation, access: Access) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        caller = await access.caller(request) if operation.protected else Anonymous()
        _refuse_unknown_parameters(operation, request)
        answer = await operation.handler(request, caller)
        if isinstance(answer, Response):
            return answer
        status = operation.statuses[0] if operation.status_of is None else operation.status_of(answer)
        headers = None if operation.etag_of is None else {"ETag": operation.etag_of(answer)}
        content = answer.model_dump_json(by_alias=True)
        return Response(content, status, headers, media_type=operation.media_type)

    return respond


def _refuse_unknown_parameters(operation: Operation, request: Request) -> None:
    if operation.query is None or operation.method != "GET":
        return
    unknown = [name for name in request.query_params if name not in operation.query.model_fields]
    if unknown:
        raise InvalidValue(
            f"{operation.path} takes no parameter {', '.join(unknown[:_MOST_LISTED])}."
            f"{did_you_mean(unknown[0], operation.query.model_fields)} "
            f"It takes {', '.join(operation.query.model_fields)}. Correct it and call again."
        )
