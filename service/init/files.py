"""Files that only their owner may read."""

import os
from itertools import count
from pathlib import Path


def write_privately(path: Path, text: str) -> Path | None:
    """Write a file that only its owner may read; gives where what it replaces is kept, None if nothing was.

    Whatever happens, either the old file or the new one is there whole. Raises OSError.
    """
    backup = _keep(path) if path.exists() else None
    new = path.with_name(f"{path.name}.new")
    # One that an interrupted run has left may be readable for others.
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
    return backup


def _keep(path: Path) -> Path:
    """Copy a file beside itself, under a name that is free."""
    content = path.read_bytes()
    for number in count(1):
        backup = path.with_name(f"{path.name}.backup-{number}")
        try:
            descriptor = os.open(backup, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return backup
    raise AssertionError("There is a number for each backup.")
