import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from types import UnionType
from typing import Any, Self

import httpx
from postgrest import APIError, APIResponse
from supabase import AsyncClient, AsyncClientOptions, create_async_client
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from service.clips.edits import Edit
from service.clips.estimate import PastClip
from service.clips.listing import Cursor, State
from service.clips.models import (
    THUMBNAILS,
    Choice,
    Clip,
    Fingerprint,
    Project,
    ProjectId,
    ProjectOverview,
    TaskUUID,
    UserId,
)
from service.clips.readable import MAX_PROJECT_BYTES
from service.connections import mixed_up
from service.errors import ProjectBusy, ProjectEdited, StoreRefused, StoreUnavailable
from service.stores.rows import (
    clip_row,
    clip_state,
    read_claimed_clip,
    read_clip,
    read_overview,
    read_past_clip,
    read_project,
    timestamp,
)
from service.stores.supabase_schema import MIGRATIONS
from service.workflow.ports import Changed, Changes, Duplicate, ProjectDraft

# Supabase ends a statement after 8 s (the role `authenticator`'s own setting); its answer comes after that.
_TIMEOUT = httpx.Timeout(10, connect=5)
# PostgREST itself has about ten connections to the database; more of ours would wait there.
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=20)
# A kept-alive connection that the other side has just closed. Every operation may be repeated: what it did
# the first time, it finds done; only a claim's clips are left to the next tick. A time-out is not repeated,
# since a person or a webhook waits.
ONCE_MORE = AsyncRetrying(
    retry=retry_if_exception_type((httpx.NetworkError, httpx.RemoteProtocolError)),
    stop=stop_after_attempt(2),
    wait=wait_random(0, 0.1),
    reraise=True,
)
# SQLSTATE classes of what is wrong with some of the data, not with the rest. P0001 is the word of a trigger
# that the web application has on its own table, 55P03 says that somebody holds a row: each about one project.
# 54 is of what is too large, for an index or for one value.
_DATA_ERRORS = ("22", "23", "54", "P0001", "55P03")


