"""Frames: their sizes and kinds, and when a bad one is refused."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.sandbox.support import Caller, Json, serve


def sample(caller: Caller, size: str) -> Json:
    return frames(f"{caller.url}/frames/1/first.png?size={size}")


def drawn(kind: str, size: tuple[int, int] = (300, 300)) -> Json:
    content = io.BytesIO()
    Image.new("RGB", size).save(content, kind)
    return frames(f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}")


def frames(url: str) -> Json:
    return {"inputs": {"frameImages": [url]}}


@pytest.mark.parametrize("size", ["299x540", "540x299", "2049x300", "300x2049"])
async def test_side_outside_300_to_2048_pixels_fails_the_job(tmp_path: Path, size: str) -> None:
    async with serve(tmp_path) as caller:
        error = await caller.run(**sample(caller, size))
    assert (error["code"], error["status"]) == ("invalidFrameImages", "error")
    assert size in error["message"]


async def test_sides_of_300_and_2048_pixels_are_taken(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        assert (await caller.run(**sample(caller, "300x2048")))["status"] == "success"


@pytest.mark.parametrize(
    ("kind", "taken"), [("PNG", True), ("JPEG", True), ("WEBP", True), ("GIF", False), ("BMP", False)]
)
async def test_png_jpeg_and_webp_are_taken_and_no_other_kind(tmp_path: Path, kind: str, taken: bool) -> None:
    async with serve(tmp_path) as caller:
        result = await caller.run(**drawn(kind))
    assert result["status"] == ("success" if taken else "error")
    assert taken or result["code"] == "invalidFrameImages"


async def test_frame_above_20_mb_fails_the_job(tmp_path: Path) -> None:
    image = base64.b64encode(b"x" * 20_000_001).decode()
    async with serve(tmp_path) as caller:
        error = await caller.run(**frames(f"data:image/png;base64,{image}"))
    assert (error["code"], "20 MB" in error["message"]) == ("invalidFrameImages", True)


async def test_bad_frame_can_be_refused_at_submission(tmp_path: Path) -> None:
    async with serve(tmp_path, frame_check="submission") as caller:
        bad, gone = caller.task(**sample(caller, "100x100")), caller.task(**frames(f"{caller.url}/none"))
        good = caller.task()
        status, answer = await caller.post(bad, good, gone)
        ledger = await caller.ledger()
    assert (status, [element["taskUUID"] for element in answer["data"]]) == (200, [good["taskUUID"]])
    assert [(error["code"], error["taskUUID"]) for error in answer["errors"]] == [
        ("invalidFrameImages", bad["taskUUID"]),
        ("downloadFailed", gone["taskUUID"]),
    ]
    assert (ledger["accepted"], ledger["refused"]) == (1, 2)


async def test_plain_urls_are_the_first_and_the_last_frame(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        urls = [frame["image"] for frame in caller.frames()]
        as_objects = await caller.run()
        as_urls = await caller.run(inputs={"frameImages": urls})
        clips = []
        for result in (as_objects, as_urls):
            async with caller.session.get(result["videoURL"]) as response:
                clips.append(await response.read())
    assert clips[0] == clips[1]


@pytest.mark.parametrize(
    "url",
    [
        "{}/videos/first.png",
        "http://localhost:9/frames/1/first.png",
        "http://127.0.0.1:99999/first.png",
        "http://10.1.2.3/first.png",
        "http://192.168.0.7:8000/uploads/first.png",
        "http://169.254.169.254/latest",
        "http://[::1]/first.png",
        "http://[fe80::1]/first.png",
        "http://nas/first.png",
        "http://printer.local/first.png",
    ],
)
async def test_frame_that_runware_could_not_reach_fails_the_job_unasked(tmp_path: Path, url: str) -> None:
    async with serve(tmp_path) as caller:
        error = await caller.run(**frames(url.format(caller.url)))
    assert (error["code"], "can't be reached from the internet" in error["message"]) == (
        "downloadFailed",
        True,
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_own_samples_are_taken_by_each_name_of_this_machine(tmp_path: Path, host: str) -> None:
    async with serve(tmp_path) as caller:
        url = caller.url.replace("127.0.0.1", host)
        assert (await caller.run(**frames(f"{url}/frames/1/first.png")))["status"] == "success"


@pytest.mark.parametrize(("option", "reached"), [("take", True), ("refuse", False)])
async def test_private_frames_are_asked_for_only_where_they_are_taken(
    tmp_path: Path, option: str, reached: bool
) -> None:
    async with serve(tmp_path / "a") as other, serve(tmp_path / "b", private_frames=option) as caller:
        result = await caller.run(**frames(f"{other.url}/frames/1/first.png"))
    assert result["status"] == ("success" if reached else "error")


@pytest.mark.parametrize(("option", "status"), [("both", 200), ("plain", 400)])
async def test_lite_may_refuse_frames_that_are_objects(tmp_path: Path, option: str, status: int) -> None:
    async with serve(tmp_path, lite_frames=option) as caller:
        lite = {"model": "google:veo@3.1-lite"}
        assert (await caller.post(caller.task(**lite)))[0] == status
        urls = [frame["image"] for frame in caller.frames()]
        assert (await caller.post(caller.task(**lite, inputs={"frameImages": urls})))[0] == 200
        assert (await caller.post(caller.task()))[0] == 200
