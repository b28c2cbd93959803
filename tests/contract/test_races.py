"""Calls, ticks and edits at the worst moment, on each store: nothing is bought twice or outdated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.clips.cancelling import was_cancelled
from service.clips.edits import Patch
from service.clips.lifecycle import Policy, sent
from service.clips.models import (
    Clip,
    ClipRequest,
    ClipStatus,
    Failure,
    FailureKind,
    ProjectId,
    SceneKey,
    SettledBy,
    TaskUUID,
)
from service.clips.outcomes import Absent, Acknowledged, Failed, Outcome, Succeeded, Throttled, Unclear
from service.clips.ownership import Operator
from service.errors import ProviderUnavailable, StoreUnavailable
from service.metrics import Metrics
from service.runware.models import video_model
from service.workflow.background import Background
from service.workflow.cancelling import Cancelled, Canceller
from service.workflow.editing import Editor
from service.workflow.generate import Generated, Generator
from service.workflow.inquiry import Inquiry
from service.workflow.past import Past
from service.workflow.poll import Poller
from service.workflow.ports import ProjectDraft, Store
from service.workflow.settlement import Event, Settler
from service.workflow.submission import Submitter
from service.workflow.turns import Turns
from tests.builders import PLANNER, FixedClock, frames
from tests.contract.conftest import Edit
from tests.doubles import NO_TRACE, ScriptedProvider

ME = Operator()
SUCCESS = Succeeded("https://vm.runware.ai/video/1.mp4", 0.8)
NO_ROOM = Throttled(Failure(FailureKind.PROVIDER, "rateLimit", "Too many tasks."))
REFUSED = Failed(Failure(FailureKind.REJECTED, "tooMany", "Too many tasks."))


@dataclass(frozen=True, slots=True)
class Scene:
    """A project of two scenes, and the parts that decide about it, with the clock in hand."""

    store: Store
    provider: ScriptedProvider
    clock: FixedClock
    settler: Settler
    generator: Generator
    poller: Poller
    slept: list[float]
    project_id: ProjectId

    async def generate(self) -> Generated:
        return await self.generator.generate(self.project_id, ME)

    async def retry(self) -> Generated:
        return await self.generator.retry(self.project_id, None, ME)

    async def clips(self) -> list[Clip]:
        return sorted(await self.store.current_clips(self.project_id), key=lambda one: one.scene)

    async def time_out(self) -> None:
        self.clock.advance(minutes=31)
        await self.poller.tick()

    async def say(self, clip: Clip, outcome: Outcome, by: SettledBy = SettledBy.WEBHOOK) -> None:
        await self.settler.settle([Event(clip.task_uuid, outcome, by)])


@asynccontextmanager
async def playing(store: Store, **draft: Any) -> AsyncIterator[Scene]:
    clock, provider, metrics, policy = FixedClock(), ScriptedProvider(), Metrics(), Policy()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds=seconds)

    def unwatched() -> None:
        return None

    settler = Settler(store, policy, clock, str, unwatched, metrics)
    submitter = Submitter(
        store,
        provider,
        settler,
        clock,
        Past(store, video_model).estimates,
        batch_size=25,
        slots=Turns(4),
    )
    inquiry = Inquiry(provider, clock, policy, sleep)
    interval = timedelta(seconds=10)
    poller = Poller(store, inquiry, settler, submitter, Background(), clock, policy, interval, metrics)
    generator = Generator(store, inquiry, settler, submitter, clock, policy, PLANNER, unwatched)
    project_id = await store.create_project(
        ProjectDraft(**{"frames": frames(1, 2), "scenes": {}, **draft}), clock()
    )
    writer = asyncio.create_task(settler.run())
    yield Scene(store, provider, clock, settler, generator, poller, slept, project_id)
    await settler.stop()
    await writer


def an_editor(scene: Scene) -> Editor:
    canceller = Canceller(scene.store, scene.settler, PLANNER)
    return Editor(scene.store, scene.clock, lambda: None, PLANNER, canceller)


@pytest.fixture
async def scene(store: Store) -> AsyncIterator[Scene]:
    async with playing(store) as played:
        yield played


async def test_clip_whose_time_ends_while_another_is_asked_about_is_not_bought_again(scene: Scene) -> None:
    """After an outage all clips of a project reach their end within the same seconds."""
    await scene.generate()
    one, two = await scene.clips()
    scene.clock.advance(minutes=31)
    ended = Failure(FailureKind.TIMEOUT, "timeout", "Over.")
    await scene.say(one, Failed(ended), SettledBy.TIMEOUT)

    async def end_the_other() -> None:
        await scene.say(two, Failed(ended), SettledBy.TIMEOUT)

    scene.provider.before_answer = end_the_other
    scene.provider.outcome = NO_TRACE
    answer = await scene.generate()
    first, second = await scene.clips()
    assert (first.attempt, second.attempt) == (2, 1)
    assert "time has only just ended" in answer.problems[second.scene]
    assert len(scene.provider.submitted) == 3


async def test_clip_that_a_person_reopened_has_its_whole_time_whatever_the_poller_had_seen(
    scene: Scene,
) -> None:
    await scene.generate()
    scene.clock.advance(minutes=31)

    async def give_up_and_reopen() -> None:
        scene.provider.before_answer = None
        for one in await scene.clips():
            await scene.say(one, Failed(Failure(FailureKind.TIMEOUT, "timeout", "Over.")), SettledBy.TIMEOUT)
        await scene.retry()

    scene.provider.before_answer = give_up_and_reopen
    await scene.poller.tick()
    assert {one.status for one in await scene.clips()} == {ClipStatus.PENDING}
    assert {one.waiting_since for one in await scene.clips()} == {scene.clock()}


async def test_runwares_failure_after_the_clip_was_given_up_is_kept_with_its_cost(scene: Scene) -> None:
    await scene.generate()
    await scene.time_out()
    one, two = await scene.clips()
    word = Failure(FailureKind.SAFETY, "invalidProviderContent", "Moderated.", "You will not be charged.")
    await scene.say(one, Failed(word, 0.0))
    told, presumed = await scene.clips()
    assert (told.failure, told.cost_usd, told.settled_by) == (word, 0.0, SettledBy.WEBHOOK)
    assert presumed.presumed_failed
    scene.provider.asked.clear()
    scene.provider.outcome = Absent()
    await scene.retry()
    assert two.task_uuid in scene.provider.asked
    assert one.task_uuid not in scene.provider.asked


async def test_call_that_was_overtaken_by_an_edit_while_it_asked_buys_nothing_outdated(
    scene: Scene, edit: Edit
) -> None:
    await scene.generate()
    await scene.time_out()
    prompts = {str(n): {"description": f"Another scene {n}."} for n in (1, 2)}

    async def edit_the_scenes() -> None:
        scene.provider.before_answer = None
        await edit(scene.project_id, prompts)

    scene.provider.before_answer = edit_the_scenes
    scene.provider.outcome = NO_TRACE
    await scene.generate()
    shown = await scene.clips()
    assert [one.request.prompt for one in shown] == ["Another scene 1.", "Another scene 2."]
    assert len(scene.provider.submitted) == 4


async def test_call_that_planned_before_an_edit_leaves_the_later_calls_clips_in_place(
    scene: Scene, edit: Edit
) -> None:
    """The first call waits for the lease; edit and second call come and go meanwhile."""
    await scene.generate()
    await scene.time_out()
    scene.provider.outcome = NO_TRACE
    held = await scene.store.lease_project(
        scene.project_id, "another call", scene.clock(), scene.clock() + timedelta(minutes=1)
    )
    assert held
    waiting = asyncio.create_task(scene.generate())
    await asyncio.sleep(0.2)
    await edit(scene.project_id, {"1": {"description": "Edited."}})
    await scene.store.release_project(scene.project_id, "another call")
    later, earlier = await asyncio.gather(scene.generate(), waiting)
    assert {one.request.prompt for one in await scene.clips() if one.scene == "1"} == {"Edited."}
    assert later.progress.pending == earlier.progress.pending == 2
    bought = scene.provider.submitted[2:]
    assert len(bought) == len(set(bought)) == 2


async def test_one_look_without_a_trace_is_not_enough_to_buy_again(scene: Scene) -> None:
    await scene.generate()
    await scene.time_out()
    scene.provider.first_outcomes = [Absent()]
    scene.provider.outcome = Acknowledged()
    await scene.retry()
    assert scene.slept == [10]
    assert {one.status for one in await scene.clips()} == {ClipStatus.PENDING}
    assert len(scene.provider.submitted) == 2


async def test_two_looks_without_a_trace_in_either_place_buy_again(scene: Scene) -> None:
    await scene.generate()
    await scene.time_out()
    scene.provider.outcome = Absent()
    scene.provider.asked.clear()
    answer = await scene.retry()
    assert (len(scene.provider.asked), len(scene.provider.traced)) == (4, 4)
    assert scene.slept == [10]
    assert {one.attempt for one in await scene.clips()} == {2}
    assert answer.warnings == {}


async def test_absent_task_that_the_archive_has_is_waited_for_and_not_bought_again(scene: Scene) -> None:
    await scene.generate()
    await scene.time_out()
    scene.provider.outcome, scene.provider.archived = Absent(), Acknowledged()
    await scene.retry()
    assert {one.status for one in await scene.clips()} == {ClipStatus.PENDING}
    assert len(scene.provider.submitted) == 2


async def test_after_an_hour_a_retry_buys_again_and_says_that_both_may_be_billed(scene: Scene) -> None:
    await scene.generate()
    await scene.time_out()
    scene.provider.outcome = Unclear("HTTP 503")
    with pytest.raises(ProviderUnavailable, match=r"After 13:00 UTC a call buys it again even so"):
        await scene.retry()
    scene.clock.advance(minutes=30)
    answer = await scene.retry()
    assert {one.attempt for one in await scene.clips()} == {2}
    assert all("both may be billed" in warning for warning in answer.warnings.values())
    assert set(answer.warnings) == {"1", "2"}


async def test_submission_that_was_lost_on_its_way_is_sent_again_though_runware_only_stays_silent(
    scene: Scene,
) -> None:
    scene.provider.outcome = Unclear("no answer")
    await scene.generate()
    scene.provider.outcome = Absent()
    scene.clock.advance(seconds=30)
    await scene.poller.tick()
    await scene.poller.background.drain(5)
    assert (len(scene.provider.submitted), scene.provider.traced) == (2, [])
    scene.clock.advance(seconds=31)
    await scene.poller.tick()
    await scene.poller.background.drain(5)
    assert len(scene.provider.submitted) == 4
    assert sorted(scene.provider.submitted[:2]) == sorted(scene.provider.submitted[2:])
    # With all that a claim leaves out.
    assert all(request in scene.provider.requests[:2] for request in scene.provider.requests[2:])


async def test_submission_that_the_archive_has_is_not_sent_again(scene: Scene) -> None:
    scene.provider.outcome = Unclear("no answer")
    await scene.generate()
    scene.provider.outcome, scene.provider.archived = Absent(), Acknowledged()
    scene.clock.advance(seconds=61)
    await scene.poller.tick()
    assert len(scene.provider.submitted) == 2
    assert {one.status for one in await scene.clips()} == {ClipStatus.PENDING}


async def test_submission_is_not_sent_again_while_the_archive_can_not_be_asked(scene: Scene) -> None:
    scene.provider.outcome = Unclear("no answer")
    await scene.generate()
    scene.provider.outcome, scene.provider.archived = Absent(), Unclear("invalidTaskType")
    for _ in range(5):
        scene.clock.advance(seconds=61)
        await scene.poller.tick()
        await scene.poller.background.drain(5)
    assert len(scene.provider.submitted) == 2
    assert {one.status for one in await scene.clips()} == {ClipStatus.SUBMITTING}


async def test_clip_that_moves_right_before_it_is_sent_is_sent_once_and_at_once(scene: Scene) -> None:
    editor = an_editor(scene)

    async def reorder_first(requests: Sequence[ClipRequest]) -> Sequence[float | None]:
        await editor.edit(scene.project_id, Patch(order=["2", "1"]), ME)
        return [None] * len(requests)

    submitter = replace(scene.generator.submitter, estimates=reorder_first)
    await replace(scene.generator, submitter=submitter).generate(scene.project_id, ME)
    one, two = await scene.clips()
    assert sorted(scene.provider.submitted) == sorted([one.task_uuid, two.task_uuid])
    assert {(clip.status, clip.sends) for clip in (one, two)} == {(ClipStatus.PENDING, 1)}
    await scene.generate()
    assert len(scene.provider.submitted) == 2


async def test_clip_that_moves_while_it_is_being_sent_is_acknowledged_at_its_new_scene(scene: Scene) -> None:
    editor = an_editor(scene)

    async def reorder(_: Sequence[Clip]) -> None:
        scene.provider.before_submission = None
        await editor.edit(scene.project_id, Patch(order=["2", "1"]), ME)

    scene.provider.before_submission = reorder
    await scene.generate()
    assert {clip.status for clip in await scene.clips()} == {ClipStatus.PENDING}
    await scene.generate()
    assert len(scene.provider.submitted) == len(set(scene.provider.submitted)) == 2


async def test_clip_that_is_cancelled_right_before_it_is_sent_is_not_sent(scene: Scene) -> None:
    canceller = Canceller(scene.store, scene.settler, PLANNER)
    answers: list[Cancelled] = []

    async def cancel_first(requests: Sequence[ClipRequest]) -> Sequence[float | None]:
        answers.append(await canceller.cancel(scene.project_id, {SceneKey("1")}, ME))
        return [None] * len(requests)

    submitter = replace(scene.generator.submitter, estimates=cancel_first)
    await replace(scene.generator, submitter=submitter).generate(scene.project_id, ME)
    one, two = await scene.clips()
    assert [result.reason for result in answers[0].scenes] == [None]
    assert scene.provider.submitted == [two.task_uuid]
    assert was_cancelled(one)
    await scene.retry()
    (again, _) = await scene.clips()
    assert (again.attempt, again.status) == (2, ClipStatus.PENDING)


async def test_clip_that_is_cancelled_while_it_is_being_sent_is_made_and_the_answer_says_so(
    scene: Scene,
) -> None:
    canceller = Canceller(scene.store, scene.settler, PLANNER)
    answers: list[Cancelled] = []

    async def cancel(_: Sequence[Clip]) -> None:
        answers.append(await canceller.cancel(scene.project_id, None, ME))

    scene.provider.before_submission = cancel
    await scene.generate()
    assert ["no way to cancel" in (result.reason or "") for result in answers[0].scenes] == [True, True]
    assert {clip.status for clip in await scene.clips()} == {ClipStatus.PENDING}


async def test_submissions_and_cancellations_at_once_leave_each_clip_with_one_of_them(store: Store) -> None:
    async with playing(store, frames=frames(*range(1, 21))) as scene:
        canceller = Canceller(scene.store, scene.settler, PLANNER)
        submitter = replace(scene.generator.submitter, batch_size=1)
        generating = replace(scene.generator, submitter=submitter).generate(scene.project_id, ME)
        cancelling = (canceller.cancel(scene.project_id, None, ME) for _ in range(5))
        await asyncio.gather(generating, *cancelling)
        clips = await scene.clips()
        sent = [clip.task_uuid for clip in clips if clip.sends]
        assert sorted(scene.provider.submitted) == sorted(sent)
        assert all(was_cancelled(clip) for clip in clips if not clip.sends)


async def test_queued_clip_of_a_removed_scene_is_not_sent(scene: Scene) -> None:
    scene.provider.outcome = Throttled(Failure(FailureKind.PROVIDER, "rateLimit", "Too many."))
    await scene.generate()
    one, _ = await scene.clips()
    gone: dict[str, object] = {"1": None}
    await an_editor(scene).edit(scene.project_id, Patch(frames=gone, scenes=gone), ME)
    (stored,) = await scene.store.clips([one.task_uuid])
    assert was_cancelled(stored)
    scene.provider.submitted.clear()
    scene.clock.advance(minutes=2)
    await scene.poller.tick()
    await scene.poller.background.drain(5)
    assert one.task_uuid not in scene.provider.submitted
    assert len(scene.provider.submitted) == 1


@pytest.mark.parametrize("found", [SUCCESS, Acknowledged()], ids=["finished", "under way"])
async def test_task_that_a_repeated_request_had_taken_is_not_sent_again_after_its_pause(
    scene: Scene, found: Outcome
) -> None:
    """A proxy that repeats a request hands on the refusal of the second copy alone."""
    scene.provider.outcome = NO_ROOM
    await scene.generate()
    assert {clip.throttled for clip in await scene.clips()} == {1}
    scene.provider.outcome = found
    scene.provider.submitted.clear()
    scene.clock.advance(minutes=3)
    await scene.poller.tick()
    assert scene.provider.submitted == []
    expected = ClipStatus.SUCCEEDED if found is SUCCESS else ClipStatus.PENDING
    assert {clip.status for clip in await scene.clips()} == {expected}


@pytest.mark.parametrize(
    "archived", [NO_TRACE, Unclear("The archive is away."), REFUSED], ids=["no trace", "unclear", "refusal"]
)
async def test_task_without_room_is_sent_again_unless_it_is_known_to_be_taken(
    scene: Scene, archived: Outcome
) -> None:
    scene.provider.outcome = NO_ROOM
    await scene.generate()
    scene.provider.outcome, scene.provider.archived = Absent(), archived
    scene.provider.submitted.clear()
    scene.clock.advance(minutes=3)
    await scene.poller.tick()
    await scene.poller.background.drain(5)
    assert len(scene.provider.submitted) == 2


async def test_clip_that_another_copy_sends_during_the_last_look_is_not_told_as_refused(scene: Scene) -> None:
    scene.provider.outcome = Unclear("no answer")
    await scene.generate()
    waiting, _ = await scene.clips()
    await scene.say(waiting, NO_ROOM, SettledBy.SUBMISSION)
    waiting, _ = await scene.clips()
    scene.clock.advance(minutes=33)

    async def send_it() -> None:
        assert await scene.store.save([sent(waiting, scene.clock())], scene.clock())

    scene.provider.before_answer = send_it
    scene.provider.outcome = Absent()
    await scene.poller.tick()
    first, second = await scene.clips()
    assert (first.status, first.sends) == (ClipStatus.SUBMITTING, 2)
    assert second.presumed_failed


async def test_clip_for_which_there_is_no_room_is_withdrawn_if_the_video_came_meanwhile(scene: Scene) -> None:
    await scene.generate()
    await scene.time_out()
    earlier, _ = await scene.clips()

    async def bring_the_video(_clips: Sequence[Clip]) -> None:
        scene.provider.before_submission = None
        await scene.say(earlier, SUCCESS)
        scene.provider.outcome = NO_ROOM

    scene.provider.outcome = NO_TRACE
    scene.provider.before_submission = bring_the_video
    await scene.generate()
    attempts = await scene.store.attempts(scene.project_id, {earlier.fingerprint})
    (again,) = [one for one in attempts if one.attempt > 1]
    assert again.failure is not None
    assert (again.failure.kind, again.sends) == (FailureKind.WITHDRAWN, 1)


async def test_attempt_is_withdrawn_even_if_nothing_comes_after_the_commit_of_the_late_video(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.generate()
    await scene.time_out()
    earlier, _ = await scene.clips()
    scene.provider.outcome, scene.provider.before_submission = NO_TRACE, _no_room_from_now_on(scene)
    await scene.generate()
    save = scene.store.save

    async def commit_and_break_off(changed: Sequence[Clip], now: datetime) -> Collection[TaskUUID]:
        saved = await save(changed, now)
        if any(clip.status is ClipStatus.SUCCEEDED for clip in changed):
            raise StoreUnavailable("The answer is lost.")
        return saved

    monkeypatch.setattr(scene.store, "save", commit_and_break_off)
    with pytest.raises(StoreUnavailable):
        await scene.say(earlier, SUCCESS)
    attempts = await scene.store.attempts(scene.project_id, {earlier.fingerprint})
    assert [one.status for one in attempts if one.attempt == 1] == [ClipStatus.SUCCEEDED]
    (again,) = [one for one in attempts if one.attempt > 1]
    assert again.failure is not None
    assert again.failure.kind is FailureKind.WITHDRAWN


def _no_room_from_now_on(scene: Scene) -> Callable[[Sequence[Clip]], Awaitable[None]]:
    async def answer(_clips: Sequence[Clip]) -> None:
        scene.provider.outcome = NO_ROOM

    return answer
