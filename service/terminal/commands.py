"""The commands that call a running service: their options and help."""

import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from service.addresses import http_url

if TYPE_CHECKING:
    from service.terminal.projects import ProjectCommands
    from service.terminal.running import Terminal
    from service.terminal.spending import Consent

_CREDENTIAL = "The service's token is taken from CLIPS_TOKEN, else SERVICE_TOKEN, in the environment."
_EXIT_CODES = (
    "The exit code is 0 if all clips are there; 1 if all have ended and some failed; 2 if the command was "
    "used wrongly; 3 if the service refuses the call or can't be reached; 4 if clips are still pending, or "
    f"none was asked for yet; 130 after Ctrl-C. {_CREDENTIAL}"
)
_DOWNLOAD_EXIT_CODES = (
    "The exit code is 0 if all these clips are there as files; 1 if some could not be saved; 2 if the "
    "command was used wrongly; 3 if the service refuses the call or can't be reached; 4 if clips are still "
    f"pending, or none was asked for yet; 130 after Ctrl-C. {_CREDENTIAL}"
)
_SHORT_EXIT_CODES = (
    "The exit code is 0; 2 if the command was used wrongly; 3 if the service refuses the call or can't be "
    f"reached; 130 after Ctrl-C. {_CREDENTIAL}"
)


def service_url(value: str) -> str:
    """Give the address of a service that an option names. Raises typer.BadParameter."""
    try:
        return http_url(value)
    except ValueError as wrong:
        raise typer.BadParameter(f"{value!r}: {wrong}.") from None


class _State(StrEnum):
    GENERATING = "generating"
    FAILED = "failed"
    DONE = "done"
    IDLE = "idle"
    DELETED = "deleted"


