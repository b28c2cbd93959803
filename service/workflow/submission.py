import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from service.clips.lifecycle import after_unclear_send, sent
from service.clips.models import Clip, SettledBy
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Settler, events_of


@dataclass(frozen=True, slots=True)
class Submitter:
    """Sends clips' tasks to the provider, the ledger's entry always ahead of the money.

    Batches of `batch_size` tasks; `slots` bounds how many are under way, over all calls together.
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
        batches = [clips[start : start + self.batch_size] for start in range(0, len(clips), self.batch_size)]
        # Not a TaskGroup: one batch's failure must not break off the requests of the others.
        ends = await asyncio.gather(*map(self._submit_batch, batches), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

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
        sent_before = {clip.task_uuid for clip in batch if clip.sends}
        worth = {
            task: after_unclear_send(outcome) if task in sent_before else outcome
            for task, outcome in outcomes.items()
        }
        await self.settler.settle(events_of(worth, SettledBy.SUBMISSION))
