"""The page in a real browser: from dropped frames to a playing video, and what goes wrong on the way."""

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Route, expect

from service.sandbox.server import Sandbox
from tests.browser.conftest import OpenVisit
from tests.browser.visit import Visit, video_facts
from tests.harness import World, running_world, sandbox_options
from tests.process import ServiceProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "token-of-the-service"


def scenes(count: int, *, directive: str = "") -> dict[str, Any]:
    return {
        str(n): {"description": f"Boat {n} leaves. {directive}".strip(), "duration": 4}
        for n in range(1, count + 1)
    }


async def test_two_dropped_pairs_become_two_playing_clips(visit: Visit) -> None:
    await visit.world.set_faults(slow_rate=1, slow_seconds=4)
    await visit.open()
    await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()
    await visit.shot("empty")
    await visit.button("Create video").first.click()
    frames = {
        f"{scene}-{number}.png": await visit.frame(scene, end)
        for scene in (1, 2)
        for number, end in enumerate(("first", "last"))
    }
    await visit.drop(visit.page.locator(".drop"), frames)
    create = visit.button("Create 2 clips")
    await expect(create).to_be_enabled()
    await visit.page.get_by_role("textbox", name="Name (optional)").fill("Harbour at dawn")
    await visit.page.get_by_label("Prompt").first.fill("The sun rises.")
    await visit.page.get_by_role("radiogroup", name="Duration of scene 2").get_by_label("6 s").check()
    await expect(visit.page.locator(".estimate")).to_contain_text("2 clips, 10 seconds")
    await expect(visit.page.locator(".slot").nth(3)).to_contain_text("2-1.png")
    await visit.shot("create")
    await create.click()
    await expect(visit.toast).to_contain_text("2 clips submitted")
    await expect(visit.state("1")).to_contain_text(re.compile(r"Generating for 0:0\d"))
    bar = visit.scene("1").locator("progress")
    before = await bar.evaluate("(bar) => bar.value")
    await visit.page.wait_for_function(
        "(before) => document.querySelector('scene-card progress').value > before", arg=before
    )
    await visit.shot("generating")
    await expect(visit.state("1")).to_contain_text("Done in")
    await expect(visit.state("2")).to_contain_text("Done in")
    await expect(visit.toast).to_contain_text("All 2 clips are ready.")
    await visit.shot("finished")
    for key, seconds in (("1", 4), ("2", 6)):
        facts = await video_facts(visit.scene(key))
        assert facts["readyState"] >= 3
        assert facts["duration"] == pytest.approx(seconds, abs=0.25)
    assert (await visit.world.ledger())["accepted"] == 2
    (project,) = (await visit.world.get("/projects"))["projects"]
    assert project["title"] == "Harbour at dawn"
    assert all(url.startswith(f"{visit.world.url}/uploads/") for url in project["thumbnails"])


async def test_choice_of_the_dialog_is_what_is_made_and_priced(visit: Visit) -> None:
    await visit.open()
    await visit.button("Create video").first.click()
    await visit.drop(
        visit.page.locator(".drop"), {f"{end}.png": await visit.frame(1, end) for end in ("first", "last")}
    )
    await expect(visit.page.locator(".estimate")).to_contain_text("The price is not known: the first")
    model = visit.page.get_by_label("Model")
    await expect(model.locator("option")).to_have_text(["Veo 3.1", "Veo 3.1 Fast", "Veo 3.1 Lite"])
    await model.select_option("Veo 3.1 Fast")
    await visit.page.get_by_label("Resolution").select_option("1080p")
    await visit.page.get_by_role("switch", name="Sound").check()
    estimate = visit.page.locator(".estimate")
    await expect(estimate).to_have_text("1 clip, 4 seconds: about $0.60 (Runware's price list).")
    await visit.button("Create 1 clip").click()
    await expect(visit.state("1")).to_contain_text("Done in")
    await expect(visit.page.locator(".summary")).to_contain_text("Veo 3.1 Fast · 1080p · sound")
    await expect(visit.page.locator(".summary")).to_contain_text("$0.60")
    await expect(visit.scene("1").locator(".facts")).to_contain_text("Link ends on")


