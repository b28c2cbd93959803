"""An event loop with virtual time, whose schedule a seed decides, and whose hosts can be killed."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Args = TypeVarTuple("Args")

HOST: ContextVar[int] = ContextVar("HOST", default=0)
"""Where a task runs: 0 is the world, every life of a copy of the service has a number of its own."""

Pick = Callable[[int], int]
"""Gives which of so many things that are ready comes first."""


class Stuck(AssertionError):
    """Nothing is ready and no timer runs: what waits would wait for ever."""


class Violation(AssertionError):
    """An invariant does not hold."""


class TooLong(AssertionError):
    """The run has taken more steps than any run should."""


class NumberedTask(asyncio.Task[T]):
    """Sorts into sets by its number: by its address, two runs would cancel tasks in different orders."""

    number = 0

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs one handle at a time. Time stands still while anything is ready, and then jumps to the next timer.

    What is ready lies in lanes: each task is one, each executor is one, all callbacks together are one.
    Within a lane the order is asyncio's; which lane comes first, `pick` decides. `on_work` is called after
    whatever ran in an executor. `trace` is a number that depends on every step.
    Errors of the `expected` type are no crash.

    Of the base class nothing is used: it stands there so that whatever asyncio asks for has a name. What is
    not overridden fails at once, since the base was never set up.
    """

    def __init__(
        self, pick: Pick, on_work: Callable[[], None], most_steps: int, expected: type[Exception]
    ) -> None:
        self.trace = 0
        self.steps = 0
        self.violation: Violation | None = None
        self._pick = pick
        self._on_work = on_work
        self._most_steps = most_steps
        self._expected = expected
        self._now = 0.0
        self._closed = False
        self._ready: list[tuple[int, int, asyncio.Handle]] = []
        self._dropped: list[tuple[int, int, asyncio.Handle]] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Callable[..., object], Context]] = []
        self._numbers = count(1)
        self._dead: set[int] = set()
        self._lanes: dict[Executor | None, int] = {}
        self._tasks: list[NumberedTask[Any]] = []

    # What the simulation does with it.

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the running loop."""
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end, and whatever else there is until then."""
        with self.running():
            task: asyncio.Task[T] = self.create_task(main)
            while not task.done():
                self._step()
            return task.result()

    def wind_up(self) -> None:
        """Cancel all tasks, those of the dead too, so that no coroutine is left to the garbage collector."""
        self._dead.clear()
        self._on_work = _nothing
        self._closed = True
        with self.running():
            self._ready += self._dropped
            for task in self._tasks:
                task.cancel()
            with suppress(Stuck):
                while any(not task.done() for task in self._tasks):
                    self._step()
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.exception()
        self._tasks.clear()
        self._timers.clear()

    def kill(self, host: int) -> None:
        """Let no handle of a host run any more, at whatever await its tasks are."""
        self._dead.add(host)

    def task_on(self, host: int, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a task on a host; all tasks that it begins are there, too."""
        context = copy_context()
        context.run(HOST.set, host)
        return self.create_task(work, context=context)

    def violate(self, text: str) -> None:
        """End the run after this step. The first violation is the one that is told."""
        self.violation = self.violation or Violation(text)

    def note(self, text: str) -> None:
        """Make the trace depend on a text."""
        self.trace = hash((self.trace, *text.encode()))

    def _step(self) -> None:
        self._collect_due()
        if not self._ready:
            if not self._timers:
                raise Stuck(f"Nothing is left to happen at {self._now:.3f} s.")
            self._now = max(self._now, self._timers[0][0])
            return
        chosen = self._pick(len(self._ready)) if len(self._ready) > 1 else 0
        lane = self._ready[chosen][0]
        first = next(place for place in range(chosen + 1) if self._ready[place][0] == lane)
        entry = self._ready.pop(first)
        _, host, handle = entry
        if host in self._dead:
            self._dropped.append(entry)
            return
        if handle.cancelled():
            return
        self.steps += 1
        self.trace = hash((self.trace, lane, round(self._now * 1e6)))
        handle._run()
        if self.violation is not None and not self._closed:
            raise self.violation
        if self.steps > self._most_steps:
            raise TooLong(f"The run was not over after {self.steps} steps, at {self._now:.0f} s.")

    def _collect_due(self) -> None:
        while self._timers and (self._timers[0][0] <= self._now or self._timers[0][2].cancelled()):
            _, _, timer, callback, context = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._enqueue(callback, timer, context)

    def _enqueue(
        self, callback: Callable[..., object], handle: asyncio.Handle, context: Context, lane: int = 0
    ) -> None:
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, NumberedTask):
            lane = owner.number
        self._ready.append((lane, context.get(HOST, 0), handle))

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        context = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(callback, handle, context)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer, callback, context))
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        task: NumberedTask[Any] = NumberedTask.__new__(NumberedTask)
        # Before its first step is enqueued.
        task.number = next(self._numbers)
        NumberedTask.__init__(task, coro, loop=self, name=str(name), context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Args]], T], *args: *Args
    ) -> asyncio.Future[T]:
        """Run `func` as one step of the executor's lane: its own thread is never started."""
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's
                future.set_exception(error)
            self._on_work()

        lane = self._lanes.setdefault(executor, -len(self._lanes) - 1)
        context = copy_context()
        self._enqueue(work, asyncio.Handle(work, (), self, context), context, lane)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # When nobody has asked for an error is for the garbage collector to say, and so in no order.
        if not isinstance(error, self._expected):
            self.violate(f"crash: {context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Do nothing: a timer that was cancelled is passed over when its time comes."""


def _nothing() -> None:
    return None
