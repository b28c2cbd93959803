"""Finished videos as files: passed on from an allowed host, and never more than that."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.runware.videos import MAX_VIDEO_BYTES
from service.web.downloads import MAX_DOWNLOADS
from tests.builders import MovableClock
from tests.harness import PATIENCE_S, World, running_world

TOKEN = "token-of-the-service"
# What all the kernel's buffers between host and reader may hold; an endless video is far more.
MOST_UNDER_WAY = 64 * 2**20
PIECE = bytes(64 * 1024)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def world(tmp_path: Path, clock: MovableClock) -> AsyncIterator[World]:
    async with running_world(tmp_path, clock=clock) as running:
        yield running


async def finished(world: World, scene: str = "1", script: object = None) -> str:
    """Store a project of one scene, and have its clip made."""
    project_id = await world.store({scene: {"description": "Boat leaves.", "duration": 4}})
    if script is not None:
        world.rewrite(project_id, script=script)
    await world.generate(project_id)
    await world.settled(project_id)
    return project_id


def path_of(project_id: str, scene: str = "1") -> str:
    return f"/projects/{project_id}/clips/{quote(scene, safe='')}.mp4"


async def asked(world: World, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    async with world.session.get(world.url + path, headers=headers) as response:
        return response.status, await response.json()


def relink(world: World, url: str) -> None:
    """Have the videos of all clips lie elsewhere."""
    with closing(sqlite3.connect(world.database)) as db, db:
        db.execute("UPDATE clips SET video_url = ? WHERE status = 'succeeded'", [url])


@asynccontextmanager
async def video_host(
    respond: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve whatever a test's host of videos answers; gives its URL at an allowed name."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


async def test_video_comes_whole_under_a_name_and_as_nothing_but_a_file(world: World) -> None:
    project_id = await finished(world, script={"title": "Harbour at dawn: Mara's return"})
    async with world.session.get(world.url + path_of(project_id)) as response:
        content = await response.read()
        assert response.status == 200
        assert response.content_type == "video/mp4"
        assert response.content_length == len(content)
        assert response.headers["Content-Disposition"] == (
            'attachment; filename="Harbour-at-dawn-Maras-return-scene-1.mp4"'
        )
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert (
            response.headers["Content-Security-Policy"]
            == "default-src 'none'; frame-ancestors 'none'; sandbox"
        )
        assert response.headers["Cache-Control"] == "private, no-store"
    (job,) = await world.jobs(project_id)
    async with world.session.get(job["video_url"]) as video:
        assert content == await video.read()
    assert content[4:8] == b"ftyp"


async def test_range_is_passed_through_and_one_that_can_not_be_is_416(world: World) -> None:
    url = world.url + path_of(project_id := await finished(world))
    async with world.session.get(url) as response:
        content = await response.read()
    async with world.session.get(url, headers={"Range": "bytes=4-7"}) as part:
        assert (part.status, await part.read()) == (206, b"ftyp")
        assert part.headers["Content-Range"] == f"bytes 4-7/{len(content)}"
        assert part.headers["Accept-Ranges"] == "bytes"
    async with world.session.get(url, headers={"Range": "bytes=0-1,4-7"}) as whole:
        assert (whole.status, await whole.read()) == (200, content)
    status, answer = await asked(world, path_of(project_id), Range=f"bytes={len(content)}-")
    assert (status, answer["code"]) == (416, "range_not_satisfiable")


async def test_head_tells_of_the_video_without_it(world: World) -> None:
    project_id = await finished(world)
    async with world.session.head(world.url + path_of(project_id)) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 0
        assert "scene-1.mp4" in response.headers["Content-Disposition"]
        assert await response.read() == b""


async def test_scene_may_be_called_anything(world: World) -> None:
    scene = "3/ä b?#"
    project_id = await finished(world, scene, script={"title": "Łódź 日本"})
    async with world.session.get(world.url + path_of(project_id, scene)) as response:
        assert response.status == 200
        said = response.content_disposition
        assert said is not None
        assert said.filename == "Łódź-日本-scene-3-ä-b.mp4"
        assert 'filename="odz-scene-3-a-b.mp4";' in response.headers["Content-Disposition"]


async def test_scene_without_a_finished_clip_is_404_clip_not_ready(world: World) -> None:
    project_id = await world.store({"1": {"description": "[sandbox:fail]"}})
    for scene in ("1", "2", "../../healthz"):
        status, answer = await asked(world, path_of(project_id, scene))
        assert (status, answer["code"]) == (404, "clip_not_ready")
        assert f"Scene {scene} of project {project_id}" in answer["error"]
    await world.generate(project_id)
    await world.settled(project_id)
    status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (404, "clip_not_ready")
    status, answer = await asked(world, path_of("no-uuid"))
    assert (status, answer["code"]) == (404, "project_not_found")


async def test_download_needs_the_token_that_the_project_needs(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with running_world(tmp_path, service_token=TOKEN, headers=headers) as world:
        path = path_of(await finished(world))
        async with world.session.get(world.url + path) as response:
            assert response.status == 200
        async with aiohttp.ClientSession() as stranger, stranger.get(world.url + path) as response:
            assert (response.status, (await response.json())["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_dead_link_is_410_with_the_date_and_what_helps(
    world: World, clock: MovableClock, status: int
) -> None:
    project_id = await finished(world)
    (job,) = await world.jobs(project_id)

    async def refuse(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text="<Error>secret words of the host</Error>")

    async with video_host(refuse) as host:
        relink(world, f"{host}/1.mp4?signature=secret")
        answered, early = await asked(world, path_of(project_id))
        clock.advance(days=31)
        answered_later, late = await asked(world, path_of(project_id))
    assert (answered, early["code"]) == (answered_later, late["code"]) == (410, "video_gone")
    assert early["error"].startswith("The video of scene 1 is no longer at its link, which was expected to")
    assert late["error"].startswith("The link to the video of scene 1 ended on ")
    assert job["video_expires_at"][:4] in late["error"]
    assert "that costs again" in late["error"]
    assert "secret" not in str((early, late))


async def test_video_of_no_bytes_is_not_there_yet_just_after_success_and_gone_later(
    world: World, clock: MovableClock
) -> None:
    await world.set_faults(video_empty_seconds=3600)
    project_id = await finished(world)
    status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (503, "video_unreachable")
    assert "not at its link yet" in answer["error"]
    clock.advance(minutes=11)
    status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (410, "video_gone")


async def test_link_of_the_sandbox_is_gone_with_its_file(world: World, tmp_path: Path) -> None:
    project_id = await finished(world)
    for video in (tmp_path / "videos").iterdir():
        video.unlink()
    status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (410, "video_gone")


@pytest.mark.parametrize(
    ("answer", "status", "code", "words"),
    [
        ({"status": 503}, 503, "video_unreachable", "answers with status 503"),
        ({"status": 429}, 503, "video_unreachable", "answers with status 429"),
        ({"status": 418}, 502, "video_unusable", "answers with status 418"),
        ({"content_type": "text/html"}, 502, "video_unusable", "text/html instead of a video"),
        ({"headers": {"Content-Encoding": "br"}}, 502, "video_unusable", "encoding"),
        ({"status": 206}, 502, "video_unusable", "does not say which"),
    ],
)
async def test_host_that_gives_no_video_is_told_by_its_name(
    world: World, answer: dict[str, Any], status: int, code: str, words: str
) -> None:
    project_id = await finished(world)

    async def respond(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=b"<script>", **answer)

    async with video_host(respond) as host:
        relink(world, f"{host}/1.mp4?signature=secret")
        answered, told = await asked(world, path_of(project_id))
    assert (answered, told["code"]) == (status, code)
    assert words in told["error"]
    assert "127.0.0.1" in told["error"]
    assert "secret" not in told["error"]


async def test_host_that_can_not_be_reached_is_503(world: World) -> None:
    project_id = await finished(world)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        relink(world, f"http://127.0.0.1:{unheard.getsockname()[1]}/1.mp4")
        status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (503, "video_unreachable")
    assert "127.0.0.1 does not answer" in answer["error"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.2:{port}/secret",
        "http://localhost:{port}/secret",
        "http://[::1]:{port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://user:password@127.0.0.1:{port}/secret",
        "http://127.0.0.1:{port}\\@evil.example/",
        "http://[bad/secret",
        "file:///etc/passwd",
        "//127.0.0.2:{port}/secret",
    ],
)
async def test_redirect_to_a_host_that_is_not_allowed_is_not_followed(world: World, elsewhere: str) -> None:
    project_id = await finished(world)
    seen: list[str] = []

    async def redirect(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        location = elsewhere.format(port=request.url.port)
        return web.Response(status=302, headers={"Location": location})

    async with video_host(redirect) as host:
        relink(world, f"{host}/1.mp4")
        status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (502, "video_unusable")
    assert "An operator can allow its host by VIDEO_HOSTS." in answer["error"]
    assert seen == ["/1.mp4"]


async def test_redirect_within_the_allowed_hosts_is_followed_without_credentials_and_not_for_ever(
    world: World,
) -> None:
    project_id = await finished(world)
    seen: list[web.BaseRequest] = []

    async def redirect(request: web.BaseRequest) -> web.Response:
        seen.append(request)
        cookie = {"Set-Cookie": "track=1"}
        if request.path == "/video":
            return web.Response(body=b"video", content_type="video/mp4")
        return web.Response(status=307, headers={"Location": request.query.get("to", ""), **cookie})

    async with video_host(redirect) as host:
        relink(world, f"{host}/1.mp4?to=/video")
        credentials = {
            "Authorization": "Bearer x",
            "Cookie": "session=1",
            "apikey": "x",
            "Range": "bytes=0-4",
        }
        async with world.session.get(world.url + path_of(project_id), headers=credentials) as response:
            assert (response.status, await response.read()) == (200, b"video")
        assert [request.path for request in seen] == ["/1.mp4", "/video"]
        for request in seen:
            assert request.headers.get("Range") == "bytes=0-4"
            assert not {"Authorization", "Cookie", "apikey", "Referer", "Origin"} & set(request.headers)
        seen.clear()
        relink(world, f"{host}/1.mp4?to=/1.mp4%3Fto=")
        status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (502, "video_unusable")
    assert "without an end" in answer["error"]
    assert len(seen) == 4


async def test_host_that_is_not_allowed_any_more_is_not_asked(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await finished(world)
    async with running_world(tmp_path, video_hosts="*.runware.ai") as world:
        status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (502, "video_unusable")
    assert "127.0.0.1 is not in VIDEO_HOSTS" in answer["error"]


async def test_video_of_too_many_bytes_is_not_begun(world: World) -> None:
    project_id = await finished(world)

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(MAX_VIDEO_BYTES + 1)})
        await response.prepare(request)
        return response

    async with video_host(respond) as host:
        relink(world, f"{host}/1.mp4")
        status, answer = await asked(world, path_of(project_id))
    assert (status, answer["code"]) == (502, "video_unusable")
    assert "too many for a clip" in answer["error"]


class EndlessVideo:
    """A host whose video has no end: how many bytes it was rid of, and whether its reader has gone."""

    def __init__(self) -> None:
        self.written = 0
        self.readers = 0
        self.left = asyncio.Event()

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        await response.prepare(request)
        self.readers += 1
        try:
            while True:
                await response.write(PIECE)
                self.written += len(PIECE)
        except ConnectionError:
            return response
        finally:
            self.readers -= 1
            self.left.set()

    async def held_up(self) -> None:
        """Wait until all buffers are full: nothing more is written between two looks."""
        seen = -1
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await asyncio.sleep(0.2)
                if seen == self.written > 0:
                    return
                seen = self.written


async def test_slow_reader_slows_the_host_down_and_one_that_leaves_closes_its_connection(
    world: World,
) -> None:
    project_id = await finished(world)
    endless = EndlessVideo()
    async with video_host(endless.respond) as host:
        relink(world, f"{host}/1.mp4")
        async with _reader(world, project_id) as (stream, _):
            await stream.readuntil(b"\r\n\r\n")
            await endless.held_up()
            assert endless.written < MOST_UNDER_WAY
            assert endless.readers == 1
        async with asyncio.timeout(PATIENCE_S):
            await endless.left.wait()


@asynccontextmanager
async def _reader(
    world: World, project_id: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Ask for a video by a bare connection, which takes no more than the test reads."""
    address = urlsplit(world.url)
    stream, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"GET {path_of(project_id)} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    try:
        yield stream, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_more_downloads_than_may_be_are_asked_to_come_again_and_a_place_is_given_back(
    world: World,
) -> None:
    project_id = await finished(world)
    endless = EndlessVideo()
    async with video_host(endless.respond) as host:
        relink(world, f"{host}/1.mp4")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            url = world.url + path_of(project_id)
            under_way = await asyncio.gather(*(session.get(url) for _ in range(MAX_DOWNLOADS)))
            assert {response.status for response in under_way} == {200}
            async with session.get(url) as refused:
                assert (refused.status, (await refused.json())["code"]) == (503, "too_many_downloads")
                assert refused.headers["Retry-After"] == "5"
            endless.left.clear()
            under_way[0].close()
            await endless.left.wait()
            async with session.get(url) as again:
                assert again.status == 200
                again.close()
            for response in under_way:
                response.close()


async def test_video_that_breaks_off_is_broken_off_and_never_looks_whole(world: World) -> None:
    project_id = await finished(world)

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        if request.path == "/sized":
            response.content_length = 2 * len(PIECE)
        await response.prepare(request)
        await response.write(PIECE)
        assert request.transport is not None
        request.transport.close()
        return response

    async with video_host(respond) as host:
        for path in ("/sized", "/chunked"):
            relink(world, host + path)
            async with world.session.get(world.url + path_of(project_id)) as response:
                assert response.status == 200
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()


async def test_page_of_an_allowed_origin_may_read_the_name(world: World) -> None:
    project_id = await finished(world)
    headers = {"Origin": "http://localhost:5173"}
    async with world.session.get(world.url + path_of(project_id), headers=headers) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
        assert response.headers["Access-Control-Expose-Headers"] == "Content-Disposition, ETag"
