"""What is tortured: two copies of `clips serve` on one database, and `clips sandbox`, all processes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from service.serving import listen
from tests.harness import PATIENCE_S, SANDBOX_KEY, World
from tests.postgres import ROOT
from tests.process import COMMAND, ServiceProcess, environment
from tests.torture.checker import Evidence, Row, Task, violations_at_any_time, violations_at_the_end
from tests.torture.databases import Database
from tests.torture.launcher import VARIABLE

_LAUNCHER: Final = [sys.executable, "-m", "tests.torture.launcher"]
# As quick as the grace time allows: a submission may take 80 % of it.
_SETTINGS: Final = {
    "SUBMISSION_GRACE_SECONDS": "5",
    "POLL_INTERVAL_SECONDS": "1",
    "RUNWARE_BATCH_SIZE": "25",
    "PYTHONPATH": str(ROOT),
}


class Copy(ServiceProcess):
    """A copy of the service, which may be of another release, or be armed to kill itself."""

    def arm(self, points: Iterable[str]) -> None:
        """Have the next start die at one of `launcher.POINTS` after the other, and end after the last."""
        self.command = _LAUNCHER
        self.variables = {**self.variables, VARIABLE: ",".join(points)}

    def disarm(self) -> None:
        """Have the next start be the command as it is."""
        self.command = COMMAND
        self.variables = {name: value for name, value in self.variables.items() if name != VARIABLE}

    def use_release(self, folder: Path) -> None:
        """Have the next starts be of the release in this folder."""
        self.variables = {**self.variables, "PYTHONPATH": str(folder)}

    def use_this_release(self) -> None:
        """Have the next starts be of this one."""
        self.use_release(ROOT)


@dataclass(slots=True)
class House:
    """Two copies, their database and Runware's ledger; and a witness of how all of it stands."""

    copies: list[Copy]
    worlds: list[World]
    database: Database
    sandbox_url: str
    session: aiohttp.ClientSession
    promises: set[tuple[str, str]] = field(default_factory=set)
    """Scenes whose clips a call has promised, by project."""
    rows: Mapping[str, Row] = field(default_factory=dict)
    """The clips as the witness saw them last."""
    projects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What `projects.clips` of each project showed then."""
    ledger: Mapping[str, Any] = field(default_factory=dict)
    """Runware's, as it was then."""
    violations: dict[str, None] = field(default_factory=dict)

    async def look(self, *, at_the_end: bool = False) -> None:
        """Have the witness compare Runware's ledger with the database, and with how that stood before."""
        promises = frozenset(self.promises)
        self.ledger = await self.worlds[0].ledger()
        rows, self.projects = await self.database.read()
        tasks = {task: Task.of(entry) for task, entry in self.ledger["tasks"].items()}
        evidence = Evidence(tasks, self.ledger["cost_usd"], rows, self.projects, promises)
        check = violations_at_the_end if at_the_end else violations_at_any_time
        self.violations |= dict.fromkeys(check(evidence, self.rows))
        self.rows = rows

    @property
    def ended(self) -> int:
        """How many clips had ended when the witness looked last."""
        return sum(row.settled_at is not None for row in self.rows.values())


@asynccontextmanager
async def sandbox_process(folder: Path, **options: object) -> AsyncIterator[str]:
    """Run `clips sandbox` with tiny clips; gives its address."""
    listening, url = listen()
    listening.close()
    chosen = {"port": url.rpartition(":")[2], "api_key": SANDBOX_KEY, "max_long_side": 64, **options}
    arguments = [text for name, value in chosen.items() for text in (_option(name), str(value))]
    with (folder / "sandbox.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "sandbox", *arguments, cwd=folder, env=environment(), stdout=log, stderr=log
        )
    try:
        await _answers(url)
        yield url
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def standing_house(
    folder: Path,
    database: Database,
    *,
    sandbox: Mapping[str, object],
    start: bool = True,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[House]:
    """Have it stand: with the copies started, unless they are to be started otherwise."""
    async with (
        sandbox_process(folder, **sandbox) as sandbox_url,
        aiohttp.ClientSession(headers=database.headers) as session,
        AsyncExitStack() as stack,
    ):
        copies = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            given = {**_SETTINGS, **database.variables, **(variables or {})}
            copies.append(Copy(sandbox_url, folder / name, **given))
            stack.push_async_exit(copies[-1].__aexit__)
        if start:
            await asyncio.gather(*(copy.start() for copy in copies))
        worlds = [copy.world(session) for copy in copies]
        yield House(copies, worlds, database, sandbox_url, session)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{url}/healthz") as response:
                    if response.ok:
                        return
            await asyncio.sleep(0.05)
