"""Messages and the player on a telephone: whole, within the screen, and with their buttons within reach."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "Scene 17 failed: the model's provider failed to make this clip; send it again later. "
SCREENS = [(390, 844), (844, 390), (1280, 860)]


async def is_within_reach(target: Locator) -> bool:
    """Whether all of an element is on the screen, and nothing lies over its middle."""
    within: bool = await target.evaluate(
        """(element) => {
            const { left, top, right, bottom } = element.getBoundingClientRect();
            const found = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            const isOnScreen = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
            return isOnScreen && element.contains(found);
        }"""
    )
    return within


async def show_toast(visit: Visit, text: str) -> None:
    await visit.page.evaluate(
        """async (text) => {
            const { toast } = await import("/studio/toasts.js");
            toast(text, "failed");
        }""",
        text,
    )


@pytest.mark.parametrize("screen", SCREENS)
async def test_message_fits_hides_no_button_of_the_bar_and_is_closed(
    world: World, open_visit: OpenVisit, screen: tuple[int, int]
) -> None:
    width, height = screen
    async with open_visit(world, viewport={"width": width, "height": height}) as visit:
        await visit.open()
        await expect(visit.page.locator("#new")).to_be_visible()
        await show_toast(visit, LONG * 2)
        text = visit.page.locator(".toast-text")
        await expect(text).to_be_visible()
        close = visit.button("Close this message")
        for target in (text, close, visit.page.locator("#new"), visit.page.locator(".brand")):
            assert await is_within_reach(target), target
        await visit.shot(f"toast-{width}")
        assert await visit.violations() == []
        if width == 390:
            found = await text.bounding_box()
            assert found is not None
            assert found["width"] == width - 32
            assert await text.evaluate("(text) => text.scrollHeight <= text.clientHeight")
        await close.click()
        await expect(text).to_have_count(0)
        await expect(close).to_be_hidden()


@pytest.mark.parametrize("screen", SCREENS)
async def test_all_of_the_player_is_on_the_screen(
    world: World, open_visit: OpenVisit, screen: tuple[int, int]
) -> None:
    width, height = screen
    project_id = await world.store(2)
    await world.generate(project_id)
    await world.settled(project_id)
    async with open_visit(world, viewport={"width": width, "height": height}) as visit:
        await visit.open_project(project_id)
        await visit.button("Play all").click()
        player = visit.page.get_by_role("dialog")
        await player.locator("video").evaluate(
            "(video) => video.readyState || new Promise((done) => (video.onloadedmetadata = done))"
        )
        for name in ("Close", "Next"):
            assert await is_within_reach(player.get_by_role("button", name=name, exact=True)), name
        assert await is_within_reach(player.locator("video"))
        found = await player.locator("video").bounding_box()
        assert found is not None
        assert found["height"] > 150
        await visit.shot(f"player-{width}")
        assert await visit.violations() == []
        await visit.button("Close").click()
        await expect(player).to_have_count(0)
