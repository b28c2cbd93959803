"""What the page is served with, and what it is told beside the service's own calls."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.builders import FAST, LITE, VEO
from tests.harness import World, running_world

TOKEN = "token-of-the-service"
FILES = ("/studio/main.js", "/studio/studio.css", "/client/clips.js", "/client/clips.d.ts")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def test_page_runs_only_its_own_script_and_can_not_be_framed(world: World) -> None:
    async with world.session.get(f"{world.url}/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        policy = dict(
            directive.strip().split(" ", 1)
            for directive in response.headers["Content-Security-Policy"].split(";")
        )
        html = await response.text()
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in str(policy)
    assert "<style" not in html
    assert " style=" not in html
    assert html.count("<script") == html.count('<script type="module" src="/studio/')


async def test_page_and_client_need_no_token_since_they_hold_no_data(tmp_path: Path) -> None:
    async with running_world(tmp_path, service_token=TOKEN) as world:
        for path in ("/", *FILES, "/studio/config"):
            async with world.session.get(world.url + path) as response:
                assert response.status == 200, path
        assert (await world.get("/studio/config"))["sign_in"] == "token"
        async with world.session.get(f"{world.url}/studio/estimates") as response:
            assert response.status == 401


async def test_types_of_the_client_are_served_as_typescript_and_its_module_points_to_them(
    world: World,
) -> None:
    async with world.session.get(f"{world.url}/client/clips.js") as response:
        assert response.content_type in ("text/javascript", "application/javascript")
        types = response.headers["X-TypeScript-Types"]
        address = response.url.join(URL(types))
    async with world.session.get(address) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/typescript; charset=utf-8"
        assert "export function createClips(" in await response.text()
    async with world.session.get(f"{world.url}/studio/main.js") as response:
        assert "X-TypeScript-Types" not in response.headers


@pytest.mark.parametrize("path", FILES)
async def test_files_are_compressed_and_asked_for_anew(world: World, path: str) -> None:
    async with world.session.get(world.url + path) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        etag = response.headers["ETag"]
    async with world.session.get(world.url + path, headers={"If-None-Match": etag}) as response:
        assert response.status == 304


@pytest.mark.parametrize("path", ["/studio/nothing.js", "/client/", "/studio/..%2f..%2fapp.py", "/studio"])
async def test_any_other_file_is_404_in_the_form_of_all_errors(world: World, path: str) -> None:
    async with world.session.get(world.url + path) as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"


async def test_client_can_be_loaded_by_a_page_of_an_allowed_origin(world: World) -> None:
    headers = {"Origin": "http://localhost:5173"}
    async with world.session.get(f"{world.url}/client/clips.js", headers=headers) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
        assert response.content_type == "text/javascript"


async def test_config_tells_the_limits_that_the_calls_have(world: World) -> None:
    config = dict(await world.get("/studio/config"))
    assert [model["air"] for model in config.pop("models")] == [VEO, FAST, LITE]
    assert config == {
        "sign_in": "none",
        "supabase_url": None,
        "anon_key": None,
        "operator_token": False,
        "max_upload_bytes": 20_000_000,
        "min_side_px": 300,
        "max_side_px": 2048,
        "upload_types": ["image/png", "image/jpeg", "image/webp"],
    }


async def test_config_tells_of_each_allowed_model_what_can_be_chosen_and_what_is_made_otherwise(
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {
        "runware_models": f"{LITE},luma:ray@3.2",
        "runware_resolution": "1080p",
        "runware_generate_audio": True,
    }
    async with running_world(tmp_path, **settings) as world:
        default, lite, luma = (await world.get("/studio/config"))["models"]
        assert [model["default"] for model in (default, lite, luma)] == [True, False, False]
        assert default["air"] == VEO
        assert (lite["default_resolution"], lite["default_audio"]) == ("1080p", True)
        assert lite["prices"][0] == {
            "resolution": "720p",
            "audio": False,
            "usd_per_second": 0.03,
            "source": "reported by a caller",
            "as_of": "2026-10-12",
        }
        assert (luma["sound"], luma["default_audio"], luma["durations_s"]) == (False, False, [5, 10])
        assert luma["resolutions"] == ["360p", "540p", "720p", "1080p"]


async def prices(world: World, model: str) -> list[dict[str, Any]]:
    listed = (await world.get("/studio/estimates"))["prices"]
    return [price for price in listed if price["model"] == model]


async def test_price_that_no_table_has_is_learned_from_the_first_clip(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        assert await prices(world, VEO) == []
        project_id = await world.store(1)
        await world.generate(project_id)
        await world.settled(project_id)
    async with running_world(tmp_path) as world:
        made = {"model": VEO, "resolution": "720p", "audio": False}
        assert await prices(world, VEO) == [{**made, "usd_per_second": 0.2, "basis": "past"}]


async def test_price_of_the_table_needs_no_past(world: World) -> None:
    fast = {"model": FAST, "resolution": "1080p", "audio": True}
    assert {**fast, "usd_per_second": 0.15, "basis": "table"} in await prices(world, FAST)
    assert {(price["model"], price["resolution"]) for price in await prices(world, LITE)} == {(LITE, "720p")}


async def test_project_and_its_jobs_tell_what_they_are_made_with(world: World) -> None:
    project_id = await world.store(1)
    project = await world.project(project_id)
    assert (project["model"], project["resolution"], project["audio"]) == (VEO, "720p", False)
    body = {"project_id": project_id, "model": FAST, "resolution": "1080p", "audio": True}
    assert (await world.post("/functions/v1/generate-clips", body))[0] == 200
    await world.settled(project_id)
    project = await world.project(project_id)
    (job,) = project["jobs"]
    for told in (project, job):
        assert (told["model"], told["resolution"], told["audio"]) == (FAST, "1080p", True)
    # Four seconds of Fast at 1080p with sound.
    assert job["cost_usd"] == 0.6


@pytest.mark.parametrize(
    ("choice", "status", "code", "words"),
    [
        ({"model": "luma:ray@3.2"}, 422, "choice_refused", "google:3@2 (Veo 3.1)"),
        ({"model": LITE, "resolution": "4K"}, 422, "choice_refused", "720p or 1080p"),
        ({"audio": "loud"}, 422, "invalid_value", "audio"),
        ({"model": 7}, 400, "bad_request", "model"),
    ],
)
async def test_choice_that_is_not_allowed_is_refused_with_what_is(
    world: World, choice: dict[str, object], status: int, code: str, words: str
) -> None:
    project_id = await world.store(1)
    answered, answer = await world.post("/functions/v1/generate-clips", {"project_id": project_id, **choice})
    assert (answered, answer["code"]) == (status, code)
    assert words in answer["error"]
    assert (await world.ledger())["accepted"] == 0


async def test_null_is_no_choice(world: World) -> None:
    project_id = await world.store(1)
    body = {"project_id": project_id, "model": None, "resolution": None, "audio": None}
    assert (await world.post("/functions/v1/generate-clips", body))[0] == 200
    assert (await world.project(project_id))["model"] == VEO


async def test_link_of_a_video_ends_when_its_time_is_over(tmp_path: Path) -> None:
    async with running_world(tmp_path, runware_ttl_seconds=3600) as world:
        project_id = await world.store(1)
        await world.generate(project_id)
        (job,) = await world.settled(project_id)
        ends = datetime.fromisoformat(job["video_expires_at"])
        assert ends - datetime.fromisoformat(job["settled_at"]) == timedelta(hours=1)


async def test_job_has_its_usual_time_from_three_clips_on(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await world.store(3)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert {job["stage"] for job in jobs} == {"succeeded"}
    async with running_world(tmp_path) as world:
        usual = (await world.jobs(project_id))[0]["usual"]
        assert usual["samples"] == 3
        assert 0 <= usual["median_s"] <= usual["p90_s"]
