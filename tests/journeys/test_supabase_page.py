"""What the service tells the page on a Supabase project, and where its uploads go."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from PIL import Image as Pillow

from service.clips.images import MAX_IMAGE_BYTES, ImageType
from tests.harness import World, on_supabase, running_world
from tests.identities import SERVICE_TOKEN
from tests.postgrest import Supabase


@pytest.fixture
async def world(tmp_path: Path, supabase: Supabase) -> AsyncIterator[World]:
    # The bucket is on this machine, too.
    async with running_world(
        tmp_path, sandbox={"private_frames": "take"}, **on_supabase(supabase)
    ) as running:
        yield running


def image(kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Pillow.new("RGB", (304, 540), "teal").save(content, kind)
    return content.getvalue()


async def upload(world: World, content: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "image/png"}
    async with world.session.post(f"{world.url}/uploads", data=content, headers=headers) as response:
        return response.status, await response.json()


async def connect_sources(world: World) -> str:
    async with world.session.get(f"{world.url}/") as response:
        (sources,) = re.findall(r"connect-src ([^;]*);", response.headers["Content-Security-Policy"])
        return str(sources)


async def test_page_is_told_where_and_by_which_key_to_sign_in(world: World, supabase: Supabase) -> None:
    config = await world.get("/studio/config")
    assert config["sign_in"] == "supabase"
    assert (config["supabase_url"], config["anon_key"]) == (supabase.url, supabase.anon_key)
    assert supabase.service_role_key not in str(config)


@pytest.mark.parametrize("token", [None, SERVICE_TOKEN])
async def test_page_is_told_whether_a_token_signs_an_operator_in_but_not_which(
    tmp_path: Path, supabase: Supabase, token: str | None
) -> None:
    async with running_world(tmp_path, service_token=token, **on_supabase(supabase)) as world:
        config = await world.get("/studio/config")
        assert (config["sign_in"], config["operator_token"]) == ("supabase", token is not None)
        assert SERVICE_TOKEN not in str(config)


async def test_page_may_ask_the_supabase_project_and_nobody_else(world: World, supabase: Supabase) -> None:
    assert await connect_sources(world) == f"'self' {supabase.url}"


async def test_without_supabase_the_page_may_ask_the_service_alone(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        assert await connect_sources(world) == "'self'"
        config = await world.get("/studio/config")
        assert (config["sign_in"], config["supabase_url"], config["anon_key"]) == ("none", None, None)


@pytest.mark.parametrize(
    ("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
async def test_upload_lies_in_the_bucket_and_anyone_with_its_url_reads_it(
    world: World, supabase: Supabase, kind: str, media_type: str
) -> None:
    content = image(kind)
    status, stored = await upload(world, content)
    assert status == 201
    assert stored["url"].startswith(f"{supabase.url}/storage/v1/object/public/images/")
    async with world.session.get(stored["url"], headers={"Authorization": ""}) as response:
        assert await response.read() == content
        assert response.content_type == media_type
        assert response.headers["cache-control"] == "max-age=31536000"
    assert not (world.database.parent / "clips-uploads").exists()


async def test_same_image_is_kept_once_in_the_bucket(world: World, supabase: Supabase) -> None:
    _, stored = await upload(world, image())
    assert (201, stored) == await upload(world, image())
    name = stored["url"].rpartition("/")[2]
    assert {path for _, path in supabase.storage.objects} == {name, f"{name}.small.webp"}


async def test_without_the_bucket_an_upload_is_503_and_says_what_to_create(
    world: World, database: str, supabase: Supabase
) -> None:
    db = await asyncpg.connect(database)
    await db.execute("delete from storage.buckets")
    await db.close()
    status, answer = await upload(world, image())
    assert (status, answer["code"]) == (503, "store_unavailable")
    assert "Bucket not found" in answer["error"]
    assert "public bucket images" in answer["error"]
    assert supabase.service_role_key not in answer["error"]


async def test_image_in_the_bucket_becomes_a_clip(world: World) -> None:
    _, stored = await upload(world, image())
    pair = {"first_frame": stored["url"], "last_frame": stored["url"]}
    project_id = await world.store({"1": {"duration": 4}}, {"1": pair})
    await world.generate(project_id)
    (job,) = await world.settled(project_id)
    assert job["status"] == "succeeded"


async def test_service_itself_gives_out_no_image_of_the_bucket(world: World) -> None:
    _, stored = await upload(world, image())
    name = urlsplit(stored["url"]).path.rpartition("/")[2]
    async with world.session.get(f"{world.url}/uploads/{name}") as response:
        assert response.status == 404


async def test_bucket_takes_what_the_service_takes(database: str) -> None:
    db = await asyncpg.connect(database)
    bucket = await db.fetchrow("select * from storage.buckets where id = 'images'")
    await db.close()
    assert bucket is not None
    assert bucket["public"]
    assert bucket["file_size_limit"] == MAX_IMAGE_BYTES
    assert bucket["allowed_mime_types"] == [kind.value for kind in ImageType]
