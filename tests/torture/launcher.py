"""Runs `clips` as it is, but for one thing: at a named point of its work the process kills itself with -9.

    TORTURE_POINTS="recorded,marked as sent" python -m tests.torture.launcher serve

It is started again for the next point, by a fork of what is loaded already, and all is over after the last.
The service has no hook for this: a point is a method of the service, and a moment of its call.
"""

import asyncio
import ctypes
import functools
import importlib
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from service.cli import main as clips

VARIABLE: Final = "TORTURE_POINTS"
_DIE_WITH_PARENT: Final = 1


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in the call of `method`, which is `module:Class.method`; after the first that gives anything.

    `during` is so many seconds after its begin, whether it is over by then or not.
    """

    method: str
    moment: Literal["before", "during", "after"]
    seconds: float = 0.0
    store: Literal["sqlite", "postgres", "both"] = "both"


_GENERATE: Final = "service.workflow.generate:Generator"
_SUBMIT: Final = "service.workflow.submission:Submitter"
_RUNWARE: Final = "service.runware.client:RunwareClient"
_SETTLE: Final = "service.workflow.settlement:Settler"
_POLL: Final = "service.workflow.poll:Poller"
_RECEIVE: Final = "service.workflow.receive:Receiver"

POINTS: Final = {
    # A submission, step by step.
    "asked for": Point(f"{_GENERATE}._order", "after"),
    "being recorded": Point(f"{_GENERATE}._record", "during", 0.002),
    "recorded": Point(f"{_GENERATE}._record", "after"),
    "being marked": Point(f"{_SUBMIT}._marked_as_sent", "during", 0.002),
    "marked as sent": Point(f"{_SUBMIT}._marked_as_sent", "after"),
    "on its way": Point(f"{_RUNWARE}.submit", "during", 0.1),
    "answered": Point(f"{_RUNWARE}.submit", "after"),
    "submitted": Point(f"{_SUBMIT}.submit", "after"),
    # A settlement, step by step.
    "webhook": Point(f"{_RECEIVE}.receive", "before"),
    "brought": Point(f"{_SETTLE}._store_events", "before"),
    "decided": Point(f"{_SETTLE}._save", "before"),
    "being saved": Point(f"{_SETTLE}._save", "during", 0.002),
    "saved": Point(f"{_SETTLE}._save", "after"),
    "settled": Point(f"{_SETTLE}._store_events", "after"),
    "webhook taken": Point(f"{_RECEIVE}.receive", "after"),
    "claimed": Point(f"{_POLL}._claim", "after"),
    "looked up": Point(f"{_RUNWARE}.ask", "after"),
    # Between the rows and the commit, where there is no other process in between.
    "rows written": Point("sqlite3:connect", "after", store="sqlite"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: Point) -> None:
    """Have this process die at the point."""
    module, _, path = point.method.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    original = getattr(owner, name)
    if original is sqlite3.connect:
        setattr(owner, name, functools.partial(original, factory=_DyingConnection))
    else:
        setattr(owner, name, _dying_call(original, point))


class _DyingConnection(sqlite3.Connection):
    """Dies before the first commit of anything that was written."""

    _written = 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self._written = self.total_changes
        if sql == "COMMIT" and self.total_changes > self._written:
            die()
        return super().execute(sql, *values)


def _dying_call(original: Callable[..., Any], point: Point) -> Callable[..., Any]:
    async def call(*arguments: Any, **named: Any) -> Any:
        if point.moment == "before":
            die()
        if point.moment == "during":
            asyncio.get_running_loop().call_later(point.seconds, die)
        given = await original(*arguments, **named)
        # A poller that finds nothing to do has done no step.
        if point.moment == "after" and (given or given is None):
            die()
        return given

    return call


def main() -> None:
    importlib.import_module("service.app")
    for name in os.environ[VARIABLE].split(","):
        child = os.fork()
        if child == 0:
            # `prctl`: no copy outlives a launcher that is killed.
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            arm(POINTS[name])
            clips()
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(f"It ended before the point: {name}")
        sys.stderr.write(f"died at the point: {name}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
