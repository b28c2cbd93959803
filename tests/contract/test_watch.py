"""How changes reach the people who watch, and what is asked of the store for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from service.clips.models import ProjectId
from service.clips.ownership import Operator
from service.errors import ProjectNotFound, StoreUnavailable
from service.stores.sqlite import SQLiteStore
from service.workflow.ports import Changes, ProjectDraft
from service.workflow.watch import Watcher
from tests.builders import NOON, clip, frames


class CountingStore(SQLiteStore):
    """Keeps what it was asked about changes, and fails when told to."""

    failing = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[set[ProjectId]] = []

    async def changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        self.asked.append(set(since))
        if self.failing:
            self.failing = False
            raise StoreUnavailable("The database is gone.")
        return await super().changes(since)

    async def new_project(self) -> ProjectId:
        return await self.create_project(ProjectDraft(frames=frames(1), scenes={}), NOON)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    async with CountingStore(tmp_path / "clips.db") as opened:
        yield opened


@pytest.fixture
async def watcher(store: CountingStore) -> AsyncIterator[Watcher]:
    watching = Watcher(store)
    looking = asyncio.create_task(watching.run())
    yield watching
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking


async def test_all_watched_projects_are_asked_about_in_one_query(
    store: CountingStore, watcher: Watcher
) -> None:
    projects = [await store.new_project() for _ in range(20)]
    streams = [await watcher.watch(project_id, Operator(), 0) for project_id in projects]
    for stream in streams:
        await anext(stream)
    store.asked.clear()
    await store.record(projects[7], [clip(project_id=projects[7])], NOON)
    watcher.look_soon()
    update = await anext(streams[7])
    assert [one.scene for one in update.state.changed_since(update.since)] == ["1"]
    assert store.asked == [set(projects)]
    for stream in streams:
        await stream.aclose()


async def test_nobody_watching_asks_nothing(store: CountingStore, watcher: Watcher) -> None:
    async with aclosing(await watcher.watch(await store.new_project(), Operator(), 0)) as stream:
        await anext(stream)
        assert watcher.watching == 1
    assert watcher.watching == 0
    store.asked.clear()
    for _ in range(3):
        watcher.look_soon()
        await asyncio.sleep(0.06)
    # One look may have been under way when the last one left; none follows it.
    assert store.asked in ([], [set()])


async def test_store_that_was_away_is_asked_again(store: CountingStore, watcher: Watcher) -> None:
    project_id = await store.new_project()
    async with aclosing(await watcher.watch(project_id, Operator(), 0)) as stream:
        await anext(stream)
        store.failing = True
        await store.record(project_id, [clip(project_id=project_id)], NOON)
        watcher.look_soon()
        update = await asyncio.wait_for(anext(stream), 30)
        assert len(update.state.clips) == 1


async def test_watch_of_an_unknown_project_is_refused_before_it_begins(watcher: Watcher) -> None:
    with pytest.raises(ProjectNotFound):
        await watcher.watch(ProjectId("nowhere"), Operator(), 0)


async def test_late_reader_is_given_the_newest_state_in_one_step(
    store: CountingStore, watcher: Watcher
) -> None:
    project_id = await store.new_project()
    async with (
        aclosing(await watcher.watch(project_id, Operator(), 0)) as quick,
        aclosing(await watcher.watch(project_id, Operator(), 0)) as late,
    ):
        first = await anext(late)
        await anext(quick)
        for scene in "123":
            await store.record(project_id, [clip(scene, project_id=project_id)], NOON)
            watcher.look_soon()
            await anext(quick)
        update = await anext(late)
        assert update.since == first.state.sequence
        assert len(update.state.changed_since(update.since)) == 3


async def test_closing_ends_everything_that_is_watched(store: CountingStore, watcher: Watcher) -> None:
    stream = await watcher.watch(await store.new_project(), Operator(), 0)
    await anext(stream)
    watcher.close()
    assert [update async for update in stream] == []


async def test_who_knows_more_than_this_copy_has_seen_is_not_set_back(
    store: CountingStore, watcher: Watcher
) -> None:
    project_id = await store.new_project()
    async with aclosing(await watcher.watch(project_id, Operator(), 0)) as stream:
        first = await anext(stream)
        await store.record(project_id, [clip(n, project_id=project_id) for n in "12"], NOON)
        now = (await store.changes({project_id: 0}))[project_id].sequence
        async with aclosing(await watcher.watch(project_id, Operator(), now - 1)) as other:
            update = await anext(other)
        assert first.state.sequence < now == update.state.sequence
        assert not update.whole
        assert len(update.state.changed_since(update.since)) == 1
