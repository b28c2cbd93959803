"""`clips doctor` and `clips migrate` as an operator runs them, on good and on broken configurations."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from service.sandbox.server import Sandbox
from service.stores.supabase_schema import MIGRATIONS
from tests.doubles import answering
from tests.guide import PUBLIC_URL, RUNWARE_API_URL, blocks
from tests.harness import SANDBOX_KEY, WEBHOOK_SECRET, sandbox_options
from tests.postgres import BARE, Postgres
from tests.postgrest import Supabase, serving_supabase
from tests.process import ServiceProcess, run_command, supabase_variables


@dataclass(frozen=True, slots=True)
class Installation:
    """A running service, and the variables that it runs with."""

    folder: Path
    variables: dict[str, str]

    async def set_faults(self, **faults: object) -> None:
        sandbox_url = self.variables["RUNWARE_API_URL"].removesuffix("/v1")
        async with aiohttp.ClientSession() as session:
            await session.put(f"{sandbox_url}/faults", json=faults, raise_for_status=True)

    async def doctor(self, **changes: str) -> tuple[int, str]:
        variables = {name: value for name, value in (self.variables | changes).items() if value}
        code, said = await run_command("doctor", cwd=self.folder, variables=variables)
        print(f"$ clips doctor  # exit {code}\n{said}")  # noqa: T201 - what it says, for who reads it with -rP
        for secret in (SANDBOX_KEY, WEBHOOK_SECRET, self.variables["SUPABASE_SERVICE_ROLE_KEY"]):
            assert secret not in said
        return code, said


@pytest.fixture
async def installation(tmp_path: Path, supabase: Supabase) -> AsyncIterator[Installation]:
    options = sandbox_options(balance_usd=50)
    async with Sandbox(options, files=tmp_path / "videos").serving() as sandbox_url:
        service = ServiceProcess(sandbox_url, tmp_path, **supabase_variables(supabase))
        async with service:
            yield Installation(tmp_path, dict(service.variables))


FRAMES_ARE_FETCHED = "ok       Frames      Runware fetches uploaded frames from https://abc.supabase.co.\n"


async def test_good_configuration_is_found_well(installation: Installation) -> None:
    code, said = await installation.doctor()
    assert code == 0
    as_documented = said.replace(installation.variables["PUBLIC_URL"], PUBLIC_URL).replace(
        installation.variables["RUNWARE_API_URL"], RUNWARE_API_URL
    )
    # The tests' Supabase is on this machine, so that its frames are out of a real Runware's reach.
    found = re.sub(
        r"^warning  Frames .*\n +Set SUPABASE_URL .*\n", FRAMES_ARE_FETCHED, as_documented, flags=re.MULTILINE
    )
    assert [line.split()[0] for line in found.splitlines()] == ["ok"] * 7
    assert f"$ clips doctor\n{found}" in blocks("")


async def test_wrong_runware_key_is_found(installation: Installation) -> None:
    code, said = await installation.doctor(RUNWARE_API_KEY="not-the-key-of-the-account")
    assert code == 1
    assert "failed   Runware" in said
    assert "Check RUNWARE_API_KEY" in said
    assert "not-the-key" not in said


@pytest.mark.parametrize("name", ["RUNWARE_API_URL", "PUBLIC_URL"])
async def test_address_with_https_for_http_is_told_as_that(installation: Installation, name: str) -> None:
    mixed_up = installation.variables[name].replace("http:", "https:")
    code, said = await installation.doctor(**{name: mixed_up})
    assert code == 1
    assert "it speaks http, not https: write http:// in its address" in said


async def test_variable_like_a_setting_is_pointed_out(installation: Installation) -> None:
    code, said = await installation.doctor(RUNWARE_CONCURENCY="2")
    assert code == 0
    assert "RUNWARE_CONCURENCY is no setting. Did you mean RUNWARE_CONCURRENCY?" in said


async def test_address_without_runware_is_not_taken_for_a_wrong_key(installation: Installation) -> None:
    nobody = "http://127.0.0.1:9/v1"
    web_page = f"{installation.variables['PUBLIC_URL']}/healthz"
    for address, words in ((nobody, "gives no answer"), (web_page, "not as Runware does (HTTP 405)")):
        code, said = await installation.doctor(RUNWARE_API_URL=address)
        assert code == 1
        assert f"failed   Runware     {address}" in said
        assert words in said
        assert "Check RUNWARE_API_URL" in said


@pytest.mark.parametrize(
    ("faults", "code", "says"),
    [
        ({"account_off": True}, 0, "warning  Runware     It accepts the key"),
        ({"balance_usd": 0}, 1, "failed   Credit      The balance is $0.00"),
        (
            {"balance_usd": 0.5},
            0,
            "warning  Credit      The balance is $0.50: enough for 4 clips of Veo 3.1 Lite",
        ),
        ({"balance_usd": 0.11}, 1, "failed   Credit      The balance is $0.11: not enough for a clip"),
        ({"balance_form": "number"}, 0, "ok       Credit      The balance is $50.00: enough for 416 clips"),
        ({"burst_rate": 1, "burst_status": 503}, 1, "failed   Runware     It is busy or down (HTTP 503)"),
    ],
)
async def test_account_is_told_from_the_key(
    installation: Installation, faults: dict[str, object], code: int, says: str
) -> None:
    await installation.set_faults(**faults)
    exit_code, said = await installation.doctor(RUNWARE_MODEL="google:veo@3.1-lite")
    assert (exit_code, says in said) == (code, True), said


async def test_public_url_that_leads_elsewhere_is_found(installation: Installation) -> None:
    code, said = await installation.doctor(PUBLIC_URL=installation.variables["SUPABASE_URL"])
    assert code == 1
    assert "failed   PUBLIC_URL" in said
    assert "not as the clip service does" in said


async def test_other_webhook_secret_is_found(installation: Installation) -> None:
    code, said = await installation.doctor(WEBHOOK_SECRET="another-secret-than-the-service-has")
    assert code == 1
    assert "another WEBHOOK_SECRET" in said


async def test_service_that_does_not_run_is_found(installation: Installation) -> None:
    code, said = await installation.doctor(PUBLIC_URL="http://127.0.0.1:9")
    assert code == 1
    assert "Start the service" in said


async def test_missing_public_url_is_a_warning_only(installation: Installation) -> None:
    code, said = await installation.doctor(PUBLIC_URL="")
    assert code == 0
    assert "warning  PUBLIC_URL" in said


async def test_missing_public_key_is_a_warning_only(installation: Installation) -> None:
    code, said = await installation.doctor(SUPABASE_ANON_KEY="")
    assert code == 0
    assert "warning  Page" in said
    assert "neither SUPABASE_ANON_KEY nor SERVICE_TOKEN is set" in said


async def test_wrong_settings_are_each_named(installation: Installation) -> None:
    code, said = await installation.doctor(WEBHOOK_SECRET="short", RUNWARE_CONCURRENCY="none")
    assert code == 1
    assert "WEBHOOK_SECRET is wrong" in said
    assert "RUNWARE_CONCURRENCY is wrong" in said


async def test_database_without_migrations_is_found_and_they_are_named(
    installation: Installation, postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.database(template=BARE) as dsn:
        async with serving_supabase(dsn) as bare:
            variables = supabase_variables(bare)
            code, said = await installation.doctor(**variables)
            assert code == 1
            assert MIGRATIONS[0].name in said
            check = await run_command(
                "migrate", "--check", cwd=tmp_path, variables=installation.variables | variables
            )
            missing = "".join(f"missing: {migration.name}\n" for migration in MIGRATIONS)
            assert check[0] == 1
            assert check[1].startswith(missing)

            code, sql = await run_command("migrate", "--print", cwd=tmp_path)
            assert code == 0
            postgres.run(dsn, sql)
            code, said = await run_command(
                "migrate", "--check", cwd=tmp_path, variables=installation.variables | variables
            )
            assert (code, said) == (0, "The database has all that this release needs.\n")


async def test_database_that_can_not_be_reached_is_found(installation: Installation) -> None:
    away = {"SUPABASE_URL": "http://127.0.0.1:9"}
    code, said = await installation.doctor(**away)
    assert code == 1
    assert "failed   Database" in said
    variables = installation.variables | away
    assert (await run_command("migrate", "--check", cwd=installation.folder, variables=variables))[0] == 2


async def test_migrations_are_checked_with_the_settings_of_the_database_alone(
    supabase: Supabase, tmp_path: Path
) -> None:
    known = supabase_variables(supabase)
    database = {name: known[name] for name in ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")}
    for others in ({}, {"RUNWARE_CONCURRENCY": "none", "PUBLIC_URL": "https://clips.example.com"}):
        told = await run_command("migrate", "--check", cwd=tmp_path, variables=database | others)
        assert told == (0, "The database has all that this release needs.\n")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SUPABASE_URL": "https://abc.supabase.co"}, "SUPABASE_SERVICE_ROLE_KEY is not: copy the"),
        ({"SUPABASE_URL": "abc.supabase.co"}, "SUPABASE_URL is wrong"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_k"}, "means nothing without a Supabase project"),
    ],
)
async def test_settings_of_the_database_that_can_not_be_are_told_as_ever(
    tmp_path: Path, variables: dict[str, str], told: str
) -> None:
    code, said = await run_command("migrate", "--check", cwd=tmp_path, variables=variables)
    assert (code, told in said) == (2, True), said


async def test_migrate_wants_to_know_what_to_do(tmp_path: Path) -> None:
    code, said = await run_command("migrate", cwd=tmp_path)
    assert (code, said) == (2, "Say one of --check and --print.\n")


OPERATOR = "token-of-the-operators"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a running service that asks for a token."""
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        ServiceProcess(sandbox_url, tmp_path, SERVICE_TOKEN=OPERATOR) as service,
    ):
        yield service.url


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder in which nothing says how the service is set up."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


