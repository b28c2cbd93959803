"""A campaign: people press, copies are killed, the database fails, and in the end all must be right."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.torture.databases import Database
from tests.torture.house import House, standing_house
from tests.torture.people import People

_QUIET_WITHIN_S: Final = 900
_LOOK_EVERY_S: Final = 1.0
_PEOPLE: Final = 3


@dataclass(slots=True)
class Tally:
    """What was done to a house. `troubles` are what befell the database, by name."""

    kills: int = 0
    stops: int = 0
    troubles: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended. `answers` are what people were answered, by status, 0 for none."""

    tally: Tally
    clips: int
    videos: int
    accepted: int
    billed: int
    seen_twice: int
    lost_answers: int
    answers: Mapping[int, int]
    seconds: float
    violations: list[str]

    def __str__(self) -> str:
        rows = {
            "kills -9": self.tally.kills,
            "stops (SIGTERM)": self.tally.stops,
            "database": ", ".join(f"{name} {times}" for name, times in self.tally.troubles.items()) or "-",
            "its answers lost": self.lost_answers,
            "clips": f"{self.clips} rows, {self.videos} videos",
            "Runware": f"{self.accepted} accepted, {self.billed} billed, {self.seen_twice} sent twice",
            "people": ", ".join(f"{status or 'none'}: {n}" for status, n in sorted(self.answers.items())),
            "seconds": round(self.seconds),
            "violations": len(self.violations),
        }
        return "\n".join(f"{name:>16}  {value}" for name, value in rows.items())


async def run(
    folder: Path,
    database: Database,
    runware: Mapping[str, object],
    *,
    projects: int,
    scenes: int,
    kills: int,
    trouble_seconds: float,
) -> Ending:
    """Have people store so many projects, each of so many scenes, and torture the house while they press."""
    async with standing_house(folder, database, sandbox=runware) as house:
        people = People(house, seed=1)
        async with asyncio.TaskGroup() as group:
            pressing = [group.create_task(people.press_on()) for _ in range(_PEOPLE)]

            async def ask_for(share: int) -> None:
                for _ in range(share):
                    group.create_task(people.make(await people.store(scenes)))

            shares = [projects * (n + 1) // kills - projects * n // kills for n in range(kills)]
            tally = await torture(house, people, ask_for, shares, scenes, trouble_seconds)
            for person in pressing:
                person.cancel()
        return await quiet(house, people, tally)


async def torture(
    house: House,
    people: People,
    ask_for: Callable[[int], Coroutine[None, None, None]],
    shares: Sequence[int],
    scenes: int,
    trouble_seconds: float,
    seed: int = 1,
) -> Tally:
    """For each share of the projects: have it asked for, and kill, stop and trouble in the midst of it."""
    chance, tally = random.Random(seed), Tally()
    troubles = list(house.database.troubles().items())
    for number, share in enumerate(shares, start=1):
        await ask_for(share)
        await until_ended(house, house.ended + share * scenes // 3)
        match number % 4:
            case 0:
                # Both at once: nobody is left to go on.
                await _kill(house, tally, 0, 1)
            case 1 | 3:
                await _kill(house, tally, number // 2 % 2)
            case _:
                await _stop(house, tally, number // 2 % 2)
                await _kill(house, tally, chance.randrange(2))
        if troubles:
            name, trouble = troubles[(number - 1) % len(troubles)]
            tally.troubles[name] = tally.troubles.get(name, 0) + 1
            async with asyncio.TaskGroup() as group:
                group.create_task(trouble(trouble_seconds))
                # Somebody writes in any case while it lasts, and is told.
                group.create_task(_store_late(people, trouble_seconds / 2))
        await house.look()
    return tally


async def quiet(house: House, people: People, tally: Tally | None = None) -> Ending:
    """Let nothing fail any more, press until every scene has its video, and check all that must hold."""
    for copy in house.copies:
        if not copy.running:
            copy.disarm()
            await copy.start()
    async with asyncio.timeout(_QUIET_WITHIN_S):
        while not await _all_have_videos(house, people):
            for project_id in people.projects:
                if not _is_made(house, people, project_id):
                    await people.press("generate-clips", project_id)
            await _until_all_ended(house)
    await house.look(at_the_end=True)
    tally, ledger = tally or Tally(), house.ledger
    return Ending(
        tally,
        clips=len(house.rows),
        videos=sum(row.status == "succeeded" for row in house.rows.values()),
        accepted=ledger["accepted"],
        billed=ledger["billed"],
        seen_twice=len(ledger["seen_twice"]),
        lost_answers=house.database.lost_answers,
        answers=people.answers,
        seconds=time.monotonic() - tally.started,
        violations=list(house.violations),
    )


async def _store_late(people: People, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await people.try_to_store(1)


async def _kill(house: House, tally: Tally, *copies: int) -> None:
    await asyncio.gather(*(house.copies[number].kill() for number in copies))
    tally.kills += len(copies)
    # While a copy is dead: what it was acknowledged must be there without it.
    await house.look()
    await asyncio.gather(*(house.copies[number].start() for number in copies))


async def _stop(house: House, tally: Tally, number: int) -> None:
    await house.copies[number].terminate()
    tally.stops += 1
    await house.copies[number].start()


async def until_ended(house: House, clips: int) -> None:
    """Wait until so many clips have ended."""
    await _until_true(house, lambda: house.ended >= clips)


async def _until_all_ended(house: House) -> None:
    await _until_true(house, lambda: all(row.settled_at for row in house.rows.values()))


async def _until_true(house: House, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(_QUIET_WITHIN_S):
        while True:
            started = time.monotonic()
            await house.look()
            if reached():
                return
            # Looking at ten thousand clips takes its time, which is the service's, too.
            await asyncio.sleep(max(_LOOK_EVERY_S, 3 * (time.monotonic() - started)))


async def _all_have_videos(house: House, people: People) -> bool:
    await house.look()
    return all(_is_made(house, people, project_id) for project_id in people.projects)


def _is_made(house: House, people: People, project_id: str) -> bool:
    ends = house.projects[project_id].values()
    return len(ends) == people.projects[project_id] and not {"pending", "failed"} & set(ends)