async def test_durations_and_sound_follow_the_model(tmp_path: Path, open_visit: OpenVisit) -> None:
    models = "google:3@2,luma:ray@3.2,klingai:kling-video@3-standard,vidu:3@1"
    async with running_world(tmp_path, runware_models=models) as world, open_visit(world) as visit:
        await visit.open()
        await visit.button("Create video").first.click()
        duration = visit.page.get_by_label("Duration of scene 1")
        await duration.get_by_label("6 s").check()
        model = visit.page.get_by_label("Model")
        await model.select_option("Luma Ray 3.2")
        await expect(duration.locator("label")).to_have_text(["5 s", "10 s"])
        await expect(duration.get_by_label("10 s")).to_be_checked()
        draft = visit.page.locator(".draft")
        await expect(draft).to_contain_text(
            "6 s was asked for; Luma Ray 3.2 makes 5 or 10 s, so the clip has 10 s."
        )
        sound = visit.page.get_by_role("switch", name="Sound")
        await expect(sound).to_be_hidden()
        await model.select_option("Kling 3.0 Standard")
        await expect(duration.locator("option")).to_have_text([f"{seconds} s" for seconds in range(3, 16)])
        await expect(duration).to_have_value("6")
        await expect(draft).not_to_contain_text("asked for")
        await expect(sound).to_be_visible()
        await expect(visit.page.get_by_label("Resolution")).to_have_value("720p")
        await model.select_option("Vidu Q2 Pro")
        await expect(visit.page.get_by_label("Resolution")).to_be_hidden()
        await model.press("Home")
        await expect(duration.get_by_label("6 s")).to_be_checked()


async def test_project_is_made_with_another_model_and_back_again_for_nothing(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(2))
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await visit.open_project(project_id)
    await expect(visit.page.locator(".summary")).to_contain_text("Veo 3.1 · 720p")
    for model, cost in (("Veo 3.1 Fast", "$2.40"), ("Veo 3.1", "$2.40")):
        await visit.button("Make with…").press("Enter")
        dialog = visit.page.get_by_role("dialog")
        await dialog.get_by_label("Model").select_option(model)
        told = "2 clips, 8 seconds" if model == "Veo 3.1 Fast" else "These clips are paid already."
        await expect(dialog.locator(".estimate")).to_contain_text(told)
        await visit.shot("remake")
        assert await visit.violations() == []
        await visit.button("Make 2 clips").press("Enter")
        await expect(dialog).to_have_count(0)
        await expect(visit.page.locator(".summary")).to_contain_text(f"{model} · 720p")
        await expect(visit.page.locator(".summary")).to_contain_text(cost)
    assert (await visit.world.ledger())["accepted"] == 4


async def test_frame_of_a_size_that_no_model_takes_is_refused_before_it_is_sent(visit: Visit) -> None:
    await visit.open()
    await visit.button("Create video").first.click()
    sent: list[str] = []
    visit.page.on("request", lambda request: sent.append(request.url))
    url = f"{visit.world.sandbox_url}/frames/1/first.png?size=180x320"
    async with visit.world.session.get(url) as response:
        small = await response.read()
    await visit.drop(visit.page.locator(".slot").first, {"small.png": small})
    words = "small.png was left out: it has 180 x 320 pixels, and a frame has 300 to 2048 pixels a side."
    await expect(visit.page.get_by_text(words)).to_be_visible()
    assert [one for one in sent if one.endswith("/uploads")] == []
    await visit.drop(visit.page.locator(".slot").first, {"large.png": bytes(20_000_001)})
    await expect(visit.page.get_by_text("large.png was left out: it has more than 20 MB.")).to_be_visible()


