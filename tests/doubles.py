"""Stand-ins for the world, for tests of one part alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from aiohttp import web

from service.clips.estimate import PastClip
from service.clips.models import Clip, ClipRequest, Failure, FailureKind, TaskUUID
from service.clips.outcomes import Acknowledged, Outcome, Unknown
from service.errors import StoreRefused, StoreUnavailable
from service.serving import listen
from service.stores.sqlite import SQLiteStore

NO_TRACE = Unknown(Failure(FailureKind.LOST, "noTrace", "Runware has no record of the task."))


class ScriptedProvider:
    """Answers every question and submission with one outcome, and keeps what it was asked.

    Questions are answered by `first_outcomes` before that, one each, and not at once; the archive's by
    `archived`. `before_answer` is called before each question is answered.
    """

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome or Acknowledged()
        self.first_outcomes: list[Outcome] = []
        self.archived: Outcome = NO_TRACE
        self.submitted: list[TaskUUID] = []
        self.requests: list[ClipRequest] = []
        self.asked: list[TaskUUID] = []
        self.traced: list[TaskUUID] = []
        self.frame_bytes = 0
        self.before_submission: Callable[[Sequence[Clip]], Awaitable[None]] | None = None
        self.before_answer: Callable[[], Awaitable[None]] | None = None

    async def bytes_sent(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, int]:
        return {clip.task_uuid: self.frame_bytes for clip in clips}

    async def submit(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, Outcome]:
        if self.before_submission is not None:
            await self.before_submission(clips)
        self.requests += [clip.request for clip in clips]
        return self._answer(self.submitted, (clip.task_uuid for clip in clips))

    async def ask(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        assert within > timedelta(0)
        assert whose
        if self.before_answer is not None:
            await self.before_answer()
        if self.first_outcomes:
            outcome = self.first_outcomes.pop(0)
            await asyncio.sleep(0.05)
            return dict.fromkeys(task_uuids, outcome)
        return self._answer(self.asked, task_uuids)

    async def trace(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        assert within > timedelta(0)
        assert whose
        self.traced += task_uuids
        return dict.fromkeys(task_uuids, self.archived)

    def _answer(self, kept: list[TaskUUID], task_uuids: Iterable[TaskUUID]) -> Mapping[TaskUUID, Outcome]:
        answered = list(task_uuids)
        kept += answered
        return dict.fromkeys(answered, self.outcome)


class WatchedStore(SQLiteStore):
    """Counts its writes and its looks at the past, and fails, refuses a clip or waits when told to.

    While it is `outrun`, somebody else has always changed the clips that are to be saved.
    """

    failing = False
    outrun = False
    refusing: TaskUUID | None = None
    writes = 0
    looks_at_past = 0
    gate: asyncio.Event | None = None

    async def save(self, changed: Sequence[Clip], now: datetime) -> Collection[TaskUUID]:
        if self.gate is not None:
            await self.gate.wait()
        if self.failing:
            raise StoreUnavailable("The database is gone.")
        if any(clip.task_uuid == self.refusing for clip in changed):
            raise StoreRefused("The database does not take this clip.")
        self.writes += 1
        return () if self.outrun else await super().save(changed, now)

    async def past_clips(self, limit: int) -> Sequence[PastClip]:
        self.looks_at_past += 1
        if self.failing:
            raise StoreUnavailable("The database is gone.")
        return await super().past_clips(limit)


@asynccontextmanager
async def answering(
    respond: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve something that is not the clip service; gives its URL."""
    listening, url = listen()
    runner = web.ServerRunner(web.Server(respond))
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        yield url
    finally:
        await runner.cleanup()
