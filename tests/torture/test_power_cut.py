"""What the service has acknowledged, or has had billed, outlasts a power cut: SQLite has synced it by then.

Postgres syncs by itself; the tests' server does not, so that cutting its power would teach nothing.
"""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.missing import give_up
from tests.process import environment
from tests.torture.campaign import quiet, until_ended
from tests.torture.databases import SQLiteDatabase
from tests.torture.house import standing_house
from tests.torture.people import People
from tests.torture.power import ForgetfulDisk, built_library, cut_power
from tests.torture.test_short import RUNWARE

CUTS = 3
SCENES = 20

WRITER = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = {sys.argv[2]}; CREATE TABLE kept (n)")
for n in range(50):
    db.execute("INSERT INTO kept VALUES (?)", [n])
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def disk(tmp_path: Path) -> ForgetfulDisk:
    library = built_library(tmp_path)
    if library is None:
        give_up("The disk that forgets is compiled by gcc: apt-get install gcc libc6-dev.")
    return ForgetfulDisk(tmp_path / "database", library)


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", 50), ("OFF", 0)])
def test_disk_keeps_what_was_synced_and_nothing_else(
    disk: ForgetfulDisk, synchronous: str, kept: int
) -> None:
    file = disk.root / "clips.db"
    writer = [sys.executable, "-c", WRITER, str(file), synchronous]
    subprocess.run(writer, env=environment(**disk.variables), check=False)
    disk.forget()
    with closing(sqlite3.connect(file)) as db:
        there = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        assert (db.execute("SELECT count(*) FROM kept").fetchone()[0] if there else 0) == kept


@pytest.mark.timeout(600)
async def test_power_cuts_lose_nothing_that_was_acknowledged(tmp_path: Path, disk: ForgetfulDisk) -> None:
    database = SQLiteDatabase(disk.root / "clips.db")
    async with standing_house(tmp_path, database, sandbox=RUNWARE, variables=disk.variables) as house:
        people = People(house, seed=1)
        for cut in range(CUTS):
            making = asyncio.create_task(people.make(await people.store(SCENES)))
            await until_ended(house, SCENES * cut + SCENES // 2)
            await cut_power(house, disk)
            await house.look()
            await making
        ending = await quiet(house, people)
    assert ending.videos == CUTS * SCENES
    assert ending.violations == []