async def test_frames_can_be_urls_and_scenes_are_reordered_by_keyboard_alone(visit: Visit) -> None:
    await visit.open()
    await expect(visit.button("Create video").first).to_be_visible()
    await visit.page.locator("#new").focus()
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.get_by_role("textbox", name="Name (optional)")).to_be_focused()
    await visit.button("Add scene").press("Enter")
    for scene in (1, 2):
        for end in ("first", "last"):
            url = f"{visit.world.sandbox_url}/frames/{scene}/{end}.png?size=304x540"
            await visit.page.get_by_label(f"URL of the {end} frame of scene {scene}").fill(url)
    await visit.page.get_by_label("Prompt").nth(1).fill("The second comes first.")
    grip = visit.page.get_by_role("button", name="Move scene 2: drag, or press arrow up or down")
    await grip.press("ArrowUp")
    await expect(visit.page.get_by_label("Prompt").first).to_have_value("The second comes first.")
    await expect(visit.page.get_by_role("button", name=re.compile("Move scene 1: drag"))).to_be_focused()
    await expect(visit.button("Create 2 clips")).to_be_enabled()
    await visit.button("Create 2 clips").press("Enter")
    await expect(visit.scene("1").locator(".prompt")).to_have_text("The second comes first.")
    await expect(visit.state("2")).to_contain_text("Done in")


@pytest.mark.parametrize("width", [1280, 390])
async def test_url_that_shows_no_usable_image_is_told_at_its_field_and_stays_the_persons_choice(
    world: World, open_visit: OpenVisit, width: int
) -> None:
    no_image = "No image loads from this URL here. Check it, or upload the file: the clip may fail."
    too_small = "This image has 180 x 320 pixels. Choose one with 300 to 2048 pixels a side."
    async with open_visit(world, viewport={"width": width, "height": 860}) as visit:
        await visit.open()
        await visit.button("Create video").first.click()
        first, last = (
            visit.page.get_by_label(f"URL of the {end} frame of scene 1") for end in ("first", "last")
        )
        for url, words in (
            (f"{world.sandbox_url}/healthz", no_image),
            (f"{world.sandbox_url}/frames/1/first.png?size=180x320", too_small),
            ("http://frames.example/1.png", "Not looked at: this page loads https images only."),
            (f"{world.sandbox_url}/nothing.png", no_image),
        ):
            await first.fill(url)
            await expect(visit.page.locator(".field-warning").first).to_contain_text(words)
        await last.fill(f"{world.sandbox_url}/frames/1/last.png?size=304x540")
        await expect(visit.page.locator(".slot.filled img")).to_have_count(1)
        await expect(visit.page.locator(".field-warning").nth(1)).to_be_empty()
        await expect(visit.button("Create 1 clip")).to_be_enabled()
        await visit.shot(f"create-warning-{width}")
        assert await visit.violations() == []
        await first.fill("")
        await expect(visit.page.locator(".field-warning").first).to_be_empty()


