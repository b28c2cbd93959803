from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from service.clips.catalogue import Catalogue
from service.clips.listing import search_words
from service.clips.models import ProjectId, SceneKey, TaskUUID
from service.clips.ownership import Caller, Operator
from service.errors import ProjectNotFound, ServiceError, StoreFull, StoreUnavailable, Unauthorized
from service.runware.callbacks import CallbackURLs
from service.runware.results import URLCheck
from service.runware.webhooks import pushed_outcomes
from service.web.answers import cancel_answer, generate_answer, status_answer
from service.web.bodies import (
    WEBHOOK_LIMIT_BYTES,
    parse_json,
    read_bytes,
    read_model,
    read_query,
    refuse_forms,
)
from service.web.downloads import Downloads
from service.web.edits import MERGE_PATCH, EditCall, read_if_match
from service.web.events import event_stream, read_sequence
from service.web.request_log import tell_job, tell_project
from service.web.schemas import (
    CancelAnswer,
    CancelCall,
    GenerateAnswer,
    GenerateCall,
    Health,
    Installation,
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
    StatusAnswer,
    WebhookReceipt,
)
from service.web.studio import Studio
from service.workflow.adoption import Adopter
from service.workflow.cancelling import Canceller
from service.workflow.check import Checker
from service.workflow.editing import Editor
from service.workflow.generate import Generator
from service.workflow.past import Past
from service.workflow.poll import Poller, PollerHealth
from service.workflow.ports import Clock, Store
from service.workflow.projects import Projects
from service.workflow.receive import Receiver
from service.workflow.watch import Watcher

