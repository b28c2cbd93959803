"""Settlement, submission and polling against a real store, one part at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.clips.lifecycle import Policy
from service.clips.models import Clip, ClipStatus, Failure, FailureKind, ProjectId, SettledBy, TaskUUID
from service.clips.outcomes import (
    Absent,
    Acknowledged,
    Failed,
    Outcome,
    Succeeded,
    Unclear,
    Unknown,
    VideoRefused,
)
from service.clips.ownership import Operator
from service.clips.progress import Progress
from service.errors import ProviderUnavailable, StoreRefused, StoreUnavailable
from service.logs import Redactor
from service.metrics import Metrics
from service.runware.models import video_model
from service.workflow.background import Background
from service.workflow.check import Checker
from service.workflow.generate import Generated, Generator
from service.workflow.inquiry import Inquiry
from service.workflow.past import Past
from service.workflow.poll import Poller, PollerHealth
from service.workflow.ports import ProjectDraft
from service.workflow.settlement import Effect, Event, Settler
from service.workflow.submission import MAX_FRAME_BYTES, Submitter
from service.workflow.turns import Turns
from tests.builders import PLANNER, VIDEO_URL, MovableClock, clip, frames
from tests.doubles import ScriptedProvider, WatchedStore
from tests.scrape import Scrape

SUCCESS = Succeeded(VIDEO_URL, 0.8)
FAILURE = Failed(Failure(FailureKind.PROVIDER, "inferenceError", "Broken."))
SECRET = "the-key-of-the-account"
UNKNOWN = Unknown(Failure(FailureKind.LOST, "taskNotFound", "Never heard of it."))


def unwatched() -> None:
    """Tell nobody: nobody watches."""


@dataclass(frozen=True, slots=True)
class Parts:
    store: WatchedStore
    provider: ScriptedProvider
    inquiry: Inquiry
    clock: MovableClock
    settler: Settler
    submitter: Submitter
    background: Background
    poller: Poller
    metrics: Metrics
    project_id: ProjectId

    async def record(self, count: int, **fields: Any) -> list[Clip]:
        now = self.clock()
        clips = [clip(str(n), project_id=self.project_id, submitted_at=now, **fields) for n in range(count)]
        return list(await self.store.record(self.project_id, clips, now))

    @property
    def generator(self) -> Generator:
        """Over these parts."""
        policy = self.inquiry.policy
        return Generator(
            self.store,
            self.inquiry,
            self.settler,
            self.submitter,
            self.clock,
            policy,
            PLANNER,
            unwatched,
        )

    async def stored(self, one: Clip) -> Clip:
        (found,) = await self.store.clips([one.task_uuid])
        return found


@asynccontextmanager
async def running_parts(path: Path, interval: timedelta = timedelta(seconds=10)) -> AsyncIterator[Parts]:
    clock, provider, metrics = MovableClock(), ScriptedProvider(), Metrics()
    policy = Policy(looks_apart=timedelta(milliseconds=50))
    inquiry = Inquiry(provider, clock, policy)
    async with WatchedStore(path / "clips.db") as store:
        settler = Settler(store, policy, clock, Redactor([SECRET]).text, unwatched, metrics)
        submitter = Submitter(
            store,
            provider,
            settler,
            clock,
            Past(store, video_model).estimates,
            batch_size=25,
            slots=Turns(4),
        )
        background = Background()
        poller = Poller(store, inquiry, settler, submitter, background, clock, policy, interval, metrics)
        project_id = await store.create_project(ProjectDraft(frames={}, scenes={}), clock())
        writer = asyncio.create_task(settler.run())
        yield Parts(
            store, provider, inquiry, clock, settler, submitter, background, poller, metrics, project_id
        )
        await background.drain(1)
        await settler.stop()
        await writer


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with running_parts(tmp_path) as running:
        yield running


def event(one: Clip, outcome: Outcome = SUCCESS, by: SettledBy = SettledBy.WEBHOOK) -> Event:
    return Event(one.task_uuid, outcome, by)


async def test_a_thousand_results_at_once_cost_a_few_writes(parts: Parts) -> None:
    clips = await parts.record(1000)
    effects = await asyncio.gather(*(parts.settler.settle([event(one)]) for one in clips))
    assert {effect for (effect,) in effects} == {Effect.CHANGED}
    assert parts.store.writes <= 5


async def test_nothing_is_written_when_nothing_changed(parts: Parts) -> None:
    (one,) = await parts.record(1)
    await parts.settler.settle([event(one)])
    writes = parts.store.writes
    assert await parts.settler.settle([event(one), event(one, FAILURE)]) == [Effect.UNCHANGED] * 2
    assert await parts.settler.settle([]) == []
    assert parts.store.writes == writes


async def test_of_many_paths_at_once_exactly_one_settles_a_clip(parts: Parts) -> None:
    (one,) = await parts.record(1)
    outcomes: list[Outcome] = [SUCCESS, FAILURE] * 20
    effects = await asyncio.gather(*(parts.settler.settle([event(one, outcome)]) for outcome in outcomes))
    assert [effect for (effect,) in effects].count(Effect.CHANGED) == 1


async def test_two_settlers_on_one_store_do_not_overwrite_each_other(parts: Parts) -> None:
    other = Settler(parts.store, Policy(), parts.clock, str, unwatched, Metrics())
    writer = asyncio.create_task(other.run())
    clips = await parts.record(50)
    one_by_one = [[event(one, SUCCESS)] for one in clips]
    contrary = [[event(one, FAILURE)] for one in clips]
    effects = await asyncio.gather(
        *(parts.settler.settle(events) for events in one_by_one),
        *(other.settle(events) for events in contrary),
    )
    assert [effect for (effect,) in effects].count(Effect.CHANGED) == 50
    await other.stop()
    await writer


async def test_result_for_no_clip_is_told_and_the_others_are_stored(parts: Parts) -> None:
    (one,) = await parts.record(1)
    nobody = Event(TaskUUID("nobody"), SUCCESS, SettledBy.WEBHOOK)
    assert await parts.settler.settle([nobody, event(one)]) == [Effect.NO_SUCH_CLIP, Effect.CHANGED]


async def test_failed_write_reaches_every_caller_and_the_writer_goes_on(parts: Parts) -> None:
    one, two = await parts.record(2)
    parts.store.failing = True
    ends = await asyncio.gather(
        parts.settler.settle([event(one)]), parts.settler.settle([event(two)]), return_exceptions=True
    )
    assert [type(end) for end in ends] == [StoreUnavailable, StoreUnavailable]
    parts.store.failing = False
    assert await parts.settler.settle([event(one)]) == [Effect.CHANGED]


async def test_result_whose_clip_keeps_changing_is_to_be_brought_again(parts: Parts) -> None:
    (one,) = await parts.record(1)
    parts.store.outrun = True
    with pytest.raises(StoreUnavailable, match="1 results could not be stored: their clips kept changing"):
        await parts.settler.settle([event(one)])
    parts.store.outrun = False
    assert await parts.settler.settle([event(one)]) == [Effect.CHANGED]


async def test_refused_result_is_counted_and_the_others_of_its_write_are_stored(parts: Parts) -> None:
    clips = await parts.record(5)
    parts.store.refusing = clips[0].task_uuid
    refused, *others = await asyncio.gather(
        *(parts.settler.settle([event(one)]) for one in clips), return_exceptions=True
    )
    assert isinstance(refused, StoreRefused)
    assert others == [[Effect.CHANGED]] * 4
    seen = Scrape(parts.metrics.text())
    assert seen("store_failures_total", kind="refused") == 1
    assert seen("clips_settled_total", settled_by="webhook") == 4


async def test_unanswered_question_is_counted_as_such(parts: Parts) -> None:
    await parts.record(3, status=ClipStatus.PENDING)
    parts.provider.outcome = Unclear("no answer")
    await parts.poller.tick()
    seen = Scrape(parts.metrics.text())
    assert seen("poll_clips_asked_total", answered="no") == 3
    assert seen("poll_clips_asked_total", answered="yes") == 0


async def test_caller_who_went_away_does_not_hold_up_the_others(parts: Parts) -> None:
    one, two = await parts.record(2)
    parts.store.gate = asyncio.Event()
    gone = asyncio.create_task(parts.settler.settle([event(one)]))
    waiting = asyncio.create_task(parts.settler.settle([event(two)]))
    await asyncio.sleep(0.05)
    gone.cancel()
    parts.store.gate.set()
    assert await waiting == [Effect.CHANGED]
    assert (await parts.stored(one)).status is ClipStatus.SUCCEEDED


async def test_after_stop_nobody_waits_for_ever(parts: Parts) -> None:
    (one,) = await parts.record(1)
    settler = Settler(parts.store, Policy(), parts.clock, str, unwatched, Metrics())
    await settler.stop()
    with pytest.raises(StoreUnavailable, match="stopping"):
        await settler.settle([event(one)])


async def test_ledger_counts_a_send_before_the_request_carries_it(parts: Parts) -> None:
    (one,) = await parts.record(1)
    seen: list[Clip] = []

    async def look_at_the_ledger(clips: Sequence[Clip]) -> None:
        seen.extend([await parts.stored(sent) for sent in clips])

    parts.provider.before_submission = look_at_the_ledger
    await parts.submitter.submit([one])
    assert [(sent.task_uuid, sent.status, sent.sends) for sent in seen] == [
        (one.task_uuid, ClipStatus.SUBMITTING, 1)
    ]


async def test_refusal_of_a_second_send_leaves_room_for_the_first_ones_video(parts: Parts) -> None:
    (one,) = await parts.record(1)
    parts.provider.outcome = Unclear("no answer")
    await parts.submitter.submit([one])
    parts.provider.outcome = Failed(Failure(FailureKind.ACCOUNT, "insufficientCredits", "No credit."))
    await parts.submitter.submit([await parts.stored(one)])
    refused = await parts.stored(one)
    assert (refused.status, refused.presumed_failed) == (ClipStatus.FAILED, True)
    assert await parts.settler.settle([event(one)]) == [Effect.CHANGED]
    assert (await parts.stored(one)).status is ClipStatus.SUCCEEDED


async def test_refusal_of_a_first_send_is_the_end(parts: Parts) -> None:
    (one,) = await parts.record(1)
    parts.provider.outcome = Failed(Failure(FailureKind.REJECTED, "invalidDuration", "Use 4, 6 or 8."))
    await parts.submitter.submit([one])
    assert not (await parts.stored(one)).presumed_failed


async def test_tick_never_sends_again_without_runwares_word_that_the_task_is_unknown(parts: Parts) -> None:
    await parts.record(1)
    parts.provider.outcome = Unclear("HTTP 503")
    for _ in range(5):
        parts.clock.advance(seconds=61)
        await parts.poller.tick()
        await parts.background.drain(5)
    assert parts.provider.submitted == []


async def test_project_is_asked_about_once_a_second_however_many_people_watch(parts: Parts) -> None:
    await parts.record(3)
    checker = Checker(parts.store, parts.inquiry, parts.settler, parts.clock)
    await asyncio.gather(*(checker.check(parts.project_id, Operator()) for _ in range(20)))
    assert len(parts.provider.asked) == 3
    await asyncio.sleep(1.1)
    await checker.check(parts.project_id, Operator())
    assert len(parts.provider.asked) == 6


@dataclass(frozen=True, slots=True)
class Purchase:
    """A generator over a project of one scene whose first job has timed out."""

    parts: Parts
    generator: Generator
    project_id: ProjectId

    async def again(self, outcome: Outcome) -> Generated:
        self.parts.provider.outcome = outcome
        return await self.generator.retry(self.project_id, None, Operator())

    async def check(self, outcome: Outcome) -> Progress:
        self.parts.provider.outcome = outcome
        checker = Checker(self.parts.store, self.parts.inquiry, self.parts.settler, self.parts.clock)
        return await checker.check(self.project_id, Operator())

    async def clip(self) -> Clip:
        (one,) = await self.parts.store.current_clips(self.project_id)
        return one


@pytest.fixture
async def timed_out(parts: Parts) -> Purchase:
    generator = parts.generator
    project_id = await parts.store.create_project(ProjectDraft(frames=frames(1), scenes={}), parts.clock())
    await generator.generate(project_id, Operator())
    parts.clock.advance(minutes=31)
    await parts.poller.tick()
    purchase = Purchase(parts, generator, project_id)
    assert (await purchase.clip()).presumed_failed
    return purchase


@pytest.mark.parametrize("outcome", [Acknowledged(), VideoRefused("its host is not in VIDEO_HOSTS")])
async def test_job_that_runware_still_has_is_waited_for_and_not_bought_again(
    timed_out: Purchase, outcome: Outcome
) -> None:
    answer = await timed_out.again(outcome)
    assert (answer.progress.pending, answer.progress.failed) == (1, 0)
    assert len(timed_out.parts.provider.submitted) == 1
    timed_out.parts.clock.advance(minutes=29)
    await timed_out.parts.poller.tick()
    assert (await timed_out.clip()).status is ClipStatus.PENDING
    timed_out.parts.clock.advance(minutes=2)
    await timed_out.parts.poller.tick()
    assert (await timed_out.clip()).presumed_failed


async def test_job_that_finished_after_its_time_is_taken_and_not_bought_again(timed_out: Purchase) -> None:
    answer = await timed_out.again(SUCCESS)
    assert answer.progress.completed == 1
    assert len(timed_out.parts.provider.submitted) == 1


async def test_check_finds_the_video_of_a_clip_that_presumably_failed(timed_out: Purchase) -> None:
    assert (await timed_out.check(SUCCESS)).completed == 1
    assert (await timed_out.clip()).settled_by is SettledBy.CHECK


async def test_check_takes_runwares_own_failure_in_place_of_a_presumed_one(timed_out: Purchase) -> None:
    shown = await timed_out.check(FAILURE)
    assert [scene.error for scene in shown.scenes] == ["Broken."]
    assert not (await timed_out.clip()).presumed_failed


@pytest.mark.parametrize(
    "outcome", [Acknowledged(), UNKNOWN, Absent(), Unclear("HTTP 503"), VideoRefused("its host")]
)
async def test_check_never_reopens_or_buys_a_clip_that_presumably_failed(
    timed_out: Purchase, outcome: Outcome
) -> None:
    before = await timed_out.clip()
    assert (await timed_out.check(outcome)).failed == 1
    assert await timed_out.clip() == before
    assert len(timed_out.parts.provider.submitted) == 1
    assert timed_out.parts.provider.traced == []


async def test_presumed_failure_is_asked_about_for_a_day_and_another_one_never(timed_out: Purchase) -> None:
    asked = timed_out.parts.provider.asked
    timed_out.parts.clock.advance(hours=23)
    before = len(asked)
    await timed_out.check(Acknowledged())
    assert len(asked) == before + 1
    timed_out.parts.clock.advance(hours=2)
    await timed_out.check(Acknowledged())
    assert len(asked) == before + 1
    one = await timed_out.clip()
    await timed_out.parts.settler.settle([event(one, FAILURE)])
    timed_out.parts.clock.advance(hours=-20)
    await timed_out.check(SUCCESS)
    assert len(asked) == before + 1
    assert (await timed_out.clip()).status is ClipStatus.FAILED


async def test_nothing_is_bought_while_runware_can_not_be_asked(timed_out: Purchase) -> None:
    with pytest.raises(ProviderUnavailable, match=r"\(HTTP 503\).*Nothing was bought"):
        await timed_out.again(Unclear("HTTP 503"))
    assert len(timed_out.parts.provider.submitted) == 1
    assert (await timed_out.clip()).attempt == 1


async def test_two_retries_at_once_ask_in_turn_and_buy_once(timed_out: Purchase) -> None:
    timed_out.parts.provider.outcome = UNKNOWN
    await asyncio.gather(
        *(timed_out.generator.retry(timed_out.project_id, None, Operator()) for _ in range(5))
    )
    assert len(timed_out.parts.provider.submitted) == 2


async def test_two_calls_at_once_do_not_both_wait_for_a_job_and_buy_it_again(timed_out: Purchase) -> None:
    """Runware knows the job when it is asked first, and for a moment does not when it is asked again."""
    timed_out.parts.provider.first_outcomes = [Acknowledged(), UNKNOWN]
    calls = (timed_out.generator.generate(timed_out.project_id, Operator()) for _ in range(2))
    for answer in await asyncio.gather(*calls):
        assert (answer.progress.pending, answer.progress.failed) == (1, 0)
    assert len(timed_out.parts.provider.submitted) == 1
    assert timed_out.parts.provider.first_outcomes == [UNKNOWN]


async def test_job_that_runware_does_not_know_any_more_is_bought_again(timed_out: Purchase) -> None:
    await timed_out.again(UNKNOWN)
    assert len(timed_out.parts.provider.submitted) == 2
    assert (await timed_out.clip()).attempt == 2


async def test_attempt_that_waits_to_be_sent_is_not_sent_when_the_earlier_ones_video_comes(
    timed_out: Purchase,
) -> None:
    parts, first = timed_out.parts, await timed_out.clip()
    second = replace(first, task_uuid=TaskUUID("second"), attempt=2, status=ClipStatus.SUBMITTING, sends=0)
    second = replace(second, failure=None, settled_at=None, settled_by=None, version=0)
    await parts.store.record(timed_out.project_id, [second], parts.clock())
    await parts.settler.settle([event(first)])
    await parts.submitter.submit([second])
    assert parts.provider.submitted == [first.task_uuid]
    assert (await timed_out.clip()).task_uuid == first.task_uuid
    withdrawn = await parts.stored(second)
    assert withdrawn.failure is not None
    assert withdrawn.failure.kind is FailureKind.WITHDRAWN


async def test_result_that_the_store_refuses_stops_no_other(parts: Parts) -> None:
    clips = await parts.record(40)
    parts.store.refusing = clips[17].task_uuid
    together = [event(one) for one in clips[:20]]
    alone = [parts.settler.settle([event(one)]) for one in clips[20:]]
    ends = await asyncio.gather(parts.settler.settle(together), *alone, return_exceptions=True)
    assert isinstance(ends[0], StoreRefused)
    assert ends[1:] == [[Effect.CHANGED]] * 20
    states = [(await parts.stored(one)).status for one in clips]
    assert states.count(ClipStatus.SUCCEEDED) == 39
    assert states[17] is ClipStatus.SUBMITTING


async def test_providers_words_are_stored_without_what_no_database_takes(parts: Parts) -> None:
    (one,) = await parts.record(1)
    words = Failed(Failure(FailureKind.PROVIDER, "odd\0", "Nul \0, half a pair \ud83d."))
    await parts.settler.settle([event(one, words)])
    failure = (await parts.stored(one)).failure
    assert failure is not None
    assert (failure.code, failure.message) == ("odd", "Nul , half a pair ?.")


async def test_nothing_is_sent_that_could_not_be_put_into_the_ledger(parts: Parts) -> None:
    clips = await parts.record(60)
    parts.store.failing = True
    with pytest.raises(StoreUnavailable):
        await parts.submitter.submit(clips)
    assert parts.provider.submitted == []


async def test_of_two_who_would_send_the_same_clip_one_does(parts: Parts) -> None:
    clips = await parts.record(30)
    await asyncio.gather(*(parts.submitter.submit(clips) for _ in range(3)))
    assert sorted(parts.provider.submitted) == sorted(one.task_uuid for one in clips)


async def test_tasks_go_out_in_batches_and_no_more_at_a_time_than_allowed(parts: Parts) -> None:
    clips = await parts.record(230)
    sizes: list[int] = []
    at_once, most = 0, 0
    full = asyncio.Event()

    async def take_a_while(batch: Sequence[Clip]) -> None:
        nonlocal at_once, most
        sizes.append(len(batch))
        at_once += 1
        most = max(most, at_once)
        if at_once == 4:
            full.set()
        await full.wait()
        at_once -= 1

    parts.provider.before_submission = take_a_while
    await asyncio.gather(parts.submitter.submit(clips[:115]), parts.submitter.submit(clips[115:]))
    assert sorted(sizes) == [15, 15, *[25] * 8]
    assert most == 4


@pytest.mark.parametrize(
    ("frame_bytes", "sizes"),
    [(0, [5]), (MAX_FRAME_BYTES // 2, [2, 2, 1]), (MAX_FRAME_BYTES // 2 + 1, [1] * 5), (10**8, [1] * 5)],
)
async def test_frames_that_go_along_keep_batches_small_and_a_clip_of_large_ones_goes_alone(
    parts: Parts, frame_bytes: int, sizes: list[int]
) -> None:
    sent: list[int] = []

    async def count(batch: Sequence[Clip]) -> None:
        sent.append(len(batch))

    parts.provider.frame_bytes, parts.provider.before_submission = frame_bytes, count
    await parts.submitter.submit(await parts.record(5))
    assert sorted(sent, reverse=True) == sizes


async def test_failed_batch_does_not_break_off_the_others(parts: Parts) -> None:
    clips = await parts.record(100)

    async def fail_one(batch: Sequence[Clip]) -> None:
        await asyncio.sleep(0.01)
        if clips[0] in batch:
            raise StoreUnavailable("The database is gone.")

    parts.provider.before_submission = fail_one
    with pytest.raises(StoreUnavailable):
        await parts.submitter.submit(clips)
    assert sorted(parts.provider.submitted) == sorted(one.task_uuid for one in clips[25:])
    states = {(await parts.stored(one)).status for one in clips[25:]}
    assert states == {ClipStatus.PENDING}


async def test_clip_that_a_webhook_settled_first_is_not_sent(parts: Parts) -> None:
    (one,) = await parts.record(1)
    await parts.settler.settle([event(one)])
    await parts.submitter.submit([one])
    assert parts.provider.submitted == []


async def test_tick_asks_before_it_sends_again_and_counts_to_three(parts: Parts) -> None:
    (one,) = await parts.record(1)
    parts.provider.outcome = UNKNOWN
    for sends in (1, 2, 3):
        parts.clock.advance(seconds=61)
        await parts.poller.tick()
        await parts.background.drain(5)
        assert len(parts.provider.asked) >= len(parts.provider.submitted) == sends
    parts.clock.advance(seconds=61)
    await parts.poller.tick()
    stored = await parts.stored(one)
    assert (stored.status, len(parts.provider.submitted)) == (ClipStatus.FAILED, 3)
    assert Scrape(parts.metrics.text())("poll_clips_sent_again_total") == 3


async def test_tick_claims_no_clip_twice_however_long_it_takes(tmp_path: Path) -> None:
    """With more clips than one claim takes and a lease that ends before the first claim is dealt with."""
    async with running_parts(tmp_path, timedelta(microseconds=1)) as parts:
        await parts.record(1500, status=ClipStatus.PENDING)
        await parts.poller.tick()
        assert len(parts.provider.asked) == len(set(parts.provider.asked)) == 1500


async def test_tick_without_a_store_is_skipped_and_the_next_one_works(parts: Parts) -> None:
    (one,) = await parts.record(1)
    parts.provider.outcome = SUCCESS
    parts.store.failing = True
    await parts.poller.tick()
    assert parts.poller.health is PollerHealth.ALIVE
    parts.store.failing = False
    parts.clock.advance(seconds=10)
    await parts.poller.tick()
    assert (await parts.stored(one)).status is ClipStatus.SUCCEEDED
    seen = Scrape(parts.metrics.text())
    assert seen("poll_ticks_total", outcome="skipped") == 1
    assert seen("poll_ticks_total", outcome="completed") == 1


async def test_poller_whose_ticks_keep_failing_says_so_until_one_goes_through(parts: Parts) -> None:
    await parts.record(1)
    parts.provider.outcome = SUCCESS
    parts.store.failing = True
    health = []
    for _ in range(3):
        await parts.poller.tick()
        health.append(parts.poller.health)
        parts.clock.advance(seconds=10)
    parts.store.failing = False
    await parts.poller.tick()
    health.append(parts.poller.health)
    assert health == [PollerHealth.ALIVE, PollerHealth.ALIVE, PollerHealth.FAILING, PollerHealth.ALIVE]


async def test_poller_that_has_not_ticked_for_a_minute_is_stalled_whatever_the_clock_says(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    monkeypatch.setattr(parts.poller, "monotonic", lambda: seconds)
    health = [parts.poller.health]
    await parts.poller.tick()
    parts.clock.advance(hours=2)
    health.append(parts.poller.health)
    parts.clock.advance(hours=-4)
    seconds = 71
    health.append(parts.poller.health)
    assert health == [PollerHealth.STALLED, PollerHealth.ALIVE, PollerHealth.STALLED]


async def test_acknowledged_clip_is_pending_whoever_asked(parts: Parts) -> None:
    (one,) = await parts.record(1)
    assert await parts.settler.settle([event(one, Acknowledged(), SettledBy.CHECK)]) == [Effect.CHANGED]
    assert (await parts.stored(one)).status is ClipStatus.PENDING


async def test_secrets_in_the_providers_words_are_not_stored(parts: Parts) -> None:
    (one,) = await parts.record(1)
    words = f"can't reach https://clips.example/webhooks/runware?job=1&token=2, key {SECRET}"
    refused = Failed(Failure(FailureKind.REJECTED, "invalidWebhookURL", words))
    await parts.settler.settle([event(one, refused)])
    stored = await parts.stored(one)
    assert stored.failure is not None
    assert stored.failure.message == "can't reach https://clips.example/webhooks/runware?*** key ***"
