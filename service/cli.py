import asyncio
import contextlib
import importlib.util
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError

from service.errors import StoreUnavailable
from service.logs import configure_logs
from service.options import with_options
from service.sandbox.options import SandboxOptions
from service.settings import Settings, SettingsRefused, load_database_settings, load_settings
from service.terminal.commands import service_token, service_url, terminal_commands

# In-flight requests get this long after SIGTERM; a submission takes longer only while Runware is down, and
# then goes on after the next start.
_GRACEFUL_SHUTDOWN_S = 30

_Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")]

# Plain help: the boxed one cuts long option names off.
main = typer.Typer(
    help="Turns pairs of frames into video clips with Veo 3.1 on Runware.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
main.add_typer(terminal_commands)


def _url_of_service(value: str | None) -> str | None:
    return None if value is None else service_url(value)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("clip-service"))
        raise typer.Exit


@main.callback()
def clips(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turns pairs of frames into video clips with Veo 3.1 on Runware."""


@main.command()
@with_options(Settings)
def serve(**options: Any) -> None:
    """Run the service.

    Options win over the environment, and that over .env, by the same names in capitals. Secrets have no
    option. deploy/.env.example says more about each.
    """
    import uvicorn  # noqa: PLC0415 - a second's worth of imports that no other command needs

    from service.app import build_app, log_misspelt_settings, log_page, store_for  # noqa: PLC0415 - as above
    from service.descriptors import raise_limit, room_within  # noqa: PLC0415 - as above
    from service.serving import Server  # noqa: PLC0415 - as above

    async def open_database() -> None:
        async with store_for(settings):
            pass

    settings = _settings(options)
    try:
        asyncio.run(open_database())
    except StoreUnavailable as unavailable:
        _refuse(str(unavailable))
    with _listening(settings.host, settings.port) as listening:
        configure_logs(settings.log_format, settings.secrets)
        log_misspelt_settings(os.environ)
        config = uvicorn.Config(
            build_app(settings),
            # uvicorn's own access log would show the tokens in callback URLs.
            access_log=False,
            # So would its line about a refused WebSocket.
            ws="none",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_S,
        )
        port, room = listening.getsockname()[1], room_within(raise_limit())
        Server(config, lambda: log_page(settings, port), room).run(sockets=[listening])


@main.command()
def migrate(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit 0 if the database has all that this release needs, else 1; needs no other settings.",
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--print", help="Print the SQL of all migrations; it may be applied more than once."),
    ] = False,
) -> None:
    """Compare the Supabase database with what this release needs, or print the SQL that brings it there."""
    if check == show:
        _refuse("Say one of --check and --print.")
    from service.stores.supabase_schema import MIGRATIONS  # noqa: PLC0415 - read for this command only

    if show:
        for migration in MIGRATIONS:
            typer.echo(f"-- {migration.name}\n{migration.sql}")
        return
    from service.app import store_for  # noqa: PLC0415 - as for `serve`

    async def missing_migrations() -> Sequence[str]:
        async with store_for(settings) as store:
            return await store.missing_migrations()

    try:
        settings = load_database_settings()
    except SettingsRefused as refused:
        _refuse(str(refused))
    try:
        missing = asyncio.run(missing_migrations())
    except StoreUnavailable as unavailable:
        _refuse(str(unavailable))
    for name in missing:
        typer.echo(f"missing: {name}")
    if missing:
        typer.echo(
            "Apply them: supabase db push --workdir deploy --remote, or clips migrate --print piped to psql."
        )
        raise typer.Exit(1)
    typer.echo("The database has all that this release needs.")


@main.command()
def init(
    *,
    folder: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="Where to write .env, and to start the service."),
    ] = Path(),
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on.")] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on, if not this machine's own alone; 0.0.0.0 is all."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Address at which the internet reaches the service.")
    ] = None,
    supabase_url: Annotated[
        str | None, typer.Option(help="Keep projects and clips in this Supabase project.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: what no option says is as it would be by default.")
    ] = False,
) -> None:
    """Write the settings into .env: ask for them, make the secrets, check, and say what to do next.

    Keys are asked for, and not shown; they are taken from RUNWARE_API_KEY, SUPABASE_SERVICE_ROLE_KEY and
    SUPABASE_ANON_KEY where the environment has them; with --yes, Runware's can be piped in. A .env that is
    replaced is kept beside the new one. Exits with 0 if all is well, with 1 if a check failed or nothing was
    written, with 2 if it was used wrongly.
    """
    if not (yes or sys.stdin.isatty()):
        _refuse("init asks, and there is no terminal to ask on. Say --yes, with the key in RUNWARE_API_KEY.")
    from service.init.command import run_init  # noqa: PLC0415 - as for `serve`
    from service.init.questions import Given  # noqa: PLC0415 - as above

    given = Given(ask=not yes, host=host, port=port, public_url=public_url, supabase_url=supabase_url)
    raise typer.Exit(run_init(folder, given))


@main.command()
def doctor(
    *,
    spend: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=100,
            metavar="USD",
            help="Also make one real clip for at most so many USD, and tell what it shows of Runware.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before the clip is bought.")] = False,
    probe_resend: Annotated[
        bool,
        typer.Option(
            "--probe-resend",
            help="Send the finished clip's id again, if USD covers a second bill, and see if it is billed.",
        ),
    ] = False,
    report: Annotated[
        Path, typer.Option(dir_okay=False, help="Where --spend writes its report, as JSON.")
    ] = Path("doctor-report.json"),
    url: Annotated[
        str | None,
        typer.Option(
            callback=_url_of_service,
            help="Ask the service that runs at this address instead, with the token of CLIPS_TOKEN, else "
            "SERVICE_TOKEN, in the environment.",
        ),
    ] = None,
) -> None:
    """Check the settings, the database, Runware's key and credit, and PUBLIC_URL; say what to do about each.

    Without --spend it spends nothing. An embedded database is opened as a start does. Exits with 0 if all is
    well, with 1 if not or if no clip was bought, with 2 if it was used wrongly.
    """
    if url is not None:
        if spend is not None or yes or probe_resend:
            _refuse("--url asks a running service and buys nothing: leave --spend and its options out.")
        from service.doctor.command import run_doctor_on_service  # noqa: PLC0415 - as for `serve`

        raise typer.Exit(run_doctor_on_service(url, service_token()))
    if spend is None and (yes or probe_resend):
        _refuse("--yes and --probe-resend go with --spend.")
    if spend is not None and not (yes or sys.stdin.isatty()):
        _refuse("--spend asks before it buys, and there is no terminal to ask on. Say --yes as well.")
    from service.doctor.command import run_doctor  # noqa: PLC0415 - as for `serve`

    raise typer.Exit(run_doctor(spend, report, ask_first=not yes, resend=probe_resend))


@main.command()
@with_options(SandboxOptions)
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: _Port = 8001,
    files: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder for the clips; else a scratch folder that goes with the sandbox."
        ),
    ] = None,
    **options: Any,
) -> None:
    """Run a server that speaks Runware's API, makes real clips, bills nothing and fails on request."""
    _require_demo_extra()
    from service.sandbox.server import Sandbox  # noqa: PLC0415 - its libraries come with the extra only
    from service.serving import run_until_signal  # noqa: PLC0415 - as above

    try:
        chosen = SandboxOptions(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as invalid:
        _refuse("\n".join(_option_sentence(error) for error in invalid.errors()))
    configure_logs("auto", [])

    async def run() -> None:
        with contextlib.ExitStack() as stack:
            folder = files or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
            async with Sandbox(chosen, files=folder).serving(host=host, port=port) as url:
                typer.echo(
                    f"The sandbox's ledger is at {url}/ledger. Have the service use it by these settings:"
                )
                typer.echo(f"  RUNWARE_API_URL={url}/v1")
                typer.echo(f"  RUNWARE_API_KEY={chosen.api_key or 'any'}")
                typer.echo(f"  VIDEO_HOSTS={host}")
                await asyncio.Event().wait()

    try:
        run_until_signal(run())
    except OSError as error:
        _refuse(f"The sandbox can't listen on {host}, port {port}, or write its files: {error}.")


@main.command()
def demo(
    *,
    once: Annotated[
        bool,
        typer.Option("--once", help="Exit when all clips have ended: 0 if each is a playable MP4, else 1."),
    ] = False,
) -> None:
    """Run the service and the sandbox on this machine, and make the clips of a sample project."""
    _require_demo_extra()
    from service.demo import run_demo  # noqa: PLC0415 - its libraries come with the extra only

    raise typer.Exit(run_demo(once=once))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    from service.serving import listen  # noqa: PLC0415 - with uvicorn, as above

    try:
        listening, _ = listen(host, port)
    except OSError as error:
        _refuse(
            f"The service can't listen on {host}, port {port}: {error.strerror}. "
            "Stop what listens there, or set another HOST or PORT."
        )
    with listening:
        yield listening


def _settings(options: Mapping[str, Any]) -> Settings:
    try:
        return load_settings(options)
    except SettingsRefused as refused:
        _refuse(str(refused))


def _option_sentence(error: Any) -> str:
    option = " ".join(f"--{str(part).replace('_', '-')}" for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{option}: {message}" if option else message


def _require_demo_extra() -> None:
    if importlib.util.find_spec("av") is None:
        _refuse("This command needs one more library. Install it with: pip install -e '.[demo]'")


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
