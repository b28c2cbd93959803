"""What the commands print: a live table on a terminal, lines in a log, JSON for scripts."""

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from service.terminal.reports import (
    ProjectsReport,
    Report,
    SceneReport,
    expected_share,
)

_STATES = {
    "submitting": "sending",
    "pending": "generating",
    "succeeded": "done",
    "failed": "failed",
    "missing": "no clip",
}
_STYLES = {"succeeded": "green", "failed": "red", "missing": "red"}
_BAR_WIDTH = 20
# Narrower than this, the words need the place more than the bars do.
_WIDTH_FOR_BARS = 60
# Narrower than this, an id and its numbers leave a title no place in their line.
_WIDTH_FOR_TITLES = 100
# Lines of the live view that are not scenes: project, counts, header, what is left out, the lost connection
# (two or three), the cursor's.
_OTHER_LINES = 8
_NOTHING_ASKED = "No clip has been asked for yet. Ask for them with: clips generate {project_id}"
_MADE_BEFORE = "made before the service kept a ledger"
_COPIED = "copied from the original"
_KEEP = "If they fit the scenes, keep them for nothing: clips generate {project_id} --adopt"
_EARLIER_STATES = {"completed": "done", "pending": "pending", "failed": "failed"}
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


class View(Protocol):
    """Shows a project while it is watched (inside `with`), and at the end."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def show(self, report: Report) -> None:
        """Show how the project stands now."""

    def away(self, reason: str) -> None:
        """Show that the connection is lost, and is tried again."""

    def end(self, report: Report) -> None:
        """Show how the project stands at last."""


def clock(seconds: float) -> str:
    """Give a duration as m:ss, or h:mm:ss."""
    whole = int(seconds)
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(seconds: float) -> str:
    """Give a duration in its largest whole unit, as `3 h`."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(max(0, seconds))} s"


def summary(report: Report) -> str:
    """Say in one line how the project stands."""
    if report.earlier:
        keep = _KEEP.format(project_id=report.project_id)
        return f"Project {report.project_id}: {_counted(report)}, {_MADE_BEFORE}. {keep}"
    if not report.scenes:
        return _NOTHING_ASKED.format(project_id=report.project_id)
    return f"Project {report.project_id}: {_counted(report)}"


def line(scene: SceneReport, now: datetime) -> str:
    """Say in one line how a scene stands."""
    said = f"Scene {scene.scene}: {_STATES[scene.status]}"
    if scene.adopted:
        return f"{said}, {_MADE_BEFORE}: {scene.video_url}"
    if scene.copied:
        return f"{said}, {_COPIED}: {scene.video_url}"
    if scene.status == "succeeded":
        cost = "" if scene.cost_usd is None else f", ${scene.cost_usd:.2f}"
        return f"{said} in {clock(scene.seconds(now))}{cost}: {scene.video_url}"
    if scene.error:
        return f"{said}: {scene.error}"
    return f"{said} for {clock(scene.seconds(now))}"


def earlier_lines(report: Report) -> Sequence[str]:
    """Say in a line each how the clips of before the ledger stand, in the order of their UUIDs."""
    return [
        f"Earlier clip {number}: {_EARLIER_STATES[clip.status]}"
        + (f": {clip.video_url}" if clip.video_url else "")
        for number, clip in enumerate(report.earlier, 1)
    ]


def changed_lines(before: Report | None, report: Report, now: datetime) -> Iterator[str]:
    """Say which scenes stand otherwise than before."""
    known = {scene.scene: _standing(scene) for scene in before.scenes} if before else {}
    for scene in report.scenes:
        if known.get(scene.scene) != _standing(scene):
            yield line(scene, now)
    told = set(earlier_lines(before)) if before else set()
    yield from (said for said in earlier_lines(report) if said not in told)


def scenes_table(report: Report, now: datetime, *, width: int, rows: int | None = None) -> RenderableType:
    """Draw the scenes for a terminal of `width` columns, at most `rows` of them: what has not ended first."""
    if not report.scenes:
        return Group(*(Text(said) for said in (*_first(earlier_lines(report), rows), summary(report))))
    shown = _most_wanted(report.scenes, rows)
    bars = width >= _WIDTH_FOR_BARS
    columns = [
        Column("Scene", no_wrap=True),
        Column("State", no_wrap=True),
        *([Column("Progress", width=_BAR_WIDTH)] if bars else []),
        Column("Time", justify="right", no_wrap=True),
        Column("", overflow="fold"),
    ]
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for scene in shown:
        state = Text(_STATES[scene.status], style=_STYLES.get(scene.status, ""))
        took = "" if scene.submitted_at is None or scene.adopted else clock(scene.seconds(now))
        cells: list[RenderableType] = [Text(scene.scene), state]
        cells += [_bar(scene, now, report.usual_seconds)] if bars else []
        table.add_row(*cells, took, Text(_detail(scene, now, report.usual_seconds)))
    left_out = len(report.scenes) - len(shown)
    more = [Text(f"and {left_out} more")] if left_out else []
    return Group(Text(f"Project {report.project_id}"), Text(_counted(report)), table, *more)


