"""Editing a project over HTTP: nothing is lost, and nothing that is paid for is bought again."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.events import event_stream
from tests.harness import PATIENCE_S, Answer, World, on_supabase, running_world
from tests.postgrest import Supabase

MERGE_PATCH = {"content-type": "application/merge-patch+json"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def patch(world: World, project_id: str, changes: object, **headers: str) -> tuple[int, Answer, str]:
    """Send a patch; gives status, answer and the new ETag."""
    url = f"{world.url}/projects/{project_id}"
    async with world.session.patch(url, json=changes, headers=headers) as response:
        return response.status, await response.json(), response.headers.get("ETag", "")


async def edited(world: World, project_id: str, changes: object) -> Answer:
    status, answer, _ = await patch(world, project_id, changes)
    assert status == 200, answer
    return answer


async def etag(world: World, project_id: str) -> str:
    async with world.session.get(f"{world.url}/projects/{project_id}") as response:
        return response.headers["ETag"]


async def made(world: World, scenes: int) -> tuple[str, dict[str, str]]:
    """Have a project's clips made; gives its id, and the videos by scene."""
    project_id = await world.store(scenes)
    await world.generate(project_id)
    return project_id, await videos(world, project_id)


async def videos(world: World, project_id: str) -> dict[str, str]:
    return {job["scene"]: job["video_url"] for job in await world.settled(project_id)}


async def billed(world: World) -> int:
    return int((await world.ledger())["billed"])


async def test_edited_scene_alone_is_made_again(world: World) -> None:
    project_id, before = await made(world, 3)
    answer = await edited(world, project_id, {"scenes": {"2": {"description": "It sinks."}}})
    assert answer["scenes"]["2"] == {"description": "It sinks.", "duration": 4}
    await world.generate(project_id)
    after = await videos(world, project_id)
    assert (after["1"], after["3"], await billed(world)) == (before["1"], before["3"], 4)
    assert after["2"] != before["2"]
    await edited(world, project_id, {"scenes": {"2": {"description": "Scene 2."}}})
    await world.generate(project_id)
    assert (await videos(world, project_id), await billed(world)) == (before, 4)


async def test_answer_and_etag_are_those_of_the_project_as_it_is_read_then(world: World) -> None:
    project_id = await world.store(1)
    first = await etag(world, project_id)
    status, answer, tag = await patch(world, project_id, {"title": "Harbour at dawn"}, **MERGE_PATCH)
    read = await world.project(project_id)
    assert (status, answer, tag) == (200, read, f'"{read["edited"]}"')
    assert (read["title"], tag != first) == ("Harbour at dawn", True)
    assert (await patch(world, project_id, {}))[2] == tag == await etag(world, project_id)


async def test_text_that_no_prompt_can_tell_is_refused_and_a_misspelt_field_told(world: World) -> None:
    project_id = await world.store(2)
    status, answer, _ = await patch(world, project_id, {"scenes": {"2": {"description": "a" * 3001}}})
    assert (status, answer["code"]) == (422, "invalid_value")
    assert "scene 2: its description has 3001 characters" in answer["error"]
    status, answer, _ = await patch(world, project_id, {"scense": {}})
    assert status == 400
    assert "scense: this call has no such field. Did you mean scenes?" in answer["error"]


async def test_clip_that_changes_is_no_edit(world: World) -> None:
    project_id = await world.store(1)
    before = await etag(world, project_id)
    await world.generate(project_id)
    await world.settled(project_id)
    assert await etag(world, project_id) == before
    assert (await patch(world, project_id, {"title": "New"}, **{"If-Match": before}))[0] == 200


async def test_second_of_two_editors_is_told_and_loses_nothing(world: World) -> None:
    project_id = await world.store(2)
    seen = {"If-Match": await etag(world, project_id)}
    one, other = ({"scenes": {n: {"description": f"Edited {n}."}}} for n in "12")
    (status, _, tag), (refused, answer, _) = sorted(
        await asyncio.gather(patch(world, project_id, one, **seen), patch(world, project_id, other, **seen)),
        key=lambda end: end[0],
    )
    assert (status, refused, answer["code"]) == (200, 412, "project_changed")
    assert "Nothing of this edit was stored. Read the project again" in answer["error"]
    texts = [scene["description"] for scene in (await world.project(project_id))["scenes"].values()]
    assert sum(text.startswith("Edited") for text in texts) == 1
    loser = other if texts[0].startswith("Edited") else one
    assert (await patch(world, project_id, loser, **{"If-Match": tag}))[0] == 200
    texts = [scene["description"] for scene in (await world.project(project_id))["scenes"].values()]
    assert texts == ["Edited 1.", "Edited 2."]


@pytest.mark.parametrize("condition", [None, "*"])
async def test_twenty_editors_who_ask_for_no_condition_all_have_their_edits_stored(
    world: World, condition: str | None
) -> None:
    project_id = await world.store(20)
    headers = {} if condition is None else {"If-Match": condition}
    edits = [{"scenes": {str(n): {"description": f"Edited {n}."}}} for n in range(1, 21)]
    for four in range(0, 20, 4):
        ends = await asyncio.gather(
            *(patch(world, project_id, one, **headers) for one in edits[four : four + 4])
        )
        assert [status for status, _, _ in ends] == [200] * 4
    scenes = (await world.project(project_id))["scenes"]
    assert {key: scene["description"] for key, scene in scenes.items()} == {
        str(n): f"Edited {n}." for n in range(1, 21)
    }


