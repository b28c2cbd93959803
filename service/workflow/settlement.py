"""The one place where outcomes become stored states, whoever brings them."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Protocol

import structlog

from service.clips.lifecycle import Policy, Refusal, awaits_room, transition
from service.clips.models import ACCOUNT_REMEDY, Clip, ClipStatus, FailureKind, SettledBy, TaskUUID
from service.clips.outcomes import Expired, Failed, Outcome, Superfluous, Unknown
from service.errors import StoreRefused, StoreUnavailable
from service.workflow.ports import Clock, Store

log = structlog.get_logger(__name__)

# Bounds memory and the length of one transaction; a burst beyond it is stored in several writes.
_MAX_EVENTS_A_WRITE = 1000
# Longer than any sentence, shorter than a page of markup.
_MAX_MESSAGE = 1000
# A round is lost only when another process has changed one of its clips in between. A clip changes a
# handful of times in all, so that more rounds than this mean that the store misbehaves.
_MAX_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Event:
    """An outcome for a clip, and the path that brought it."""

    task_uuid: TaskUUID
    outcome: Outcome
    by: SettledBy


def events_of(outcomes: Mapping[TaskUUID, Outcome], by: SettledBy) -> list[Event]:
    """Make an event of each task's outcome."""
    return [Event(task_uuid, outcome, by) for task_uuid, outcome in outcomes.items()]


class Effect(StrEnum):
    """What an event did to its clip."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NO_SUCH_CLIP = "no_such_clip"


class SettlementMeter(Protocol):
    """Counts what becomes of results. No method raises, or waits."""

    def clip_settled(self, clip: Clip) -> None:
        """Count a clip's end, once that is stored."""

    def results_stored(self, results: int, seconds: float) -> None:
        """Count a batch of results that the store took in, whatever it changed, and how long that took."""

    def result_refused(self) -> None:
        """Count a result that the store will not take."""

    def store_unavailable(self) -> None:
        """Count a batch of results that the store did not take."""


