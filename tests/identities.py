"""Who calls: signers of tokens, a project's public keys with every fault, and calls in somebody's name."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from service.clips.models import UserId
from service.web.signing_keys import JWKS_PATH
from tests.harness import World, running_world
from tests.postgrest import Supabase
from tests.supabase_keys import PUBLISHABLE_KEY, SECRET_KEY

SHARED_SECRET = "shared-secret-of-the-test-project-0001"
SERVICE_ROLE_KEY = SECRET_KEY
ANON_KEY = PUBLISHABLE_KEY
SERVICE_TOKEN = "token-of-the-service"
ALICE = UserId("5e2f8f1c-6f0a-4a52-9c7e-0d8b1a3c4e5f")
BOB = UserId("0c4d5a9e-1b7f-4f1e-8a53-7be2f6a1d002")

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs tokens; `kid` None for the shared secret."""

    algorithm: str
    key: Any
    kid: str | None = None

    def token(self, issuer: str, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign Alice's token, good for an hour; `claims` change what it says, None takes one out."""
        said = {
            "iss": issuer,
            "sub": ALICE,
            "aud": "authenticated",
            "role": "authenticated",
            "exp": int(time.time()) + 3600,
            "is_anonymous": False,
            **claims,
        }
        kept = {name: value for name, value in said.items() if value is not None}
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(kept, self.key, self.algorithm, headers={**named, **(headers or {})})

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half, as Supabase publishes it."""
        written = (ECAlgorithm if self.algorithm == "ES256" else RSAAlgorithm).to_jwk(
            self.key.public_key(), as_dict=True
        )
        return {**written, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


SHARED = Signer("HS256", SHARED_SECRET)


def elliptic(kid: str) -> Signer:
    return Signer("ES256", ec.generate_private_key(ec.SECP256R1()), kid)


def rsa_signer(kid: str) -> Signer:
    return Signer("RS256", rsa.generate_private_key(65_537, 2048), kid)


@dataclass(slots=True)
class SupabaseProject:
    """The project's address, and what it answers when it is asked for its public keys."""

    signer: Signer
    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    redirect: str | None = None
    delay_s: float = 0
    fetches: int = 0

    @property
    def issuer(self) -> str:
        return f"{self.url}/auth/v1"

    def token(self, **claims: Any) -> str:
        return self.signer.token(self.issuer, **claims)

    async def answer(self, _request: web.Request) -> web.Response:
        self.fetches += 1
        await asyncio.sleep(self.delay_s)
        if self.redirect is not None:
            raise web.HTTPFound(self.redirect)
        if self.body is not None:
            return web.Response(body=self.body, status=self.status)
        return web.json_response({"keys": self.keys}, status=self.status)


@asynccontextmanager
async def running_project(signer: Signer | None = None) -> AsyncIterator[SupabaseProject]:
    """Serve the public keys of a project that signs with `signer`."""
    signer = signer or elliptic("key-1")
    project = SupabaseProject(signer, keys=[signer.jwk])
    app = web.Application()
    app.router.add_get(JWKS_PATH, project.answer)
    async with TestServer(app) as server:
        project.url = str(server.make_url("")).rstrip("/")
        yield project


def bearer(credential: str) -> Headers:
    return {"Authorization": f"Bearer {credential}"}


@dataclass(frozen=True, slots=True)
class Place:
    """The service, called with the credentials that a test says, and the project whose users it knows."""

    world: World
    project: Supabase

    def signed_in(self, user_id: str, **claims: Any) -> Headers:
        return bearer(self.project.asymmetric_user_token(user_id, **claims))

    async def call(
        self, method: str, path: str, headers: Headers, body: object = None
    ) -> tuple[int, dict[str, Any]]:
        async with self.world.session.request(
            method, self.world.url + path, headers=headers, json=body
        ) as response:
            return response.status, await response.json()

    async def store(self, headers: Headers) -> str:
        pair = dict.fromkeys(("first_frame", "last_frame"), f"{self.world.sandbox_url}/frames/1/first.png")
        body = {"frames": {"1": pair}, "scenes": {"1": {"description": "A quiet bay.", "duration": 4}}}
        status, answer = await self.call("POST", "/projects", headers, body)
        assert status == 201, answer
        return str(answer["id"])

    async def listed(self, headers: Headers) -> set[str]:
        status, answer = await self.call("GET", "/projects", headers)
        assert status == 200, answer
        return {one["id"] for one in answer["projects"]}


@asynccontextmanager
async def running_place(tmp_path: Path, project: Supabase, **settings: Any) -> AsyncIterator[Place]:
    """Run the service with a sandbox on a Supabase project; `settings` are changes to the service's."""
    own = {
        "supabase_url": project.url,
        "supabase_service_role_key": SERVICE_ROLE_KEY,
        "supabase_anon_key": ANON_KEY,
        "service_token": SERVICE_TOKEN,
    }
    async with running_world(tmp_path, **{**own, **settings}) as world:
        yield Place(world, project)
