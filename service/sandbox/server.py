"""The sandbox as a whole: the one place where its parts are made, opened and closed."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from service.sandbox.jobs import Ledger
from service.sandbox.options import SandboxOptions
from service.sandbox.reception import Reception
from service.sandbox.render import Renderer
from service.sandbox.routes import Routes, allow_every_origin
from service.sandbox.runner import JobRunner
from service.sandbox.usage import Clock, utc_now
from service.sandbox.websocket import Websockets

logger = logging.getLogger(__name__)

_MAX_BODY_BYTES = 64 * 2**20  # room for an array of tasks whose frames are data URIs
_SHUTDOWN_SECONDS = 0.5


class Sandbox:
    """A local server that speaks Runware's API and writes its clips into the folder `files`.

    The clock, in UTC, says on which day something was spent; all else goes by the event loop's.
    """

    def __init__(self, options: SandboxOptions, *, files: Path, clock: Clock = utc_now) -> None:
        self._options = options
        self._files = files
        self._clock = clock

    @asynccontextmanager
    async def serving(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve until the block ends, and yield the base URL; Runware's endpoint is at its `/v1`.

        Port 0 takes a free one. Each serving starts with an empty ledger, finds the folder's clips again,
        and drops its unfinished jobs at the end. Raises OSError when the address can't be had.
        """
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(_listen(host, port))
            url = _url_of(listener)
            # Frames, uploads and webhooks have their own limits; one for the session would count waiting
            # for a connection as waiting for an answer.
            connector = aiohttp.TCPConnector(limit=0)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            cache_bytes = self._options.cache_megabytes * 2**20
            renderer = await stack.enter_async_context(Renderer(self._files, cache_bytes=cache_bytes))
            ledger = Ledger(self._options.max_jobs, self._clock)
            base_url = self._options.public_url.rstrip("/") or url
            runner = await stack.enter_async_context(
                JobRunner(self._options, session, renderer, ledger, base_url, {url, base_url})
            )
            reception = Reception(self._options, ledger, runner, self._clock)
            app = web.Application(client_max_size=_MAX_BODY_BYTES)
            websockets = Websockets(reception, max_message_bytes=_MAX_BODY_BYTES)
            app.add_routes(Routes(reception, ledger, websockets).table())
            app.on_shutdown.append(websockets.close_all)
            app.on_response_prepare.append(allow_every_origin)
            web_runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
            stack.push_async_callback(web_runner.cleanup)
            await web_runner.setup()
            await web.SockSite(web_runner, listener).start()
            logger.info("sandbox at %s", url)
            yield url


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _url_of(listener: socket.socket) -> str:
    """Return a URL at which this machine reaches the socket, also when it listens on every address."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
