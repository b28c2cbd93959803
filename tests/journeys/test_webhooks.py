"""The webhook endpoint: what it takes, what it refuses, and that nothing comes of what it refuses."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.clips.models import TaskUUID
from service.runware.callbacks import WEBHOOK_PATH, CallbackURLs
from tests.builders import MovableClock
from tests.harness import WEBHOOK_SECRET, World, running_world

NO_POLLER = 600
UNKNOWN_TASK = TaskUUID("99999999-9999-4999-8999-999999999999")


def callback(task_uuid: str, secret: str = WEBHOOK_SECRET) -> str:
    """The path and query that a webhook for this job comes by."""
    url = CallbackURLs("http://service", [secret]).url(TaskUUID(task_uuid))
    assert url is not None
    return url.removeprefix("http://service")


def success(task_uuid: str, url: str = "http://127.0.0.1:1/1.mp4") -> dict[str, Any]:
    return {"taskType": "videoInference", "taskUUID": task_uuid, "videoURL": url, "cost": 0.5}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A service whose jobs never end by themselves."""
    stuck = {"slow_rate": 1, "slow_seconds": 3600}
    async with running_world(tmp_path, sandbox=stuck, poll_interval_seconds=NO_POLLER) as running:
        yield running


@pytest.fixture
async def project_id(world: World) -> str:
    project_id = await world.store(2)
    await world.generate(project_id)
    return project_id


async def test_result_is_stored_before_the_webhook_is_answered(world: World, project_id: str) -> None:
    one, _ = await world.jobs(project_id)
    status, answer = await world.post(callback(one["task_uuid"]), success(one["task_uuid"]))
    assert (status, answer) == (200, {"success": True, "changed": True})
    one, two = await world.jobs(project_id)
    assert (one["status"], one["settled_by"], one["cost_usd"]) == ("succeeded", "webhook", 0.5)
    assert (await world.project(project_id))["clips"] == {
        one["task_uuid"]: "http://127.0.0.1:1/1.mp4",
        two["task_uuid"]: "pending",
    }


async def test_duplicate_webhook_is_thanked_and_changes_nothing(world: World, project_id: str) -> None:
    one, _ = await world.jobs(project_id)
    await world.post(callback(one["task_uuid"]), success(one["task_uuid"]))
    before = await world.project(project_id)
    status, answer = await world.post(
        callback(one["task_uuid"]), success(one["task_uuid"], "http://127.0.0.1:1/2.mp4")
    )
    assert (status, answer) == (200, {"success": True, "changed": False})
    assert await world.project(project_id) == before


async def test_first_terminal_result_wins_over_a_contradiction(world: World, project_id: str) -> None:
    one, _ = await world.jobs(project_id)
    error = {"code": "inferenceError", "message": "Broken.", "taskUUID": one["task_uuid"]}
    await world.post(callback(one["task_uuid"]), {"errors": [error]})
    status, answer = await world.post(callback(one["task_uuid"]), success(one["task_uuid"]))
    assert (status, answer["changed"]) == (200, False)
    one, _ = await world.jobs(project_id)
    assert (one["status"], one["error"]["code"], one["error"]["message"]) == (
        "failed",
        "inferenceError",
        "Broken.",
    )


async def test_forged_webhook_is_refused_and_changes_nothing(world: World, project_id: str) -> None:
    before = await world.project(project_id)
    one, two = (job["task_uuid"] for job in before["jobs"])
    own_token = callback(two).rpartition("=")[2]
    for path in (
        WEBHOOK_PATH,
        f"{WEBHOOK_PATH}?job={one}",
        f"{WEBHOOK_PATH}?job={one}&token=",
        f"{WEBHOOK_PATH}?job={one}&token={own_token}",
        callback(one, "another-secret-000000"),
        callback(one)[:-1],
        callback(one) + "0",
    ):
        status, answer = await world.post(path, success(one))
        assert (status, answer["code"], answer["success"]) == (401, "unauthorized", False)
    assert await world.project(project_id) == before


async def test_job_can_not_settle_another_by_its_own_callback_url(world: World, project_id: str) -> None:
    before = await world.project(project_id)
    one, two = (job["task_uuid"] for job in before["jobs"])
    status, answer = await world.post(callback(one), success(two))
    assert (status, answer["code"]) == (400, "malformed_result")
    assert await world.project(project_id) == before


async def test_unknown_job_is_404(world: World) -> None:
    status, answer = await world.post(callback(UNKNOWN_TASK), success(UNKNOWN_TASK))
    assert (status, answer["code"]) == (404, "clip_not_found")


