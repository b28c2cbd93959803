"""A project's event stream: nothing that happens is missed, by whichever copy of the service it happened."""

import asyncio
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from service.sandbox.server import Sandbox
from tests.events import StreamEvent, event_stream
from tests.harness import PATIENCE_S, World, running_service, running_world, sandbox_options
from tests.process import ServiceProcess

STREAMS = 300


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def until_ended(events: AsyncIterator[StreamEvent], scenes: int) -> list[StreamEvent]:
    """Read until every scene has its video."""
    read: list[StreamEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            read.append(event)
            if event.data["counts"]["completed"] == scenes:
                break
    return read


async def test_stream_begins_with_the_whole_project_as_it_is_read(world: World) -> None:
    project_id = await world.store(2)
    async with event_stream(world.session, world.url, project_id) as events:
        first = await anext(events)
    detail = await world.project(project_id)
    assert first.kind == "snapshot"
    assert first.id == detail["sequence"] == first.data["sequence"]
    assert {name: value for name, value in first.data.items() if name != "now"} == detail


async def test_every_change_is_told_with_rising_numbers_and_changed_jobs_alone(world: World) -> None:
    await world.set_faults(slow_rate=1, slow_seconds=0.2)
    project_id = await world.store(3)
    async with event_stream(world.session, world.url, project_id) as events:
        await anext(events)
        await world.generate(project_id)
        read = await until_ended(events, 3)
    assert {event.kind for event in read} == {"changes"}
    numbers = [event.id for event in read]
    assert numbers == sorted(set(numbers))
    last = {scene: status for event in read for scene, status in event.statuses.items()}
    assert last == {"1": "succeeded", "2": "succeeded", "3": "succeeded"}
    assert read[-1].data["cost_usd"] == pytest.approx(2.4)
    assert "scenes" not in read[-1].data


async def test_who_comes_back_is_told_only_what_they_missed(world: World) -> None:
    project_id = await world.store(2)
    await world.generate(project_id)
    await world.settled(project_id)
    known = (await world.project(project_id))["sequence"]
    world.rewrite(project_id, input_image_url="https://frames.example/not-an-edit-of-scenes.png")
    await world.store(1)
    async with event_stream(
        world.session, world.url, project_id, **{"Last-Event-ID": str(known - 1)}
    ) as events:
        missed = await anext(events)
    assert (missed.kind, missed.id) == ("changes", known)
    assert len(missed.data["jobs"]) == 1
    assert missed.data["counts"]["completed"] == 2


@pytest.mark.parametrize("last_event_id", ["999999", "x", "-1", "9" * 400, "1e3", ""])
async def test_number_that_says_nothing_gets_the_whole_project(world: World, last_event_id: str) -> None:
    project_id = await world.store(1)
    headers = {"Last-Event-ID": last_event_id}
    async with event_stream(world.session, world.url, project_id, **headers) as events:
        assert (await anext(events)).kind == "snapshot"


async def test_edit_of_scenes_or_frames_sends_the_whole_project_again(world: World) -> None:
    project_id = await world.store(1)
    async with event_stream(world.session, world.url, project_id) as events:
        await anext(events)
        world.rewrite(project_id, scenes={"1": {"description": "Another."}})
        async with asyncio.timeout(PATIENCE_S):
            edited = await anext(events)
    assert edited.kind == "snapshot"
    assert edited.data["scenes"]["1"]["description"] == "Another."


async def test_change_by_another_copy_reaches_this_one_within_two_seconds(
    world: World, tmp_path: Path
) -> None:
    project_id = await world.store(1)
    async with (
        running_service(world.sandbox_url, tmp_path / "clips.db") as other,
        event_stream(world.session, world.url, project_id) as events,
    ):
        await anext(events)
        await other.generate(project_id)
        await other.settled(project_id)
        stored_at = time.monotonic()
        await until_ended(events, 1)
        assert time.monotonic() - stored_at < 2


async def test_change_of_this_copy_is_told_at_once(world: World) -> None:
    project_id = await world.store(1)
    async with event_stream(world.session, world.url, project_id) as events:
        await anext(events)
        started = time.monotonic()
        await world.generate(project_id)
        await anext(events)
        assert time.monotonic() - started < 0.9


async def test_hundreds_of_streams_all_see_the_end(world: World) -> None:
    projects = [await world.store(2) for _ in range(10)]
    connector = aiohttp.TCPConnector(limit=0)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        streams = [
            await stack.enter_async_context(event_stream(session, world.url, projects[n % 10]))
            for n in range(STREAMS)
        ]
        await asyncio.gather(*(anext(events) for events in streams))
        reading = asyncio.gather(*(until_ended(events, 2) for events in streams))
        await asyncio.gather(*map(world.generate, projects))
        read = await reading
    assert all(events[-1].data["counts"]["completed"] == 2 for events in read)


async def test_reader_that_takes_nothing_is_given_the_newest_state_and_holds_up_nobody(
    world: World,
) -> None:
    project_id = await world.store(1)
    async with (
        event_stream(world.session, world.url, project_id) as slow,
        event_stream(world.session, world.url, project_id) as quick,
    ):
        await anext(quick)
        await world.generate(project_id)
        await until_ended(quick, 1)
        assert (await until_ended(slow, 1))[-1].statuses == {"1": "succeeded"}


async def test_stream_of_an_unknown_project_is_404(world: World) -> None:
    async with world.session.get(f"{world.url}/projects/{uuid.uuid4()}/events") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "project_not_found"


async def test_stream_needs_the_token_as_the_project_does(tmp_path: Path) -> None:
    token = "token-of-the-service"
    async with running_world(tmp_path, service_token=token) as world:
        headers = {"Authorization": f"Bearer {token}"}
        body = {"frames": {"1": None}}
        async with world.session.post(f"{world.url}/projects", json=body, headers=headers) as response:
            project_id = (await response.json())["id"]
        async with world.session.get(f"{world.url}/projects/{project_id}/events") as response:
            assert response.status == 401
        async with event_stream(world.session, world.url, project_id, **headers) as events:
            assert (await anext(events)).kind == "snapshot"


async def test_open_streams_end_when_the_service_stops_and_do_not_hold_it_up(tmp_path: Path) -> None:
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        ServiceProcess(sandbox_url, tmp_path) as service,
        aiohttp.ClientSession() as session,
    ):
        world = service.world(session)
        project_id = await world.store(1)
        async with event_stream(session, world.url, project_id) as events:
            await anext(events)
            started = time.monotonic()
            stopping = asyncio.ensure_future(service.terminate())
            assert [event async for event in events] == []
            assert await stopping in (0, -signal.SIGTERM)
            assert time.monotonic() - started < 10
        assert "Traceback" not in service.log
