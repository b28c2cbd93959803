"""The one place where outcomes become stored states, whoever brings them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import structlog

from service.clips.lifecycle import Policy, Refusal, transition
from service.clips.models import Clip, SettledBy, TaskUUID
from service.clips.outcomes import Expired, Failed, Outcome, Unknown
from service.errors import StoreUnavailable
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


@dataclass(slots=True)
class _Bundle:
    events: Sequence[Event]
    effects: asyncio.Future[Sequence[Effect]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Settler:
    """Takes events from all sides and stores what they change, in as few writes as possible.

    While one write is under way the events of other callers gather, and go into the next write together.
    `redact` takes the secrets out of a text; `on_change` is called after each write.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        clock: Clock,
        redact: Callable[[str], str],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._redact = redact
        self._policy = policy
        self._clock = clock
        self._stopped = False
        self._waiting: asyncio.Queue[_Bundle | None] = asyncio.Queue(maxsize=10_000)

    async def settle(self, events: Sequence[Event]) -> Sequence[Effect]:
        """Store what the events change; returns, in their order, after that is committed.

        Raises StoreUnavailable: nothing is stored then, and the events may be brought again.
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
        try:
            effects = iter(await self._store_events([e for bundle in batch for e in bundle.events]))
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear it, and the writer go on
            for bundle in batch:
                if not bundle.effects.done():
                    bundle.effects.set_exception(error)
            return
        for bundle in batch:
            own = [next(effects) for _ in bundle.events]
            if not bundle.effects.done():
                bundle.effects.set_result(own)

    async def _store_events(self, events: Sequence[Event]) -> Sequence[Effect]:
        effects = [Effect.UNCHANGED] * len(events)
        open_events = list(enumerate(events))
        for _ in range(_MAX_ROUNDS):
            stored = {
                clip.task_uuid: clip
                for clip in await self._store.clips({e.task_uuid for _, e in open_events})
            }
            now = self._clock()
            changed: dict[TaskUUID, Clip] = {}
            for index, event in open_events:
                before = changed.get(event.task_uuid) or stored.get(event.task_uuid)
                if before is None:
                    effects[index] = Effect.NO_SUCH_CLIP
                    continue
                after = transition(before, self._redacted(event.outcome), event.by, now, self._policy)
                if isinstance(after, Refusal):
                    effects[index] = Effect.UNCHANGED
                    continue
                effects[index] = Effect.CHANGED
                changed[event.task_uuid] = after
            if not changed:
                return effects
            saved = await self._store.save(list(changed.values()), now)
            self._on_change()
            for task_uuid in saved:
                _log_settled(changed[task_uuid])
            lost = changed.keys() - saved
            if not lost:
                return effects
            open_events = [(index, event) for index, event in open_events if event.task_uuid in lost]
        raise StoreUnavailable(
            f"{len(open_events)} results could not be stored: their clips kept changing. Bring them again."
        )

    def _redacted(self, outcome: Outcome) -> Outcome:
        """Take secrets out of the provider's words, which are stored, shown and logged from here on."""
        if not isinstance(outcome, Failed | Unknown | Expired):
            return outcome
        message = self._redact(outcome.failure.message)[:_MAX_MESSAGE]
        return replace(outcome, failure=replace(outcome.failure, message=message))


def _log_settled(clip: Clip) -> None:
    if not clip.status.settled or clip.settled_at is None:
        return
    facts: dict[str, object] = {
        "project": clip.project_id,
        "scene": clip.scene,
        "job": clip.task_uuid,
        "attempt": clip.attempt,
        "seconds": round((clip.settled_at - clip.submitted_at).total_seconds(), 1),
        "settled_by": clip.settled_by,
        "cost_usd": clip.cost_usd,
    }
    if clip.failure is None:
        log.info("clip succeeded", **facts)
    else:
        log.warning(
            "clip failed", **facts, kind=clip.failure.kind, code=clip.failure.code, error=clip.failure.message
        )
