"""A project's changes as server-sent events."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from service.web.schemas import ChangesEvent, Installation, SnapshotEvent
from service.workflow.ports import Clock
from service.workflow.watch import Update

# Proxies close a connection that is silent for a minute, some for half of one.
_HEARTBEAT_S = 15
# A reader that has not taken an event by then is gone; it asks for what it missed when it comes back.
_SEND_TIMEOUT_S = 30
# More digits than any sequence number has.
_MAX_DIGITS = 15


def read_sequence(last_event_id: str) -> int:
    """Read the `Last-Event-ID` header: the sequence number of what its sender has; 0 for nothing."""
    readable = re.fullmatch(rf"[0-9]{{1,{_MAX_DIGITS}}}", last_event_id.strip())
    return int(readable[0]) if readable else 0


def event_stream(
    updates: AsyncGenerator[Update], installation: Callable[[], Awaitable[Installation]], clock: Clock
) -> EventSourceResponse:
    """Send each update: as `snapshot`, the whole project, or as `changes`, its news.

    The event's id is the project's sequence number.
    """

    async def events() -> AsyncGenerator[ServerSentEvent]:
        # Closed with the stream, so that a reader that goes away is no longer counted as watching.
        async with aclosing(updates):
            async for update in updates:
                known = await installation()
                state, now = update.state, clock()
                body: SnapshotEvent | ChangesEvent
                if update.whole:
                    body = SnapshotEvent.of_state(state, known, now=now)
                else:
                    body = ChangesEvent.of(state, update.since, known, now)
                yield ServerSentEvent(
                    body.model_dump_json(by_alias=True),
                    id=str(state.sequence),
                    event="snapshot" if update.whole else "changes",
                )

    return _Stream(events(), ping=_HEARTBEAT_S, send_timeout=_SEND_TIMEOUT_S)


class _Stream(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            # Its reader takes nothing any more. This waits until the connection is given up, or read on.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
