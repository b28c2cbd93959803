import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from service.clips.edits import only_moved
from service.clips.lifecycle import sent
from service.clips.models import Clip, ClipRequest, SettledBy, TaskUUID
from service.clips.outcomes import Acknowledged, Outcome, Succeeded, Throttled, Unclear, VideoRefused
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Settler, events_of
from service.workflow.turns import Turns

log = structlog.get_logger(__name__)

Estimates = Callable[[Sequence[ClipRequest]], Awaitable[Sequence[float | None]]]
"""Gives what each clip will presumably cost in USD, None where nobody knows. Never raises."""

# How large a body Runware takes is not documented. This one is sent in 10 s at 6.4 Mbit/s.
MAX_FRAME_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Submitter:
    """Sends clips' tasks to the provider, the ledger's entry always ahead of the money.

    Batches of `batch_size` tasks; `slots` bounds how many are under way, over all calls together, and they
    go from project to project. The frames that go along with a batch have `MAX_FRAME_BYTES` at most, unless
    one clip's have more. The log says of each clip that it was submitted, or that this is unclear; the
    settler says of one that it failed.
    """

    store: Store
    provider: Provider
    settler: Settler
    clock: Clock
    estimates: Estimates
    batch_size: int
    slots: Turns

    async def submit(self, clips: Sequence[Clip]) -> None:
        """Send every clip's task and store what came of it; returns when all answers are in.

        A clip whose end is unclear stays `submitting`, for the poller to ask about. Raises StoreUnavailable,
        after all batches have ended.
        """
        # First of all: once a clip is marked as sent, the time of its submission runs.
        estimates = await self.estimates([clip.request for clip in clips])
        usd = {clip.task_uuid: estimate for clip, estimate in zip(clips, estimates, strict=True)}
        batches = list(self._batches(clips, await self.provider.bytes_sent(clips)))
        submissions = (self._submit_batch(batch, usd) for batch in batches)
        # Not a TaskGroup: one batch's failure must not break off the requests of the others.
        ends = await asyncio.gather(*submissions, return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    def _batches(self, clips: Sequence[Clip], sizes: Mapping[TaskUUID, int]) -> Iterator[Sequence[Clip]]:
        """Divide clips into batches, of half the size after each refusal for lack of room.

        A batch may be too much at a time where one of its tasks would not be.
        """
        for throttled, alike in groupby(sorted(clips, key=_throttled), key=_throttled):
            yield from _divided(alike, max(1, self.batch_size >> throttled), sizes)

    async def _submit_batch(
        self, clips: Sequence[Clip], estimates_usd: Mapping[TaskUUID, float | None]
    ) -> None:
        async with self.slots.slot(clips[0].project_id):
            batch = await self._marked_as_sent(clips)
            if not batch:
                return
            outcomes = await self.provider.submit(batch)
        refused = [outcome for outcome in outcomes.values() if isinstance(outcome, Throttled)]
        if refused:
            log.warning(
                "Runware has no room for some clips now", clips=len(refused), code=refused[0].failure.code
            )
        # Before the answers are stored: what is paid for is told even if the database is away by now.
        for clip in batch:
            _log_answer(clip, outcomes[clip.task_uuid], estimates_usd[clip.task_uuid])
        await self.settler.settle(events_of(outcomes, SettledBy.SUBMISSION))

    async def _marked_as_sent(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        """Mark clips as sent; gives those that are this call's to send, as they were before.

        The conditional write decides: one that the poller took over while the batch waited for its slot, or
        that a person cancelled, is left out. One that only moved to another scene is tried once more.
        """
        now = self.clock()
        won = await self.store.save([sent(clip, now) for clip in clips], now)
        batch = [clip for clip in clips if clip.task_uuid in won]
        lost = {clip.task_uuid: clip for clip in clips if clip.task_uuid not in won}
        if not lost:
            return batch
        after = await self.store.clips(list(lost))
        moved = [clip for clip in after if only_moved(lost[clip.task_uuid], clip)]
        won = await self.store.save([sent(clip, now) for clip in moved], now)
        return [*batch, *(clip for clip in moved if clip.task_uuid in won)]


def _log_answer(clip: Clip, outcome: Outcome, estimate_usd: float | None) -> None:
    settings = clip.request.settings
    facts: dict[str, object] = {
        "project": clip.project_id,
        "scene": clip.scene,
        "job": clip.task_uuid,
        "attempt": clip.attempt,
        "sends": clip.sends + 1,
        "model": settings.model,
        "resolution": settings.resolution,
        "audio": settings.generate_audio,
        "duration_s": clip.request.duration_s,
        "estimate_usd": estimate_usd,
    }
    match outcome:
        case Acknowledged() | Succeeded() | VideoRefused():
            log.info("clip submitted", **facts)
        case Unclear(reason):
            log.warning("clip submission unclear", **facts, reason=reason)


def _divided(clips: Iterable[Clip], most: int, sizes: Mapping[TaskUUID, int]) -> Iterator[Sequence[Clip]]:
    batch: list[Clip] = []
    room = MAX_FRAME_BYTES
    for clip in clips:
        size = sizes[clip.task_uuid]
        if batch and (len(batch) == most or size > room):
            yield batch
            batch, room = [], MAX_FRAME_BYTES
        batch.append(clip)
        room -= size
    if batch:
        yield batch


def _throttled(clip: Clip) -> int:
    return clip.throttled
