"""The price before the press, over HTTP: what is quoted is what is then paid."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import FAST, LITE
from tests.events import event_stream
from tests.harness import Answer, World, running_service, running_world

OPEN = {"1": {"description": "A boat leaves.", "duration": 5}, "2": {"description": "It is gone."}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path) as running:
        yield running


async def generate(world: World, project_id: str, **choice: object) -> Answer:
    body = {"project_id": project_id, **choice}
    status, answer = await world.post("/functions/v1/generate-clips", body)
    assert status == 200, answer
    await world.settled(project_id)
    return answer


def due(project: Answer) -> float:
    """What the project's quotes add up to: what is paid costs nothing."""
    return round(sum(float(quote["usd"]) for quote in project["quotes"].values() if not quote["paid"]), 4)


async def test_first_clip_sets_the_price_of_the_next_in_the_same_moment(world: World) -> None:
    project_id = await world.store(OPEN)
    project = await world.project(project_id)
    assert project["usd_per_second"] is None
    assert {scene: quote["usd"] for scene, quote in project["quotes"].items()} == {"1": None, "2": None}
    first = await world.store(1)
    await generate(world, first)
    project = await world.project(project_id)
    assert project["usd_per_second"] == 0.2
    assert {scene: quote["usd"] for scene, quote in project["quotes"].items()} == {"1": 1.2, "2": 0.8}


async def test_quoted_sum_is_what_is_paid_then_and_nothing_is_due_after_that(world: World) -> None:
    project_id = await world.store(OPEN)
    await generate(world, await world.store(1), model=FAST, resolution="1080p", audio=False)
    await generate(world, project_id, model=FAST, resolution="1080p", audio=False)
    world.rewrite(project_id, scenes={**OPEN, "2": {"description": "It is back.", "duration": 8}})
    before = await world.project(project_id)
    assert due(before) == 0.8
    assert {job["scene"]: job["outdated"] for job in before["jobs"]} == {"1": False, "2": True}
    await generate(world, project_id)
    after = await world.project(project_id)
    assert round(after["cost_usd"] - before["cost_usd"], 4) == 0.8
    assert due(after) == 0
    assert [job["outdated"] for job in after["jobs"]] == [False, False]


async def test_another_choice_is_quoted_without_being_stored(world: World) -> None:
    project_id = await world.store(OPEN)
    await generate(world, project_id, model=LITE)
    at_choice = await world.get(f"/projects/{project_id}/quotes?model={FAST}&resolution=1080p&audio=true")
    assert (at_choice["model"], at_choice["resolution"], at_choice["audio"]) == (FAST, "1080p", True)
    assert {scene: quote["usd"] for scene, quote in at_choice["quotes"].items()} == {"1": 0.9, "2": 0.6}
    assert due(at_choice) == 1.5
    project = await world.project(project_id)
    assert (project["model"], due(project)) == (LITE, 0)
    as_it_is = await world.get(f"/projects/{project_id}/quotes")
    assert as_it_is == {name: project[name] for name in as_it_is}


async def test_choice_that_was_paid_before_is_quoted_as_paid(world: World) -> None:
    project_id = await world.store(OPEN)
    await generate(world, project_id, model=LITE)
    await generate(world, project_id, model=FAST)
    assert due(await world.get(f"/projects/{project_id}/quotes?model={LITE}")) == 0


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("model=luma:ray@3.2", 422, "choice_refused"),
        ("audio=loud", 422, "invalid_value"),
        ("sound=true", 422, "invalid_value"),
    ],
)
async def test_choice_that_can_not_be_quoted_is_refused(
    world: World, query: str, status: int, code: str
) -> None:
    project_id = await world.store(OPEN)
    async with world.session.get(f"{world.url}/projects/{project_id}/quotes?{query}") as response:
        assert (response.status, (await response.json())["code"]) == (status, code)


async def test_prompt_is_quoted_as_it_is_sent(world: World) -> None:
    project_id = await world.store(OPEN)
    quoted = (await world.project(project_id))["quotes"]
    await generate(world, project_id)
    with closing(sqlite3.connect(world.database)) as db:
        sent = dict(db.execute("SELECT scene, json_extract(request, '$.prompt') FROM clips"))
    assert {scene: quote["prompt"] for scene, quote in quoted.items()} == sent


async def test_seconds_that_no_model_makes_are_told_in_the_answer_and_the_quote(world: World) -> None:
    project_id = await world.store(OPEN)
    quote, other = (await world.project(project_id))["quotes"].values()
    assert (quote["duration_s"], quote["wanted_s"], other["wanted_s"]) == (6, 5, None)
    await world.set_faults(fail_rate=1)
    first, second = (await generate(world, project_id))["results"]
    said = "5 s was asked for; this model makes 4, 6 or 8 s, so the clip has 6 s."
    assert (first["note"], "note" in second) == (said, False)
    await world.set_faults()
    assert (await world.retry(project_id, scenes=["1"]))["results"][0]["note"] == said


async def test_failed_clip_is_quoted_as_to_be_paid(world: World) -> None:
    await world.set_faults(fail_rate=1)
    project_id = await world.store(OPEN)
    await generate(world, project_id, model=LITE)
    project = await world.project(project_id)
    assert due(project) == 0.3
    assert [job["outdated"] for job in project["jobs"]] == [False, False]


async def test_stream_tells_prices_and_what_an_edit_has_outdated(world: World) -> None:
    project_id = await world.store(1)
    async with event_stream(world.session, world.url, project_id) as events:
        assert (await anext(events)).data["quotes"]["1"]["usd"] is None
        await world.generate(project_id)
        async for event in events:
            assert ("quotes" in event.data, event.data["jobs"][0]["outdated"]) == (False, False)
            if event.statuses["1"] == "succeeded":
                break
        assert event.data["usd_per_second"] == 0.2
        world.rewrite(project_id, scenes={"1": {"description": "Another scene.", "duration": 8}})
        edited = await anext(events)
    assert (edited.kind, edited.data["jobs"][0]["outdated"]) == ("snapshot", True)
    assert edited.data["quotes"]["1"]["usd"] == 1.6


async def test_project_of_a_model_that_is_not_allowed_any_more_is_shown_without_quotes(world: World) -> None:
    project_id = await world.store(OPEN)
    await generate(world, project_id, model=LITE)
    database = world.database
    async with running_service(world.sandbox_url, database, runware_models=FAST) as narrower:
        project = await narrower.project(project_id)
        assert (project["model"], project["quotes"], project["usd_per_second"]) == (LITE, {}, None)
        assert [job["outdated"] for job in project["jobs"]] == [False, False]
        async with event_stream(narrower.session, narrower.url, project_id) as events:
            assert (await anext(events)).data["quotes"] == {}


async def test_prices_are_the_tables_where_the_past_can_not_be_read(world: World) -> None:
    other = await world.store(1)
    await generate(world, other, model=LITE)
    with closing(sqlite3.connect(world.database)) as db, db:
        db.execute("UPDATE clips SET request = 'no JSON' WHERE project_id = ?", [other])
    async with running_service(world.sandbox_url, world.database, runware_model=LITE) as restarted:
        project_id = await restarted.store(OPEN)
        assert due(await restarted.project(project_id)) == 0.3
        async with event_stream(restarted.session, restarted.url, project_id) as events:
            assert (await anext(events)).data["usd_per_second"] == 0.03
        assert (await restarted.get("/studio/estimates"))["prices"][0]["basis"] == "table"
