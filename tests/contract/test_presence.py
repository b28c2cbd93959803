"""A process that serves a database file is known to the next one, for as long as it runs."""

import errno
import fcntl
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from pathlib import Path
from textwrap import dedent

import pytest

from service.stores.presence import presence
from service.stores.sqlite import SQLiteStore

SERVE = """
    import sys
    from pathlib import Path
    from service.stores.presence import presence
    with presence(Path(sys.argv[1])) as alone:
        print(alone, flush=True)
        sys.stdin.read()
"""


async def started(database: Path) -> tuple[Process, bool]:
    """Start a process that serves until its input ends; gives whether it found nobody."""
    process = await create_subprocess_exec(
        sys.executable, "-c", dedent(SERVE), str(database), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).strip() == b"True"


async def test_second_process_is_told_of_the_first_until_that_is_killed(tmp_path: Path) -> None:
    database = tmp_path / "clips.db"
    first, alone = await started(database)
    assert alone
    with presence(database) as second_alone:
        assert not second_alone
    first.kill()
    await first.wait()
    with presence(database) as third_alone:
        assert third_alone


async def test_third_process_is_told_of_the_second_when_the_first_is_gone(tmp_path: Path) -> None:
    database = tmp_path / "clips.db"
    first, _ = await started(database)
    with presence(database) as second_alone:
        assert not second_alone
        first.kill()
        await first.wait()
        third, third_alone = await started(database)
        assert not third_alone
        third.kill()
        await third.wait()


def test_another_database_in_the_same_folder_is_another_matter(tmp_path: Path) -> None:
    with presence(tmp_path / "clips.db"), presence(tmp_path / "other.db") as alone:
        assert alone


def test_link_to_the_same_file_is_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "clips.db")
    with presence(tmp_path / "clips.db"), presence(tmp_path / "link.db") as alone:
        assert not alone


@pytest.mark.parametrize("folder", ["", "folder-that-is-not-there"])
def test_where_files_can_not_be_locked_nobody_is_known_and_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    def refuse(_handle: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with presence(tmp_path / folder / "clips.db"), presence(tmp_path / folder / "clips.db") as alone:
        assert alone


async def test_opening_a_database_is_not_serving_it(tmp_path: Path) -> None:
    database = tmp_path / "clips.db"
    async with SQLiteStore(database), SQLiteStore(database):
        with presence(database) as alone:
            assert alone
