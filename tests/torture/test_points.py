"""A copy dies between each two steps of a submission and of a settlement; another goes on beside it."""

import asyncio
from pathlib import Path

import pytest

from tests.harness import World
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
    copy.arm(points)
    await copy.begin()
    pressing = asyncio.create_task(press(people, house.worlds[number]))
    assert await copy.ended() == 0, copy.log
    pressing.cancel()


async def press(people: People, world: World) -> None:
    while True:
        if project_id := await people.try_to_store(SCENES, world):
            await people.press("generate-clips", project_id, world)
        await asyncio.sleep(0.5)


async def watch(house: House) -> None:
    while True:
        await house.look()
        await asyncio.sleep(0.5)


@pytest.mark.timeout(600)
async def test_death_at_any_point_loses_no_clip_and_pays_for_none_twice(
    tmp_path: Path, torn: Database
) -> None:
    points = [name for name, point in POINTS.items() if point.store in ("both", torn.name)]
    async with standing_house(tmp_path, torn, sandbox=RUNWARE, start=False) as house:
        people, tally = People(house, seed=1), Tally(kills=len(points))
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(house))
            await asyncio.gather(
                die_at_each(house, people, 0, points[::2]), die_at_each(house, people, 1, points[1::2])
            )
            watching.cancel()
        ending = await quiet(house, people, tally)
    print(f"\n{torn.name}\n{ending}")  # noqa: T201 - the numbers, for those who read them with -rP
    assert ending.violations == []