async def doctor_of(url: str, elsewhere: Path, token: str = OPERATOR) -> tuple[int, str]:
    """Ask a service from elsewhere, with no setting but the token."""
    variables = {"CLIPS_TOKEN": token} if token else {}
    code, said = await run_command("doctor", "--url", url, cwd=elsewhere, variables=variables)
    assert OPERATOR not in said
    assert "Traceback" not in said
    return code, said


async def test_running_service_is_found_well_from_elsewhere(running: str, elsewhere: Path) -> None:
    code, said = await doctor_of(running, elsewhere)
    assert code == 0, said
    # The service of this test is on this machine, and has no Supabase.
    as_documented = said.replace(running, PUBLIC_URL)
    for here, there in (
        (
            "Uploaded frames are sent along with their clips.",
            "Runware fetches uploaded frames by their URLs.",
        ),
        ("in a file of its own, for one copy alone", "in Supabase"),
    ):
        as_documented = as_documented.replace(here, there)
    assert f"$ clips doctor --url {PUBLIC_URL}\n{as_documented}" in blocks("")
    assert not (elsewhere / "clips.db").exists(), "it opens no database of its own"


async def test_running_service_tells_everybody_how_it_stands(running: str, elsewhere: Path) -> None:
    code, said = await doctor_of(running, elsewhere, token="")
    assert code == 0
    assert [line.split()[:2] for line in said.splitlines() if line[0] != " "] == [
        ["ok", "Service"],
        ["ok", "Release"],
        ["ok", "Database"],
        ["ok", "Poller"],
        ["ok", "Page"],
        ["untold", "Token"],
    ]
    assert "Set CLIPS_TOKEN" in said


