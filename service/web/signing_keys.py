import asyncio
import math
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
import jwt
import structlog
from pydantic import BaseModel, ValidationError

from service.errors import KeysUnavailable

log = structlog.get_logger(__name__)

JWKS_PATH = "/auth/v1/.well-known/jwks.json"
# As long as Supabase's own edge keeps them: a key that was withdrawn is refused no later than this.
_KEEP_S = 600.0
# A caller who makes up key ids can't have the keys fetched more often than this.
_MIN_INTERVAL_S = 30.0
# Sooner than that while there are none at all, since no user can call until a fetch has succeeded.
_RETRY_INTERVAL_S = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)
# A key is a few hundred bytes, and a project has two or three.
_MAX_BYTES = 64 * 1024
# The kind of a key decides how it may be used, whatever a token's header says.
_ALGORITHMS = {"EC": "ES256", "RSA": "RS256"}


class _FetchFailed(Exception):
    """Why no keys came."""


class _KeySet(BaseModel):
    keys: list[dict[str, Any]]


class SigningKeys:
    """The public keys that a Supabase project signs its users' tokens with, fetched when one is asked for.

    They are kept for ten minutes. A key id that is not among them has them fetched again, at most every 30
    seconds; a caller that asks meanwhile waits for the same fetch. `clock` gives seconds.
    """

    def __init__(self, supabase_url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = supabase_url + JWKS_PATH
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = -math.inf
        self._tried_at = -math.inf
        self._failed = False
        self._fetching = asyncio.Lock()

    async def __aenter__(self) -> Self:
        # A small compressed answer can be a huge one.
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """Give a key with the one algorithm that it is good for, or None if the project has no such key.

        While the keys can't be fetched, those that are known stay good. Raises KeysUnavailable for another
        one then, since nobody can say whether the project has it.
        """
        if self._should_fetch(key_id):
            async with self._fetching:
                # A caller that waited here finds the keys that the one before it fetched.
                if self._should_fetch(key_id):
                    await self._fetch()
        key = self._keys.get(key_id)
        if key is None and self._failed:
            raise KeysUnavailable(
                "Supabase's signing keys can't be fetched now, so that your sign-in can't be checked. "
                "Call again in a minute."
            )
        return key

    def _should_fetch(self, key_id: str) -> bool:
        now = self._clock()
        wanted = key_id not in self._keys or now - self._fetched_at >= _KEEP_S
        interval = _RETRY_INTERVAL_S if self._failed and not self._keys else _MIN_INTERVAL_S
        return wanted and now - self._tried_at >= interval

    async def _fetch(self) -> None:
        try:
            self._keys = _usable(await self._read())
        except (_FetchFailed, aiohttp.ClientError, TimeoutError) as error:
            self._failed = True
            log.warning(
                "signing keys could not be fetched", url=self._url, reason=str(error) or type(error).__name__
            )
        else:
            self._failed = False
            self._fetched_at = self._clock()
        self._tried_at = self._clock()

    async def _read(self) -> bytes:
        if self._session is None:
            raise _FetchFailed("the service is not running")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        # An attacker who could redirect this request could sign tokens for every user.
        async with self._session.get(self._url, headers=headers, allow_redirects=False) as response:
            if response.status != 200:  # noqa: PLR2004 - HTTP's own name for success
                raise _FetchFailed(f"HTTP {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(_MAX_BYTES):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise _FetchFailed(f"more than {_MAX_BYTES} bytes came")
        return bytes(body)


def _usable(body: bytes) -> Mapping[str, jwt.PyJWK]:
    try:
        listed = _KeySet.model_validate_json(body).keys
    except ValidationError:
        raise _FetchFailed("the answer is no set of keys") from None
    return {key.key_id: key for key in map(_read_key, listed) if key is not None and key.key_id}


def _read_key(described: dict[str, Any]) -> jwt.PyJWK | None:
    algorithm = _ALGORITHMS.get(str(described.get("kty")))
    if (
        algorithm is None
        or described.get("alg", algorithm) != algorithm
        or described.get("use", "sig") != "sig"
        or not isinstance(described.get("kid"), str)
    ):
        return None
    try:
        return jwt.PyJWK(described, algorithm)
    except jwt.PyJWTError:
        return None
