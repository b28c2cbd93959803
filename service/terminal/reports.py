"""How a project stands, as the commands show it: pure, from the service's answers and the time."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from statistics import median
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel

from service.terminal.answers import EarlierClip, Job, ProjectSummary, SceneAnswer

# What Veo 3.1 usually takes; used until the project has a clip of its own to learn from.
USUAL_SECONDS = 120.0
_MOST_EXPECTED = 0.97


class ExitCode(IntEnum):
    """What a command's end means; 130 is what a shell gives for a program that Ctrl-C ended."""

    ALL_DONE = 0
    SOME_FAILED = 1
    WRONG_USE = 2
    REFUSED = 3
    NOT_ENDED = 4
    STOPPED = 130


class SceneReport(BaseModel):
    """One scene, with its current clip; `missing`: it has none, and `error` says why."""

    scene: str
    status: Literal["submitting", "pending", "succeeded", "failed", "missing"]
    error: str | None = None
    video_url: str | None = None
    cost_usd: float | None = None
    duration_s: int | None = None
    attempt: int | None = None
    task_uuid: str | None = None
    submitted_at: datetime | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None
    adopted: bool = False
    copied: bool = False

    @classmethod
    def of(cls, job: Job, problem: SceneAnswer | None) -> Self:
        """Tell of a job; `problem` is why it could not be replaced by a new attempt, if it still stands."""
        error = job.error.message if job.error else None
        if problem is not None and job.status == "failed" and problem.task_uuid == job.task_uuid:
            error = problem.error
        return cls(**{**dict(job), "error": error})

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected."""
        return self.status not in ("submitting", "pending")

    def seconds(self, now: datetime) -> float:
        """How long the clip took, or has taken by now, in seconds; 0 without a clip."""
        if self.submitted_at is None:
            return 0
        return max(0, ((self.settled_at or now) - self.submitted_at).total_seconds())


class Counts(BaseModel):
    """How many clips there are, and how they stand.

    The three add up to the total; in a list it also has the scenes for which no clip was asked for yet.
    """

    total: int
    completed: int
    pending: int
    failed: int

    @classmethod
    def of(cls, completed: int, pending: int, failed: int) -> Self:
        """Add up."""
        total = completed + pending + failed
        return cls(total=total, completed=completed, pending=pending, failed=failed)


class Report(BaseModel):
    """A project's scenes; none, if no clip was asked for yet.

    `earlier` are the clips of before the ledger, while that has none.
    `cost_usd` is what the clips shown have cost so far. `usual_seconds` is what a clip usually takes: the
    median of those of the project that succeeded.
    """

    project_id: UUID
    counts: Counts
    cost_usd: float
    usual_seconds: float
    scenes: Sequence[SceneReport]
    earlier: Sequence[EarlierClip] = ()

    @classmethod
    def of(
        cls,
        project_id: UUID,
        jobs: Sequence[Job],
        problems: Iterable[SceneAnswer] = (),
        usual_seconds: float = USUAL_SECONDS,
        earlier: Sequence[EarlierClip] = (),
    ) -> Self:
        """Put the jobs together with what a function said of scenes that it could not submit.

        `usual_seconds` serves until one of the jobs has succeeded.
        """
        problem_of = {problem.scene: problem for problem in problems if problem.error}
        with_clip = [SceneReport.of(job, problem_of.pop(job.scene, None)) for job in jobs]
        without = [
            SceneReport(scene=scene, status="missing", error=problem.error)
            for scene, problem in problem_of.items()
            if problem.task_uuid is None
        ]
        scenes = sorted([*with_clip, *without], key=_scene_order)
        return cls(
            project_id=project_id,
            counts=_counts(scenes, earlier),
            cost_usd=round(sum(scene.cost_usd or 0 for scene in scenes), 4),
            usual_seconds=_usual_seconds(jobs) or usual_seconds,
            scenes=scenes,
            earlier=earlier,
        )

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected."""
        return self.counts.pending == 0

    @property
    def exit_code(self) -> ExitCode:
        """What the project's state means to a script. While a clip may still come, no failure is final."""
        if not (self.scenes or self.earlier) or not self.ended:
            return ExitCode.NOT_ENDED
        return ExitCode.SOME_FAILED if self.counts.failed else ExitCode.ALL_DONE


class ListedProject(BaseModel):
    """A project in a list: `title` can be empty, `cost_usd` adds up every attempt, None where unknown."""

    id: UUID
    title: str
    created_at: datetime
    counts: Counts
    cost_usd: float | None

    @classmethod
    def of(cls, project: ProjectSummary) -> Self:
        """Take over what the service counted; count the clips of one that does not say."""
        return cls(
            id=project.id,
            title=project.title,
            created_at=project.created_at,
            counts=_listed_counts(project),
            cost_usd=project.cost_usd,
        )


class ProjectsReport(BaseModel):
    """The newest projects, newest first; `more`: there are others that are not listed."""

    projects: Sequence[ListedProject]
    more: bool = False


class SavedClip(BaseModel):
    """What came of one scene's clip as a file; `kept`: a file of its name and size was there already."""

    scene: str
    status: Literal["saved", "kept", "pending", "failed"]
    path: str | None = None
    bytes: int | None = None
    error: str | None = None


class DownloadReport(BaseModel):
    """The clips of a project as files; none, if no clip was asked for yet."""

    project_id: UUID
    folder: str
    clips: Sequence[SavedClip]

    @property
    def exit_code(self) -> ExitCode:
        """What it means to a script. While a clip may still come, no failure is final."""
        states = {clip.status for clip in self.clips}
        if not states or "pending" in states:
            return ExitCode.NOT_ENDED
        return ExitCode.SOME_FAILED if "failed" in states else ExitCode.ALL_DONE


def expected_share(seconds: float, usual_seconds: float) -> float:
    """How much of a clip is presumably made after `seconds`: ever more, but never all of it."""
    return min(_MOST_EXPECTED, 1 - math.exp(-max(0, seconds) / usual_seconds))


def overlaid(scenes: Iterable[SceneAnswer], newer: Iterable[SceneAnswer]) -> Sequence[SceneAnswer]:
    """Replace what was said of scenes by what was said of them in a later answer."""
    by_scene: Mapping[str, SceneAnswer] = {answer.scene: answer for answer in (*scenes, *newer)}
    return list(by_scene.values())


def _counts(scenes: Sequence[SceneReport], earlier: Sequence[EarlierClip]) -> Counts:
    # One without a clip counts as failed, as it does for the service.
    before = [clip.status for clip in earlier]
    completed = sum(scene.status == "succeeded" for scene in scenes) + before.count("completed")
    pending = sum(not scene.ended for scene in scenes) + before.count("pending")
    return Counts.of(completed, pending, len(scenes) + len(before) - completed - pending)


def _listed_counts(project: ProjectSummary) -> Counts:
    if project.counts is not None:
        return Counts(**project.counts.model_dump())
    values = list(project.clips.values())
    pending, failed = values.count("pending"), values.count("failed")
    return Counts.of(len(values) - pending - failed, pending, failed)


def _usual_seconds(jobs: Iterable[Job]) -> float | None:
    took = [
        (job.settled_at - job.submitted_at).total_seconds()
        for job in jobs
        if job.status == "succeeded" and job.settled_at and not job.adopted
    ]
    return max(1.0, round(median(took), 1)) if took else None


def _scene_order(scene: SceneReport) -> tuple[bool, int, str]:
    # Numbers by value, as the service sorts them: 10 after 9.
    number = scene.scene.isdecimal()
    return not number, len(scene.scene.lstrip("0")) if number else 0, scene.scene.lstrip("0")
