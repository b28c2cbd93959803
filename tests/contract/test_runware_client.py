"""The client against a Runware that answers exactly as the test says, over real HTTP."""

import asyncio
import base64
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from service.clips.frames import FrameRules
from service.clips.images import ImageType
from service.clips.models import Clip, FailureKind, TaskUUID
from service.clips.outcomes import Acknowledged, Failed, Outcome, Throttled, Unclear
from service.runware.answers import Reply
from service.runware.callbacks import CallbackURLs
from service.runware.client import RunwareClient
from service.runware.frames import Frames
from service.runware.results import video_url_check
from service.runware.tasks import account_task
from service.serving import listen
from service.stores.uploads import LocalUploads
from tests.builders import clip, request

Tasks = list[dict[str, Any]]
Handler = Callable[[Tasks], Awaitable[web.StreamResponse]]
WITHIN = timedelta(seconds=5)


@dataclass(slots=True)
class FakeRunware:
    """Answers by `handler`, and keeps every request: its tasks and its headers."""

    handler: Handler
    requests: list[Tasks] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def kinds(self) -> list[str]:
        """The task types of the requests, in order."""
        return [tasks[0]["taskType"] for tasks in self.requests]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        tasks: Tasks = await request.json()
        self.requests.append(tasks)
        self.headers.append(request.headers)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.handler(tasks)
        finally:
            self.at_once -= 1


def acks(tasks: Tasks) -> web.Response:
    return web.json_response(
        {"data": [{"taskType": t["taskType"], "taskUUID": t["taskUUID"]} for t in tasks]}
    )


def no_record(tasks: Tasks) -> web.Response:
    assert {task["taskType"] for task in tasks} == {"getTaskDetails"}
    return web.json_response({"data": []})


def refusal(code: str, status: int) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": "No."}]}, status=status)


def account(balance: object) -> web.Response:
    element = {"taskType": "accountManagement", "operation": "getDetails", "balance": balance}
    return web.json_response({"data": [element]})


def unknown(tasks: Tasks) -> web.Response:
    errors = [{"code": "taskNotFound", "message": "?", "taskUUID": t["taskUUID"]} for t in tasks]
    return web.json_response({"errors": errors}, status=404)


async def kept(folder: Path, content: bytes) -> str:
    """Keep an image as an upload; gives its name."""
    return (await LocalUploads(folder, "").keep(content, ImageType.PNG)).strip("/")


