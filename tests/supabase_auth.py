"""The part of Supabase Auth (GoTrue) that a page signs in by: `/auth/v1/token`, `otp`, `verify`, `user`, `logout`.

| rule | documented at |
|---|---|
| wrong password 400 `invalid_credentials`, before a confirmation 400 `email_not_confirmed` | supabase.com/docs/guides/auth/debugging/error-codes |
| errors are `{code, message}`, with `X-Supabase-Api-Version: 2024-01-01`, which CORS exposes | supabase/auth, README and CORS options |
| a session: `access_token`, `token_type`, `expires_in`, `expires_at`, `refresh_token`, `user` | supabase/auth, openapi.yaml |
| a refresh token is used once, and again within 10 s of that (reuse interval) | docs/guides/auth/sessions |
| an unknown refresh token: 400 `refresh_token_not_found`; a used one: 400 `refresh_token_already_used` | error-codes |
| `otp` with `create_user: false` for a stranger: 422 `otp_disabled` | error-codes |
| the link leads to `redirect_to`, if the project lists it, with `?code=` (PKCE) | docs/guides/auth/sessions/pkce-flow |
| a link that was used: `error_code=otp_expired` in the query and in the fragment | docs/guides/auth/debugging |
| the code is good once, for the verifier of its challenge: else 404 `flow_state_not_found`, 400 `bad_code_verifier` | error-codes |
| `logout?scope=local` ends the session of the token: 204 | openapi.yaml |

What differs: passwords are compared as they are, no e-mail is sent (`links` has them), nothing is limited by rate.
"""  # noqa: E501 - a row of a table is a line

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.supabase_keys import SupabaseKeys

