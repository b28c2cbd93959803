"""What the page says where clips were not made: in words for the person who looks, once, and in one place."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import running_world

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = [{"width": 1280, "height": 860}, {"width": 390, "height": 844}]


def failing(*failed: int, of: int) -> dict[str, Any]:
    return {
        str(n): {"description": f"Boat {n}. {'[sandbox:fail]' if n in failed else ''}", "duration": 4}
        for n in range(1, of + 1)
    }


async def shares(bar: Locator) -> dict[str, tuple[float, str]]:
    """Each part of a project's bar by its class: how far it reaches, and its colour."""
    parts: dict[str, tuple[float, str]] = await bar.locator("progress").evaluate_all(
        """(all) => Object.fromEntries(
            all.map((one) => [one.className, [one.value, getComputedStyle(one).color]])
        )"""
    )
    return parts


@pytest.mark.parametrize("size", SIZES)
async def test_failed_projects_bar_shows_what_succeeded_as_done_and_the_rest_as_failed(
    tmp_path: Path, open_visit: OpenVisit, size: dict[str, int]
) -> None:
    async with running_world(tmp_path) as world, open_visit(world, viewport=size) as visit:
        project_id = await world.store(failing(3, of=4))
        await world.generate(project_id)
        await world.settled(project_id)
        name = "Clips done: 3 of 4 clips, 1 failed"
        for path in (f"/#/projects/{project_id}", "/#/"):
            await visit.open(path)
            bar = visit.page.locator(".project-bar")
            await expect(bar.get_by_role("progressbar", name=name)).to_have_count(1)
            await expect(bar.get_by_role("progressbar")).to_have_count(1)
            parts = await shares(bar)
            assert {part: reach for part, (reach, _) in parts.items()} == {"bar-done": 0.75, "bar-failed": 1}
            assert parts["bar-done"][1] != parts["bar-failed"][1]
            await visit.shot(f"failed-share-{'list' if path == '/#/' else 'project'}-{size['width']}")
            assert await visit.violations() == []


async def test_bar_of_a_project_without_failures_has_no_failed_share(visit: Visit) -> None:
    project_id = await visit.world.store(failing(of=1))
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await visit.open_project(project_id)
    await expect(visit.page.get_by_role("progressbar", name="Clips done: 1 of 1 clip")).to_have_count(1)
    parts = await shares(visit.page.locator(".project-bar"))
    assert {part: reach for part, (reach, _) in parts.items()} == {"bar-done": 1, "bar-failed": 0}


@pytest.mark.parametrize("size", SIZES)
async def test_operator_is_told_once_why_nothing_could_be_ordered_and_tries_again_there(
    tmp_path: Path, open_visit: OpenVisit, size: dict[str, int]
) -> None:
    async with running_world(tmp_path) as world, open_visit(world, viewport=size) as visit:
        project_id = await world.store(failing(of=2))
        await world.set_faults(balance_usd=0)
        await visit.open_project(project_id)
        await visit.button("Generate 2 clips").click()
        banner = visit.page.locator(".banner")
        await expect(banner).to_contain_text("The service could not order 2 clips")
        await expect(banner).to_contain_text("balance is $")
        await expect(banner).to_contain_text("Check RUNWARE_API_KEY and the credit in Runware's dashboard")
        for scene in ("1", "2"):
            await expect(visit.state(scene)).to_have_text("Not made: the service could not order it.")
            await expect(visit.button(f"Retry scene {scene}")).to_have_count(0)
        await expect(visit.page.get_by_role("button", name="Retry")).to_have_count(0)
        await expect(visit.toast).not_to_contain_text("RUNWARE_API_KEY")
        await visit.shot(f"not-ordered-operator-{size['width']}")
        assert await visit.violations() == []
        width = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]
        await world.set_faults(balance_usd=1000)
        await visit.button("Try again").click()
        await expect(visit.state("2")).to_contain_text("Done in")
        await expect(banner).to_be_hidden()


async def test_clip_that_failed_beside_one_that_was_not_ordered_is_retried_alone(visit: Visit) -> None:
    project_id = await visit.world.store(failing(1, of=2))
    await visit.world.set_faults(balance_usd=0)
    await visit.world.post("/functions/v1/generate-clips", {"project_id": project_id})
    await visit.world.set_faults(balance_usd=1000)
    await visit.world.retry(project_id, scenes=["1"])
    await visit.open_project(project_id)
    await expect(visit.page.locator(".banner")).to_contain_text("could not order 1 clip")
    await expect(visit.button("Retry scene 1")).to_be_visible()
    await visit.button("Retry failed clip").click()
    await expect(visit.scene("1").locator(".facts")).to_contain_text("attempt 3")
    await expect(visit.state("2")).to_have_text("Not made: the service could not order it.")
    await visit.button("Try again").click()
    await expect(visit.state("2")).to_contain_text("Done in")
