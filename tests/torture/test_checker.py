"""The checker finds nothing where all is well, and each kind of violation where one is planted."""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.harness import on_supabase, running_world
from tests.postgrest import serving_supabase
from tests.torture.checker import RULES, Evidence, Task, violations_at_any_time, violations_at_the_end
from tests.torture.databases import Rows, Shown, read_postgres, read_sqlite

# The first scene's clip fails once, so that there are two attempts at it.
SCENES = {
    "1": {"description": "One. [sandbox:fail-once]", "duration": 4},
    "2": {"description": "Two.", "duration": 4},
    "3": {"description": "Three.", "duration": 4},
}


@dataclass(frozen=True)
class Run:
    """What a sound run left behind: Runware's ledger, a database's file, and the promises of its calls."""

    ledger: Mapping[str, Any]
    file: Path
    promises: frozenset[tuple[str, str]]

    def task(self, scene: str, attempt: int = 1) -> str:
        """Give the task of a scene's attempt."""
        rows, _ = read_sqlite(self.file)
        return next(row.task_uuid for row in rows.values() if (row.scene, row.attempt) == (scene, attempt))


async def play(world: Any) -> Mapping[str, Any]:
    """Have the clips made, and the one that failed made again; gives Runware's ledger."""
    project_id = await world.store(SCENES)
    await world.generate(project_id)
    await world.settled(project_id)
    await world.retry(project_id)
    await world.settled(project_id)
    return {**await world.ledger(), "project": project_id}


@pytest.fixture
async def sound(tmp_path: Path) -> Run:
    async with running_world(tmp_path) as world:
        ledger = await play(world)
    promises = frozenset((ledger["project"], scene) for scene in SCENES)
    return Run(ledger, tmp_path / "clips.db", promises)


def evidence(ledger: Mapping[str, Any], read: tuple[Rows, Shown], promises: Any = ()) -> Evidence:
    tasks = {task: Task.of(entry) for task, entry in ledger["tasks"].items()}
    return Evidence(tasks, ledger["cost_usd"], *read, promises)


def run_sql(file: Path, sql: str) -> None:
    """Change the database past the service and its triggers."""
    with closing(sqlite3.connect(file)) as db, db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql or "SELECT 1")


def test_sound_run_has_no_violation(sound: Run) -> None:
    found = evidence(sound.ledger, read_sqlite(sound.file), sound.promises)
    assert (len(found.rows), len(found.tasks)) == (4, 4)
    assert violations_at_the_end(found, found.rows) == []


@dataclass(frozen=True)
class Planted:
    """A violation of `rule`: by SQL past the service, by Runware's ledger, or by a promise.

    In the SQL {first} is the first scene's first task, {again} its second, {second} the second scene's.
    """

    rule: str
    sql: str = ""
    ledger: Mapping[str, object] = field(default_factory=dict)
    of: str = "second"
    promised: str = ""


_OPEN_AGAIN = (
    "UPDATE clips SET status = 'pending', video_url = NULL, settled_at = NULL WHERE task_uuid = '{second}'"
)
_ELSEWHERE = "UPDATE clips SET video_url = 'http://127.0.0.1/other.mp4' WHERE task_uuid = '{second}'"
_LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
PLANTED = {
    "a second bill for one task": Planted("billed twice", ledger={"bills": 2}),
    "a bill for the attempt that failed": Planted("billed twice", ledger={"bills": 1}, of="first"),
    "a task of which there is no row": Planted("no row", "DELETE FROM clips WHERE task_uuid = '{second}'"),
    "a task whose row counts no send": Planted(
        "no row", "UPDATE clips SET sends = 0 WHERE task_uuid = '{second}'"
    ),
    "an attempt from before the failure": Planted(
        "bought early",
        f"UPDATE clips SET submitted_at = '{_LONG_AGO}' WHERE task_uuid = '{{again}}'",
    ),
    "an attempt beside one that is under way": Planted(
        "bought early",
        "UPDATE clips SET status = 'pending', failure_kind = NULL, settled_at = NULL "
        "WHERE task_uuid = '{first}'",
    ),
    "an end that became another": Planted(
        "first end wins",
        "UPDATE clips SET status = 'failed', failure_kind = 'provider', video_url = NULL "
        "WHERE task_uuid = '{second}'",
    ),
    "an end that was undone": Planted(
        "first end wins",
        _OPEN_AGAIN,
    ),
    "a video that became another": Planted(
        "first end wins",
        "UPDATE clips SET video_url = 'http://127.0.0.1/other.mp4' WHERE task_uuid = '{second}'",
    ),
    "a row that is gone": Planted("rows stay", "DELETE FROM clips WHERE task_uuid = '{first}'"),
    "a webhook that was answered, and forgotten": Planted(
        "acknowledged",
        _OPEN_AGAIN,
    ),
    "a clip that was promised, and is not there": Planted("acknowledged", promised="4"),
    "a clip that is shown, and is not there": Planted("projection", "UPDATE projects SET clips = '{{}}'"),
    "a failed attempt that is shown for a video": Planted(
        "projection", "UPDATE projects SET clips = replace(clips, '{again}', '{first}')"
    ),
    "a clip that waits for ever": Planted(
        "never ends",
        _OPEN_AGAIN,
    ),
    "a video that nobody has": Planted(
        "lost",
        "UPDATE clips SET status = 'failed', failure_kind = 'timeout', video_url = NULL "
        "WHERE task_uuid = '{second}'",
    ),
    "a video of a task that failed": Planted("lost", ledger={"state": "error", "bills": 0}),
    "a cost that Runware has not billed": Planted(
        "costs", "UPDATE clips SET cost_usd = 9 WHERE task_uuid = '{second}'"
    ),
    "a bill that no row has": Planted("costs", ledger={"cost_usd": 9.0}),
}


def test_every_rule_has_a_planted_violation() -> None:
    assert {planted.rule for planted in PLANTED.values()} == RULES.keys()


def test_each_planted_violation_is_told_by_its_rule(sound: Run, tmp_path: Path) -> None:
    tasks = {"first": sound.task("1"), "again": sound.task("1", 2), "second": sound.task("2")}
    before, _ = read_sqlite(sound.file)
    for name, planted in PLANTED.items():
        copy = Path(shutil.copy(sound.file, tmp_path / "copy.db"))
        run_sql(copy, planted.sql.format(**tasks))
        ledger = {**sound.ledger, "tasks": {**sound.ledger["tasks"]}}
        ledger["tasks"][tasks[planted.of]] = {**ledger["tasks"][tasks[planted.of]], **planted.ledger}
        promised = {(sound.ledger["project"], planted.promised)} if planted.promised else set()
        found = violations_at_the_end(evidence(ledger, read_sqlite(copy), sound.promises | promised), before)
        assert planted.rule in {violation.partition(":")[0] for violation in found}, (name, found)


async def test_planted_violation_is_found_in_postgres_too(tmp_path: Path, database: str) -> None:
    async with (
        serving_supabase(database) as supabase,
        running_world(tmp_path, **on_supabase(supabase)) as world,
    ):
        ledger = await play(world)
    read = await read_postgres(database)
    assert violations_at_the_end(evidence(ledger, read), read[0]) == []
    db = await asyncpg.connect(database)
    try:
        await db.execute("SET session_replication_role = replica")
        await db.execute("UPDATE projects SET clips = '{}'")
    finally:
        await db.close()
    (violation,) = violations_at_any_time(evidence(ledger, await read_postgres(database)), read[0])
    assert violation.startswith("projection: ")
