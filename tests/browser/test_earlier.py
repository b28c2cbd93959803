"""A project that the replaced functions have made clips for, on the page."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit, video_facts
from tests.harness import running_world

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECTION = ".earlier"
# In the order of their UUIDs.
FIRST, SECOND, THIRD = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "1ef")


async def old_project(visit: Visit, *tasks: str, scenes: int, more: dict[str, str] | None = None) -> str:
    """Store a project whose column has a finished clip under each of these UUIDs."""
    world = visit.world
    made = await world.submit_elsewhere()
    helper = await world.store(1)
    world.rewrite(helper, clips={made: "pending"})
    while (checked := await world.check(helper))["pending"]:
        pass
    (url,) = checked["clips"].values()
    project_id = await world.store(scenes)
    world.rewrite(project_id, clips={**dict.fromkeys(tasks, url), **(more or {})})
    return project_id


async def test_earlier_clips_are_shown_and_play_and_the_price_of_new_ones_is_told_before_they_are_bought(
    visit: Visit,
) -> None:
    project_id = await old_project(visit, FIRST, SECOND, scenes=3)
    await visit.open_project(project_id)
    section = visit.page.locator(SECTION)
    await expect(section.get_by_role("heading")).to_have_text("Made before this service kept a ledger")
    await expect(section.locator("video")).to_have_count(2)
    notice = section.locator(".earlier-notice")
    await expect(notice).to_contain_text("2 finished clips are here already.")
    await expect(section).to_contain_text(
        "There are 2 clips for 3 scenes, so that they can't be kept as theirs."
    )
    await expect(visit.button("Keep these clips…")).to_be_hidden()
    await expect(visit.page.locator(".summary")).to_contain_text("2 of 2 clips")
    assert (await video_facts(section.locator("li").first))["readyState"] >= 3
    await visit.shot("earlier")
    assert await visit.violations() == []
    await visit.button("Make 3 clips anew").click()
    await expect(visit.state("3")).to_contain_text("Done in")
    await expect(section).to_be_hidden()
    assert (await visit.world.ledger())["accepted"] == 1 + 3


async def test_price_of_making_them_anew_is_the_tables(tmp_path: Path, open_visit: OpenVisit) -> None:
    fast: dict[str, Any] = {"runware_model": "google:3@3", "runware_resolution": "1080p"}
    async with running_world(tmp_path, **fast) as world, open_visit(world) as visit:
        await visit.open_project(await old_project(visit, FIRST, scenes=2))
        notice = visit.page.locator(".earlier-notice")
        await expect(notice).to_have_text("1 finished clip is here already. Made anew: about $0.80.")
        button = visit.page.get_by_role("button", name="Make 2 clips anew · $0.80", exact=True)
        await expect(button).to_be_visible()


async def test_clips_are_kept_after_each_pair_was_shown_and_nothing_is_bought(visit: Visit) -> None:
    project_id = await old_project(visit, SECOND, FIRST, scenes=2)
    await visit.open_project(project_id)
    await visit.button("Keep these clips…").press("Enter")
    dialog = visit.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("in the order the application showed them")
    pairs = dialog.locator(".pairs li")
    await expect(pairs.get_by_role("heading")).to_have_text(["Scene 1", "Scene 2"])
    await expect(pairs.first.get_by_label("Clip 1, for scene 1")).to_be_visible()
    await visit.shot("keep")
    assert await visit.violations() == []
    await visit.button("Keep 2 clips").click()
    await expect(dialog).to_have_count(0)
    for scene in ("1", "2"):
        await expect(visit.state(scene)).to_have_text("Made before this service kept a ledger")
    await expect(visit.page.locator(SECTION)).to_be_hidden()
    await expect(visit.page.locator(".summary")).to_contain_text("2 of 2 clips")
    await visit.shot("kept")
    jobs: list[dict[str, Any]] = await visit.world.jobs(project_id)
    assert [(job["scene"], job["task_uuid"]) for job in jobs] == [("1", FIRST), ("2", SECOND)]
    assert (await visit.world.ledger())["accepted"] == 1


async def test_pending_clip_is_asked_for_and_shows_by_itself(visit: Visit) -> None:
    pending = await visit.world.submit_elsewhere("[sandbox:slow=1]")
    project_id = await old_project(visit, FIRST, scenes=2, more={pending: "pending", THIRD: "failed"})
    await visit.open_project(project_id)
    section = visit.page.locator(SECTION)
    await expect(section).to_contain_text("Failed")
    await expect(section.locator("video")).to_have_count(2)
    await expect(section).to_contain_text("1 clip failed, so that nobody can say which scene")


async def test_refusal_of_the_service_is_shown_in_the_dialog(visit: Visit) -> None:
    elsewhere = {SECOND: "https://127.0.0.2/elsewhere.mp4"}
    project_id = await old_project(visit, FIRST, scenes=2, more=elsewhere)
    visit.hosts.add("127.0.0.2")
    await visit.open_project(project_id)
    await visit.button("Keep these clips…").click()
    await visit.button("Keep 2 clips").click()
    dialog = visit.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("its host 127.0.0.2 is not in VIDEO_HOSTS")
    await expect(visit.button("Keep 2 clips")).to_be_enabled()


async def test_list_counts_the_earlier_clips(visit: Visit) -> None:
    await old_project(visit, FIRST, SECOND, scenes=2)
    await visit.open()
    card = visit.page.locator(".project-card").first
    await expect(card).to_contain_text("2 of 2 clips")
    await expect(card).to_contain_text("made before")
    await visit.shot("earlier-list")
