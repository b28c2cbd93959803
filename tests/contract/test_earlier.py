"""Clips that were made before the ledger: on every store, and through check and adoption."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

import pytest

from service.clips.models import Choice, ProjectId, TaskUUID
from service.clips.outcomes import Absent, Acknowledged, Outcome, Unclear, VideoRefused
from service.clips.ownership import Caller, Operator, User
from service.clips.progress import Progress
from service.errors import AdoptionRefused, ProjectNotFound
from service.runware.results import video_url_check
from service.workflow.adoption import Adopter
from service.workflow.check import Checker
from service.workflow.generate import Generated
from service.workflow.ports import ProjectDraft, Store
from service.workflow.projects import read_state
from tests.builders import FAST, NOON, PLANNER, VIDEO_URL, clip, frames, succeeded
from tests.contract.conftest import Rewrite
from tests.contract.test_races import Scene, playing
from tests.contract.test_store import LATER, read
from tests.contract.test_workflow import FAILURE, SUCCESS, UNKNOWN
from tests.identities import ALICE, BOB

OPERATOR = Operator()
A, B, C = (TaskUUID(f"{letter * 8}-0000-4000-8000-000000000000") for letter in "abc")
THEIRS = {A: "pending", B: "failed", C: VIDEO_URL}


@pytest.fixture
async def project_id(store: Store, rewrite: Rewrite) -> ProjectId:
    made = await store.create_project(ProjectDraft(frames=frames(1, 2, 3), scenes={}), NOON)
    await rewrite(made, "clips", THEIRS)
    return made


async def test_end_replaces_pending_and_no_other_key(store: Store, project_id: ProjectId) -> None:
    await store.save_earlier(project_id, {A: "https://im.runware.ai/a.mp4", B: VIDEO_URL, C: "failed"}, LATER)
    project = await read(store, project_id)
    assert project.clips == {A: "https://im.runware.ai/a.mp4", B: "failed", C: VIDEO_URL}
    assert project.updated_at == LATER


async def test_end_of_a_clip_that_is_not_there_adds_none(store: Store, project_id: ProjectId) -> None:
    unknown = TaskUUID("dddddddd-0000-4000-8000-000000000000")
    await store.save_earlier(project_id, {unknown: "failed"}, LATER)
    project = await read(store, project_id)
    assert (project.clips, project.updated_at) == (THEIRS, NOON)


async def test_end_written_once_is_not_written_over(store: Store, project_id: ProjectId) -> None:
    await store.save_earlier(project_id, {A: "failed"}, LATER)
    await store.save_earlier(project_id, {A: VIDEO_URL}, LATER)
    assert (await read(store, project_id)).clips[A] == "failed"


async def test_nothing_is_written_once_the_ledger_has_a_clip_of_the_project(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    await store.save_earlier(project_id, {A: "failed", one.task_uuid: "failed"}, LATER)
    assert (await read(store, project_id)).clips == {one.task_uuid: "pending"}


@pytest.mark.parametrize("column", [[], "pending", None, {A: {"status": "pending"}}])
async def test_column_of_another_form_is_left_as_it_is(
    store: Store, rewrite: Rewrite, project_id: ProjectId, column: object
) -> None:
    await rewrite(project_id, "clips", column)
    await store.save_earlier(project_id, {A: "failed"}, LATER)
    assert (await read(store, project_id)).clips == {}


async def test_who_watches_is_told_of_the_end_as_of_an_edit(store: Store, project_id: ProjectId) -> None:
    before = await read_state(store, project_id, Operator(), PLANNER)
    await store.save_earlier(project_id, {A: "failed"}, LATER)
    found = await store.changes({project_id: before.sequence})
    assert found[project_id].edited > before.sequence
    await store.save_earlier(project_id, {A: VIDEO_URL}, LATER)
    assert await store.changes({project_id: found[project_id].sequence}) == {}


async def test_state_has_the_earlier_clips_until_the_ledger_takes_over(
    store: Store, project_id: ProjectId
) -> None:
    before = await read_state(store, project_id, Operator(), PLANNER)
    assert [one.task_uuid for one in before.earlier] == [A, B, C]
    assert before.row.clips == THEIRS
    await store.record(project_id, [clip(project_id=project_id)], NOON)
    after = await read_state(store, project_id, Operator(), PLANNER)
    assert (after.earlier, after.progress.pending) == ((), 1)


async def test_adopted_clips_say_nothing_of_how_long_clips_take(store: Store, project_id: ProjectId) -> None:
    one = clip(project_id=project_id)
    adopted = replace(succeeded(one, at=LATER), reopened_at=LATER, cost_usd=None)
    (stored,) = await store.record(project_id, [adopted], LATER)
    assert (stored, stored.adopted) == (adopted, True)
    assert (await read(store, project_id)).clips == {one.task_uuid: VIDEO_URL}
    assert await store.past_clips(10) == []


@dataclass(slots=True)
class OldProject:
    """A project of two scenes whose clips the ledger does not know, and what asks about it."""

    scene: Scene
    checker: Checker
    adopter: Adopter
    rewrite: Rewrite

    async def holds(self, clips: object) -> None:
        """Write what the replaced functions have left in `projects.clips`."""
        await self.rewrite(self.scene.project_id, "clips", clips)

    async def column(self) -> Mapping[str, str]:
        return (await read(self.scene.store, self.scene.project_id)).clips

    async def check(self, caller: Caller = OPERATOR) -> Progress:
        # As if a second had passed: Runware is asked no more often.
        self.checker._asked_at.clear()
        return await self.checker.check(self.scene.project_id, caller)

    async def adopt(self, caller: Caller = OPERATOR, choice: Choice | None = None) -> Generated:
        return await self.adopter.adopt(self.scene.project_id, caller, choice)


@pytest.fixture
async def old(store: Store, rewrite: Rewrite) -> AsyncIterator[OldProject]:
    async with playing(store, user_id=ALICE) as scene:
        checker = Checker(store, scene.generator.inquiry, scene.settler, scene.clock)
        adopter = Adopter(scene.generator, video_url_check(["im.runware.ai"]))
        yield OldProject(scene, checker, adopter, rewrite)


async def test_check_asks_runware_for_the_pending_ones_alone_and_writes_what_comes(old: OldProject) -> None:
    await old.holds(THEIRS)
    old.scene.provider.outcome = SUCCESS
    checked = await old.check()
    assert old.scene.provider.asked == [A]
    assert (checked.total, checked.completed, checked.pending, checked.failed) == (3, 2, 0, 1)
    assert await old.column() == {A: VIDEO_URL, B: "failed", C: VIDEO_URL}
    await old.check()
    assert old.scene.provider.asked == [A], "nothing is pending any more"


async def test_failure_in_runwares_word_ends_a_pending_one(old: OldProject) -> None:
    await old.holds({A: "pending"})
    old.scene.provider.outcome = FAILURE
    assert (await old.check()).failed == 1
    assert await old.column() == {A: "failed"}


async def test_result_that_only_the_archive_has_is_found(old: OldProject) -> None:
    await old.holds({A: "pending"})
    old.scene.provider.outcome, old.scene.provider.archived = Absent(), SUCCESS
    assert (await old.check()).completed == 1
    assert old.scene.provider.traced == [A]


@pytest.mark.parametrize(
    "said", [Acknowledged(), Unclear("busy"), Absent(), UNKNOWN, VideoRefused("strange host")]
)
async def test_without_runwares_word_a_pending_one_stays_pending(old: OldProject, said: Outcome) -> None:
    await old.holds({A: "pending"})
    old.scene.provider.outcome = said
    assert (await old.check()).pending == 1
    assert await old.column() == {A: "pending"}


async def test_runware_is_asked_for_earlier_clips_once_a_second_however_many_ask(old: OldProject) -> None:
    await old.holds({A: "pending"})
    await asyncio.gather(*(old.checker.check(old.scene.project_id, OPERATOR) for _ in range(20)))
    assert old.scene.provider.asked == [A]


async def test_stranger_has_nobody_asked_and_adopts_nothing(old: OldProject) -> None:
    await old.holds({A: "pending"})
    for attempt in (old.check, old.adopt):
        with pytest.raises(ProjectNotFound):
            await attempt(User(BOB))
    assert old.scene.provider.asked == []


async def test_ledger_that_takes_over_while_runware_is_asked_is_not_written_over(old: OldProject) -> None:
    await old.holds({A: "pending"})

    async def buy() -> None:
        old.scene.provider.before_answer = None
        await old.scene.generate()

    old.scene.provider.before_answer = buy
    old.scene.provider.outcome = SUCCESS
    await old.check()
    assert set(await old.column()) == {one.task_uuid for one in await old.scene.clips()}


async def test_adopted_clips_are_the_scenes_own_and_nothing_is_bought_for_them(old: OldProject) -> None:
    await old.holds({C: "https://im.runware.ai/c.mp4", A: "https://im.runware.ai/a.mp4"})
    adopted = await old.adopt()
    assert [(s.scene, s.clip and s.clip.task_uuid) for s in adopted.scenes] == [("1", A), ("2", C)]
    assert [one.task_uuid for one in adopted.earlier] == [A, C]
    generated = await old.scene.generate()
    assert (generated.progress.completed, generated.progress.total, generated.earlier) == (2, 2, ())
    assert old.scene.provider.submitted == []
    assert await old.column() == {A: "https://im.runware.ai/a.mp4", C: "https://im.runware.ai/c.mp4"}


async def test_adopting_again_finds_done_what_was_done(old: OldProject) -> None:
    await old.holds({A: VIDEO_URL, C: VIDEO_URL})
    answers = await asyncio.gather(*(old.adopt() for _ in range(5)))
    assert {answer.progress.completed for answer in (*answers, await old.adopt())} == {2}
    assert len(await old.scene.clips()) == 2


async def test_adopted_clips_are_those_of_the_choice_that_came_along(old: OldProject) -> None:
    await old.holds({A: VIDEO_URL, C: VIDEO_URL})
    await old.adopt(choice=Choice(FAST))
    assert {one.request.settings.model for one in await old.scene.clips()} == {FAST}
    await old.scene.generate()
    assert old.scene.provider.submitted == []


async def test_scene_that_is_edited_after_its_clip_was_adopted_is_made_anew(old: OldProject) -> None:
    await old.holds({A: VIDEO_URL, C: VIDEO_URL})
    await old.adopt()
    await old.rewrite(old.scene.project_id, "scenes", {"2": {"description": "A boat returns."}})
    await old.scene.generate()
    assert len(old.scene.provider.submitted) == 1


@pytest.mark.parametrize(
    ("holds", "words"),
    [
        ({A: VIDEO_URL}, "both frames: 2; earlier clips: 1"),
        ({A: VIDEO_URL, B: VIDEO_URL, C: "pending"}, "may still come"),
        ({A: VIDEO_URL, B: VIDEO_URL, C: "failed"}, "nobody can say which scene"),
        ({A: VIDEO_URL, B: "https://elsewhere.example/b.mp4"}, "is not in VIDEO_HOSTS"),
        ({}, "has no clips from before the ledger"),
    ],
)
async def test_clips_that_can_not_be_matched_are_refused_and_nothing_is_bought(
    old: OldProject, holds: dict[str, str], words: str
) -> None:
    await old.holds(holds)
    with pytest.raises(AdoptionRefused, match=words):
        await old.adopt()
    assert (await old.scene.clips(), old.scene.provider.submitted) == ([], [])
    assert await old.column() == holds


async def test_project_that_the_ledger_knows_adopts_nothing(old: OldProject) -> None:
    await old.holds({A: VIDEO_URL, C: VIDEO_URL})
    await old.scene.generate()
    with pytest.raises(AdoptionRefused, match="The ledger has clips of this project"):
        await old.adopt()


async def test_clip_of_another_project_is_not_adopted_by_a_copy(old: OldProject) -> None:
    holds = {A: VIDEO_URL, C: VIDEO_URL}
    await old.holds(holds)
    await old.adopt()
    store = old.scene.store
    copy = await store.create_project(ProjectDraft(frames=frames(1, 2), scenes={}), NOON)
    await old.rewrite(copy, "clips", holds)
    with pytest.raises(AdoptionRefused, match="another project's"):
        await old.adopter.adopt(copy, OPERATOR)
    assert await store.current_clips(copy) == []


async def test_generating_without_adopting_buys_and_says_that_earlier_clips_were_there(
    old: OldProject,
) -> None:
    await old.holds(THEIRS)
    generated = await old.scene.generate()
    assert [one.task_uuid for one in generated.earlier] == [A, B, C]
    assert len(old.scene.provider.submitted) == 2
    assert not (await old.scene.generate()).earlier


async def test_clips_of_an_outdated_prompt_are_no_earlier_ones(old: OldProject) -> None:
    await old.scene.generate()
    await old.rewrite(old.scene.project_id, "scenes", {"1": {"description": "A"}, "2": {"description": "B"}})
    assert not (await old.scene.generate()).earlier
    assert len(old.scene.provider.submitted) == 4