# Prometheus' text format, by its version.
METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class WebhookMeter(Protocol):
    """Counts what becomes of webhooks. No method raises, or waits."""

    def webhook_taken(self, *, changed: bool) -> None:
        """Count a webhook whose result is stored, by whether it was news."""

    def webhook_refused(self, error: ServiceError) -> None:
        """Count a webhook that was answered with an error."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """One method for each call: read, hand inwards, answer.

    `ttl_seconds` is how long links to videos live, where the settings say so. `metrics_text` gives all that
    was counted, in Prometheus' text format.
    """

    generator: Generator
    adopter: Adopter
    checker: Checker
    receiver: Receiver
    editor: Editor
    canceller: Canceller
    projects: Projects
    downloads: Downloads
    poller: Poller
    store: Store
    callbacks: CallbackURLs
    check_video_url: URLCheck
    watcher: Watcher
    past: Past
    catalogue: Catalogue
    ttl_seconds: int | None
    clock: Clock
    studio: Studio
    webhook_meter: WebhookMeter
    metrics_text: Callable[[], str]

    async def generate_clips(self, request: Request, caller: Caller) -> GenerateAnswer:
        """Submit a job for each scene that has both frames and no clip yet."""
        call = await read_model(request, GenerateCall)
        project_id = _told(request, call.project_id)
        if call.adopt:
            return generate_answer(project_id, await self.adopter.adopt(project_id, caller, call.new_choice))
        scenes = _scene_keys(call.scenes)
        generated = await self.generator.generate(project_id, caller, call.new_choice, scenes)
        return generate_answer(project_id, generated)

    async def retry_clips(self, request: Request, caller: Caller) -> GenerateAnswer:
        """Submit a new attempt for failed clips."""
        call = await read_model(request, RetryCall)
        project_id = _told(request, call.project_id)
        retried = await self.generator.retry(project_id, _scene_keys(call.scenes), caller)
        return generate_answer(project_id, retried)

    async def cancel_clips(self, request: Request, caller: Caller) -> CancelAnswer:
        """Cancel clips that were not sent yet: they cost nothing. What was sent can't be cancelled."""
        call = await read_model(request, CancelCall)
        project_id = _told(request, call.project_id)
        cancelled = await self.canceller.cancel(project_id, _scene_keys(call.scenes), caller)
        return cancel_answer(project_id, cancelled)

    async def check_clips_status(self, request: Request, caller: Caller) -> StatusAnswer:
        """Ask Runware for what is pending, and tell how all clips stand."""
        call = await read_model(request, ProjectCall)
        project_id = _told(request, call.project_id)
        return status_answer(project_id, await self.checker.check(project_id, caller))

    async def create_project(self, request: Request, caller: Caller) -> ProjectStored:
        """Store a project, which then belongs to the user who calls."""
        new = await read_model(request, NewProject)
        project_id = await self.projects.create(new.draft(), caller)
        tell_project(request, project_id)
        return ProjectStored.model_validate({"id": project_id})

    async def list_projects(self, request: Request, caller: Caller) -> ProjectList:
        """List projects, newest first, page by page: a user's own; all of them for an operator."""
        query = read_query(request, ProjectsQuery)
        page = await self.projects.page(
            caller, query.limit, words=search_words(query.q), state=query.state, after=query.cursor
        )
        return ProjectList.of(page)

    async def duplicate_project(self, request: Request, caller: Caller) -> ProjectStored:
        """Store a copy of a project, with its finished clips, for the user who calls, else for its owner."""
        refuse_forms(request)
        project_id = await self.projects.duplicate(_named_project(request), caller)
        return ProjectStored.model_validate({"id": project_id})

    async def delete_project(self, request: Request, caller: Caller) -> ProjectRemoved:
        """Delete a project with a way back: it is hidden until it is restored, and nothing is erased."""
        project_id = _named_project(request)
        deleted_at = await self.projects.delete(project_id, caller)
        return ProjectRemoved.model_validate({"id": project_id, "deleted_at": deleted_at})

    async def restore_project(self, request: Request, caller: Caller) -> ProjectStored:
        """Bring a deleted project back, as it was."""
        refuse_forms(request)
        project_id = _named_project(request)
        await self.projects.restore(project_id, caller)
        return ProjectStored.model_validate({"id": project_id})

    async def read_project(self, request: Request, caller: Caller) -> ProjectDetail:
        """Read a project's row and its jobs."""
        state = await self.projects.detail(_named_project(request), caller)
        return ProjectDetail.of_state(state, await self._installation())

    async def edit_project(self, request: Request, caller: Caller) -> ProjectDetail:
        """Change a project's title, frames, scenes or their order; buys nothing, and loses no clip."""
        call = await read_model(request, EditCall, ("application/json", MERGE_PATCH))
        known = read_if_match(request)
        state = await self.editor.edit(_named_project(request), call.patch(), caller, known)
        return ProjectDetail.of_state(state, await self._installation())

    async def quote_project(self, request: Request, caller: Caller) -> ProjectQuotes:
        """Tell what making a project's clips would cost with another model, resolution or sound."""
        query = read_query(request, QuotesQuery)
        state = await self.projects.with_choice(_named_project(request), caller, query.choice)
        return ProjectQuotes.of(state, await self._installation())

    async def download_clip(self, request: Request, caller: Caller) -> Response:
        """Give the video of a scene's finished clip, as a file with a name."""
        scene = SceneKey(str(request.path_params["scene"]))
        return await self.downloads.response(_named_project(request), scene, request, caller)

    async def watch_project(self, request: Request, caller: Caller) -> Response:
        """Tell of a project's changes as they happen, as server-sent events."""
        since = read_sequence(request.headers.get("last-event-id", ""))
        updates = await self.watcher.watch(_named_project(request), caller, since)
        return event_stream(updates, self._installation, self.clock)

    async def _installation(self) -> Installation:
        # Bars and prices by what was known before, or by the table, are better than none.
        with suppress(StoreUnavailable):
            await self.past.refresh()
        return Installation(self.catalogue, self.ttl_seconds, self.past.usual_times(), self.past.price)

    async def receive_webhook(self, request: Request, _caller: Caller) -> WebhookReceipt:
        """Take a result that Runware pushes to a job's callback URL."""
        try:
            changed = await self._receive_result(request)
        except ServiceError as error:
            self.webhook_meter.webhook_refused(error)
            raise
        self.webhook_meter.webhook_taken(changed=changed)
        return WebhookReceipt(changed=changed)

    async def _receive_result(self, request: Request) -> bool:
        task_uuid = TaskUUID(request.query_params.get("job", ""))
        if not self.callbacks.verify(task_uuid, request.query_params.get("token", "")):
            raise Unauthorized("The token of this callback URL is not its job's.")
        tell_job(request, task_uuid)
        body = parse_json(await read_bytes(request, WEBHOOK_LIMIT_BYTES))
        outcomes = pushed_outcomes(body, task_uuid, self.check_video_url)
        return await self.receiver.receive(task_uuid, outcomes)

    async def health(self, _request: Request, _caller: Caller) -> Health:
        """Tell that the process runs."""
        return Health()

    async def readiness(self, _request: Request, _caller: Caller) -> Readiness:
        """Tell whether the store and the poller work."""
        poller = self.poller.health
        try:
            missing = await self.store.missing_migrations()
        except StoreFull:
            return Readiness(ready=False, store="full", poller=poller, missing_migrations=[])
        except StoreUnavailable:
            return Readiness(ready=False, store="unreachable", poller=poller, missing_migrations=[])
        return Readiness(
            ready=poller is PollerHealth.ALIVE and not missing,
            store="outdated" if missing else "reachable",
            poller=poller,
            missing_migrations=list(missing),
        )

    async def metrics(self, _request: Request, caller: Caller) -> Response:
        """Tell operators what this process has counted since its start, in Prometheus' text format."""
        if not isinstance(caller, Operator):
            raise Unauthorized(
                "Only whoever runs the service may read its metrics. Send Authorization: Bearer with the "
                "SERVICE_TOKEN, or with the service role key."
            )
        return Response(self.metrics_text(), media_type=METRICS_MEDIA_TYPE)


def _scene_keys(named: Collection[str] | None) -> Collection[SceneKey] | None:
    return None if named is None else {SceneKey(scene) for scene in named}


def _named_project(request: Request) -> ProjectId:
    """Read the project's id from the path. Raises ProjectNotFound for what can't be one."""
    named = str(request.path_params["project_id"])
    try:
        return _told(request, UUID(named))
    except ValueError:
        raise ProjectNotFound(named) from None


def _told(request: Request, project_id: UUID) -> ProjectId:
    """Give the id of the project that the call is about, after its request's line was told."""
    told = ProjectId(str(project_id))
    tell_project(request, told)
    return told
