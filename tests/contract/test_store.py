"""What every store promises. Each test runs on each of them."""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from service.clips.lifecycle import sent
from service.clips.models import Choice, Clip, ClipStatus, FailureKind, Project, ProjectId, TaskUUID
from service.clips.ownership import Operator
from service.clips.planning import standing_order
from service.clips.progress import progress
from service.clips.titles import title
from service.errors import ProjectBusy, ProjectEdited, StoreRefused
from service.workflow.ports import Changes, ProjectDraft, Store
from service.workflow.projects import Projects
from tests.builders import NOON, PLANNER, VIDEO_URL, clip, failed, frames, succeeded
from tests.contract.conftest import Edit
from tests.identities import ALICE, BOB

LATER = NOON + timedelta(seconds=10)


@pytest.fixture
async def project_id(store: Store) -> ProjectId:
    return await store.create_project(ProjectDraft(frames=frames(1, 2, 3), scenes={}), NOON)


async def read(store: Store, project_id: ProjectId) -> Project:
    project = await store.project(project_id)
    assert project is not None
    return project


async def record(store: Store, project_id: ProjectId, *clips: Clip) -> list[Clip]:
    return list(await store.record(project_id, clips, NOON))


async def test_project_comes_back_as_it_was_stored(store: Store) -> None:
    draft = ProjectDraft(
        frames={"1": None, "2": {"first_frame": "ü", "extra": [1, {"a": None}]}},
        scenes={"2": {"duration": "5"}},
        script="Once upon a time",
        input_image_url="https://images.example/1.png",
    )
    project = await read(store, await store.create_project(draft, NOON))
    assert (project.frames, project.scenes, project.clips) == (draft.frames, draft.scenes, {})
    assert (project.script, project.input_image_url) == (draft.script, draft.input_image_url)
    assert project.created_at == project.updated_at == NOON


async def test_unknown_project_is_none(store: Store) -> None:
    assert await store.project(ProjectId(str(uuid.uuid4()))) is None


async def test_projects_are_listed_newest_first_and_no_more_than_asked_for(store: Store) -> None:
    made = [
        await store.create_project(ProjectDraft(frames={}, scenes={}), NOON + timedelta(minutes=minute))
        for minute in range(3)
    ]
    assert [listed.project.id for listed in await store.projects(2)] == [made[2], made[1]]


async def test_projects_of_one_user_are_listed_without_those_of_others(store: Store) -> None:
    drafts = [ProjectDraft(frames={}, scenes={}, user_id=owner) for owner in (ALICE, BOB, None, ALICE)]
    made = [
        await store.create_project(draft, NOON + timedelta(minutes=minute))
        for minute, draft in enumerate(drafts)
    ]
    assert [listed.project.id for listed in await store.projects(10, ALICE)] == [made[3], made[0]]
    assert [listed.project.id for listed in await store.projects(1, ALICE)] == [made[3]]
    assert [listed.project.user_id for listed in await store.projects(10)] == [ALICE, None, BOB, ALICE]
    assert (await read(store, made[1])).user_id == BOB


async def test_clip_comes_back_as_it_was_recorded(store: Store, project_id: ProjectId) -> None:
    new = clip(project_id=project_id, last_sent_at=NOON, unknown_since=LATER, unknown_answers=2)
    (stored,) = await record(store, project_id, new)
    assert stored == new
    assert await store.clips([new.task_uuid, TaskUUID("unknown")]) == [new]


async def test_recording_twice_gives_the_first_ones_clips(store: Store, project_id: ProjectId) -> None:
    first = await record(
        store, project_id, clip("1", project_id=project_id), clip("2", project_id=project_id)
    )
    second = await record(
        store, project_id, clip("1", project_id=project_id), clip("2", project_id=project_id)
    )
    assert second == first


async def test_two_recordings_at_the_same_moment_make_one_set_of_clips(
    store: Store, project_id: ProjectId
) -> None:
    sets = await asyncio.gather(
        *(
            record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(20)))
            for _ in range(10)
        )
    )
    assert all(recorded == sets[0] for recorded in sets)
    assert len(await store.current_clips(project_id)) == 20


async def test_projection_follows_every_write_and_so_does_updated_at(
    store: Store, project_id: ProjectId
) -> None:
    one, two, three = await record(store, project_id, *(clip(n, project_id=project_id) for n in "123"))
    assert (await read(store, project_id)).clips == dict.fromkeys(
        [one.task_uuid, two.task_uuid, three.task_uuid], "pending"
    )
    await store.save([succeeded(one), failed(two)], LATER)
    project = await read(store, project_id)
    assert project.clips == {one.task_uuid: VIDEO_URL, two.task_uuid: "failed", three.task_uuid: "pending"}
    assert project.updated_at == LATER


