"""`clips init` as a person answers it on a terminal, and as a script runs it."""

import asyncio
import os
import pty
import re
import stat
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from dotenv import dotenv_values

from service.sandbox.server import Sandbox
from tests.harness import PATIENCE_S, SANDBOX_KEY, sandbox_options
from tests.postgrest import Supabase
from tests.process import COMMAND, ServiceProcess, environment, run_command

KEY_ASKED = "Runware's API key, which is not shown: "
STORE_ASKED = "Else in a database file on this machine [y/N]: "
ADDRESS_ASKED = "everything works without): "
PORT_ASKED = "Port to listen on [8000]: "
REPLACE_ASKED = "What it holds is kept beside it. [y/N]: "


@pytest.fixture
async def runware(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a sandbox that stands for Runware."""
    async with Sandbox(sandbox_options(balance_usd=50), files=tmp_path / "videos").serving() as url:
        yield f"{url}/v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service").mkdir()
    return tmp_path / "service"


async def conversation(
    folder: Path, runware: str, answers: Sequence[tuple[str, str]], *arguments: str
) -> tuple[int, str]:
    """Answer each question as it comes; gives the exit code, and all that the terminal shows."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "init",
        *arguments,
        cwd=folder,
        env=environment(RUNWARE_API_URL=runware, VIDEO_HOSTS="127.0.0.1", TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Without a terminal of its own it asks on the one that it is given.
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    async with asyncio.timeout(PATIENCE_S):
        for question, answer in answers:
            before = len(shown)
            while question not in shown[before:]:
                shown += await asyncio.to_thread(read_more, ours)
            os.write(ours, f"{answer}\n".encode())
        while more := await asyncio.to_thread(read_more, ours):
            shown += more
    os.close(ours)
    return await process.wait(), shown.replace("\r\n", "\n")


def read_more(terminal: int) -> str:
    # Linux ends a terminal that nobody writes to any more with an error.
    try:
        return os.read(terminal, 4096).decode()
    except OSError:
        return ""


async def scripted(
    folder: Path, runware: str, *arguments: str, piped: str = "", variables: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run it where nobody can be asked."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "init",
        *arguments,
        cwd=folder,
        env=environment(RUNWARE_API_URL=runware, **(variables or {})),
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(piped.encode()), PATIENCE_S)
    return process.returncode or 0, output.decode()


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_four_answers_make_an_installation_that_the_doctor_finds_well(
    folder: Path, runware: str
) -> None:
    answers = [(KEY_ASKED, SANDBOX_KEY), (STORE_ASKED, ""), (ADDRESS_ASKED, ""), (PORT_ASKED, "")]
    code, shown = await conversation(folder, runware, answers)
    assert code == 0, shown
    assert mode(folder / ".env") == 0o600
    assert dotenv_values(folder / ".env") == {
        "RUNWARE_API_KEY": SANDBOX_KEY,
        "DATABASE_PATH": "clips.db",
        "PORT": "8000",
    }
    assert SANDBOX_KEY not in shown
    assert "ok       Runware     It accepts the key" in shown
    assert "Open the page: http://localhost:8000" in shown


async def test_service_starts_with_what_init_wrote(folder: Path, runware: str) -> None:
    host = "127.0.0.1"
    arguments = ("--yes", "--public-url", f"http://{host}:8000")
    code, said = await scripted(folder, runware, *arguments, piped=f"{SANDBOX_KEY}\n")
    assert code == 0, said
    written = dotenv_values(folder / ".env")
    # Nothing of the variables that a test's service has else, but a port of its own.
    service = ServiceProcess(runware.removesuffix("/v1"), folder)
    service.variables = {"PORT": service.variables["PORT"], "RUNWARE_API_URL": runware}
    async with service:
        assert '"webhooks": true' in service.log
    assert len(written["WEBHOOK_SECRET"] or "") == 64


async def test_wrong_answer_is_asked_again(folder: Path, runware: str) -> None:
    answers = [
        (KEY_ASKED, "two words"),
        (KEY_ASKED, SANDBOX_KEY),
        (STORE_ASKED, "n"),
        (ADDRESS_ASKED, "clips.example.com"),
        (ADDRESS_ASKED, "https://clips.example.com"),
        (PORT_ASKED, "eight"),
        (PORT_ASKED, "8080"),
    ]
    code, shown = await conversation(folder, runware, answers)
    assert code == 0, shown
    assert "RUNWARE_API_KEY is no key" in shown
    assert "PUBLIC_URL is wrong: write a whole http(s) URL" in shown
    assert "PORT is wrong" in shown
    written = dotenv_values(folder / ".env")
    assert (written["PUBLIC_URL"], written["PORT"]) == ("https://clips.example.com", "8080")
    assert written["SERVICE_TOKEN"] != written["WEBHOOK_SECRET"]
    for name in ("SERVICE_TOKEN", "WEBHOOK_SECRET"):
        assert len(written[name] or "") == 64
        assert (written[name] or "") not in shown


async def test_supabase_is_asked_for_and_checked(folder: Path, runware: str, supabase: Supabase) -> None:
    answers = [
        (KEY_ASKED, SANDBOX_KEY),
        (STORE_ASKED, "y"),
        ("such as https://abc.supabase.co: ", supabase.url),
        ("which is not shown: ", supabase.anon_key),
        ("which is not shown: ", supabase.service_role_key),
        ("nobody signs in by it): ", supabase.anon_key),
        (ADDRESS_ASKED, ""),
        (PORT_ASKED, ""),
    ]
    code, shown = await conversation(folder, runware, answers)
    # The tests' Supabase is out of Runware's reach, which is a warning beside a sandbox.
    assert code == 0, shown
    assert "it is not the service role key" in shown
    assert "ok       Database    It is reached" in shown
    assert supabase.service_role_key not in shown
    written = dotenv_values(folder / ".env")
    assert written["SUPABASE_SERVICE_ROLE_KEY"] == supabase.service_role_key
    assert "DATABASE_PATH" not in written


async def test_file_that_is_there_is_replaced_only_on_a_yes(folder: Path, runware: str) -> None:
    (folder / ".env").write_text("RUNWARE_API_KEY=before\n")
    code, shown = await conversation(folder, runware, [(REPLACE_ASKED, "")])
    assert code == 1
    assert "Nothing was written" in shown
    assert names(folder) == [".env"]
    assert (folder / ".env").read_text() == "RUNWARE_API_KEY=before\n"


async def test_what_is_replaced_is_kept_and_its_secrets_stay(folder: Path, runware: str) -> None:
    old = f"RUNWARE_API_KEY={SANDBOX_KEY}\nSERVICE_TOKEN=token-of-before-0123\nRUNWARE_MODEL=google:3@3\n"
    (folder / ".env").write_text(old)
    kept_asked = "which is not shown (Enter keeps the one in .env): "
    arguments = ("--host", "0.0.0.0", "--public-url", "https://clips.example.com", "--port", "9000")
    answers = [(REPLACE_ASKED, "y"), (kept_asked, ""), (STORE_ASKED, "")]
    code, shown = await conversation(folder, runware, answers, *arguments)
    assert code == 0, shown
    written = dotenv_values(folder / ".env")
    assert written["RUNWARE_API_KEY"] == SANDBOX_KEY
    assert (written["HOST"], written["PORT"]) == ("0.0.0.0", "9000")
    assert written["SERVICE_TOKEN"] == "token-of-before-0123"
    assert "SERVICE_TOKEN is kept from before" in shown
    assert "WEBHOOK_SECRET is made" in shown
    backup = folder / ".env.backup-1"
    assert (backup.read_text(), mode(backup)) == (old, 0o600)
    assert "copy what you still want: RUNWARE_MODEL" in shown

    await scripted(folder, runware, "--yes")
    assert names(folder, ".env.backup-*") == [".env.backup-1", ".env.backup-2"]


async def test_failed_check_is_told_and_leaves_what_was_written(folder: Path, runware: str) -> None:
    code, said = await scripted(folder, runware, "--yes", piped="not-the-key-of-the-account\n")
    assert code == 1
    assert "failed   Runware" in said
    assert re.search(r"Mend what failed above, then see: \S+ doctor\n", said)
    assert (folder / ".env").exists()
    assert "not-the-key" not in said


async def test_script_gives_the_key_by_the_environment(folder: Path, runware: str) -> None:
    variables = {"RUNWARE_API_KEY": SANDBOX_KEY}
    code, said = await scripted(folder, runware, "--yes", "--port", "8123", variables=variables)
    assert code == 0, said
    written = dotenv_values(folder / ".env")
    assert (written["RUNWARE_API_KEY"], written["PORT"]) == (SANDBOX_KEY, "8123")


async def test_other_folder_is_named_in_the_next_steps(folder: Path, runware: str) -> None:
    arguments = ("--yes", "--host", "0.0.0.0", "--folder", str(folder))
    code, said = await scripted(folder.parent, runware, *arguments, piped=SANDBOX_KEY)
    assert code == 0, said
    assert (folder / ".env").exists()
    assert f"cd {folder}" in said
    assert not (folder.parent / "clips.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "there is no terminal to ask on"),
        (("--yes",), "There is no key"),
        (("--yes", "--public-url", "clips.example.com"), "PUBLIC_URL is wrong"),
        (("--yes", "--folder", "nowhere"), "nowhere"),
        (("--yes", "--runware-api-key", "k"), "No such option"),
    ],
)
async def test_wrong_use_writes_nothing(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, said = await run_command("init", *arguments, cwd=tmp_path)
    assert code == 2
    assert says in said
    assert names(tmp_path) == []


async def test_file_that_can_not_be_replaced_is_told(folder: Path, runware: str) -> None:
    (folder / ".env").mkdir()
    code, said = await scripted(folder, runware, "--yes", piped=SANDBOX_KEY)
    assert code == 2
    assert ".env can't be written: Is a directory" in said


async def test_file_that_is_no_text_is_kept_as_it_is(folder: Path, runware: str) -> None:
    (folder / ".env").write_bytes(b"\xff\xfe")
    code, said = await scripted(folder, runware, "--yes", piped=SANDBOX_KEY)
    assert code == 0, said
    assert (folder / ".env.backup-1").read_bytes() == b"\xff\xfe"
