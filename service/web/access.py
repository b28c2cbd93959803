import hmac

from starlette.requests import Request

from service.web.errors import Unauthorized


class Access:
    """Decides who may call. Without a `service_token` everyone who can reach the service may.

    The settings then let it listen on loopback only.
    """

    def __init__(self, service_token: str | None) -> None:
        self._token = service_token.encode() if service_token else None

    def require(self, request: Request) -> None:
        """Let the caller pass. Raises Unauthorized."""
        if self._token is None:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            raise Unauthorized(
                "This call needs the service's token: send Authorization: Bearer SERVICE_TOKEN."
            )