def projects_table(report: ProjectsReport, now: datetime, *, width: int) -> RenderableType:
    """Draw the list of projects for `width` columns; where they are few, a title stands below its id."""
    if not report.projects:
        return Text("There is no project yet.")
    numbers = [
        Column(name, justify="right", no_wrap=True) for name in ("Age", "Clips", "Pending", "Failed", "Cost")
    ]
    beside = width >= _WIDTH_FOR_TITLES
    table = Table(
        Column("Project", overflow="fold", no_wrap=beside),
        *numbers,
        *([Column("Title")] if beside else []),
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for project in report.projects:
        counts = project.counts
        project_id, title = str(project.id), Text(project.title, overflow="ellipsis", no_wrap=True)
        table.add_row(
            project_id if beside or not project.title else Group(project_id, title),
            age((now - project.created_at).total_seconds()),
            f"{counts.completed} of {counts.total}",
            str(counts.pending),
            str(counts.failed),
            "" if project.cost_usd is None else f"${project.cost_usd:.2f}",
            *([title] if beside else []),
        )
    return table


class LiveView:
    """A table that moves, for a person at a terminal."""

    def __init__(self, console: Console, now: Callable[[], datetime]) -> None:
        self._console = console
        self._now = now
        self._report: Report | None = None
        self._away = ""
        self._live = Live(console=console, get_renderable=self._render, transient=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was; a table that was broken off stays in sight."""
        self._live.transient = kind is None
        self._live.stop()

    def show(self, report: Report) -> None:
        """Show how the project stands now."""
        self._report, self._away = report, ""

    def away(self, reason: str) -> None:
        """Show that the connection is lost, and is tried again."""
        self._away = _lost(reason)

    def end(self, report: Report) -> None:
        """Leave the whole table, and where the videos are."""
        self._console.print(scenes_table(report, self._now(), width=self._console.width))
        for scene in report.scenes:
            if scene.video_url:
                self._console.print(Text(f"Scene {scene.scene}  {scene.video_url}"), soft_wrap=True)

    def _render(self) -> RenderableType:
        lost = [Text(self._away, style="yellow")] if self._away else []
        if self._report is None:
            return Group(*lost)
        width, height = self._console.size
        rows = max(1, height - _OTHER_LINES)
        return Group(scenes_table(self._report, self._now(), width=width, rows=rows), *lost)


class LinesView:
    """A line for each change, for a log."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._report: Report | None = None
        self._is_away = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave everything as it is."""

    def show(self, report: Report) -> None:
        """Say what has changed."""
        self._tell_connected()
        for changed in changed_lines(self._report, report, self._now()):
            _print(changed)
        self._report = report

    def away(self, reason: str) -> None:
        """Say once that the connection is lost, and is tried again."""
        if not self._is_away:
            _note(_lost(reason))
        self._is_away = True

    def end(self, report: Report) -> None:
        """Sum it up."""
        _print(summary(report))

    def _tell_connected(self) -> None:
        if self._is_away:
            _note("Connected again.")
        self._is_away = False


class JSONView(LinesView):
    """The whole report as a line of JSON for each change, for a script; all else goes to stderr."""

    def show(self, report: Report) -> None:
        """Give the report, if it has changed."""
        self._tell_connected()
        if report != self._report:
            _print(report.model_dump_json())
        self._report = report

    def end(self, report: Report) -> None:
        """Add nothing: the last line is how it ended."""


def view_for(console: Console, now: Callable[[], datetime]) -> LiveView | LinesView:
    """Choose the view for a person: the live one, where the console can move its cursor."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveView(console, now) if live else LinesView(now)


def _print(text: str) -> None:
    # At once, since another program waits for it.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _lost(reason: str) -> str:
    return f"Connection lost, trying again. {reason}"


def _counted(report: Report) -> str:
    counts = report.counts
    rest = [
        f"{number} {word}"
        for number, word in ((counts.pending, "pending"), (counts.failed, "failed"))
        if number
    ]
    cost = [f"${report.cost_usd:.2f}"] if report.cost_usd else []
    return ", ".join([f"{counts.completed} of {counts.total} clips", *rest, *cost])


def _standing(scene: SceneReport) -> tuple[str, str | None, str | None]:
    return scene.status, scene.task_uuid, scene.error


def _first(lines: Sequence[str], rows: int | None) -> Sequence[str]:
    if rows is None or len(lines) <= rows:
        return lines
    return [*lines[:rows], f"and {len(lines) - rows} more"]


def _most_wanted(scenes: Sequence[SceneReport], rows: int | None) -> Sequence[SceneReport]:
    if rows is None or len(scenes) <= rows:
        return scenes
    return sorted(scenes, key=lambda scene: (scene.ended, scene.status == "succeeded"))[:rows]


def _bar(scene: SceneReport, now: datetime, usual_seconds: float) -> RenderableType:
    if scene.status in ("failed", "missing"):
        return Text()
    share = 1.0 if scene.ended else expected_share(scene.seconds(now), usual_seconds)
    return ProgressBar(
        total=1, completed=share, width=_BAR_WIDTH, complete_style="cyan", finished_style="green"
    )


def _detail(scene: SceneReport, now: datetime, usual_seconds: float) -> str:
    if scene.error:
        return scene.error
    if scene.adopted:
        return _MADE_BEFORE
    if scene.copied:
        return _COPIED
    if scene.ended:
        cost = "" if scene.cost_usd is None else f"${scene.cost_usd:.2f}, "
        return f"{cost}by {scene.settled_by}"
    late = scene.seconds(now) > usual_seconds
    return f"{'later than the usual' if late else 'usually'} {clock(usual_seconds)}"
