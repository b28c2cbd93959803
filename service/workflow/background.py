import asyncio
from collections.abc import Coroutine

import structlog

from service.errors import StoreUnavailable

log = structlog.get_logger(__name__)


class Background:
    """Tasks that outlive the call that started them: each is tracked, and its exception logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run `work` beside everything else; `name` stands in the log if it fails."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def drain(self, timeout_s: float) -> None:
        """Wait for all tasks, `timeout_s` seconds at most, then cancel what is left and wait for that."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        match task.exception():
            case None:
                pass
            case StoreUnavailable() as error:
                log.error("background task broken off", task=task.get_name(), error=str(error))
            case error:
                log.error("background task failed", task=task.get_name(), exc_info=error)
