"""Tells those who watch a project what changes in it, whichever copy of the service changed it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from service.clips.models import ProjectId
from service.clips.ownership import Caller, answers_to, seconds_left
from service.clips.planning import Planner
from service.errors import ProjectNotFound, StoreRefused, StoreUnavailable
from service.workflow.ports import Changes, Clock, Store
from service.workflow.projects import ProjectState, read_state, with_older

log = structlog.get_logger(__name__)

# What another copy stored shows after this long, and well within 2 s with all that is on the way.
_LOOK_INTERVAL_S = 1.0
# What this process stored shows after this long, so that a burst of results is one look and one event.
_GATHER_S = 0.05


@dataclass(frozen=True, slots=True)
class Update:
    """A project's newest state, for someone who knows how it stood at the sequence number `since`."""

    since: int
    state: ProjectState

    @property
    def whole(self) -> bool:
        """Whether all of the project is news, not its clips alone."""
        return self.since == 0 or self.state.edited > self.since


@dataclass(slots=True)
class _Watched:
    state: ProjectState
    watchers: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, state: ProjectState) -> None:
        self.state = state
        self.news.set()
        self.news = asyncio.Event()


@dataclass(slots=True)
class Watcher:
    """One loop a process, while anybody watches: one look a second at all watched projects together.

    What is kept is the newest state of each, not what led to it. A reader that is slow, or was away, is given
    what changed since the sequence number it has, so that nothing piles up for it.
    """

    store: Store
    planner: Planner
    clock: Clock
    _watched: dict[ProjectId, _Watched] = field(default_factory=dict, init=False)
    _anybody: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def watching(self) -> int:
        """How many watch at the moment."""
        return sum(watched.watchers for watched in self._watched.values())

    def look_soon(self) -> None:
        """Look at once instead of within a second: this process has stored a change."""
        self._changed.set()

    def close(self) -> None:
        """End all that is being watched, so that a server that stops need not wait for it."""
        self._closed = True
        for watched in self._watched.values():
            watched.news.set()

    async def watch(self, project_id: ProjectId, caller: Caller, since: int) -> AsyncGenerator[Update]:
        """Give the project's state whenever it is beyond the one before, until it is deleted, or `close`.

        It also ends when the project no longer answers to the caller or can't be read any more, and when
        their sign-in ends. The first is given at once, unless it is the one at `since`. Raises
        ProjectNotFound, ProjectDeleted, ProjectUnreadable and StoreUnavailable, all before there is anything
        to iterate over.
        """
        watched = self._watched.get(project_id)
        # Who comes from another copy may know more than this one has seen so far; a deleted project may have
        # been restored, an unreadable one mended.
        if watched is None or since > watched.state.sequence or watched.state.ended:
            state = await read_state(self.store, project_id, caller, self.planner)
            return self._updates(project_id, caller, state, since)
        if not answers_to(watched.state.project.user_id, caller):
            raise ProjectNotFound(project_id)
        return self._updates(project_id, caller, watched.state, since)

    async def run(self) -> None:
        """Look until cancelled; the wiring keeps exactly one of these running."""
        while True:
            await self._anybody.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_INTERVAL_S):
                    await self._changed.wait()
                await asyncio.sleep(_GATHER_S)
            self._changed.clear()
            try:
                await self._look()
            except StoreUnavailable as error:
                log.warning("nothing new can be shown: the store is unavailable", error=str(error))
                await asyncio.sleep(_LOOK_INTERVAL_S)
            except Exception:
                # A defect in one look must not leave every stream silent for good.
                log.exception("looking for changes failed")
                await asyncio.sleep(_LOOK_INTERVAL_S)

    async def _updates(
        self, project_id: ProjectId, caller: Caller, state: ProjectState, since: int
    ) -> AsyncGenerator[Update]:
        # Entered when reading begins: others may have come, or all have left, since the state was read.
        watched = self._watched.setdefault(project_id, _Watched(state))
        if state.sequence > watched.state.sequence:
            watched.tell(state)
        watched.watchers += 1
        self._anybody.set()
        # A number from another database, or from before a restored one, says nothing.
        seen = since if since <= watched.state.sequence else 0
        try:
            # Whoever connects again is told why it ended.
            while not self._closed and self._open_to(caller, watched.state):
                news, state = watched.news, watched.state
                if state.sequence > seen:
                    yield Update(seen, state)
                    seen = state.sequence
                else:
                    await self._news_or_end(news, caller)
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                self._watched.pop(project_id, None)
            if not self._watched:
                self._anybody.clear()

    def _open_to(self, caller: Caller, state: ProjectState) -> bool:
        left = seconds_left(caller, self.clock())
        signed_in = left is None or left > 0
        return signed_in and not state.ended and answers_to(state.project.user_id, caller)

    async def _news_or_end(self, news: asyncio.Event, caller: Caller) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_left(caller, self.clock())):
                await news.wait()

    async def _look(self) -> None:
        since = {project_id: watched.state.sequence for project_id, watched in self._watched.items()}
        for project_id, changes in (await self._changes(since)).items():
            try:
                await self._take(project_id, changes)
            except StoreRefused as error:
                log.error("a project's changes can't be shown", project=project_id, error=str(error))
            except StoreUnavailable:
                raise
            except Exception:
                # A defect that one project brings to light must not keep the news of all others back.
                log.exception("a project's changes can't be shown", project=project_id)

    async def _changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        """Read what is new; halve what the store refuses until the bad project stands alone."""
        try:
            return await self.store.changes(since)
        except StoreRefused as error:
            if len(since) <= 1:
                log.error("a project's changes can't be shown", projects=list(since), error=str(error))
                return {}
        asked, middle = list(since.items()), len(since) // 2
        return {**await self._changes(dict(asked[:middle])), **await self._changes(dict(asked[middle:]))}

    async def _take(self, project_id: ProjectId, changes: Changes) -> None:
        watched = self._watched.get(project_id)
        # Who left and came back meanwhile has a newer state than this look began with.
        if watched is None or changes.sequence <= watched.state.sequence:
            return
        after = await self._after(watched.state, changes)
        if after.sequence > watched.state.sequence:
            watched.tell(after)

    async def _after(self, state: ProjectState, changes: Changes) -> ProjectState:
        if changes.edited > state.edited:
            return await self._read_anew(state)
        after = state.after(state.project, changes)
        # Else all that has changed are current clips at what is asked for, which are known.
        if any(after.outdated(one.clip) for one in changes.clips):
            return await with_older(self.store, after)
        return after

    async def _read_anew(self, state: ProjectState) -> ProjectState:
        """Read all of a project: an edit may have moved scenes with their clips, or taken them away."""
        project_id = state.project.id
        found = (await self.store.changes({project_id: 0})).get(project_id)
        project = await self.store.project(project_id)
        if found is None or project is None:
            return state
        return await with_older(self.store, ProjectState.of(project, found, state.planner))
