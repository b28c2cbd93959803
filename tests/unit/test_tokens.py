"""Who a token or a key makes its bearer, against fixed vectors, and which ones are refused."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.apikeys import KeyKind, claimed_kind
from service.clips.ownership import Anonymous, Caller, Operator, User, answers_to
from service.errors import KeysUnavailable, Unauthorized
from service.web.access import SupabaseCallers
from service.web.signing_keys import SigningKeys
from service.web.tokens import SignedIn, TokenVerifier
from tests.identities import (
    ALICE,
    ANON_KEY,
    BOB,
    SERVICE_ROLE_KEY,
    SHARED,
    SHARED_SECRET,
    Signer,
    SupabaseProject,
    elliptic,
    rsa_signer,
    running_project,
)

SIGNED_IN = SignedIn(ALICE, anonymous=False, refused_from=0)
# Made once, good until the year 2100: Alice's token, signed in each of the three ways.
ISSUER = "https://abc.supabase.co/auth/v1"
PAYLOAD = (
    "eyJpc3MiOiJodHRwczovL2FiYy5zdXBhYmFzZS5jby9hdXRoL3YxIiwic3ViIjoiNWUyZjhmMWMtNmYwYS00YTUyLT"
    "ljN2UtMGQ4YjFhM2M0ZTVmIiwiYXVkIjoiYXV0aGVudGljYXRlZCIsInJvbGUiOiJhdXRoZW50aWNhdGVkIiwiZXhw"
    "Ijo0MTAyNDQ0ODAwLCJpc19hbm9ueW1vdXMiOmZhbHNlfQ"
)
EC_JWK = {
    "kid": "ec-1",
    "kty": "EC",
    "crv": "P-256",
    "x": "P_U_TTdkek39Rjs7TAG_iIo43-RFXp6tUGqu4kdgQxk",
    "y": "_ce1j1OaRi900GJ46zBO_JFKde1fwgTKWmoXNxoKJ1U",
}
ES256_TOKEN = (
    f"eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEiLCJ0eXAiOiJKV1QifQ.{PAYLOAD}."
    "-pbbJ0HeuPaSN5P7JeuYPeVGDyU1z9ml7OmyP7RrwjKQrW6NtmhmdmJFou_VqDtt-QdEcrXBTtN6MIWIK_420Q"
)
RSA_JWK = {
    "kid": "rsa-1",
    "kty": "RSA",
    "e": "AQAB",
    "n": (
        "vvB0UJH-8iAWqfG1_YTqC3u82Pn9Q5bOYUW5vBwklKA8yjacjhJ2ne0W5nwcYWxiJVwyunPuaCTqKsD1-8oPEeifij"
        "E3DBIeeM9YjdvLxbiZ4gvkVE_k08WDrsE1JY5-KX66cmOAXlKU-W9lT9hkKS6mIFvwvEqnBiuST4oH6XQqbrTKHWPp"
        "ahI0nwvfKogh_nmu3XcerK4zs-hY34UwIJwJpyoWKTjVirE_M8B0FXBTm-QaGTtn6KJ39H7sBeWd8zukRyOgneiLgK"
        "BHQ3unSIyBIhAixcjmAROM-PzZdEcwLpsPDd-OZPI7-nYbIknQQ4iazRaDa15Pk0riayzPPQ"
    ),
}
RS256_TOKEN = (
    f"eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0.{PAYLOAD}."
    "dedxAzlExU8kwonGMWodhut_IRAs7sBXX3CmRk6dSQi9srQx95T2NhHof6ZeXKB5V7omXlKwVSaZroUebOKENvoe7r"
    "ruXBj7f3wpNfP6KBn2qPrcVu1Xl-AWj8Gc0FsAFuEuXBa9yZ1Ry2xCBJiYUaD9NVWMSvbdaalhlTZ0RIpfPYYeYFJk"
    "J6JU1rY-RFtNwouN6o8G9yv-M0XAnMPCgexPlpY5d4dzldRFnLtuFUcHcVVSHw8LB5RyODzB-DvEOM-ceLutUQxToi"
    "03sUMspeB4FC-45FTWJ0tLfezGTYeai7Li_T9nr6iY8PKMs9awGtWeYB90G414-bKeBR2_jQ"
)
HS256_TOKEN = f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{PAYLOAD}.UKppuhpp1aiHzLxvKWzoTfqu03b0zBDi9onK2-XN94A"


class Seconds:
    """A clock in seconds that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def project() -> AsyncIterator[SupabaseProject]:
    async with running_project() as running:
        yield running


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
async def keys(project: SupabaseProject, clock: Seconds) -> AsyncIterator[SigningKeys]:
    async with SigningKeys(project.url, clock) as opened:
        yield opened


