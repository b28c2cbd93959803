"""Frames that are dropped together: which of them are a pair, and where they go."""

import asyncio
from collections.abc import Sequence

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


def hints(visit: Visit) -> Locator:
    """What stands on the slots: the names of their files."""
    return visit.page.locator(".slot-hint")


async def open_dialog(visit: Visit) -> None:
    await visit.open()
    await visit.button("Create video").first.click()


async def drop_named(visit: Visit, names: Sequence[str]) -> None:
    """Drop so many different frames of these names, all at once."""
    frames = {
        name: await visit.frame(1 + at // 2, ("first", "last")[at % 2]) for at, name in enumerate(names)
    }
    await visit.drop(visit.page.locator(".drop"), frames)


async def previews(visit: Visit) -> list[str]:
    images = visit.page.locator(".slot img")
    shown: list[str] = await images.evaluate_all("(images) => images.map((one) => one.src)")
    return shown


@pytest.mark.parametrize("width", [1280, 390])
async def test_dropped_files_lie_in_the_slots_that_their_names_say(
    world: World, open_visit: OpenVisit, width: int
) -> None:
    long = "harbour-in-the-morning-" * 3
    async with open_visit(world, viewport={"width": width, "height": 860}) as visit:
        await open_dialog(visit)
        await drop_named(visit, [f"{long}{end}.png" for end in ("2_end", "2_start", "1b", "1a")])
        await expect(hints(visit)).to_have_text(
            [f"{long}{end}.png" for end in ("1a", "1b", "2_start", "2_end")]
        )
        await expect(visit.button("Create 2 clips")).to_be_enabled()
        await visit.shot(f"pairs-{width}")
        assert await visit.violations() == []
        body = visit.page.locator(".dialog-body")
        assert await body.evaluate("(body) => body.scrollWidth - body.clientWidth") == 0


async def test_bad_files_take_no_slot_shift_no_pair_and_are_named(visit: Visit) -> None:
    await open_dialog(visit)
    good = {f"{number}.png": await visit.frame(1, "first") for number in (1, 3, 5, 6)}
    url = f"{visit.world.sandbox_url}/frames/1/first.png?size=180x320"
    async with visit.world.session.get(url) as response:
        small = await response.read()
    bad = {"2.png": b"no image", "4.png": small, "5b.png": bytes(20_000_001)}
    await visit.drop(visit.page.locator(".drop"), {**good, **bad})
    await expect(hints(visit)).to_have_text(["1.png", "3.png", "5.png", "6.png"])
    await expect(visit.page.locator(".left-out p")).to_have_text(
        [
            "2.png was left out: it can't be read as an image.",
            "4.png was left out: it has 180 x 320 pixels, and a frame has 300 to 2048 pixels a side.",
            "5b.png was left out: it has more than 20 MB.",
        ]
    )
    await visit.shot("pairs-left-out")
    assert await visit.violations() == []
    await visit.drop(visit.page.locator(".drop"), {"harbour.gif": b"GIF89a"}, kind="image/gif")
    await expect(visit.page.locator(".left-out p")).to_have_text(
        ["harbour.gif was left out: it is no PNG, JPEG or WebP image."]
    )
    await expect(hints(visit)).to_have_count(4)


async def test_frame_without_a_partner_stands_alone_until_the_partner_comes(visit: Visit) -> None:
    await open_dialog(visit)
    await drop_named(visit, ["1_end.png", "2_start.png", "2_end.png"])
    empty = "Drop or choose"
    await expect(hints(visit)).to_have_text([empty, "1_end.png", "2_start.png", "2_end.png"])
    told = visit.page.locator(".unpaired p")
    await expect(told).to_have_text(["1_end.png has no partner: scene 1 still needs its first frame."])
    await drop_named(visit, ["3_start.png"])
    await expect(hints(visit)).to_have_text(
        [empty, "1_end.png", "2_start.png", "2_end.png", "3_start.png", empty]
    )
    await expect(told).to_have_text(["3_start.png has no partner: scene 3 still needs its last frame."])
    await drop_named(visit, ["1_start.png"])
    await expect(hints(visit).first).to_have_text("1_start.png")
    await expect(told).to_have_count(0)


async def test_file_without_a_word_in_its_name_fills_the_next_free_slot(visit: Visit) -> None:
    await open_dialog(visit)
    for name in ("harbour.png", "bridge.png", "tower.png"):
        await drop_named(visit, [name])
        await expect(visit.page.get_by_text(name, exact=True)).to_be_visible()
    await expect(hints(visit)).to_have_text(["harbour.png", "bridge.png", "tower.png", "Drop or choose"])


async def test_bad_file_for_a_slot_leaves_the_frame_that_is_there(visit: Visit) -> None:
    await open_dialog(visit)
    await drop_named(visit, ["a.png", "b.png"])
    await expect(visit.button("Create 1 clip")).to_be_enabled()
    await visit.drop(visit.page.locator(".slot").first, {"bad.png": b"no image"})
    await expect(
        visit.page.get_by_text("bad.png was left out: it can't be read as an image.")
    ).to_be_visible()
    await expect(hints(visit)).to_have_text(["a.png", "b.png"])
    await expect(visit.button("Create 1 clip")).to_be_enabled()


async def test_both_frames_of_a_scene_are_swapped_and_made_in_that_order(visit: Visit) -> None:
    await open_dialog(visit)
    swap = visit.button("Swap frames of scene 1")
    await expect(swap).to_be_disabled()
    await drop_named(visit, ["a.png", "b.png"])
    await expect(visit.button("Create 1 clip")).to_be_enabled()
    first, last = await previews(visit)
    await swap.press("Enter")
    await expect(hints(visit)).to_have_text(["b.png", "a.png"])
    assert await previews(visit) == [last, first]
    await visit.button("Create 1 clip").click()
    await expect(visit.state("1")).to_contain_text("Done in")
    (listed,) = (await visit.world.get("/projects"))["projects"]
    frames = (await visit.world.project(listed["id"]))["frames"]["1"]
    async with visit.world.session.get(frames["first_frame"]) as response:
        assert await response.read() == await visit.frame(1, "last")


async def test_frame_is_dragged_to_a_slot_of_another_scene_and_both_change_places(visit: Visit) -> None:
    await open_dialog(visit)
    await drop_named(visit, ["1a.png", "1b.png", "2a.png", "2b.png"])
    await expect(visit.button("Create 2 clips")).to_be_enabled()
    slots = visit.page.locator(".slot")

    async def drag(source: int, target: int) -> None:
        # Both are in sight before: a page that scrolls under the pointer has it drag something else.
        await visit.page.locator(".draft").nth(target // 2).scroll_into_view_if_needed()
        await slots.nth(source).drag_to(slots.nth(target))

    await drag(0, 3)
    await expect(hints(visit)).to_have_text(["2b.png", "1b.png", "2a.png", "1a.png"])
    await visit.button("Add scene").click()
    await drag(2, 4)
    await expect(hints(visit)).to_have_text(
        ["2b.png", "1b.png", "Drop or choose", "1a.png", "2a.png", "Drop or choose"]
    )


async def test_frame_is_moved_by_the_keyboard_from_slot_to_slot(visit: Visit) -> None:
    await open_dialog(visit)
    await drop_named(visit, ["1a.png", "1b.png", "2a.png", "2b.png"])
    await expect(visit.button("Create 2 clips")).to_be_enabled()
    await visit.page.get_by_label("Last frame of scene 1", exact=True).press("ArrowRight")
    await expect(hints(visit)).to_have_text(["1a.png", "2a.png", "1b.png", "2b.png"])
    moved = visit.page.get_by_label("First frame of scene 2", exact=True)
    await expect(moved).to_be_focused()
    await expect(visit.page.get_by_text("Moved to the first frame of scene 2.")).to_be_attached()
    await visit.page.get_by_label("First frame of scene 1", exact=True).press("ArrowLeft")
    await expect(hints(visit)).to_have_text(["1a.png", "2a.png", "1b.png", "2b.png"])


async def test_frame_stays_where_it_is_while_another_is_on_its_way(visit: Visit) -> None:
    await open_dialog(visit)
    await drop_named(visit, ["a.png", "b.png"])
    await expect(visit.button("Create 1 clip")).to_be_enabled()
    answer = asyncio.Event()

    async def hold(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await visit.page.route("**/uploads", hold)
    await visit.drop(visit.page.locator(".slot").nth(1), {"c.png": await visit.frame(2, "last")})
    await expect(hints(visit)).to_have_text(["a.png", "Uploading…"])
    await expect(visit.button("Swap frames of scene 1")).to_be_disabled()
    await visit.page.get_by_label("First frame of scene 1", exact=True).press("ArrowRight")
    answer.set()
    await expect(hints(visit)).to_have_text(["a.png", "c.png"])
