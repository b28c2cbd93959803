"""Tasks by websocket: the key, answers, pushed results, sessions, and what breaks a connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.sandbox.websocket import MAX_UNANSWERED
from tests.sandbox.support import KEY, Caller, Connection, Json, Receiver, serve, video_task

PING: Json = {"taskType": "ping", "ping": True}
PONG: Json = {"data": [{"taskType": "ping", "pong": True}]}
SLOW = "A hill [sandbox:slow=60]"


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serve(tmp_path) as caller:
        yield caller


def acknowledgement(task: Json) -> Json:
    return {"data": [{"taskType": "videoInference", "taskUUID": task["taskUUID"]}]}


def question(task: Json) -> Json:
    return {"taskType": "getResponse", "taskUUID": task["taskUUID"]}


async def test_key_is_answered_with_the_uuid_of_a_session(caller: Caller) -> None:
    async with caller.connection() as connection:
        (answer,) = (await connection.greet())["data"]
    assert (answer["taskType"], len(answer["connectionSessionUUID"])) == ("authentication", 36)


@pytest.mark.parametrize(("key", "code"), [("", "missingApiKey"), ("wrong", "invalidApiKey")])
async def test_missing_or_wrong_key_is_refused_and_can_be_mended(caller: Caller, key: str, code: str) -> None:
    async with caller.connection() as connection:
        (error,) = (await connection.greet(key))["errors"]
        assert (error["code"], error["taskType"]) == (code, "authentication")
        (refused,) = (await connection.call(caller.task()))["errors"]
        assert refused["code"] == "missingApiKey"
        await connection.greet()
        assert await connection.call(PING) == PONG
    assert (await caller.ledger())["accepted"] == 0


async def test_empty_key_option_needs_no_authentication(tmp_path: Path) -> None:
    async with serve(tmp_path, api_key="") as caller, caller.connection() as connection:
        assert await connection.call(PING) == PONG


async def test_key_and_task_can_come_in_one_message(caller: Caller) -> None:
    task = caller.task()
    async with caller.connection() as connection:
        greeted = await connection.call({"taskType": "authentication", "apiKey": KEY}, task)
        assert greeted["data"][0]["taskType"] == "authentication"
        assert await connection.receive() == acknowledgement(task)


async def test_request_that_is_no_upgrade_is_refused(caller: Caller) -> None:
    async with caller.session.get(f"{caller.url}/v1") as response:
        assert response.status == 426


@pytest.mark.parametrize("message", ["nonsense", "{}", "[]"])
async def test_message_that_is_no_array_of_tasks_is_refused_and_the_next_is_read(
    caller: Caller, message: str
) -> None:
    async with caller.admitted() as connection:
        await connection.websocket.send_str(message)
        assert (await connection.receive()).keys() == {"errors"}
        assert await connection.call(PING) == PONG


async def test_result_is_pushed_after_the_acknowledgement(caller: Caller) -> None:
    task = caller.task(includeCost=True)
    async with caller.admitted() as connection:
        assert await connection.call(task) == acknowledgement(task)
        pushed = await connection.receive()
    (result,) = pushed["data"]
    assert (result["taskUUID"], result["status"], result["cost"]) == (task["taskUUID"], "success", 0.8)
    assert await caller.look_up(task) == (200, pushed)


async def test_job_that_ends_before_its_acknowledgement_is_pushed_after_it(tmp_path: Path) -> None:
    async with serve(tmp_path, answer_delay_seconds=0.5) as caller, caller.admitted() as connection:
        task = caller.task()
        assert await connection.call(task) == acknowledgement(task)
        assert (await connection.receive())["data"][0]["status"] == "success"


@pytest.mark.parametrize("place", ["data", "data-flat", "errors", "errors-400"])
async def test_failure_is_pushed_where_a_poll_tells_it(tmp_path: Path, place: str) -> None:
    async with serve(tmp_path, failure_place=place) as caller, caller.admitted() as connection:
        task = caller.task(positivePrompt="A hill [sandbox:fail]")
        await connection.call(task)
        (failure,) = (await connection.receive())["data" if place.startswith("data") else "errors"]
        _, polled = await caller.look_up(task)
    assert (failure["taskUUID"], failure["status"]) == (task["taskUUID"], "error")
    assert failure in [*polled["data"], *polled.get("errors", [])]


async def test_each_job_of_a_message_is_pushed_when_it_ends(caller: Caller) -> None:
    slow, quick = caller.task(positivePrompt="A hill [sandbox:slow=0.5]"), caller.task()
    async with caller.admitted() as connection:
        await connection.call(slow, quick)
        ended = [(await connection.receive())["data"][0]["taskUUID"] for _ in range(2)]
    assert ended == [quick["taskUUID"], slow["taskUUID"]]


async def test_good_and_bad_tasks_of_a_message_are_answered_apart(caller: Caller) -> None:
    good, bad = caller.task(), caller.task(duration=5)
    async with caller.admitted() as connection:
        assert await connection.call(bad, good) == acknowledgement(good)
        refused = await connection.receive()
    assert [(error["taskUUID"], error["parameter"]) for error in refused["errors"]] == [
        (bad["taskUUID"], "duration")
    ]
    assert "data" not in refused


async def test_job_can_be_asked_for_by_any_transport(caller: Caller) -> None:
    task = caller.task(positivePrompt=SLOW)
    async with caller.admitted() as connection, caller.admitted() as other:
        await connection.call(task)
        expected = {"data": [{**acknowledgement(task)["data"][0], "status": "processing"}]}
        assert await connection.call(question(task)) == expected
        assert await other.call(question(task)) == expected
        assert await caller.look_up(task) == (200, expected)


async def test_task_sent_over_two_transports_is_one_job(caller: Caller) -> None:
    task = caller.task(positivePrompt=SLOW)
    await caller.post(task)
    async with caller.admitted() as connection:
        (error,) = (await connection.call(task))["errors"]
    assert (error["code"], error["taskUUID"]) == ("conflictTaskUUID", task["taskUUID"])
    assert (await caller.ledger())["accepted"] == 1


async def test_synchronous_result_is_the_answer_and_not_pushed_again(caller: Caller) -> None:
    async with caller.admitted() as connection:
        answer = await connection.call(caller.task(deliveryMethod="sync"))
        assert answer["data"][0]["status"] == "success"
        assert await connection.call(PING) == PONG


async def test_synchronous_job_holds_up_no_other_message(caller: Caller) -> None:
    async with caller.admitted() as connection:
        await connection.send(caller.task(deliveryMethod="sync", positivePrompt=SLOW))
        assert await connection.call(PING) == PONG


async def test_only_so_many_messages_wait_for_their_answers(caller: Caller) -> None:
    """A job that ends at once is not even accepted while the others wait for theirs."""
    late = caller.task(deliveryMethod="sync")
    async with caller.admitted() as connection:
        for _ in range(MAX_UNANSWERED):
            waiting = caller.task(deliveryMethod="sync", positivePrompt="A hill [sandbox:slow=2]")
            await connection.send(waiting)
        first = await connection.call(late)
    assert first["data"][0]["taskUUID"] != late["taskUUID"]


async def test_forgotten_job_is_not_pushed(caller: Caller) -> None:
    task = caller.task(positivePrompt="A hill [sandbox:forget]")
    async with caller.admitted() as connection:
        assert await connection.call(task) == acknowledgement(task)
        assert await connection.call(question(task)) == {"data": []}


async def test_webhook_is_sent_beside_the_pushed_result(caller: Caller) -> None:
    async with Receiver().receiving() as receiver, caller.admitted() as connection:
        task = caller.task(webhookURL=receiver.url, positivePrompt="A hill [sandbox:early-webhook]")
        assert await connection.call(task) == acknowledgement(task)
        assert [body["taskUUID"] for body in receiver.bodies] == [task["taskUUID"]]
        assert (await connection.receive())["data"][0]["status"] == "success"


async def submit_and_leave(caller: Caller, *tasks: Json) -> str:
    """Have tasks accepted over a connection that ends before their jobs do; return its session."""
    async with caller.admitted() as connection:
        for task in tasks:
            assert await connection.call(task) == acknowledgement(task)
    return connection.session_uuid


async def test_results_of_a_broken_connection_are_pushed_to_the_next_one(caller: Caller) -> None:
    tasks = [caller.task(positivePrompt="A hill [sandbox:slow=0.3]") for _ in range(3)]
    session = await submit_and_leave(caller, *tasks)
    for task in tasks:
        await caller.result(task)
    async with caller.admitted(session) as connection:
        assert connection.session_uuid == session
        pushed = [(await connection.receive())["data"][0]["taskUUID"] for _ in tasks]
        assert await connection.call(PING) == PONG, "each result is pushed once"
    assert sorted(pushed) == sorted(task["taskUUID"] for task in tasks)


async def test_job_that_ends_after_the_return_is_pushed_too(caller: Caller) -> None:
    task = caller.task(positivePrompt="A hill [sandbox:slow=0.5]")
    session = await submit_and_leave(caller, task)
    async with caller.admitted(session) as connection:
        assert (await connection.receive())["data"][0]["taskUUID"] == task["taskUUID"]


async def test_greeting_is_answered_before_owed_results_and_other_tasks(caller: Caller) -> None:
    task = caller.task(positivePrompt="A hill [sandbox:slow=0.3]")
    session = await submit_and_leave(caller, task)
    await caller.result(task)
    greeting = {"taskType": "authentication", "apiKey": KEY, "connectionSessionUUID": session}
    async with caller.connection() as connection:
        await connection.send(greeting, caller.task(positivePrompt=SLOW))
        frames = [(await connection.receive())["data"][0] for _ in range(3)]
    assert frames[0] == {"taskType": "authentication", "connectionSessionUUID": session}
    assert task["taskUUID"] in {frame["taskUUID"] for frame in frames[1:]}


async def test_result_of_a_broken_connection_can_be_asked_for_without_its_session(caller: Caller) -> None:
    task = caller.task(positivePrompt="A hill [sandbox:slow=0.3]")
    session = await submit_and_leave(caller, task)
    await caller.result(task)
    async with caller.admitted() as connection:
        assert connection.session_uuid != session
        assert (await connection.call(question(task)))["data"][0]["status"] == "success"


@pytest.mark.parametrize("session", ["770a8400-e29b-41d4-a716-446655440000", "", 5, ["x"]])
async def test_unknown_session_is_answered_with_a_new_one(caller: Caller, session: Any) -> None:
    async with caller.connection() as connection:
        await connection.greet(session_uuid=session)
        assert len(connection.session_uuid) == 36
        assert connection.session_uuid != session


async def test_result_goes_to_the_connection_that_took_up_the_session_last(caller: Caller) -> None:
    task = caller.task(positivePrompt="A hill [sandbox:slow=0.5]")
    async with caller.admitted() as stale:
        await stale.call(task)
        async with caller.admitted(stale.session_uuid) as fresh:
            assert (await fresh.receive())["data"][0]["taskUUID"] == task["taskUUID"]
            assert await stale.call(PING) == PONG


async def test_synchronous_result_of_a_broken_connection_is_pushed_to_the_next_one(caller: Caller) -> None:
    task = caller.task(deliveryMethod="sync", positivePrompt="A hill [sandbox:slow=0.3]")
    async with caller.admitted() as connection:
        await connection.send(task)
        await connection.call(PING)
    await caller.result(task)
    async with caller.admitted(connection.session_uuid) as again:
        assert (await again.receive())["data"][0]["taskUUID"] == task["taskUUID"]


async def test_submission_followed_by_a_close_at_once_is_pushed_to_the_next_connection(
    caller: Caller,
) -> None:
    task = caller.task()
    async with caller.admitted() as connection:
        await connection.send(task)
    await caller.result(task)
    async with caller.admitted(connection.session_uuid) as again:
        assert (await again.receive())["data"][0]["taskUUID"] == task["taskUUID"]


async def test_lost_reply_breaks_the_connection_after_the_task_was_accepted(tmp_path: Path) -> None:
    async with serve(tmp_path, lose_reply_rate=1) as caller:
        task = caller.task()
        async with caller.admitted() as connection:
            await connection.send(task)
            assert await connection.ended() != aiohttp.WSCloseCode.OK
        await caller.set_faults()
        await caller.result(task)
        async with caller.admitted(connection.session_uuid) as again:
            assert (await again.receive())["data"][0]["taskUUID"] == task["taskUUID"]


async def test_dropped_submission_breaks_the_connection_and_nothing_is_accepted(tmp_path: Path) -> None:
    async with serve(tmp_path, drop_submission_rate=1) as caller, caller.admitted() as connection:
        await connection.send(caller.task())
        assert await connection.ended() != aiohttp.WSCloseCode.OK
        assert (await caller.ledger())["accepted"] == 0


async def test_burst_without_json_closes_the_connection(caller: Caller) -> None:
    async with caller.admitted() as connection:
        await caller.set_faults(burst_rate=1, burst_status=503)
        await connection.send(caller.task())
        assert await connection.ended() == aiohttp.WSCloseCode.TRY_AGAIN_LATER
    assert (await caller.ledger())["accepted"] == 0


async def test_burst_with_json_is_an_error_that_names_no_task(caller: Caller) -> None:
    async with caller.admitted() as connection:
        await caller.set_faults(burst_rate=1, burst_status=429, burst_json=True)
        answer = await connection.call(caller.task())
    assert answer == {"errors": [{"code": "rateLimitExceeded", "message": "Too Many Requests"}]}


async def test_full_queue_is_an_error_and_the_connection_stays(tmp_path: Path) -> None:
    async with serve(tmp_path, max_jobs=1) as caller, caller.admitted() as connection:
        await connection.call(caller.task(positivePrompt=SLOW))
        (error,) = (await connection.call(caller.task()))["errors"]
        assert (error["code"], "taskUUID" in error) == ("rateLimitExceeded", False)
        assert await connection.call(PING) == PONG


@pytest.mark.parametrize(("fault", "status"), [("status=503", 503), ("explode", 400)])
async def test_fault_header_strikes_the_handshake(caller: Caller, fault: str, status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        async with caller.connection(fault=fault):
            pass
    assert raised.value.status == status


async def test_handshake_can_get_no_answer(caller: Caller) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        async with caller.connection(fault="lose-reply"):
            pass


async def test_serving_ends_while_a_connection_waits(tmp_path: Path) -> None:
    waiting = video_task(deliveryMethod="sync", inputs=None, width=720, height=1280, positivePrompt=SLOW)
    async with aiohttp.ClientSession() as session:
        async with serve(tmp_path) as caller:
            connection = Connection(await session.ws_connect(f"{caller.url}/v1"))
            await connection.greet()
            await connection.send(waiting)
            assert await connection.call(PING) == PONG
            code = asyncio.create_task(connection.ended())
        assert await code == aiohttp.WSCloseCode.GOING_AWAY


async def test_frame_of_bytes_is_read_as_text_is(caller: Caller) -> None:
    async with caller.admitted() as connection:
        await connection.websocket.send_bytes(json.dumps([PING]).encode())
        assert await connection.receive() == PONG