async def test_clip_is_not_created_while_its_frames_are_being_looked_at(visit: Visit) -> None:
    await visit.open()
    await visit.button("Create video").first.click()
    answer = asyncio.Event()

    async def hold(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await visit.page.route("**/first.png*", hold)
    for end in ("first", "last"):
        url = f"{visit.world.sandbox_url}/frames/1/{end}.png?size=304x540"
        await visit.page.get_by_label(f"URL of the {end} frame of scene 1").fill(url)
    await expect(visit.page.locator(".slot.filled img")).to_have_count(1)
    await expect(visit.page.locator(".slot").first).to_contain_text("Loading…")
    await expect(visit.button("Create 1 clip")).to_be_disabled()
    answer.set()
    await expect(visit.button("Create 1 clip")).to_be_enabled()


async def test_frame_that_runware_can_not_reach_is_told_on_its_scene_and_its_clip_is_not_offered(
    tmp_path: Path, open_visit: OpenVisit
) -> None:
    pair = {"first_frame": "http://localhost:9/1.png", "last_frame": "http://localhost:9/2.png"}
    async with running_world(tmp_path, runware_api_url="https://runware.invalid/v1") as world:
        project_id = await world.store({"1": {}}, {"1": pair})
        async with open_visit(world) as visit:
            visit.hosts.add("localhost:9")
            await visit.open_project(project_id)
            await expect(visit.state("1")).to_have_text(
                "The first frame is at localhost, which Runware can't reach: upload it, or use a public URL."
            )
            await expect(visit.button("Generate 1 clip")).to_have_count(0)


async def test_scene_is_reordered_by_dragging(visit: Visit) -> None:
    await visit.open()
    await visit.button("Create video").first.click()
    await visit.button("Add scene").click()
    await visit.page.get_by_label("Prompt").nth(1).fill("The second comes first.")
    await visit.page.locator(".grip").nth(1).drag_to(visit.page.locator(".draft").first)
    await expect(visit.page.get_by_label("Prompt").first).to_have_value("The second comes first.")


async def test_file_that_is_no_image_is_refused_by_its_content(visit: Visit) -> None:
    await visit.open()
    await visit.button("Create video").first.click()
    slot = visit.page.locator(".slot").first
    await visit.drop(slot, {"frame.png": b"<svg onload=alert(1)>"})
    unreadable = "frame.png was left out: it can't be read as an image."
    await expect(visit.page.get_by_text(unreadable)).to_be_visible()
    await visit.drop(slot, {"notes.txt": b"text"}, kind="text/plain")
    no_image = "notes.txt was left out: it is no PNG, JPEG or WebP image."
    await expect(visit.page.get_by_text(no_image)).to_be_visible()
    await expect(visit.button("Create clips")).to_be_disabled()
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)


async def test_failed_clip_says_why_and_is_retried(visit: Visit) -> None:
    await visit.world.set_faults(fail_rate=1)
    project_id = await visit.world.store(scenes(2))
    await visit.open_project(project_id)
    await visit.button("Generate 2 clips").click()
    await expect(visit.state("1")).to_contain_text("Failed: The model's provider failed")
    await expect(visit.toast).to_contain_text("2 failed")
    await visit.shot("failed")
    await visit.world.set_faults()
    await visit.button("Retry scene 1").click()
    await expect(visit.state("1")).to_contain_text("Done in")
    await visit.button("Retry failed clip").click()
    await expect(visit.state("2")).to_contain_text("Done in")
    await expect(visit.scene("2").locator(".facts")).to_contain_text("attempt 2")
    summary = visit.page.locator(".summary")
    await expect(summary).to_contain_text("$1.60")
    await expect(summary).not_to_contain_text("so far")


async def test_moderated_clip_shows_the_words_of_the_models_provider(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(1, directive="[sandbox:moderate]"))
    await visit.world.generate(project_id)
    await visit.open(f"/#/projects/{project_id}")
    await expect(visit.state("1")).to_contain_text("Failed: Invalid content")
    await expect(visit.state("1")).to_contain_text("will not be charged")
    await visit.shot("moderated")


async def test_throttled_clip_says_that_it_waits_for_room_and_until_when(visit: Visit) -> None:
    await visit.world.set_faults(throttle_402_above=1, slow_rate=1, slow_seconds=20)
    project_id = await visit.world.store(scenes(2))
    await visit.world.generate(project_id)
    await visit.open(f"/#/projects/{project_id}")
    waiting = visit.page.get_by_text(re.compile(r"no room for it yet; it is sent again in \d:\d\d"))
    await expect(waiting).to_have_count(1)
    await visit.shot("throttled")


async def test_all_clips_play_in_order(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(2))
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await visit.open_project(project_id)
    await visit.button("Play all").click()
    player = visit.page.get_by_role("dialog")
    await expect(player.get_by_role("status")).to_have_text("Scene 1, 1 of 2")
    await visit.shot("player")
    await player.locator("video").evaluate("(video) => video.dispatchEvent(new Event('ended'))")
    await expect(player.get_by_role("status")).to_have_text("Scene 2, 2 of 2")
    await expect(visit.button("Next")).to_be_disabled()
    await visit.page.keyboard.press("Escape")
    await expect(player).to_have_count(0)


