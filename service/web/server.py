import re
import time
from collections.abc import Sequence
from typing import Protocol

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from service.errors import ServiceError
from service.web.access import Access
from service.web.errors import error_response, http_error, service_error
from service.web.handlers import Handlers
from service.web.openapi import openapi
from service.web.operations import operations, routes
from service.web.studio import page_routes

log = structlog.get_logger(__name__)

# A browser asks again whether it may call only after this long; also Chromium's own upper bound.
_PREFLIGHT_MAX_AGE_S = 7200
_QUERY_IN_PATH = re.compile(r"[?&;=#]")
_MAX_PATH = 200
_QUIET_PATHS = ("/healthz", "/readyz", "/metrics")


class RequestMeter(Protocol):
    """Counts requests. No method raises, or waits."""

    def request_answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count a request by its route's template, None if there is no such route.

        `method` is whatever the caller wrote.
        """


def starlette_app(
    handlers: Handlers,
    access: Access,
    allowed_origins: Sequence[str],
    meter: RequestMeter,
    lifespan: Lifespan[Starlette],
) -> Starlette:
    """Put the routes, the error answers and what stands around them together."""
    listed = operations(handlers)
    document = openapi(listed)

    async def describe(_request: Request) -> Response:
        return JSONResponse(document)

    app = Starlette(
        routes=[*routes(listed, access), Route("/openapi.json", describe), *page_routes(handlers.studio)],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origin_regex="|".join(map(_origin_regex, allowed_origins)) or "(?!)",
                allow_methods=["GET", "POST"],
                # supabase-js sends authorization, apikey, x-client-info and content-type, and may add more.
                allow_headers=["*"],
                # The name of a downloaded clip.
                expose_headers=["Content-Disposition"],
                max_age=_PREFLIGHT_MAX_AGE_S,
            ),
            Middleware(RequestLog, meter),
        ],
        exception_handlers={ServiceError: service_error, HTTPException: http_error},
        lifespan=lifespan,
    )
    # A redirect would repeat the query, and so a token, in an answer.
    app.router.redirect_slashes = False
    return app


class RequestLog:
    """Logs and counts each request; answers what nobody caught.

    A line has the path alone, since a query may hold a token. The whole stands inside the CORS middleware, so
    that a browser can read even that answer.
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
        except Exception:
            log.exception("request failed", method=scope["method"], path=path)
            if status:
                raise
            message = "Something unexpected went wrong; the log says what. The call may be repeated."
            await error_response(500, message, "internal_error")(scope, receive, send_and_note)
        seconds = time.perf_counter() - started
        # The router leaves it there, for a call by a wrong method too.
        route = scope.get("route")
        template = route.path if isinstance(route, Route) else None
        self._meter.request_answered(template, scope["method"], status, seconds)
        quiet = path in _QUIET_PATHS and status < 400  # noqa: PLR2004 - where HTTP's errors begin
        if not quiet:
            log.info("request", method=scope["method"], path=path, status=status, ms=round(seconds * 1000, 1))


def _origin_regex(pattern: str) -> str:
    # A star stands for a part of a host name, or a port; never for what would begin another part of the URL.
    return ".*" if pattern == "*" else re.escape(pattern).replace(r"\*", r"[\w.-]*")
