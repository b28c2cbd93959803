"""Edits of a project, and what becomes of its clips; on each store."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.clips.edits import Edit, Patch, edited, moved
from service.clips.fingerprint import fingerprint
from service.clips.lifecycle import sent
from service.clips.models import Clip, ClipStatus, Project, ProjectId, SceneKey
from service.clips.titles import title
from service.errors import ProjectEdited
from service.workflow.ports import ProjectDraft, Store
from tests.builders import NOON, VIDEO_URL, clip, failed, frames, succeeded

LATER = NOON + timedelta(seconds=10)
SCENES: Mapping[str, Any] = {"1": {"description": "One."}, "2": {"description": "Two."}, "3": {"scene_id": 3}}
SWAP = {SceneKey("1"): SceneKey("2"), SceneKey("2"): SceneKey("1")}


@pytest.fixture
async def project_id(store: Store) -> ProjectId:
    return await store.create_project(ProjectDraft(frames=frames(1, 2, 3), scenes=SCENES), NOON)


async def read(store: Store, project_id: ProjectId) -> Project:
    project = await store.project(project_id)
    assert project is not None
    return project


async def record(store: Store, project_id: ProjectId, *clips: Clip) -> list[Clip]:
    return list(await store.record(project_id, clips, NOON))


async def apply(store: Store, project_id: ProjectId, patch: Patch, **changes: Any) -> Edit:
    """Apply a patch as the workflow does; `changes` are what the store is told otherwise."""
    project = await read(store, project_id)
    edit = edited(project, patch)
    assert edit is not None
    clips = moved(await store.all_clips(project_id), edit.moves)
    told = {"edit": edit, "moved": clips, "now": LATER, "edited": project.edited, **changes}
    await store.edit(project_id, **told)
    return edit


async def by_scene(store: Store, project_id: ProjectId) -> dict[str, Clip]:
    return {one.scene: one for one in await store.current_clips(project_id)}


async def test_edit_is_stored_with_the_next_number_and_shows_in_the_list(
    store: Store, project_id: ProjectId
) -> None:
    before = await read(store, project_id)
    edit = await apply(
        store, project_id, Patch(title="Harbour", scenes={"1": {"description": "New."}}, frames={"3": None})
    )
    after = await read(store, project_id)
    assert (after.script, after.scenes, after.frames) == (edit.script, edit.scenes, edit.frames)
    assert (after.edited > before.edited, after.updated_at) == (True, LATER)
    assert title(after.script, after.scenes) == "Harbour"
    (listed,) = await store.projects(1)
    assert (listed.title, listed.scenes) == ("Harbour", 3)
    assert (await store.changes({project_id: before.edited}))[project_id].edited == after.edited


async def test_columns_without_anything_stay_so(store: Store) -> None:
    project_id = await store.create_project(ProjectDraft(frames={}, scenes={}), NOON)
    await store.edit(project_id, Edit("Title", None, None), [], LATER, edited=1)
    after = await read(store, project_id)
    assert (after.frames, after.scenes) == (None, None)
    assert (await store.projects(1))[0].scenes == 0


async def test_edit_of_an_outdated_project_changes_nothing(store: Store, project_id: ProjectId) -> None:
    (one, _) = await record(store, project_id, *(clip(n, project_id=project_id) for n in "12"))
    before = await read(store, project_id)
    await apply(store, project_id, Patch(title="First"))
    for patch in (
        Patch(title="Second"),
        Patch(order=["2", "1", "3"]),
        Patch(frames={"1": None}, scenes={"1": None}),
    ):
        with pytest.raises(ProjectEdited):
            await apply(store, project_id, patch, edited=before.edited)
    assert title((await read(store, project_id)).script, {}) == "First"
    assert (await by_scene(store, project_id))["1"] == one


async def test_edit_of_a_project_that_is_not_there_is_refused(store: Store) -> None:
    nowhere = ProjectId("0b0e7a52-6a53-4f0e-9d8c-00000000dead")
    with pytest.raises(ProjectEdited):
        await store.edit(nowhere, Edit(None, {}, {}), [], NOON, edited=1)


async def test_of_many_edits_at_once_exactly_one_is_stored(store: Store, project_id: ProjectId) -> None:
    edits = [Edit(f"Title {n}", {}, {}) for n in range(10)]
    ends = await asyncio.gather(
        *(store.edit(project_id, edit, [], LATER, edited=1) for edit in edits), return_exceptions=True
    )
    assert [type(end) for end in ends if end] == [ProjectEdited] * 9
    assert (await read(store, project_id)).script == f"Title {ends.index(None)}"


async def test_paid_clips_move_along_with_their_scenes(store: Store, project_id: ProjectId) -> None:
    one, two, three = await record(store, project_id, *(clip(n, project_id=project_id) for n in "123"))
    await store.save([succeeded(one), succeeded(two, url=f"{VIDEO_URL}?2"), failed(three)], NOON)
    shown = (await read(store, project_id)).clips
    await apply(store, project_id, Patch(order=["3", "1", "2"]))
    there = await by_scene(store, project_id)
    assert {scene: clip.task_uuid for scene, clip in there.items()} == {
        "1": three.task_uuid,
        "2": one.task_uuid,
        "3": two.task_uuid,
    }
    for moved_clip in there.values():
        assert moved_clip.fingerprint == fingerprint(project_id, moved_clip.request)
        assert moved_clip.version == 2
    assert (await read(store, project_id)).clips == shown
    news = (await store.changes({project_id: 0}))[project_id]
    assert {one.clip.scene: one.clip for one in news.clips} == there
    assert max(one.sequence for one in news.clips) < news.edited == news.sequence


async def test_every_attempt_moves_so_that_an_earlier_prompt_is_still_found(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip("1", project_id=project_id))
    await store.save([failed(first)], NOON)
    (second,) = await record(store, project_id, clip("1", project_id=project_id, attempt=2))
    (other,) = await record(store, project_id, clip("1", project_id=project_id, prompt="Another."))
    await apply(store, project_id, Patch(order=["2", "1", "3"]))
    at_two = clip("2", project_id=project_id).request
    at_two = replace(at_two, first_frame=first.request.first_frame, last_frame=first.request.last_frame)
    found = await store.attempts(project_id, {fingerprint(project_id, at_two)})
    assert {one.task_uuid for one in found} == {first.task_uuid, second.task_uuid}
    assert [one.task_uuid for one in await store.current_clips(project_id)] == [other.task_uuid]


async def test_scenes_alike_change_places_though_their_fingerprints_do_too(store: Store) -> None:
    pair = {"first_frame": "https://a/1", "last_frame": "https://a/2"}
    same = {"1": pair, "2": pair}
    project_id = await store.create_project(ProjectDraft(frames=same, scenes={}), NOON)
    alike = [
        clip(n, project_id=project_id, request=request, fingerprint=fingerprint(project_id, request))
        for n in "12"
        for request in [replace(clip(n).request, first_frame="https://a/1", last_frame="https://a/2")]
    ]
    one, two = await record(store, project_id, *alike)
    await store.save([succeeded(one)], NOON)
    before = await read(store, project_id)
    await apply(store, project_id, Patch(order=["2", "1"]))
    there = await by_scene(store, project_id)
    assert (there["1"].task_uuid, there["2"].task_uuid) == (two.task_uuid, one.task_uuid)
    assert {there["1"].fingerprint, there["2"].fingerprint} == {one.fingerprint, two.fingerprint}
    assert (await read(store, project_id)).edited > before.edited


async def test_order_that_would_leave_a_clip_behind_is_refused_as_outdated(
    store: Store, project_id: ProjectId
) -> None:
    """A generation between the reading of the clips and the edit records more of them."""
    (one,) = await record(store, project_id, clip("1", project_id=project_id))
    with pytest.raises(ProjectEdited):
        await apply(store, project_id, Patch(order=["2", "1", "3"]), moved=[])
    assert await store.current_clips(project_id) == [one]
    assert (await read(store, project_id)).scenes == SCENES


async def test_result_for_a_clip_that_moved_loses_against_it_and_is_stored_by_the_next_look(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await record(store, project_id, clip("1", project_id=project_id))
    await apply(store, project_id, Patch(order=["2", "1", "3"]))
    assert await store.save([succeeded(one)], LATER) == set()
    (there,) = await store.clips([one.task_uuid])
    assert await store.save([succeeded(there)], LATER) == {one.task_uuid}
    assert (await read(store, project_id)).clips == {one.task_uuid: VIDEO_URL}
    assert (await by_scene(store, project_id))["2"].video_url == VIDEO_URL


async def test_nothing_is_sent_for_which_a_video_came_before_the_move(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip("1", project_id=project_id))
    await store.save([failed(first)], NOON)
    await record(store, project_id, clip("1", project_id=project_id, attempt=2))
    await apply(store, project_id, Patch(order=["2", "1", "3"]))
    earlier, later = sorted(await store.all_clips(project_id), key=lambda one: one.attempt)
    await store.save([replace(succeeded(earlier), failure=None)], LATER)
    assert await store.save([sent(later, LATER)], LATER) == set()


async def test_removed_scenes_clip_is_shown_no_more_and_its_end_and_cost_still_count(
    store: Store, project_id: ProjectId
) -> None:
    one, two = await record(store, project_id, *(clip(n, project_id=project_id) for n in "12"))
    await store.save([replace(one, status=ClipStatus.PENDING)], NOON)
    await apply(store, project_id, Patch(frames={"1": None}, scenes={"1": None}))
    assert await store.current_clips(project_id) == [two]
    assert (await read(store, project_id)).clips == {two.task_uuid: "pending"}
    claimed = await store.claim("poller", NOON, LATER, 10)
    assert {clip.task_uuid for clip in claimed} == {one.task_uuid, two.task_uuid}
    (pending,) = await store.clips([one.task_uuid])
    assert await store.save([succeeded(pending)], LATER) == {one.task_uuid}
    assert (await read(store, project_id)).clips == {two.task_uuid: "pending"}
    (listed,) = await store.projects(1)
    assert (listed.cost_usd, listed.completed, listed.pending, listed.scenes) == (0.5, 0, 1, 2)


async def test_scene_that_is_put_back_finds_its_paid_clip(store: Store, project_id: ProjectId) -> None:
    (one,) = await record(store, project_id, clip("1", project_id=project_id))
    await store.save([succeeded(one)], NOON)
    await apply(store, project_id, Patch(frames={"1": None}, scenes={"1": None}))
    assert (await read(store, project_id)).clips == {}
    (listed,) = await store.projects(1)
    assert (listed.completed, listed.scenes) == (0, 2)
    await apply(store, project_id, Patch(frames=frames(1), scenes={"1": SCENES["1"]}))
    (again,) = await record(store, project_id, clip("1", project_id=project_id))
    assert again.task_uuid == one.task_uuid
    assert (await read(store, project_id)).clips == {one.task_uuid: VIDEO_URL}


async def test_choice_of_before_an_order_records_nothing(store: Store, project_id: ProjectId) -> None:
    before = await read(store, project_id)
    await apply(store, project_id, Patch(order=["2", "1", "3"]))
    with pytest.raises(ProjectEdited):
        await store.record(project_id, [clip("1", project_id=project_id)], LATER, edited=before.edited)
    assert await store.all_clips(project_id) == []


async def test_results_and_orders_at_once_lose_nothing(store: Store, project_id: ProjectId) -> None:
    """The loser looks again, as the workflow does."""
    clips = await record(store, project_id, *(clip(n, project_id=project_id) for n in "123"))

    async def end(one: Clip) -> None:
        while not await store.save([succeeded(one, url=f"{VIDEO_URL}?{one.task_uuid}")], LATER):
            (one,) = await store.clips([one.task_uuid])

    async def reorder() -> None:
        try:
            await apply(store, project_id, Patch(order=["3", "1", "2"]))
        except ProjectEdited:
            await reorder()

    await asyncio.gather(*(reorder() for _ in range(4)), *(end(one) for one in clips))
    there = await by_scene(store, project_id)
    # Four times three places round are one place on.
    assert [there[scene].task_uuid for scene in "231"] == [one.task_uuid for one in clips]
    assert (await read(store, project_id)).clips == {
        one.task_uuid: f"{VIDEO_URL}?{one.task_uuid}" for one in clips
    }
