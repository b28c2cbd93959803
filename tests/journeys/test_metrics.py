"""What an operator learns from /metrics, and that nobody else learns anything."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.harness import SANDBOX_KEY, WEBHOOK_SECRET, World, running_world
from tests.identities import ALICE, ANON_KEY, SERVICE_ROLE_KEY, SERVICE_TOKEN, Headers, bearer, running_place
from tests.journeys.test_webhooks import callback, success
from tests.postgrest import Supabase
from tests.scrape import scrape

NO_POLLER = 600


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A service whose jobs never end by themselves."""
    stuck = {"slow_rate": 1, "slow_seconds": 3600}
    async with running_world(tmp_path, sandbox=stuck, poll_interval_seconds=NO_POLLER) as running:
        yield running


@pytest.fixture
async def task_uuid(world: World) -> str:
    project_id = await world.store(1)
    await world.generate(project_id)
    (job,) = await world.jobs(project_id)
    return str(job["task_uuid"])


async def test_success_by_webhook_counts_once_with_its_dollars(world: World, task_uuid: str) -> None:
    for _ in range(2):
        await world.post(callback(task_uuid), success(task_uuid))
    seen = await scrape(world)
    assert seen("clips_settled_total") == 1
    assert seen("clips_settled_total", status="succeeded", failure="none", settled_by="webhook") == 1
    assert (seen("clip_seconds_count"), seen("cost_usd_total")) == (1, 0.5)
    assert seen("webhooks_total", outcome="changed") == 1
    assert seen("webhooks_total", outcome="duplicate") == 1
    # The acknowledgement of the submission, the result, and its duplicate.
    assert seen("settlement_results_sum") == 3


async def test_failure_by_webhook_counts_by_its_kind(world: World, task_uuid: str) -> None:
    error = {"code": "contentPolicyViolation", "message": "Not this.", "taskUUID": task_uuid}
    await world.post(callback(task_uuid), {"errors": [error]})
    seen = await scrape(world)
    assert seen("clips_settled_total", status="failed", failure="safety", settled_by="webhook") == 1
    assert (seen("clips_settled_total"), seen("clip_seconds_count")) == (1, 0)


async def test_refused_webhooks_count_by_reason_and_settle_nothing(world: World, task_uuid: str) -> None:
    await world.post(callback(task_uuid) + "0", success(task_uuid))
    await world.post(callback(task_uuid), {})
    await world.post(callback(task_uuid), success(task_uuid, "https://evil.example/1.mp4"))
    seen = await scrape(world)
    for reason in ("unauthorized", "malformed_result", "video_url_refused"):
        assert seen("webhooks_total", outcome=reason) == 1
    assert seen("clips_settled_total") == 0


async def test_missed_webhook_shows_as_a_clip_that_the_poller_settled(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"webhook_drop_rate": 1}) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        await world.settled(project_id)
        seen = await scrape(world)
        assert seen("clips_settled_total", status="succeeded", settled_by="poll") == 2
        assert (seen("webhooks_total"), seen("poll_clips_sent_again_total")) == (0, 0)
        assert seen("poll_clips_asked_total", answered="yes") >= 2
        assert seen("poll_ticks_total", outcome="completed") >= 1
        assert abs(time.time() - seen("poll_last_tick_timestamp_seconds")) < 60


async def test_lost_store_shows_in_the_results_it_did_not_take(world: World, task_uuid: str) -> None:
    world.break_database()
    status, _ = await world.post(callback(task_uuid), success(task_uuid))
    assert status == 503
    seen = await scrape(world)
    assert seen("store_failures_total", kind="unavailable") == 1
    assert seen("webhooks_total", outcome="store_unavailable") == 1
    assert seen("clips_settled_total") == 0


async def test_requests_count_by_the_routes_template(world: World, task_uuid: str) -> None:
    await world.get("/projects?limit=1")
    for path in ("/nowhere", f"/elsewhere/{task_uuid}", f"/projects/{task_uuid}"):
        async with world.session.get(world.url + path) as response:
            assert response.status == 404
    async with world.session.request("BREW", f"{world.url}/generate-clips") as response:
        assert response.status == 405
    seen = await scrape(world)
    count = "http_request_seconds_count"
    assert seen(count, route="/projects", method="GET", status="2xx") == 1
    assert seen(count, route="/projects/{project_id}", status="4xx") == 1
    assert seen(count, route="other", status="4xx") == 2
    assert seen(count, route="/generate-clips", method="other", status="4xx") == 1
    assert not seen.has(count, route="/metrics")
    assert (await scrape(world)).has(count, route="/metrics")


async def test_text_holds_no_id_secret_or_address(world: World, task_uuid: str) -> None:
    (project,) = (await world.get("/projects"))["projects"]
    await world.post(callback(task_uuid), success(task_uuid))
    await world.post(callback(task_uuid)[:-1], success(task_uuid))
    text = (await scrape(world)).text
    token = callback(task_uuid).rpartition("=")[2]
    for secret in (task_uuid, project["id"], token, SANDBOX_KEY, WEBHOOK_SECRET, "127.0.0.1", "://", "?"):
        assert secret not in text


async def test_scrape_leaves_no_line_in_the_log(world: World) -> None:
    with capture_logs() as lines:
        await scrape(world)
    assert [line for line in lines if line["event"] == "request"] == []


async def test_metrics_answer_operators_and_nobody_else(tmp_path: Path, supabase: Supabase) -> None:
    async with running_place(tmp_path, supabase, allow_anon=True) as place:
        strangers: list[Headers] = [{}, bearer("wrong"), bearer(ANON_KEY), place.signed_in(ALICE)]
        for headers in strangers:
            status, answer = await place.call("GET", "/metrics", headers)
            assert (status, answer["code"]) == (401, "unauthorized")
        for key in (SERVICE_TOKEN, SERVICE_ROLE_KEY):
            async with place.world.session.get(f"{place.world.url}/metrics", headers=bearer(key)) as response:
                assert response.status == 200
                assert "clip_service_clips_settled_total" in await response.text()


async def test_without_a_token_metrics_answer_to_localhost_only(world: World) -> None:
    async with world.session.get(f"{world.url}/metrics", headers={"Host": "evil.example"}) as response:
        assert response.status == 401


async def test_metrics_are_described_as_text(world: World) -> None:
    described = (await world.get("/openapi.json"))["paths"]["/metrics"]["get"]
    (media_type,) = described["responses"]["200"]["content"]
    assert media_type.startswith("text/plain")
    assert set(described["responses"]["401"]["content"]) == {"application/json"}
