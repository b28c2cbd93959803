import hmac
import re
from dataclasses import dataclass

from starlette.requests import Request

from service.addresses import is_loopback
from service.apikeys import KeyKind, claimed_kind, is_new_form
from service.clips.ownership import Anonymous, Caller, Operator, User
from service.errors import Unauthorized
from service.web.tokens import TokenVerifier

# Read strictly, not as a URL: a name that some reader takes for another must not pass for localhost.
_HOST = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
# What proxies say of the caller whose request they pass on.
_PROXY_HEADERS = ("forwarded", "via")
_PROXY_PREFIX = "x-forwarded-"
_PUBLIC_KEY_ALONE = (
    "The project's public key alone may not call, since everyone has it and clips cost money: sign in first. "
    "The service's operator can let everyone in by setting ALLOW_ANON=true."
)
_ANONYMOUS_SIGN_IN = (
    "An anonymous sign-in may not call, since everyone can have one and clips cost money: sign in with an "
    "account. The service's operator can let everyone in by setting ALLOW_ANON=true."
)
_STRANGE_KEY = (
    "This is not an API key of the Supabase project that the service belongs to. The service's operator can "
    "compare it with SUPABASE_ANON_KEY and SUPABASE_SERVICE_ROLE_KEY."
)


@dataclass(frozen=True, slots=True)
class SupabaseCallers:
    """Recognises the callers of a Supabase project; `allow_anon` lets those without an account in."""

    tokens: TokenVerifier
    service_role_key: str
    public_keys: tuple[str, ...] = ()
    allow_anon: bool = False

    async def caller(self, credential: str) -> Caller:
        """Recognise an API key or a user's token. Raises Unauthorized and KeysUnavailable."""
        if _same(credential, self.service_role_key):
            return Operator()
        if not self.allow_anon and claimed_kind(credential) is KeyKind.PUBLIC:
            # Genuine or not: either way the remedy is to sign in.
            raise Unauthorized(_PUBLIC_KEY_ALONE)
        if any(_same(credential, key) for key in self.public_keys):
            return self._without_account()
        if is_new_form(credential):
            raise Unauthorized(_STRANGE_KEY)
        recognised = await self.tokens.verify(credential)
        if recognised is KeyKind.SERVICE:
            return Operator()
        if recognised is KeyKind.PUBLIC:
            return self._without_account()
        if recognised.anonymous and not self.allow_anon:
            raise Unauthorized(_ANONYMOUS_SIGN_IN)
        return User(recognised.user_id, recognised.refused_from)

    def _without_account(self) -> Caller:
        if not self.allow_anon:
            raise Unauthorized(_PUBLIC_KEY_ALONE)
        return Anonymous()


class Access:
    """Decides who calls, and so who may.

    The service's token makes an operator; with Supabase its keys and its users' tokens count too. With
    neither, everyone on this machine is an operator: the settings then let the service listen on loopback
    only. A call must also name a loopback host, since a web page elsewhere can have its own name lead to this
    machine, and must not come through a proxy, since that may bring it from anywhere.
    """

    def __init__(self, service_token: str | None, supabase: SupabaseCallers | None = None) -> None:
        self._token = service_token
        self._supabase = supabase

    async def caller(self, request: Request) -> Caller:
        """Tell who calls. Raises Unauthorized; KeysUnavailable, if that can't be found out now."""
        if self._token is None and self._supabase is None:
            _require_loopback(request)
            _require_no_proxy(request)
            return Operator()
        caller = await self._by_credential(request)
        request.state.by_credential = True
        return caller

    async def _by_credential(self, request: Request) -> Caller:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        credential = bearer.strip() if scheme.lower() == "bearer" else ""
        if self._token is not None and _same(credential, self._token):
            return Operator()
        if self._supabase is None:
            raise Unauthorized(
                "This call needs the service's token: send Authorization: Bearer SERVICE_TOKEN."
            )
        if not scheme:
            # supabase-js sends a key of the new form nowhere else while nobody is signed in.
            credential = request.headers.get("apikey", "").strip()
        if not credential:
            raise Unauthorized(
                "This call needs a signed-in user: send Authorization: Bearer with their token."
            )
        return await self._supabase.caller(credential)


def by_credential(request: Request) -> bool:
    """Whether a credential of the call was accepted: no browser sends one by itself, for a strange page."""
    return bool(getattr(request.state, "by_credential", False))


def _require_loopback(request: Request) -> None:
    host = _HOST.fullmatch(request.headers.get("host", ""))
    if host is None or not is_loopback(host[1].strip("[]").lower()):
        raise Unauthorized(
            "Without a SERVICE_TOKEN the service answers to localhost only. "
            "Set one to call it by another name."
        )


def _require_no_proxy(request: Request) -> None:
    by_proxy = [name for name in request.headers if name in _PROXY_HEADERS or name.startswith(_PROXY_PREFIX)]
    if by_proxy:
        raise Unauthorized(
            "Without a SERVICE_TOKEN the service answers to callers on this machine only, and this call came "
            f"through a proxy: it has the header {by_proxy[0]}. Set a SERVICE_TOKEN, and send it as "
            "Authorization: Bearer."
        )


def _same(credential: str, expected: str) -> bool:
    return hmac.compare_digest(credential.encode(), expected.encode())
