"""The front that stands for Supabase, by the real client: each rule that the service's store relies on."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import jwt
import pytest
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from tests.postgres import Postgres
from tests.postgrest import Supabase

FUNCTIONS = """
create table kept (id int primary key, parent int references kept, word text not null);

create function echo(payload jsonb) returns jsonb language sql return payload;
create function many(payload jsonb) returns jsonb language sql
    return (select jsonb_agg(n) from generate_series(1, (payload ->> 'count')::int) as n);
create function nothing(payload jsonb) returns jsonb language sql return null::jsonb;
create function claims(payload jsonb) returns jsonb language sql
    return jsonb_build_object('role', auth.role(), 'sub', auth.uid(), 'jwt', auth.jwt(),
        'current', current_user, 'timeout', current_setting('statement_timeout'),
        'method', current_setting('request.method'));
create function run(payload jsonb) returns jsonb language plpgsql as
    $$ begin execute payload ->> 'sql'; return 'true'; end $$;
create function fail(payload jsonb) returns jsonb language plpgsql as
    $$ begin
        raise exception using message = 'no', errcode = payload ->> 'code', detail = 'd', hint = 'h';
    end $$;
create function rows() returns setof int language sql begin atomic select 1; end;
create function secret(payload jsonb) returns jsonb language sql return payload;
revoke execute on function secret from public, anon, authenticated;
"""


@asynccontextmanager
async def client_of(supabase: Supabase, key: str, token: str | None = None) -> AsyncIterator[AsyncClient]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=30) as http:
        options = AsyncClientOptions(
            httpx_client=http, auto_refresh_token=False, persist_session=False, headers=headers
        )
        yield await create_async_client(supabase.url, key, options)


@pytest.fixture
def functions(postgres: Postgres, database: str) -> None:
    postgres.run(database, FUNCTIONS)


@pytest.fixture
async def client(supabase: Supabase, postgres: Postgres, database: str) -> AsyncIterator[AsyncClient]:
    postgres.run(database, FUNCTIONS)
    async with client_of(supabase, supabase.service_role_key) as client:
        yield client


async def call(client: AsyncClient, function: str, payload: object = None) -> Any:
    return (await client.rpc(function, {"payload": payload}).execute()).data


async def refusal(client: AsyncClient, function: str, payload: object = None) -> APIError:
    with pytest.raises(APIError) as refused:
        await call(client, function, payload)
    return refused.value


async def post(
    supabase: Supabase, function: str, body: str, token: str | None = None, **headers: str
) -> httpx.Response:
    """Call without the client, for what it does not show or never sends."""
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.post(
            f"{supabase.url}/rest/v1/rpc/{function}",
            content=body,
            headers={
                "apikey": supabase.anon_key,
                "content-type": "application/json",
                "authorization": f"Bearer {supabase.service_role_key if token is None else token}".strip(),
                **headers,
            },
        )


@pytest.mark.parametrize("payload", [{"a": [1, None, "ä\n"]}, [], "text", 0.1, True, 12345678901234567890])
async def test_function_gets_and_gives_any_json(client: AsyncClient, payload: object) -> None:
    assert await call(client, "echo", payload) == payload


@pytest.mark.usefixtures("functions")
async def test_number_is_not_rounded_on_its_way(supabase: Supabase) -> None:
    number = "0.12345678901234567890123456789"
    answer = await post(supabase, "echo", f'{{"payload": [{number}, 1.50]}}')
    assert answer.text == f"[{number}, 1.50]"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_null_result_is_null(client: AsyncClient) -> None:
    assert await call(client, "nothing") is None


async def test_long_scalar_result_is_not_cut(client: AsyncClient) -> None:
    assert await call(client, "many", {"count": 5000}) == list(range(1, 5001))


@pytest.mark.usefixtures("functions")
async def test_claims_of_the_token_are_visible_to_sql(supabase: Supabase) -> None:
    user = str(uuid4())
    for token in (supabase.user_token(user, plan="pro"), supabase.asymmetric_user_token(user, plan="pro")):
        async with client_of(supabase, supabase.anon_key, token) as client:
            seen = await call(client, "claims")
        assert (seen["role"], seen["current"], seen["sub"]) == ("authenticated", "authenticated", user)
        assert (seen["jwt"]["plan"], seen["method"]) == ("pro", "POST")
        assert seen["jwt"]["iss"] == f"{supabase.url}/auth/v1"


@pytest.mark.usefixtures("functions")
async def test_each_role_has_its_own_statement_timeout(supabase: Supabase) -> None:
    for token, timeout in (
        (supabase.service_role_key, "8s"),
        (supabase.user_token(str(uuid4())), "8s"),
        (supabase.anon_key, "3s"),
    ):
        answer = await post(supabase, "claims", '{"payload": 1}', token)
        assert answer.json()["timeout"] == timeout


@pytest.mark.usefixtures("functions")
async def test_call_without_a_token_is_anonymous(supabase: Supabase) -> None:
    answer = await post(supabase, "claims", '{"payload": 1}', authorization="Basic x")
    assert answer.json()["current"] == "anon"


async def test_settings_of_one_request_do_not_reach_the_next(client: AsyncClient, supabase: Supabase) -> None:
    await post(supabase, "claims", '{"payload": 1}', supabase.user_token(str(uuid4()), plan="pro"))
    seen = await call(client, "claims")
    assert seen["current"] == "service_role"
    assert "plan" not in seen["jwt"]


@pytest.mark.usefixtures("functions")
async def test_function_without_execute_is_refused(supabase: Supabase) -> None:
    user = supabase.user_token(str(uuid4()))
    for token, status in ((supabase.anon_key, 401), (user, 403)):
        answer = await post(supabase, "secret", '{"payload": 1}', token)
        assert answer.status_code == status
        assert answer.json() == {
            "code": "42501",
            "details": None,
            "hint": None,
            "message": "permission denied for function secret",
        }
    async with client_of(supabase, supabase.anon_key) as anonymous:
        assert (await refusal(anonymous, "secret")).code == "42501"


async def test_unknown_function_and_unknown_argument_are_404(client: AsyncClient, supabase: Supabase) -> None:
    refused = await refusal(client, "unheard")
    assert refused.code == "PGRST202"
    assert refused.message == "Could not find the function public.unheard(payload) in the schema cache"
    answer = await post(supabase, "echo", '{"payload": 1, "more": 2}')
    assert answer.status_code == 404
    assert "public.echo(more, payload)" in answer.json()["message"]


@pytest.mark.parametrize("body", ["{", '{"payload": NaN}', "\ufeff"])
@pytest.mark.usefixtures("functions")
async def test_body_that_is_no_json_is_400(supabase: Supabase, body: str) -> None:
    answer = await post(supabase, "echo", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "PGRST102"
    assert answer.json()["message"] == "Empty or invalid json"


@pytest.mark.usefixtures("functions")
async def test_function_that_gives_rows_is_beyond_the_front(supabase: Supabase) -> None:
    answer = await post(supabase, "rows", "")
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST127")


async def test_gateway_wants_a_key_of_the_project(supabase: Supabase) -> None:
    answer = await post(supabase, "echo", "{}", apikey="")
    assert (answer.status_code, answer.json()["message"]) == (401, "No API key found in request")
    answer = await post(supabase, "echo", "{}", apikey="sb_secret_of_another_project")
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid API key")


def forged(_: Supabase) -> str:
    return jwt.encode({"role": "service_role"}, "another secret of at least 32 characters")


def unsigned(_: Supabase) -> str:
    return jwt.encode({"role": "service_role"}, "", "none")


def of_a_revoked_key(supabase: Supabase) -> str:
    token = supabase.asymmetric_user_token(str(uuid4()))
    supabase.rotate_key(revoke_previous=True)
    return token


def expired(supabase: Supabase) -> str:
    return supabase.user_token(str(uuid4()), exp=int(time.time()) - 31)


def from_the_future(supabase: Supabase) -> str:
    return supabase.user_token(str(uuid4()), iat=int(time.time()) + 60)


def with_a_date(supabase: Supabase) -> str:
    return supabase.user_token(str(uuid4()), nbf=True)


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda _: "", "PGRST301", "Empty JWT is sent in Authorization header"),
        (lambda _: "a.b", "PGRST301", "Expected 3 parts in JWT; got 2"),
        (lambda _: "a.b.c", "PGRST301", "JWT couldn't be decoded"),
        (forged, "PGRST301", "No suitable key or wrong key type"),
        (of_a_revoked_key, "PGRST301", "No suitable key or wrong key type"),
        (unsigned, "PGRST301", "Wrong or unsupported encoding algorithm"),
        (expired, "PGRST303", "JWT expired"),
        (from_the_future, "PGRST303", "JWT issued at future"),
        (with_a_date, "PGRST303", "The JWT 'nbf' claim must be a number"),
    ],
)
@pytest.mark.usefixtures("functions")
async def test_wrong_token_is_refused(supabase: Supabase, make: Any, code: str, message: str) -> None:
    answer = await post(supabase, "echo", '{"payload": 1}', make(supabase))
    assert answer.status_code == 401
    assert (answer.json()["code"], answer.json()["message"]) == (code, message)
    assert answer.headers["www-authenticate"].endswith(f'error_description="{message}"')


@pytest.mark.usefixtures("functions")
async def test_token_within_the_clock_skew_is_accepted(supabase: Supabase) -> None:
    token = supabase.user_token(str(uuid4()), exp=int(time.time()) - 10, iat=int(time.time()) + 10)
    assert (await post(supabase, "echo", '{"payload": 1}', token)).status_code == 200


@pytest.mark.usefixtures("functions")
async def test_role_that_does_not_exist_is_401(supabase: Supabase) -> None:
    answer = await post(supabase, "echo", '{"payload": 1}', supabase.user_token(str(uuid4()), role="king"))
    assert (answer.status_code, answer.json()["code"]) == (401, "22023")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("P0001", 400),
        ("P0002", 500),
        ("PT418", 418),
        ("08006", 503),
        ("22023", 400),
        ("23502", 400),
        ("23503", 409),
        ("23505", 409),
        ("25006", 405),
        ("28000", 403),
        ("40001", 500),
        ("40P01", 500),
        ("42883", 404),
        ("42P01", 404),
        ("53300", 503),
        ("53400", 500),
        ("55P03", 500),
        ("57014", 500),
        ("58030", 500),
        ("XX000", 500),
        ("ZZ999", 400),
    ],
)
@pytest.mark.usefixtures("functions")
async def test_status_follows_the_sqlstate(supabase: Supabase, code: str, status: int) -> None:
    answer = await post(supabase, "fail", f'{{"payload": {{"code": "{code}"}}}}')
    assert answer.status_code == status
    assert answer.json() == {"code": code, "message": "no", "details": "d", "hint": "h"}


async def test_violation_is_told_in_the_words_of_postgres(client: AsyncClient) -> None:
    refused = await refusal(client, "run", {"sql": "insert into kept values (1, 7, 'x')"})
    assert refused.code == "23503"
    assert refused.details == 'Key (parent)=(7) is not present in table "kept".'
    assert refused.hint is None


async def test_failed_request_leaves_nothing_behind(
    client: AsyncClient, postgres: Postgres, database: str
) -> None:
    await refusal(
        client,
        "run",
        {"sql": "insert into kept values (1, null, 'x'); insert into kept values (1, null, 'y')"},
    )
    assert postgres.run(database, "select count(*) from kept") == "0"


async def test_open_transaction_is_not_seen_by_another(
    client: AsyncClient, postgres: Postgres, database: str
) -> None:
    slow = asyncio.create_task(
        call(client, "run", {"sql": "insert into kept values (1, null, 'x'); select pg_sleep(0.5)"})
    )
    asleep = (
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
    )
    while postgres.run(database, asleep) == "0":  # noqa: ASYNC110 - another process's state
        await asyncio.sleep(0.01)
    seen = "do $$ begin assert (select count(*) = {} from kept); end $$"
    assert await call(client, "run", {"sql": seen.format(0)}) is True
    await slow
    assert await call(client, "run", {"sql": seen.format(1)}) is True


async def test_calls_beyond_the_pool_wait_for_their_turn(client: AsyncClient) -> None:
    answers = await asyncio.gather(*(call(client, "echo", n) for n in range(50)))
    assert answers == list(range(50))


async def test_no_free_connection_in_time_is_504(
    client: AsyncClient, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = [asyncio.create_task(call(client, "run", {"sql": "select pg_sleep(3)"})) for _ in range(10)]
    db = await asyncpg.connect(database)
    sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
    while await db.fetchval(sleeping) < len(asleep):  # noqa: ASYNC110 - Postgres tells nobody
        await asyncio.sleep(0.01)
    await db.close()
    monkeypatch.setattr("tests.postgrest.ACQUISITION_TIMEOUT_S", 0.2)
    assert (await refusal(client, "echo")).code == "PGRST003"
    await asyncio.gather(*asleep)


async def test_database_that_is_gone_is_503_until_it_is_back(
    client: AsyncClient, supabase: Supabase, postgres: Postgres
) -> None:
    assert await call(client, "run", {"sql": "insert into kept values (1, null, 'x')"}) is True
    postgres.stop()
    try:
        answers = [await post(supabase, "echo", '{"payload": 1}') for _ in range(3)]
    finally:
        postgres.start()
    assert [answer.status_code for answer in answers] == [503] * 3
    assert answers[-1].json()["code"] == "PGRST000"
    assert await call(client, "echo", 1) == 1
    assert (await refusal(client, "run", {"sql": "insert into kept values (1, null, 'x')"})).code == "23505"


async def test_keys_are_published_counted_and_rotated(supabase: Supabase) -> None:
    async with httpx.AsyncClient() as http:

        async def published() -> list[dict[str, Any]]:
            answer = await http.get(f"{supabase.url}/auth/v1/.well-known/jwks.json")
            keys: list[dict[str, Any]] = answer.json()["keys"]
            return keys

        before = await published()
        token = supabase.asymmetric_user_token(str(uuid4()))
        supabase.rotate_key()
        after = await published()
    assert supabase.jwks_fetches == 2
    assert (len(before), len(after)) == (1, 2)
    (key,) = jwt.PyJWKSet(before).keys
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "JWT", "kid": key.key_id}
    assert jwt.decode(token, key, algorithms=["ES256"], audience="authenticated")["is_anonymous"] is False
    assert all("d" not in one for one in after)