async def test_wrong_token_of_a_running_service_is_found(running: str, elsewhere: Path) -> None:
    code, said = await doctor_of(running, elsewhere, token="another-token-0123456")
    assert code == 1
    assert "failed   Token       The service refuses it" in said


async def test_service_that_is_away_is_found(elsewhere: Path) -> None:
    code, said = await doctor_of("http://127.0.0.1:9", elsewhere)
    assert code == 1
    assert "failed   Service     http://127.0.0.1:9 can't be reached: Connection refused" in said


async def test_no_redirect_takes_the_token_to_another_host(elsewhere: Path) -> None:
    seen: list[str] = []

    async def other_host(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.json_response({"status": "ok"})

    async with answering(other_host) as target:

        async def redirecting(request: web.BaseRequest) -> web.Response:
            if request.path == "/healthz":
                return web.json_response({"status": "ok"})
            raise web.HTTPTemporaryRedirect(target + request.path)

        async with answering(redirecting) as url:
            code, said = await doctor_of(url, elsewhere)
    assert code == 1
    assert "failed   Token       /metrics does not answer as the service does (HTTP 307)" in said
    assert seen == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--url", "http://127.0.0.1:9", "--spend", "1", "--yes"), "--url asks a running service"),
        (("--url", "clips.example.com"), "write a whole http(s) URL"),
    ],
)
async def test_wrong_use_of_url_is_refused(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, said = await run_command("doctor", *arguments, cwd=tmp_path)
    assert (code, says in said) == (2, True), said