API_VERSION: Final = {"X-Supabase-Api-Version": "2024-01-01"}
_REUSE_INTERVAL_S: Final = 10
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the project."""

    email: str
    password: str
    confirmed: bool = True
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def body(self) -> Mapping[str, Any]:
        return {"id": self.id, "aud": "authenticated", "role": "authenticated", "email": self.email}


@dataclass(slots=True)
class _RefreshToken:
    account: Account
    session_id: str
    used_at: float | None = None


@dataclass(frozen=True, slots=True)
class _Link:
    account: Account
    challenge: str
    redirect_to: str


class Auth:
    """The accounts of a project and their sessions.

    `lifetime_s` is that of an access token; `links` are those that were sent, by e-mail address; `redirects`
    are the URLs that the project lets a link lead to; `refreshes` counts.
    """

    def __init__(self, keys: SupabaseKeys) -> None:
        self._keys = keys
        self._accounts: dict[str, Account] = {}
        self._refresh_tokens: dict[str, _RefreshToken] = {}
        self._sent: dict[str, _Link] = {}
        self._codes: dict[str, _Link] = {}
        self.lifetime_s = _HOUR_S
        self.links: dict[str, str] = {}
        self.redirects: set[str] = set()
        self.refreshes = 0

    def add(self, account: Account) -> Account:
        self._accounts[account.email] = account
        return account

    @property
    def open_sessions(self) -> int:
        return len({held.session_id for held in self._refresh_tokens.values()})

    def end_sessions(self) -> None:
        """Sign everyone out, as an operator of the project can; access tokens live on until their end."""
        self._refresh_tokens.clear()

    async def token(self, request: Request) -> Response:
        body = await request.json()
        match request.query_params.get("grant_type"):
            case "password":
                return self._by_password(body)
            case "refresh_token":
                return self._by_refresh_token(body)
            case "pkce":
                return self._by_code(body)
        return _error(400, "validation_failed", "unsupported_grant_type")

    async def otp(self, request: Request) -> Response:
        body = await request.json()
        account = self._accounts.get(body["email"])
        if account is None:
            # Only what the page asks for: it never has an account made.
            assert body["create_user"] is False
            return _error(422, "otp_disabled", "Signups not allowed for otp")
        assert body["code_challenge_method"] == "s256"
        token = secrets.token_hex(28)
        redirect_to = request.query_params["redirect_to"]
        assert redirect_to in self.redirects, "GoTrue would lead to the Site URL instead"
        self._sent[token] = _Link(account, body["code_challenge"], redirect_to)
        query = urlencode({"token": token, "type": "magiclink", "redirect_to": redirect_to})
        self.links[account.email] = f"{self._keys.url}/auth/v1/verify?{query}"
        return JSONResponse({}, headers=API_VERSION)

    async def verify(self, request: Request) -> Response:
        link = self._sent.pop(request.query_params["token"], None)
        if link is None:
            problem = urlencode(
                {
                    "error": "access_denied",
                    "error_code": "otp_expired",
                    "error_description": "Email link is invalid or has expired",
                }
            )
            return RedirectResponse(f"{request.query_params['redirect_to']}?{problem}#{problem}", 303)
        code = str(uuid4())
        self._codes[code] = link
        separator = "&" if urlsplit(link.redirect_to).query else "?"
        return RedirectResponse(f"{link.redirect_to}{separator}code={code}", 303)

    async def user(self, request: Request) -> Response:
        claims = self._claims(request)
        account = next((one for one in self._accounts.values() if one.id == claims.get("sub")), None)
        if account is None:
            return _error(403, "bad_jwt", "invalid JWT: unable to parse or verify signature")
        return JSONResponse(account.body, headers=API_VERSION)

    async def logout(self, request: Request) -> Response:
        session_id = self._claims(request).get("session_id")
        assert request.query_params["scope"] == "local"
        self._refresh_tokens = {
            token: held for token, held in self._refresh_tokens.items() if held.session_id != session_id
        }
        return Response(status_code=204, headers=API_VERSION)

    def _by_password(self, body: Mapping[str, Any]) -> Response:
        account = self._accounts.get(body["email"])
        if account is None or account.password != body["password"]:
            return _error(400, "invalid_credentials", "Invalid login credentials")
        if not account.confirmed:
            return _error(400, "email_not_confirmed", "Email not confirmed")
        return self._session(account, str(uuid4()))

    def _by_refresh_token(self, body: Mapping[str, Any]) -> Response:
        held = self._refresh_tokens.get(body["refresh_token"])
        if held is None:
            message = "Invalid Refresh Token: Refresh Token Not Found"
            return _error(400, "refresh_token_not_found", message)
        now = time.time()
        if held.used_at is not None and now - held.used_at > _REUSE_INTERVAL_S:
            return _error(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        held.used_at = held.used_at or now
        self.refreshes += 1
        return self._session(held.account, held.session_id)

    def _by_code(self, body: Mapping[str, Any]) -> Response:
        link = self._codes.pop(body["auth_code"], None)
        if link is None:
            return _error(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
        digest = hashlib.sha256(body["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != link.challenge:
            return _error(
                400, "bad_code_verifier", "code challenge does not match previously saved code verifier"
            )
        return self._session(link.account, str(uuid4()))

    def _session(self, account: Account, session_id: str) -> Response:
        refresh_token = secrets.token_urlsafe(9)
        self._refresh_tokens[refresh_token] = _RefreshToken(account, session_id)
        expires_at = int(time.time()) + self.lifetime_s
        access_token = self._keys.asymmetric_user_token(
            account.id, exp=expires_at, session_id=session_id, email=account.email
        )
        session = {
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": self.lifetime_s,
            "expires_at": expires_at,
            "refresh_token": refresh_token,
            "user": account.body,
        }
        return JSONResponse(session, headers=API_VERSION)

    def _claims(self, request: Request) -> Mapping[str, Any]:
        token = request.headers["authorization"].removeprefix("Bearer ")
        key = self._keys.verification_key(jwt.get_unverified_header(token))
        claims: dict[str, Any] = jwt.decode(token, key, ["ES256"], audience="authenticated")
        return claims


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status, headers=API_VERSION)
