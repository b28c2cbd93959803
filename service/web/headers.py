"""What the headers of every request must not say, and what those of every answer say."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.errors import error_response

_HEADERS = {
    # A page of another site that frames this one can have its visitors press the buttons unawares.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    # For browsers that don't know frame-ancestors.
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    # Another site need not learn a project's address.
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


class SafeHeaders:
    """Gives each answer the safest headers; an answer that has one of them keeps its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                missing = [header for header in _HEADERS.items() if header[0] not in own]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await self._app(scope, receive, send_safely)


class OneLength:
    """Refuses a request that tells its length in two ways, and ends its connection.

    A proxy may have read it by the other way, and taken what follows for a request of someone else (RFC 9112,
    section 6.1).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if its length is told once at most."""
        if scope["type"] == "http" and {"content-length", "transfer-encoding"} <= set(Headers(scope=scope)):
            message = "A request tells its length by Content-Length or by Transfer-Encoding, not by both."
            refusal = error_response(400, message, "bad_request", {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
