"""Three processes of the service on one database, any of which may be killed at any moment."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from itertools import cycle
from pathlib import Path

import aiohttp
import pytest

from service.sandbox.server import Sandbox
from tests.harness import World, on_supabase, sandbox_options
from tests.postgrest import Supabase
from tests.process import ServiceProcess, supabase_variables

SCENES = 300
KILL_EVERY_S = 2.5


async def kill_in_turn(services: list[ServiceProcess], kills: list[int]) -> None:
    """Kill one process after the other with -9, and start each again."""
    for number, service in cycle(enumerate(services)):
        await asyncio.sleep(KILL_EVERY_S)
        await service.kill()
        kills.append(number)
        await service.start()


async def generate(world: World, project_id: str) -> None:
    with suppress(aiohttp.ClientError):
        await world.post("/functions/v1/generate-clips", {"project_id": project_id})


@pytest.mark.timeout(180)
async def test_kills_lose_no_clip_and_pay_for_none_twice(tmp_path: Path, supabase: Supabase) -> None:
    slow = sandbox_options(answer_delay_seconds=0.5, webhook_drop_rate=0.5, min_seconds=2, max_seconds=8)
    settings = {
        "RUNWARE_BATCH_SIZE": "5",
        "RUNWARE_CONCURRENCY": "2",
        "SUBMISSION_GRACE_SECONDS": "4",
        "POLL_INTERVAL_SECONDS": "1",
        **supabase_variables(supabase),
    }
    kills: list[int] = []
    async with (
        Sandbox(slow, files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession(headers=on_supabase(supabase)["headers"]) as session,
        AsyncExitStack() as stack,
    ):
        services = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            service = ServiceProcess(sandbox_url, folder, **settings)
            services.append(await stack.enter_async_context(service))
        worlds = [service.world(session) for service in services]
        project_id = await worlds[0].store(SCENES)
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(kill_in_turn(services, kills))
            # The user presses the button on each copy at once, and once more after the first kill.
            calls = [group.create_task(generate(world, project_id)) for world in worlds]
            await asyncio.sleep(KILL_EVERY_S + 1)
            calls.append(group.create_task(generate(worlds[1], project_id)))
            jobs = await until_ended(worlds, project_id)
            killing.cancel()
        ledger = await worlds[0].ledger()

    assert Counter(job["status"] for job in jobs) == {"succeeded": SCENES}
    assert (ledger["accepted"], ledger["billed"]) == (SCENES, SCENES)
    assert set(ledger["tasks"]) == {job["task_uuid"] for job in jobs}
    assert len(kills) >= 3
    by = Counter(job["settled_by"] for job in jobs)
    print(  # noqa: T201 - the numbers, for who reads them with -rP
        f"{len(kills)} kills; clips {len(jobs)}, accepted {ledger['accepted']}, billed {ledger['billed']}, "
        f"sent twice {len(ledger['seen_twice'])}, settled by {dict(by)}"
    )


async def until_ended(worlds: list[World], project_id: str) -> list[dict[str, object]]:
    """Ask whichever copy is up until every clip has ended."""
    async with asyncio.timeout(150):
        for world in cycle(worlds):
            with suppress(aiohttp.ClientError):
                jobs = await world.jobs(project_id)
                if len(jobs) == SCENES and all(job["settled_at"] for job in jobs):
                    return jobs
            await asyncio.sleep(0.5)
    raise AssertionError
