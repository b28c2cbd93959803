"""Projects that are deleted, restored and duplicated, on every store and with clips under way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.clips.listing import State, state_of
from service.clips.models import Choice, Clip, ClipStatus, Failure, FailureKind, Project, ProjectId
from service.clips.outcomes import Failed
from service.clips.ownership import Operator, User
from service.clips.titles import title
from service.errors import ProjectDeleted, ProjectEdited, ProjectNotFound
from service.stores.sqlite import SQLiteStore
from service.workflow.ports import Duplicate, ProjectDraft, Store
from service.workflow.projects import Projects
from service.workflow.watch import Watcher
from tests.builders import LITE, NOON, PLANNER, SETTINGS, clip, failed, frames, succeeded
from tests.contract.test_workflow import SUCCESS, Parts, event, running_parts
from tests.doubles import NO_TRACE
from tests.identities import ALICE, BOB

LATER = NOON + timedelta(seconds=10)
DRAFT = ProjectDraft(frames=frames(1, 2, 3), scenes={"1": {"description": "A boat leaves."}}, user_id=ALICE)


@pytest.fixture
async def project_id(store: Store) -> ProjectId:
    return await store.create_project(DRAFT, NOON)


def projects_of(store: Store) -> Projects:
    return Projects(store, lambda: LATER, lambda: None, PLANNER)


async def read(store: Store, project_id: ProjectId) -> Project:
    project = await store.project(project_id)
    assert project is not None
    return project


async def listed(store: Store, state: State | None = None, words: Sequence[str] = ()) -> list[ProjectId]:
    return [one.project.id for one in await store.projects(10, state=state, words=words)]


async def test_deleted_project_is_in_no_list_but_that_of_the_deleted(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    kept = await store.create_project(DRAFT, LATER)
    await store.delete_project(project_id, LATER)
    assert await listed(store) == [kept]
    assert await listed(store, words=["boat"]) == [kept]
    assert await listed(store, State.GENERATING) == []
    (gone,) = await store.projects(10, ALICE, state=State.DELETED, words=["boat"])
    assert (gone.project.id, gone.project.deleted_at, gone.pending) == (project_id, LATER, 1)
    assert state_of(gone) is State.DELETED
    assert await store.projects(10, BOB, state=State.DELETED) == []
    await store.save([failed(one)], LATER)
    assert await listed(store, State.FAILED) == []
    await store.restore_project(project_id)
    assert await listed(store) == [kept, project_id]
    assert await listed(store, State.FAILED) == [project_id]
    assert await listed(store, State.DELETED) == []


async def test_deleting_is_an_edit_that_changes_nothing_else_of_the_project(
    store: Store, project_id: ProjectId
) -> None:
    before = await read(store, project_id)
    await store.delete_project(project_id, LATER)
    deleted = await read(store, project_id)
    assert deleted == replace(before, deleted_at=LATER, edited=before.edited + 1)
    await store.restore_project(project_id)
    assert await read(store, project_id) == replace(before, edited=before.edited + 2)


async def test_deleting_and_restoring_twice_changes_nothing_the_second_time(
    store: Store, project_id: ProjectId
) -> None:
    assert await store.delete_project(project_id, NOON) == NOON
    deleted = await read(store, project_id)
    assert await store.delete_project(project_id, LATER) == NOON
    assert await read(store, project_id) == deleted
    await store.restore_project(project_id)
    restored = await read(store, project_id)
    await store.restore_project(project_id)
    assert await read(store, project_id) == restored


async def test_project_that_is_not_there_is_neither_deleted_nor_restored(store: Store) -> None:
    nobodys = ProjectId("0b0e7a52-6a53-4f0e-9d8c-000000000001")
    assert await store.delete_project(nobodys, NOON) is None
    await store.restore_project(nobodys)
    assert await store.projects(10, state=State.DELETED) == []


async def test_clips_of_a_deleted_project_are_claimed_settled_and_counted(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    await store.delete_project(project_id, NOON)
    (claimed,) = await store.claim("poller", LATER, LATER + timedelta(seconds=8), 10)
    assert claimed.task_uuid == one.task_uuid
    assert await store.save([succeeded(one)], LATER) == {one.task_uuid}
    project = await read(store, project_id)
    assert project.clips == {one.task_uuid: succeeded(one).video_url}
    (overview,) = await store.projects(10, state=State.DELETED)
    assert (overview.completed, overview.cost_usd) == (1, 0.5)
    assert len(await store.past_clips(10)) == 1


async def test_plan_from_before_the_deletion_buys_nothing(store: Store, project_id: ProjectId) -> None:
    planned = await read(store, project_id)
    await store.delete_project(project_id, LATER)
    with pytest.raises(ProjectEdited):
        await store.record(project_id, [clip(project_id=project_id)], LATER, edited=planned.edited)
    assert await store.current_clips(project_id) == []


async def test_whose_a_deleted_project_is_comes_before_that_it_was_deleted(
    store: Store, project_id: ProjectId
) -> None:
    projects = projects_of(store)
    for call in (projects.delete, projects.restore, projects.duplicate, projects.detail):
        with pytest.raises(ProjectNotFound):
            await call(project_id, User(BOB))
    assert await projects.delete(project_id, User(ALICE)) == LATER
    for call in (projects.duplicate, projects.detail):
        with pytest.raises(ProjectNotFound):
            await call(project_id, User(BOB))
        with pytest.raises(ProjectDeleted, match=f"Restore it by POST /projects/{project_id}/restore"):
            await call(project_id, User(ALICE))
    await projects.restore(project_id, User(ALICE))
    assert (await projects.detail(project_id, User(ALICE))).row.id == project_id


async def finished(store: Store, project_id: ProjectId, *, scenes: str = "123") -> list[Clip]:
    """Have clips made for these scenes; gives them as they are stored."""
    new = [clip(scene, project_id=project_id, sends=1, last_sent_at=NOON) for scene in scenes]
    recorded = await store.record(project_id, new, NOON)
    await store.save([succeeded(one, at=LATER) for one in recorded], LATER)
    return sorted(await store.clips([one.task_uuid for one in recorded]), key=lambda one: one.scene)


async def test_duplicate_has_all_that_its_caller_may_write_and_the_choice(store: Store) -> None:
    draft = replace(
        DRAFT,
        script='{"title": "Harbour", "logline": "A boat."}',
        input_image_url="https://images.example/1.png",
        audio_recording_url="https://audio.example/1.mp3",
    )
    original = await store.create_project(draft, NOON)
    await store.choose(original, Choice(LITE, "1080p", audio=False), NOON)
    copy = await read(store, await projects_of(store).duplicate(original, User(ALICE)))
    source = await read(store, original)
    assert (copy.frames, copy.scenes, copy.choice) == (source.frames, source.scenes, source.choice)
    assert copy.input_image_url == source.input_image_url
    assert copy.audio_recording_url == source.audio_recording_url
    assert title(copy.script, copy.scenes) == "Harbour (copy)"
    assert (copy.user_id, copy.created_at, copy.edited, copy.clips) == (ALICE, LATER, 1, {})


async def test_duplicate_belongs_to_whom_a_new_project_would(store: Store) -> None:
    original = await store.create_project(replace(DRAFT, user_id=None), NOON)
    projects = projects_of(store)
    assert (await read(store, await projects.duplicate(original, User(BOB)))).user_id == BOB
    assert (await read(store, await projects.duplicate(original, Operator()))).user_id is None


async def test_duplicate_is_shown_and_found_as_done_and_has_cost_nothing(
    store: Store, project_id: ProjectId
) -> None:
    made = await finished(store, project_id)
    new_id = await projects_of(store).duplicate(project_id, User(ALICE))
    current = sorted(await store.current_clips(new_id), key=lambda one: one.scene)
    assert [one.copied_from for one in current] == [one.task_uuid for one in made]
    assert [one.settled_at for one in current] == [LATER] * 3
    assert sorted(one.task_uuid for one in current) == [one.task_uuid for one in current]
    assert (await read(store, new_id)).clips == {one.task_uuid: one.video_url for one in current}
    duplicate, original = await store.projects(10, state=State.DONE)
    assert (duplicate.project.id, duplicate.completed, duplicate.cost_usd) == (new_id, 3, 0)
    assert (original.project.id, original.cost_usd) == (project_id, 1.5)


async def test_copies_teach_nothing_of_times_and_prices(store: Store, project_id: ProjectId) -> None:
    await finished(store, project_id)
    before = await store.past_clips(10)
    await projects_of(store).duplicate(project_id, User(ALICE))
    assert await store.past_clips(10) == before
    assert len(before) == 3


async def test_duplicate_that_is_stored_twice_is_there_once(store: Store) -> None:
    new_id = ProjectId("0b0e7a52-6a53-4f0e-9d8c-0000000000c0")
    one = replace(succeeded(clip(project_id=new_id)), cost_usd=0, copied_from=clip().task_uuid)
    duplicate = Duplicate(new_id, DRAFT, Choice(LITE), [one])
    await store.duplicate_project(duplicate, NOON)
    if not isinstance(store, SQLiteStore):  # which nothing repeats
        await store.duplicate_project(duplicate, LATER)
    assert await store.current_clips(new_id) == [one]
    assert (await read(store, new_id)).choice == Choice(LITE)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with running_parts(tmp_path) as running:
        running.provider.outcome = SUCCESS
        yield running


async def stored(parts: Parts, scenes: int = 2) -> ProjectId:
    return await parts.store.create_project(
        ProjectDraft(frames=frames(*range(1, scenes + 1)), scenes={}), parts.clock()
    )


async def test_clips_that_are_being_sent_when_their_project_is_deleted_come_and_are_paid_once(
    parts: Parts,
) -> None:
    project_id = await stored(parts)

    async def delete(_: Sequence[Clip]) -> None:
        await parts.store.delete_project(project_id, parts.clock())

    parts.provider.before_submission = delete
    generated = await parts.generator.generate(project_id, Operator())
    assert [scene.status for scene in generated.scenes] == ["completed", "completed"]
    with pytest.raises(ProjectDeleted):
        await parts.generator.generate(project_id, Operator())
    await parts.store.restore_project(project_id)
    await parts.generator.generate(project_id, Operator())
    assert len(parts.provider.submitted) == 2


async def test_call_that_is_overtaken_by_the_deletion_buys_nothing_and_says_why(parts: Parts) -> None:
    project_id = await stored(parts)
    parts.provider.outcome = Failed(Failure(FailureKind.LOST, "lost", "Nobody knows."))
    await parts.generator.generate(project_id, Operator())
    before = list(parts.provider.submitted)

    async def delete() -> None:
        await parts.store.delete_project(project_id, parts.clock())

    # Until nothing that was sent can be on its way any more.
    parts.clock.advance(minutes=2)
    # While the call asks what became of the earlier clips, so that it may buy new ones.
    parts.provider.before_answer = delete
    parts.provider.outcome = NO_TRACE
    with pytest.raises(ProjectDeleted):
        await parts.generator.generate(project_id, Operator())
    assert parts.provider.asked
    assert parts.provider.submitted == before
    assert {one.attempt for one in await parts.store.current_clips(project_id)} == {1}


async def test_poller_finishes_the_clips_of_a_deleted_project(parts: Parts) -> None:
    (one,) = await parts.record(1, status=ClipStatus.PENDING, sends=1)
    await parts.store.delete_project(parts.project_id, parts.clock())
    await parts.poller.tick()
    assert (await parts.stored(one)).status is ClipStatus.SUCCEEDED


async def test_webhook_reaches_a_clip_of_a_deleted_project(parts: Parts) -> None:
    (one,) = await parts.record(1, status=ClipStatus.PENDING, sends=1)
    await parts.store.delete_project(parts.project_id, parts.clock())
    await parts.settler.settle([event(one)])
    assert (await parts.stored(one)).status is ClipStatus.SUCCEEDED


async def test_generating_a_duplicate_buys_only_what_did_not_come_along(parts: Parts) -> None:
    project_id = await stored(parts, scenes=3)
    await parts.generator.generate(project_id, Operator(), Choice(LITE))
    projects = Projects(parts.store, parts.clock, lambda: None, PLANNER)
    new_id = await projects.duplicate(project_id, Operator())
    again = await parts.generator.generate(new_id, Operator())
    assert [scene.status for scene in again.scenes] == ["completed"] * 3
    assert len(parts.provider.submitted) == 3
    await parts.generator.generate(new_id, Operator(), Choice(SETTINGS.model))
    assert len(parts.provider.submitted) == 6


async def test_who_watches_a_project_that_is_deleted_is_sent_away_and_told_why(
    store: Store, watcher: Watcher, project_id: ProjectId
) -> None:
    async with (
        aclosing(await watcher.watch(project_id, Operator(), 0)) as quick,
        aclosing(await watcher.watch(project_id, Operator(), 0)) as slow,
    ):
        await anext(quick)
        first = await anext(slow)
        await store.delete_project(project_id, LATER)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(quick), 30)
        with pytest.raises(ProjectDeleted):
            await watcher.watch(project_id, Operator(), first.state.sequence)
        # The slow one has not been sent away yet: who comes now must not be told what it last knew.
        await store.restore_project(project_id)
        back = await watcher.watch(project_id, Operator(), first.state.sequence)
        assert (await anext(back)).whole
        await back.aclose()
