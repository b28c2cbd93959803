from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from service.errors import ServiceError
from service.web.access import Access
from service.web.errors import http_error, service_error
from service.web.handlers import Handlers
from service.web.headers import OneLength, SafeHeaders
from service.web.openapi import openapi
from service.web.operations import operations, routes
from service.web.request_log import LoggedCORS, RequestLog, RequestMeter
from service.web.studio import page_routes


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
            Middleware(SafeHeaders),
            Middleware(LoggedCORS, meter, allowed_origins),
            Middleware(RequestLog, meter),
            Middleware(OneLength),
        ],
        exception_handlers={ServiceError: service_error, HTTPException: http_error},
        lifespan=lifespan,
    )
    # A redirect would repeat the query, and so a token, in an answer.
    app.router.redirect_slashes = False
    return app
