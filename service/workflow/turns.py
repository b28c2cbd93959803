import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Bounds how many work at a time. Those who wait get a free slot in turn, by `whose` they are.

    A semaphore serves in the order of arrival: one clip of a project would wait behind ten thousand of
    another. `each` bounds how many slots are anybody's at a time.
    """

    def __init__(self, slots: int, each: int | None = None) -> None:
        self._free = slots
        self._each = slots if each is None else each
        self._held: Counter[str] = Counter()
        # In the order of their turns. While a slot is free, nobody waits who may have it.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def slot(self, whose: str) -> AsyncIterator[None]:
        """Hold a slot, from when it is this one's turn."""
        await self._take(whose)
        try:
            yield
        finally:
            self._give_back(whose)

    async def _take(self, whose: str) -> None:
        if self._free and self._may_have_one(whose):
            self._hand_to(whose)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give_back(whose)
            raise

    def _give_back(self, whose: str) -> None:
        self._free += 1
        self._held[whose] -= 1
        if not self._held[whose]:
            del self._held[whose]
        while self._free and (following := self._next()) is not None:
            queue = self._waiting.pop(following)
            turn = queue.popleft()
            if queue:
                self._waiting[following] = queue
            if not turn.done():
                self._hand_to(following)
                turn.set_result(None)

    def _next(self) -> str | None:
        return next((whose for whose in self._waiting if self._may_have_one(whose)), None)

    def _may_have_one(self, whose: str) -> bool:
        return self._held[whose] < self._each

    def _hand_to(self, whose: str) -> None:
        self._free -= 1
        self._held[whose] += 1
