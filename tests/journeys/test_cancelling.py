"""Cancelling over HTTP: what was not sent costs nothing, and what was is said to come."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness import Answer, World, running_world

FULL = {"throttle_402_above": 1, "min_seconds": 60, "max_seconds": 60}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Runware has room for one clip at a time, and is at it for a minute."""
    async with running_world(tmp_path, sandbox=FULL) as running:
        yield running


async def cancel(world: World, project_id: str, **body: object) -> tuple[int, Answer]:
    return await world.post("/functions/v1/cancel-clips", {"project_id": project_id, **body})


async def one_sent_and_two_waiting(world: World) -> str:
    project_id = await world.store(3)
    await world.generate(project_id)
    await world.until(project_id, lambda jobs: [job["stage"] for job in jobs].count("throttled") == 2)
    return project_id


async def test_waiting_clips_are_cancelled_and_the_one_that_was_sent_is_said_to_come(world: World) -> None:
    project_id = await one_sent_and_two_waiting(world)
    sent = {job["scene"] for job in await world.jobs(project_id) if job["stage"] == "generating"}
    status, answer = await cancel(world, project_id)
    assert status == 200, answer
    counts = {name: answer[name] for name in ("total_clips", "completed", "pending", "failed", "scenes")}
    assert counts == {"total_clips": 1, "completed": 0, "pending": 1, "failed": 2, "scenes": 3}
    told = {result["sceneKey"]: result.get("error") for result in answer["results"]}
    assert {scene for scene, error in told.items() if error is None} == {"1", "2", "3"} - sent
    (error,) = [error for error in told.values() if error]
    assert "has no way to cancel a job: the clip comes, and is paid for" in error
    cancelled = [job for job in await world.jobs(project_id) if job["status"] == "failed"]
    assert {(job["error"]["kind"], job["error"]["code"]) for job in cancelled} == {("withdrawn", "cancelled")}
    assert {(job["cost_usd"], job["send_after"], job["settled_by"]) for job in cancelled} == {
        (None, None, "check")
    }
    assert (await world.ledger())["accepted"] == 1


async def test_nothing_to_cancel_is_told_with_the_reason_of_each_scene(world: World) -> None:
    project_id = await world.store(2)
    status, answer = await cancel(world, project_id)
    assert (status, answer["code"], answer["results"]) == (409, "nothing_cancelled", [])
    assert "No clip of the project is being made" in answer["error"]
    await world.post("/generate-clips", {"project_id": project_id, "scenes": ["1"]})
    status, answer = await cancel(world, project_id, scenes=["1", 2])
    assert (status, answer["code"], answer["pending"]) == (409, "nothing_cancelled", 1)
    assert [result["success"] for result in answer["results"]] == [False, False]
    assert "Scene 1: It was sent" in answer["error"]
    assert "Scene 2: No clip" in answer["error"]


async def test_unknown_scene_is_refused_and_nothing_cancelled(world: World) -> None:
    project_id = await one_sent_and_two_waiting(world)
    status, answer = await cancel(world, project_id, scenes=["1", "2", "3", "9"])
    assert (status, answer["code"]) == (422, "scene_not_found")
    assert {job["status"] for job in await world.jobs(project_id)} == {"pending", "submitting"}


async def test_cancelling_by_name_may_be_repeated(world: World) -> None:
    project_id = await one_sent_and_two_waiting(world)
    (waiting, _) = [job["scene"] for job in await world.jobs(project_id) if job["stage"] == "throttled"]
    assert [(await cancel(world, project_id, scenes=[waiting]))[0] for _ in range(2)] == [200, 200]
    stages = [job["stage"] for job in await world.jobs(project_id)]
    assert sorted(stages) == ["failed", "generating", "throttled"]


@pytest.mark.parametrize("call", ["generate-clips", "retry-clips"])
async def test_cancelled_clip_can_be_made_again(tmp_path: Path, call: str) -> None:
    async with running_world(tmp_path, sandbox=FULL) as world:
        project_id = await one_sent_and_two_waiting(world)
        await cancel(world, project_id)
        status, answer = await world.post(f"/functions/v1/{call}", {"project_id": project_id})
        assert status == 200, answer
        jobs = await world.jobs(project_id)
        assert sorted(job["attempt"] for job in jobs) == [1, 2, 2]
        assert (await world.ledger())["accepted"] == 1
