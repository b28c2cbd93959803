"""The list of projects in a real browser: found by words and state, page by page, and the way back to it."""

import asyncio
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Locator, Route, expect

from service.clips.listing import state_of
from service.clips.models import ProjectOverview
from service.stores.rows import timestamp
from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit
from tests.builders import VIDEO_URL, project
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


def cards(visit: Visit) -> Locator:
    return visit.page.locator(".project-card a")


def told(visit: Visit) -> Locator:
    return visit.page.locator(".page-head [role=status]")


def search(visit: Visit) -> Locator:
    return visit.page.get_by_label("Search projects")


async def store(world: World, *titles: str) -> list[str]:
    """Store projects, the last one newest."""
    return [await world.store({"1": {"description": title, "duration": 4}}) for title in titles]


def store_many(world: World, count: int) -> None:
    """Store projects older than all others, "Boat 1" the newest of them."""
    newest = datetime(2025, 1, 1, tzinfo=UTC)
    rows = [
        (f"{n:08d}-0000-4000-8000-000000000000", f"Boat {n}", timestamp(newest - timedelta(hours=n)))
        for n in range(1, count + 1)
    ]
    with closing(sqlite3.connect(world.database)) as db, db:
        db.executemany(
            "INSERT INTO projects (id, script, scenes, frames, created_at, updated_at) "
            "VALUES (?1, ?2, json('{\"1\": {}}'), '{}', ?3, ?3)",
            rows,
        )


async def test_projects_are_found_by_words_of_their_title(visit: Visit) -> None:
    await store(visit.world, "Lighthouse at night", "Harbour at night")
    await visit.open()
    await expect(cards(visit)).to_have_count(2)
    await expect(told(visit)).to_have_text("2 projects")
    await search(visit).fill("NIGHT light")
    await expect(cards(visit)).to_have_text(["Lighthouse at night"])
    await expect(told(visit)).to_have_text("1 project matches")
    await search(visit).fill("zebra")
    await expect(visit.page.get_by_text("Nothing matches “zebra”.")).to_be_visible()
    await search(visit).fill("")
    await expect(cards(visit)).to_have_count(2)


async def test_letters_typed_in_a_row_are_one_question(visit: Visit) -> None:
    await store(visit.world, "Lighthouse")
    await visit.open()
    await expect(cards(visit)).to_have_count(1)
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    await search(visit).press_sequentially("zebra", delay=10)
    await expect(visit.page.get_by_text("Nothing matches “zebra”.")).to_be_visible()
    assert [url for url in asked if "q=z" in url] == [f"{visit.world.url}/projects?q=zebra&limit=48"]