async def test_clip_plays_silently_while_the_pointer_is_over_it(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(1))
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await visit.open_project(project_id)
    video = visit.page.locator("scene-card video")
    await video.hover()
    await visit.page.wait_for_function(
        "() => [...document.querySelectorAll('video')].some((one) => !one.paused && one.muted && one.loop)"
    )
    await visit.page.mouse.move(0, 0)
    await visit.page.wait_for_function("() => document.querySelector('scene-card video').paused")


async def test_page_that_was_offline_catches_up(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(1))
    await visit.open_project(project_id)
    await expect(visit.connection("live")).to_be_visible()
    await visit.context.set_offline(True)
    await expect(visit.connection("offline")).to_be_visible()
    await visit.shot("offline")
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await expect(visit.state("1")).to_have_text("Not generated yet.")
    await visit.context.set_offline(False)
    await expect(visit.state("1")).to_contain_text("Done in")
    await expect(visit.connection("live")).to_be_visible()


async def test_page_survives_a_restart_of_the_service(tmp_path: Path, open_visit: OpenVisit) -> None:
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        ServiceProcess(sandbox_url, tmp_path) as service,
        aiohttp.ClientSession() as session,
        open_visit(world := service.world(session)) as visit,
    ):
        project_id = await world.store(scenes(1))
        await visit.open_project(project_id)
        await expect(visit.connection("live")).to_be_visible()
        await service.kill()
        await expect(visit.connection("offline")).to_be_visible()
        await service.start()
        await world.generate(project_id)
        await expect(visit.state("1")).to_contain_text("Done in")
        await expect(visit.connection("live")).to_be_visible()


async def test_page_asks_while_no_stream_comes_through(visit: Visit) -> None:
    async def refuse(route: Any) -> None:
        await route.fulfill(status=502, body="a proxy that knows no streams")

    await visit.context.route("**/events", refuse)
    project_id = await visit.world.store(scenes(1))
    await visit.open_project(project_id)
    await expect(visit.connection("polling")).to_be_visible()
    await visit.world.generate(project_id)
    await expect(visit.state("1")).to_contain_text("Done in")


async def test_page_does_not_ask_while_its_stream_is_live(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(1, directive="[sandbox:slow=2]"))
    await visit.open_project(project_id)
    await expect(visit.connection("live")).to_be_visible()
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    await visit.world.generate(project_id)
    await expect(visit.state("1")).to_contain_text("Done in")
    assert [url for url in asked if "/projects" in url] == []


async def test_two_tabs_show_the_same_at_once(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(1))
    await visit.open_project(project_id)
    other = Visit(visit.world, visit.context, await visit.context.new_page(), visit.complaints)
    other.guard(other.page)
    await other.open_project(project_id)
    await other.button("Generate 1 clip").click()
    for tab in (visit, other):
        await expect(tab.state("1")).to_contain_text("Done in")
        await expect(tab.toast).to_contain_text("Your clip is ready.")


async def test_edit_of_the_project_elsewhere_shows_without_a_reload(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(1))
    await visit.open_project(project_id)
    await expect(visit.connection("live")).to_be_visible()
    visit.world.rewrite(project_id, scenes=scenes(2))
    await expect(visit.scene("2").locator(".prompt")).to_have_text("Boat 2 leaves.")
    await expect(visit.state("2")).to_have_text("Both frames are missing.")


async def test_project_is_titled_by_its_script_where_that_is_the_text_of_an_object(visit: Visit) -> None:
    project_id = await visit.world.store({"1": {"visual_action": "Mara waits.", "duration_sec": 5}})
    visit.world.rewrite(project_id, script={"title": "The red scarf", "logline": "Mara returns."})
    await visit.open()
    await expect(visit.page.locator(".project-card a")).to_have_text(["The red scarf"])
    await visit.page.locator(".project-card a").click()
    await expect(visit.page.get_by_role("heading", name="The red scarf", exact=True)).to_be_visible()
    await expect(visit.page).to_have_title(re.compile("The red scarf"))
    await expect(visit.scene("1")).to_contain_text("5 s")


