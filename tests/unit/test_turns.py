import asyncio
from collections.abc import Sequence
from contextlib import suppress

from service.clips.fairness import in_turn
from service.clips.models import ProjectId
from service.workflow.turns import Turns
from tests.builders import clip


class Work:
    """Holds slots until it is told to end; `begun` are the names in the order of their slots."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, *names: str) -> None:
        """Begin work by name, such as "a1"; the letter says whose it is."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._work(name))
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)

    async def end_all(self) -> Sequence[str]:
        for end in self._ends.values():
            end.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        return self.begun

    async def _work(self, name: str) -> None:
        async with self.turns.slot(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()


async def test_one_of_another_project_comes_after_the_next_slot_however_many_wait() -> None:
    work = Work(Turns(1))
    await work.begin("a1", *(f"a{n}" for n in range(2, 1000)), "b1")
    await work.end("a1")
    await work.end("a2")
    assert work.begun == ["a1", "a2", "b1"]
    await work.end_all()


async def test_projects_get_slots_in_turn_and_each_in_its_own_order() -> None:
    work = Work(Turns(1))
    await work.begin("a1", "a2", "a3", "a4", "b1", "b2", "c1")
    assert await work.end_all() == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_no_more_work_at_a_time_than_there_are_slots_and_no_slot_is_idle() -> None:
    work = Work(Turns(2))
    await work.begin("a1", "a2", "a3", "b1")
    assert work.begun == ["a1", "a2"]
    await work.end("a2")
    assert work.begun == ["a1", "a2", "a3"]
    await work.end_all()


async def test_one_project_gets_no_more_than_its_share_while_slots_are_free() -> None:
    work = Work(Turns(2, each=1))
    await work.begin("a1", "a2", "b1")
    assert work.begun == ["a1", "b1"]
    await work.end("b1")
    assert work.begun == ["a1", "b1"]
    await work.end("a1")
    assert work.begun == ["a1", "b1", "a2"]
    await work.end_all()


async def test_cancelled_while_it_waits_takes_no_slot() -> None:
    work = Work(Turns(1))
    await work.begin("a1", "b1", "c1")
    await work.cancel("b1")
    await work.end("a1")
    assert work.begun == ["a1", "c1"]
    await work.end_all()


async def test_cancelled_as_its_turn_comes_gives_the_slot_on() -> None:
    work = Work(Turns(1))
    async with work.turns.slot("a"):
        await work.begin("b1", "c1")
    # The slot is b1's now, which has not run since.
    await work.cancel("b1")
    assert work.begun == ["c1"]
    await work.end_all()


async def test_work_that_fails_gives_its_slot_back() -> None:
    turns = Turns(1)
    for _ in range(2):
        with suppress(ZeroDivisionError):
            async with turns.slot("a"):
                raise ZeroDivisionError
    async with asyncio.timeout(10), turns.slot("b"):
        pass


def test_clips_of_many_projects_are_put_in_turn_and_each_projects_own_stay_in_order() -> None:
    a, b = ProjectId("a"), ProjectId("b")
    many = [clip(str(n), project_id=a) for n in range(3)]
    one = clip(project_id=b)
    assert in_turn([*many, one]) == [many[0], one, many[1], many[2]]
    assert in_turn([]) == []
