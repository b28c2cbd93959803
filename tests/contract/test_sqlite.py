"""What is SQLite's own affair."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.clips.models import ClipStatus, FailureKind, SettledBy
from service.errors import StoreUnavailable
from service.stores.sqlite import SQLiteStore
from service.stores.sqlite_schema import MIGRATIONS
from service.workflow.ports import ProjectDraft
from tests.builders import NOON, PROJECT_ID, clip, failed, frames, project
from tests.identities import ALICE


async def test_state_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    async with SQLiteStore(path) as store:
        project_id = await store.create_project(ProjectDraft(frames=frames(1), scenes={}), NOON)
        (made,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    async with SQLiteStore(path) as store:
        assert await store.clips([made.task_uuid]) == [made]


async def test_two_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    stores = [SQLiteStore(tmp_path / "clips.db") for _ in range(4)]
    await asyncio.gather(*(store.__aenter__() for store in stores))
    await asyncio.gather(*(store.missing_migrations() for store in stores))
    for store in stores:
        await store.__aexit__(None, None, None)


async def test_file_of_a_newer_release_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(StoreUnavailable, match="a newer release wrote it"):
        async with SQLiteStore(path):
            pass


async def test_file_of_the_first_release_keeps_its_projects_and_gains_owners(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with closing(sqlite3.connect(path)) as db, db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO projects (id, scenes, frames, created_at, updated_at) VALUES (?, '{}', '{}', ?, ?)",
            [PROJECT_ID, NOON.isoformat(), NOON.isoformat()],
        )
    async with SQLiteStore(path) as store:
        old = await store.project(PROJECT_ID)
        assert old == project(scenes={}, frames={})
        owned = await store.create_project(ProjectDraft(frames={}, scenes={}, user_id=ALICE), NOON)
        assert [listed.project.id for listed in await store.projects(10, ALICE)] == [owned]


async def test_missing_folder_is_told_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"DATABASE_PATH is wrong: the folder .*nowhere is missing"):
        async with SQLiteStore(tmp_path / "nowhere" / "clips.db"):
            pass
    assert not (tmp_path / "nowhere").exists()


async def test_database_knows_every_state_that_a_clip_can_be_in(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path / "clips.db") as store:
        project_id = await store.create_project(ProjectDraft(frames={}, scenes={}), NOON)
        for number, kind in enumerate(FailureKind):
            await store.record(project_id, [failed(clip(str(number), project_id=project_id), kind)], NOON)
        (schema,) = (sql for migration in MIGRATIONS for sql in migration if "CREATE TABLE clips" in sql)
        for status in ClipStatus:
            assert f"'{status}'" in schema
        assert {one.settled_by for one in await store.current_clips(project_id)} == {SettledBy.POLL}
