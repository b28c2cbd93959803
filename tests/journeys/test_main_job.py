"""Jobs submitted, completions pushed, the projection updated: with everything in order."""

import uuid
from pathlib import Path

from service.demo import playable
from tests.harness import running_world

NO_POLLER = 600


async def test_every_clip_arrives_by_webhook_and_plays(tmp_path: Path) -> None:
    async with running_world(tmp_path, poll_interval_seconds=NO_POLLER) as world:
        project_id = await world.store(3)
        answer = await world.generate(project_id)
        assert answer["success"] is True
        assert (answer["project_id"], answer["total_clips"]) == (project_id, 3)
        assert [result["sceneKey"] for result in answer["results"]] == ["1", "2", "3"]
        assert all(result["success"] and uuid.UUID(result["taskUUID"]) for result in answer["results"])

        jobs = await world.settled(project_id)
        assert [(job["scene"], job["status"], job["settled_by"]) for job in jobs] == [
            ("1", "succeeded", "webhook"),
            ("2", "succeeded", "webhook"),
            ("3", "succeeded", "webhook"),
        ]
        for job in jobs:
            async with world.session.get(job["video_url"]) as response:
                assert playable(await response.read(), job["duration_s"])
            assert job["cost_usd"] == 0.8
            assert job["error"] is None

        project = await world.project(project_id)
        assert project["clips"] == {job["task_uuid"]: job["video_url"] for job in jobs}
        ledger = await world.ledger()
        assert (ledger["accepted"], ledger["billed"], ledger["seen_twice"]) == (3, 3, [])


async def test_poller_finishes_everything_when_every_webhook_is_dropped(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"webhook_drop_rate": 1}) as world:
        project_id = await world.store(12)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {(job["status"], job["settled_by"]) for job in jobs} == {("succeeded", "poll")}


async def test_without_a_public_url_the_poller_does_all_the_work(tmp_path: Path) -> None:
    async with running_world(tmp_path, webhooks=False) as world:
        project_id = await world.store(3)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {(job["status"], job["settled_by"]) for job in jobs} == {("succeeded", "poll")}
        ledger = await world.ledger()
        assert all(task["webhook_deliveries"] == 0 for task in ledger["tasks"].values())


async def test_project_of_a_thousand_scenes_ends_with_a_thousand_bills(tmp_path: Path) -> None:
    async with running_world(tmp_path, poll_interval_seconds=2) as world:
        project_id = await world.store(1000)
        answer = await world.generate(project_id)
        assert (answer["total_clips"], answer["failed"]) == (1000, 0)
        jobs = await world.settled(project_id)
        assert [job["scene"] for job in jobs] == [str(n) for n in range(1, 1001)]
        assert {job["status"] for job in jobs} == {"succeeded"}
        ledger = await world.ledger()
        assert (ledger["accepted"], ledger["billed"], ledger["seen_twice"]) == (1000, 1000, [])
