"""The release before this one, as git has it."""

import subprocess
from pathlib import Path
from typing import Final

from tests.postgres import ROOT

_MIGRATIONS: Final = "deploy/supabase/migrations"


class NoReleaseBefore(Exception):
    """Git has none; the text says why."""


def unpack_release_before(folder: Path) -> str:
    """Put its files into a folder; gives its name. Raises NoReleaseBefore."""
    commit = _release_before()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    return _git("describe", "--always", "--tags", commit)


def migrations_of(folder: Path) -> list[Path]:
    """Give the migrations for Supabase of an unpacked release."""
    return sorted((folder / _MIGRATIONS).glob("*.sql"))


def _release_before() -> str:
    """Give the newest tag's commit; without tags, the last one that lacks the newest migration."""
    try:
        if _git("rev-parse", "--is-shallow-repository") == "true":
            raise NoReleaseBefore("this is a shallow clone: git fetch --unshallow")
        if tags := _git("tag", "--list", "v*", "--merged", "HEAD^", "--sort=-version:refname"):
            return tags.split()[0]
        adding = ("log", "-1", "--first-parent", "-m", "--diff-filter=A", "--format=%H")
        return _git("rev-parse", f"{_git(*adding, '--', _MIGRATIONS)}^")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise NoReleaseBefore(f"git has no history here ({error})") from error


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
