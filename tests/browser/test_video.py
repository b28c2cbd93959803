"""Finished videos on the page: saved as files, and told of when their links are dead."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit, video_facts
from tests.builders import MovableClock
from tests.harness import World, running_world

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "token-of-the-service"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SIZES = ({"width": 1280, "height": 860}, {"width": 390, "height": 844})


async def finished(world: World, count: int = 1) -> str:
    project_id = await world.store(
        {str(n): {"description": f"Été {n}.", "duration": 4} for n in range(1, count + 1)}
    )
    await world.generate(project_id)
    await world.settled(project_id)
    return project_id


def lose_videos(folder: Path) -> None:
    """Have the sandbox answer for its videos as Runware does for those whose links have ended."""
    for video in (folder / "videos").iterdir():
        video.unlink()


async def saved(visit: Visit) -> tuple[str, bytes]:
    """Press *Download* of scene 1; gives the file's name and content."""
    async with visit.page.expect_download() as under_way:
        await visit.page.get_by_label("Download scene 1").click()
    download = await under_way.value
    content = await asyncio.to_thread((await download.path()).read_bytes)
    return download.suggested_filename, content


async def video_of(world: World, project_id: str) -> bytes:
    (job, *_) = await world.jobs(project_id)
    async with world.session.get(job["video_url"]) as response:
        return await response.read()


async def test_download_saves_the_video_under_its_name(visit: Visit) -> None:
    project_id = await finished(visit.world)
    await visit.open_project(project_id)
    name, content = await saved(visit)
    assert name == "Été-1-scene-1.mp4"
    assert content == await video_of(visit.world, project_id)
    link = visit.page.get_by_role("link", name="Download scene 1")
    assert await link.get_attribute("href") == f"{'/projects/' + project_id}/clips/1.mp4"


async def test_download_with_a_token_saves_the_same_and_shows_the_token_to_no_link(
    tmp_path: Path, open_visit: OpenVisit
) -> None:
    async with (
        running_world(tmp_path, service_token=TOKEN, headers=BEARER) as world,
        open_visit(world) as visit,
    ):
        project_id = await finished(world)
        await visit.open()
        await visit.page.get_by_label("Service token").fill(TOKEN)
        await visit.button("Sign in").click()
        await expect(visit.page.locator(".project-card a")).to_have_count(1)
        await visit.open_project(project_id)
        name, content = await saved(visit)
        assert name == "Été-1-scene-1.mp4"
        assert content == await video_of(world, project_id)
        await expect(visit.button("Download scene 1")).to_have_text("Download")
        assert TOKEN not in await visit.page.content()


async def test_download_that_does_not_work_says_why(visit: Visit) -> None:
    project_id = await finished(visit.world)

    async def refuse(route: Route) -> None:
        await route.fulfill(
            status=503,
            json={
                "success": False,
                "error": "Many clips are being downloaded.",
                "code": "too_many_downloads",
            },
        )

    await visit.context.route("**/clips/1.mp4", refuse)
    await visit.open_project(project_id)
    await visit.page.get_by_label("Download scene 1").click()
    await expect(visit.toast).to_contain_text("Many clips are being downloaded.")
    await expect(visit.page.get_by_label("Download scene 1")).to_have_text("Download")


@pytest.mark.parametrize("size", SIZES)
async def test_dead_link_is_told_with_its_date_on_card_and_player(
    tmp_path: Path, open_visit: OpenVisit, size: dict[str, int]
) -> None:
    clock = MovableClock()
    async with (
        running_world(tmp_path, clock=clock) as world,
        open_visit(world, viewport=size) as visit,
    ):
        project_id = await finished(world, 2)
        lose_videos(tmp_path)
        await visit.open_project(project_id)
        early = re.compile(
            r"^This video is no longer at its link, which was expected to last until \d+ \w+ 20"
        )
        await expect(visit.state("1")).to_have_text(early)
        clock.advance(days=31)
        await visit.page.reload()
        late = re.compile(r"^The link to this video ended on \d+ \w+ 20\d\d\. .* that costs again\.$")
        for key in ("1", "2"):
            await expect(visit.state(key)).to_have_text(late)
            await expect(visit.page.get_by_label(f"Download scene {key}")).to_have_count(0)
            await expect(visit.scene(key).locator("video")).to_have_count(0)
        await visit.shot(f"dead-link-{size['width']}")
        assert await visit.violations() == []
        await visit.button("Play all").click()
        player = visit.page.get_by_role("dialog")
        await expect(player.get_by_role("alert")).to_have_text(
            re.compile(r"^The link to this video ended on")
        )
        await expect(player.locator("video")).to_be_hidden()
        await visit.button("Next").click()
        await expect(player.get_by_role("status")).to_have_text("Scene 2, 2 of 2")
        await expect(player.get_by_role("alert")).to_be_visible()
        await visit.shot(f"dead-link-player-{size['width']}")
        assert await visit.violations() == []
        width = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]


