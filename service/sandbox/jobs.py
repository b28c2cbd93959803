"""Jobs, their results as callers see them, and the ledger that counts and keeps them."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from service.sandbox.errors import Json, TaskError
from service.sandbox.tasks import VideoTask
from service.sandbox.usage import Clock, Spending, Usage


class JobState(StrEnum):
    """Where a job stands; the first three are also the `status` that callers read."""

    PROCESSING = "processing"
    SUCCESS = "success"
    ERROR = "error"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Video:
    """A finished clip: where it is served, the file behind it, from when and until when.

    Both times are on the loop's clock; before the first the URL serves 0 bytes.
    """

    uuid: str
    url: str
    file: Path
    media_type: str
    filled_at: float
    expires_at: float | None


@dataclass(slots=True)
class Job:
    """What is kept of an accepted task. An `unlisted` one is not shown to polls while it runs.

    `earlier_bills` are those of finished jobs that had the same id.
    """

    task_uuid: str
    model: str
    accepted_at: datetime
    seed: int
    include_cost: bool
    cost_usd: Decimal
    state: JobState = JobState.PROCESSING
    video: Video | None = None
    error: TaskError | None = None
    unlisted: bool = False
    earlier_bills: int = 0
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
            "bills": self.earlier_bills + self.billed,
            "seen": self.seen,
            "error": self.error.code if self.error is not None else None,
            "webhook_tries": self.webhook_tries,
            "webhook_deliveries": self.webhook_deliveries,
        }


class Ledger:
    """What was accepted, refused, billed and seen twice, and the jobs themselves.

    Keeps at most `max_jobs` jobs: the oldest finished ones are dropped, the totals stay.
    """

    def __init__(self, max_jobs: int, clock: Clock) -> None:
        self._max_jobs = max_jobs
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._finished: deque[Job] = deque()
        self._videos: dict[str, Video] = {}
        self._seen_twice: OrderedDict[str, None] = OrderedDict()
        self._billed_again: OrderedDict[str, None] = OrderedDict()
        self._refused = 0
        self._running = 0
        self._total = Spending()
        self.usage = Usage()

    @property
    def cost_usd(self) -> Decimal:
        """What stands on the bill."""
        return self._total.usd

    @property
    def running(self) -> int:
        """The jobs that have not ended."""
        return self._running

    def has_room(self, count: int) -> bool:
        """Whether so many more jobs can run beside the unfinished ones; always true of none."""
        return not count or self._running + count <= self._max_jobs

    def accept(self, task: VideoTask, *, seed: int, unlisted: bool) -> Job:
        """Enter a job for a task, billed from now on; it takes the place of a finished one with its id."""
        job = Job(
            task.task_uuid,
            task.model,
            self._clock(),
            seed,
            task.include_cost,
            task.cost_usd,
            unlisted=unlisted,
        )
        earlier = self._jobs.get(job.task_uuid)
        if earlier is not None:
            job.earlier_bills = earlier.earlier_bills + earlier.billed
            job.seen += earlier.seen
            _remember(self._seen_twice, job.task_uuid, self._max_jobs)
        if job.earlier_bills:
            _remember(self._billed_again, job.task_uuid, self._max_jobs)
        self._jobs[job.task_uuid] = job
        self._running += 1
        self._count(job, Spending(1, 1, job.cost_usd))
        while self._running + len(self._finished) > self._max_jobs and self._finished:
            self._drop(self._finished.popleft())
        return job

    def refuse(self) -> None:
        """Count a task that broke the rules or was not covered."""
        self._refused += 1

    def see_again(self, task_uuid: str) -> None:
        """Note that an accepted task's id came a second time."""
        self._jobs[task_uuid].seen += 1
        _remember(self._seen_twice, task_uuid, self._max_jobs)

    def succeed(self, job: Job, video: Video) -> None:
        """End a job with its clip."""
        job.video = video
        self._videos[video.uuid] = video
        self._finish(job, JobState.SUCCESS)

    def fail(self, job: Job, error: TaskError) -> None:
        """End a job with an error, and take it off the bill."""
        job.error = error
        self._count(job, Spending(0, -1, -job.cost_usd))
        if job.earlier_bills == 1:
            self._billed_again.pop(job.task_uuid, None)
        self._finish(job, JobState.ERROR)

    def forget(self, job: Job) -> None:
        """Bill a job that no caller can find again."""
        self._finish(job, JobState.FORGOTTEN)

    def find_kept(self, task_uuid: str) -> Job | None:
        """Return the newest job of an id, forgotten or not."""
        return self._jobs.get(task_uuid)

    def find(self, task_uuid: str) -> Job | None:
        """Return the job as a caller may find it: a forgotten one is not there."""
        job = self._jobs.get(task_uuid)
        return None if job is None or job.state is JobState.FORGOTTEN else job

    def find_video(self, video_uuid: str) -> Video | None:
        """Return the clip of a finished job that is still kept."""
        return self._videos.get(video_uuid)

    def as_json(self, *, tasks: bool) -> Json:
        """Return the totals and, if asked for, an entry for each job that is kept."""
        totals: Json = {
            "accepted": self._total.requests,
            "billed": self._total.results,
            "cost_usd": float(self._total.usd),
            "seen_twice": list(self._seen_twice),
            "billed_again": list(self._billed_again),
            "refused": self._refused,
        }
        if tasks:
            totals["tasks"] = {job.task_uuid: job.as_ledger_entry() for job in self._jobs.values()}
        return totals

    def _count(self, job: Job, spending: Spending) -> None:
        self._total += spending
        self.usage.add(job.accepted_at, job.model, spending)

    def _finish(self, job: Job, state: JobState) -> None:
        job.state = state
        self._running -= 1
        self._finished.append(job)

    def _drop(self, job: Job) -> None:
        if self._jobs.get(job.task_uuid) is job:
            del self._jobs[job.task_uuid]
        if job.video is not None:
            del self._videos[job.video.uuid]


def _remember(ids: OrderedDict[str, None], task_uuid: str, most: int) -> None:
    ids[task_uuid] = None
    if len(ids) > most:
        ids.popitem(last=False)
