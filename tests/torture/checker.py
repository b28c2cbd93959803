"""What must hold after all: read from Runware's ledger and the database, by no line of the service.

Each violation begins with the name of its rule. `RULES` says what each demands.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

RULES: Final = {
    "billed twice": "Nothing is billed beside an earlier task for the same, unless that had failed",
    "no row": "Every task that Runware took has a row, which counts its sends",
    "bought early": "A new attempt is made only after the one before has failed",
    "first end wins": "An end is never undone, but for one that the service only presumed",
    "rows stay": "No row disappears",
    "acknowledged": "A webhook that was answered with success has had its effect, and so has a call",
    "projection": "projects.clips shows each scene's current clip, and nothing else",
    "never ends": "Every clip has an end",
    "lost": "Every video that Runware made and can give is the clip's end",
    "costs": "What the rows cost adds up to what Runware has billed",
}

_OPEN: Final = ("submitting", "pending")
_PRESUMED: Final = ("timeout", "lost")
_CENT: Final = 0.005


@dataclass(frozen=True, slots=True)
class Row:
    """A clip as the database has it. `request` is what was asked for, as canonical JSON."""

    task_uuid: str
    project_id: str
    scene: str
    request: str
    attempt: int
    status: str
    sends: int
    video_url: str | None
    failure_kind: str | None
    cost_usd: float | None
    submitted_at: datetime
    settled_at: datetime | None
    superseded: bool

    def __str__(self) -> str:
        return f"{self.task_uuid} (scene {self.scene}, attempt {self.attempt}, {self.status})"


@dataclass(frozen=True, slots=True)
class Task:
    """A task as Runware's ledger has it."""

    state: str
    bills: int
    cost_usd: float
    webhook_deliveries: int

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Task":
        return cls(**{name: entry[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known: Runware's `tasks`, read before the database's `rows` and `projects.clips`.

    `bill_usd` is what Runware has billed in all; `promises` are scenes by project whose clips a call said are
    there or will come.
    """

    tasks: Mapping[str, Task]
    bill_usd: float
    rows: Mapping[str, Row]
    projects: Mapping[str, Mapping[str, str]]
    promises: Collection[tuple[str, str]] = field(default_factory=tuple)


def violations_at_any_time(now: Evidence, before: Mapping[str, Row]) -> list[str]:
    """Check what must hold at every moment; `before` are the rows of an earlier one."""
    return [
        *_rows_are_kept(before, now.rows),
        *_every_task_has_its_row(now),
        *_deliveries_have_effect(now),
        *_promises_are_kept(now),
        *_nothing_is_billed_twice(now),
        *_projections(now),
    ]


def violations_at_the_end(end: Evidence, before: Mapping[str, Row]) -> list[str]:
    """Check what must hold when nobody presses anything and nothing fails any more."""
    return [*violations_at_any_time(end, before), *_everything_has_ended(end), *_costs_add_up(end)]


def _rows_are_kept(before: Mapping[str, Row], now: Mapping[str, Row]) -> Iterable[str]:
    for task, old in before.items():
        new = now.get(task)
        if new is None:
            yield f"rows stay: {old} is gone"
        elif old.status not in _OPEN and old.failure_kind not in _PRESUMED and _end(old) != _end(new):
            yield f"first end wins: {old} had ended, and is {new}"


def _end(row: Row) -> tuple[object, ...]:
    return row.status, row.video_url, row.failure_kind, row.settled_at, row.cost_usd


def _every_task_has_its_row(now: Evidence) -> Iterable[str]:
    for task in now.tasks:
        if task not in now.rows:
            yield f"no row: Runware has {task}"
        elif now.rows[task].sends < 1:
            yield f"no row: {now.rows[task]} counts no send, and Runware has it"


def _deliveries_have_effect(now: Evidence) -> Iterable[str]:
    for task, told in now.tasks.items():
        row = now.rows.get(task)
        if row is None or not told.webhook_deliveries:
            continue
        if row.status != {"success": "succeeded", "error": "failed"}.get(told.state):
            yield f"acknowledged: Runware told of {row} that it is a {told.state}, and was answered"


def _promises_are_kept(now: Evidence) -> Iterable[str]:
    there = {(row.project_id, row.scene) for row in now.rows.values()}
    for project, scene in now.promises:
        if (project, scene) not in there:
            yield f"acknowledged: scene {scene} of {project} was promised, and has no clip"


def _nothing_is_billed_twice(now: Evidence) -> Iterable[str]:
    for task, told in now.tasks.items():
        if told.bills > 1:
            yield f"billed twice: {task} has {told.bills} bills"
    for rows in _purchases(now.rows.values()):
        for earlier, later in pairwise(rows):
            if earlier.settled_at is None:
                yield f"bought early: {later} stands beside {earlier}"
            elif _was_bought_in_vain(earlier, later):
                yield f"bought early: {later} was made while {earlier} had not failed"
        billed = [row for row in rows if _stands_on_the_bill(now.tasks.get(row.task_uuid))]
        if len(billed) > 1:
            yield f"billed twice: {' and '.join(map(str, billed))}"


def _was_bought_in_vain(earlier: Row, later: Row) -> bool:
    assert earlier.settled_at is not None
    if earlier.status == "succeeded":
        # After a failure that was only presumed it may succeed late.
        return earlier.settled_at <= later.submitted_at
    return earlier.failure_kind not in _PRESUMED and earlier.settled_at > later.submitted_at


def _stands_on_the_bill(task: Task | None) -> bool:
    """Whether Runware bills the task, and would say so: one that it has forgotten it calls unknown."""
    return task is not None and task.bills > 0 and task.state != "forgotten"


def _purchases(rows: Iterable[Row]) -> Iterable[Sequence[Row]]:
    by_request: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_request[row.project_id, row.request].append(row)
    return [sorted(same, key=lambda row: row.attempt) for same in by_request.values()]


def _projections(now: Evidence) -> Iterable[str]:
    by_project: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in now.rows.values():
        if not row.superseded:
            by_project[row.project_id][row.scene].append(row)
    for project, shown in now.projects.items():
        current = [_current(rows) for rows in by_project[project].values()]
        rightly = {row.task_uuid: _shown(row) for row in current}
        if shown != rightly:
            differing = dict(set(shown.items()) ^ set(rightly.items()))
            yield f"projection: {project} shows something else than its rows of {sorted(differing)}"


def _current(rows: Sequence[Row]) -> Row:
    """Give a scene's current clip: the first that succeeded, else the newest that may, else the newest."""
    done = [row for row in rows if row.status == "succeeded"]
    if done:
        return min(done, key=lambda row: (row.settled_at, row.attempt))
    return max([row for row in rows if row.status in _OPEN] or list(rows), key=lambda row: row.attempt)


def _shown(row: Row) -> str:
    return row.video_url or ("failed" if row.status == "failed" else "pending")


def _everything_has_ended(end: Evidence) -> Iterable[str]:
    for row in end.rows.values():
        if row.status in _OPEN:
            yield f"never ends: {row}"
        task = end.tasks.get(row.task_uuid)
        if (row.status == "succeeded") != (task is not None and task.state == "success"):
            yield f"lost: {row} is at Runware {task.state if task else 'unknown'}"


def _costs_add_up(end: Evidence) -> Iterable[str]:
    for row in end.rows.values():
        task = end.tasks.get(row.task_uuid)
        billed = task.cost_usd if task is not None and task.state == "success" else 0.0
        if abs((row.cost_usd or 0.0) - billed) > _CENT:
            yield f"costs: {row} says {row.cost_usd}, Runware billed {billed}"
    forgotten = sum(task.cost_usd for task in end.tasks.values() if task.state == "forgotten")
    total = sum(row.cost_usd or 0.0 for row in end.rows.values())
    if abs(total + forgotten - end.bill_usd) > _CENT:
        yield f"costs: the rows cost {total:.2f}, Runware billed {end.bill_usd:.2f}"