async def test_late_answer_to_an_earlier_question_is_not_shown(visit: Visit) -> None:
    await store(visit.world, "Lighthouse", "Harbour")
    await visit.open()
    await expect(cards(visit)).to_have_count(2)
    answered = asyncio.Event()

    async def hold(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await visit.context.route("**/projects?q=light*", hold)
    await search(visit).fill("light")
    await expect(visit.page.locator(".projects.outdated")).to_be_visible()
    await search(visit).fill("harb")
    await expect(cards(visit)).to_have_text(["Harbour"])
    answered.set()
    await visit.page.wait_for_load_state("networkidle")
    await expect(cards(visit)).to_have_text(["Harbour"])


async def test_chips_show_the_projects_of_a_state(visit: Visit) -> None:
    done, failed, slow, _ = await store(
        visit.world, "Done one", "Bad one [sandbox:fail]", "Slow one [sandbox:slow=3600]", "Idle one"
    )
    for project_id in (done, failed, slow):
        await visit.world.generate(project_id)
    for project_id in (done, failed):
        await visit.world.settled(project_id)
    await visit.open()
    await expect(cards(visit)).to_have_count(4)
    for chip, title in (("Generating", "Slow one"), ("Failed", "Bad one"), ("Done", "Done one")):
        await visit.button(chip).click()
        await expect(cards(visit)).to_have_count(1)
        await expect(cards(visit)).to_contain_text([title])
        await expect(visit.button(chip)).to_have_attribute("aria-pressed", "true")
    await search(visit).fill("slow")
    await expect(visit.page.get_by_text("Nothing under “Done” matches “slow”.")).to_be_visible()
    await visit.shot("projects-nothing")
    assert await visit.violations() == []
    await visit.button("All").click()
    await expect(cards(visit)).to_contain_text(["Slow one"])


async def test_chip_of_a_card_is_the_state_that_the_service_finds_it_by(visit: Visit) -> None:
    """The page says it of a project that is watched, too, where no service is asked."""
    cases = [
        {"total": total, "completed": completed, "pending": pending, "failed": failed}
        for total in (0, 1, 3)
        for completed in range(total + 1)
        for pending in range(total - completed + 1)
        for failed in range(total - completed - pending + 1)
    ]
    await visit.open()
    tones = await visit.page.evaluate(
        """async (cases) => {
            const { projectState } = await import("/studio/words.js");
            return cases.map((counts) => projectState(counts).tone);
        }""",
        cases,
    )
    for counts, tone in zip(cases, tones, strict=True):
        shown = [VIDEO_URL] * counts["completed"] + ["pending"] * counts["pending"]
        shown += ["failed"] * counts["failed"]
        overview = ProjectOverview(
            project=project(clips={str(n): one for n, one in enumerate(shown)}),
            title="",
            thumbnails=[],
            scenes=counts["total"],
            completed=counts["completed"],
            pending=counts["pending"],
            failed=counts["failed"],
            cost_usd=0,
        )
        expected = {"generating": "busy", "failed": "failed", "done": "done", "idle": "idle"}
        assert expected[state_of(overview)] == tone, counts


async def test_no_number_is_told_that_is_not_true_and_every_project_is_within_reach(visit: Visit) -> None:
    store_many(visit.world, 113)
    await visit.open()
    await expect(cards(visit)).to_have_count(48)
    await expect(told(visit)).to_have_text("The newest 48 projects")
    await search(visit).fill("boat 11")
    await expect(told(visit)).to_have_text("5 projects match")
    await search(visit).fill("boat")
    await expect(told(visit)).to_have_text("The newest 48 that match")
    await visit.button("Show more").click()
    await expect(told(visit)).to_have_text("The newest 96 that match")
    await expect(cards(visit).nth(48)).to_be_focused()
    await visit.button("Show more").click()
    await expect(told(visit)).to_have_text("113 projects match")
    await expect(visit.button("Show more")).to_be_hidden()
    assert await cards(visit).all_inner_texts() == [f"Boat {number}" for number in range(1, 114)]


@pytest.mark.parametrize("way", ["back", "link", "reload"])
async def test_way_back_leads_to_the_same_search_chip_and_place(visit: Visit, way: str) -> None:
    store_many(visit.world, 113)
    await visit.open("/#/?q=boat")
    await visit.button("Show more").click()
    await expect(cards(visit)).to_have_count(96)
    await cards(visit).nth(80).click()
    await expect(visit.page.get_by_role("heading", name="Boat 81", exact=True)).to_be_visible()
    if way == "link":
        await visit.page.get_by_role("link", name="Projects", exact=True).click()
    else:
        if way == "reload":
            await visit.page.reload()
        await visit.page.go_back()
    await expect(cards(visit)).to_have_count(96)
    await expect(search(visit)).to_have_value("boat")
    await expect(cards(visit).nth(80)).to_be_focused()
    await expect(cards(visit).nth(80)).to_be_in_viewport()
    await visit.button("Done").click()
    await expect(visit.page.get_by_text("Nothing under “Done” matches “boat”.")).to_be_visible()
    await visit.page.reload()
    await expect(visit.button("Done")).to_have_attribute("aria-pressed", "true")
    await expect(visit.page).to_have_url(re.compile(r"#/\?q=boat&state=done$"))


@pytest.mark.parametrize("width", [1280, 390])
async def test_chip_and_search_lead_back_together_and_in_another_tab(
    world: World, open_visit: OpenVisit, width: int
) -> None:
    for title in ("Boat one", "Boat two", "Lighthouse"):
        (project_id,) = await store(world, title)
        await world.generate(project_id)
        await world.settled(project_id)
    await store(world, "Boat three")
    async with open_visit(world, viewport={"width": width, "height": 860}) as visit:
        await visit.open()
        await visit.button("Done").click()
        await search(visit).fill("boat")
        await expect(cards(visit)).to_have_text(["Boat two", "Boat one"])
        await cards(visit).nth(1).press("Enter")
        await expect(visit.page.get_by_role("heading", name="Boat one", exact=True)).to_be_visible()
        await visit.page.get_by_role("link", name="Projects", exact=True).click()
        await expect(cards(visit)).to_have_text(["Boat two", "Boat one"])
        await expect(cards(visit).nth(1)).to_be_focused()
        await expect(visit.button("Done")).to_have_attribute("aria-pressed", "true")
        other = Visit(world, visit.context, await visit.context.new_page(), visit.complaints)
        other.guard(other.page)
        await other.page.goto(visit.page.url)
        await expect(search(other)).to_have_value("boat")
        await expect(cards(other)).to_have_text(["Boat two", "Boat one"])


async def test_list_that_can_not_be_read_says_so_and_is_read_again(visit: Visit) -> None:
    await store(visit.world, "Lighthouse")
    await visit.open()
    await expect(cards(visit)).to_have_count(1)
    await visit.context.set_offline(True)
    await search(visit).fill("zebra")
    await expect(told(visit)).to_have_text("The service can't be reached. Check the connection.")
    await visit.context.set_offline(False)
    await expect(visit.page.get_by_text("Nothing matches “zebra”.")).to_be_visible()


async def test_retry_that_comes_after_another_says_that_nothing_was_retried(visit: Visit) -> None:
    await visit.world.set_faults(fail_rate=1)
    (project_id,) = await store(visit.world, "Lighthouse")
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await visit.open_project(project_id)

    async def come_second(route: Route) -> None:
        await visit.world.set_faults()
        await visit.world.retry(project_id)
        await visit.world.settled(project_id)
        await route.continue_()

    await visit.context.route("**/retry-clips", come_second)
    await visit.button("Retry scene 1").click()
    await expect(visit.toast).to_have_text("Nothing was retried: scene 1 is done.")
    assert (await visit.world.ledger())["accepted"] == 2


@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, {"width": 390, "height": 844}])
async def test_long_list_is_accessible_and_fits(
    world: World, open_visit: OpenVisit, size: dict[str, int]
) -> None:
    store_many(world, 60)
    for project_id in await store(world, "Lighthouse at night", "Harbour [sandbox:fail]"):
        await world.generate(project_id)
        await world.settled(project_id)
    async with open_visit(world, viewport=size) as visit:
        await visit.open()
        await expect(visit.button("Show more")).to_be_visible()
        await visit.shot(f"projects-many-{size['width']}")
        assert await visit.violations() == []
        assert await visit.page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        await visit.button("Failed").click()
        await expect(cards(visit)).to_have_count(1)
        await visit.shot(f"projects-failed-{size['width']}")
