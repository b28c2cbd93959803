"""What the token of a Supabase project says, once it is known to be genuine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol
from uuid import UUID

import jwt
from jwt.types import Options

from service.apikeys import KeyKind
from service.clips.models import UserId
from service.errors import Unauthorized

AUDIENCE = "authenticated"
_SIGNED_IN_ROLE = "authenticated"
# How far the clocks of Supabase and of this machine may be apart.
_LEEWAY_S = 5
_SHARED_SECRET_ALGORITHM = "HS256"  # noqa: S105 - the name of an algorithm
_PUBLIC_KEY_ALGORITHMS = ("ES256", "RS256")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user's session. `anonymous`: of the kind that anybody gets who has the public key.

    From `refused_from` on, in seconds since 1970 (UTC), its token is refused.
    """

    user_id: UserId
    anonymous: bool
    # A renewed token is the same session.
    refused_from: float = field(compare=False)


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """Give the key with this id, or None if there is none. Raises KeysUnavailable."""


class TokenVerifier:
    """Verifies tokens: HS256 by the project's shared secret, ES256 and RS256 by its public keys.

    The algorithm goes with the key, never with the token's header, which only says which of them to try:
    the secret verifies nothing but HS256, a public key nothing but its own algorithm. Keys that a token
    brings along (`jwk`, `jku`, `x5u`) are not looked at.
    """

    def __init__(self, issuer: str, keys: KeySource, shared_secret: str | None) -> None:
        self._issuer = issuer
        self._keys = keys
        self._shared_secret = shared_secret

    async def verify(self, token: str) -> SignedIn | KeyKind:
        """Tell whose token this is: a user's, or an API key of the old form.

        Raises Unauthorized, with the reason but without the token; KeysUnavailable.
        """
        header = _header(token)
        algorithm = header.get("alg")
        if algorithm == _SHARED_SECRET_ALGORITHM:
            return self._by_secret(token)
        if algorithm not in _PUBLIC_KEY_ALGORITHMS:
            _refuse("it is not signed in a way that is accepted here")
        key_id = header.get("kid")
        key = await self._keys.key(key_id) if isinstance(key_id, str) else None
        if key is None:
            _refuse("it is signed with a key that this project does not have")
        return _signed_in(self._claims(token, key.key, key.algorithm_name))

    def _by_secret(self, token: str) -> SignedIn | KeyKind:
        if self._shared_secret is None:
            _refuse("it is signed with a shared secret, and the service has no SUPABASE_JWT_SECRET")
        # An API key of the old form has a role, and neither audience nor user.
        role = _decode(token, self._shared_secret, _SHARED_SECRET_ALGORITHM).get("role")
        for kind in KeyKind:
            if role == kind:
                return kind
        return _signed_in(self._claims(token, self._shared_secret, _SHARED_SECRET_ALGORITHM))

    def _claims(self, token: str, key: Any, algorithm: str) -> Mapping[str, Any]:
        return _decode(token, key, algorithm, audience=AUDIENCE, issuer=self._issuer)


def _header(token: str) -> Mapping[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):
        _refuse("it is no token of a Supabase user")


def _decode(
    token: str, key: Any, algorithm: str, *, audience: str | None = None, issuer: str | None = None
) -> Mapping[str, Any]:
    options: Options = {
        "require": ["exp"],
        "verify_aud": audience is not None,
        "enforce_minimum_key_length": True,
    }
    try:
        return jwt.decode(
            token, key, [algorithm], options, audience=audience, issuer=issuer, leeway=_LEEWAY_S
        )
    except jwt.PyJWTError as error:
        _refuse(_reason(error))


def _signed_in(claims: Mapping[str, Any]) -> SignedIn:
    user_id = str(claims.get("sub"))
    if claims.get("role") != _SIGNED_IN_ROLE:
        _refuse("its role is not that of a signed-in user")
    if not _is_uuid(user_id):
        _refuse("it names no user")
    return SignedIn(
        UserId(user_id.lower()),
        anonymous=bool(claims.get("is_anonymous")),
        refused_from=int(claims["exp"]) + _LEEWAY_S,
    )


def _is_uuid(text: str) -> bool:
    try:
        # Python reads more forms than the one that the database has.
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case jwt.InvalidAudienceError() | jwt.InvalidIssuerError():
            return "it is not for this project"
        case jwt.MissingRequiredClaimError(claim=claim):
            return f"it has no {claim}"
        case jwt.ImmatureSignatureError():
            return "it is not good yet: compare the clocks"
        case _:
            return "it is no token of a Supabase user"


def _refuse(reason: str) -> NoReturn:
    raise Unauthorized(
        f"Your sign-in was refused: {reason}. "
        "Sign in again, and send Authorization: Bearer with the new token."
    ) from None
