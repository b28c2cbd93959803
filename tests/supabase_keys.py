"""What a Supabase project signs: its API keys and the tokens of its users.

https://supabase.com/docs/guides/auth/jwts and https://supabase.com/docs/guides/auth/signing-keys
"""

import json
import time
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

SECRET_KEY: Final = "sb_secret_of-the-test-project"
PUBLISHABLE_KEY: Final = "sb_publishable_of-the-test-project"
JWT_SECRET: Final = "secret-of-the-project-with-at-least-32-characters"
_HOUR_S: Final = 3600
_TEN_YEARS_S: Final = 10 * 365 * 24 * _HOUR_S


class SupabaseKeys:
    """The secret and the signing keys of one project, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jwt_secret = JWT_SECRET
        self.anon_key = self._api_key("anon")
        self.service_role_key = self._api_key("service_role")
        self._signing_keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.rotate_key()

    def rotate_key(self, *, revoke_previous: bool = False) -> None:
        """Sign with a new key from now on; the previous ones stay trusted, unless they are revoked."""
        if revoke_previous:
            self._signing_keys.clear()
        self._signing_keys[str(uuid4())] = ec.generate_private_key(ec.SECP256R1())

    def user_token(self, user_id: str, **claims: Any) -> str:
        """Sign a user's token with the shared secret (HS256); `claims` replace the usual ones."""
        return jwt.encode(self._user_claims(user_id, claims), self.jwt_secret, "HS256")

    def asymmetric_user_token(self, user_id: str, **claims: Any) -> str:
        """Sign a user's token with the newest signing key (ES256)."""
        kid, key = list(self._signing_keys.items())[-1]
        return jwt.encode(self._user_claims(user_id, claims), key, "ES256", headers={"kid": kid})

    def jwks(self) -> dict[str, Any]:
        """Give the public halves of the trusted keys, as `/auth/v1/.well-known/jwks.json` does."""
        return {
            "keys": [
                {
                    **json.loads(ECAlgorithm.to_jwk(key.public_key())),
                    "kid": kid,
                    "alg": "ES256",
                    "use": "sig",
                    "key_ops": ["verify"],
                    "ext": True,
                }
                for kid, key in self._signing_keys.items()
            ]
        }

    def verification_key(self, header: dict[str, Any]) -> str | ec.EllipticCurvePublicKey:
        """Find the key that a token with this header must be signed by.

        Raises InvalidAlgorithmError for an unsigned token, InvalidKeyError if the project has no such key.
        """
        if header["alg"] == "none":
            raise jwt.InvalidAlgorithmError
        if header["alg"] == "HS256":
            return self.jwt_secret
        if header["alg"] == "ES256" and header.get("kid") in self._signing_keys:
            return self._signing_keys[header["kid"]].public_key()
        raise jwt.InvalidKeyError

    def _api_key(self, role: str) -> str:
        now = int(time.time())
        claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + _TEN_YEARS_S}
        return jwt.encode(claims, self.jwt_secret, "HS256")

    def _user_claims(self, user_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": f"{self.url}/auth/v1",
            "sub": user_id,
            "aud": "authenticated",
            "role": "authenticated",
            "iat": now,
            "exp": now + _HOUR_S,
            "session_id": str(uuid4()),
            "is_anonymous": False,
            **changes,
        }
