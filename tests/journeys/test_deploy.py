"""What the guide and the container run: SQL on a real Postgres, the health check on a running service."""

import asyncio
import json
import re
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest

from service.clips.models import ProjectId
from service.sandbox.server import Sandbox
from service.stores.supabase import SupabaseStore
from service.workflow.ports import ProjectDraft
from tests.builders import NOON, VIDEO_URL, clip, succeeded
from tests.guide import GUIDE, blocks
from tests.harness import sandbox_options
from tests.postgrest import Supabase
from tests.process import ServiceProcess, environment

DOCKERFILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"
OLD_FUNCTIONS = {"task-of-the-old-functions": "pending"}


def documented(words: str) -> str:
    """Give the one SQL block of the guide in which these words stand."""
    (found,) = (block for block in blocks("sql") if words in block)
    return found


@pytest.fixture
async def db(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def write_clips(db: asyncpg.Connection, project_id: ProjectId, clips: Mapping[str, str]) -> None:
    """Write the column as the replaced functions do: all of it, from what they read before."""
    await db.execute("update projects set clips = $1 where id = $2", json.dumps(clips), uuid.UUID(project_id))


async def read_clips(db: asyncpg.Connection, project_id: ProjectId) -> Mapping[str, str]:
    clips: Mapping[str, str] = json.loads(
        await db.fetchval("select clips from projects where id = $1", uuid.UUID(project_id))
    )
    return clips


async def test_documented_sql_gives_clips_back_to_the_old_functions_and_takes_them_again(
    supabase: Supabase, db: asyncpg.Connection
) -> None:
    async with SupabaseStore(supabase.url, supabase.service_role_key) as store:
        known, unknown = [await store.create_project(ProjectDraft({}, {}), NOON) for _ in range(2)]
        (one,) = await store.record(known, [clip(project_id=known)], NOON)
        await store.save([succeeded(one)], NOON)
    ledger = {one.task_uuid: VIDEO_URL}

    await write_clips(db, known, OLD_FUNCTIONS)
    assert await read_clips(db, known) == ledger

    await db.execute(documented("disable trigger"))
    for project_id in (known, unknown):
        await write_clips(db, project_id, OLD_FUNCTIONS)
        assert await read_clips(db, project_id) == OLD_FUNCTIONS
    before = await db.fetchval("select updated_at from projects where id = $1", uuid.UUID(known))

    await db.execute(documented("enable trigger"))
    assert await read_clips(db, known) == ledger
    assert await read_clips(db, unknown) == OLD_FUNCTIONS, "of these the ledger knows nothing"
    after = await db.fetchval("select updated_at from projects where id = $1", uuid.UUID(known))
    assert after > before, "Realtime and caches go by it"
    await write_clips(db, known, OLD_FUNCTIONS)
    assert await read_clips(db, known) == ledger


async def test_documented_question_about_a_project_is_answered_by_the_ledger(
    supabase: Supabase, db: asyncpg.Connection
) -> None:
    async with SupabaseStore(supabase.url, supabase.service_role_key) as store:
        project_id = await store.create_project(ProjectDraft({}, {}), NOON)
        (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
        await store.save([succeeded(one)], NOON)
    (row,) = await db.fetch(documented("order by scene").replace(str(uuid.UUID(int=0)), project_id))
    assert (row["scene"], row["status"]) == (one.scene, "succeeded")
    (day,) = await db.fetch(documented("group by day"))
    assert (day["day"], day["clips"]) == (NOON.date(), 1)
    await db.execute("delete from projects")
    assert await db.fetch(documented("group by day")) == [day], "what was deleted was bought, too"


async def as_anon(db: asyncpg.Connection, statement: str) -> str | None:
    """Do something as the browser of somebody who has the public key does; gives why it was refused."""
    try:
        async with db.transaction():
            await db.execute("set local role anon")
            await db.execute(statement)
    except asyncpg.InsufficientPrivilegeError as refused:
        return str(refused)
    return None


async def test_documented_sql_lets_an_application_follow_that_would_have_made_the_table(
    db: asyncpg.Connection,
) -> None:
    with pytest.raises(asyncpg.DuplicateTableError, match='relation "projects" already exists') as refused:
        await db.execute("create table public.projects (id uuid primary key, models_used jsonb)")
    assert f"`{refused.value}`" in GUIDE
    policies = "create policy everyone on public.projects for all using (true) with check (true)"
    write = "insert into projects (style_parameters, transcription_url) values ('{}', 'https://a.example/1')"
    await db.execute(policies)
    assert "permission denied" in str(await as_anon(db, "select from projects"))
    for _ in range(2):
        await db.execute(documented("models_used"))
    assert await as_anon(db, write) is None
    assert await db.fetchval("select count(*) from projects where user_id is null") == 1


async def health_check(port: str) -> int:
    """Run the container's own health check; gives its exit code."""
    found = re.search(r"^HEALTHCHECK.*\\\n +CMD (\[.*\])$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert found
    program, *arguments = json.loads(found[1])
    assert program == "python"
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment(PORT=port), stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_container_is_healthy_while_the_service_runs_and_not_after(tmp_path: Path) -> None:
    async with Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url:
        service = ServiceProcess(sandbox_url, tmp_path)
        async with service:
            assert await health_check(service.variables["PORT"]) == 0
        assert await health_check(service.variables["PORT"]) == 1