@dataclass(slots=True)
class _Bundle:
    events: Sequence[Event]
    effects: asyncio.Future[Sequence[Effect]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def answer(self, effects: Sequence[Effect | StoreRefused]) -> None:
        """Tell the caller what each event did, or that the store refuses one of them."""
        if self.effects.done():
            return
        done = [effect for effect in effects if not isinstance(effect, StoreRefused)]
        if len(done) == len(effects):
            self.effects.set_result(done)
        else:
            self.effects.set_exception(next(e for e in effects if isinstance(e, StoreRefused)))


@dataclass(slots=True)
class _Writing:
    """Events on their way into the store: what each has done so far, and which of them are still `open`.

    `open` has their places among the events.
    """

    events: Sequence[Event]
    effects: list[Effect | StoreRefused] = field(init=False)
    open: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        self.effects = [Effect.UNCHANGED] * len(self.events)
        self.open = range(len(self.events))

    @property
    def task_uuids(self) -> Collection[TaskUUID]:
        """The tasks that the open events are of."""
        return {self.events[place].task_uuid for place in self.open}

    def apply(
        self, stored: Mapping[TaskUUID, Clip], after: Callable[[Clip, Event], Clip | Refusal]
    ) -> Mapping[TaskUUID, Clip]:
        """Give the clips that the open events change, one event upon the other."""
        changed: dict[TaskUUID, Clip] = {}
        for place in self.open:
            event = self.events[place]
            before = changed.get(event.task_uuid) or stored.get(event.task_uuid)
            if before is None:
                self.effects[place] = Effect.NO_SUCH_CLIP
                continue
            clip = after(before, event)
            if isinstance(clip, Refusal):
                self.effects[place] = Effect.UNCHANGED
                continue
            self.effects[place] = Effect.CHANGED
            changed[event.task_uuid] = clip
        return changed

    def conclude(self, lost: Collection[TaskUUID], refused: Mapping[TaskUUID, StoreRefused]) -> None:
        """Leave those events open whose clips another writer changed first, and note what was refused."""
        for place in self.open:
            self.effects[place] = refused.get(self.events[place].task_uuid, self.effects[place])
        self.open = [place for place in self.open if self.events[place].task_uuid in lost]


class Settler:
    """Takes events from all sides and stores what they change, in as few writes as possible.

    While one write is under way the events of other callers gather, and go into the next write together.
    `redact` takes the secrets out of a text; `on_change` is called after each write, `on_settled` with each
    clip whose end was stored.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        clock: Clock,
        redact: Callable[[str], str],
        on_change: Callable[[], None],
        meter: SettlementMeter,
        on_settled: Callable[[Clip], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._on_settled = on_settled
        self._meter = meter
        self._redact = redact
        self._policy = policy
        self._clock = clock
        self._stopped = False
        self._waiting: asyncio.Queue[_Bundle | None] = asyncio.Queue(maxsize=10_000)

    async def settle(self, events: Sequence[Event]) -> Sequence[Effect]:
        """Store what the events change; returns, in their order, after that is committed.

        Raises StoreUnavailable: the events may be brought again, whatever has been stored of them. What
        others bring meanwhile is stored even where the database refuses a clip of these.
        """
        if not events:
            return []
        if self._stopped:
            raise StoreUnavailable("The service is stopping. Bring the results again when it is back.")
        bundle = _Bundle(events)
        await self._waiting.put(bundle)
        return await bundle.effects

    async def run(self) -> None:
        """Write until `stop`; the wiring keeps exactly one of these running."""
        while (first := await self._waiting.get()) is not None:
            batch, size = [first], len(first.events)
            while size < _MAX_EVENTS_A_WRITE and not self._waiting.empty():
                following = self._waiting.get_nowait()
                if following is None:
                    self._waiting.put_nowait(None)
                    break
                batch.append(following)
                size += len(following.events)
            await self._settle_batch(batch)

    async def stop(self) -> None:
        """Let `run` end after all that was brought before."""
        self._stopped = True
        await self._waiting.put(None)

    async def _settle_batch(self, batch: Sequence[_Bundle]) -> None:
        events = [event for bundle in batch for event in bundle.events]
        started = time.perf_counter()
        try:
            effects = iter(await self._store_events(events))
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear it, and the writer go on
            if isinstance(error, StoreUnavailable):
                self._meter.store_unavailable()
            for bundle in batch:
                if not bundle.effects.done():
                    bundle.effects.set_exception(error)
            return
        self._meter.results_stored(len(events), time.perf_counter() - started)
        for bundle in batch:
            bundle.answer(list(islice(effects, len(bundle.events))))

    async def _store_events(self, events: Sequence[Event]) -> Sequence[Effect | StoreRefused]:
        writing = _Writing(events)
        for _ in range(_MAX_ROUNDS):
            await self._store_once(writing)
            if not writing.open:
                return writing.effects
        raise StoreUnavailable(
            f"{len(writing.open)} results could not be stored: their clips kept changing. Bring them again."
        )

    async def _store_once(self, writing: "_Writing") -> None:
        """Read the clips of the open events, and store what these change unless another writer was first."""
        stored = {clip.task_uuid: clip for clip in await self._store.clips(writing.task_uuids)}
        now = self._clock()
        changed = writing.apply(stored, lambda clip, event: self._after(clip, event, now))
        if not changed:
            writing.conclude((), {})
            return
        late = [after for task, after in changed.items() if _came_late(stored[task], after)]
        # Before the success is stored: if either write fails, the result is brought again and does both.
        await self._withdraw_unsent(late, now)
        saved, refused = await self._save(list(changed.values()), now)
        # And after it, since until then another copy could record one more, or be told that there is no
        # room for one that was on its way. The store lets none be sent.
        await self._withdraw_superfluous([*late, *filter(_waits_behind_others, changed.values())], now)
        self._on_change()
        for task_uuid in saved:
            self._tell_settled(changed[task_uuid])
        writing.conclude(changed.keys() - saved - refused.keys(), refused)

    def _after(self, clip: Clip, event: Event, now: datetime) -> Clip | Refusal:
        return transition(clip, self._redacted(event.outcome), event.by, now, self._policy)

    async def _save(
        self, changed: Sequence[Clip], now: datetime
    ) -> tuple[Collection[TaskUUID], Mapping[TaskUUID, StoreRefused]]:
        """Store clips; halve what the store refuses until the bad clip stands alone and stops no other."""
        try:
            return await self._store.save(changed, now), {}
        except StoreRefused as refused:
            if len(changed) == 1:
                log.error("result refused by the store", job=changed[0].task_uuid, error=str(refused))
                self._meter.result_refused()
                return (), {changed[0].task_uuid: refused}
        middle = len(changed) // 2
        saved, refusals = await self._save(changed[:middle], now)
        more_saved, more_refusals = await self._save(changed[middle:], now)
        return {*saved, *more_saved}, {**refusals, **more_refusals}

    async def _withdraw_unsent(self, late: Sequence[Clip], now: datetime) -> None:
        """Take back the attempts that were recorded in place of clips which have succeeded after all.

        One that has just been sent has a newer version, and goes on.
        """
        for clip in late:
            await self._withdraw(await self._store.attempts(clip.project_id, {clip.fingerprint}), now)

    async def _withdraw_superfluous(self, clips: Sequence[Clip], now: datetime) -> None:
        """Take back the unsent attempts at what these clips are of, where one has succeeded."""
        for clip in clips:
            attempts = await self._store.attempts(clip.project_id, {clip.fingerprint})
            if any(one.status is ClipStatus.SUCCEEDED for one in attempts):
                await self._withdraw(attempts, now)

    async def _withdraw(self, attempts: Sequence[Clip], now: datetime) -> None:
        ends = (transition(one, Superfluous(), SettledBy.SUBMISSION, now, self._policy) for one in attempts)
        withdrawn = {one.task_uuid: one for one in ends if not isinstance(one, Refusal)}
        if withdrawn:
            for task_uuid in await self._store.save(list(withdrawn.values()), now):
                self._tell_settled(withdrawn[task_uuid])

    def _tell_settled(self, clip: Clip) -> None:
        if clip.status.settled and clip.settled_at is not None:
            self._on_settled(clip)
            self._meter.clip_settled(clip)
            _log_settled(clip, clip.settled_at)

    def _redacted(self, outcome: Outcome) -> Outcome:
        """Take secrets out of the provider's words, which are stored, shown and logged from here on."""
        if not isinstance(outcome, Failed | Unknown | Expired):
            return outcome
        failure = outcome.failure
        code, message, detail = (
            _storable(self._redact(text))[:_MAX_MESSAGE]
            for text in (failure.code, failure.message, failure.detail)
        )
        return replace(outcome, failure=replace(failure, code=code, message=message, detail=detail))


def _came_late(before: Clip, after: Clip) -> bool:
    return before.presumed_failed and after.status is ClipStatus.SUCCEEDED


def _waits_behind_others(after: Clip) -> bool:
    return after.attempt > 1 and awaits_room(after)


def _storable(text: str) -> str:
    # JSON may hold both; a database takes neither.
    return text.replace("\0", "").encode(errors="replace").decode()


def _log_settled(clip: Clip, settled_at: datetime) -> None:
    facts: dict[str, object] = {
        "project": clip.project_id,
        "scene": clip.scene,
        "job": clip.task_uuid,
        "attempt": clip.attempt,
        "seconds": round((settled_at - clip.submitted_at).total_seconds(), 1),
        "settled_by": clip.settled_by,
        "cost_usd": clip.cost_usd,
    }
    failure = clip.failure
    if failure is None:
        log.info("clip succeeded", **facts)
        return
    facts |= {"kind": failure.kind, "code": failure.code, "error": failure.sentence}
    if failure.kind is FailureKind.ACCOUNT:
        # Nobody who makes videos can mend it, and the page tells them that the log has the reason.
        log.error("clip failed", **facts, remedy=ACCOUNT_REMEDY)
    else:
        log.warning("clip failed", **facts)
