"""A project that the replaced functions have made clips for: it is shown, brought to its end, and adopted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.events import event_stream
from tests.harness import World, running_world

EARLIER_FIRST, EARLIER_LAST = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "0f")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


def video(world: World, name: str) -> str:
    return f"{world.sandbox_url}/videos/{name}.mp4"


async def ended_check(world: World, project_id: str) -> dict[str, Any]:
    """Check as the application does, every so often, until nothing is pending."""
    while (checked := await world.check(project_id))["pending"]:
        pass
    return dict(checked)


async def test_application_that_polls_an_old_project_comes_to_its_end(world: World) -> None:
    done = await world.submit_elsewhere()
    failed = await world.submit_elsewhere("[sandbox:fail]")
    project_id = await world.store(2)
    world.rewrite(project_id, clips={done: "pending", failed: "pending"})
    checked = await ended_check(world, project_id)
    assert (checked["success"], checked["completed"], checked["failed"]) == (True, 1, 1)
    told = {one.pop("jobId"): one for one in checked["earlier"]}
    assert told[done]["status"] == "completed"
    assert told[done]["videoUrl"].startswith(f"{world.sandbox_url}/videos/")
    assert told[failed] == {"status": "failed"}
    assert checked["details"] == []
    assert checked["clips"] == (await world.project(project_id))["clips"]
    assert (await world.ledger())["accepted"] == 2, "nothing was bought by asking"


async def test_old_project_is_shown_with_its_clips_wherever_projects_are(world: World) -> None:
    project_id = await world.store(2)
    url = video(world, "old")
    world.rewrite(project_id, clips={EARLIER_LAST: url, EARLIER_FIRST: "failed", "nonsense": "pending"})
    earlier = [
        {"jobId": EARLIER_FIRST, "status": "failed"},
        {"jobId": EARLIER_LAST, "status": "completed", "videoUrl": url},
    ]
    project = await world.project(project_id)
    assert (project["earlier"], project["jobs"]) == (earlier, [])
    assert project["counts"] == {"total": 2, "completed": 1, "pending": 0, "failed": 1}
    (listed,) = (await world.get("/projects"))["projects"]
    assert listed["earlier"] == earlier


async def test_stream_tells_how_an_earlier_clip_ended(world: World) -> None:
    task_uuid = await world.submit_elsewhere()
    project_id = await world.store(1)
    world.rewrite(project_id, clips={task_uuid: "pending"})
    async with event_stream(world.session, world.url, project_id) as events:
        assert (await anext(events)).data["earlier"] == [{"jobId": task_uuid, "status": "pending"}]
        await ended_check(world, project_id)
        told = await anext(events)
    assert (told.kind, told.data["earlier"][0]["status"]) == ("snapshot", "completed")


async def test_adopted_clips_are_those_of_the_scenes_and_cost_nothing(world: World) -> None:
    project_id = await world.store(2)
    urls = {task: video(world, task[:1]) for task in (EARLIER_FIRST, EARLIER_LAST)}
    world.rewrite(project_id, clips=urls)
    body = {"project_id": project_id, "adopt": True}
    status, answer = await world.post("/functions/v1/generate-clips", body)
    assert status == 200, answer
    assert [(one["sceneKey"], one["videoURL"]) for one in answer["results"]] == [
        ("1", urls[EARLIER_FIRST]),
        ("2", urls[EARLIER_LAST]),
    ]
    assert (answer["all_complete"], answer["clips"]) == (True, urls)
    project = await world.project(project_id)
    assert (project["earlier"], project["cost_usd"]) == ([], 0)
    for job in project["jobs"]:
        assert (job["adopted"], job["status"], job["settled_by"]) == (True, "succeeded", "check")
        assert (job["cost_usd"], job["video_expires_at"], job["submitted_at"]) == (
            None,
            None,
            project["created_at"],
        )
    assert (await world.generate(project_id))["completed"] == 2
    assert (await world.ledger())["accepted"] == 0


async def test_clips_that_can_not_be_matched_are_refused_with_409_and_the_reason(world: World) -> None:
    project_id = await world.store(2)
    world.rewrite(project_id, clips={EARLIER_FIRST: video(world, "old")})
    status, answer = await world.post("/generate-clips", {"project_id": project_id, "adopt": True})
    assert (status, answer["code"]) == (409, "adoption_refused")
    assert "both frames: 2; earlier clips: 1" in answer["error"]
    assert (await world.ledger())["accepted"] == 0


async def test_generating_anew_says_which_clips_were_there(world: World) -> None:
    project_id = await world.store(1)
    world.rewrite(project_id, clips={EARLIER_FIRST: video(world, "old")})
    answer = await world.generate(project_id)
    assert [one["jobId"] for one in answer["earlier"]] == [EARLIER_FIRST]
    assert (await world.ledger())["accepted"] == 1
    assert (await world.generate(project_id))["earlier"] == []
