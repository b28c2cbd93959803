import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from service.clips.lifecycle import after_unclear_send, sent
from service.clips.models import Clip, SettledBy, TaskUUID
from service.clips.outcomes import Throttled
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Settler, events_of

log = structlog.get_logger(__name__)

# How large a body Runware takes is not documented. This one is sent in 10 s at 6.4 Mbit/s.
MAX_FRAME_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Submitter:
    """Sends clips' tasks to the provider, the ledger's entry always ahead of the money.

    Batches of `batch_size` tasks; `slots` bounds how many are under way, over all calls together. The frames
    that go along with a batch have `MAX_FRAME_BYTES` at most, unless one clip's have more.
    """

    store: Store
    provider: Provider
    settler: Settler
    clock: Clock
    batch_size: int
    slots: asyncio.Semaphore

    async def submit(self, clips: Sequence[Clip]) -> None:
        """Send every clip's task and store what came of it; returns when all answers are in.

        A clip whose end is unclear stays `submitting`, for the poller to ask about. Raises StoreUnavailable,
        after all batches have ended.
        """
        batches = list(self._batches(clips, await self.provider.bytes_sent(clips)))
        # Not a TaskGroup: one batch's failure must not break off the requests of the others.
        ends = await asyncio.gather(*map(self._submit_batch, batches), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    def _batches(self, clips: Sequence[Clip], sizes: Mapping[TaskUUID, int]) -> Iterator[Sequence[Clip]]:
        """Divide clips into batches, of half the size after each refusal for lack of room.

        A batch may be too much at a time where one of its tasks would not be.
        """
        for throttled, alike in groupby(sorted(clips, key=_throttled), key=_throttled):
            yield from _divided(alike, max(1, self.batch_size >> throttled), sizes)

    async def _submit_batch(self, clips: Sequence[Clip]) -> None:
        async with self.slots:
            now = self.clock()
            # The conditional write decides who sends: a batch that waited so long for its slot that the
            # poller took over one of its clips leaves that clip out.
            won = await self.store.save([sent(clip, now) for clip in clips], now)
            batch = [clip for clip in clips if clip.task_uuid in won]
            if not batch:
                return
            outcomes = await self.provider.submit(batch)
        sent_before = {clip.task_uuid for clip in batch if clip.maybe_taken}
        worth = {
            task: after_unclear_send(outcome) if task in sent_before else outcome
            for task, outcome in outcomes.items()
        }
        refused = [outcome for outcome in worth.values() if isinstance(outcome, Throttled)]
        if refused:
            log.warning(
                "Runware has no room for some clips now", clips=len(refused), code=refused[0].failure.code
            )
        await self.settler.settle(events_of(worth, SettledBy.SUBMISSION))


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
