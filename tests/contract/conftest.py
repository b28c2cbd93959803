"""Each store, for the suites that run on all of them."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path

import asyncpg
import pytest

from service.clips.models import ProjectId, UserId
from service.stores.sqlite import SQLiteStore
from service.stores.supabase import SupabaseStore
from service.workflow.ports import Store
from service.workflow.watch import Watcher
from tests.builders import PLANNER, MovableClock
from tests.postgrest import Supabase

Overwrite = Callable[[ProjectId, str, str], Awaitable[None]]
"""Replaces a column of a project behind the store's back, as the web application does, by a text."""
Rewrite = Callable[[ProjectId, str, object], Awaitable[None]]
"""Replaces a JSON column of a project in the same way, by a value."""
Edit = Callable[[ProjectId, object], Awaitable[None]]
"""Replaces the scenes of a project in the same way."""
Give = Callable[[ProjectId, UserId], Awaitable[None]]
"""Makes another user a project's owner in the same way."""


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[Store]:
    async with SQLiteStore(tmp_path / "clips.db") as opened:
        yield opened


@pytest.fixture
async def supabase_store(supabase: Supabase) -> AsyncIterator[Store]:
    async with SupabaseStore(supabase.url, supabase.service_role_key) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "supabase"])
def store(request: pytest.FixtureRequest) -> Store:
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def watcher(store: Store, clock: MovableClock) -> AsyncIterator[Watcher]:
    watching = Watcher(store, PLANNER, clock)
    looking = asyncio.create_task(watching.run())
    yield watching
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking


@pytest.fixture
def overwrite(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> Overwrite:
    async def in_sqlite(project_id: ProjectId, column: str, text: str) -> None:
        with closing(sqlite3.connect(tmp_path / "clips.db")) as db, db:
            db.execute(f"UPDATE projects SET {column} = ? WHERE id = ?", [text, project_id])

    async def in_postgres(project_id: ProjectId, column: str, text: str) -> None:
        db = await asyncpg.connect(request.getfixturevalue("database"))
        try:
            await db.execute(f"update public.projects set {column} = $1 where id = $2", text, project_id)
        finally:
            await db.close()

    return in_sqlite if isinstance(store, SQLiteStore) else in_postgres


@pytest.fixture
def rewrite(overwrite: Overwrite) -> Rewrite:
    async def rewritten(project_id: ProjectId, column: str, value: object) -> None:
        await overwrite(project_id, column, json.dumps(value))

    return rewritten


@pytest.fixture
def give(overwrite: Overwrite) -> Give:
    async def given(project_id: ProjectId, owner: UserId) -> None:
        await overwrite(project_id, "user_id", owner)

    return given


@pytest.fixture
def edit(rewrite: Rewrite) -> Edit:
    async def edited(project_id: ProjectId, scenes: object) -> None:
        await rewrite(project_id, "scenes", scenes)

    return edited
