"""What becomes of a call that the server breaks off."""

import asyncio
import json
from typing import Any

from structlog.testing import capture_logs

from service.metrics import Metrics
from service.web.request_log import RequestLog

SCOPE = {"type": "http", "method": "POST", "path": "/functions/v1/generate-clips", "headers": []}


async def answer_when_cancelled(*, begun: bool) -> tuple[list[Any], list[str]]:
    """Cancel a call under way, as the server does after its time to stop; gives messages and log events."""
    waiting = asyncio.Event()
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        waiting.set()
        await asyncio.Event().wait()

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    with capture_logs() as logs:
        call = asyncio.ensure_future(RequestLog(app, Metrics())(dict(SCOPE), receive, send))
        await waiting.wait()
        call.cancel()
        await call
    return sent, [line["event"] for line in logs]


async def test_call_that_outlasts_the_stop_is_answered_503_and_told_in_a_line() -> None:
    (start, body), events = await answer_when_cancelled(begun=False)
    assert start["status"] == 503
    answer = json.loads(body["body"])
    assert (answer["success"], answer["code"]) == (False, "store_unavailable")
    assert "stopping" in answer["error"]
    assert events == ["request broken off: the service is stopping", "request"]


async def test_answer_that_has_begun_is_broken_off_without_another() -> None:
    (start,), events = await answer_when_cancelled(begun=True)
    assert start["status"] == 200
    assert events == ["request broken off: the service is stopping", "request"]
