"""What the page loads of frames: small versions of uploads, the frames themselves where there is none."""

import io
import random
from typing import Any

import pytest
from PIL import Image as Pillow
from playwright.async_api import Response, Route, expect

from service.clips.images import ImageType, small_name
from tests.browser.visit import Visit
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ["0" * 64 + kind.suffix for kind in ImageType]


async def uploaded_pair(world: World) -> dict[str, Any]:
    """Upload two frames that hardly compress."""
    urls = []
    for seed in (1, 2):
        content = io.BytesIO()
        noise = random.Random(seed).randbytes(1024 * 768 * 3)
        Pillow.frombytes("RGB", (1024, 768), noise).save(content, "PNG")
        headers = {"content-type": "image/png"}
        body = io.BytesIO(content.getvalue())
        async with world.session.post(f"{world.url}/uploads", data=body, headers=headers) as response:
            urls.append((await response.json())["url"])
    return {"first_frame": urls[0], "last_frame": urls[1]}


async def test_client_and_service_name_small_versions_alike(visit: Visit) -> None:
    await visit.open()
    places = ["http://localhost:8000/uploads/", "https://p.supabase.co/storage/v1/object/public/images/"]
    frames = [place + name for place in places for name in NAMES]
    others = ["https://cdn.example/1.png", f"https://cdn.example/{NAMES[0]}", f"{frames[0]}?size=1", ""]
    found = await visit.page.evaluate(
        """async (frames) => {
            const { smallUrl } = await import("/client/clips.js");
            return frames.map(smallUrl);
        }""",
        [*frames, *others],
    )
    assert found == [*(place + small_name(name) for place in places for name in NAMES), *others]


async def test_list_and_cards_load_small_images_of_uploads_and_never_the_large_ones(visit: Visit) -> None:
    project_id = await visit.world.store({"1": {"duration": 4}}, {"1": await uploaded_pair(visit.world)})
    loaded: list[Response] = []

    def note(response: Response) -> None:
        loaded.append(response)

    visit.page.on("response", note)
    for view in ("/", f"/#/projects/{project_id}"):
        await visit.open(view)
        images = visit.page.locator("main img:not(.no-clip img)")
        await expect(images).to_have_count(2)
        await visit.page.wait_for_function(
            "() => [...document.querySelectorAll('main img')].every((one) => one.naturalWidth === 480)"
        )
    sizes = [len(await one.body()) for one in loaded if "/uploads/" in one.url]
    assert len(sizes) >= 2
    assert max(sizes) < 200_000
    await visit.world.generate(project_id)
    await expect(visit.state("1")).to_contain_text("Done in")
    assert {one.url.rpartition(".png")[2] for one in loaded if "/uploads/" in one.url} == {".small.webp"}


async def test_frame_is_shown_itself_where_its_small_version_does_not_load(visit: Visit) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=404)

    await visit.context.route("**/*.small.webp", refuse)
    await visit.world.store({"1": {"duration": 4}}, {"1": await uploaded_pair(visit.world)})
    await visit.open()
    await visit.page.wait_for_function(
        """() => {
            const images = [...document.querySelectorAll("main img")];
            return images.length === 2 && images.every((one) => one.naturalWidth === 1024);
        }"""
    )


async def test_frame_that_is_nowhere_leaves_a_quiet_sign(visit: Visit) -> None:
    url = f"{visit.world.url}/uploads/{NAMES[0]}"
    await visit.world.store({"1": {}}, {"1": {"first_frame": url, "last_frame": url}})
    await visit.open()
    await expect(visit.page.locator(".strip .no-picture")).to_have_count(2)


async def test_frames_of_other_hosts_are_loaded_as_they_come_into_sight(visit: Visit) -> None:
    project_id = await visit.world.store(1)
    await visit.open_project(project_id)
    images = visit.page.locator("scene-card .frames img")
    await expect(images).to_have_count(2)
    for number in range(2):
        await expect(images.nth(number)).to_have_attribute("loading", "lazy")
        await expect(images.nth(number)).to_have_attribute("decoding", "async")
