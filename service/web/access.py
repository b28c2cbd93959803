import hmac
import re

from starlette.requests import Request

from service.addresses import is_loopback
from service.web.errors import Unauthorized

# Read strictly, not as a URL: a name that some reader takes for another must not pass for localhost.
_HOST = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")


class Access:
    """Decides who may call.

    Without a `service_token` that is everyone on this machine: the settings then let the service listen on
    loopback only, and a call must also name a loopback host, since a web page elsewhere can have its own
    name lead to this machine.
    """

    def __init__(self, service_token: str | None) -> None:
        self._token = service_token.encode() if service_token else None

    def require(self, request: Request) -> None:
        """Let the caller pass. Raises Unauthorized."""
        if self._token is None:
            host = _HOST.fullmatch(request.headers.get("host", ""))
            if host is None or not is_loopback(host[1].strip("[]").lower()):
                raise Unauthorized(
                    "Without a SERVICE_TOKEN the service answers to localhost only. "
                    "Set one to call it by another name."
                )
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            raise Unauthorized(
                "This call needs the service's token: send Authorization: Bearer SERVICE_TOKEN."
            )
