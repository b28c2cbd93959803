"""Serving inside a program: on a socket of its own, until a signal says stop."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar, cast

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from service.descriptors import Room, Seldom, tell_exhaustion_seldom

log = structlog.get_logger(__name__)

T = TypeVar("T")

_START_LOOK_INTERVAL_S = 0.01
# Longer than a phone is without a network between two cells.
_UNREAD_S = 60
# Connections that wait to be accepted: after a restart a thousand pages come at once.
_QUEUE = 2048
# A closed terminal ends a program as Ctrl-C does.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen(
    host: str = "127.0.0.1", port: int = 0, *, unread_s: float = _UNREAD_S
) -> tuple[socket.socket, str]:
    """Listen on a port, 0 being a free one; gives the socket and the URL that it will serve.

    A connection is ended when its other side has taken nothing of what was sent for `unread_s` seconds.
    Raises OSError, if the address can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    # Else an answer's body waits up to 40 ms for the acknowledgement of its head: asyncio sets this only on
    # sockets that name their protocol, and those of `create_server` don't. Connections inherit it.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Else a reader that has stopped reading holds its connection, and all that waits for it, for good: to
        # close it means to send the rest first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(unread_s * 1000))
    shown = f"[{host}]" if family is socket.AF_INET6 else host
    return listening, f"http://{shown}:{listening.getsockname()[1]}"


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Serve `app` inside the running event loop.

    Signals are left to the caller. Raises RuntimeError if the application does not start.
    """
    server = _SignallessServer(uvicorn.Config(app, access_log=False, ws="none", log_config=None))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("The application did not start; the log says why.")
            await asyncio.sleep(_START_LOOK_INTERVAL_S)
        yield
    finally:
        server.should_exit = True
        await task


def run_until_signal(work: Coroutine[Any, Any, T]) -> T | None:
    """Run `work` to its end, or until the first signal to stop; None if it was stopped.

    What it has opened is closed before this returns, however often the signal is repeated.
    """

    async def run() -> T | None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        stopped = False

        def stop() -> None:
            nonlocal stopped
            if not stopped:
                stopped = True
                task.cancel()

        for stop_signal in _STOP_SIGNALS:
            loop.add_signal_handler(stop_signal, stop)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(run())


class Server(uvicorn.Server):
    """Ends the application's open streams before it waits for open responses, which they would never end.

    `on_start` is called once it answers. With `room`, connections beyond it are closed at once: uvicorn's own
    limit answers those that send a request, and keeps all others open.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_start: Callable[[], None] = lambda: None,
        room: Room | None = None,
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._room = room

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving."""
        if self._room is not None:
            tell_exhaustion_seldom(asyncio.get_running_loop())
            # What asyncio accepts in one go; nobody has counted these before the last of them.
            self.config.backlog = self._room.burst
            self.config.http_protocol_class = cast("type[asyncio.Protocol]", self._bounded(self._room))
        await super().startup(sockets)
        for listening in sockets or ():
            # More may wait for their turn than are accepted in one go.
            listening.listen(_QUEUE)
        if self.started:
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        app = self.config.app
        if isinstance(app, Starlette) and (end_streams := getattr(app.state, "end_streams", None)):
            end_streams()
        await super().shutdown(sockets)

    def _bounded(self, room: Room) -> Callable[..., asyncio.Protocol]:
        accepted = self.config.http_protocol_class
        refused = Seldom()

        def protocol(**parts: Any) -> asyncio.Protocol:
            if len(self.server_state.connections) < room.connections:
                return accepted(**parts)
            if times := refused.due():
                log.warning(
                    "connections are refused: as many are open as this process may have",
                    times=times,
                    most=room.connections,
                )
            return _Refusal()

        return protocol


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _SignallessServer(Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
