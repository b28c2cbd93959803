"""Whole projects on the page: renamed, duplicated, deleted, and brought back."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.visit import Visit
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def made(world: World) -> str:
    """A project of two clips, both there."""
    project_id = await world.store(2)
    await world.generate(project_id)
    await world.settled(project_id)
    return project_id


async def choose(visit: Visit, name: str) -> None:
    """Choose from the project's menu, by keyboard."""
    await visit.button("More about this project").press("Enter")
    await visit.button(name).press("Enter")


def titled(visit: Visit, title: str) -> Locator:
    return visit.page.get_by_role("heading", name=title, exact=True)


async def test_project_is_renamed(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await visit.world.store(1)
    await visit.open_project(project_id)
    await choose(visit, "Rename")
    name = visit.page.get_by_label("Name", exact=True)
    await expect(name).to_have_value("Scene 1.")
    await name.fill("  ")
    await visit.button("Rename").press("Enter")
    await expect(visit.page.get_by_text("Write a name.")).to_be_visible()
    await visit.shot(f"rename-{visit.width}")
    assert await visit.violations() == []
    await name.fill("Harbour at dawn")
    await name.press("Enter")
    await expect(titled(visit, "Harbour at dawn")).to_be_visible()
    await expect(visit.button("More about this project")).to_be_focused()
    assert (await visit.world.project(project_id))["title"] == "Harbour at dawn"
    await choose(visit, "Rename")
    await expect(name).to_have_value("Harbour at dawn")


async def test_copy_opens_with_the_clips_that_were_paid_for(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world)
    await visit.open_project(project_id)
    await choose(visit, "Duplicate")
    await expect(titled(visit, "Scene 1. (copy)")).to_be_visible()
    assert project_id not in visit.page.url
    for key in ("1", "2"):
        await expect(visit.scene(key).locator("video")).to_be_visible()
    await expect(visit.page.get_by_role("button", name=re.compile("Generate"))).to_be_hidden()
    assert (await world.ledger())["accepted"] == 2


async def test_deleted_project_leaves_the_list_and_undo_brings_it_back(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await made(visit.world)
    await visit.world.store({"1": {"description": "Another."}})
    await visit.open_project(project_id)
    await choose(visit, "Delete")
    await expect(visit.page.locator(".project-card")).to_have_count(1)
    await expect(visit.page.get_by_text("“Scene 1.” is deleted.")).to_be_visible()
    await visit.shot(f"deleted-{visit.width}")
    assert await visit.violations() == []
    await visit.button("Undo").press("Enter")
    await expect(titled(visit, "Scene 1.")).to_be_visible()
    await expect(visit.state("2")).to_contain_text("Done in")
    await expect(visit.button("Undo")).to_have_count(0)


async def test_deleted_project_is_found_and_restored_in_the_list(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await visit.world.store(1)
    await visit.open_project(project_id)
    await choose(visit, "Delete")
    await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()
    await visit.button("Show deleted projects").click()
    await expect(visit.button("Deleted")).to_have_attribute("aria-pressed", "true")
    await expect(visit.page.locator(".project-card a")).to_have_count(0)
    await visit.shot(f"deleted-list-{visit.width}")
    assert await visit.violations() == []
    await visit.button("Restore “Scene 1.”").press("Enter")
    await expect(visit.toast).to_contain_text("“Scene 1.” is back in the list.")
    await expect(visit.page.locator(".project-card")).to_have_count(0)
    await visit.button("All").click()
    await expect(visit.page.locator(".project-card a")).to_have_text(["Scene 1."])


async def test_page_of_a_project_that_is_deleted_elsewhere_offers_to_restore_it(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await world.store(1)
    await visit.open_project(project_id)
    async with world.session.delete(f"{world.url}/projects/{project_id}") as response:
        assert response.ok
    await expect(titled(visit, "This project is deleted")).to_be_visible()
    await visit.shot(f"deleted-page-{visit.width}")
    assert await visit.violations() == []
    await visit.button("Restore").press("Enter")
    await expect(visit.scene("1")).to_be_visible()