class SupabaseStore:
    """Projects and the ledger in a Supabase project's database. Fulfils the workflow's `Store`.

    Each operation is one call of an SQL function, and so one request and one transaction.
    """

    def __init__(self, url: str, service_role_key: str) -> None:
        self._url = url
        self._key = service_role_key
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS)
        self._client: AsyncClient | None = None

    async def __aenter__(self) -> Self:
        options = AsyncClientOptions(httpx_client=self._http, auto_refresh_token=False, persist_session=False)
        self._client = await create_async_client(self._url, self._key, options)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def missing_migrations(self) -> Sequence[str]:
        """Reach the database; gives the names of the migrations that have not been applied to it."""
        try:
            applied = await self._call("migrations")
        except _FunctionMissing:
            applied = []
        return [migration.name for migration in MIGRATIONS if migration.version not in applied]

    async def create_project(self, draft: ProjectDraft, now: datetime) -> ProjectId:
        """Store a new project."""
        project_id = ProjectId(str(uuid.uuid4()))
        await self._call("create_project", {"id": project_id, **asdict(draft), "now": timestamp(now)}, str)
        return project_id

    async def duplicate_project(self, duplicate: Duplicate, now: datetime) -> None:
        """Store a duplicate of a project with the clips that come along."""
        payload = {
            "id": duplicate.id,
            **asdict(duplicate.draft),
            **asdict(duplicate.choice),
            "clips": [clip_row(clip) for clip in duplicate.clips],
            "now": timestamp(now),
        }
        await self._call("duplicate_project", payload, str)

    async def delete_project(self, project_id: ProjectId, now: datetime) -> datetime | None:
        """Mark a project as deleted, an edit of it; gives since when it is, None if there is none."""
        payload = {"project_id": project_id, "now": timestamp(now)}
        since = await self._call("delete_project", payload, str | None)
        return None if since is None else datetime.fromisoformat(since)

    async def restore_project(self, project_id: ProjectId) -> None:
        """Take the mark away, an edit of the project, unless there is none."""
        await self._call("restore_project", {"project_id": project_id}, bool)

    async def choose(self, project_id: ProjectId, choice: Choice, now: datetime) -> None:
        """Make this the project's choice: an edit of it, unless it is so already."""
        await self._call("choose", {"project_id": project_id, **asdict(choice), "now": timestamp(now)}, bool)

    async def edit(
        self, project_id: ProjectId, edit: Edit, moved: Sequence[Clip], now: datetime, *, edited: int
    ) -> None:
        """Store an edited project, and in the same transaction what becomes of its clips."""
        rows = [
            {"task_uuid": clip.task_uuid, "scene": clip.scene, "fingerprint": clip.fingerprint}
            for clip in moved
        ]
        payload = {
            "project_id": project_id,
            "edited": edited,
            # So that a repeat, after an answer that was lost, knows its own work.
            "edit_id": uuid.uuid4().hex,
            "script": edit.script,
            "frames": edit.frames,
            "scenes": edit.scenes,
            "moved": rows,
            "moving_scenes": list(edit.moves),
            "removed_scenes": list(edit.removed),
            "now": timestamp(now),
        }
        try:
            await self._call("edit", payload, bool)
        except _Edited:
            raise ProjectEdited(project_id) from None

    async def project(self, project_id: ProjectId) -> Project | None:
        """Read one project."""
        payload = {"id": project_id, "max_bytes": MAX_PROJECT_BYTES}
        row = await self._call("project_texts", payload, dict | None)
        return None if row is None else read_project(row)

    async def projects(
        self,
        limit: int,
        user_id: UserId | None = None,
        *,
        words: Sequence[str] = (),
        state: State | None = None,
        after: Cursor | None = None,
    ) -> Sequence[ProjectOverview]:
        """Read a page of the projects, newest first; their rows come without scenes and frames."""
        payload = {
            "limit": limit,
            "user_id": user_id,
            "words": list(words),
            "state": state,
            "after": after and {"created_at": timestamp(after.created_at), "id": after.id},
            "thumbnails": THUMBNAILS,
        }
        return [read_overview(row) for row in await self._call("projects", payload)]

    async def changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        """Read what is new of these projects since these sequence numbers, 0 being before everything."""
        found = await self._call("changes", {"since": since}, dict)
        return {
            ProjectId(project_id): Changes(
                sequence=news["sequence"],
                edited=news["edited"],
                cost_usd=news["cost_usd"],
                clips=[Changed(row["sequence"], read_clip(row)) for row in news["clips"]],
            )
            for project_id, news in found.items()
        }

    async def past_clips(self, limit: int) -> Sequence[PastClip]:
        """Read the newest successful clips, newest first, without those that a person asked for again."""
        return [read_past_clip(row) for row in await self._call("past_clips", {"limit": limit})]

    async def attempts(self, project_id: ProjectId, fingerprints: Collection[Fingerprint]) -> Sequence[Clip]:
        """Read all clips that were ever made for these fingerprints of the project."""
        return await self._clips("attempts", {"project_id": project_id, "fingerprints": list(fingerprints)})

    async def lease_project(
        self, project_id: ProjectId, owner: str, now: datetime, leased_until: datetime
    ) -> bool:
        """Lease the right to decide about a project's earlier jobs; gives whether `owner` has it."""
        payload = {"project_id": project_id, **_lease(owner, now, leased_until)}
        return bool(await self._call("lease_project", payload, bool))

    async def release_project(self, project_id: ProjectId, owner: str) -> None:
        """Give the lease back, if `owner` still has it."""
        await self._call("release_project", {"project_id": project_id, "owner": owner}, bool)

    async def record(
        self,
        project_id: ProjectId,
        chosen: Sequence[Clip],
        now: datetime,
        *,
        edited: int | None = None,
        owner: str | None = None,
    ) -> Sequence[Clip]:
        """Make the chosen clips their scenes' current ones, and store those that are new."""
        payload = {
            "project_id": project_id,
            "clips": [clip_row(clip) for clip in chosen],
            "edited": edited,
            "owner": owner,
            "now": timestamp(now),
        }
        try:
            return await self._clips("record", payload)
        except _LeaseLost:
            raise ProjectBusy(project_id) from None
        except _Edited:
            raise ProjectEdited(project_id) from None

    async def current_clips(self, project_id: ProjectId) -> Sequence[Clip]:
        """Read each scene's current clip."""
        return await self._clips("current_clips", {"project_id": project_id})

    async def all_clips(self, project_id: ProjectId) -> Sequence[Clip]:
        """Read every clip that was ever recorded for a project."""
        return await self._clips("all_clips", {"project_id": project_id})

    async def clips(self, task_uuids: Collection[TaskUUID]) -> Sequence[Clip]:
        """Read clips by their task UUIDs; one that is not there is left out."""
        return await self._clips("clips", {"task_uuids": list(task_uuids)})

    async def save(self, changed: Sequence[Clip], now: datetime) -> Collection[TaskUUID]:
        """Store changed clips in one write, each only if its `version` is still the stored one."""
        # So that a repeat, after an answer that was lost, knows its own work from someone else's.
        write_id = uuid.uuid4().hex
        rows = [clip_state(clip) for clip in changed]
        payload = {"clips": rows, "write_id": write_id, "now": timestamp(now)}
        return {TaskUUID(task_uuid) for task_uuid in await self._call("save", payload)}

    async def save_earlier(self, project_id: ProjectId, ends: Mapping[TaskUUID, str], now: datetime) -> None:
        """Write ends into `projects.clips` of a project of which the ledger has no clip."""
        payload = {"project_id": project_id, "ends": dict(ends), "now": timestamp(now)}
        await self._call("save_earlier", payload, bool)

    async def claim(self, owner: str, now: datetime, leased_until: datetime, limit: int) -> Sequence[Clip]:
        """Lease up to `limit` unsettled clips that nobody holds, oldest first, and read them in brief."""
        payload = {**_lease(owner, now, leased_until), "limit": limit, "brief": True}
        return [read_claimed_clip(row) for row in await self._call("claim", payload)]

    async def _clips(self, operation: str, payload: Mapping[str, object]) -> Sequence[Clip]:
        return [read_clip(row) for row in await self._call(operation, payload)]

    async def _call(
        self,
        operation: str,
        payload: Mapping[str, object] | None = None,
        expected: type | UnionType = list,
    ) -> Any:
        """Call an operation's function. Raises StoreUnavailable, and so the private kinds of it below.

        What is not of the `expected` type comes from elsewhere, such as a page of a proxy's under HTTP 200.
        """
        if self._client is None:
            raise StoreUnavailable("The store is not open. Call again when the service has started.")
        function = f"clip_service_{operation}"
        call = self._client.rpc(function, {} if payload is None else {"payload": payload})
        try:
            answer: APIResponse = await ONCE_MORE.copy()(call.execute)
        except APIError as error:
            raise _translated(error, function) from error
        except httpx.HTTPError as error:
            broke_off = isinstance(error, httpx.RemoteProtocolError)
            why = mixed_up(str(error), self._url, broke_off=broke_off) or type(error).__name__
            raise StoreUnavailable(
                f"Supabase can't be reached ({why}). Call again; if it stays so, check SUPABASE_URL and the "
                "state of the Supabase project."
            ) from error
        except UnicodeEncodeError as error:
            raise StoreRefused(f"The data for {function} is no text that can be sent.") from error
        except (RecursionError, ValueError) as error:
            raise StoreRefused(f"What {function} gave is no JSON that can be read ({error}).") from error
        if not isinstance(answer.data, expected):
            raise StoreUnavailable(
                f"What answered {function} is not the API of a Supabase project. Check SUPABASE_URL, "
                "and what stands between it and the service."
            )
        return answer.data


class _FunctionMissing(StoreUnavailable):
    """The database lacks a function of ours, and so a migration."""


class _LeaseLost(StoreUnavailable):
    """Somebody else has the project's lease."""


class _Edited(StoreUnavailable):
    """The project was edited since."""


def _lease(owner: str, now: datetime, leased_until: datetime) -> Mapping[str, object]:
    return {"owner": owner, "now": timestamp(now), "leased_until": timestamp(leased_until)}


def _translated(error: APIError, function: str) -> StoreUnavailable:
    code = error.code or "without a code"
    if code == "PGRST202":
        return _FunctionMissing(f"The database lacks {function}. See what clips migrate --check says.")
    if code == "CL001":
        return _LeaseLost(f"{function} was called without the project's lease.")
    if code == "CL002":
        return _Edited(f"{function} was called for an earlier state of the project.")
    if code.startswith(_DATA_ERRORS):
        return StoreRefused(f"The database refused the data of {function} ({code}).")
    return StoreUnavailable(
        f"Supabase could not do {function} ({code}). Call again; if it stays so, see what clips doctor says."
    )
