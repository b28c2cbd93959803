"""Callers that go away in the middle, stop reading, or send what can be read in two ways."""

import asyncio
import io
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.serving import listen, serving
from tests.harness import World, running_world
from tests.scrape import scrape

PATIENCE_S = 30
HEAD = b"POST /projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def counted(world: World, status: str) -> bool:
    """Whether a POST that was answered so stands in the metrics."""
    return (await scrape(world)).has("http_request_seconds_count", method="POST", status=status)


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def test_body_that_breaks_off_is_no_defect(world: World, caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port(world.url))
    writer.write(HEAD + b'Content-Length: 100\r\n\r\n{"frames"')
    await writer.drain()
    writer.transport.abort()
    deadline = time.monotonic() + PATIENCE_S
    while not await counted(world, "4xx"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert not await counted(world, "5xx")
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("first", ["Content-Length", "Transfer-Encoding"])
async def test_request_of_two_lengths_is_answered_once_and_ends_its_connection(
    world: World, first: str
) -> None:
    lengths = [b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"]
    if first != "Content-Length":
        lengths.reverse()
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port(world.url))
    writer.write(HEAD + b"".join(lengths) + b"\r\n0\r\n\r\n" + smuggled)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


async def test_reader_that_has_stopped_reading_is_given_up_with_all_that_waits_for_it() -> None:
    given_up = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1_000_000
                await asyncio.sleep(0)
        finally:
            given_up.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await StreamingResponse(endless())(scope, receive, send)

    listening, url = listen(unread_s=1)
    async with serving(app, listening):
        with closing(socket.create_connection(("127.0.0.1", port(url)))) as reader:
            reader.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.wait_for(given_up.wait(), PATIENCE_S)


async def test_image_of_endless_segments_is_refused_at_once(world: World) -> None:
    segment = b"\xff\xe1" + struct.pack(">H", 2)
    content = b"\xff\xd8" + segment * 4_000_000
    headers = {"content-type": "image/jpeg"}
    async with world.session.post(
        f"{world.url}/uploads", data=io.BytesIO(content), headers=headers
    ) as response:
        assert response.status == 422
        assert (await response.json())["code"] == "invalid_value"
