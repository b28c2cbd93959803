"""The whole service on Supabase, one copy and several, against the sandbox."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.clips.models import TaskUUID
from service.runware.callbacks import CallbackURLs
from service.sandbox.server import Sandbox
from tests.events import event_stream
from tests.harness import (
    PATIENCE_S,
    WEBHOOK_SECRET,
    World,
    on_supabase,
    running_service,
    running_world,
    sandbox_options,
)
from tests.postgres import Postgres
from tests.postgrest import Supabase

WATCHED, WATCHED_FOR_S = 50, 3
ALICE, BOB = str(uuid.uuid4()), str(uuid.uuid4())


@pytest.fixture
async def world(tmp_path: Path, supabase: Supabase) -> AsyncIterator[World]:
    async with running_world(tmp_path, **on_supabase(supabase)) as running:
        yield running


@asynccontextmanager
async def copies(
    tmp_path: Path, supabase: Supabase, count: int, **sandbox: Any
) -> AsyncIterator[list[World]]:
    """Several copies of the service on one database and one sandbox."""
    async with (
        Sandbox(sandbox_options(**sandbox), files=tmp_path / "videos").serving() as sandbox_url,
        AsyncExitStack() as stack,
    ):
        yield [
            await stack.enter_async_context(
                running_service(sandbox_url, tmp_path / "unused.db", **on_supabase(supabase))
            )
            for _ in range(count)
        ]


async def row(database: str, project_id: str) -> Any:
    db = await asyncpg.connect(database)
    found = await db.fetchrow("select * from projects where id = $1", uuid.UUID(project_id))
    await db.close()
    return found


async def test_project_goes_from_frames_to_videos(world: World, database: str) -> None:
    project_id = await world.store(12)
    answer = await world.generate(project_id)
    assert [result["sceneKey"] for result in answer["results"]] == [str(n) for n in range(1, 13)]
    jobs = await world.settled(project_id)
    assert [(job["scene"], job["status"]) for job in jobs] == [(str(n), "succeeded") for n in range(1, 13)]
    stored = await row(database, project_id)
    assert json.loads(stored["clips"]) == {job["task_uuid"]: job["video_url"] for job in jobs}
    assert stored["updated_at"] > stored["created_at"]
    assert (await world.check(project_id))["completed"] == 12
    assert (await world.ledger())["accepted"] == 12


async def test_thousand_scenes_go_through_at_once(world: World) -> None:
    project_id = await world.store(1000)
    assert (await world.generate(project_id))["total_clips"] == 1000
    jobs = await world.settled(project_id)
    assert {job["status"] for job in jobs} == {"succeeded"}
    ledger = await world.ledger()
    assert (ledger["accepted"], ledger["billed"]) == (1000, 1000)


async def test_missed_webhooks_are_made_up_for_by_the_poller(tmp_path: Path, supabase: Supabase) -> None:
    async with running_world(tmp_path, sandbox={"webhook_drop_rate": 1}, **on_supabase(supabase)) as world:
        project_id = await world.store(5)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert [(job["status"], job["settled_by"]) for job in jobs] == [("succeeded", "poll")] * 5


async def test_failed_clip_is_retried_and_paid_for_once_more(world: World) -> None:
    project_id = await world.store({"1": {"description": "[sandbox:fail]"}, "2": {"description": "Good."}})
    await world.generate(project_id)
    await world.settled(project_id)
    answer = await world.retry(project_id)
    assert [result["sceneKey"] for result in answer["results"]] == ["1"]
    jobs = await world.settled(project_id)
    assert [(job["status"], job["attempt"]) for job in jobs] == [("failed", 2), ("succeeded", 1)]


async def test_generate_on_three_copies_at_once_makes_one_set_of_jobs(
    tmp_path: Path, supabase: Supabase
) -> None:
    async with copies(tmp_path, supabase, 3) as worlds:
        project_id = await worlds[0].store(20)
        answers = await asyncio.gather(*(world.generate(project_id) for world in worlds * 3))
        assert len({json.dumps(sorted(answer["clips"])) for answer in answers}) == 1
        await worlds[1].settled(project_id)
        ledger = await worlds[2].ledger()
        assert (ledger["accepted"], ledger["billed"], ledger["seen_twice"]) == (20, 20, [])


async def test_webhook_reaches_any_copy(tmp_path: Path, supabase: Supabase) -> None:
    """Each copy's jobs have its own address as their callback URL; both tell of all."""
    async with copies(tmp_path, supabase, 2) as (here, there):
        project_id = await here.store(3)
        await here.generate(project_id)
        jobs = await there.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        assert [job["video_url"] for job in await here.jobs(project_id)] == [job["video_url"] for job in jobs]


