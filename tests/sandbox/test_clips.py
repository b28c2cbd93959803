"""The clips themselves, and how they are served."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from service.sandbox.encoding import fit_size
from tests.sandbox.support import Caller, Receiver, serve


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serve(tmp_path / "clips", max_long_side=128) as caller:
        yield caller


async def fetch(caller: Caller, url: str) -> bytes:
    async with caller.session.get(url) as response:
        assert response.status == 200
        return await response.read()


def pictures(clip: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(clip), "r") as container:
        return [picture(frame) for frame in container.decode(container.streams.video[0])]


def picture(frame: av.VideoFrame) -> Image.Image:
    plane = frame.reformat(format="rgb24").planes[0]
    size = (frame.width, frame.height)
    return Image.frombuffer("RGB", size, bytes(plane), "raw", "RGB", plane.line_size, 1)


async def changed_status(caller: Caller, url: str) -> int:
    """Ask until the URL no longer answers 200."""
    async with asyncio.timeout(15):
        while True:
            async with caller.session.get(url) as response:
                if response.status != 200:
                    return response.status
            await asyncio.sleep(0.02)


async def filled(caller: Caller, url: str) -> bytes:
    """Fetch until there is something."""
    async with asyncio.timeout(15):
        while True:
            if content := await fetch(caller, url):
                return content
            await asyncio.sleep(0.02)


def file_sizes(folder: Path) -> list[int]:
    return [file.stat().st_size for file in folder.iterdir()]


def write_times(folder: Path) -> list[int]:
    return [file.stat().st_mtime_ns for file in folder.iterdir()]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures, 0 to 255 a channel."""
    resized = one.convert("RGB").resize(other.size, Image.Resampling.LANCZOS)
    return max(ImageStat.Stat(ImageChops.difference(resized, other)).mean)


async def test_clip_begins_with_the_first_frame_and_ends_with_the_last(caller: Caller) -> None:
    urls = [f"{caller.url}/frames/7/{place}.png?size=360x640" for place in ("first", "last")]
    images = [{"image": url, "frame": place} for url, place in zip(urls, ("first", "last"), strict=True)]
    result = await caller.run(inputs={"frameImages": images}, duration=4)
    decoded = pictures(await fetch(caller, result["videoURL"]))
    first, last = [Image.open(io.BytesIO(await fetch(caller, url))) for url in urls]
    assert len(decoded) == 4 * 24
    assert decoded[0].size == (72, 128)
    assert difference(first, decoded[0]) < 6
    assert difference(last, decoded[-1]) < 6
    assert difference(first, decoded[-1]) > 20


async def test_clip_can_be_played_while_it_loads(caller: Caller) -> None:
    clip = await fetch(caller, (await caller.run())["videoURL"])
    assert 0 < clip.index(b"moov") < clip.index(b"mdat")


@pytest.mark.parametrize("output_format", ["MP4", "MOV", "WEBM"])
async def test_clip_with_sound_has_the_asked_duration_in_every_format(
    caller: Caller, output_format: str
) -> None:
    sound = {"google": {"generateAudio": True}}
    result = await caller.run(outputFormat=output_format, duration=6, providerSettings=sound)
    with av.open(io.BytesIO(await fetch(caller, result["videoURL"])), "r") as container:
        assert container.duration == pytest.approx(6_000_000, abs=20_000)
        assert [stream.type for stream in container.streams] == ["video", "audio"]


async def test_clip_without_frames_has_the_asked_shape(caller: Caller) -> None:
    result = await caller.run(inputs=None, width=1280, height=720)
    assert pictures(await fetch(caller, result["videoURL"]))[0].size == (128, 72)


async def test_single_frame_is_zoomed_into(caller: Caller) -> None:
    result = await caller.run(inputs={"frameImages": caller.frames()[:1]})
    decoded = pictures(await fetch(caller, result["videoURL"]))
    assert 1 < difference(decoded[0], decoded[-1]) < 30


async def test_equal_tasks_share_one_file_under_their_own_urls(caller: Caller, tmp_path: Path) -> None:
    results = await asyncio.gather(*(caller.run() for _ in range(20)))
    assert len({result["videoURL"] for result in results}) == 20
    assert len(file_sizes(tmp_path / "clips")) == 1


