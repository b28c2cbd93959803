import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

_START_LOOK_INTERVAL_S = 0.01


def listen() -> tuple[socket.socket, str]:
    """Listen on a free port of loopback; gives the socket and the URL that it will serve."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Serve `app` inside the running event loop.

    Signals are left to the caller. Raises RuntimeError if the application does not start.
    """
    server = _Server(uvicorn.Config(app, access_log=False, log_config=None))
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


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
