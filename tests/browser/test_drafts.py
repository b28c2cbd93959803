"""A video that was begun and not made: asked about before it is lost, kept on the device, offered again."""

import json
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


def dialog(visit: Visit) -> Locator:
    return visit.page.get_by_role("dialog", name="Create video")


def name_field(visit: Visit) -> Locator:
    return visit.page.get_by_role("textbox", name="Name (optional)")


async def open_dialog(visit: Visit) -> None:
    await visit.page.locator("#new").click()
    await expect(dialog(visit)).to_be_visible()


async def begin(visit: Visit) -> None:
    """Begin a video of one scene."""
    await visit.open()
    await open_dialog(visit)
    await name_field(visit).fill("Harbour at dawn")
    frames = {f"{end}.png": await visit.frame(1, end) for end in ("first", "last")}
    await visit.drop(visit.page.locator(".drop"), frames)
    await visit.page.get_by_label("Prompt").fill("The sun rises.")
    await visit.page.get_by_label("Model").select_option("Veo 3.1 Fast")
    await visit.page.get_by_label("Duration of scene 1").get_by_label("6 s").check()
    await expect(visit.button("Create 1 clip")).to_be_enabled()


async def kept(visit: Visit) -> list[dict[str, Any]]:
    """What the browser keeps of drafts, for whomever."""
    stored: dict[str, str] = await visit.page.evaluate("() => ({...localStorage})")
    return [json.loads(text) for key, text in stored.items() if key.startswith("clips-draft")]


async def until_kept(visit: Visit) -> None:
    await visit.page.wait_for_function(
        "() => Object.values(localStorage).some((text) => text.includes('The sun rises.'))"
    )


@pytest.mark.parametrize("width", [1280, 390])
async def test_draft_is_kept_offered_again_and_made(world: World, open_visit: OpenVisit, width: int) -> None:
    async with open_visit(world, viewport={"width": width, "height": 860}) as visit:
        await begin(visit)
        await visit.page.keyboard.press("Escape")
        await expect(visit.page.get_by_text("Discard this draft?")).to_be_visible()
        await visit.shot(f"draft-ask-{width}")
        assert await visit.violations() == []
        await visit.button("Keep for later").click()
        await expect(dialog(visit)).to_have_count(0)
        await visit.page.reload()
        await open_dialog(visit)
        words = "A draft is on this device: “Harbour at dawn”, 1 scene, just now."
        await expect(visit.page.get_by_text(words)).to_be_visible()
        await expect(visit.button("Continue")).to_be_focused()
        await visit.shot(f"draft-offer-{width}")
        assert await visit.violations() == []
        await visit.button("Continue").press("Enter")
        await expect(visit.page.get_by_text(words)).to_be_hidden()
        await expect(name_field(visit)).to_have_value("Harbour at dawn")
        await expect(visit.page.locator(".slot-hint")).to_have_text(["first.png", "last.png"])
        await visit.page.wait_for_function(
            "() => [...document.querySelectorAll('.slot img')].every((one) => one.naturalWidth)"
        )
        await expect(visit.page.get_by_label("Prompt")).to_have_value("The sun rises.")
        await expect(visit.page.get_by_label("Model").locator(":checked")).to_have_text("Veo 3.1 Fast")
        await expect(visit.page.get_by_label("Duration of scene 1").get_by_label("6 s")).to_be_checked()
        await visit.button("Create 1 clip").click()
        await expect(visit.state("1")).to_contain_text("Done in")
        assert await kept(visit) == []
        await open_dialog(visit)
        await expect(visit.button("Continue")).to_be_hidden()


async def test_dialog_without_content_closes_at_once(visit: Visit) -> None:
    await visit.open()
    await open_dialog(visit)
    await visit.page.keyboard.press("Escape")
    await expect(dialog(visit)).to_have_count(0)
    await open_dialog(visit)
    await visit.button("Close").click()
    await expect(dialog(visit)).to_have_count(0)
    assert await kept(visit) == []


