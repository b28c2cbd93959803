"""Which processes serve a database file: each of them holds a lock on a file beside it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def presence(database: Path) -> Iterator[bool]:
    """Be known as a process that serves this database; gives whether no other one did when this began.

    The lock is advisory and the kernel's: it ends with the process, however that ends, so that nothing is
    left to clean up or to time out. It lies on a file of its own, since a process that closes any handle of
    the database gives up all of SQLite's locks on it. Where files can't be locked, nobody is known: True.
    """
    path = database.resolve()
    try:
        # Reading is enough for a lock, so that another user's file serves, too.
        handle = os.open(path.with_name(f"{path.name}-serving"), os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError:
        yield True
        return
    try:
        yield _found_nobody(handle)
    finally:
        os.close(handle)


def _found_nobody(handle: int) -> bool:
    """Lock alone if possible, to find out, and then together with all who serve.

    If all locked alone, the second process would hold nothing, and the third would not hear of it once the
    first is gone.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        alone = False
    except OSError:
        return True
    else:
        alone = True
    with suppress(OSError):
        # Waits for the moment only in which another process finds out.
        fcntl.flock(handle, fcntl.LOCK_SH)
    return alone
