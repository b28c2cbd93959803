"""What stands around the calls: which origins may make them, and what log and metrics are told of each."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Protocol

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.clips.models import ProjectId, TaskUUID
from service.web.errors import error_response

log = structlog.get_logger(__name__)

# A browser asks again whether it may call only after this long; also Chromium's own upper bound.
_PREFLIGHT_MAX_AGE_S = 7200
_QUERY_IN_PATH = re.compile(r"[?&;=#]")
_MAX_PATH = 200
_MAX_ORIGIN = 100
_QUIET_PATHS = ("/healthz", "/readyz", "/metrics")
_ERRORS_FROM = 400
# nginx's own number for a caller who has gone before there was an answer. Nobody gets it.
_BROKEN_OFF = 499
_TOLD = ("project", "job")
_STOPPING = (
    "The service is stopping, and the call had not ended. What it had recorded goes on by itself. Call again "
    "when the service is back."
)


class RequestMeter(Protocol):
    """Counts requests. No method raises, or waits."""

    def request_answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count a request by its route's template, None if there is no such route.

        `method` is whatever the caller wrote.
        """

    def preflight_refused(self, *, origin_allowed: bool) -> None:
        """Count a browser's question whether a page may call that was answered with no."""


def tell_project(request: Request, project_id: ProjectId) -> None:
    """Have the request's line say which project the call is about."""
    request.state.project = project_id


def tell_job(request: Request, task_uuid: TaskUUID) -> None:
    """Have the request's line say which job the call is about."""
    request.state.job = task_uuid


class RequestLog:
    """Logs and counts each request; answers what nobody caught.

    A line has the path alone, since a query may hold a token, and what the handler said by `tell_project` and
    `tell_job`. The whole stands inside the CORS middleware, so that a browser can read even that answer.
    """

    def __init__(self, app: ASGIApp, meter: RequestMeter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        # A path may hold an encoded query, and so a token.
        path = _QUERY_IN_PATH.split(scope["path"], maxsplit=1)[0][:_MAX_PATH]

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            status = status or _BROKEN_OFF
        except Exception:
            log.exception("request failed", method=scope["method"], path=path)
            if status:
                raise
            message = "Something unexpected went wrong; the log says what. The call may be repeated."
            await error_response(500, message, "internal_error")(scope, receive, send_and_note)
        except asyncio.CancelledError:
            # The server does this to what goes on after its time to stop, and nobody else. Raised further, it
            # would be logged as a defect, and answered by a bare 500.
            log.warning("request broken off: the service is stopping", method=scope["method"], path=path)
            if not status:
                await error_response(503, _STOPPING, "store_unavailable")(scope, receive, send_and_note)
        seconds = time.perf_counter() - started
        # The router leaves it there, for a call by a wrong method too.
        route = scope.get("route")
        template = route.path if isinstance(route, Route) else None
        self._meter.request_answered(template, scope["method"], status, seconds)
        quiet = path in _QUIET_PATHS and status < _ERRORS_FROM
        if not quiet:
            about = {name: told for name in _TOLD if (told := scope.get("state", {}).get(name)) is not None}
            milliseconds = round(seconds * 1000, 1)
            log.info("request", method=scope["method"], path=path, status=status, ms=milliseconds, **about)


class LoggedCORS(CORSMiddleware):
    """Lets the pages of some origins call; logs and counts each preflight that it refuses.

    Nothing further inside hears of a preflight.
    """

    def __init__(self, app: ASGIApp, meter: RequestMeter, allowed_origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origin_regex="|".join(map(_origin_regex, allowed_origins)) or "(?!)",
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            # supabase-js sends authorization, apikey, x-client-info and content-type, and may add more.
            allow_headers=["*"],
            # The name of a downloaded clip, and which edit an answer shows.
            expose_headers=["Content-Disposition", "ETag"],
            max_age=_PREFLIGHT_MAX_AGE_S,
        )
        self._meter = meter

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's question whether a page may call."""
        response = super().preflight_response(request_headers)
        if response.status_code >= _ERRORS_FROM:
            origin = request_headers["origin"]
            shown = "".join(c if c.isprintable() else "?" for c in origin[:_MAX_ORIGIN])
            allowed = self.is_allowed_origin(origin)
            self._meter.preflight_refused(origin_allowed=allowed)
            if allowed:
                log.warning("preflight refused", origin=shown, reason=bytes(response.body).decode())
            else:
                log.warning("preflight refused: its origin is not in ALLOWED_ORIGINS", origin=shown)
        return response


def _origin_regex(pattern: str) -> str:
    if pattern == "*":
        return ".*"
    host, any_port = (pattern[:-2], r"(?::\d+)?") if pattern.endswith(":*") else (pattern, "")
    # A star in a host stands for a part of its name, never for what would begin another part of the URL.
    return re.escape(host).replace(r"\*", r"[\w.-]*") + any_port
