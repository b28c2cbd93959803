"""The conversation of `clips init`: what it asks, writes, checks and says to do next."""

import contextlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer
from dotenv import dotenv_values

from service.doctor.command import run_doctor_before_start
from service.init.answers import Answers, env_text, next_steps, secrets_for
from service.init.files import write_privately
from service.init.questions import AnswerMissing, Given, answers_to

_ENV: Final = Path(".env")
_QUESTION: Final = "{path} exists. Replace it? What it holds is kept beside it."


def run_init(folder: Path, given: Given) -> int:
    """Write the .env of a folder, and check it; gives the exit code, 0 if all is well."""
    command = _command(folder)
    # The service reads the .env and the database of the folder that it is started in, and so do the checks.
    with contextlib.chdir(folder):
        if given.ask and _ENV.exists() and not typer.confirm(_QUESTION.format(path=_ENV.absolute())):
            typer.echo("Nothing was written.")
            return 1
        before = _before()
        try:
            answers = answers_to(given, before)
            made = secrets_for(answers, before)
            backup = write_privately(_ENV, env_text(answers, made))
        except (AnswerMissing, ValueError) as wrong:
            typer.echo(str(wrong), err=True)
            return 2
        except OSError as error:
            typer.echo(f"{_ENV.absolute()} can't be written: {error.strerror}.", err=True)
            return 2
        _tell_written(made, before, backup)
        well = run_doctor_before_start()
    _tell_next(folder, answers, command, well=well)
    return 0 if well else 1


def _before() -> Mapping[str, str]:
    """Read the settings that are replaced; a file that can't be read has none that could stay."""
    try:
        found = dotenv_values(_ENV, interpolate=False) if _ENV.is_file() else {}
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value for name, value in found.items() if value}


def _tell_written(made: Mapping[str, str], before: Mapping[str, str], backup: Path | None) -> None:
    typer.echo(f"\nWritten: {_ENV.absolute()}, which only you can read.")
    for name, secret in made.items():
        typer.echo(f"{name} is {'kept from before' if before.get(name) == secret else 'made'}.")
    if backup is None:
        return
    typer.echo(f"What it replaces is in {backup}.")
    written = dotenv_values(_ENV)
    if left_out := [name for name in before if name not in written]:
        typer.echo(f"Only there, so copy what you still want: {', '.join(left_out)}.")


def _tell_next(folder: Path, answers: Answers, command: str, *, well: bool) -> None:
    typer.echo("\nNext:")
    if folder.resolve() != Path.cwd():
        typer.echo(f"  Go to its folder: cd {folder}")
    for step in next_steps(answers, command, well=well):
        typer.echo(f"  {step}")


def _command(folder: Path) -> str:
    """Give the words by which this command is called again, from the folder."""
    typed = Path(sys.argv[0])
    if shutil.which("clips"):
        return "clips"
    return str(typed if folder.resolve() == Path.cwd() else typed.absolute())
