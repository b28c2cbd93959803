"""Takes the pictures of the main README anew: `python -m tests.browser.pictures`."""

import asyncio
import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright, expect

import service
from tests.browser.conftest import CHROMIUM
from tests.harness import World, running_world

FOLDER = Path(service.__file__).parent / "studio" / "screenshots"
HARBOUR = (
    "The sun rises over a quiet bay.",
    "A small boat leaves the harbour, slow pan to the right.",
    "Gulls circle above the pier.",
    "The lighthouse goes out.",
    "The boat passes the headland.",
    "Open sea.",
)
OTHERS = {
    "The lighthouse keeper": ("He climbs the stairs.", "He lights the lamp.", "Night falls."),
    "Autumn in the valley": ("Leaves fall.", "A storm.", "It clears up."),
    "First snow": ("The first flakes.", "A white garden."),
    "Market day": ("The stalls open.", "The square fills."),
}


async def store(world: World, title: str, prompts: Sequence[str], first_frames: int) -> str:
    numbers = range(1, len(prompts) + 1)
    frames = {
        str(number): {
            f"{end}_frame": f"{world.sandbox_url}/frames/{first_frames + number}/{end}.png?size=960x540"
            for end in ("first", "last")
        }
        for number in numbers
    }
    scenes = {str(number): {"description": prompts[number - 1], "duration": 4} for number in numbers}
    _, stored = await world.post("/projects", {"script": title, "frames": frames, "scenes": scenes})
    return str(stored["id"])


async def make(world: World, project_id: str, *scenes: str, **faults: object) -> None:
    await world.set_faults(**faults)
    await world.post("/generate-clips", {"project_id": project_id, "scenes": scenes})


async def picture(page: Page, name: str) -> None:
    # Until posters and fonts are there; nothing tells that.
    await page.wait_for_timeout(1_500)
    png = await page.screenshot()
    Image.open(io.BytesIO(png)).convert("RGB").save(FOLDER / f"{name}.webp", quality=82, method=6)


async def take(world: World) -> None:
    others = [
        await store(world, title, prompts, 10 * place)
        for place, (title, prompts) in enumerate(OTHERS.items(), 1)
    ]
    harbour = await store(world, "Harbour at dawn", HARBOUR, 0)
    for project_id in others:
        _, project = await world.post("/generate-clips", {"project_id": project_id, "scenes": ["1"]})
        assert project["success"]
    await make(world, others[1], "2", fail_rate=1)
    await make(world, others[1], "3")
    await make(world, others[0], "2", "3")
    await make(world, others[2], "2")
    await make(world, others[3], "2")
    await make(world, harbour, "4", moderate_rate=1)
    await make(world, harbour, "1", "3", "6")
    for project_id in (*others, harbour):
        await world.settled(project_id)
    await make(world, harbour, "2", "5")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = await browser.new_page(viewport={"width": 1280, "height": 940})
        await page.goto(world.url)
        await expect(page.get_by_role("heading", name="Harbour at dawn")).to_be_visible()
        await picture(page, "projects")
        await page.goto(f"{world.url}/#/projects/{harbour}")
        await expect(page.locator("video").first).to_be_visible()
        await picture(page, "project")
        await browser.close()


async def main() -> None:
    # Slow enough that two clips are still being made when the pictures are taken.
    options = {"max_long_side": 960, "min_seconds": 14, "max_seconds": 18}
    with tempfile.TemporaryDirectory() as folder:
        async with running_world(Path(folder), sandbox=options) as world:
            await take(world)


if __name__ == "__main__":
    asyncio.run(main())
