"""Projects that are deleted, restored and duplicated, over HTTP and with real clips."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.events import event_stream
from tests.harness import PATIENCE_S, Answer, World, running_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def delete(world: World, project_id: str) -> Answer:
    async with world.session.delete(f"{world.url}/projects/{project_id}") as response:
        answer: Answer = await response.json()
        assert response.status == 200, answer
        return answer


async def duplicate(world: World, project_id: str) -> str:
    status, answer = await world.post(f"/projects/{project_id}/copies", {})
    assert status == 201, answer
    return str(answer["id"])


async def listed(world: World, query: str = "") -> list[str]:
    return [one["id"] for one in (await world.get(f"/projects?{query}"))["projects"]]


async def until_two_are_done(world: World) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            (deleted,) = (await world.get("/projects?state=deleted"))["projects"]
            if deleted["counts"]["completed"] == 2:
                return
            await asyncio.sleep(0.05)


async def test_deleted_project_is_listed_as_such_and_comes_back_as_it_was(world: World) -> None:
    project_id = await world.store(1)
    await world.generate(project_id)
    await world.settled(project_id)
    before = await world.project(project_id)
    gone = await delete(world, project_id)
    assert await listed(world) == []
    (shown,) = (await world.get("/projects?state=deleted"))["projects"]
    assert (shown["id"], shown["state"], shown["deleted_at"]) == (project_id, "deleted", gone["deleted_at"])
    assert shown["counts"]["completed"] == 1
    status, answer = await world.post(f"/projects/{project_id}/restore", {})
    assert (status, answer) == (200, {"id": project_id})
    after = await world.project(project_id)
    numbers = ("sequence", "edited")
    assert {key: value for key, value in after.items() if key not in numbers} == {
        key: value for key, value in before.items() if key not in numbers
    }
    assert await listed(world, "state=deleted") == []
    assert await listed(world) == [project_id]


async def test_deleting_twice_tells_the_first_time_and_restoring_twice_is_harmless(world: World) -> None:
    project_id = await world.store(1)
    assert await delete(world, project_id) == await delete(world, project_id)
    for _ in range(2):
        assert (await world.post(f"/projects/{project_id}/restore", {}))[0] == 200
    assert await listed(world) == [project_id]


async def test_clips_of_a_project_that_is_deleted_meanwhile_are_there_when_it_is_back(world: World) -> None:
    await world.set_faults(slow_rate=1, slow_seconds=0.5, webhook_drop_rate=1)
    project_id = await world.store(2)
    await world.generate(project_id)
    await delete(world, project_id)
    await until_two_are_done(world)
    await world.post(f"/projects/{project_id}/restore", {})
    assert [job["status"] for job in await world.jobs(project_id)] == ["succeeded"] * 2
    await world.generate(project_id)
    assert (await world.ledger())["accepted"] == 2


async def test_event_stream_of_a_project_that_is_deleted_ends_and_none_begins(world: World) -> None:
    project_id = await world.store(1)
    async with event_stream(world.session, world.url, project_id) as events:
        await anext(events)
        await delete(world, project_id)
        async with asyncio.timeout(PATIENCE_S):
            assert [event async for event in events] == []
    async with world.session.get(f"{world.url}/projects/{project_id}/events") as response:
        assert (response.status, (await response.json())["code"]) == (410, "project_deleted")


async def test_duplicate_has_the_finished_clips_and_generating_it_buys_nothing(world: World) -> None:
    project_id = await world.store(3)
    await world.generate(project_id)
    made = await world.settled(project_id)
    new_id = await duplicate(world, project_id)
    copies = await world.jobs(new_id)
    for copy, original in zip(copies, made, strict=True):
        assert copy["copied"]
        assert not original["copied"]
        assert not copy["adopted"]
        assert copy["cost_usd"] == 0
        assert copy["task_uuid"] != original["task_uuid"]
        for same in ("scene", "video_url", "video_expires_at", "settled_at", "model", "duration_s"):
            assert copy[same] == original[same]
    answer = await world.generate(new_id)
    assert answer["all_complete"]
    assert (await world.ledger())["accepted"] == 3
    assert (await world.project(new_id))["cost_usd"] == 0
    assert (await world.project(new_id))["title"] == "Scene 1. (copy)"
    async with world.session.get(f"{world.url}/projects/{new_id}/clips/1.mp4") as response:
        assert response.status == 200
        assert "Scene-1-copy-scene-1.mp4" in response.headers["Content-Disposition"]


async def test_scene_that_failed_is_bought_for_the_duplicate_alone(world: World) -> None:
    project_id = await world.store({"1": {"description": "Fine."}, "2": {"description": "[sandbox:fail]"}})
    await world.generate(project_id)
    await world.settled(project_id)
    new_id = await duplicate(world, project_id)
    assert [job["scene"] for job in await world.jobs(new_id)] == ["1"]
    await world.generate(new_id)
    await world.settled(new_id)
    assert (await world.ledger())["accepted"] == 3


async def test_duplicate_outlives_its_original(world: World) -> None:
    project_id = await world.store(1)
    await world.generate(project_id)
    await world.settled(project_id)
    new_id = await duplicate(world, project_id)
    await delete(world, project_id)
    assert [job["status"] for job in await world.jobs(new_id)] == ["succeeded"]
    assert await listed(world) == [new_id]


@pytest.mark.parametrize("call", ["copies", "restore"])
async def test_form_of_a_strange_page_neither_duplicates_nor_restores(world: World, call: str) -> None:
    project_id = await world.store(1)
    for sent in ({}, {"data": {"a": "b"}}, {"data": "text"}):
        async with world.session.post(f"{world.url}/projects/{project_id}/{call}", **sent) as response:
            assert (response.status, (await response.json())["code"]) == (400, "bad_request")
    assert len(await listed(world)) == 1


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/restore"), ("POST", "/copies")])
async def test_project_that_is_not_there_is_404(world: World, method: str, path: str) -> None:
    url = f"{world.url}/projects/{uuid.uuid4()}{path}"
    async with world.session.request(method, url, json={}) as response:
        assert (response.status, (await response.json())["code"]) == (404, "project_not_found")
