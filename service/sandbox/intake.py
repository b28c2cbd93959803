"""The intake: which new tasks become jobs, and why others are refused."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeGuard

from service.sandbox.account import balance_usd
from service.sandbox.answers import Accepted, Answer
from service.sandbox.archive import Archive
from service.sandbox.errors import INSUFFICIENT_CREDITS, Json, TaskError
from service.sandbox.faults import REFUSED, DirectiveError, JobFaults, decide, draw
from service.sandbox.jobs import Job, JobState, Ledger
from service.sandbox.options import Faults, SandboxOptions
from service.sandbox.tasks import TaskRules, VideoTask, is_uuid4, read_task

CONFLICT = "conflictTaskUUID"
NO_CREDITS = TaskError(
    INSUFFICIENT_CREDITS, "Insufficient credits. Add credits to the account and send the task again"
)


@dataclass(frozen=True, slots=True)
class Request:
    """The tasks of one request, and what meets them.

    `bad_frames` are the URLs of frames that are refused at submission, with the reason.
    """

    tasks: Sequence[object]
    faults: Faults
    bad_frames: Mapping[str, TaskError] = field(default_factory=dict)


class Intake:
    """Judges `videoInference` tasks, and enters the good ones into the ledger and all into the archive."""

    def __init__(self, ledger: Ledger, archive: Archive, options: SandboxOptions) -> None:
        self._ledger = ledger
        self._archive = archive
        self._seed = options.seed
        self._min_ttl_seconds = options.min_ttl_seconds
        self._failed_once: OrderedDict[str, None] = OrderedDict()
        self._max_jobs = options.max_jobs

    def frame_urls(self, request: Request) -> set[str]:
        """Return the frames of the tasks that would be accepted."""
        return {
            url
            for task in self._acceptable(request)
            for url in filter(None, (task.first_frame, task.last_frame))
        }

    def affords(self, request: Request) -> bool:
        """Whether the balance covers all tasks that would be accepted; true of none."""
        cost = sum((task.cost_usd for task in self._acceptable(request)), Decimal(0))
        return not cost or cost <= balance_usd(self._ledger, request.faults)

    def refuses(self, task: Json, request: Request) -> bool:
        """Whether the task would be refused."""
        return isinstance(self._judge(task, request), list)

    def take(self, task: Json, request: Request, answer: Answer) -> None:
        """Accept the task, or refuse it."""
        judged = self._judge(task, request)
        if isinstance(judged, list):
            self._refuse(task, judged, request.faults, answer)
            return
        video_task, job_faults = judged
        if video_task.cost_usd > balance_usd(self._ledger, request.faults):
            self._refuse(task, [NO_CREDITS], request.faults, answer)
            return
        if job_faults.fail_once and not self._is_first(video_task.prompt):
            job_faults = replace(job_faults, failure=None)
        seed = video_task.seed
        if seed is None:
            seed = int(draw(self._seed, "seed", video_task.task_uuid) * 2**31)
        job = self._ledger.accept(video_task, seed=seed, unlisted=job_faults.unlisted)
        self._archive.accept(task, job)
        answer.accepted.append(Accepted(video_task, job_faults, job))

    def _acceptable(self, request: Request) -> list[VideoTask]:
        judged = [self._judge(task, request) for task in request.tasks if is_video_task(task)]
        return [each[0] for each in judged if not isinstance(each, list)]

    def _judge(self, task: Json, request: Request) -> tuple[VideoTask, JobFaults] | list[TaskError]:
        """Return the task with the faults that strike it, or why it is refused whatever the balance."""
        faults = request.faults
        task_uuid = task.get("taskUUID")
        if isinstance(task_uuid, str) and _conflicts(self._ledger.find_kept(task_uuid), faults):
            message = f"taskUUID {task_uuid} was accepted before; ask for it with getResponse"
            if not faults.conflict_names_task:
                message = "A taskUUID of this request was accepted before; ask for it with getResponse"
            return [TaskError(CONFLICT, message, "taskUUID")]
        rules = TaskRules(
            plain_frames_on_lite=faults.lite_frames == "plain", min_ttl_seconds=self._min_ttl_seconds
        )
        video_task = read_task(task, rules)
        if isinstance(video_task, list):
            return video_task
        try:
            job_faults = decide(faults, self._seed, video_task.task_uuid, video_task.prompt)
        except DirectiveError as unknown:
            return [TaskError("invalidPositivePrompt", str(unknown), "positivePrompt")]
        for url in filter(None, (video_task.first_frame, video_task.last_frame)):
            if url in request.bad_frames:
                return [request.bad_frames[url]]
        return [REFUSED] if job_faults.refuse else (video_task, job_faults)

    def _is_first(self, prompt: str) -> bool:
        """Whether no job with this prompt has been failed on request yet; from now on one has."""
        if prompt in self._failed_once:
            return False
        self._failed_once[prompt] = None
        if len(self._failed_once) > self._max_jobs:
            self._failed_once.popitem(last=False)
        return True

    def _refuse(self, task: Json, errors: list[TaskError], faults: Faults, answer: Answer) -> None:
        task_uuid = task.get("taskUUID")
        conflicts = errors[0].code == CONFLICT
        named = task
        if conflicts and not faults.conflict_names_task:
            named = {name: value for name, value in task.items() if name != "taskUUID"}
        refusals = [error.as_json(named) for error in errors]
        answer.errors.extend(refusals)
        if is_uuid4(task_uuid):
            self._archive.refuse(task_uuid, task, refusals)
        if conflicts:
            self._ledger.see_again(str(task_uuid))
        else:
            self._ledger.refuse()


def is_video_task(task: object) -> TypeGuard[Json]:
    """Whether the element asks for a video."""
    return isinstance(task, dict) and task.get("taskType") == "videoInference"


def _conflicts(job: Job | None, faults: Faults) -> bool:
    """Whether an id can't be used: its job still runs, or has ended and may not be sent again."""
    return job is not None and (job.state is JobState.PROCESSING or faults.resend_finished == "conflict")