_Project = Annotated[UUID, typer.Argument(metavar="PROJECT", help="The project's id.")]
_URL = Annotated[
    str, typer.Option(envvar="CLIPS_URL", callback=service_url, help="Address of the running service.")
]
_JSON = Annotated[
    bool, typer.Option("--json", help="Print JSON: one document, or with --watch one a line for each change.")
]
_Watch = Annotated[bool, typer.Option("--watch", help="Go on until every clip has ended.")]
_ConfirmAbove = Annotated[
    float,
    typer.Option(
        "--confirm-above",
        min=0,
        metavar="USD",
        envvar="CLIPS_CONFIRM_ABOVE_USD",
        help="Ask before more than this is spent, or what may be more.",
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", help="Spend without asking.")]
_CONFIRM_ABOVE_USD = 5.0
_LOCAL = "http://127.0.0.1:8000"

terminal_commands = typer.Typer(rich_markup_mode=None)


@terminal_commands.command(epilog=_EXIT_CODES)
def generate(
    project: _Project,
    *,
    model: Annotated[
        str | None, typer.Option(help="Make the clips with this model, such as google:3@3.")
    ] = None,
    resolution: Annotated[str | None, typer.Option(help="Make them in this resolution.")] = None,
    audio: Annotated[
        bool | None, typer.Option("--audio/--no-audio", help="Make them with sound, or without.")
    ] = None,
    scene: Annotated[
        list[str] | None, typer.Option(help="Have this scene made; may be given several times. Else all.")
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="Keep clips of before the ledger as those of the scenes, in order; buy nothing."
        ),
    ] = False,
    confirm_above: _ConfirmAbove = _CONFIRM_ABOVE_USD,
    yes: _Yes = False,
    watch: _Watch = False,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """Have a project's clips made: a job for each scene that has both frames and no clip yet.

    The project keeps what is chosen, for the next call and for retries. Clips of another model stay as they
    are: going back to it costs nothing.
    """
    named = {"model": model, "resolution": resolution, "audio": audio, "adopt": adopt or None}
    choice = {name: value for name, value in named.items() if value is not None}
    terminal, consent = _terminal(url, as_json=as_json), _consent(confirm_above, yes=yes)
    raise typer.Exit(terminal.generate(project, choice, scene or (), consent, watch=watch))


@terminal_commands.command(epilog=_EXIT_CODES)
def status(project: _Project, *, watch: _Watch = False, url: _URL = _LOCAL, as_json: _JSON = False) -> None:
    """Show how a project's clips stand, after Runware was asked for what is pending."""
    raise typer.Exit(_terminal(url, as_json=as_json).status(project, watch=watch))


@terminal_commands.command(epilog=_EXIT_CODES)
def retry(
    project: _Project,
    *,
    scene: Annotated[
        list[str] | None, typer.Option(help="Retry this scene, if it failed; may be given several times.")
    ] = None,
    confirm_above: _ConfirmAbove = _CONFIRM_ABOVE_USD,
    yes: _Yes = False,
    watch: _Watch = False,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """Have new attempts made at a project's failed clips."""
    terminal, consent = _terminal(url, as_json=as_json), _consent(confirm_above, yes=yes)
    raise typer.Exit(terminal.retry(project, scene or (), consent, watch=watch))


@terminal_commands.command(epilog=_SHORT_EXIT_CODES)
def cancel(
    project: _Project,
    *,
    scene: Annotated[
        list[str] | None, typer.Option(help="Cancel the clip of this scene; may be given several times.")
    ] = None,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """Cancel a project's clips that were not sent yet: they cost nothing.

    A clip that was sent to Runware can't be cancelled: it comes, and is paid for. Where nothing can be
    cancelled, the service refuses the call and says why.
    """
    raise typer.Exit(_project_commands(url, as_json=as_json).cancel(project, scene or ()))


@terminal_commands.command(epilog=_DOWNLOAD_EXIT_CODES)
def download(
    project: _Project,
    *,
    scene: Annotated[
        list[str] | None, typer.Option(help="Save the clip of this scene; may be given several times.")
    ] = None,
    to: Annotated[
        Path,
        typer.Option(file_okay=False, metavar="DIR", help="Folder for the files; made if it is not there."),
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Save anew, and replace files that are there.")
    ] = False,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """Save a project's finished clips as files.

    A file of a clip's name and size is kept as it is. One of another size is never replaced without --force.
    """
    raise typer.Exit(_terminal(url, as_json=as_json).download(project, scene or (), to, force=force))


@terminal_commands.command(epilog=_SHORT_EXIT_CODES)
def projects(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = 20,
    *,
    q: Annotated[str, typer.Option("--q", help="Only those with all these words in their titles.")] = "",
    state: Annotated[_State | None, typer.Option(help="Only those that stand so.")] = None,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """List the newest projects; deleted ones only by their state."""
    named = {"q": q, "state": state and state.value}
    filters = {name: value for name, value in named.items() if value}
    raise typer.Exit(_terminal(url, as_json=as_json).projects(limit, filters))


@terminal_commands.command(epilog=_SHORT_EXIT_CODES)
def create(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER|FILE]...", help="Image files, or folders of them.", show_default=False
        ),
    ] = None,
    *,
    in_order: Annotated[
        bool,
        typer.Option("--in-order", help="Pair the files as they are named here: first, last, first, last."),
    ] = False,
    title: Annotated[str | None, typer.Option(help="What the project is called.")] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="What happens between the frames; once for all scenes, or once for each."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A project as JSON, as POST /projects takes it.")
    ] = None,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """Store a project of image files, and say where it is; nothing is made or spent yet.

    Files are paired by their names (start and end, first and last, begin and end, in and out, a and b), else
    in the order of their numbers. The images are uploaded to the service.
    """
    from service.terminal.drafts import DraftRefused, image_draft, json_draft  # noqa: PLC0415 - as below

    if json_file is not None and (files or in_order or title or prompt):
        _refuse("--json-file goes alone: frames, title and prompts stand in it.")
    try:
        draft = (
            image_draft(files or (), title, prompt or (), in_order=in_order)
            if json_file is None
            else json_draft(json_file)
        )
    except DraftRefused as refused:
        _refuse(str(refused))
    raise typer.Exit(_project_commands(url, as_json=as_json).create(draft))


@terminal_commands.command("open", epilog=_SHORT_EXIT_CODES)
def open_project(project: _Project, *, url: _URL = _LOCAL, as_json: _JSON = False) -> None:
    """Open a project's page in the browser; print its address."""
    raise typer.Exit(_project_commands(url, as_json=as_json).open(project))


@terminal_commands.command(epilog=_SHORT_EXIT_CODES)
def duplicate(project: _Project, *, url: _URL = _LOCAL, as_json: _JSON = False) -> None:
    """Store a copy of a project; its finished clips come along and are not paid for again."""
    raise typer.Exit(_project_commands(url, as_json=as_json).duplicate(project))


@terminal_commands.command(epilog=_SHORT_EXIT_CODES.replace("0;", "0; 1 if you said no;"))
def delete(
    project: _Project,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    url: _URL = _LOCAL,
    as_json: _JSON = False,
) -> None:
    """Delete a project with a way back: nothing is erased, and clips that are under way are still made."""
    commands = _project_commands(url, as_json=as_json)
    if not yes:
        if not sys.stdin.isatty():
            _refuse("This asks before it deletes, and there is no terminal to ask on. Say --yes as well.")
        if not typer.confirm(f"Delete project {project}? clips restore {project} brings it back.", err=True):
            typer.echo("Nothing was deleted: you said no.", err=True)
            raise typer.Exit(1)
    raise typer.Exit(commands.delete(project))


@terminal_commands.command(epilog=_SHORT_EXIT_CODES)
def restore(project: _Project, *, url: _URL = _LOCAL, as_json: _JSON = False) -> None:
    """Bring a deleted project back as it was. clips projects --state deleted lists them."""
    raise typer.Exit(_project_commands(url, as_json=as_json).restore(project))


def _consent(above_usd: float, *, yes: bool) -> "Consent":
    from service.terminal.spending import Consent  # noqa: PLC0415 - imports that no other command needs

    return Consent(above_usd, yes)


def _terminal(url: str, *, as_json: bool) -> "Terminal":
    from service.terminal.running import Terminal  # noqa: PLC0415 - imports that no other command needs

    return Terminal(url, service_token(), as_json)


def _project_commands(url: str, *, as_json: bool) -> "ProjectCommands":
    from service.terminal.projects import ProjectCommands  # noqa: PLC0415 - as above

    return ProjectCommands(url, service_token(), as_json)


def service_token() -> str | None:
    """Take the service's token from the environment. Raises typer.Exit, if it can't be one."""
    token = os.environ.get("CLIPS_TOKEN") or os.environ.get("SERVICE_TOKEN")
    if token and not re.fullmatch(r"[!-~]+", token):
        _refuse("CLIPS_TOKEN or SERVICE_TOKEN is no token: it holds spaces or strange letters.")
    return token or None


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
