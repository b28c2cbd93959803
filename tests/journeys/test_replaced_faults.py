"""What went wrong in the functions that this service replaces, one test for each."""

import asyncio
from pathlib import Path

import aiohttp

from service.sandbox.server import Sandbox
from tests.builders import MovableClock
from tests.harness import running_service, running_world, sandbox_options

NO_POLLER = 600


async def test_fault_1_status_check_completes_clips(tmp_path: Path) -> None:
    async with running_world(tmp_path, webhooks=False, poll_interval_seconds=NO_POLLER) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        while (answer := await world.check(project_id))["pending"]:
            assert answer["completed"] + answer["pending"] == answer["total_clips"] == 2
        assert (answer["success"], answer["completed"]) == (True, 2)
        details = {detail["jobId"]: detail for detail in answer["details"]}
        assert {detail["status"] for detail in details.values()} == {"completed"}
        assert answer["clips"] == {task: detail["videoUrl"] for task, detail in details.items()}
        assert {job["settled_by"] for job in await world.jobs(project_id)} == {"check"}


async def test_fault_2_two_writers_at_once_lose_no_result(tmp_path: Path) -> None:
    async with running_world(tmp_path, poll_interval_seconds=0.05) as world:
        project_id = await world.store(100)
        call = asyncio.create_task(world.generate(project_id))
        await world.until(project_id, lambda jobs: len(jobs) == 100)
        while not call.done() or (await world.check(project_id))["pending"]:
            await asyncio.gather(*(world.check(project_id) for _ in range(5)))
        project = await world.project(project_id)
        assert project["clips"] == {job["task_uuid"]: job["video_url"] for job in project["jobs"]}
        assert len(project["clips"]) == 100


async def test_fault_3_task_that_failed_at_submission_stays_with_its_scene(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await world.store(
            {"1": {"description": "Fine."}, "2": {"description": "[sandbox:refuse]"}}
        )
        answer = await world.generate(project_id)
        assert answer["clips"][answer["results"][1]["taskUUID"]] == "failed"
        checked = await world.check(project_id)
        assert (checked["scenes"], checked["total_clips"], checked["failed"]) == (2, 1, 1)


async def test_fault_4_every_job_is_in_the_ledger_before_its_request_is_answered(tmp_path: Path) -> None:
    slow = {"answer_delay_seconds": 1, "webhook_drop_rate": 1}
    async with running_world(tmp_path, sandbox=slow, poll_interval_seconds=NO_POLLER) as world:
        project_id = await world.store(3)
        call = asyncio.create_task(world.generate(project_id))
        jobs = await world.until(project_id, lambda jobs: len(jobs) == 3)
        assert {job["status"] for job in jobs} == {"submitting"}
        answer = await call
        assert set(answer["clips"]) == {job["task_uuid"] for job in jobs}
        assert set((await world.ledger())["tasks"]) == {job["task_uuid"] for job in jobs}


async def test_fault_5_calling_twice_pays_once_and_forgets_nothing(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await world.store(10)
        answers = await asyncio.gather(*(world.generate(project_id) for _ in range(5)))
        answers.append(await world.generate(project_id))
        await world.settled(project_id)
        answers.append(await world.generate(project_id))
        assert len({frozenset(answer["clips"]) for answer in answers}) == 1
        ledger = await world.ledger()
        assert (ledger["accepted"], ledger["billed"], ledger["seen_twice"]) == (10, 10, [])


async def test_fault_6_polling_resumes_after_a_restart_and_no_clip_is_pending_for_ever(
    tmp_path: Path,
) -> None:
    clock = MovableClock()
    options = sandbox_options(webhook_drop_rate=1, min_seconds=1, max_seconds=1)
    async with Sandbox(options, files=tmp_path / "videos").serving() as sandbox_url:
        database = tmp_path / "clips.db"
        async with running_service(sandbox_url, database, clock=clock) as world:
            scenes = {"1": {"description": "Fine."}, "2": {"description": "[sandbox:slow=3600]"}}
            project_id = await world.store(scenes)
            await world.generate(project_id)
        async with running_service(sandbox_url, database, clock=clock) as world:
            jobs = await world.until(project_id, lambda jobs: jobs[0]["status"] == "succeeded")
            assert jobs[1]["status"] == "pending"
            clock.advance(minutes=30)
            jobs = await world.settled(project_id)
            assert [job["settled_by"] for job in jobs] == ["poll", "timeout"]


async def test_fault_7_scene_reason_and_cost_of_each_clip_are_kept(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        scenes = {str(n): {"description": f"Scene {n}."} for n in range(1, 13)}
        scenes["5"] = {"description": "[sandbox:fail]"}
        project_id = await world.store(scenes)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert [job["scene"] for job in jobs] == [str(n) for n in range(1, 13)]
        assert jobs[4]["error"]["code"] == "inferenceError"
        assert all(job["cost_usd"] == 0.8 for job in jobs if job["status"] == "succeeded")


async def test_fault_8_whoever_has_only_the_public_anon_key_spends_nothing(tmp_path: Path) -> None:
    token = "token-of-the-service"
    async with running_world(
        tmp_path, service_token=token, headers={"Authorization": f"Bearer {token}"}
    ) as world:
        project_id = await world.store(1)
        async with aiohttp.ClientSession(
            headers={"Authorization": "Bearer anon", "apikey": "anon"}
        ) as stranger:
            for call in ("generate-clips", "retry-clips", "check-clips-status"):
                url = f"{world.url}/functions/v1/{call}"
                async with stranger.post(url, json={"project_id": project_id}) as response:
                    assert response.status == 401
                    assert token not in await response.text()
        assert (await world.ledger())["accepted"] == 0
        assert (await world.generate(project_id))["total_clips"] == 1