async def test_least_used_clips_make_room_on_disk(tmp_path: Path) -> None:
    async with serve(tmp_path, cache_megabytes=1, max_long_side=640) as caller:
        for prompt in ("one", "two", "three", "four"):
            await caller.run(inputs=None, width=720, height=1280, duration=8, positivePrompt=prompt)
    sizes = file_sizes(tmp_path)
    assert 0 < len(sizes) < 4
    assert sum(sizes) <= 2**20


async def test_clips_of_an_earlier_run_are_used_again(tmp_path: Path) -> None:
    written = []
    for _ in range(2):
        async with serve(tmp_path) as caller:
            await fetch(caller, (await caller.run())["videoURL"])
        written.append(write_times(tmp_path))
    assert len(written[0]) == 1
    assert written[0] == written[1]


async def test_finished_clip_is_uploaded_where_the_task_says(caller: Caller) -> None:
    async with Receiver().receiving() as receiver:
        result = await caller.run(uploadEndpoint=receiver.url)
        assert receiver.uploads == [await fetch(caller, result["videoURL"])]


async def test_refused_upload_fails_the_job(caller: Caller) -> None:
    async with Receiver(answers=[403]).receiving() as receiver:
        result = await caller.run(uploadEndpoint=receiver.url)
    assert result["code"] == "uploadFailed"


async def test_clip_is_served_in_ranges_to_pages_of_any_origin(caller: Caller) -> None:
    url = (await caller.run())["videoURL"]
    async with caller.session.get(url, headers={"Range": "bytes=4-7", "Origin": "http://page"}) as response:
        assert (response.status, await response.read()) == (206, b"ftyp")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.content_type == "video/mp4"


@pytest.mark.parametrize(("option", "status"), [("gone", 410), ("not-found", 404)])
async def test_clip_is_gone_after_its_ttl(tmp_path: Path, option: str, status: int) -> None:
    async with serve(tmp_path, min_ttl_seconds=1, dead_link=option) as caller:
        url = (await caller.run(ttl=1))["videoURL"]
        await fetch(caller, url)
        assert await changed_status(caller, url) == status


@pytest.mark.parametrize("asked", ["option", "directive"])
async def test_clip_is_empty_for_some_seconds(tmp_path: Path, asked: str) -> None:
    prompt = "A hill [sandbox:empty-video=0.5]" if asked == "directive" else "A hill"
    seconds = 0.5 if asked == "option" else 0
    async with serve(tmp_path, video_empty_seconds=seconds) as caller:
        url = (await caller.run(positivePrompt=prompt))["videoURL"]
        assert await fetch(caller, url) == b""
        assert b"moov" in await filled(caller, url)


async def test_public_url_is_the_base_of_video_urls(tmp_path: Path) -> None:
    async with serve(tmp_path, public_url="https://clips.example.com/") as caller:
        assert (await caller.run())["videoURL"].startswith("https://clips.example.com/videos/")


async def test_sample_frames_are_deterministic_and_differ(caller: Caller) -> None:
    names = ("1/first", "1/first", "1/last", "2/first")
    once, again, last, other = [
        await fetch(caller, f"{caller.url}/frames/{name}.png?size=90x160") for name in names
    ]
    assert once == again
    assert len({once, last, other}) == 3
    assert Image.open(io.BytesIO(once)).size == (90, 160)


@pytest.mark.parametrize(
    ("aspect", "short_side", "cap", "size"),
    [
        ((720, 1280), 720, 3840, (720, 1280)),
        ((1080, 1920), 720, 3840, (720, 1280)),
        ((900, 1600), 2160, 3840, (2160, 3840)),
        ((720, 1280), 1080, 1280, (720, 1280)),
        ((1000, 1000), 720, 64, (64, 64)),
        ((333, 777), 720, 3840, (720, 1680)),
        ((10, 2000), 720, 128, (2, 128)),
    ],
)
def test_size_keeps_the_aspect_in_even_pixels(
    aspect: tuple[int, int], short_side: int, cap: int, size: tuple[int, int]
) -> None:
    assert fit_size(aspect, short_side, cap) == size


async def test_serving_ends_in_the_middle_of_a_rendering(tmp_path: Path) -> None:
    async with serve(tmp_path, max_long_side=1280) as caller:
        tasks = [
            caller.task(inputs=None, width=720, height=1280, positivePrompt=f"Hill {n}") for n in range(9)
        ]
        await caller.post(*tasks)
        await asyncio.sleep(0.8)
    assert len(file_sizes(tmp_path)) == 0
