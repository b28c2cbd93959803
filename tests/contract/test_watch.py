"""How changes reach the people who watch, and what is asked of the store for it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from service.clips.models import Choice, Clip, Fingerprint, ProjectId, SceneKey
from service.clips.ownership import Operator, User
from service.errors import ProjectNotFound, StoreUnavailable
from service.stores.sqlite import SQLiteStore
from service.workflow.ports import Changes, ProjectDraft
from service.workflow.projects import ProjectState
from service.workflow.watch import Watcher
from tests.builders import FAST, NOON, MovableClock, clip, failed, frames
from tests.identities import ALICE

# What `tests.builders.clip` makes.
LEAVES = {"description": "A boat leaves.", "duration": 4}


class CountingStore(SQLiteStore):
    """Keeps what it was asked about changes, counts what about attempts, and fails when told to."""

    failing = False
    asked_for_attempts = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[set[ProjectId]] = []

    async def changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        self.asked.append(set(since))
        if self.failing:
            self.failing = False
            raise StoreUnavailable("The database is gone.")
        return await super().changes(since)

    async def attempts(self, project_id: ProjectId, fingerprints: Collection[Fingerprint]) -> Sequence[Clip]:
        self.asked_for_attempts += 1
        return await super().attempts(project_id, fingerprints)

    async def new_project(self, scene: Mapping[str, object] | None = None) -> ProjectId:
        draft = ProjectDraft(frames=frames(1), scenes={"1": scene or {}})
        return await self.create_project(draft, NOON)


def paid(state: ProjectState) -> list[SceneKey]:
    return [scene for scene, quote in state.quotes(None).items() if quote.paid]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    async with CountingStore(tmp_path / "clips.db") as opened:
        yield opened


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


async def test_end_of_the_sign_in_ends_a_stream_that_waits_for_news(
    store: CountingStore, watcher: Watcher, clock: MovableClock
) -> None:
    project_id = await store.new_project()
    signed_in = User(ALICE, until=clock().timestamp() + 0.2)
    stream = await watcher.watch(project_id, signed_in, 0)
    async with asyncio.timeout(30):
        assert len([update async for update in stream]) == 1
    assert watcher.watching == 0


async def test_nothing_is_told_after_the_end_of_the_sign_in(
    store: CountingStore, watcher: Watcher, clock: MovableClock
) -> None:
    project_id = await store.new_project()
    stream = await watcher.watch(project_id, User(ALICE, until=clock().timestamp() + 3600), 0)
    await anext(stream)
    clock.advance(hours=2)
    await store.record(project_id, [clip(project_id=project_id)], NOON)
    watcher.look_soon()
    async with asyncio.timeout(30):
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


async def test_clip_that_is_what_the_project_asks_for_costs_no_question_about_attempts(
    store: CountingStore, watcher: Watcher
) -> None:
    project_id = await store.new_project(LEAVES)
    async with aclosing(await watcher.watch(project_id, Operator(), 0)) as stream:
        await anext(stream)
        store.asked_for_attempts = 0
        (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
        watcher.look_soon()
        assert paid((await anext(stream)).state) == ["1"]
        await store.save([failed(one)], NOON)
        watcher.look_soon()
        assert paid((await anext(stream)).state) == []
    assert store.asked_for_attempts == 0


async def test_edit_costs_one_question_about_attempts_however_many_watch(
    store: CountingStore, watcher: Watcher
) -> None:
    project_id = await store.new_project(LEAVES)
    await store.record(project_id, [clip(project_id=project_id)], NOON)
    streams = [await watcher.watch(project_id, Operator(), 0) for _ in range(50)]
    for stream in streams:
        await anext(stream)
    await store.choose(project_id, Choice(FAST), NOON)
    watcher.look_soon()
    for stream in streams:
        update = await anext(stream)
        assert (update.whole, paid(update.state)) == (True, [])
        assert [update.state.outdated(one) for one in update.state.clips.values()] == [True]
        await stream.aclose()
    assert store.asked_for_attempts == 1


async def test_older_clip_that_comes_after_an_edit_was_taken_back_is_paid_from_then_on(
    store: CountingStore, watcher: Watcher
) -> None:
    project_id = await store.new_project(LEAVES)
    (older,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    await store.record(project_id, [clip(project_id=project_id, prompt="A boat arrives.")], NOON)
    async with aclosing(await watcher.watch(project_id, Operator(), 0)) as stream:
        assert paid((await anext(stream)).state) == ["1"]
        await store.save([failed(older)], NOON)
        watcher.look_soon()
        assert paid((await anext(stream)).state) == []
