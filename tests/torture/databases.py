"""The two databases as the torture sees them: how to read them with SQL, and what can befall each."""

import asyncio
import json
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg

from tests.harness import PATIENCE_S
from tests.postgres import Postgres
from tests.postgrest import Supabase, serving_supabase
from tests.process import supabase_variables
from tests.torture.checker import Row
from tests.torture.proxy import LossyProxy

_COLUMNS: Final = (
    "task_uuid, cast(project_id AS text) AS project_id, scene, cast(request AS text) AS request, attempt, "
    "cast(status AS text) AS status, sends, video_url, cast(failure_kind AS text) AS failure_kind, "
    "cost_usd, submitted_at, settled_at, superseded"
)
_PROJECTS: Final = "SELECT cast(id AS text) AS id, cast(clips AS text) AS clips FROM projects"
# The tests' server may lose a commit in a crash, for speed; this database may not.
_KEEP_COMMITS: Final = """
do $$ begin
    execute format('alter database %I set synchronous_commit = on', current_database());
end $$
"""

Rows = Mapping[str, Row]
Shown = Mapping[str, Mapping[str, str]]
Trouble = Callable[[float], Coroutine[Any, Any, None]]
"""Something that befalls the database for so many seconds."""


class Database(Protocol):
    """A database under torture: `variables` have a service use it, `headers` let people call that."""

    name: str
    variables: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def lost_answers(self) -> int:
        """How many answers of the database's front were lost on their way."""

    async def read(self) -> tuple[Rows, Shown]:
        """Read all clips, and what `projects.clips` of each project shows, as of one moment."""

    def troubles(self) -> Mapping[str, Trouble]:
        """Give what can befall it, by name."""


class SQLiteDatabase:
    """A file, in a folder that may be a small file system of its own."""

    name = "sqlite"
    headers: Mapping[str, str] = {}

    def __init__(self, path: Path, *, is_small: bool = False) -> None:
        self.path = path
        self.variables: Mapping[str, str] = {"DATABASE_PATH": str(path)}
        self._is_small = is_small

    @property
    def lost_answers(self) -> int:
        return 0

    async def read(self) -> tuple[Rows, Shown]:
        return await asyncio.to_thread(read_sqlite, self.path)

    def troubles(self) -> Mapping[str, Trouble]:
        full = {"full": self._full} if self._is_small else {}
        return {"locked": self._locked, **full}

    async def _locked(self, seconds: float) -> None:
        await asyncio.to_thread(_hold_lock, self.path, seconds)

    async def _full(self, seconds: float) -> None:
        filler = self.path.parent / "filler"
        try:
            await asyncio.to_thread(_fill_up, filler)
            await asyncio.sleep(seconds)
        finally:
            filler.unlink(missing_ok=True)


class PostgresDatabase:
    """A database of a server, behind a Supabase project's front and a proxy that loses answers."""

    name = "postgres"

    def __init__(
        self, postgres: Postgres, dsn: str, supabase: Supabase, proxy: LossyProxy, address: str
    ) -> None:
        self.variables: Mapping[str, str] = {**supabase_variables(supabase), "SUPABASE_URL": address}
        self.headers: Mapping[str, str] = {"Authorization": f"Bearer {supabase.service_role_key}"}
        self._postgres = postgres
        self._dsn = dsn
        self._proxy = proxy

    @property
    def lost_answers(self) -> int:
        return self._proxy.lost

    async def read(self) -> tuple[Rows, Shown]:
        return await read_postgres(self._dsn)

    def troubles(self) -> Mapping[str, Trouble]:
        return {
            "locked": self._locked,
            "read-only": self._read_only,
            "stopped": self._stopped,
            "crashed": self._crashed,
        }

    async def _locked(self, seconds: float) -> None:
        async with _connected(self._dsn) as db, db.transaction():
            await db.execute("LOCK TABLE clip_service.clips")
            await asyncio.sleep(seconds)

    async def _read_only(self, seconds: float) -> None:
        """As Supabase does with a database whose disk is full."""
        await self._set("default_transaction_read_only = on")
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._set("default_transaction_read_only = off")

    async def _set(self, setting: str) -> None:
        async with _connected(self._dsn) as db:
            await db.execute(f"ALTER SYSTEM SET {setting}")
            await db.execute("SELECT pg_reload_conf()")

    async def _stopped(self, seconds: float) -> None:
        await asyncio.to_thread(self._postgres.stop)
        await self._start_after(seconds)

    async def _crashed(self, seconds: float) -> None:
        await asyncio.to_thread(self._postgres.stop, "immediate")
        await self._start_after(seconds)

    async def _start_after(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self._postgres.start)


@contextmanager
def small_file_system(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount one of its own at the folder; gives whether that was allowed, else the folder is as it was."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        allowed = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@asynccontextmanager
async def postgres_database(postgres: Postgres, loss_rate: float) -> AsyncIterator[PostgresDatabase]:
    """Make a database whose commits outlast a crash of the server; its front's answers are lost at a rate."""
    with postgres.database() as dsn:
        postgres.run(dsn, _KEEP_COMMITS)
        async with serving_supabase(dsn) as supabase:
            proxy = LossyProxy(supabase.url, loss_rate)
            async with proxy.serving() as address:
                yield PostgresDatabase(postgres, dsn, supabase, proxy, address)


async def read_postgres(dsn: str) -> tuple[Rows, Shown]:
    async with _connected(dsn) as db, db.transaction(isolation="repeatable_read", readonly=True):
        clips = await db.fetch(f"SELECT {_COLUMNS} FROM clip_service.clips")
        return {clip["task_uuid"]: _row(clip) for clip in clips}, _shown(await db.fetch(_PROJECTS))


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    db = await asyncpg.connect(dsn)
    try:
        yield db
    finally:
        await db.close()


def read_sqlite(path: Path) -> tuple[Rows, Shown]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)) as db:
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'clips'").fetchone():
            # No copy has been there yet.
            return {}, {}
        clips = db.execute(f"SELECT {_COLUMNS} FROM clips").fetchall()
        return {clip["task_uuid"]: _row(clip) for clip in clips}, _shown(db.execute(_PROJECTS).fetchall())


def _hold_lock(path: Path, seconds: float) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)) as db:
        db.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)


def _row(clip: sqlite3.Row | asyncpg.Record) -> Row:
    columns = {name: clip[name] for name in Row.__dataclass_fields__}
    columns["request"] = json.dumps(json.loads(clip["request"]), sort_keys=True)
    columns["superseded"] = bool(clip["superseded"])
    columns["cost_usd"] = None if clip["cost_usd"] is None else float(clip["cost_usd"])
    for name in ("submitted_at", "settled_at"):
        if isinstance(at := clip[name], str):
            columns[name] = datetime.fromisoformat(at)
    return Row(**columns)


def _shown(projects: list[Any]) -> Shown:
    return {project["id"]: json.loads(project["clips"] or "{}") for project in projects}


def _fill_up(filler: Path) -> None:
    """Write until the file system is full to the last page."""
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
