"""Scenes edited on the page: only what changed is made again, and nothing is paid for twice."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit, video_facts
from tests.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

# As the application's scene writer stores it.
IN_PARTS = {
    "scene_id": 1,
    "duration_sec": 4,
    "visual_action": "Mara waits at the gate.",
    "dialogue": "He will come.",
    "emotion": "hope",
    "setting": "A harbour at dawn.",
    "camera_motion": {"type": "dolly-in", "speed": "slow", "lens_mm": 35},
    "continuity": {"reuse_last_frame_from_previous": True},
}


async def made(world: World, scenes: int | dict[str, Any]) -> str:
    """A project of which every clip is there."""
    project_id = await world.store(scenes)
    await world.generate(project_id)
    await world.settled(project_id)
    return project_id


async def accepted(world: World) -> int:
    """How many jobs the sandbox has been paid for."""
    return int((await world.ledger())["accepted"])


async def edit(world: World, project_id: str, changes: dict[str, Any]) -> None:
    """Edit a project as another application would."""
    async with world.session.patch(f"{world.url}/projects/{project_id}", json=changes) as response:
        assert response.ok, await response.text()


async def open_edit(visit: Visit, key: str) -> Locator:
    await visit.button(f"Edit scene {key}").press("Enter")
    dialog = visit.page.get_by_role("dialog")
    await expect(dialog.get_by_role("heading", name=f"Edit scene {key}")).to_be_visible()
    return dialog


def save(dialog: Locator) -> Locator:
    return dialog.get_by_role("button", name="Save", exact=True)


def save_and_make(dialog: Locator) -> Locator:
    return dialog.get_by_role("button", name=re.compile("^Save and make"))


async def test_edited_scene_alone_is_made_again(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 2)
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "1")
    prompt = dialog.get_by_label("Prompt")
    await expect(prompt).to_be_focused()
    await prompt.fill("A gull lands on the boat.")
    await expect(save_and_make(dialog)).to_have_text("Save and make · $0.80")
    await save_and_make(dialog).click()
    await expect(dialog).to_have_count(0)
    await expect(visit.button("Edit scene 1")).to_be_focused()
    await expect(visit.scene("1").locator(".prompt")).to_have_text("A gull lands on the boat.")
    await expect(visit.toast).to_contain_text("ready")
    assert await accepted(world) == 3
    first, second = await world.settled(project_id)
    assert [first["outdated"], second["outdated"]] == [False, False]
    assert (await world.project(project_id))["scenes"]["1"] == {
        "description": "A gull lands on the boat.",
        "duration": 4,
    }


async def test_saved_edit_buys_nothing_marks_the_clip_and_is_made_when_asked_for(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 2)
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "2")
    await dialog.get_by_label("Prompt").fill("The boat turns.")
    await save(dialog).click()
    await expect(visit.scene("2")).to_contain_text("Outdated: the scene was edited since.")
    await expect(visit.scene("1")).not_to_contain_text("Outdated")
    assert (await video_facts(visit.scene("2")))["readyState"] >= 3
    assert await accepted(world) == 2
    await visit.shot(f"outdated-{visit.width}")
    assert await visit.page.evaluate("document.documentElement.scrollWidth") <= visit.width
    assert await visit.violations() == []
    await visit.button("Make scene 2 anew · $0.80").click()
    await expect(visit.scene("2").locator(".outdated")).to_be_hidden()
    await world.settled(project_id)
    assert await accepted(world) == 3


async def test_save_without_a_change_calls_nobody(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await made(visit.world, 1)
    before = (await visit.world.project(project_id))["sequence"]
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "1")
    sent: list[str] = []
    visit.page.on("request", lambda request: sent.append(request.method))
    await save(dialog).click()
    await expect(dialog).to_have_count(0)
    assert "PATCH" not in sent
    assert (await visit.world.project(project_id))["sequence"] == before


async def test_going_back_to_a_prompt_that_was_paid_for_costs_nothing_and_says_so(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 1)
    (first,) = await world.jobs(project_id)
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "1")
    await dialog.get_by_label("Prompt").fill("Another.")
    await save_and_make(dialog).click()
    await world.until(project_id, lambda jobs: jobs[0]["video_url"] not in (None, first["video_url"]))
    dialog = await open_edit(visit, "1")
    await dialog.get_by_label("Prompt").fill("Scene 1.")
    await save_and_make(dialog).click()
    await expect(visit.toast).to_contain_text("This was paid for before, so it costs nothing now.")
    assert (await world.jobs(project_id))[0]["task_uuid"] == first["task_uuid"]
    assert await accepted(world) == 2


async def test_way_back_to_a_paid_clip_is_free_on_the_card(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 1)
    await visit.open_project(project_id)
    for text in ("Another.", "Scene 1."):
        dialog = await open_edit(visit, "1")
        await dialog.get_by_label("Prompt").fill(text)
        if text == "Another.":
            await save_and_make(dialog).click()
            await expect(visit.toast).to_contain_text("ready")
        else:
            await save(dialog).click()
    await visit.button("Take the earlier clip of scene 1 · no cost").click()
    await expect(visit.scene("1").locator(".outdated")).to_be_hidden()
    assert await accepted(world) == 2


async def test_scene_in_the_applications_own_form_is_edited_part_by_part(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, {"1": IN_PARTS})
    await visit.open_project(project_id)
    await expect(visit.scene("1").locator(".prompt")).to_have_text(
        "Mara waits at the gate. Camera: slow dolly-in, 35 mm lens. Emotion: hope. "
        "Setting: A harbour at dawn."
    )
    dialog = await open_edit(visit, "1")
    await expect(dialog.get_by_label("Prompt")).to_have_count(0)
    await expect(dialog.get_by_label("Dialogue")).to_have_value("He will come.")
    await expect(dialog).to_contain_text("Spoken in clips with sound only.")
    await dialog.get_by_label("What happens").fill("Mara turns away.")
    await dialog.get_by_label("Lens in mm").fill("50")
    await dialog.get_by_label("Emotion").fill("")
    await visit.shot(f"edit-parts-{visit.width}")
    assert await visit.violations() == []
    await save(dialog).click()
    await expect(visit.scene("1").locator(".prompt")).to_have_text(
        "Mara turns away. Camera: slow dolly-in, 50 mm lens. Setting: A harbour at dawn."
    )
    stored = (await world.project(project_id))["scenes"]["1"]
    assert stored == {
        **{name: value for name, value in IN_PARTS.items() if name != "emotion"},
        "visual_action": "Mara turns away.",
        "camera_motion": {"type": "dolly-in", "speed": "slow", "lens_mm": 50},
    }


async def test_seconds_are_stored_where_the_scene_has_them_and_priced(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, {"1": IN_PARTS})
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "1")
    await dialog.get_by_role("radiogroup", name="Duration of scene 1").get_by_label("8 s").check()
    await expect(save_and_make(dialog)).to_have_text("Save and make · $1.60")
    await save_and_make(dialog).click()
    await expect(visit.scene("1").locator(".facts")).to_contain_text("8 s · $1.60")
    assert (await world.project(project_id))["scenes"]["1"] == {**IN_PARTS, "duration_sec": 8}


async def test_frame_is_exchanged_by_a_drop_and_by_a_url(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 1)
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "1")
    await visit.drop(dialog.locator(".slot").first, {"new.png": await visit.frame(2, "first")})
    await expect(dialog.locator(".slot").first).to_contain_text("new.png")
    url = f"{world.sandbox_url}/frames/3/last.png?size=304x540"
    await dialog.get_by_label("URL of the last frame of scene 1").fill(url)
    await save_and_make(dialog).click()
    await expect(visit.toast).to_contain_text("ready")
    frames = (await world.project(project_id))["frames"]["1"]
    assert frames["first_frame"].startswith(f"{world.url}/uploads/")
    assert frames["last_frame"] == url
    assert await accepted(world) == 2


async def test_edit_of_two_people_loses_neither_ones_words(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 1)
    await visit.open_project(project_id)
    other = Visit(world, visit.context, await visit.context.new_page(), visit.complaints)
    other.guard(other.page)
    await other.open_project(project_id)
    mine, theirs = await open_edit(visit, "1"), await open_edit(other, "1")
    await theirs.get_by_label("Prompt").fill("Theirs.")
    await save(theirs).click()
    await expect(theirs).to_have_count(0)
    await mine.get_by_label("Prompt").fill("Mine.")
    await mine.get_by_role("radiogroup").get_by_label("6 s").check()
    await save(mine).click()
    await expect(mine.get_by_role("alert")).to_contain_text(["Somebody else edited this project meanwhile."])
    await expect(mine.get_by_label("Prompt")).to_have_value("Mine.")
    assert await visit.violations() == []
    await mine.get_by_role("button", name="Load the newest").click()
    await expect(mine.get_by_label("Prompt")).to_have_value("Theirs.")
    await expect(mine.get_by_role("radiogroup").get_by_label("6 s")).to_be_checked()
    await expect(mine).to_contain_text("You typed: “Mine.”")
    await visit.shot(f"edit-conflict-{visit.width}")
    await mine.get_by_role("button", name="Use it").click()
    await save(mine).click()
    await expect(mine).to_have_count(0)
    stored = (await world.project(project_id))["scenes"]["1"]
    assert stored == {"description": "Mine.", "duration": 6}
    assert await accepted(world) == 1


async def test_escape_asks_before_what_was_typed_is_lost(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await visit.world.store(1)
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "1")
    await visit.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(visit.button("Edit scene 1")).to_be_focused()
    dialog = await open_edit(visit, "1")
    await dialog.get_by_label("Prompt").fill("Long thought about.")
    await visit.page.keyboard.press("Escape")
    await expect(visit.button("Keep editing")).to_be_focused()
    assert await visit.violations() == []
    await visit.page.keyboard.press("Escape")
    await expect(dialog.get_by_label("Prompt")).to_be_focused()
    await dialog.get_by_role("button", name="Close").click()
    await visit.button("Discard").click()
    await expect(dialog).to_have_count(0)
    await expect(visit.scene("1").locator(".prompt")).to_have_text("Scene 1.")


async def test_added_scene_is_made_alone(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 1)
    await visit.open_project(project_id)
    await visit.button("Add scene").click()
    dialog = visit.page.get_by_role("dialog")
    await expect(dialog.get_by_role("heading", name="Add scene 2")).to_be_visible()
    await expect(dialog.get_by_label("Prompt")).to_have_value("")
    await expect(save_and_make(dialog)).to_be_disabled()
    for slot, end in enumerate(("first", "last")):
        await visit.drop(dialog.locator(".slot").nth(slot), {f"{end}.png": await visit.frame(4, end)})
    await dialog.get_by_label("Prompt").fill("It rains.")
    await save_and_make(dialog).click()
    await expect(visit.state("2")).to_contain_text("Done in")
    assert (await world.project(project_id))["scenes"]["2"] == {
        "scene_id": 2,
        "description": "It rains.",
        "duration": 4,
    }
    assert await accepted(world) == 2


async def test_scene_that_was_added_and_left_empty_is_not_stored(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await made(visit.world, 1)
    await visit.open_project(project_id)
    await visit.button("Add scene").click()
    await save(visit.page.get_by_role("dialog")).click()
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert list((await visit.world.project(project_id))["scenes"]) == ["1"]


async def test_removed_scene_is_put_back_with_its_clip(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 3)
    before = await world.project(project_id)
    await visit.open_project(project_id)
    await visit.button("More about scene 2").press("Enter")
    await visit.button("Remove scene").press("Enter")
    await expect(visit.scene("2")).to_have_count(0)
    await expect(visit.page.get_by_text("Scene 2 is removed.")).to_be_visible()
    assert "2" not in (await world.project(project_id))["frames"]
    await visit.shot(f"removed-{visit.width}")
    assert await visit.violations() == []
    await visit.button("Undo").press("Enter")
    await expect(visit.state("2")).to_contain_text("Done in")
    await expect(visit.button("Edit scene 2")).to_be_focused()
    after = await world.project(project_id)
    assert (after["scenes"], after["frames"]) == (before["scenes"], before["frames"])
    assert [job["task_uuid"] for job in after["jobs"]] == [job["task_uuid"] for job in before["jobs"]]
    assert await accepted(world) == 3


async def test_scene_is_removed_from_its_dialog(sized_visit: Visit) -> None:
    visit = sized_visit
    project_id = await visit.world.store(2)
    await visit.open_project(project_id)
    dialog = await open_edit(visit, "2")
    await dialog.get_by_role("button", name="Remove scene").click()
    await expect(visit.scene("2")).to_have_count(0)
    await visit.button("Undo").click()
    await expect(visit.scene("2")).to_have_count(1)


async def test_removed_scene_is_not_put_over_another_one_with_its_number(visit: Visit) -> None:
    project_id = await visit.world.store(2)
    await visit.open_project(project_id)
    await visit.button("More about scene 2").click()
    await visit.button("Remove scene").click()
    await expect(visit.button("Undo")).to_be_visible()
    await edit(visit.world, project_id, {"scenes": {"2": {"description": "Another one."}}})
    await expect(visit.scene("2").locator(".prompt")).to_have_text("Another one.")
    await visit.button("Undo").click()
    await expect(visit.toast).to_contain_text("Another scene has the number 2 by now")
    assert (await visit.world.project(project_id))["scenes"]["2"] == {"description": "Another one."}


async def test_offer_to_put_a_scene_back_leaves_with_its_project(visit: Visit) -> None:
    project_id = await visit.world.store(2)
    await visit.open_project(project_id)
    await visit.button("More about scene 2").click()
    await visit.button("Remove scene").click()
    await expect(visit.button("Undo")).to_be_visible()
    await visit.page.locator(".back").click()
    await expect(visit.page.locator(".project-card")).to_have_count(1)
    await expect(visit.button("Undo")).to_have_count(0)


async def test_scenes_are_arranged_by_keyboard_and_their_clips_move_along(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 3)
    before = [job["video_url"] for job in await world.jobs(project_id)]
    await visit.open_project(project_id)
    await visit.button("More about this project").press("Enter")
    await visit.button("Arrange scenes").press("Enter")
    await expect(visit.button("Save order")).to_be_disabled()
    await visit.button("Move scene 3: drag, or press arrow up or down").press("ArrowUp")
    await visit.button("Move scene 3 up").press("Enter")
    await visit.shot(f"arrange-{visit.width}")
    assert await visit.violations() == []
    await visit.button("Save order").press("Enter")
    await expect(visit.scene("1").locator(".prompt")).to_have_text("Scene 3.")
    await expect(visit.state("1")).to_contain_text("Done in")
    after = await world.jobs(project_id)
    assert [job["video_url"] for job in after] == [before[2], before[0], before[1]]
    assert [job["outdated"] for job in after] == [False] * 3
    await visit.button("Undo").click()
    await expect(visit.scene("1").locator(".prompt")).to_have_text("Scene 1.")
    assert [job["video_url"] for job in await world.jobs(project_id)] == before
    assert await accepted(world) == 3


async def test_scenes_are_arranged_by_dragging(visit: Visit) -> None:
    project_id = await visit.world.store(3)
    await visit.open_project(project_id)
    await visit.button("More about this project").click()
    await visit.button("Arrange scenes").click()
    rows = visit.page.get_by_role("dialog").get_by_role("listitem")
    await rows.nth(2).locator(".grip").drag_to(rows.first)
    await visit.button("Save order").click()
    await expect(visit.scene("1").locator(".prompt")).to_have_text("Scene 3.")
    await expect(visit.scene("3").locator(".prompt")).to_have_text("Scene 2.")


async def test_generate_makes_what_is_missing_and_what_is_outdated_for_the_sum_that_it_says(
    sized_visit: Visit,
) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await made(world, 3)
    await edit(world, project_id, {"scenes": {"2": {"description": "Edited."}, "4": {"description": "New."}}})
    pair = (await world.project(project_id))["frames"]["1"]
    await edit(world, project_id, {"frames": {"4": pair}})
    await visit.open_project(project_id)
    await visit.page.get_by_role("button", name=re.compile(r"2 clips.*\$1\.60")).click()
    await expect(visit.state("4")).to_contain_text("Done in")
    await expect(visit.scene("2").locator(".outdated")).to_be_hidden()
    await world.settled(project_id)
    assert await accepted(world) == 5


async def test_moderated_scene_offers_to_edit_it_before_to_try_it_again(sized_visit: Visit) -> None:
    visit, world = sized_visit, sized_visit.world
    project_id = await world.store({"1": {"description": "Boat. [sandbox:moderate]", "duration": 4}})
    # It may have failed before the call is answered.
    await world.post("/functions/v1/generate-clips", {"project_id": project_id})
    await world.settled(project_id)
    await visit.open(f"/#/projects/{project_id}")
    actions = visit.scene("1").locator(".scene-actions button")
    await expect(actions.first).to_have_accessible_name("Edit scene 1")
    await expect(actions.first).to_have_class(re.compile("primary"))
    await expect(actions.nth(1)).to_have_accessible_name(re.compile("^Retry"))
    await visit.shot(f"moderated-{visit.width}")
    assert await visit.page.evaluate("document.documentElement.scrollWidth") <= visit.width
    dialog = await open_edit(visit, "1")
    await dialog.get_by_label("Prompt").fill("Boat.")
    await save_and_make(dialog).click()
    await expect(visit.state("1")).to_contain_text("Done in")


async def test_clip_that_waits_is_cancelled_and_one_that_was_sent_says_that_it_can_not_be(
    sized_visit: Visit,
) -> None:
    visit, world = sized_visit, sized_visit.world
    await world.set_faults(throttle_402_above=1, slow_rate=1, slow_seconds=3600)
    project_id = await world.store(2)
    await world.generate(project_id)
    jobs = await world.until(
        project_id, lambda jobs: {job["stage"] for job in jobs} == {"throttled", "generating"}
    )
    waiting, sent = sorted(jobs, key=lambda job: job["stage"] != "throttled")
    await visit.open_project(project_id)
    await visit.button(f"Cancel scene {waiting['scene']}").click()
    await expect(visit.toast).to_contain_text("is cancelled. It costs nothing.")
    await expect(visit.state(waiting["scene"])).to_contain_text("Cancelled before it was sent")
    await visit.shot(f"cancelled-{visit.width}")
    await expect(visit.button(f"Cancel scene {sent['scene']}")).to_have_count(0)
    await visit.button(f"More about scene {sent['scene']}").press("Enter")
    await expect(visit.page.get_by_text("It was sent to Runware, so it can't be cancelled.")).to_be_visible()
    assert await accepted(world) == 1


@pytest.mark.parametrize("width", [1280, 390])
async def test_all_of_it_is_accessible_and_fits_in_the_dark(
    world: World, open_visit: OpenVisit, width: int
) -> None:
    project_id = await made(world, {"1": IN_PARTS, "2": {"description": "A-very-long-word-" * 12}})
    await edit(world, project_id, {"scenes": {"2": {"description": "A-shorter-word-" * 6}}})
    viewport = {"width": width, "height": 860}
    async with open_visit(world, color_scheme="dark", viewport=viewport) as visit:

        async def inspect(view: str) -> None:
            await visit.shot(f"{view}-dark-{width}")
            assert await visit.violations() == [], view
            assert await visit.page.evaluate("document.documentElement.scrollWidth") <= width, view

        await visit.open_project(project_id)
        await expect(visit.scene("2")).to_contain_text("Outdated")
        await visit.button("More about scene 2").click()
        await inspect("scene-menu")
        await visit.page.keyboard.press("Escape")
        await expect(visit.button("More about scene 2")).to_be_focused()
        await visit.button("More about this project").click()
        await inspect("project-menu")
        await visit.button("Arrange scenes").click()
        await inspect("arrange")
        await visit.page.keyboard.press("Escape")
        dialog = await open_edit(visit, "1")
        await dialog.get_by_label("Setting").fill("A quay.")
        await inspect("edit")
        await visit.page.keyboard.press("Escape")
        await inspect("edit-question")
        await visit.button("Discard").click()
        await visit.button("Delete").wait_for(state="hidden")
        await visit.button("More about this project").click()
        await visit.button("Delete").click()
        await expect(visit.button("Undo")).to_be_visible()
        await inspect("undo")
