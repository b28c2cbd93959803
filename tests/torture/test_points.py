"""A copy dies between each two steps of a submission and of a settlement; another goes on beside it."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.torture.campaign import Tally, quiet
from tests.torture.databases import Database
from tests.torture.house import House, standing_house
from tests.torture.launcher import POINTS
from tests.torture.people import People

# Slow enough that a copy can die while its request is under way, and that pollers find something to do.
RUNWARE = {"answer_delay_seconds": 0.4, "webhook_drop_rate": 0.4, "min_seconds": 0.5, "max_seconds": 2.5}
SCENES = 3


async def die_at_each(house: House, people: People, number: int, points: list[str]) -> None:
    """Have one copy die at one point after the other, while its user presses its buttons."""
    copy = house.copies[number]
    for point in points:
        copy.arm(point)
        await copy.begin()
        pressing = asyncio.create_task(press_when_ready(house, people, number))
        assert await copy.ended() == -signal.SIGKILL, point
        pressing.cancel()
        await asyncio.gather(pressing, return_exceptions=True)
        await house.look()


async def press_when_ready(house: House, people: People, number: int) -> None:
    await house.copies[number].ready()
    while True:
        project_id = await people.store(SCENES)
        await people.press("generate-clips", project_id, house.worlds[number])
        await asyncio.sleep(0.5)


@pytest.mark.timeout(600)
async def test_death_at_any_point_loses_no_clip_and_pays_for_none_twice(
    tmp_path: Path, torn: Database
) -> None:
    points = [name for name, point in POINTS.items() if point.store in ("both", torn.name)]
    async with standing_house(tmp_path, torn, sandbox=RUNWARE, start=False) as house:
        people, tally = People(house, seed=1), Tally(kills=len(points))
        await asyncio.gather(
            die_at_each(house, people, 0, points[::2]), die_at_each(house, people, 1, points[1::2])
        )
        ending = await quiet(house, people, tally)
    print(f"\n{torn.name}\n{ending}")  # noqa: T201 - the numbers, for those who read them with -rP
    assert ending.violations == []
