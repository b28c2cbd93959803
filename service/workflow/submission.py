import asyncio
from collections.abc import Sequence

from service.clips.lifecycle import sent
from service.clips.models import Clip, SettledBy
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Event, Settler


class Submitter:
    """Sends clips' tasks to the provider, the ledger's entry always ahead of the money.

    `concurrency` batches of `batch_size` tasks at a time, over all calls together.
    """

    def __init__(
        self,
        store: Store,
        provider: Provider,
        settler: Settler,
        clock: Clock,
        *,
        batch_size: int,
        concurrency: int,
    ) -> None:
        self._store = store
        self._provider = provider
        self._settler = settler
        self._clock = clock
        self._batch_size = batch_size
        self._slots = asyncio.Semaphore(concurrency)

    async def submit(self, clips: Sequence[Clip]) -> None:
        """Send every clip's task and store what came of it; returns when all answers are in.

        A clip whose end is unclear stays `submitting`, for the poller to ask about.
        """
        async with asyncio.TaskGroup() as group:
            for start in range(0, len(clips), self._batch_size):
                group.create_task(self._submit_batch(clips[start : start + self._batch_size]))

    async def _submit_batch(self, clips: Sequence[Clip]) -> None:
        async with self._slots:
            now = self._clock()
            # The conditional write decides who sends: a batch that waited so long for its slot that the
            # poller took over one of its clips leaves that clip out.
            won = await self._store.save([sent(clip, now) for clip in clips], now)
            batch = [clip for clip in clips if clip.task_uuid in won]
            if not batch:
                return
            outcomes = await self._provider.submit(batch)
        await self._settler.settle(
            [Event(task_uuid, outcome, SettledBy.SUBMISSION) for task_uuid, outcome in outcomes.items()]
        )
