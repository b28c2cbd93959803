"""Requests and their answers: keys, scoped errors, ids seen twice, lookups, the ledger."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.sandbox.support import KEY, Caller, serve


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serve(tmp_path) as caller:
        yield caller


PING = {"taskType": "ping"}


async def test_key_in_the_header_is_accepted(caller: Caller) -> None:
    assert await caller.post(PING) == (200, {"data": [{"taskType": "ping", "pong": True}]})


async def test_key_in_the_first_element_is_accepted_and_answered(caller: Caller) -> None:
    greeting = {"taskType": "authentication", "apiKey": KEY}
    status, answer = await caller.post(greeting, PING, key="")
    assert status == 200
    assert [element["taskType"] for element in answer["data"]] == ["authentication", "ping"]
    assert answer["data"][0]["connectionSessionUUID"]


@pytest.mark.parametrize(("key", "code"), [("", "missingApiKey"), ("wrong", "invalidApiKey")])
async def test_missing_or_wrong_key_is_refused(caller: Caller, key: str, code: str) -> None:
    status, answer = await caller.post(caller.task(), key=key)
    assert (status, answer["errors"][0]["code"]) == (401, code)
    assert (await caller.ledger())["accepted"] == 0


async def test_empty_key_option_accepts_every_key(tmp_path: Path) -> None:
    async with serve(tmp_path, api_key="") as caller:
        assert (await caller.post(PING, key="anything"))[0] == 200


@pytest.mark.parametrize("body", ["nonsense", "{}", "[]", "[1]"])
async def test_body_that_is_no_array_of_tasks_is_refused(caller: Caller, body: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with caller.session.post(f"{caller.url}/v1/", data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json()).keys() == {"errors"}


async def test_bad_task_does_not_touch_the_good_one(caller: Caller) -> None:
    good, bad = caller.task(), caller.task(duration=5)
    status, answer = await caller.post(bad, good)
    assert status == 200
    assert answer["data"] == [{"taskType": "videoInference", "taskUUID": good["taskUUID"]}]
    assert [(error["taskUUID"], error["parameter"]) for error in answer["errors"]] == [
        (bad["taskUUID"], "duration")
    ]


async def test_request_of_bad_tasks_only_is_400(caller: Caller) -> None:
    status, answer = await caller.post(caller.task(duration=5), {"taskType": "imageInference"})
    assert (status, "data" in answer) == (400, False)
    assert [error["code"] for error in answer["errors"]] == ["invalidDuration", "invalidTaskType"]
    assert (await caller.ledger())["refused"] == 1


async def test_repeated_task_uuid_is_a_conflict_and_not_a_second_job(caller: Caller) -> None:
    task = caller.task()
    await caller.post(task)
    status, answer = await caller.post(task)
    assert (status, answer["errors"][0]["code"]) == (400, "conflictTaskUUID")
    ledger = await caller.ledger()
    assert (ledger["accepted"], ledger["seen_twice"]) == (1, [task["taskUUID"]])
    assert ledger["tasks"][task["taskUUID"]]["seen"] == 2


async def test_lookup_answers_each_job_by_its_state(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        slow = caller.task(positivePrompt="A hill [sandbox:slow=60]")
        done = caller.task()
        await caller.post(slow, done)
        await caller.result(done)
        status, answer = await caller.look_up(slow, done, caller.task())
        assert status == 200
        assert [element["status"] for element in answer["data"]] == ["processing", "success"]


async def test_result_has_the_cost_only_when_asked_for(caller: Caller) -> None:
    assert "cost" not in await caller.run()
    assert (await caller.run(includeCost=True))["cost"] == 0.8


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:9/first.png", "downloadFailed"),
        ("{}/nothing.png", "downloadFailed"),
        ("{}/healthz", "invalidFrameImages"),
        ("data:image/png;base64,!", "invalidFrameImages"),
        ("data:image/png;base64,iVBORw0KGgo=", "invalidFrameImages"),
    ],
)
async def test_frame_that_is_no_picture_fails_the_job(tmp_path: Path, url: str, code: str) -> None:
    async with serve(tmp_path, private_frames="take") as caller:
        frame = {"image": url.format(caller.url), "frame": "first"}
        result = await caller.run(inputs={"frameImages": [frame]})
    assert (result["status"], result["code"]) == ("error", code)


async def test_ledger_bills_what_was_accepted_except_failures(caller: Caller) -> None:
    await caller.run(duration=4)
    await caller.run(duration=8, model="google:3@3")
    await caller.run(positivePrompt="A hill [sandbox:fail]")
    await caller.post(caller.task(duration=5))
    ledger = await caller.ledger()
    assert {key: ledger[key] for key in ("accepted", "billed", "cost_usd", "refused", "seen_twice")} == {
        "accepted": 3,
        "billed": 2,
        "cost_usd": 1.6,
        "refused": 1,
        "seen_twice": [],
    }
    assert sorted(task["state"] for task in ledger["tasks"].values()) == ["error", "success", "success"]


async def test_oldest_finished_jobs_make_room_and_totals_stay(tmp_path: Path) -> None:
    async with serve(tmp_path, max_jobs=2) as caller:
        first = caller.task()
        await caller.post(first)
        await caller.result(first)
        for _ in range(2):
            await caller.run()
        assert await caller.look_up(first) == (200, {"data": []})
        ledger = await caller.ledger()
        assert (ledger["accepted"], len(ledger["tasks"])) == (3, 2)


async def test_full_queue_is_429_and_lookups_go_on(tmp_path: Path) -> None:
    async with serve(tmp_path, max_jobs=1, min_seconds=60, max_seconds=60) as caller:
        task = caller.task()
        assert (await caller.post(task))[0] == 200
        status, answer = await caller.post(caller.task())
        assert (status, answer["errors"][0]["code"]) == (429, "rateLimitExceeded")
        assert (await caller.look_up(task))[0] == 200


async def test_serving_ends_while_jobs_and_calls_are_under_way(tmp_path: Path) -> None:
    async with serve(tmp_path, min_seconds=60, max_seconds=60) as caller:
        await caller.post(caller.task(), caller.task())
        held = asyncio.create_task(caller.post(caller.task(deliveryMethod="sync")))
        await asyncio.sleep(0.1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await held
