"""Frames that people upload: what is taken, and how it is given to everyone with its URL."""

import base64
import io
import random
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image as Pillow

from service.clips.images import MAX_IMAGE_BYTES
from service.demo import playable
from service.sandbox.server import Sandbox
from tests.builders import LITE
from tests.events import event_stream
from tests.harness import World, running_service, running_world, sandbox_options
from tests.process import ServiceProcess


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


def image(kind: str = "PNG", size: tuple[int, int] = (304, 540)) -> bytes:
    content = io.BytesIO()
    Pillow.new("RGB", size, "teal").save(content, kind)
    return content.getvalue()


async def upload(
    world: World, content: bytes, kind: str = "image/png", *, host: str = "127.0.0.1"
) -> tuple[int, dict[str, Any]]:
    url, body = world.url.replace("127.0.0.1", host), io.BytesIO(content)
    async with world.session.post(f"{url}/uploads", data=body, headers={"content-type": kind}) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
async def test_image_comes_back_as_it_was_with_headers_that_let_it_be_nothing_else(
    world: World, kind: str, suffix: str
) -> None:
    content = image(kind)
    status, stored = await upload(world, content)
    assert status == 201
    assert (stored["width"], stored["height"]) == (304, 540)
    assert stored["url"].endswith(f".{suffix}")
    async with world.session.get(stored["url"]) as response:
        assert await response.read() == content
        assert response.content_type == f"image/{kind.lower()}"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert (
            response.headers["Content-Security-Policy"]
            == "default-src 'none'; frame-ancestors 'none'; sandbox"
        )


async def test_same_image_is_kept_once(world: World) -> None:
    assert await upload(world, image()) == await upload(world, image())
    assert len(list((world.database.parent / "clips-uploads").iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"<svg/>", "image/svg+xml", 422, "no PNG, JPEG or WebP"),
        (b"", "image/png", 422, "no PNG, JPEG or WebP"),
        (
            image(size=(299, 640)),
            "image/png",
            422,
            "299 x 640 pixels. Choose one with 300 to 2048 on each side.",
        ),
        (image(size=(360, 2049)), "image/png", 422, "360 x 2049 pixels"),
        (image(), "text/plain", 400, "must be an image"),
        (image(), "multipart/form-data", 400, "must be an image"),
        (image() + bytes(MAX_IMAGE_BYTES), "image/png", 413, "larger than 20 MB"),
    ],
)
async def test_what_is_no_frame_is_refused_with_a_reason(
    world: World, content: bytes, kind: str, status: int, words: str
) -> None:
    answered, answer = await upload(world, content, kind)
    assert (answered, words in answer["error"]) == (status, True)
    assert not (world.database.parent / "clips-uploads").exists()


async def test_size_is_judged_without_decoding_so_that_no_bomb_goes_off(world: World) -> None:
    head = image(size=(300, 300))
    width_and_height = (2048).to_bytes(4) * 2
    header = b"IHDR" + width_and_height + head[24:29]
    bomb = head[:12] + header + zlib.crc32(header).to_bytes(4) + head[33:]
    assert (await upload(world, bomb))[0] == 201


@pytest.mark.parametrize(
    "name", ["nothing.png", "0" * 64 + ".png", "0" * 64 + ".svg", "..%2fclips.db", "%2e%2e/clips.db", ""]
)
async def test_any_other_name_is_404(world: World, name: str) -> None:
    async with world.session.get(f"{world.url}/uploads/{name}") as response:
        assert response.status in (404, 405)


async def test_upload_needs_the_token_and_reading_does_not(tmp_path: Path) -> None:
    token = "token-of-the-service"
    async with running_world(tmp_path, service_token=token) as world:
        assert (await upload(world, image()))[0] == 401
        headers = {"content-type": "image/png", "Authorization": f"Bearer {token}"}
        async with world.session.post(f"{world.url}/uploads", data=image(), headers=headers) as response:
            stored = await response.json()
        async with world.session.get(stored["url"]) as response:
            assert response.status == 200


async def test_url_of_an_upload_is_under_the_public_url(world: World) -> None:
    _, stored = await upload(world, image(), host="localhost")
    assert stored["url"].startswith(f"{world.url}/uploads/")


async def test_without_a_public_url_it_is_under_the_address_that_was_called(tmp_path: Path) -> None:
    async with running_world(tmp_path, webhooks=False) as world:
        _, stored = await upload(world, image(), host="localhost")
        assert stored["url"].startswith(f"{world.url.replace('127.0.0.1', 'localhost')}/uploads/")


async def test_upload_that_can_not_be_kept_is_503_and_no_path_is_told(world: World) -> None:
    (world.database.parent / "clips-uploads").write_text("in the way")
    status, answer = await upload(world, image())
    assert (status, answer["code"]) == (503, "store_unavailable")
    assert str(world.database.parent) not in answer["error"]


async def uploaded_pairs(world: World, scenes: int) -> dict[str, dict[str, str]]:
    """Upload a first frame of its own for each scene, and one last frame for all."""
    _, last = await upload(world, image())
    pairs = {}
    for scene in range(1, scenes + 1):
        _, first = await upload(world, image(size=(304, 540 + scene)))
        pairs[str(scene)] = {"first_frame": first["url"], "last_frame": last["url"]}
    return pairs


def stored_bytes(world: World) -> bytes:
    """All that the embedded database has on the disk."""
    return b"".join(path.read_bytes() for path in world.database.parent.glob("clips.db*"))


