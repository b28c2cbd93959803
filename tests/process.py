"""The service as a process of its own, started by its real command."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import aiohttp

from service.serving import listen
from tests.harness import PATIENCE_S, SANDBOX_KEY, WEBHOOK_SECRET, World
from tests.postgrest import Supabase

COMMAND = [sys.executable, "-m", "service.cli"]


def environment(**variables: str) -> dict[str, str]:
    """Only what a process needs to run, so that nothing of this machine's settings comes in."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV") if name in os.environ
    }
    return {**kept, "PYTHONWARNINGS": "error", "NO_COLOR": "1", **variables}


async def run_command(
    *arguments: str, cwd: Path, variables: Mapping[str, str] | None = None, stdin: int = DEVNULL
) -> tuple[int, str]:
    """Run a `clips` command to its end; gives the exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        cwd=cwd,
        env=environment(**(variables or {})),
        stdin=stdin,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode()


async def clips(
    world: World, folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a command to its end; one that spends is told to."""
    yes = ("--yes",) if arguments[0] in ("generate", "retry") else ()
    return await run_command(
        *arguments, *yes, cwd=folder, variables={"CLIPS_URL": world.url, **(variables or {})}
    )


def supabase_variables(supabase: Supabase) -> dict[str, str]:
    """Variables that keep the state in a Supabase project."""
    return {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_role_key,
        "SUPABASE_JWT_SECRET": supabase.jwt_secret,
        "SUPABASE_ANON_KEY": supabase.anon_key,
    }


class ServiceProcess:
    """`clips serve`, which can be killed and started again on the same port and database.

    A test may change `command` and `variables` for the next start.
    """

    def __init__(self, sandbox_url: str, folder: Path, **variables: str) -> None:
        self.command: Sequence[str] = COMMAND
        self._sandbox_url = sandbox_url
        self._folder = folder
        listening, self.url = listen()
        listening.close()
        self.variables: Mapping[str, str] = {
            "RUNWARE_API_KEY": SANDBOX_KEY,
            "RUNWARE_API_URL": f"{sandbox_url}/v1",
            "PUBLIC_URL": self.url,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "VIDEO_HOSTS": "127.0.0.1",
            "POLL_INTERVAL_SECONDS": "0.5",
            "PORT": self.url.rpartition(":")[2],
            **variables,
        }
        self._process: Process | None = None
        self._log = folder / "service.log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.running:
            await self.kill()

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        await self.begin()
        await self.ready()

    async def begin(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                "serve",
                cwd=self._folder,
                env=environment(**self.variables),
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Wait until it is ready."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            while not await self._ready(session):
                assert self.running, self.log
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill it with -9."""
        await self._end(signal.SIGKILL)

    async def ended(self) -> int:
        """Wait until it ends by itself, for as long as the test may take; gives the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def terminate(self) -> int:
        """Ask it to stop; gives the exit code."""
        return await self._end(signal.SIGTERM)

    @property
    def running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The number of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text("utf-8")

    def world(self, session: aiohttp.ClientSession) -> World:
        """Call it as a test does."""
        return World(self.url, self._sandbox_url, session, self._folder / "clips.db")

    async def _end(self, sign: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(sign)
        code = await asyncio.wait_for(self._process.wait(), PATIENCE_S)
        self._process = None
        return code

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False