@pytest.fixture
def verifier(project: SupabaseProject, keys: SigningKeys) -> TokenVerifier:
    return TokenVerifier(project.issuer, keys, SHARED_SECRET)


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Unauthorized) as refused:
        await verifier.verify(token)
    message = str(refused.value)
    assert not any(len(part) > 8 and part in message for part in token.split(".")), "it shows the token"
    return message


def encoded(part: object) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forged(header: object, claims: object, key: bytes | None = None) -> str:
    """Put a token together by hand, as no library would; with a key it is signed by HS256."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    signature = b"" if key is None else hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{encoded(signature)}"


def claims_of(project: SupabaseProject) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(project.token(), options={"verify_signature": False})
    return claims


@pytest.mark.parametrize("token", [ES256_TOKEN, RS256_TOKEN, HS256_TOKEN], ids=["ES256", "RS256", "HS256"])
async def test_fixed_token_of_each_algorithm_names_its_user(
    project: SupabaseProject, keys: SigningKeys, token: str
) -> None:
    project.keys = [EC_JWK, RSA_JWK]
    verifier = TokenVerifier(ISSUER, keys, SHARED_SECRET)
    assert await verifier.verify(token) == SIGNED_IN


@pytest.mark.parametrize("token", [ES256_TOKEN, RS256_TOKEN, HS256_TOKEN], ids=["ES256", "RS256", "HS256"])
async def test_altered_token_is_refused(project: SupabaseProject, keys: SigningKeys, token: str) -> None:
    project.keys = [EC_JWK, RSA_JWK]
    verifier = TokenVerifier(ISSUER, keys, SHARED_SECRET)
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    elsewhere = encoded({**claims, "sub": BOB})
    assert "signature is wrong" in await refusal(verifier, f"{header}.{elsewhere}.{signature}")
    altered = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert "signature is wrong" in await refusal(verifier, f"{header}.{payload}.{altered}")


@pytest.mark.parametrize("signer", [None, SHARED], ids=["public key", "shared secret"])
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": int(time.time()) - 60}, "it has expired"),
        ({"exp": None}, "it has no exp"),
        ({"exp": "soon"}, "no token of a Supabase user"),
        ({"nbf": int(time.time()) + 3600}, "compare the clocks"),
        ({"aud": "other"}, "not for this project"),
        ({"aud": None}, "it has no aud"),
        ({"iss": "https://other.supabase.co/auth/v1"}, "not for this project"),
        ({"iss": None}, "it has no iss"),
        ({"role": "other"}, "its role"),
        ({"role": None}, "its role"),
        ({"role": ["authenticated"]}, "its role"),
        ({"sub": None}, "it names no user"),
        ({"sub": "alice"}, "it names no user"),
        ({"sub": "{" + ALICE + "}"}, "it names no user"),
    ],
)
async def test_genuine_token_that_says_the_wrong_thing_is_refused_with_the_reason(
    project: SupabaseProject,
    verifier: TokenVerifier,
    signer: Signer | None,
    claims: dict[str, Any],
    reason: str,
) -> None:
    token = (signer or project.signer).token(project.issuer, **claims)
    assert reason in await refusal(verifier, token)


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "....", "\x00", "ü.ü.ü", forged([], {}), forged({}, {}), forged(b"[" * 9000, {})],
)
async def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    await refusal(verifier, token)


def unsigned(project: SupabaseProject) -> str:
    return forged({"alg": "none", "kid": "key-1"}, claims_of(project))


def unsigned_in_capitals(project: SupabaseProject) -> str:
    return forged({"alg": "NONE", "kid": "key-1"}, claims_of(project))


def without_signature(project: SupabaseProject) -> str:
    return project.token().rpartition(".")[0] + "."


def by_the_public_keys_pem(project: SupabaseProject) -> str:
    pem = project.signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return forged({"alg": "HS256", "kid": "key-1"}, claims_of(project), pem)


def by_the_public_keys_description(project: SupabaseProject) -> str:
    return forged({"alg": "HS256", "kid": "key-1"}, claims_of(project), json.dumps(project.keys[0]).encode())


def by_an_empty_secret(project: SupabaseProject) -> str:
    return forged({"alg": "HS256"}, claims_of(project), b"")


def by_the_secret_as_another_algorithm(project: SupabaseProject) -> str:
    return forged({"alg": "ES256", "kid": "key-1"}, claims_of(project), SHARED_SECRET.encode())


def by_a_longer_hash(project: SupabaseProject) -> str:
    return jwt.encode(claims_of(project), SHARED_SECRET * 2, "HS512")


def as_the_other_public_key_algorithm(project: SupabaseProject) -> str:
    return rsa_signer("key-1").token(project.issuer)


def by_a_stranger_under_the_same_name(project: SupabaseProject) -> str:
    return elliptic("key-1").token(project.issuer)


def by_a_stranger_who_brings_the_key(project: SupabaseProject) -> str:
    stranger = elliptic("key-1")
    headers = {"jwk": stranger.jwk, "jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/x"}
    return stranger.token(project.issuer, headers)


def by_a_key_without_a_name(project: SupabaseProject) -> str:
    return Signer("ES256", project.signer.key).token(project.issuer)


@pytest.mark.parametrize("shared_secret", [SHARED_SECRET, None])
@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        unsigned_in_capitals,
        without_signature,
        by_the_public_keys_pem,
        by_the_public_keys_description,
        by_an_empty_secret,
        by_the_secret_as_another_algorithm,
        by_a_longer_hash,
        as_the_other_public_key_algorithm,
        by_a_stranger_under_the_same_name,
        by_a_stranger_who_brings_the_key,
        by_a_key_without_a_name,
    ],
)
async def test_forged_token_is_refused(
    project: SupabaseProject,
    keys: SigningKeys,
    make: Callable[[SupabaseProject], str],
    shared_secret: str | None,
) -> None:
    await refusal(TokenVerifier(project.issuer, keys, shared_secret), make(project))


async def test_public_key_is_good_for_no_algorithm_but_its_own(
    project: SupabaseProject, keys: SigningKeys
) -> None:
    project.keys = [
        {**EC_JWK, "kid": "wrong-alg", "alg": "ES384"},
        {**RSA_JWK, "kid": "swapped", "alg": "HS256"},
        {**EC_JWK, "kid": "for-encryption", "use": "enc"},
        {"kty": "oct", "kid": "secret", "alg": "HS256", "k": encoded(SHARED_SECRET.encode())},
        {"kty": "RSA", "kid": "incomplete"},
        {**EC_JWK, "kid": "no-point", "x": 5},
        {**EC_JWK, "kid": 7},
        EC_JWK,
    ]
    listed = ("wrong-alg", "swapped", "for-encryption", "secret", "incomplete", "no-point")
    assert [await keys.key(kid) for kid in listed] == [None] * len(listed)
    good = await keys.key("ec-1")
    assert good is not None
    assert good.algorithm_name == "ES256"


async def test_token_by_a_secret_that_the_service_was_not_given_is_refused_with_its_name(
    project: SupabaseProject, keys: SigningKeys
) -> None:
    verifier = TokenVerifier(project.issuer, keys, None)
    assert "SUPABASE_JWT_SECRET" in await refusal(verifier, SHARED.token(project.issuer))


async def test_session_ends_when_its_token_begins_to_be_refused(
    project: SupabaseProject, keys: SigningKeys
) -> None:
    project.keys = [EC_JWK]
    user = await callers(TokenVerifier(ISSUER, keys, None)).caller(ES256_TOKEN)
    assert isinstance(user, User)
    # The token's exp, and the seconds that clocks may be apart.
    assert user.until == 4_102_444_800 + 5


async def test_clocks_may_be_a_few_seconds_apart(project: SupabaseProject, verifier: TokenVerifier) -> None:
    token = project.token(exp=int(time.time()) - 2, iat=int(time.time()) + 2)
    assert await verifier.verify(token) == SIGNED_IN


async def test_keys_are_fetched_once_for_many_callers_at_once(
    project: SupabaseProject, verifier: TokenVerifier
) -> None:
    project.delay_s = 0.1
    token = project.token()
    callers = await asyncio.gather(*(verifier.verify(token) for _ in range(200)))
    assert callers == [SIGNED_IN] * 200
    assert project.fetches == 1


async def test_keys_are_fetched_again_after_ten_minutes(
    project: SupabaseProject, verifier: TokenVerifier, clock: Seconds
) -> None:
    await verifier.verify(project.token())
    clock.now += 599
    await verifier.verify(project.token())
    assert project.fetches == 1
    clock.now += 1
    await verifier.verify(project.token())
    assert project.fetches == 2


async def test_key_that_was_withdrawn_is_refused_within_ten_minutes(
    project: SupabaseProject, verifier: TokenVerifier, clock: Seconds
) -> None:
    await verifier.verify(project.token())
    project.keys = [elliptic("key-2").jwk]
    clock.now += 600
    assert "a key that this project does not have" in await refusal(verifier, project.token())


async def test_new_key_is_fetched_when_its_first_token_comes(
    project: SupabaseProject, verifier: TokenVerifier, clock: Seconds
) -> None:
    await verifier.verify(project.token())
    rotated = rsa_signer("key-2")
    project.keys.append(rotated.jwk)
    clock.now += 31
    assert await verifier.verify(rotated.token(project.issuer)) == SIGNED_IN
    assert await verifier.verify(project.token()) == SIGNED_IN
    assert project.fetches == 2


async def test_unknown_keys_do_not_cause_more_than_one_fetch_within_the_limit(
    project: SupabaseProject, verifier: TokenVerifier, clock: Seconds
) -> None:
    await verifier.verify(project.token())
    clock.now += 30
    strangers = [Signer("ES256", project.signer.key, f"made-up-{n}").token(project.issuer) for n in range(50)]
    for token in strangers:
        assert "a key that this project does not have" in await refusal(verifier, token)
    assert project.fetches == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500},
        {"status": 404},
        {"body": b"<html>"},
        {"body": b'{"keys": {}}'},
        {"body": b"[" * 10_000},
        {"body": b" " * (64 * 1024 + 1)},
        {"redirect": "/elsewhere"},
    ],
    ids=["500", "404", "html", "no list", "nested", "huge", "redirect"],
)
async def test_without_keys_nobody_is_refused_but_asked_to_come_again(
    project: SupabaseProject, verifier: TokenVerifier, clock: Seconds, broken: dict[str, Any]
) -> None:
    for name, value in broken.items():
        setattr(project, name, value)
    with pytest.raises(KeysUnavailable):
        await verifier.verify(project.token())
    project.status, project.body, project.redirect = 200, None, None
    with pytest.raises(KeysUnavailable):
        await verifier.verify(project.token())
    assert project.fetches == 1
    clock.now += 5
    assert await verifier.verify(project.token()) == SIGNED_IN


async def test_known_keys_stay_good_while_they_can_not_be_fetched(
    project: SupabaseProject, verifier: TokenVerifier, clock: Seconds
) -> None:
    await verifier.verify(project.token())
    project.status = 503
    clock.now += 3600
    assert await verifier.verify(project.token()) == SIGNED_IN
    with pytest.raises(KeysUnavailable):
        await verifier.verify(elliptic("key-2").token(project.issuer))


async def test_address_where_nobody_answers_is_no_refusal_either(clock: Seconds) -> None:
    async with SigningKeys("http://127.0.0.1:9", clock) as keys:
        with pytest.raises(KeysUnavailable):
            await keys.key("key-1")


def callers(verifier: TokenVerifier, *, allow_anon: bool = False) -> SupabaseCallers:
    return SupabaseCallers(verifier, SERVICE_ROLE_KEY, (ANON_KEY,), allow_anon)


def old_key(role: str, secret: str = SHARED_SECRET) -> str:
    """An API key of the old form: no audience, no user, and an issuer of its own."""
    claims = {"iss": "supabase", "ref": "abc", "role": role, "iat": 1_700_000_000, "exp": 4_102_444_800}
    return jwt.encode(claims, secret, "HS256")


@pytest.mark.parametrize("credential", [SERVICE_ROLE_KEY, old_key("service_role")])
async def test_service_role_key_of_either_form_makes_an_operator(
    verifier: TokenVerifier, credential: str
) -> None:
    assert await callers(verifier).caller(credential) == Operator()


@pytest.mark.parametrize(
    "credential",
    [
        SERVICE_ROLE_KEY[:-1],
        SERVICE_ROLE_KEY + "x",
        old_key("service_role", "another-secret-of-another-project-0002"),
        old_key("supabase_admin"),
        "sb_secret_of-another-project",
    ],
)
@pytest.mark.parametrize("allow_anon", [False, True])
async def test_other_key_makes_nobody(verifier: TokenVerifier, credential: str, allow_anon: bool) -> None:
    with pytest.raises(Unauthorized):
        await callers(verifier, allow_anon=allow_anon).caller(credential)


async def test_service_role_in_a_token_by_a_public_key_makes_no_operator(
    project: SupabaseProject, verifier: TokenVerifier
) -> None:
    with pytest.raises(Unauthorized, match="its role"):
        await callers(verifier).caller(project.token(role="service_role"))


@pytest.mark.parametrize("credential", [ANON_KEY, old_key("anon"), "sb_publishable_of-another-project"])
async def test_public_key_alone_is_told_to_sign_in(verifier: TokenVerifier, credential: str) -> None:
    with pytest.raises(Unauthorized, match=r"sign in first.*ALLOW_ANON=true"):
        await callers(verifier).caller(credential)


@pytest.mark.parametrize("credential", [ANON_KEY, old_key("anon")])
async def test_public_key_makes_an_anonymous_caller_where_that_is_allowed(
    verifier: TokenVerifier, credential: str
) -> None:
    assert await callers(verifier, allow_anon=True).caller(credential) == Anonymous()


@pytest.mark.parametrize(
    "credential",
    ["sb_publishable_of-another-project", old_key("anon", "another-secret-of-another-project-0002")],
)
async def test_public_key_of_another_project_is_refused_even_where_anonymous_callers_are_allowed(
    verifier: TokenVerifier, credential: str
) -> None:
    with pytest.raises(Unauthorized):
        await callers(verifier, allow_anon=True).caller(credential)


@pytest.mark.parametrize("signer", [None, SHARED], ids=["public key", "shared secret"])
@pytest.mark.parametrize("told", [True, "true", 1])
async def test_anonymous_sign_in_counts_as_anonymous_and_keeps_its_user_where_that_is_allowed(
    project: SupabaseProject, verifier: TokenVerifier, signer: Signer | None, told: object
) -> None:
    token = (signer or project.signer).token(project.issuer, is_anonymous=told)
    with pytest.raises(Unauthorized, match="anonymous sign-in"):
        await callers(verifier).caller(token)
    assert await callers(verifier, allow_anon=True).caller(token) == User(ALICE)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ANON_KEY, KeyKind.PUBLIC),
        (SERVICE_ROLE_KEY, KeyKind.SERVICE),
        (old_key("anon"), KeyKind.PUBLIC),
        (old_key("service_role"), KeyKind.SERVICE),
        (HS256_TOKEN, None),
        ("", None),
        ("no-key", None),
        (forged({"alg": "HS256"}, b"[" * 9000), None),
        (forged({"alg": "HS256"}, {"role": ["anon"]}), None),
    ],
)
def test_key_says_of_which_kind_it_is(key: str, kind: KeyKind | None) -> None:
    assert claimed_kind(key) is kind


@pytest.mark.parametrize(
    ("caller", "own", "other", "nobodys"),
    [
        (Operator(), True, True, True),
        (User(ALICE), True, False, True),
        (Anonymous(), False, False, True),
    ],
)
def test_project_answers_to_its_owner_and_to_operators_and_one_without_an_owner_to_all(
    caller: Caller, own: bool, other: bool, nobodys: bool
) -> None:
    assert [answers_to(owner, caller) for owner in (ALICE, BOB, None)] == [own, other, nobodys]
