"""What each command does, from the call to the exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console

from service.errors import ServiceError
from service.serving import run_until_signal
from service.terminal.answers import SceneAnswer
from service.terminal.client import ServiceAway, ServiceClient
from service.terminal.downloads import Downloads, DownloadView
from service.terminal.reports import ExitCode, ListedProject, ProjectsReport, Report, overlaid
from service.terminal.spending import Consent, NothingSent, Spending
from service.terminal.views import JSONView, LiveView, View, projects_table, view_for

_LOOK_INTERVAL_S = 1.0
_LONGEST_WAIT_S = 10.0
# So that another program has a project in each line.
_WIDTH_WITHOUT_TERMINAL = 200
_STOPPED_WATCHING = "Stopped watching. Clips that were submitted are still being made."

_Ask = Callable[[ServiceClient], Awaitable[Sequence[SceneAnswer]]]


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where the service is, and how its answers are shown."""

    url: str
    token: str | None
    as_json: bool

    def generate(
        self,
        project_id: UUID,
        choice: Mapping[str, str | bool],
        scenes: Sequence[str],
        consent: Consent,
        *,
        watch: bool,
    ) -> int:
        """Submit what has no clip yet, and show how the project stands; gives the exit code."""

        async def ask(client: ServiceClient) -> Sequence[SceneAnswer]:
            if "adopt" not in choice:
                quotes = await client.quotes(project_id, choice)
                await consent.ask(Spending.of(quotes, scenes or None))
            if not scenes:
                return await client.generate(project_id, choice)
            # The answer tells of these scenes only.
            made = await client.generate(project_id, choice, scenes)
            return overlaid(await client.check(project_id), made)

        return run_to_end(self._follow(project_id, ask, watch=watch))

    def status(self, project_id: UUID, *, watch: bool) -> int:
        """Show how the project stands; gives the exit code."""
        return run_to_end(self._follow(project_id, lambda client: client.check(project_id), watch=watch))

    def retry(self, project_id: UUID, scenes: Sequence[str], consent: Consent, *, watch: bool) -> int:
        """Submit new attempts for what failed, and show how the project stands; gives the exit code."""

        async def ask(client: ServiceClient) -> Sequence[SceneAnswer]:
            project = await client.project(project_id)
            failed = {job.scene for job in project.jobs if job.status == "failed"}
            named = failed & set(scenes) if scenes else failed
            await consent.ask(Spending.of(project.quotes, named))
            retried = await client.retry(project_id, scenes or None)
            if retried.note:
                sys.stderr.write(f"{retried.note}\n")
            # The answer tells of the retried scenes only.
            return overlaid(await client.check(project_id), retried.scenes)

        return run_to_end(self._follow(project_id, ask, watch=watch))

    def projects(self, limit: int, filters: Mapping[str, str]) -> int:
        """List the newest projects, of which the `filters` name `q` or `state`; gives the exit code."""
        return run_to_end(self._list(limit, filters))

    def download(self, project_id: UUID, scenes: Sequence[str], folder: Path, *, force: bool) -> int:
        """Save finished clips in a folder, which is made if it is not there; gives the exit code."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sys.stderr.write(f"--to is wrong: {folder} can't be made: {error.strerror}.\n")
            return ExitCode.WRONG_USE
        stopped = "Stopped. What was saved stays; run the command again for the rest."
        return run_to_end(self._download(project_id, scenes, folder, force=force), stopped)

    async def _download(self, project_id: UUID, scenes: Sequence[str], folder: Path, *, force: bool) -> int:
        view = DownloadView(Console(highlight=False), as_json=self.as_json)
        async with ServiceClient.connecting(self.url, self.token) as client:
            with view:
                report = await Downloads(client, folder, view, force=force).save(project_id, scenes)
        view.end(report)
        return report.exit_code

    async def _follow(self, project_id: UUID, ask: _Ask, *, watch: bool) -> int:
        async with ServiceClient.connecting(self.url, self.token) as client:
            answered = await ask(client)

            async def read() -> Report:
                project = await client.project(project_id)
                if watch and any(clip.status == "pending" for clip in project.earlier):
                    # Nobody else asks about clips of before the ledger.
                    await client.check(project_id)
                    project = await client.project(project_id)
                return Report.of(project_id, project.jobs, answered, earlier=project.earlier)

            view = self._view(client)
            if watch:
                with view:
                    report = await watched(read, view)
            else:
                report = await read()
                if not isinstance(view, LiveView):
                    view.show(report)
            view.end(report)
            return report.exit_code

    async def _list(self, limit: int, filters: Mapping[str, str]) -> int:
        async with ServiceClient.connecting(self.url, self.token) as client:
            page = await client.projects(limit, filters)
            listed = [ListedProject.of(project) for project in page.projects]
            report = ProjectsReport(projects=listed, more=page.next is not None)
            if self.as_json:
                sys.stdout.write(f"{report.model_dump_json()}\n")
            elif filters and not listed:
                sys.stdout.write("No project matches.\n")
            else:
                console = Console(highlight=False)
                if not console.is_terminal:
                    console.width = _WIDTH_WITHOUT_TERMINAL
                console.print(projects_table(report, client.now(), width=console.width))
            if report.more:
                sys.stderr.write("There are more: narrow the list with --q or --state, or raise --limit.\n")
            return ExitCode.ALL_DONE

    def _view(self, client: ServiceClient) -> View:
        return JSONView(client.now) if self.as_json else view_for(Console(highlight=False), client.now)


def _has_ended(report: Report) -> bool:
    return report.ended


async def watched(
    read: Callable[[], Awaitable[Report]], view: View, until: Callable[[Report], bool] = _has_ended
) -> Report:
    """Show each state of a project until it is as wanted. The service may go away and come back meanwhile.

    Raises CallRefused.
    """
    wait_s = _LOOK_INTERVAL_S
    while True:
        try:
            report = await read()
        except ServiceAway as away:
            view.away(str(away))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        else:
            view.show(report)
            if until(report):
                return report
            wait_s = _LOOK_INTERVAL_S
        await asyncio.sleep(wait_s)


def run_to_end(work: Coroutine[Any, Any, int], stopped: str = _STOPPED_WATCHING) -> int:
    """Do a command's work; gives the exit code, also where the service refuses it or Ctrl-C ends it."""
    try:
        code = run_until_signal(work)
    except NothingSent as nothing:
        sys.stderr.write(f"{nothing}\n")
        return nothing.exit_code
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.REFUSED
    if code is None:
        sys.stderr.write(f"{stopped}\n")
        return ExitCode.STOPPED
    return code