async def test_projection_is_the_one_that_the_rules_give(store: Store, project_id: ProjectId) -> None:
    one, two, _ = await record(store, project_id, *(clip(n, project_id=project_id) for n in "123"))
    await store.save([succeeded(one), failed(two)], LATER)
    expected = progress(await store.current_clips(project_id), {}).clips
    assert (await read(store, project_id)).clips == expected


async def test_change_that_the_projection_does_not_show_leaves_the_project_untouched(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([replace(one, status=ClipStatus.PENDING)], LATER)
    assert (await read(store, project_id)).updated_at == NOON


async def test_save_of_an_outdated_version_changes_nothing(store: Store, project_id: ProjectId) -> None:
    (one,) = await record(store, project_id, clip(project_id=project_id))
    assert await store.save([succeeded(one)], NOON) == {one.task_uuid}
    assert await store.save([failed(one)], LATER) == set()
    (stored,) = await store.clips([one.task_uuid])
    assert (stored.status, stored.version) == (ClipStatus.SUCCEEDED, one.version + 1)


async def test_of_many_writers_at_once_exactly_one_wins_each_clip(
    store: Store, project_id: ProjectId
) -> None:
    clips = await record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(10)))
    ends: list[Callable[[Clip], Clip]] = [succeeded, failed] * 10
    winners = await asyncio.gather(*(store.save([end(one) for one in clips], LATER) for end in ends))
    won = [task_uuid for saved in winners for task_uuid in saved]
    assert sorted(won) == sorted(one.task_uuid for one in clips)


async def test_200_concurrent_results_on_one_project_lose_nothing(
    store: Store, project_id: ProjectId
) -> None:
    clips = await record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(200)))
    await asyncio.gather(
        *(store.save([succeeded(one, url=f"{VIDEO_URL}?{one.scene}")], LATER) for one in clips)
    )
    shown = (await read(store, project_id)).clips
    assert shown == {one.task_uuid: f"{VIDEO_URL}?{one.scene}" for one in clips}


