"""A rolling deploy: the release before and this one serve one database, beside each other and in turn."""

import asyncio
from pathlib import Path

import pytest

from tests.torture.campaign import quiet, until_ended
from tests.torture.databases import Database, SQLiteDatabase
from tests.torture.house import House, standing_house
from tests.torture.people import People
from tests.torture.releases import NoReleaseBefore, unpack_release_before
from tests.torture.test_short import RUNWARE

SCENES = 20


@pytest.fixture
def release_before(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    try:
        unpack_release_before(folder)
    except NoReleaseBefore as nothing:
        pytest.skip(str(nothing))
    return folder


async def replace(house: House, copy: int) -> None:
    """Stop a copy as a deploy does, and start this release in its place."""
    await house.copies[copy].terminate()
    house.copies[copy].use_this_release()
    await house.copies[copy].start()


@pytest.mark.timeout(600)
async def test_two_releases_beside_each_other_lose_no_clip_and_pay_for_none_twice(
    tmp_path: Path, torn: Database, release_before: Path
) -> None:
    async with standing_house(tmp_path, torn, sandbox=RUNWARE, start=False) as house:
        for copy in house.copies:
            copy.use_release(release_before)
        await asyncio.gather(*(copy.start() for copy in house.copies))
        people = People(house, seed=1)
        pressing = asyncio.create_task(people.press_on())
        for number in (0, 1):
            making = asyncio.create_task(people.make(await people.store(SCENES)))
            await until_ended(house, SCENES * number + SCENES // 4)
            await replace(house, number)
            await house.look()
            # Whichever dies, the other release goes on with what it has left.
            other = house.copies[1 - number]
            await other.kill()
            await house.look()
            if isinstance(torn, SQLiteDatabase):
                # A release refuses a file that a newer one has migrated.
                other.use_this_release()
            await other.start()
            await making
        pressing.cancel()
        ending = await quiet(house, people)
    assert ending.videos == 2 * SCENES
    assert ending.violations == []