@pytest.mark.parametrize("tag", ["W/{}", '"0", {}', "{}"])
async def test_condition_is_read_as_http_writes_it(world: World, tag: str) -> None:
    project_id = await world.store(1)
    condition = tag.format(await etag(world, project_id))
    assert (await patch(world, project_id, {"title": "New"}, **{"If-Match": condition}))[0] == 200
    assert (await patch(world, project_id, {"title": "Newer"}, **{"If-Match": condition}))[0] == 412
    status, answer, _ = await patch(world, project_id, {"title": "Newer"}, **{"If-Match": "7"})
    assert (status, answer["code"]) == (400, "bad_request")
    assert "quotation marks" in answer["error"]


@pytest.mark.parametrize(
    ("changes", "status", "code", "why"),
    [
        ({"title": None}, 422, "invalid_value", "a title can't be removed"),
        ({"title": "  "}, 422, "edit_refused", "can't be blank"),
        ({"title": "x" * 161}, 422, "edit_refused", "at most 160 characters"),
        ({"order": ["1"]}, 422, "edit_refused", "each of the project's scenes once (1, 2)"),
        ({"order": ["1", "2", "2"]}, 422, "edit_refused", "each of the project's scenes once"),
        ({"scenes": {"1": {"description": "\0"}}}, 422, "invalid_value", "NUL"),
        ({"scenes": {"1": "text"}}, 400, "bad_request", "scenes.1"),
        ({"frames": None}, 400, "bad_request", "frames"),
        ({"script": "New"}, 400, "bad_request", "script"),
        ([], 400, "bad_request", "body"),
    ],
)
async def test_what_can_not_be_stored_is_refused_with_its_reason(
    world: World, changes: object, status: int, code: str, why: str
) -> None:
    project_id = await world.store(2)
    before = await world.project(project_id)
    answered, answer, _ = await patch(world, project_id, changes)
    assert (answered, answer["code"]) == (status, code), answer
    assert why in answer["error"]
    assert await world.project(project_id) == before


async def test_form_of_a_strange_page_can_not_edit(world: World) -> None:
    project_id = await world.store(1)
    url = f"{world.url}/projects/{project_id}"
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"content-type": content_type}
        async with world.session.patch(url, data=json.dumps({"title": "Mine"}), headers=headers) as response:
            assert response.status == 400


async def test_new_order_takes_paid_clips_along_and_buys_nothing(world: World) -> None:
    project_id, before = await made(world, 3)
    answer = await edited(world, project_id, {"order": ["3", "1", "2"]})
    assert [scene["description"] for scene in answer["scenes"].values()] == [
        "Scene 3.",
        "Scene 1.",
        "Scene 2.",
    ]
    assert {job["scene"]: job["video_url"] for job in answer["jobs"]} == {
        "1": before["3"],
        "2": before["1"],
        "3": before["2"],
    }
    generated = await world.generate(project_id)
    assert (generated["completed"], await billed(world)) == (3, 3)
    async with world.session.get(f"{world.url}/projects/{project_id}/clips/1.mp4") as response:
        assert response.status == 200


async def test_result_that_comes_after_a_new_order_is_the_moved_scenes(tmp_path: Path) -> None:
    slow = {"min_seconds": 1, "max_seconds": 1}
    async with running_world(tmp_path, sandbox=slow, poll_interval_seconds=600) as world:
        project_id = await world.store(2)
        generated = await world.generate(project_id)
        first, second = (result["taskUUID"] for result in generated["results"])
        await edited(world, project_id, {"order": ["2", "1"]})
        jobs = await world.settled(project_id)
        assert [(job["scene"], job["task_uuid"]) for job in jobs] == [("1", second), ("2", first)]
        assert {job["settled_by"] for job in jobs} == {"webhook"}
        assert (await world.generate(project_id))["completed"] == await billed(world) == 2


async def test_poller_finds_the_results_of_moved_scenes(tmp_path: Path) -> None:
    slow = {"min_seconds": 1, "max_seconds": 1}
    async with running_world(tmp_path, sandbox=slow, webhooks=False) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        await edited(world, project_id, {"order": ["2", "1"]})
        jobs = await world.settled(project_id)
        assert {job["settled_by"] for job in jobs} == {"poll"}
        assert (await world.generate(project_id))["completed"] == await billed(world) == 2


async def test_generations_and_orders_at_once_pay_for_each_scene_once(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"answer_delay_seconds": 0.2}) as world:
        project_id = await world.store(6)

        async def reorder() -> None:
            for _ in range(5):
                keys = [str(n) for n in range(1, 7)]
                await edited(world, project_id, {"order": [*keys[1:], keys[0]]})
                await asyncio.sleep(0.05)

        async def generate() -> None:
            for _ in range(3):
                status, answer = await world.post("/generate-clips", {"project_id": project_id})
                assert status == 200 or answer["code"] == "project_edited", answer

        await asyncio.gather(reorder(), generate(), generate())
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        ledger = await world.ledger()
        assert (ledger["accepted"], ledger["billed"], ledger["seen_twice"]) == (6, 6, [])


