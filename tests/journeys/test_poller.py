"""The safety net over time: the clock is moved, never waited for."""

import asyncio
from pathlib import Path

from service.sandbox.server import Sandbox
from tests.builders import MovableClock
from tests.harness import running_service, running_world, sandbox_options

STUCK = {"slow_rate": 1, "slow_seconds": 3600, "webhook_drop_rate": 1}
TICK_S = 0.2


async def test_forgotten_task_fails_after_two_minutes_of_answers_and_not_on_the_first(tmp_path: Path) -> None:
    clock = MovableClock()
    forgets = {"forget_rate": 1, "unknown_answer": "not-found"}
    async with running_world(tmp_path, clock=clock, sandbox=forgets) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        await asyncio.sleep(5 * TICK_S)
        assert {job["status"] for job in await world.jobs(project_id)} == {"pending"}
        clock.advance(seconds=100)
        await asyncio.sleep(3 * TICK_S)
        assert {job["status"] for job in await world.jobs(project_id)} == {"pending"}
        clock.advance(seconds=20)
        jobs = await world.settled(project_id)
        assert {(job["status"], job["error"]["code"], job["error"]["kind"]) for job in jobs} == {
            ("failed", "taskNotFound", "lost")
        }


async def test_job_that_runware_does_not_list_is_waited_for_until_its_time_is_over(tmp_path: Path) -> None:
    clock = MovableClock()
    async with running_world(tmp_path, clock=clock, sandbox={"forget_rate": 1}) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        for _ in range(5):
            clock.advance(minutes=5)
            await asyncio.sleep(2 * TICK_S)
        assert {job["status"] for job in await world.jobs(project_id)} == {"pending"}
        clock.advance(minutes=6)
        jobs = await world.settled(project_id)
        assert {(job["error"]["code"], job["error"]["kind"]) for job in jobs} == {("timeout", "timeout")}


async def test_clip_is_given_up_when_its_time_is_over(tmp_path: Path) -> None:
    clock = MovableClock()
    async with running_world(tmp_path, clock=clock, sandbox=STUCK, clip_timeout_seconds=600) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        clock.advance(seconds=580)
        await asyncio.sleep(3 * TICK_S)
        assert {job["status"] for job in await world.jobs(project_id)} == {"pending"}
        clock.advance(seconds=20)
        jobs = await world.settled(project_id)
        assert {(job["error"]["code"], job["settled_by"]) for job in jobs} == {("timeout", "timeout")}


async def test_last_look_after_a_long_night_still_finds_the_videos(tmp_path: Path) -> None:
    clock = MovableClock()
    async with Sandbox(
        sandbox_options(webhook_drop_rate=1), files=tmp_path / "videos"
    ).serving() as sandbox_url:
        database = tmp_path / "clips.db"
        async with running_service(sandbox_url, database, clock=clock, poll_interval_seconds=600) as world:
            project_id = await world.store(3)
            await world.generate(project_id)
        clock.advance(hours=9)
        async with running_service(sandbox_url, database, clock=clock) as world:
            jobs = await world.settled(project_id)
            assert {(job["status"], job["settled_by"]) for job in jobs} == {("succeeded", "poll")}


async def test_retry_after_a_time_out_asks_once_more_before_it_pays(tmp_path: Path) -> None:
    clock = MovableClock()
    late = {"webhook_drop_rate": 1, "min_seconds": 2, "max_seconds": 2}
    async with running_world(tmp_path, clock=clock, sandbox=late) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        clock.advance(minutes=31)
        jobs = await world.settled(project_id)
        assert {job["error"]["code"] for job in jobs} == {"timeout"}
        await asyncio.sleep(2.5)
        answer = await world.retry(project_id)
        assert (answer["completed"], answer["all_complete"]) == (2, True)
        assert {job["attempt"] for job in await world.jobs(project_id)} == {1}
        assert (await world.ledger())["accepted"] == 2


async def test_video_host_that_is_not_allowed_keeps_the_clip_waiting_for_the_remedy(tmp_path: Path) -> None:
    async with Sandbox(
        sandbox_options(webhook_drop_rate=1), files=tmp_path / "videos"
    ).serving() as sandbox_url:
        database = tmp_path / "clips.db"
        async with running_service(sandbox_url, database, video_hosts="*.runware.ai") as world:
            project_id = await world.store(1)
            await world.generate(project_id)
            await asyncio.sleep(5 * TICK_S)
            assert [job["status"] for job in await world.jobs(project_id)] == ["pending"]
        async with running_service(sandbox_url, database) as world:
            assert [job["status"] for job in await world.settled(project_id)] == ["succeeded"]


async def test_moderated_clip_says_so_in_runwares_words(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"moderate_rate": 1, "webhook_drop_rate": 1}) as world:
        project_id = await world.store(1)
        await world.generate(project_id)
        (job,) = await world.settled(project_id)
        assert (job["error"]["code"], job["error"]["kind"]) == ("invalidProviderContent", "safety")
        assert "will not be charged" in job["error"]["detail"]
        (scene,) = (await world.check(project_id))["details"]
        assert scene["error"] == f"{job['error']['message']}. {job['error']['detail']}"


async def test_everything_wrong_at_once_still_ends_every_clip_with_one_bill_each(tmp_path: Path) -> None:
    faults = {
        "webhook_drop_rate": 0.4,
        "webhook_double_rate": 0.3,
        "webhook_reorder_rate": 0.2,
        "early_webhook_rate": 0.2,
        "lose_reply_rate": 0.4,
        "burst_rate": 0.1,
        "burst_length": 2,
        "burst_status": 503,
        "max_seconds": 0.5,
    }
    async with running_world(
        tmp_path, sandbox=faults, runware_batch_size=7, submission_grace_seconds=1
    ) as world:
        project_id = await world.store(100)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        ledger = await world.ledger()
        assert (ledger["accepted"], ledger["billed"]) == (100, 100)
