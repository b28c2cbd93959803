"""What is said of a file that can't be the database."""

import sqlite3
from pathlib import Path

import pytest

from service.stores.database_file import why_unusable


def error(code: int) -> sqlite3.Error:
    """An error as the driver raises it; extended codes have more bits."""
    raised = sqlite3.OperationalError("words of the driver")
    raised.sqlite_errorcode = code
    return raised


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_FULL, "the disk of {path} is full. Free some space, then start again."),
        (sqlite3.SQLITE_CORRUPT, "{path} is damaged. Put a backup in its place, or name another file."),
        (sqlite3.SQLITE_BUSY, "another program keeps {path} locked. End that program, then start again."),
        (sqlite3.SQLITE_NOTADB, "{path} is not a database, and was left as it is. Name another file."),
        (
            sqlite3.SQLITE_READONLY_DIRECTORY,
            "{path} can't be written. See that its folder and disk can be written by this user.",
        ),
        (
            sqlite3.SQLITE_IOERR,
            "{path} can't be used: words of the driver. Check its disk, or name another file.",
        ),
    ],
)
def test_drivers_error_is_told_with_what_to_do(tmp_path: Path, code: int, words: str) -> None:
    path = tmp_path / "clips.db"
    assert why_unusable(path, error(code)) == words.format(path=path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data" / "clips.db"
    assert why_unusable(path, error(sqlite3.SQLITE_CANTOPEN)) == (
        f"the folder {tmp_path / 'data'} is missing. "
        f"Make it (mkdir -p {tmp_path / 'data'}), or name a file elsewhere."
    )


def test_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    said = why_unusable(tmp_path / "data" / "clips.db", error(sqlite3.SQLITE_CANTOPEN))
    assert said == f"{tmp_path / 'data'} is a file, not a folder. Name a file in a folder."


def test_folder_is_told_from_a_file(tmp_path: Path) -> None:
    said = why_unusable(tmp_path, error(sqlite3.SQLITE_CANTOPEN))
    assert said == f"{tmp_path} is a folder. Name a file in it, such as {tmp_path / 'clips.db'}."