@asynccontextmanager
async def speaking_to(
    handler: Handler,
    *,
    batch_size: int = 25,
    ask_concurrency: int = 2,
    submit_within: float = 10,
    uploads: Path = Path("nowhere"),
) -> AsyncIterator[tuple[RunwareClient, FakeRunware]]:
    fake = FakeRunware(handler)
    app = web.Application()
    app.router.add_post("/v1", fake.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listening, url = listen()
    await web.SockSite(runner, listening).start()
    client = RunwareClient(
        url=f"{url}/v1",
        api_key="the-key",
        batch_size=batch_size,
        ask_concurrency=ask_concurrency,
        submit_within=timedelta(seconds=submit_within),
        callbacks=CallbackURLs(None, []),
        frames=Frames(FrameRules(), LocalUploads(uploads, "/uploads")),
        check=video_url_check(["*.runware.ai"]),
    )
    try:
        async with client:
            yield client, fake
    finally:
        await runner.cleanup()


def some_clips(count: int) -> list[Clip]:
    return [clip(str(n)) for n in range(count)]


def ids(clips: list[Clip]) -> list[TaskUUID]:
    return [one.task_uuid for one in clips]


def kinds_of(outcomes: Mapping[TaskUUID, Outcome]) -> set[type]:
    return {type(outcome) for outcome in outcomes.values()}


async def test_batch_goes_out_as_one_request_with_the_key() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return acks(tasks)

    async with speaking_to(handler) as (client, fake):
        clips = some_clips(25)
        assert kinds_of(await client.submit(clips)) == {Acknowledged}
        assert [[task["taskUUID"] for task in tasks] for tasks in fake.requests] == [ids(clips)]
        assert fake.headers[0]["Authorization"] == "Bearer the-key"


def images_of(tasks: Tasks) -> list[list[str]]:
    return [[frame["image"] for frame in task["inputs"]["frameImages"]] for task in tasks]


def uploaded_pair(host: str, *names: str) -> dict[str, Any]:
    first, last = (f"{host}/uploads/{name}" for name in names)
    return {"request": request(first_frame=first, last_frame=last)}


async def test_uploads_that_runware_can_not_fetch_go_along_and_all_else_by_its_url(tmp_path: Path) -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return acks(tasks)

    name = await kept(tmp_path, b"picture")
    ours, theirs = (
        clip(**uploaded_pair(host, name, name)) for host in ("http://localhost:8000", "https://clips.example")
    )
    async with speaking_to(handler, uploads=tmp_path) as (client, fake):
        assert kinds_of(await client.submit([ours, theirs])) == {Acknowledged}
        assert await client.bytes_sent([ours, theirs]) == {ours.task_uuid: 24, theirs.task_uuid: 0}
    enclosed = f"data:image/png;base64,{base64.b64encode(b'picture').decode()}"
    by_url = f"https://clips.example/uploads/{name}"
    assert images_of(fake.requests[0]) == [[enclosed, enclosed], [by_url, by_url]]


async def test_clip_whose_upload_is_gone_fails_alone_and_is_not_sent(tmp_path: Path) -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return acks(tasks)

    name = await kept(tmp_path, b"picture")
    good, bad = (
        clip(**uploaded_pair("http://127.0.0.1:8000", name, last)) for last in (name, "0" * 64 + ".png")
    )
    async with speaking_to(handler, uploads=tmp_path) as (client, fake):
        outcomes = await client.submit([bad, good])
        assert kinds_of(await client.submit([bad])) == {Failed}
    assert [[task["taskUUID"] for task in tasks] for tasks in fake.requests] == [[good.task_uuid]]
    assert outcomes[good.task_uuid] == Acknowledged()
    failed = outcomes[bad.task_uuid]
    assert isinstance(failed, Failed)
    assert failed.failure.code == "frameUnreadable"
    assert failed.failure.message == (
        "The uploaded image of last_frame can't be read any more, so that the clip could not be sent. "
        "Upload the image again, then retry the clip."
    )


async def test_archive_that_gives_back_more_than_is_read_is_asked_for_fewer_at_a_time() -> None:
    clips = some_clips(4)

    async def handler(tasks: Tasks) -> web.StreamResponse:
        if len(tasks) > 1:
            return web.Response(body=b"[" + b" " * 2**26, content_type="application/json")
        return web.json_response({"data": [{**tasks[0], "request": [{}], "response": {"data": []}}]})

    async with speaking_to(handler) as (client, fake):
        traced = await client.trace(ids(clips), timedelta(seconds=30), "poller")
    assert [len(tasks) for tasks in fake.requests] == [4, 2, 1, 1, 2, 1, 1]
    assert set(traced) == set(ids(clips))
    assert Unclear not in kinds_of(traced)


async def test_after_a_5xx_the_tasks_are_asked_for_before_any_is_sent_again() -> None:
    """One of the two was taken although the answer was a 500."""
    clips = some_clips(2)

    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "getTaskDetails":
            return no_record(tasks)
        if tasks[0]["taskType"] == "getResponse":
            return web.json_response(
                {
                    "data": [{"taskUUID": clips[0].task_uuid, "status": "processing"}],
                    "errors": [{"code": "taskNotFound", "message": "?", "taskUUID": clips[1].task_uuid}],
                }
            )
        return acks(tasks) if len(tasks) == 1 else web.Response(status=500)

    async with speaking_to(handler) as (client, fake):
        assert kinds_of(await client.submit(clips)) == {Acknowledged}
        assert fake.kinds == ["videoInference", "getResponse", "getTaskDetails", "videoInference"]
        for request in fake.requests[2:]:
            assert [task["taskUUID"] for task in request] == [clips[1].task_uuid]


async def test_task_that_runware_does_not_list_after_a_5xx_but_has_a_record_of_is_not_sent_again() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "getTaskDetails":
            records = [{**task, "request": [task], "response": {}} for task in tasks]
            return web.json_response({"data": records})
        if tasks[0]["taskType"] == "getResponse":
            return web.json_response({"data": []})
        return web.Response(status=500)

    async with speaking_to(handler) as (client, fake):
        assert kinds_of(await client.submit(some_clips(3))) == {Acknowledged}
        assert fake.kinds == ["videoInference", "getResponse", "getTaskDetails"]


@pytest.mark.parametrize("answer", ["nonsense", "refusal"])
async def test_question_that_stays_unclear_is_no_leave_to_send_again(answer: str) -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "getResponse":
            return web.Response(text="odd") if answer == "nonsense" else web.Response(status=401)
        return web.Response(status=500)

    async with speaking_to(handler) as (client, fake):
        assert kinds_of(await client.submit(some_clips(2))) == {Unclear}
        assert fake.kinds == ["videoInference", "getResponse"]


async def test_refusal_after_an_unclear_send_is_only_presumed() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "getResponse":
            return unknown(tasks)
        if tasks[0]["taskType"] == "getTaskDetails":
            return no_record(tasks)
        return web.Response(status=500) if len(fake.requests) == 1 else refusal("invalidDuration", 400)

    async with speaking_to(handler) as (client, fake):
        (outcome,) = (await client.submit(some_clips(1))).values()
        assert isinstance(outcome, Failed)
        assert (outcome.failure.kind, outcome.failure.code) == (FailureKind.LOST, "invalidDuration")


@pytest.mark.parametrize("status", [402, 429])
async def test_lack_of_room_after_an_unclear_send_leaves_the_task_unclear(status: int) -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "getResponse":
            return unknown(tasks)
        if tasks[0]["taskType"] == "getTaskDetails":
            return no_record(tasks)
        return web.Response(status=500 if len(fake.requests) == 1 else status)

    async with speaking_to(handler, submit_within=3) as (client, fake):
        assert kinds_of(await client.submit(some_clips(1))) == {Unclear}


@pytest.mark.parametrize(
    "balance", [12.5, {"amount": 12.5, "currency": "USD"}, {"freeBalance": 1}, None, "?"]
)
async def test_402_of_an_account_with_money_or_an_unreadable_balance_is_a_throttle(balance: object) -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "accountManagement":
            return account(balance)
        return refusal("insufficientCredits", 402)

    async with speaking_to(handler) as (client, _):
        (outcome,) = (await client.submit(some_clips(1))).values()
        assert isinstance(outcome, Throttled)
        assert not outcome.no_credit


@pytest.mark.parametrize("balance", [0, {"amount": 0, "freeBalance": 0.001, "currency": "USD"}])
async def test_402_of_an_empty_account_is_told_with_the_balance(balance: object) -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "accountManagement":
            return account(balance)
        return refusal("insufficientCredits", 402)

    async with speaking_to(handler) as (client, fake):
        outcomes = await client.submit(some_clips(25))
        for outcome in outcomes.values():
            assert isinstance(outcome, Failed)
            assert (outcome.failure.kind, outcome.failure.code) == (
                FailureKind.ACCOUNT,
                "insufficientCredits",
            )
            assert outcome.failure.message == "No. The account's balance is $0.00."
        assert fake.kinds.count("accountManagement") == 1


async def test_batch_that_is_too_much_at_a_time_goes_through_in_smaller_ones() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return acks(tasks) if len(tasks) <= 4 else refusal("insufficientCredits", 402)

    async with speaking_to(handler) as (client, _):
        assert kinds_of(await client.submit(some_clips(25))) == {Acknowledged}


async def test_where_there_is_no_room_for_one_task_the_others_are_not_tried() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "accountManagement":
            return account(5)
        return refusal("rateLimitExceeded", 400)

    async with speaking_to(handler) as (client, fake):
        assert kinds_of(await client.submit(some_clips(25))) == {Throttled}
        assert len(fake.requests) <= 6


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_jobs_own_end_is_read_from_an_answer_of_any_status_and_the_others_are_asked_again(
    status: int,
) -> None:
    clips = some_clips(3)
    moderated = {
        "code": "invalidProviderContent",
        "message": "Invalid content.",
        "taskUUID": clips[0].task_uuid,
        "taskType": "videoInference",
        "status": "error",
    }

    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskUUID"] == clips[0].task_uuid:
            return web.json_response({"data": [], "errors": [moderated]}, status=status)
        return web.json_response({"data": [{**task, "status": "processing"} for task in tasks]})

    async with speaking_to(handler) as (client, fake):
        outcomes = await client.ask(ids(clips), WITHIN, "poller")
        assert [type(outcomes[task]) for task in ids(clips)] == [Failed, Acknowledged, Acknowledged]
        assert [len(tasks) for tasks in fake.requests] == [3, 2]


async def test_after_a_429_the_batch_is_sent_again_without_a_question() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return web.Response(status=429) if len(fake.requests) < 3 else acks(tasks)

    async with speaking_to(handler) as (client, fake):
        assert kinds_of(await client.submit(some_clips(2))) == {Acknowledged}
        assert fake.kinds == ["videoInference"] * 3


async def test_retry_after_is_kept_to() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return (
            acks(tasks) if len(fake.requests) > 1 else web.Response(status=429, headers={"Retry-After": "1"})
        )

    async with speaking_to(handler) as (client, fake):
        started = time.monotonic()
        await client.submit(some_clips(1))
        assert time.monotonic() - started >= 1
        assert len(fake.requests) == 2


@pytest.mark.parametrize("retry_after", ["0", "99999999", "9" * 5000, "-1", "soon"])
async def test_odd_retry_after_makes_neither_a_storm_nor_a_wait_without_end(retry_after: str) -> None:
    async def handler(_: Tasks) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": retry_after})

    async with speaking_to(handler, submit_within=2) as (client, fake):
        started = time.monotonic()
        assert kinds_of(await client.submit(some_clips(3))) <= {Unclear, Throttled}
        assert time.monotonic() - started < 5
        assert len(fake.requests) < 30


async def test_time_out_is_unclear_and_nothing_is_sent_again() -> None:
    async def handler(_: Tasks) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with speaking_to(handler, submit_within=0.5) as (client, fake):
        assert kinds_of(await client.submit(some_clips(3))) == {Unclear}
        assert len(fake.requests) == 1


async def test_dividing_a_refused_batch_keeps_to_the_submissions_time() -> None:
    async def handler(_: Tasks) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return web.json_response({"errors": [{"code": "invalidRequest", "message": "No."}]}, status=400)

    async with speaking_to(handler, submit_within=1.5) as (client, _):
        started = time.monotonic()
        outcomes = await client.submit(some_clips(25))
        assert time.monotonic() - started < 2.5
        assert kinds_of(outcomes) == {Unclear, Failed}


async def test_questions_go_out_in_batches_and_no_more_at_a_time_than_allowed() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return acks(tasks)

    async with speaking_to(handler, batch_size=10, ask_concurrency=3) as (client, fake):
        outcomes = await client.ask(ids(some_clips(95)), WITHIN, "poller")
        assert kinds_of(outcomes) == {Acknowledged}
        assert sorted(map(len, fake.requests)) == [5, *[10] * 9]
        assert fake.most_at_once == 3


async def test_hanging_questions_do_not_keep_a_submission_waiting() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "getResponse":
            await asyncio.sleep(30)
        return acks(tasks)

    async with speaking_to(handler, ask_concurrency=1) as (client, _):
        asking = asyncio.create_task(client.ask(ids(some_clips(100)), timedelta(seconds=1), "poller"))
        await asyncio.sleep(0.1)
        assert kinds_of(await asyncio.wait_for(client.submit(some_clips(3)), 0.8)) == {Acknowledged}
        assert kinds_of(await asking) == {Unclear}


async def test_answers_that_came_before_the_time_was_over_are_kept() -> None:
    clips = some_clips(20)

    async def handler(tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskUUID"] != clips[0].task_uuid:
            await asyncio.sleep(30)
        return acks(tasks)

    async with speaking_to(handler, batch_size=10) as (client, _):
        outcomes = await client.ask(ids(clips), timedelta(seconds=0.5), "poller")
        assert [type(outcomes[task]) for task in ids(clips)] == [Acknowledged] * 10 + [Unclear] * 10


@pytest.mark.parametrize("status", [200, 400, 429, 503])
async def test_exchange_gives_the_answer_unread_and_asks_once(status: int) -> None:
    async def handler(_: Tasks) -> web.StreamResponse:
        return web.json_response({"data": [{"balance": 5}]}, status=status)

    async with speaking_to(handler) as (client, fake):
        assert await client.exchange([account_task()], WITHIN) == Reply(status, {"data": [{"balance": 5}]})
        assert fake.kinds == ["accountManagement"]


async def test_exchange_gives_the_reason_where_no_answer_comes() -> None:
    async def handler(_: Tasks) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with speaking_to(handler) as (client, _):
        reason = await client.exchange([account_task()], timedelta(seconds=0.2))
        assert reason == "Runware did not answer in time"


async def test_redirect_is_not_followed_so_that_the_key_stays_where_it_belongs() -> None:
    async def handler(_: Tasks) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/v1"})

    async with speaking_to(handler) as (client, fake):
        (outcome,) = (await client.submit(some_clips(1))).values()
        assert isinstance(outcome, Failed)
        assert outcome.failure.kind is FailureKind.ACCOUNT
        assert len(fake.requests) == 1


async def test_endless_or_compressed_answer_is_no_answer() -> None:
    async def endless(_: Tasks) -> web.StreamResponse:
        return web.Response(body=b" " * (17 * 2**20), content_type="application/json")

    async def compressed(_: Tasks) -> web.StreamResponse:
        bomb = gzip.compress(b" " * (64 * 2**20))
        return web.Response(
            body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
        )

    for handler in (endless, compressed):
        async with speaking_to(handler) as (client, _):
            assert kinds_of(await client.ask(ids(some_clips(1)), WITHIN, "poller")) == {Unclear}


async def test_unknown_task_is_told_apart_from_no_answer() -> None:
    async def handler(tasks: Tasks) -> web.StreamResponse:
        return unknown(tasks)

    async with speaking_to(handler) as (client, _):
        outcomes = await client.ask(ids(some_clips(30)), WITHIN, "poller")
        assert {type(outcome).__name__ for outcome in outcomes.values()} == {"Unknown"}