async def test_escape_asks_and_escape_again_goes_on_editing(visit: Visit) -> None:
    await visit.open()
    await open_dialog(visit)
    await name_field(visit).fill("Harbour")
    for _ in range(3):
        await name_field(visit).press("Escape")
        await expect(visit.button("Keep editing")).to_be_focused()
        await visit.page.keyboard.press("Escape")
        await expect(visit.button("Keep editing")).to_be_hidden()
        await expect(name_field(visit)).to_be_focused()
    await expect(name_field(visit)).to_have_value("Harbour")


async def test_discarded_draft_is_not_kept(visit: Visit) -> None:
    await begin(visit)
    await until_kept(visit)
    await visit.button("Close").click()
    await visit.button("Discard").click()
    await expect(dialog(visit)).to_have_count(0)
    assert await kept(visit) == []


async def test_draft_survives_a_page_that_is_closed(visit: Visit) -> None:
    await begin(visit)
    await until_kept(visit)
    await visit.page.reload()
    await open_dialog(visit)
    await expect(visit.button("Continue")).to_be_visible()
    await visit.button("Discard it").click()
    await expect(visit.button("Continue")).to_be_hidden()
    assert await kept(visit) == []


async def test_kept_draft_has_urls_of_uploads_and_nothing_that_may_be_secret(visit: Visit) -> None:
    await begin(visit)
    await visit.button("Add scene").click()
    signed = f"{visit.world.sandbox_url}/frames/1/first.png?size=304x540&signature=hidden"
    await visit.page.get_by_label("URL of the first frame of scene 2").fill(signed)
    plain = f"{visit.world.sandbox_url}/frames/1/last.png"
    await visit.page.get_by_label("URL of the last frame of scene 2").fill(plain)
    await visit.button("Close").click()
    await visit.button("Keep for later").click()
    (draft,) = await kept(visit)
    one, two = draft["scenes"]
    assert one["first"]["url"].startswith(f"{visit.world.url}/uploads/")
    assert (two["first"]["url"], two["last"]["url"]) == ("", plain)
    assert "signature" not in json.dumps(draft)
    assert "blob:" not in json.dumps(draft)


async def test_continuing_a_draft_loses_nothing_that_was_begun_meanwhile(visit: Visit) -> None:
    await begin(visit)
    await visit.button("Close").click()
    await visit.button("Keep for later").click()
    await open_dialog(visit)
    await visit.page.get_by_label("Prompt").fill("A boat leaves.")
    await visit.button("Continue").click()
    await expect(visit.page.get_by_label("Prompt")).to_have_count(2)
    await expect(visit.page.get_by_label("Prompt").first).to_have_value("A boat leaves.")
    await expect(visit.page.get_by_label("Prompt").nth(1)).to_have_value("The sun rises.")


async def test_draft_that_this_release_can_not_read_is_not_offered(visit: Visit) -> None:
    await visit.open()
    for text in ("", "{}", "[]", "null", '{"title": 1, "scenes": []}', '{"title": "", "scenes": [{}]}', "{"):
        await visit.page.evaluate("(text) => localStorage.setItem('clips-draft:', text)", text)
        await open_dialog(visit)
        await expect(visit.button("Continue")).to_be_hidden()
        await visit.page.keyboard.press("Escape")
        await expect(dialog(visit)).to_have_count(0)


async def test_draft_too_large_for_the_device_is_said_and_stays_open(visit: Visit) -> None:
    await visit.open()
    await visit.page.evaluate("() => localStorage.setItem('full', 'x'.repeat(5 * 1024 * 1024 - 10))")
    await open_dialog(visit)
    await name_field(visit).fill("Harbour " * 20)
    await visit.button("Close").click()
    await visit.button("Keep for later").click()
    await expect(visit.page.get_by_text("This draft can't be kept on this device")).to_be_visible()
    await expect(name_field(visit)).to_have_value("Harbour " * 20)
