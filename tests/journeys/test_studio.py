"""What the page is served with, and what it is told beside the service's own calls."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
    assert await world.get("/studio/config") == {
        "sign_in": "none",
        "supabase_url": None,
        "anon_key": None,
        "durations_s": [4, 6, 8],
        "max_upload_bytes": 10 * 1024 * 1024,
        "upload_types": ["image/png", "image/jpeg", "image/webp"],
    }


async def test_price_is_unknown_before_any_clip_and_learned_from_the_first(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        assert (await world.get("/studio/estimates"))["price"] is None
        project_id = await world.store(1)
        await world.generate(project_id)
        await world.settled(project_id)
    async with running_world(tmp_path) as world:
        price = (await world.get("/studio/estimates"))["price"]
        assert price == {"usd_per_second": 0.2, "basis": "past"}


async def test_published_price_needs_no_past(tmp_path: Path) -> None:
    async with running_world(tmp_path, runware_model="google:3@3", runware_resolution="1080p") as world:
        assert await world.get("/studio/estimates") == {
            "model": "google:3@3",
            "resolution": "1080p",
            "price": {"usd_per_second": 0.1, "basis": "published"},
        }


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
