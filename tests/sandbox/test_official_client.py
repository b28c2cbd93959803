"""Runware's own client for Python, unchanged, takes the sandbox for Runware, over both of its transports."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest
from runware import RunOptions, Runware, RunwareError

from tests.sandbox.support import KEY, Caller, serve

UNKNOWN = "770a8400-e29b-41d4-a716-446655440000"


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serve(tmp_path) as caller:
        yield caller


def by_http(caller: Caller, key: str = KEY) -> Runware:
    return Runware(api_key=key, transport="rest", http_base_url=f"{caller.url}/v1", max_retries=0)


def by_websocket(caller: Caller, key: str = KEY) -> Runware:
    """The client as it is without a word about transports."""
    return Runware(api_key=key, ws_base_url=f"{caller.url.replace('http', 'ws', 1)}/v1", retry_delay=1)


ClientOf = Callable[..., Runware]


@pytest.fixture(params=[by_http, by_websocket])
def client(request: pytest.FixtureRequest) -> ClientOf:
    chosen: ClientOf = request.param
    return chosen


async def test_official_client_gets_a_playable_9_16_clip_of_the_asked_duration(
    caller: Caller, client: ClientOf
) -> None:
    async with client(caller) as runware:
        results = await runware.run(caller.task(includeCost=True, duration=6))
    assert len(results) == 1
    assert results[0]["cost"] == 1.2
    async with caller.session.get(results[0]["videoURL"]) as response:
        content = await response.read()
    with av.open(io.BytesIO(content), "r") as clip:
        assert clip.duration == 6_000_000
        video = clip.streams.video[0]
        assert (video.width, video.height) == (36, 64)


async def test_official_client_gets_the_result_in_one_synchronous_call(
    caller: Caller, client: ClientOf
) -> None:
    async with client(caller) as runware:
        results = await runware.run(caller.task(deliveryMethod="sync"))
    assert results[0]["videoURL"].startswith(caller.url)


async def test_official_client_calls_a_broken_rule_validation(caller: Caller, client: ClientOf) -> None:
    async with client(caller) as runware:
        with pytest.raises(RunwareError) as raised:
            await runware.run(caller.task(duration=5))
    assert (raised.value.code, raised.value.parameter) == ("validation", "duration")


async def test_official_client_calls_a_wrong_key_auth(caller: Caller, client: ClientOf) -> None:
    with pytest.raises(RunwareError) as raised:
        async with client(caller, "wrong") as runware:
            await runware.run(caller.task())
    assert raised.value.code == "auth"


@pytest.mark.parametrize("place", ["data", "errors", "errors-400"])
@pytest.mark.parametrize(("directive", "code"), [("fail", "provider"), ("moderate", "safety")])
async def test_official_client_sorts_the_failures_of_jobs(
    tmp_path: Path, client: ClientOf, directive: str, code: str, place: str
) -> None:
    async with serve(tmp_path, failure_place=place) as caller, client(caller) as runware:
        with pytest.raises(RunwareError) as raised:
            await runware.run(caller.task(positivePrompt=f"A hill [sandbox:{directive}]"))
    assert raised.value.code == code


async def test_official_client_finds_nothing_for_an_unknown_id(caller: Caller) -> None:
    async with by_http(caller) as runware:
        assert await runware.get_response({"taskType": "getResponse", "taskUUID": UNKNOWN}) == []
        assert await runware.get_task_details({"taskType": "getTaskDetails", "taskUUID": UNKNOWN}) == []


async def test_official_client_does_not_see_an_empty_answer_by_websocket(caller: Caller) -> None:
    """It knows answers by the ids in them; one about nothing has none."""
    async with by_websocket(caller) as runware:
        with pytest.raises(RunwareError) as raised:
            await runware.get_response(
                {"taskType": "getResponse", "taskUUID": UNKNOWN}, RunOptions(timeout=300)
            )
    assert raised.value.code == "timeout"


async def test_official_client_comes_back_after_a_lost_reply(tmp_path: Path) -> None:
    async with serve(tmp_path, lose_reply_rate=1) as caller, by_websocket(caller) as runware:
        task = caller.task()
        (result,) = await runware.run(task)
        assert result["taskUUID"] == task["taskUUID"]
        assert (await caller.ledger())["accepted"] == 1


async def test_official_client_calls_an_unknown_task_not_found(tmp_path: Path, client: ClientOf) -> None:
    async with serve(tmp_path, unknown_answer="not-found") as caller, client(caller) as runware:
        with pytest.raises(RunwareError) as raised:
            await runware.get_response({"taskType": "getResponse", "taskUUID": UNKNOWN})
    assert raised.value.code == "notFound"


async def test_official_client_recovers_an_answer_from_the_archive(caller: Caller, client: ClientOf) -> None:
    task = caller.task()
    async with client(caller) as runware:
        results = await runware.run(task)
        (details,) = await runware.get_task_details(
            {"taskType": "getTaskDetails", "taskUUID": task["taskUUID"]}
        )
    assert details["request"][0]["positivePrompt"] == task["positivePrompt"]
    assert details["response"] == {"data": results}


async def test_official_client_reads_the_usage(caller: Caller, client: ClientOf) -> None:
    async with client(caller) as runware:
        await runware.run(caller.task())
        (account,) = await runware.account_management(
            {
                "taskType": "accountManagement",
                "taskUUID": UNKNOWN,
                "operation": "getUsageActivity",
                "groupBy": ["model"],
            }
        )
    assert account["usage"]["model"] == {
        "data": [{"model": "google:3@2", "count": 1, "spend": 0.8}],
        "meta": {"totalRequests": 1, "totalResults": 1, "totalSpend": 0.8},
    }


async def test_official_client_calls_an_empty_account_quota(tmp_path: Path, client: ClientOf) -> None:
    async with serve(tmp_path, balance_usd=0) as caller, client(caller) as runware:
        with pytest.raises(RunwareError) as raised:
            await runware.run(caller.task())
    assert raised.value.code == "quota"


async def test_official_client_reads_the_account(caller: Caller, client: ClientOf) -> None:
    async with client(caller) as runware:
        account = await runware.account_management(
            {
                "taskType": "accountManagement",
                "taskUUID": UNKNOWN,
                "operation": "getDetails",
            }
        )
    assert account[0]["organizationName"] == "Sandbox"
