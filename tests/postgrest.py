"""The part of Supabase's HTTP surface that the service calls: functions by `rpc`, and the project's JWKS.

`supabase_auth` and `supabase_storage` are behind the same front.

It speaks `POST /rest/v1/rpc/{function}` as PostgREST 14 behind Supabase's gateway does, and refuses the rest.

| rule | documented at |
|---|---|
| `apikey` must be a key of the project; the gateway exchanges new ones for JWTs | supabase.com, "API keys" |
| the token's `role` is the database role; no token: `anon` | docs.postgrest.org/en/v14/references/auth.html |
| 30 s of clock skew; a token that can't be decoded: PGRST301, wrong claims: PGRST303 | references/auth.html |
| PGRST302 never comes, since `anon` is configured | references/errors.html, "Group 3" |
| a request is one read committed transaction with role and claims | references/transactions.html |
| the role's own statement_timeout counts, else the authenticator's | references/transactions.html |
| arguments are the keys of the JSON object; unknown: PGRST202 | references/api/functions.html |
| PGRST102: the body is no JSON | references/errors.html, "Group 1" |
| a scalar result is the body as it is: one row for `db-max-rows` | references/api/functions.html |
| SQLSTATE to status; `code`, `message`, `details`, `hint` | references/errors.html, "HTTP Status Codes" |
| every answer may be read by any origin | supabase/supabase, docker/volumes/api/kong.yml, plugin `cors` |
| no connection: PGRST000 or PGRST001; none free for 10 s: PGRST003 | references/errors.html, "Group 0" |

What differs: functions are looked up anew for each request, so that no schema cache is stale; `hint` of
PGRST202, a fuzzy guess there, is null; a body that is no object names no arguments, where PostgREST also
takes arrays of objects; functions that return sets, rows or nothing are refused as PGRST127.
"""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import jwt
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.serving import listen, serving
from tests.supabase_auth import API_VERSION, Auth
from tests.supabase_keys import PUBLISHABLE_KEY, SECRET_KEY, SupabaseKeys
from tests.supabase_storage import Storage

_Handler = Callable[[Request], Awaitable[Response]]

# PostgREST's `db-pool` and `db-pool-acquisition-timeout`, by default.
POOL_SIZE: Final = 10
ACQUISITION_TIMEOUT_S: Final = 10.0
_CLOCK_SKEW_S: Final = 30
_JSON: Final = "application/json; charset=utf-8"

# By SQLSTATE or its class; 400 for all others. 57P01 is of PostgREST's source, the rest of its documentation.
_STATUS: Final[Mapping[str, int]] = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "21000": 500,
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53400": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57P01": 503,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0001": 400,
    "P0": 500,
    "XX": 500,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
}

# The claims are checked by PostgREST's own rules, not by PyJWT's.
_SIGNATURE_ALONE: Final[Any] = {
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
    **dict.fromkeys(("verify_sub", "verify_jti"), False),
}

_FIND_FUNCTION: Final = """
select arguments.names, arguments.types,
    p.proretset or result.typtype = 'c' or result.typname in ('void', 'record') as no_scalar
from pg_proc p
join pg_type result on result.oid = p.prorettype
cross join lateral (
    select coalesce(array_agg(quote_ident(p.proargnames[n])), '{}') as names,
        coalesce(array_agg(format_type(p.proargtypes[n - 1], null)), '{}') as types,
        coalesce(array_agg(p.proargnames[n]::text), '{}') as keys
    from generate_series(1, p.pronargs) as n
) as arguments
where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.proname = $1
    and (select coalesce(array_agg(key order by key), '{}') from unnest(arguments.keys) as key) = $2::text[]
"""

_ROLE_TIMEOUT: Final = """
select substring(setting from '=(.*)') from pg_roles, unnest(rolconfig) as setting
where rolname = $1 and setting like 'statement_timeout=%'
"""

_SETTINGS: Final = """
select set_config('search_path', '"public", "extensions"', true), set_config('role', $1, true),
    set_config('request.jwt.claims', $2, true), set_config('request.method', 'POST', true),
    set_config('request.path', $3, true), set_config('request.headers', $4, true),
    set_config('statement_timeout', coalesce($5, current_setting('statement_timeout')), true)
"""


