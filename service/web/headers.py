"""The headers of every answer, whatever gave it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