async def test_current_clip_is_the_newest_attempt_at_what_was_last_asked_for(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([failed(first)], NOON)
    (second,) = await record(store, project_id, clip(project_id=project_id, attempt=2))
    assert await store.current_clips(project_id) == [second]
    (changed,) = await record(store, project_id, clip(project_id=project_id, prompt="Another."))
    assert await store.current_clips(project_id) == [changed]
    assert (await read(store, project_id)).clips == {changed.task_uuid: "pending"}


async def test_asking_for_an_earlier_prompt_again_brings_its_clip_back(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await record(store, project_id, clip(project_id=project_id, prompt="Another."))
    assert await record(store, project_id, first) == [first]
    assert await store.current_clips(project_id) == [first]


async def test_late_success_of_an_earlier_attempt_becomes_current_again(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([failed(first, FailureKind.TIMEOUT)], NOON)
    (second,) = await record(store, project_id, clip(project_id=project_id, attempt=2))
    (timed_out,) = await store.clips([first.task_uuid])
    await store.save([replace(succeeded(timed_out), failure=None)], LATER)
    assert [one.task_uuid for one in await store.current_clips(project_id)] == [first.task_uuid]
    await store.save([succeeded(second, at=LATER + timedelta(seconds=1))], LATER)
    assert (await read(store, project_id)).clips == {first.task_uuid: VIDEO_URL}


@pytest.mark.parametrize("standing", [succeeded, replace])
async def test_new_attempt_loses_against_a_clip_that_is_pending_or_came_meanwhile(
    store: Store, project_id: ProjectId, standing: Callable[[Clip], Clip]
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([standing(first)], NOON)
    (given,) = await record(store, project_id, clip(project_id=project_id, attempt=2))
    assert given.task_uuid == first.task_uuid
    assert len(await store.attempts(project_id, {first.fingerprint})) == 1


async def test_recording_what_stands_already_changes_nothing(store: Store, project_id: ProjectId) -> None:
    recorded = await record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(5)))
    before = await read(store, project_id)
    assert list(await store.record(project_id, recorded, LATER)) == recorded
    assert await read(store, project_id) == before


async def test_clock_that_is_set_back_does_not_hold_up_the_claims(
    store: Store, project_id: ProjectId
) -> None:
    await record(store, project_id, clip(project_id=project_id))
    hour_ahead = NOON + timedelta(hours=1)
    assert len(await store.claim("before", hour_ahead, hour_ahead + timedelta(seconds=9), 10)) == 1
    assert len(await store.claim("after", NOON, NOON + timedelta(seconds=9), 10)) == 1


async def test_earlier_attempt_that_is_waited_for_again_is_current(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([failed(first, FailureKind.TIMEOUT)], NOON)
    (second,) = await record(store, project_id, clip(project_id=project_id, attempt=2))
    await store.save([failed(second)], NOON)
    (timed_out,) = await store.clips([first.task_uuid])
    pending = ClipStatus.PENDING
    reopened = replace(timed_out, status=pending, failure=None, settled_at=None, settled_by=None)
    await store.save([reopened], LATER)
    assert (await read(store, project_id)).clips == {first.task_uuid: "pending"}


async def test_attempts_are_all_clips_of_the_fingerprints_asked_for(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([failed(first)], NOON)
    (second,) = await record(store, project_id, clip(project_id=project_id, attempt=2))
    (other,) = await record(store, project_id, clip(project_id=project_id, prompt="Another."))
    assert {one.task_uuid for one in await store.attempts(project_id, {first.fingerprint})} == {
        first.task_uuid,
        second.task_uuid,
    }
    assert await store.attempts(project_id, {other.fingerprint}) == [other]


async def test_three_owners_claim_every_unsettled_clip_without_overlap(
    store: Store, project_id: ProjectId
) -> None:
    clips = await record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(100)))
    await store.save([succeeded(one) for one in clips[:10]], NOON)
    claims = await asyncio.gather(*(store.claim(owner, NOON, LATER, 40) for owner in "abc"))
    claimed = [one.task_uuid for claim in claims for one in claim]
    assert sorted(claimed) == sorted(one.task_uuid for one in clips[10:])


async def test_lease_ends_by_the_clock_alone(store: Store, project_id: ProjectId) -> None:
    await record(store, project_id, clip(project_id=project_id))
    assert len(await store.claim("dead", NOON, LATER, 10)) == 1
    assert await store.claim("other", LATER - timedelta(milliseconds=1), LATER, 10) == []
    assert len(await store.claim("other", LATER, LATER, 10)) == 1


async def test_claim_leaves_the_version_alone_so_that_no_result_is_held_up(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await record(store, project_id, clip(project_id=project_id))
    await store.claim("poller", NOON, LATER, 10)
    assert await store.save([succeeded(one)], NOON) == {one.task_uuid}


async def test_batch_with_one_bad_row_is_stored_whole_or_not_at_all(
    store: Store, project_id: ProjectId
) -> None:
    good, bad = await record(store, project_id, *(clip(n, project_id=project_id) for n in "12"))
    with pytest.raises(StoreRefused):
        await store.save([succeeded(good), replace(bad, status=ClipStatus.SUCCEEDED)], LATER)
    assert (await read(store, project_id)).clips == {good.task_uuid: "pending", bad.task_uuid: "pending"}


async def test_clip_of_no_project_is_refused(store: Store) -> None:
    nowhere = ProjectId(str(uuid.uuid4()))
    with pytest.raises(StoreRefused):
        await store.record(nowhere, [clip(project_id=nowhere)], NOON)


async def test_thousand_clips_go_in_and_come_back_in_scene_order(store: Store, project_id: ProjectId) -> None:
    await record(store, project_id, *(clip(str(n), project_id=project_id) for n in reversed(range(1, 1001))))
    shown = progress(await store.current_clips(project_id), {})
    assert [scene.scene for scene in shown.scenes] == [str(n) for n in range(1, 1001)]
    assert len((await read(store, project_id)).clips) == 1000


async def test_project_of_scenes_1_to_12_is_told_in_their_order(store: Store, project_id: ProjectId) -> None:
    """The column alone can't say it: jsonb has an order of its own."""
    made = await record(
        store, project_id, *(clip(str(n), project_id=project_id) for n in reversed(range(1, 13)))
    )
    detail = (await Projects(store, lambda: NOON, lambda: None, PLANNER).detail(project_id, Operator())).row
    assert list(detail.clips) == [one.task_uuid for one in reversed(made)]
    assert detail.clips == (await read(store, project_id)).clips


async def test_nothing_is_sent_for_which_a_video_has_come(store: Store, project_id: ProjectId) -> None:
    """On its way to be sent, while another copy stores the late success of the attempt before."""
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([failed(first, FailureKind.TIMEOUT)], NOON)
    (second,) = await record(store, project_id, clip(project_id=project_id, attempt=2))
    (timed_out,) = await store.clips([first.task_uuid])
    await store.save([replace(succeeded(timed_out), failure=None)], LATER)
    assert await store.save([sent(second, LATER)], LATER) == set()
    assert await store.clips([second.task_uuid]) == [second]


async def test_one_owner_at_a_time_has_the_lease_on_a_project(store: Store, project_id: ProjectId) -> None:
    leases = await asyncio.gather(*(store.lease_project(project_id, owner, NOON, LATER) for owner in "abc"))
    assert leases.count(True) == 1
    (holder,) = [owner for owner, leased in zip("abc", leases, strict=True) if leased]
    assert await store.lease_project(project_id, holder, NOON, LATER)
    await store.release_project(project_id, "somebody else")
    assert not await store.lease_project(project_id, "d", NOON, LATER)
    await store.release_project(project_id, holder)
    assert await store.lease_project(project_id, "d", NOON, LATER)


async def test_lease_on_a_project_ends_by_the_clock_alone(store: Store, project_id: ProjectId) -> None:
    assert await store.lease_project(project_id, "dead", NOON, LATER)
    assert not await store.lease_project(project_id, "other", LATER - timedelta(seconds=1), LATER)
    assert await store.lease_project(project_id, "other", LATER, LATER + timedelta(seconds=10))


async def test_who_has_lost_the_lease_records_nothing(store: Store, project_id: ProjectId) -> None:
    await store.lease_project(project_id, "paused", NOON, LATER)
    await store.lease_project(project_id, "other", LATER, LATER + timedelta(seconds=10))
    with pytest.raises(ProjectBusy):
        await store.record(project_id, [clip(project_id=project_id)], LATER, owner="paused")
    assert await store.current_clips(project_id) == []
    (recorded,) = await store.record(project_id, [clip(project_id=project_id)], LATER, owner="other")
    assert await store.current_clips(project_id) == [recorded]


async def test_choice_that_an_edit_has_outdated_is_not_recorded(
    store: Store, project_id: ProjectId, edit: Edit
) -> None:
    before = await read(store, project_id)
    await edit(project_id, {"1": {"description": "Another."}})
    after = await read(store, project_id)
    assert after.edited > before.edited
    with pytest.raises(ProjectEdited):
        await store.record(project_id, [clip(project_id=project_id)], NOON, edited=before.edited)
    assert await store.current_clips(project_id) == []
    await store.record(project_id, [clip(project_id=project_id)], NOON, edited=after.edited)
    await store.record(project_id, [clip(project_id=project_id)], LATER, edited=after.edited)


async def test_of_two_that_succeeded_in_the_same_moment_the_earlier_attempt_is_current_everywhere(
    store: Store, project_id: ProjectId
) -> None:
    first = clip(project_id=project_id)
    second = replace(first, task_uuid=TaskUUID("second"), attempt=2)
    (stored,) = await record(store, project_id, first)
    await store.save([failed(stored, FailureKind.TIMEOUT)], NOON)
    (again,) = await record(store, project_id, second)
    (timed_out,) = await store.clips([first.task_uuid])
    ends = [succeeded(again, LATER), replace(succeeded(timed_out, LATER), failure=None)]
    assert len(await store.save(ends, LATER)) == 2
    attempts = await store.attempts(project_id, [first.fingerprint])
    assert min(attempts, key=standing_order).task_uuid == first.task_uuid
    assert [one.task_uuid for one in await store.current_clips(project_id)] == [first.task_uuid]
    assert [one.task_uuid for one in await record(store, project_id, again)] == [first.task_uuid]
    assert list((await read(store, project_id)).clips) == [first.task_uuid]


async def test_store_that_this_release_opened_lacks_no_migration(store: Store) -> None:
    assert await store.missing_migrations() == []


async def changes(store: Store, project_id: ProjectId, since: int = 0) -> Changes:
    return (await store.changes({project_id: since}))[project_id]


async def test_each_change_takes_the_next_number_and_is_found_by_the_one_before(
    store: Store, project_id: ProjectId
) -> None:
    start = await changes(store, project_id)
    assert (start.clips, start.sequence, start.edited) == ([], 1, 1)
    one, two = await record(store, project_id, *(clip(n, project_id=project_id) for n in "12"))
    recorded = await changes(store, project_id, start.sequence)
    assert {changed.clip.task_uuid for changed in recorded.clips} == {one.task_uuid, two.task_uuid}
    await store.save([succeeded(two)], LATER)
    saved = await changes(store, project_id, recorded.sequence)
    assert [changed.clip.video_url for changed in saved.clips] == [VIDEO_URL]
    assert start.sequence < recorded.sequence < saved.sequence == saved.clips[0].sequence
    assert (saved.edited, saved.cost_usd) == (1, 0.5)


async def test_nothing_new_is_no_entry_and_neither_is_an_unknown_project(
    store: Store, project_id: ProjectId
) -> None:
    now = (await changes(store, project_id)).sequence
    assert await store.changes({project_id: now, ProjectId(str(uuid.uuid4())): 0}) == {}
    assert await store.changes({}) == {}


async def test_claim_and_refused_save_are_no_change(store: Store, project_id: ProjectId) -> None:
    (one,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([succeeded(one)], NOON)
    before = (await changes(store, project_id)).sequence
    await store.save([failed(one)], LATER)
    await store.claim("poller", NOON, LATER, 10)
    await record(store, project_id, one)
    assert await store.changes({project_id: before}) == {}


async def test_change_of_an_earlier_attempt_gives_the_clip_that_is_current_by_it(
    store: Store, project_id: ProjectId
) -> None:
    (first,) = await record(store, project_id, clip(project_id=project_id))
    await store.save([failed(first, FailureKind.TIMEOUT)], NOON)
    await record(store, project_id, clip(project_id=project_id, attempt=2))
    before = (await changes(store, project_id)).sequence
    (timed_out,) = await store.clips([first.task_uuid])
    await store.save([replace(succeeded(timed_out), failure=None)], LATER)
    (changed,) = (await changes(store, project_id, before)).clips
    assert changed.clip.task_uuid == first.task_uuid
    await record(store, project_id, clip(project_id=project_id, prompt="Another."))
    (changed,) = (await changes(store, project_id, changed.sequence)).clips
    assert changed.clip.request.prompt == "Another."


async def test_numbers_follow_the_commits_of_many_writers(store: Store, project_id: ProjectId) -> None:
    clips = await record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(50)))
    seen: dict[str, ClipStatus] = {}

    async def watch() -> None:
        since = 0
        while sum(status is ClipStatus.SUCCEEDED for status in seen.values()) < len(clips):
            for new in (await store.changes({project_id: since})).values():
                assert new.sequence > since
                since = new.sequence
                seen.update({changed.clip.scene: changed.clip.status for changed in new.clips})
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(watch(), *(store.save([succeeded(one)], LATER) for one in clips))
    assert set(seen.values()) == {ClipStatus.SUCCEEDED}


CHOICES = [Choice("google:3@3", "1080p", audio=True), Choice(audio=False), Choice("google:3@2"), Choice()]


async def test_choice_comes_back_as_it_was_made_and_replaces_the_one_before(
    store: Store, project_id: ProjectId
) -> None:
    assert (await read(store, project_id)).choice == Choice()
    for choice in CHOICES:
        await store.choose(project_id, choice, LATER)
        assert (await read(store, project_id)).choice == choice
    assert (await read(store, project_id)).updated_at == LATER


async def test_choosing_takes_the_next_number_and_is_an_edit(store: Store, project_id: ProjectId) -> None:
    numbers = [(await changes(store, project_id)).sequence]
    for choice in CHOICES:
        await store.choose(project_id, choice, LATER)
        news = await changes(store, project_id)
        assert news.edited == news.sequence
        numbers.append(news.sequence)
    assert numbers == sorted(set(numbers))


async def test_choosing_the_same_again_is_no_edit(store: Store, project_id: ProjectId) -> None:
    await store.choose(project_id, Choice(), LATER)
    assert (await changes(store, project_id)).sequence == 1
    await store.choose(project_id, CHOICES[0], NOON)
    before = await changes(store, project_id), await read(store, project_id)
    await store.choose(project_id, CHOICES[0], LATER)
    assert (await changes(store, project_id), await read(store, project_id)) == before


async def test_choosing_for_a_project_that_is_not_there_does_nothing(store: Store) -> None:
    nowhere = ProjectId(str(uuid.uuid4()))
    await store.choose(nowhere, CHOICES[0], NOON)
    assert await store.project(nowhere) is None


async def test_overview_counts_every_scene_and_every_cost(store: Store) -> None:
    pairs: dict[str, object] = dict(frames(2, 10, 1))
    draft = ProjectDraft(
        frames={**pairs, "3": None, "4": "nonsense"}, scenes={"1": {"description": "First."}, "5": {}}
    )
    project_id = await store.create_project(draft, NOON)
    one, two, _ = await record(store, project_id, *(clip(n, project_id=project_id) for n in ("1", "2", "10")))
    await store.save([succeeded(one), failed(two)], LATER)
    (listed,) = await store.projects(10)
    assert (listed.title, listed.scenes) == ("First.", 6)
    assert (listed.completed, listed.pending, listed.failed, listed.cost_usd) == (1, 1, 1, 0.5)
    ends = [f"https://frames.example/{n}/{end}.png" for n in (1, 2, 10) for end in ("first", "last")]
    assert list(listed.thumbnails) == ends


@pytest.mark.parametrize(
    "draft", [ProjectDraft(frames={}, scenes={}), ProjectDraft(frames={"1": []}, scenes={"1": 1})]
)
async def test_overview_of_a_project_without_anything_is_empty(store: Store, draft: ProjectDraft) -> None:
    await store.create_project(draft, NOON)
    (listed,) = await store.projects(10)
    assert (listed.title, listed.thumbnails, listed.cost_usd) == ("", [], 0)


@pytest.mark.parametrize(
    "scene", [{"description": " First. "}, {"description": 7, "visual_action": "A boat."}]
)
async def test_overview_titles_a_project_by_the_rule(store: Store, scene: object) -> None:
    scripts = [
        None,
        " \t\u00a0\u3000\u001f",
        "  Once upon\n a time ",
        '{"title": "A short story", "logline": "Two meet.", "scenes": {"1": {"title": "Not this"}}}',
        '\u00a0 {"title": "Padded"} \n',
        '{"title": "  Of  two\\n lines ", "logline": "Two meet."}',
        '{"title": 7, "logline": "Two meet."}',
        '{"title": "\u2003", "logline": "Two meet."}',
        '{"title": {"en": "Nested"}, "logline": ["Two meet."]}',
        '{"title": null}',
        "{}",
        '{"title": "First", "title": "Last"}',
        '{"title": "It was {never} \\"closed\\""',
        "{Curly} beginnings",
        '{"title": "Not a number", "rating": NaN}',
        '{"title": "NUL", "scenes": "\\u0000"}',
        '{"title": "No NUL", "scenes": "\\\\u0000"}',
        '{"title": "Half a pair \\ud83d"}',
        '{"title": "A pair \\ud83d\\ude00"}',
        '{"title": "A line\nbreak"}',
        '["title", "An array"]',
        '"A string"',
        "1984",
        json.dumps({"scenes": ["x" * 300_000], "title": "Huge"}),
        json.dumps({"title": "y" * 300_000}),
        '{"title": "Deep", "scenes": ' + "[" * 500 + "]" * 500 + "}",
    ]
    scenes: dict[str, object] = {"10": {"description": "Last."}, "2": scene}
    for minute, script in enumerate(scripts):
        draft = ProjectDraft(frames={}, scenes=scenes, script=script)
        await store.create_project(draft, NOON - timedelta(minutes=minute))
    listed = [one.title for one in await store.projects(len(scripts))]
    assert listed == [title(script, scenes) for script in scripts]


async def test_overview_counts_a_clip_whose_scene_is_gone(store: Store, project_id: ProjectId) -> None:
    await record(store, project_id, clip("7", project_id=project_id))
    (listed,) = await store.projects(10)
    assert (listed.scenes, listed.pending) == (4, 1)


async def test_past_clips_are_the_newest_successes_that_nobody_had_to_ask_for_again(
    store: Store, project_id: ProjectId
) -> None:
    clips = await record(store, project_id, *(clip(str(n), project_id=project_id) for n in range(4)))
    await store.save(
        [
            succeeded(clips[0], at=NOON + timedelta(seconds=90)),
            succeeded(clips[1], at=NOON + timedelta(seconds=30)),
            failed(clips[2]),
            replace(succeeded(clips[3], at=NOON + timedelta(hours=1)), reopened_at=NOON),
        ],
        LATER,
    )
    past = await store.past_clips(10)
    assert [round(one.seconds) for one in past] == [90, 30]
    assert (past[0].model, past[0].resolution, past[0].generate_audio) == ("google:3@2", "720p", False)
    assert (past[0].duration_s, past[0].cost_usd) == (4, 0.5)
    assert len(await store.past_clips(1)) == 1
