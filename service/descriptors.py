"""How many files and connections this process may have open, and what is said when there are no more."""

import asyncio
import errno
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

log = structlog.get_logger(__name__)

# For the database, uploads, downloads, Runware and Supabase: far more than these use at their busiest.
_MOST_FOR_THE_REST = 512
_SECONDS_BETWEEN_LINES = 60.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections a process may have at a time, and how many it may accept before it looks again."""

    connections: int
    burst: int


def raise_limit() -> int:
    """Raise this process's limit of descriptors as far as it may itself; gives the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems refuse what they have told as their limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def room_within(limit: int) -> Room:
    """Divide a limit of descriptors: half of it, at most, is kept for all that is no connection."""
    kept = min(limit // 2, _MOST_FOR_THE_REST)
    return Room(connections=max(1, limit - kept), burst=max(1, kept // 8))


@dataclass(slots=True)
class Seldom:
    """For a warning that comes in thousands: says once a minute how often it came since the line before."""

    now: Callable[[], float] = time.monotonic
    _times: int = field(default=0, init=False)
    _told_at: float | None = field(default=None, init=False)

    def due(self) -> int:
        """Count it; gives how often it came if it is time for a line, else 0."""
        self._times += 1
        now = self.now()
        if self._told_at is not None and now - self._told_at < _SECONDS_BETWEEN_LINES:
            return 0
        times, self._times, self._told_at = self._times, 0, now
        return times


def tell_exhaustion_seldom(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop that runs out of descriptors say so once a minute, not at each try to accept."""
    exhausted = Seldom()

    def handle(on: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            if times := exhausted.due():
                log.warning("no descriptor is left: new connections wait", times=times, error=error.strerror)
        else:
            on.default_exception_handler(dict(context))

    loop.set_exception_handler(handle)
