"""Where the webhook of the doctor's clip arrives: at the running service, or in this process."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from socket import socket
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import build_app, utc_now
from service.clips.models import TaskUUID
from service.doctor.examination import public_url_finding
from service.doctor.findings import Finding, Verdict
from service.doctor.results import Delivery
from service.runware.callbacks import WEBHOOK_PATH
from service.serving import listen, serving
from service.settings import Settings

# Far more than a result; what is longer is not kept whole, and is then no JSON.
_MOST_KEPT_BYTES = 65_536
_UNAUTHORIZED = 401


Deliveries = MutableMapping[TaskUUID, list[Delivery]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """`finding` says how PUBLIC_URL stands.

    `deliveries` are those that this process has taken, by job; None, if it is the running service that takes
    them, so that only the ledger tells of them.
    """

    finding: Finding
    deliveries: Deliveries | None = None

    @property
    def usable(self) -> bool:
        """Whether a clip may be bought: a webhook that is asked for has a way here."""
        return self.finding.verdict is not Verdict.FAILED


class WebhookRecorder:
    """Keeps the webhooks that the application takes; what has no valid token is not kept."""

    def __init__(self, app: ASGIApp, deliveries: Deliveries) -> None:
        self._app = app
        self._deliveries = deliveries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] != WEBHOOK_PATH:
            await self._app(scope, receive, send)
            return
        call = _Call(utc_now(), receive, send)
        await self._app(scope, call.receive, call.send)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if call.answered != _UNAUTHORIZED and "job" in query:
            delivery = Delivery(call.at, bytes(call.content), _content_type(scope), call.answered)
            self._deliveries.setdefault(TaskUUID(query["job"][0]), []).append(delivery)


@dataclass(slots=True)
class _Call:
    at: datetime
    inner_receive: Receive
    inner_send: Send
    content: bytearray = field(default_factory=bytearray)
    answered: int = 0

    async def receive(self) -> Message:
        message = await self.inner_receive()
        if len(self.content) < _MOST_KEPT_BYTES:
            self.content += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answered = int(message["status"])
        await self.inner_send(message)


@asynccontextmanager
async def arriving(settings: Settings) -> AsyncIterator[Arrival]:
    """Find out where webhooks arrive; where no service runs, run one here for the time being.

    That one is like any other copy of the service: it polls, too.
    """
    found = await public_url_finding(settings)
    if found.verdict is Verdict.OK:
        yield Arrival(found)
        return
    listening = _listen(settings)
    if listening is None:
        yield Arrival(_taken(found, settings))
        return
    deliveries: dict[TaskUUID, list[Delivery]] = {}
    app = build_app(settings)
    app.add_middleware(WebhookRecorder, deliveries=deliveries)
    async with serving(app, listening):
        yield Arrival(await public_url_finding(settings), deliveries)


def _listen(settings: Settings) -> socket | None:
    """Listen where PUBLIC_URL leads to; without one, anywhere: nobody has to find it."""
    try:
        return listen(settings.host, settings.port)[0]
    except OSError:
        return None if settings.public_url else listen()[0]


def _taken(found: Finding, settings: Settings) -> Finding:
    where = f"{settings.host}, port {settings.port}"
    return Finding(
        found.part,
        found.verdict,
        f"{found.found} Something listens on {where}, so that the service can't be run here for a time.",
        found.remedy,
    )


def _content_type(scope: Scope) -> str:
    headers: Any = scope["headers"]
    return next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