@pytest.mark.parametrize(
    "body", ["{", "", "[", "NaN", '"text"', "{}", "[]", '{"data": []}', "[" * 5000, "\ud83d"]
)
async def test_malformed_body_is_400_and_changes_nothing(world: World, project_id: str, body: str) -> None:
    before = await world.project(project_id)
    path = callback(before["jobs"][0]["task_uuid"])
    data = body.encode("utf-8", "surrogatepass")
    async with world.session.post(world.url + path, data=data) as response:
        assert response.status == 400
        assert (await response.json())["success"] is False
    assert await world.project(project_id) == before


async def test_body_beyond_the_limit_is_413_whether_announced_or_not(world: World, project_id: str) -> None:
    one, _ = await world.jobs(project_id)
    body = b" " * (256 * 1024) + b"{}"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for data in (body, chunks()):
        async with world.session.post(world.url + callback(one["task_uuid"]), data=data) as response:
            assert response.status == 413
            assert (await response.json())["code"] == "body_too_large"


@pytest.mark.parametrize(
    "url", ["https://evil.example/1.mp4", "http://10.0.0.1/1.mp4", "javascript:alert(1)", "x"]
)
async def test_video_at_a_strange_place_is_refused(world: World, project_id: str, url: str) -> None:
    before = await world.project(project_id)
    one = before["jobs"][0]["task_uuid"]
    status, answer = await world.post(callback(one), success(one, url))
    assert (status, answer["code"]) == (422, "video_url_refused")
    assert "VIDEO_HOSTS" in answer["error"]
    assert await world.project(project_id) == before


async def test_webhook_may_come_before_the_submissions_own_answer(tmp_path: Path) -> None:
    early = {"early_webhook_rate": 1}
    async with running_world(tmp_path, sandbox=early, poll_interval_seconds=NO_POLLER) as world:
        project_id = await world.store(3)
        answer = await world.generate(project_id)
        assert (answer["completed"], answer["all_complete"]) == (3, True)
        assert {job["settled_by"] for job in await world.jobs(project_id)} == {"webhook"}


async def test_doubled_delayed_and_reordered_webhooks_settle_each_clip_once(tmp_path: Path) -> None:
    faults = {
        "webhook_double_rate": 0.5,
        "webhook_delay_rate": 0.3,
        "webhook_delay_seconds": 0.5,
        "webhook_reorder_rate": 0.3,
    }
    async with running_world(tmp_path, sandbox=faults, poll_interval_seconds=NO_POLLER) as world:
        project_id = await world.store(30)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {(job["status"], job["settled_by"]) for job in jobs} == {("succeeded", "webhook")}


async def test_poll_and_webhook_at_once_agree(tmp_path: Path) -> None:
    async with running_world(tmp_path, poll_interval_seconds=0.02) as world:
        project_id = await world.store(60)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        assert {job["settled_by"] for job in jobs} <= {"webhook", "poll", "submission"}
        ended = await world.project(project_id)
        await asyncio.sleep(0.5)
        assert await world.project(project_id) == ended


async def test_late_success_beats_timeout(tmp_path: Path) -> None:
    clock = MovableClock()
    stuck = {"slow_rate": 1, "slow_seconds": 3600}
    async with running_world(tmp_path, sandbox=stuck, clock=clock) as world:
        project_id = await world.store(1)
        await world.generate(project_id)
        clock.advance(minutes=31)
        (job,) = await world.settled(project_id)
        assert (job["status"], job["settled_by"], job["error"]["code"]) == ("failed", "timeout", "timeout")
        status, answer = await world.post(callback(job["task_uuid"]), success(job["task_uuid"]))
        assert (status, answer["changed"]) == (200, True)
        (job,) = await world.jobs(project_id)
        assert (job["status"], job["settled_by"], job["error"]) == ("succeeded", "webhook", None)


async def test_secret_can_be_replaced_while_jobs_are_under_way(tmp_path: Path) -> None:
    stuck = {"slow_rate": 1, "slow_seconds": 3600}
    new = "new-secret-00000000000"
    async with running_world(
        tmp_path, sandbox=stuck, webhook_secret=f"{new},{WEBHOOK_SECRET}", poll_interval_seconds=NO_POLLER
    ) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        one, two = await world.jobs(project_id)
        for job, secret in ((one, WEBHOOK_SECRET), (two, new)):
            status, _ = await world.post(callback(job["task_uuid"], secret), success(job["task_uuid"]))
            assert status == 200