async def test_message_and_player_use_the_width_of_a_phone(world: World, open_visit: OpenVisit) -> None:
    async with open_visit(world, viewport=SIZES[1]) as visit:
        await world.set_faults(fail_rate=1)
        project_id = await world.store({"1": {"description": "[sandbox:slow=2]", "duration": 4}})
        await visit.open_project(project_id)
        await visit.button("Generate 1 clip").click()
        message = visit.toast.locator(".toast-text")
        await expect(message).to_contain_text("The model's provider failed to make this clip")
        hidden, box = await message.evaluate(
            "(text) => [text.scrollHeight - text.clientHeight, text.getBoundingClientRect().toJSON()]"
        )
        assert hidden <= 0, "all of it can be read"
        assert (box["left"], box["right"]) == (16, 374)
        await visit.shot("toast-390")
        await world.set_faults()
        await visit.button("Retry scene 1").click()
        await expect(visit.state("1")).to_contain_text("Done in")
        await visit.button("Play all").click()
        player = await visit.page.get_by_role("dialog").bounding_box()
        assert player is not None
        assert (player["x"], player["width"]) == (0, 390)


async def test_days_left_are_told_when_they_are_few(tmp_path: Path, open_visit: OpenVisit) -> None:
    clock = MovableClock()
    async with running_world(tmp_path, clock=clock) as world, open_visit(world) as visit:
        project_id = await finished(world)
        await visit.open_project(project_id)
        facts = visit.scene("1").locator(".facts")
        await expect(facts).to_contain_text(re.compile(r"Link ends on \d+ \w+ 20"))
        clock.advance(days=17, hours=1)
        await visit.page.reload()
        await expect(facts).to_contain_text("Link ends in 12 days")
        clock.advance(days=14)
        await visit.page.reload()
        await expect(facts).to_contain_text(re.compile(r"Link was to end on \d+ \w+ 20"))
        await expect(visit.state("1")).to_contain_text("Done in")
        await expect(visit.page.get_by_label("Download scene 1")).to_be_visible()


async def test_link_that_ends_while_the_page_is_open_is_noticed(
    tmp_path: Path, open_visit: OpenVisit
) -> None:
    clock = MovableClock()
    async with running_world(tmp_path, clock=clock) as world, open_visit(world) as visit:
        project_id = await finished(world)
        await visit.open_project(project_id)
        await video_facts(visit.scene("1"))
        lose_videos(tmp_path)
        clock.advance(days=31)
        # The page learns the service's time with the next news of the project.
        world.rewrite(project_id, script={"title": "Later"})
        await expect(visit.state("1")).to_have_text(re.compile(r"^The link to this video ended on"))


async def test_video_that_does_not_load_for_another_reason_can_be_loaded_again(visit: Visit) -> None:
    project_id = await finished(visit.world)

    async def break_off(route: Route) -> None:
        await route.abort()

    await visit.context.route("**/videos/*", break_off)
    await visit.open_project(project_id)
    await expect(visit.scene("1")).to_contain_text("The video does not load now.")
    await expect(visit.state("1")).to_contain_text("Done in")
    await visit.shot("unloaded")
    assert await visit.violations() == []
    await visit.context.unroute("**/videos/*", break_off)
    await visit.button("Load again").click()
    await video_facts(visit.scene("1"))
