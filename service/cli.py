import asyncio
import contextlib
import importlib.util
import logging
import tempfile
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from pydantic import ValidationError

from service.app import build_app
from service.logs import configure_logs
from service.options import with_options
from service.sandbox.options import SandboxOptions
from service.settings import Settings, SettingsRefused, load_settings

# In-flight requests get this long after SIGTERM; a submission takes longer only while Runware is down, and
# then goes on after the next start.
_GRACEFUL_SHUTDOWN_S = 30

main = typer.Typer(
    help="Turns pairs of frames into video clips with Veo 3.1 on Runware.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@main.command()
@with_options(Settings)
def serve(**options: Any) -> None:
    """Run the service. Options win over the environment, and that over .env; secrets have no option."""
    try:
        settings = load_settings(options)
    except SettingsRefused as refused:
        _refuse(str(refused))
    configure_logs(settings.log_format, settings.secrets)
    uvicorn.run(
        build_app(settings),
        host=settings.host,
        port=settings.port,
        # uvicorn's own access log would show the tokens in callback URLs.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_S,
    )


@main.command()
@with_options(SandboxOptions)
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8001,
    files: Annotated[
        Path | None,
        typer.Option(help="Folder for the clips; else a scratch folder that goes with the sandbox."),
    ] = None,
    **options: Any,
) -> None:
    """Run a server that speaks Runware's API, makes real clips, bills nothing and fails on request."""
    _require_demo_extra()
    from service.sandbox.server import Sandbox  # noqa: PLC0415 - its libraries come with the extra only

    try:
        chosen = SandboxOptions(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as invalid:
        _refuse(
            "\n".join(
                f"--{'-'.join(map(str, e['loc'])).replace('_', '-')}: {e['msg']}" for e in invalid.errors()
            )
        )
    configure_logs("auto", [chosen.api_key])

    async def run() -> None:
        with contextlib.ExitStack() as stack:
            folder = files or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
            async with Sandbox(chosen, files=folder).serving(host=host, port=port) as url:
                logging.getLogger(__name__).info(
                    "sandbox of Runware's API at %s/v1, ledger at %s/ledger", url, url
                )
                await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


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


def _require_demo_extra() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("av", "PIL", "rich")):
        _refuse("This command needs more libraries. Install them with: pip install -e '.[demo]'")


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
