"""A project of many scenes: in a grid, found by how they stand, smooth while they change."""

from typing import Any

import pytest
from playwright.async_api import FloatRect, Locator, Request, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAILING = (3, 17, 28)
SLOW = (5, 20)


async def long_project(world: World, count: int) -> str:
    """Have so many scenes made, of which some fail and some stay pending."""

    def text(number: int) -> str:
        directive = " [sandbox:fail]" if number in FAILING else ""
        return f"Boat {number} leaves.{' [sandbox:slow=3600]' if number in SLOW else directive}"

    project_id = await world.store(
        {str(n): {"description": text(n), "duration": 4} for n in range(1, count + 1)}
    )
    await world.generate(project_id)
    pending = sum(number <= count for number in SLOW)
    await world.until(project_id, lambda jobs: sum(not job["settled_at"] for job in jobs) == pending)
    return project_id


def shown(visit: Visit) -> Locator:
    return visit.page.locator("scene-card:not([hidden]) h2")


async def box(target: Locator) -> FloatRect:
    found = await target.bounding_box()
    assert found is not None
    return found


@pytest.mark.parametrize("width", [1280, 390])
async def test_failed_and_pending_scenes_are_found(world: World, open_visit: OpenVisit, width: int) -> None:
    project_id = await long_project(world, 30)
    async with open_visit(world, viewport={"width": width, "height": 860}) as visit:
        await visit.open_project(project_id)
        await expect(shown(visit)).to_have_count(30)
        for number in (*FAILING, FAILING[0]):
            await visit.button("3 failed: next").click()
            await expect(visit.scene(str(number))).to_be_in_viewport(ratio=0.3)
            await expect(visit.page.locator("scene-card:focus-within, scene-card:focus")).to_contain_text(
                f"Boat {number} leaves."
            )
        await expect(visit.page.locator(".finder [role=status]")).to_have_text("Scene 3: 1 of 3 failed")
        await visit.button("Failed 3").click()
        await expect(shown(visit)).to_have_text([f"Scene {number}" for number in FAILING])
        await visit.shot(f"long-failed-{width}")
        assert await visit.violations() == []
        await visit.button("Pending 2").click()
        await expect(shown(visit)).to_have_text([f"Scene {number}" for number in SLOW])
        await visit.button("All").click()
        await expect(shown(visit)).to_have_count(30)
        await visit.shot(f"long-{width}")
        assert await visit.violations() == []
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_cards_stand_beside_each_other_and_use_their_width(world: World, open_visit: OpenVisit) -> None:
    project_id = await world.store(8)
    alone_id = await world.store(1)
    for width, columns in ((1280, 2), (390, 1)):
        async with open_visit(world, viewport={"width": width, "height": 860}) as visit:
            await visit.open_project(project_id)
            one, two, three = [await box(visit.scene(key)) for key in ("1", "2", "3")]
            assert (one["y"] == two["y"]) == (columns == 2)
            assert three["y"] > one["y"]
            text = await box(visit.scene("1").locator(".scene-text"))
            media = await box(visit.scene("1").locator(".media"))
            used = text["width"] + media["width"] if columns == 2 else text["width"]
            assert used > 0.85 * one["width"]
            await visit.open_project(alone_id)
            assert (await box(visit.scene("1")))["width"] > 0.8 * min(width, 1080)


async def test_finder_is_left_out_where_a_look_is_enough(visit: Visit) -> None:
    project_id = await long_project(visit.world, 4)
    await visit.open_project(project_id)
    await expect(visit.state("3")).to_contain_text("Failed")
    await expect(visit.page.locator(".finder")).to_be_hidden()


async def test_filter_ends_when_nothing_is_left_in_it(visit: Visit) -> None:
    project_id = await long_project(visit.world, 8)
    await visit.open_project(project_id)
    await visit.button("Failed 1").click()
    await expect(shown(visit)).to_have_text(["Scene 3"])
    scenes: dict[str, Any] = {
        str(n): {"description": f"Boat {n} leaves.", "duration": 4} for n in range(1, 9) if n != 3
    }
    visit.world.rewrite(project_id, scenes={**scenes, "3": {"description": "It succeeds.", "duration": 4}})
    await visit.world.retry(project_id)
    await visit.world.generate(project_id)
    await expect(visit.state("3")).to_contain_text("Done in")
    await expect(shown(visit)).to_have_count(8)


async def test_two_hundred_scenes_change_no_card_but_the_one_that_changed(visit: Visit) -> None:
    project_id = await long_project(visit.world, 200)
    videos: set[str] = set()

    def note(request: Request) -> None:
        if request.resource_type == "media":
            videos.add(request.url)

    visit.page.on("request", note)
    await visit.open_project(project_id)
    await expect(shown(visit)).to_have_count(200)
    await expect(visit.connection("live")).to_be_visible()
    await visit.page.wait_for_load_state("load")
    assert 0 < len(videos) < 40
    await visit.page.evaluate(
        """() => {
            window.changed = new Set();
            new MutationObserver((records) => {
                for (const { target, attributeName } of records) {
                    // What comes near the screen begins to load.
                    if (attributeName === "preload") continue;
                    const card = (target.closest ? target : target.parentElement).closest("scene-card");
                    if (card) window.changed.add(card.querySelector("h2").textContent);
                }
            }).observe(document.querySelector(".scenes"),
                { subtree: true, childList: true, characterData: true, attributes: true });
        }"""
    )
    await visit.button("Retry scene 17").click()
    await expect(visit.scene("17").locator(".facts")).to_contain_text("attempt 2")
    await visit.world.until(project_id, lambda jobs: bool(jobs[16]["settled_at"]))
    changed = set(await visit.page.evaluate("() => [...window.changed]"))
    # The pending ones count their seconds, and the failed ones tell what a retry costs.
    assert changed <= {f"Scene {number}" for number in (*SLOW, *FAILING)}
    assert "Scene 17" in changed
