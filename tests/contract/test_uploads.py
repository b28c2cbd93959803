"""What both places for uploaded frames promise: the image as it came, and a small version beside it."""

import asyncio
import io
import random
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from PIL import Image as Pillow

from service.clips.images import ImageType, small_name
from service.stores.uploads import LocalUploads, SupabaseUploads
from tests.postgrest import Supabase


@dataclass(frozen=True, slots=True)
class Place:
    """Where uploads are kept, and how somebody who has a URL reads one."""

    uploads: LocalUploads | SupabaseUploads
    supabase: Supabase | None

    async def keep(self, image: bytes, image_type: ImageType = ImageType.PNG) -> str:
        """Keep an image; gives its name."""
        return (await self.uploads.keep(image, image_type)).rpartition("/")[2]

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """Give content and media type of what lies under a name."""
        if self.supabase is None:
            found = await self.uploads.find(name)
            return None if found is None else (found[0].read_bytes(), found[1].value)
        async with httpx.AsyncClient() as client:
            url = f"{self.supabase.url}/storage/v1/object/public/images/{name}"
            response = await client.get(url)
        return (response.content, response.headers["content-type"]) if response.is_success else None


@pytest.fixture
def in_folder(tmp_path: Path) -> Place:
    return Place(LocalUploads(tmp_path / "uploads", "/uploads"), None)


@pytest.fixture
async def in_supabase(supabase: Supabase) -> AsyncIterator[Place]:
    async with SupabaseUploads(supabase.url, supabase.service_role_key) as uploads:
        yield Place(uploads, supabase)


@pytest.fixture(params=["in_folder", "in_supabase"])
def place(request: pytest.FixtureRequest) -> Place:
    opened: Place = request.getfixturevalue(request.param)
    return opened


def encoded(image: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def noise(width: int, height: int) -> Pillow.Image:
    """An image that hardly compresses, as a photograph."""
    return Pillow.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3))


async def small_of(place: Place, name: str) -> Pillow.Image:
    found = await place.read(small_name(name))
    assert found is not None
    assert found[1] == "image/webp"
    return Pillow.open(io.BytesIO(found[0]))


@pytest.mark.parametrize(("image_type", "kind"), [(one, one.name) for one in ImageType])
async def test_small_version_lies_beside_the_image_which_stays_as_it_came(
    place: Place, image_type: ImageType, kind: str
) -> None:
    content = encoded(noise(2048, 1152), kind)
    name = await place.keep(content, image_type)
    assert await place.read(name) == (content, image_type.value)
    found = await place.read(small_name(name))
    assert found is not None
    assert len(found[0]) < len(content) / 5
    assert (await small_of(place, name)).size == (480, 270)


async def test_small_version_stands_upright_and_keeps_what_is_transparent(place: Place) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned = await place.keep(encoded(noise(800, 600), "JPEG", exif=exif), ImageType.JPEG)
    assert (await small_of(place, turned)).size == (360, 480)
    clear = await place.keep(encoded(Pillow.new("RGBA", (600, 600), (0, 0, 0, 0))))
    assert (await small_of(place, clear)).convert("RGBA").getchannel("A").getextrema() == (0, 0)


async def test_image_that_can_not_be_decoded_is_kept_without_a_small_version(place: Place) -> None:
    content = encoded(noise(640, 360))[:5000]
    name = await place.keep(content)
    assert await place.read(small_name(name)) is None
    assert await place.read(name) == (content, "image/png")


async def test_bomb_of_pixels_is_not_decoded(place: Place) -> None:
    head = encoded(Pillow.new("RGB", (300, 300)))
    header = b"IHDR" + (60_000).to_bytes(4) * 2 + head[24:29]
    name = await place.keep(head[:12] + header + zlib.crc32(header).to_bytes(4) + head[33:])
    assert await place.read(small_name(name)) is None


async def test_image_of_more_pixels_than_any_frame_has_no_small_version(place: Place) -> None:
    name = await place.keep(encoded(Pillow.new("1", (5000, 5000))))
    assert await place.read(small_name(name)) is None


async def test_many_images_at_once_have_their_small_versions(place: Place) -> None:
    contents = [encoded(Pillow.new("RGB", (300, 300 + n), "teal")) for n in range(12)]
    names = await asyncio.gather(*(place.keep(content) for content in contents))
    found = await asyncio.gather(*(place.read(small_name(name)) for name in names))
    assert None not in found


@pytest.mark.parametrize("name", ["0" * 64 + ".png.small.webp", "clips.db.small.webp", ".small.webp"])
async def test_what_was_never_uploaded_has_no_small_version(place: Place, name: str) -> None:
    assert await place.read(name) is None


async def test_small_version_of_an_older_upload_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    uploads = LocalUploads(tmp_path, "/uploads")
    name = "0" * 64 + ".png"
    (tmp_path / name).write_bytes(encoded(noise(960, 960)))
    assert (await small_of(Place(uploads, None), name)).size == (480, 480)


async def test_bucket_that_takes_no_small_version_takes_the_upload(in_supabase: Place, database: str) -> None:
    db = await asyncpg.connect(database)
    await db.execute("update storage.buckets set allowed_mime_types = '{image/png}'")
    await db.close()
    name = await in_supabase.keep(encoded(noise(640, 360)))
    assert await in_supabase.read(name) is not None
    assert await in_supabase.read(small_name(name)) is None