async def test_removed_scenes_clip_that_is_under_way_ends_in_the_ledger_and_comes_back_with_it(
    tmp_path: Path,
) -> None:
    async with running_world(tmp_path, sandbox={"min_seconds": 1, "max_seconds": 1}) as world:
        project_id = await world.store(2)
        row = await world.project(project_id)
        scene = {column: {"1": row[column]["1"]} for column in ("frames", "scenes")}
        await world.generate(project_id)
        gone = await edited(world, project_id, {"frames": {"1": None}, "scenes": {"1": None}})
        assert ([job["scene"] for job in gone["jobs"]], gone["counts"]["total"]) == (["2"], 1)
        async with event_stream(world.session, world.url, project_id) as events, asyncio.timeout(PATIENCE_S):
            async for event in events:
                if event.data["cost_usd"] == pytest.approx(1.6):
                    break
        assert [job["scene"] for job in await world.jobs(project_id)] == ["2"]
        back = await edited(world, project_id, scene)
        assert [job["scene"] for job in back["jobs"]] == ["2"]
        assert {scene: quote["paid"] for scene, quote in back["quotes"].items()} == {"1": True, "2": True}
        generated = await world.generate(project_id)
        assert (generated["completed"], await billed(world)) == (2, 2)


async def test_new_scene_is_made_and_the_others_are_not(world: World) -> None:
    project_id, before = await made(world, 1)
    frames = (await world.project(project_id))["frames"]["1"]
    await edited(world, project_id, {"frames": {"2": frames}, "scenes": {"2": {"description": "New."}}})
    await world.generate(project_id)
    after = await videos(world, project_id)
    assert (after["1"], set(after), await billed(world)) == (before["1"], {"1", "2"}, 2)


async def test_only_the_scenes_that_are_named_are_made(world: World) -> None:
    project_id = await world.store(4)
    body = {"project_id": project_id, "scenes": ["2", 4]}
    status, answer = await world.post("/functions/v1/generate-clips", body)
    assert (status, [result["sceneKey"] for result in answer["results"]]) == (200, ["2", "4"])
    assert set(await videos(world, project_id)) == {"2", "4"}
    assert await billed(world) == 2


async def test_unknown_scene_is_refused_before_anything_is_stored(world: World) -> None:
    project_id = await world.store(1)
    before = await world.project(project_id)
    body = {"project_id": project_id, "scenes": ["1", "9"], "model": "google:3@3"}
    status, answer = await world.post("/generate-clips", body)
    assert (status, answer["code"]) == (422, "scene_not_found")
    assert "has no scene 9. Nothing was made" in answer["error"]
    assert await world.project(project_id) == before


@pytest.mark.parametrize("more", [{"scenes": []}, {"scenes": ["1"], "adopt": True}])
async def test_scenes_that_name_nothing_or_contradict_are_refused(
    world: World, more: dict[str, object]
) -> None:
    project_id = await world.store(1)
    status, answer = await world.post("/generate-clips", {"project_id": project_id, **more})
    assert (status, answer["code"]) == (422, "invalid_value")
    assert await billed(world) == 0


async def test_named_scene_without_frames_says_what_it_lacks(world: World) -> None:
    project_id = await world.store(2)
    await edited(world, project_id, {"frames": {"1": {"last_frame": None}}})
    status, answer = await world.post("/generate-clips", {"project_id": project_id, "scenes": ["1"]})
    assert (status, answer["code"]) == (409, "frames_not_ready")
    assert "scene 1: last_frame missing" in answer["error"]
    assert "scene 2" not in answer["error"]
    assert await billed(world) == 0


async def test_watchers_are_given_the_whole_project_after_an_order_and_a_removal(world: World) -> None:
    project_id = await world.store(3)
    await world.post("/generate-clips", {"project_id": project_id, "scenes": ["1"]})
    await world.settled(project_id)
    async with event_stream(world.session, world.url, project_id) as events:
        await anext(events)
        for changes in ({"order": ["2", "1", "3"]}, {"frames": {"2": None}, "scenes": {"2": None}}):
            answer = await edited(world, project_id, changes)
            event = await anext(events)
            assert event.kind == "snapshot"
            assert {name: value for name, value in event.data.items() if name != "now"} == answer
    assert answer["jobs"] == []


async def test_edits_are_the_same_on_supabase(tmp_path: Path, supabase: Supabase) -> None:
    async with running_world(tmp_path, **on_supabase(supabase)) as world:
        project_id, before = await made(world, 2)
        answer = await edited(world, project_id, {"order": ["2", "1"], "title": "Harbour"})
        assert (await world.generate(project_id))["completed"] == await billed(world) == 2
        assert {job["scene"]: job["video_url"] for job in answer["jobs"]} == {
            "1": before["2"],
            "2": before["1"],
        }
