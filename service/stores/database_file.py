"""Says what is wrong with the file that DATABASE_PATH names, and what to do about it."""

import os
import sqlite3
from pathlib import Path

# Its extended codes say more than is needed here.
_PRIMARY_CODE = 0xFF


def why_unusable(path: Path, error: sqlite3.Error) -> str:
    """Say in a sentence why SQLite could not open a file, from the file system and SQLite's own `error`."""
    return _wrong_place(path) or _wrong_file(path, error)


def _wrong_place(path: Path) -> str:
    folder = path.absolute().parent
    if path.is_dir():
        return f"{path} is a folder. Name a file in it, such as {path / 'clips.db'}."
    if folder.exists() and not folder.is_dir():
        return f"{folder} is a file, not a folder. Name a file in a folder."
    if not folder.exists():
        return f"the folder {folder} is missing. Make it (mkdir -p {folder}), or name a file elsewhere."
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return f"this user may not read and write {path}. Give it to the user that runs the service."
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not write to the folder {folder}. Give it to the user that runs the service."
    return ""


def _wrong_file(path: Path, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    match code:
        case sqlite3.SQLITE_NOTADB:
            return f"{path} is not a database, and was left as it is. Name another file."
        case sqlite3.SQLITE_CORRUPT:
            return f"{path} is damaged. Put a backup in its place, or name another file."
        case sqlite3.SQLITE_FULL:
            return f"the disk of {path} is full. Free some space, then start again."
        case sqlite3.SQLITE_BUSY:
            return f"another program keeps {path} locked. End that program, then start again."
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"{path} can't be written. See that its folder and disk can be written by this user."
        case _:
            return f"{path} can't be used: {error}. Check its disk, or name another file."