async def test_change_by_one_copy_reaches_a_stream_on_another_within_two_seconds(
    tmp_path: Path, supabase: Supabase
) -> None:
    async with copies(tmp_path, supabase, 2) as (here, there):
        project_id = await here.store(1)
        async with (
            event_stream(there.session, there.url, project_id) as events,
            asyncio.timeout(PATIENCE_S),
        ):
            assert (await anext(events)).kind == "snapshot"
            await here.generate(project_id)
            stored_at = time.monotonic()
            told = await anext(events)
            assert time.monotonic() - stored_at < 2
            assert (told.kind, list(told.statuses)) == ("changes", ["1"])
            await here.settled(project_id)
            settled_at = time.monotonic()
            while told.data["counts"]["completed"] == 0:
                told = await anext(events)
            assert time.monotonic() - settled_at < 2


async def test_all_watched_projects_cost_one_query_a_look(world: World, supabase: Supabase) -> None:
    projects = [await world.store(1) for _ in range(WATCHED)]
    async with AsyncExitStack() as stack:
        for project_id in projects:
            events = await stack.enter_async_context(event_stream(world.session, world.url, project_id))
            await anext(events)
        before = supabase.rpc_calls["clip_service_changes"]
        await asyncio.sleep(WATCHED_FOR_S)
        looks = supabase.rpc_calls["clip_service_changes"] - before
    assert 1 <= looks <= WATCHED_FOR_S + 1


async def test_project_answers_to_its_owner_and_is_not_there_for_others(
    world: World, supabase: Supabase
) -> None:
    alice, bob = (
        {"Authorization": f"Bearer {supabase.user_token(user)}", "apikey": supabase.anon_key}
        for user in (ALICE, BOB)
    )
    frame = f"{world.sandbox_url}/frames/1/first.png?size=304x540"
    status, answer = await world.post(
        "/projects", {"frames": {"1": {"first_frame": frame, "last_frame": frame}}}, headers=alice
    )
    assert status == 201
    call = {"project_id": answer["id"]}
    missing = {"project_id": str(uuid.uuid4())}
    for path in ("/functions/v1/generate-clips", "/retry-clips", "/check-clips-status"):
        refused = await world.post(path, call, headers=bob)
        there_is_none = await world.post(path, missing, headers=bob)
        assert refused[0] == there_is_none[0] == 404
        assert refused[1]["error"].replace(answer["id"], missing["project_id"]) == there_is_none[1]["error"]
    status, generated = await world.post("/functions/v1/generate-clips", call, headers=alice)
    assert (status, generated["total_clips"]) == (200, 1)
    await world.settled(answer["id"])


async def test_public_key_alone_spends_nothing(world: World, supabase: Supabase) -> None:
    project_id = await world.store(1)
    public = {"Authorization": f"Bearer {supabase.anon_key}", "apikey": supabase.anon_key}
    status, _ = await world.post("/generate-clips", {"project_id": project_id}, headers=public)
    assert status == 401
    assert (await world.ledger())["accepted"] == 0


async def test_while_the_database_is_gone_a_webhook_is_asked_to_come_again_and_then_all_goes_on(
    tmp_path: Path, supabase: Supabase, postgres: Postgres
) -> None:
    async with running_world(
        tmp_path, sandbox={"min_seconds": 1, "max_seconds": 1}, **on_supabase(supabase)
    ) as world:
        project_id = await world.store(5)
        await world.generate(project_id)
        jobs = await world.jobs(project_id)
        postgres.stop()
        try:
            callback = CallbackURLs(world.url, [WEBHOOK_SECRET]).url(TaskUUID(jobs[0]["task_uuid"])) or ""
            failure = {
                "taskUUID": jobs[0]["task_uuid"],
                "status": "error",
                "error": {"code": "inferenceError"},
            }
            status, _ = await world.post(callback.removeprefix(world.url), failure)
            assert status == 503
            async with world.session.get(f"{world.url}/readyz") as response:
                readiness = await response.json()
                assert (response.status, readiness["store"]) == (503, "unreachable")
            status, answer = await world.post("/generate-clips", {"project_id": project_id})
            assert (status, answer["code"]) == (503, "store_unavailable")
        finally:
            postgres.start()
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        assert (await world.get("/readyz"))["ready"]
        assert (await world.ledger())["billed"] == 5