@pytest.mark.parametrize("webhooks", [True, False])
async def test_with_no_public_address_uploaded_frames_become_a_clip_and_only_their_urls_are_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, webhooks: bool
) -> None:
    """Not even the sandbox fetches them: PUBLIC_URL is on this machine, or not set."""
    async with running_world(tmp_path, webhooks=webhooks) as world:
        project_id = await world.store({"1": {"duration": 4}}, await uploaded_pairs(world, 1))
        await world.generate(project_id)
        (job,) = await world.settled(project_id)
        async with world.session.get(job["video_url"]) as response:
            video = await response.read()
    assert job["status"] == "succeeded"
    assert playable(video, 4)
    encoded = base64.b64encode(image())[:60]
    assert encoded not in stored_bytes(world)
    assert encoded.decode() not in caplog.text


async def test_first_run_with_a_key_alone_makes_a_playable_clip_of_two_uploaded_frames(
    tmp_path: Path,
) -> None:
    """By `clips serve` without a PUBLIC_URL, and nobody fetches frames from this machine."""
    sandbox = Sandbox(sandbox_options(private_frames="refuse"), files=tmp_path / "videos")
    async with (
        sandbox.serving() as sandbox_url,
        ServiceProcess(sandbox_url, tmp_path, PUBLIC_URL="", WEBHOOK_SECRET="") as service,
        aiohttp.ClientSession() as session,
    ):
        world = service.world(session)
        project_id = await world.store({"1": {"duration": 4}}, await uploaded_pairs(world, 1))
        await world.generate(project_id)
        (job,) = await world.settled(project_id)
        async with session.get(job["video_url"]) as response:
            assert playable(await response.read(), 4)
        assert (await world.ledger())["billed"] == 1
    assert "uploaded_frames" in service.log
    assert "base64" not in service.log


async def test_lite_takes_uploaded_frames_as_plain_strings(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"lite_frames": "plain"}, runware_model=LITE) as world:
        project_id = await world.store({"1": {"duration": 4}}, await uploaded_pairs(world, 1))
        await world.generate(project_id)
        (job,) = await world.settled(project_id)
    assert job["status"] == "succeeded"


async def test_same_images_uploaded_again_are_not_bought_again(world: World) -> None:
    project_id = await world.store({"1": {"duration": 4}}, await uploaded_pairs(world, 1))
    await world.generate(project_id)
    await world.settled(project_id)
    world.rewrite(project_id, frames=await uploaded_pairs(world, 1))
    assert (await world.generate(project_id))["completed"] == 1
    assert (await world.ledger())["accepted"] == 1


async def test_upload_that_is_gone_fails_its_clip_alone_before_money_and_uploading_it_again_mends_that(
    world: World,
) -> None:
    pairs = await uploaded_pairs(world, 2)
    project_id = await world.store({"1": {"duration": 4}, "2": {"duration": 4}}, pairs)
    name = pairs["2"]["first_frame"].rpartition("/")[2]
    (world.database.parent / "clips-uploads" / name).unlink()
    await world.generate(project_id)
    one, two = await world.settled(project_id)
    assert (one["status"], two["status"]) == ("succeeded", "failed")
    assert two["error"]["code"] == "frameUnreadable"
    assert "Upload the image again" in two["error"]["message"]
    assert (await world.ledger())["accepted"] == 1
    await uploaded_pairs(world, 2)
    await world.retry(project_id)
    assert [job["status"] for job in await world.settled(project_id)] == ["succeeded", "succeeded"]


async def test_clips_whose_frames_do_not_fit_into_one_request_are_all_made(world: World) -> None:
    noise = random.Random(1).randbytes(720 * 960 * 3)
    content = io.BytesIO()
    Pillow.frombytes("RGB", (720, 960), noise).save(content, "PNG")
    _, stored = await upload(world, content.getvalue())
    pair = {"first_frame": stored["url"], "last_frame": stored["url"]}
    project_id = await world.store(5, {str(scene): pair for scene in range(1, 6)})
    await world.generate(project_id)
    assert {job["status"] for job in await world.settled(project_id)} == {"succeeded"}
    assert (await world.ledger())["accepted"] == 5


async def test_frame_that_runware_can_not_reach_is_its_scenes_problem_in_every_answer(tmp_path: Path) -> None:
    """For a sandbox on this machine it is none; after a change to Runware's own address it is."""
    said = "first_frame is at localhost, which Runware can't reach: upload it, or use a public URL"
    unreachable = {"first_frame": "http://localhost:3000/1.png", "last_frame": "https://frames.example/2.png"}
    async with running_world(tmp_path) as world:
        project_id = await world.store({"1": {}, "2": {}}, {**await uploaded_pairs(world, 1), "2": None})
        await world.generate(project_id)
        await world.settled(project_id)
        world.rewrite(project_id, frames={**await uploaded_pairs(world, 1), "2": unreachable})
        assert (await world.project(project_id))["problems"] == {}
    runware = "https://runware.invalid/v1"
    async with running_service(world.sandbox_url, world.database, runware_api_url=runware) as at_runware:
        generated = await at_runware.generate(project_id)
        checked = await at_runware.check(project_id)
        detail = await at_runware.project(project_id)
        async with event_stream(at_runware.session, at_runware.url, project_id) as events:
            snapshot = (await anext(events)).data
        alone = await at_runware.store({"1": {}}, {"1": unreachable})
        status, refusal = await at_runware.post("/functions/v1/generate-clips", {"project_id": alone})
    assert [result.get("error") for result in generated["results"]] == [None, said]
    assert [scene.get("error") for scene in checked["details"]] == [None, said]
    assert detail["problems"] == snapshot["problems"] == {"2": said}
    assert (status, said in refusal["error"]) == (409, True)