async def test_list_shows_how_each_project_stands(visit: Visit) -> None:
    project_id = await visit.world.store(scenes(2))
    await visit.world.generate(project_id)
    await visit.world.settled(project_id)
    await visit.open()
    card = visit.page.locator(".project-card").filter(has_text="Boat 1 leaves.")
    await expect(card).to_contain_text("2 of 2 clips")
    await expect(card).to_contain_text("Done")
    await expect(card).to_contain_text("$1.60")
    await expect(card.locator("img")).to_have_count(4)
    await visit.shot("projects")
    await card.get_by_role("link").click()
    await expect(visit.state("2")).to_contain_text("Done in")


async def test_with_a_token_nothing_shows_before_it_is_entered(tmp_path: Path, open_visit: OpenVisit) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        running_world(tmp_path, service_token=TOKEN, headers=headers) as world,
        open_visit(world) as visit,
    ):
        project_id = await world.store(scenes(1))
        await visit.open()
        field = visit.page.get_by_label("Service token")
        await field.fill("not-the-token-at-all")
        await visit.button("Sign in").click()
        await expect(visit.page.get_by_text("This is not the service's token.")).to_be_visible()
        await visit.shot("sign-in")
        assert await visit.violations() == []
        await field.fill(TOKEN)
        await visit.button("Sign in").click()
        await expect(visit.page.locator(".project-card a")).to_have_count(1)
        await visit.open_project(project_id)
        await expect(visit.connection("live")).to_be_visible()
        await visit.button("Generate 1 clip").click()
        await expect(visit.state("1")).to_contain_text("Done in")
        await visit.button("Sign out").click()
        await visit.page.reload()
        await expect(field).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, {"width": 390, "height": 844}])
async def test_every_view_is_accessible_and_fits(
    world: World, open_visit: OpenVisit, scheme: str, size: dict[str, int]
) -> None:
    name = f"{scheme}-{size['width']}"
    async with open_visit(world, color_scheme=scheme, viewport=size) as visit:

        async def inspect(view: str) -> None:
            await visit.shot(f"{view}-{name}")
            assert await visit.violations() == [], view
            width = await visit.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], view

        await visit.open()
        await expect(visit.page.get_by_role("heading", name="Make your first video")).to_be_visible()
        await inspect("empty")
        long = "A-very-long-word-" * 8
        texts = ("Done.", "Fails. [sandbox:fail]", f"Slow {long} [sandbox:slow=3600]")
        described = {str(n): {"description": text, "duration": 4} for n, text in enumerate(texts, 1)}
        frames = {
            key: {
                f"{end}_frame": f"{world.sandbox_url}/frames/{key}/{end}.png?size=360x640"
                for end in ("first", "last")
            }
            for key in described
        }
        project_id = await world.store({**described, "4": {"description": "No frames."}}, frames)
        await visit.open_project(project_id)
        await visit.button("Generate 3 clips").click()
        await expect(visit.state("1")).to_contain_text("Done in")
        await expect(visit.state("2")).to_contain_text("Failed")
        await expect(visit.state("3")).to_contain_text("Generating")
        await inspect("project")
        await visit.button("Play all").click()
        await inspect("player")
        await visit.button("Close").click()
        await visit.open("/#/")
        await expect(visit.page.locator(".project-card a")).to_have_count(1)
        await inspect("projects")
        await visit.page.locator("#new").click()
        await visit.button("Add scene").click()
        await visit.drop(
            visit.page.locator(".drop"),
            {f"{n}.png": await visit.frame(5, end) for n, end in enumerate(("first", "last"))},
        )
        await expect(visit.button("Create 1 clip")).to_be_enabled()
        await inspect("create")
        await visit.button("Close").click()
        await inspect("create-ask")
        await visit.button("Discard").click()
        await visit.open("/#/projects/00000000-0000-4000-8000-000000000000")
        await expect(visit.page.get_by_role("heading", name="There is no such project")).to_be_visible()
        await inspect("missing")
