"""Jobs, their results as callers see them, and the ledger that counts and keeps them."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from service.sandbox.errors import Json, TaskError
from service.sandbox.veo import VideoTask


class JobState(StrEnum):
    """Where a job stands; the first three are also the `status` that callers read."""

    PROCESSING = "processing"
    SUCCESS = "success"
    ERROR = "error"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Video:
    """A finished clip: where it is served, the file behind it, and until when (on the loop's clock)."""

    uuid: str
    url: str
    file: Path
    media_type: str
    expires_at: float | None


@dataclass(slots=True)
class Job:
    """What is kept of an accepted task. An `unlisted` one is not shown to polls while it runs."""

    task_uuid: str
    seed: int
    include_cost: bool
    cost_usd: Decimal
    state: JobState = JobState.PROCESSING
    video: Video | None = None
    error: TaskError | None = None
    unlisted: bool = False
    seen: int = 1
    webhook_tries: int = 0
    webhook_deliveries: int = 0

    @property
    def billed(self) -> bool:
        """Runware bills what it accepts, and takes failed jobs off the bill."""
        return self.state is not JobState.ERROR

    def as_result(self) -> Json:
        """Return the element of `data` that `getResponse` answers for this job, without its error."""
        result: Json = {**self.as_acknowledgement(), "status": self.state.value}
        if self.video is not None:
            result |= {"videoUUID": self.video.uuid, "videoURL": self.video.url, "seed": self.seed}
            result["NSFWContent"] = False
            if self.include_cost:
                result["cost"] = float(self.cost_usd)
        return result

    def as_acknowledgement(self) -> Json:
        """Return the element of `data` that answers the task when it is accepted."""
        return {"taskType": "videoInference", "taskUUID": self.task_uuid}

    def as_ledger_entry(self) -> Json:
        """Return what the ledger shows of this job."""
        return {
            "state": self.state.value,
            "billed": self.billed,
            "cost_usd": float(self.cost_usd) if self.billed else 0,
            "seen": self.seen,
            "error": self.error.code if self.error is not None else None,
            "webhook_tries": self.webhook_tries,
            "webhook_deliveries": self.webhook_deliveries,
        }


class Ledger:
    """What was accepted, refused, billed and seen twice, and the jobs themselves.

    Keeps at most `max_jobs` jobs: the oldest finished ones are dropped, the totals stay.
    """

    def __init__(self, max_jobs: int) -> None:
        self._max_jobs = max_jobs
        self._jobs: dict[str, Job] = {}
        self._finished: deque[Job] = deque()
        self._videos: dict[str, Video] = {}
        self._seen_twice: OrderedDict[str, None] = OrderedDict()
        self._accepted = 0
        self._refused = 0
        self._billed = 0
        self._cost_usd = Decimal(0)

    def has_room(self, count: int) -> bool:
        """Whether so many more jobs can run beside the unfinished ones; always true of none."""
        return not count or len(self._jobs) - len(self._finished) + count <= self._max_jobs

    def accept(self, task: VideoTask, *, seed: int, unlisted: bool) -> Job:
        """Enter a job for a task that is new, billed from now on."""
        job = Job(task.task_uuid, seed, task.include_cost, task.cost_usd, unlisted=unlisted)
        self._jobs[job.task_uuid] = job
        self._accepted += 1
        self._billed += 1
        self._cost_usd += job.cost_usd
        while len(self._jobs) > self._max_jobs and self._finished:
            self._drop(self._finished.popleft())
        return job

    def refuse(self) -> None:
        """Count a task that broke the rules."""
        self._refused += 1

    def see_again(self, task_uuid: str) -> None:
        """Note that an accepted task's id came a second time."""
        self._jobs[task_uuid].seen += 1
        self._seen_twice[task_uuid] = None
        if len(self._seen_twice) > self._max_jobs:
            self._seen_twice.popitem(last=False)

    def succeed(self, job: Job, video: Video) -> None:
        """End a job with its clip."""
        job.video = video
        self._videos[video.uuid] = video
        self._finish(job, JobState.SUCCESS)

    def fail(self, job: Job, error: TaskError) -> None:
        """End a job with an error, and take it off the bill."""
        job.error = error
        self._billed -= 1
        self._cost_usd -= job.cost_usd
        self._finish(job, JobState.ERROR)

    def forget(self, job: Job) -> None:
        """Bill a job that no caller can find again."""
        self._finish(job, JobState.FORGOTTEN)

    def knows(self, task_uuid: str) -> bool:
        """Whether the id belongs to an accepted task, forgotten or not."""
        return task_uuid in self._jobs

    def find(self, task_uuid: str) -> Job | None:
        """Return the job as a caller may find it: a forgotten one is not there."""
        job = self._jobs.get(task_uuid)
        return None if job is None or job.state is JobState.FORGOTTEN else job

    def has_forgotten(self, task_uuid: str) -> bool:
        """Whether the job is kept, but no caller may find it."""
        job = self._jobs.get(task_uuid)
        return job is not None and job.state is JobState.FORGOTTEN

    def find_video(self, video_uuid: str) -> Video | None:
        """Return the clip of a finished job that is still kept."""
        return self._videos.get(video_uuid)

    def as_json(self, *, tasks: bool) -> Json:
        """Return the totals and, if asked for, an entry for each job that is kept."""
        totals: Json = {
            "accepted": self._accepted,
            "billed": self._billed,
            "cost_usd": float(self._cost_usd),
            "seen_twice": list(self._seen_twice),
            "refused": self._refused,
        }
        if tasks:
            totals["tasks"] = {job.task_uuid: job.as_ledger_entry() for job in self._jobs.values()}
        return totals

    def _finish(self, job: Job, state: JobState) -> None:
        job.state = state
        self._finished.append(job)

    def _drop(self, job: Job) -> None:
        del self._jobs[job.task_uuid]
        if job.video is not None:
            del self._videos[job.video.uuid]
