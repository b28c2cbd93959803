"""The price before the press: what the labels of all buttons that spend say, and that it is then spent."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.harness import World, running_world

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAST: dict[str, Any] = {"runware_model": "google:3@3", "runware_resolution": "1080p"}
WIDTHS = (1280, 390)


def scenes(*seconds: object) -> dict[str, Any]:
    return {
        str(n): {"description": f"Boat {n} leaves.", "duration": wanted}
        for n, wanted in enumerate(seconds, 1)
    }


def named(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_role("button", name=name, exact=True)


async def spent(world: World, project_id: str) -> float:
    return float((await world.project(project_id))["cost_usd"])


async def assert_fits(visit: Visit, button: Locator) -> None:
    """A label is on one line, and nothing is wider than the window."""
    height = await button.evaluate("(button) => button.getBoundingClientRect().height")
    assert height < 60
    assert await visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
async def test_labels_of_a_project_say_what_is_then_spent(
    tmp_path: Path, open_visit: OpenVisit, width: int
) -> None:
    async with running_world(tmp_path, **FAST) as world, open_visit(world) as visit:
        await visit.page.set_viewport_size({"width": width, "height": 900})
        project_id = await world.store(scenes(5, 4, 8))
        await world.set_faults(fail_rate=1)
        await visit.open_project(project_id)
        await expect(visit.page.locator(".summary")).to_contain_text("Veo 3.1 Fast · 1080p · no sound")
        generate = named(visit, "Generate 3 clips · $1.80")
        await assert_fits(visit, generate)
        await visit.shot(f"prices-generate-{width}")
        await generate.click()
        again = named(visit, "Retry 3 failed clips · $1.80")
        await expect(again).to_be_visible()
        one = named(visit, "Retry scene 1 · $0.60")
        await expect(one).to_have_text("Retry · $0.60")
        await assert_fits(visit, again)
        await assert_fits(visit, one)
        await visit.shot(f"prices-retry-{width}")
        assert await visit.violations() == []
        await world.set_faults()
        await one.click()
        await expect(visit.state("1")).to_contain_text("Done in")
        assert await spent(world, project_id) == pytest.approx(0.6)
        await named(visit, "Retry 2 failed clips · $1.20").click()
        for scene in ("2", "3"):
            await expect(visit.state(scene)).to_contain_text("Done in")
        assert await spent(world, project_id) == pytest.approx(1.8)


async def test_generate_makes_what_its_label_counts_and_no_failed_clip(
    tmp_path: Path, open_visit: OpenVisit
) -> None:
    async with running_world(tmp_path, **FAST) as world, open_visit(world) as visit:
        await world.set_faults(fail_rate=1)
        project_id = await world.store(scenes(4))
        await world.generate(project_id)
        await world.settled(project_id)
        await world.set_faults()
        pair = (await world.project(project_id))["frames"]["1"]
        world.rewrite(project_id, scenes=scenes(4, 4), frames={"1": pair, "2": pair})
        await visit.open_project(project_id)
        await expect(named(visit, "Retry failed clip · $0.40")).to_be_visible()
        await named(visit, "Generate 1 clip · $0.40").click()
        await expect(visit.state("2")).to_contain_text("Done in")
        await expect(visit.state("1")).to_contain_text("Failed")
        assert await spent(world, project_id) == pytest.approx(0.4)


async def test_price_that_nobody_knows_is_said_so_and_is_there_with_the_first_clip(visit: Visit) -> None:
    world = visit.world
    await world.set_faults(fail_rate=1)
    project_id = await world.store(scenes(4, 4))
    await visit.open_project(project_id)
    await named(visit, "Generate 2 clips · price not known").click()
    await expect(named(visit, "Retry 2 failed clips · price not known")).to_be_visible()
    await world.set_faults()
    await named(visit, "Retry scene 1 · price not known").click()
    await expect(visit.state("1")).to_contain_text("Done in")
    await expect(named(visit, "Retry scene 2 · $0.80")).to_be_visible()
    await expect(named(visit, "Retry failed clip · $0.80")).to_be_visible()


async def test_what_is_paid_already_costs_nothing_again(tmp_path: Path, open_visit: OpenVisit) -> None:
    async with running_world(tmp_path, **FAST) as world, open_visit(world) as visit:
        project_id = await world.store(scenes(4))
        await world.generate(project_id)
        await world.settled(project_id)
        world.rewrite(project_id, scenes={"1": {"description": "It fails. [sandbox:fail]", "duration": 4}})
        await world.post("/functions/v1/generate-clips", {"project_id": project_id})
        await world.settled(project_id)
        await visit.open_project(project_id)
        await expect(named(visit, "Retry scene 1 · $0.40")).to_be_visible()
        world.rewrite(project_id, scenes=scenes(4))
        await named(visit, "Take the earlier clip of scene 1 · no cost").click()
        await expect(visit.state("1")).to_contain_text("Done in")
        assert await spent(world, project_id) == pytest.approx(0.4)


async def test_seconds_that_the_model_does_not_make_are_on_the_card(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(5, 4))
    await visit.open_project(project_id)
    facts = visit.scene("1").locator(".facts")
    await expect(facts).to_have_text("6 s (5 s asked for)")
    await expect(visit.scene("2").locator(".facts")).to_have_text("4 s")
    await visit.world.generate(project_id)
    await expect(visit.state("1")).to_contain_text("Done in")
    await expect(facts).to_contain_text("6 s (5 s asked for) · $1.20")


@pytest.mark.parametrize("width", WIDTHS)
async def test_labels_of_the_dialogs_have_the_price(
    tmp_path: Path, open_visit: OpenVisit, width: int
) -> None:
    async with running_world(tmp_path, **FAST) as world, open_visit(world) as visit:
        await visit.page.set_viewport_size({"width": width, "height": 900})
        await visit.open()
        await visit.button("Create video").first.click()
        pair = {f"{end}.png": await visit.frame(1, end) for end in ("first", "last")}
        await visit.drop(visit.page.locator(".drop"), pair)
        create = named(visit, "Create 1 clip · $0.40")
        await expect(create).to_be_enabled()
        await assert_fits(visit, create)
        await visit.shot(f"prices-create-{width}")
        await create.click()
        await expect(visit.state("1")).to_contain_text("Done in")
        await visit.button("Make with…").press("Enter")
        dialog = visit.page.get_by_role("dialog")
        await expect(named(visit, "Make 1 clip · no cost")).to_be_visible()
        await expect(dialog.locator(".estimate")).to_have_text("These clips are paid already.")
        await dialog.get_by_label("Resolution").select_option("4K")
        make = named(visit, "Make 1 clip · $1.20")
        await expect(make).to_be_visible()
        await assert_fits(visit, make)
        await visit.shot(f"prices-remake-{width}")
        await dialog.get_by_label("Resolution").select_option("720p")
        await expect(named(visit, "Make 1 clip · price not known")).to_be_visible()


async def test_price_of_the_table_is_there_before_the_past_is(visit: Visit) -> None:
    asked: list[str] = []

    async def hold(route: Any) -> None:
        asked.append(route.request.url)

    await visit.page.route("**/studio/estimates", hold)
    await visit.open()
    await visit.button("Create video").first.click()
    pair = {f"{end}.png": await visit.frame(1, end) for end in ("first", "last")}
    await visit.drop(visit.page.locator(".drop"), pair)
    # Of this model nothing is listed: the past may know, and has not answered yet.
    await expect(named(visit, "Create 1 clip")).to_be_enabled()
    await visit.page.get_by_label("Model").select_option("Veo 3.1 Lite")
    await expect(named(visit, "Create 1 clip · $0.12")).to_be_visible()
    await expect(visit.page.locator(".estimate")).to_have_text(
        "1 clip, 4 seconds: about $0.12 (reported by a caller)."
    )
    assert len(asked) == 1