class _Refused(Exception):
    """The request ends with this answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": details, "hint": hint}
        self.headers = {"proxy-status": f"PostgREST; error={code}", **(headers or {})}


@dataclass(frozen=True, slots=True)
class _Caller:
    role: str
    claims: Mapping[str, Any]


class Supabase(SupabaseKeys):
    """A project: its keys, and the front before its database."""

    def __init__(self, url: str, pool: asyncpg.Pool) -> None:
        super().__init__(url)
        self.jwks_fetches = 0
        self.jwks_status = 200
        self.rpc_calls: Counter[str] = Counter()
        self._pool = pool
        self.auth = Auth(self)
        self.storage = Storage(pool, self._role)
        self.app = Starlette(
            routes=[
                Route("/rest/v1/rpc/{function}", self._rpc, methods=["POST"]),
                Route("/auth/v1/.well-known/jwks.json", self._give_jwks),
                Route("/auth/v1/token", self._with_key(self.auth.token), methods=["POST"]),
                Route("/auth/v1/otp", self._with_key(self.auth.otp), methods=["POST"]),
                Route("/auth/v1/user", self._with_key(self.auth.user)),
                Route("/auth/v1/logout", self._with_key(self.auth.logout), methods=["POST"]),
                # A link is opened without a key.
                Route("/auth/v1/verify", self.auth.verify),
                Route("/storage/v1/object/public/{bucket}/{path:path}", self.storage.public),
                Route(
                    "/storage/v1/object/{bucket}/{path:path}", self.storage.upload, methods=["POST", "PUT"]
                ),
            ],
            middleware=[
                Middleware(
                    CORSMiddleware,
                    allow_origins=["*"],
                    allow_methods=["*"],
                    allow_headers=["*"],
                    expose_headers=list(API_VERSION),
                )
            ],
        )

    async def _give_jwks(self, _: Request) -> Response:
        self.jwks_fetches += 1
        return JSONResponse(self.jwks(), self.jwks_status, headers={"cache-control": "public, max-age=600"})

    def _with_key(self, handler: _Handler) -> _Handler:
        async def keyed(request: Request) -> Response:
            refusal = self._gateway_refusal(request)
            return await handler(request) if refusal is None else JSONResponse(refusal, 401)

        return keyed

    def _role(self, request: Request) -> str:
        return self._caller(self._exchanged(request.headers.get("authorization"))).role

    async def _rpc(self, request: Request) -> Response:
        self.rpc_calls[request.path_params["function"]] += 1
        if (refusal := self._gateway_refusal(request)) is not None:
            return JSONResponse(refusal, 401)
        try:
            caller = self._caller(self._exchanged(request.headers.get("authorization")))
            body, keys = _payload(request.headers.get("content-type"), await request.body())
            return Response(await self._call(request, caller, body, keys), media_type=_JSON)
        except ClientDisconnect:
            # A client that was killed: nobody reads the answer.
            return Response(status_code=499)
        except _Refused as refused:
            return Response(
                json.dumps(refused.body), refused.status, headers=refused.headers, media_type=_JSON
            )

    def _gateway_refusal(self, request: Request) -> Mapping[str, str] | None:
        key = request.headers.get("apikey")
        if not key:
            return {
                "message": "No API key found in request",
                "hint": "No `apikey` request header or url param was found.",
            }
        if key not in {self.anon_key, self.service_role_key, PUBLISHABLE_KEY, SECRET_KEY}:
            return {
                "message": "Invalid API key",
                "hint": "Double check your Supabase `anon` or `service_role` API key.",
            }
        return None

    def _exchanged(self, authorization: str | None) -> str | None:
        jwts = {SECRET_KEY: self.service_role_key, PUBLISHABLE_KEY: self.anon_key}
        scheme, _, key = (authorization or "").partition(" ")
        return f"{scheme} {jwts[key]}" if key in jwts else authorization

    def _caller(self, authorization: str | None) -> _Caller:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return _Caller("anon", {"role": "anon"})
        claims = self._claims(token.strip())
        role = str(claims.get("role", "anon"))
        return _Caller(role, {**claims, "role": role})

    def _claims(self, token: str) -> Mapping[str, Any]:
        if not token:
            raise _undecodable("Empty JWT is sent in Authorization header")
        if (parts := token.count(".") + 1) != 3:
            raise _undecodable(f"Expected 3 parts in JWT; got {parts}")
        try:
            header = jwt.get_unverified_header(token)
            claims: dict[str, Any] = jwt.decode(
                token, self.verification_key(header), algorithms=[header["alg"]], options=_SIGNATURE_ALONE
            )
        except jwt.InvalidAlgorithmError:
            raise _undecodable(
                "Wrong or unsupported encoding algorithm",
                "JWT is unsecured but expected 'alg' was not 'none'",
            ) from None
        except (jwt.InvalidSignatureError, jwt.InvalidKeyError):
            raise _undecodable(
                "No suitable key or wrong key type", "None of the keys was able to decode the JWT"
            ) from None
        except jwt.InvalidTokenError:
            raise _undecodable("JWT couldn't be decoded") from None
        _check_times(claims)
        return claims

    async def _call(self, request: Request, caller: _Caller, body: str, keys: list[str]) -> str:
        try:
            connection = await self._pool.acquire(timeout=ACQUISITION_TIMEOUT_S)
        except TimeoutError:
            raise _Refused(504, "PGRST003", "Timed out acquiring connection from connection pool.") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _Refused(
                503,
                "PGRST000",
                "Database connection error. Retrying the connection.",
                details=str(error),
            ) from None
        try:
            async with connection.transaction(isolation="read_committed"):
                return await _result(connection, request, caller, body, keys)
        except (
            OSError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            asyncpg.ConnectionDoesNotExistError,
        ) as error:
            raise _Refused(
                503, "PGRST001", "Database client error. Retrying the connection.", details=str(error)
            ) from None
        except asyncpg.PostgresError as error:
            raise _of_postgres(error, authenticated=caller.role != "anon") from None
        finally:
            await self._pool.release(connection)


@asynccontextmanager
async def serving_supabase(dsn: str) -> AsyncIterator[Supabase]:
    """Serve a project over a database, on a free port that other processes reach too."""
    listening, url = listen()
    # No connection is opened before it is needed, so that it starts without a database too.
    async with asyncpg.create_pool(
        dsn, user="authenticator", min_size=0, max_size=POOL_SIZE, reset=_nothing_to_reset
    ) as pool:
        supabase = Supabase(url, pool)
        async with serving(supabase.app, listening):
            yield supabase


async def _nothing_to_reset(_: object) -> None:
    """Leave the connection as it is: every setting ended with its transaction."""


async def _result(connection: Any, request: Request, caller: _Caller, body: str, keys: list[str]) -> str:
    name = request.path_params["function"]
    found = await connection.fetchrow(_FIND_FUNCTION, name, keys)
    if found is None:
        raise _unknown_function(name, keys)
    if found["no_scalar"]:
        raise _Refused(
            400, "PGRST127", "Feature not implemented", details="The front calls scalar functions."
        )
    timeout = await connection.fetchval(_ROLE_TIMEOUT, caller.role)
    path, headers = request.url.path.removeprefix("/rest/v1"), json.dumps(dict(request.headers))
    await connection.execute(_SETTINGS, caller.role, json.dumps(dict(caller.claims)), path, headers, timeout)
    return str(
        await connection.fetchval(
            _call_statement(name, found["names"], found["types"]), *([body] if keys else [])
        )
    )


def _call_statement(name: str, names: list[str], types: list[str]) -> str:
    """Let Postgres take the arguments out of the body itself, so that no value is read and written again."""
    quoted = '"' + name.replace('"', '""') + '"'
    arguments = ", ".join(f"{argument} := _.{argument}" for argument in names)
    source = ", ".join(f"{argument} {type_}" for argument, type_ in zip(names, types, strict=True))
    taken = f" from json_to_record($1::json) as _({source})" if names else ""
    return f"select coalesce(to_json(public.{quoted}({arguments}))::text, 'null'){taken}"


def _payload(content_type: str | None, raw: bytes) -> tuple[str, list[str]]:
    """Give the body's text as it came, and its keys, sorted."""
    media_type = (content_type or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise _Refused(400, "PGRST102", f"Content-Type not acceptable: {media_type}")
    try:
        text = raw.decode() or "{}"
        # NaN and Infinity are Python's own.
        value = json.loads(text, parse_constant=_no_json)
    except ValueError:
        raise _Refused(400, "PGRST102", "Empty or invalid json") from None
    return text, sorted(value) if isinstance(value, dict) else []


def _no_json(constant: str) -> None:
    raise ValueError(constant)


def _check_times(claims: Mapping[str, Any]) -> None:
    now = time.time()
    for claim, words in (
        ("exp", "JWT expired"),
        ("nbf", "JWT not yet valid"),
        ("iat", "JWT issued at future"),
    ):
        at = claims.get(claim)
        if at is None:
            continue
        if isinstance(at, bool) or not isinstance(at, int | float):
            raise _wrong_claim(f"The JWT '{claim}' claim must be a number")
        if now - at > _CLOCK_SKEW_S if claim == "exp" else at - now > _CLOCK_SKEW_S:
            raise _wrong_claim(words)


def _undecodable(message: str, details: str | None = None) -> _Refused:
    return _Refused(401, "PGRST301", message, details=details, headers=_challenge(message))


def _wrong_claim(message: str) -> _Refused:
    return _Refused(401, "PGRST303", message, headers=_challenge(message))


def _challenge(message: str) -> Mapping[str, str]:
    return {"www-authenticate": f'Bearer error="invalid_token", error_description="{message}"'}


def _unknown_function(name: str, keys: list[str]) -> _Refused:
    arguments = ", ".join(keys)
    shown = f"({arguments})" if keys else " without parameters"
    searched = f" with parameter{'s' if len(keys) > 1 else ''} {arguments}" if keys else " without parameters"
    return _Refused(
        404,
        "PGRST202",
        f"Could not find the function public.{name}{shown} in the schema cache",
        details=(
            f"Searched for the function public.{name}{searched} or with a single unnamed json/jsonb "
            "parameter, but no matches were found in the schema cache."
        ),
    )


def _of_postgres(error: asyncpg.PostgresError, *, authenticated: bool) -> _Refused:
    code, message = str(error.sqlstate), str(error.message)
    status = _status(code, message, authenticated=authenticated)
    return _Refused(
        status,
        code,
        message,
        details=error.detail,
        hint=error.hint,
        headers={"www-authenticate": "Bearer"} if status == 401 else None,
    )


def _status(code: str, message: str, *, authenticated: bool) -> int:
    if code == "42501":
        return 403 if authenticated else 401
    if code.startswith("PT"):
        return int(code[2:]) if code[2:].isdecimal() else 500
    if code == "22023" and message.startswith("role") and message.endswith("does not exist"):
        return 401
    return _STATUS.get(code, _STATUS.get(code[:2], 400))
