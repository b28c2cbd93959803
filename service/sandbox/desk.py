"""The desk where the tasks of one request are answered, each by its type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import NAMESPACE_URL, uuid5

from service.sandbox.errors import Json, TaskError
from service.sandbox.faults import REFUSED, DirectiveError, JobFaults, decide, draw
from service.sandbox.jobs import Job, Ledger
from service.sandbox.options import Faults
from service.sandbox.veo import VideoTask, is_uuid4, read_task

TASK_NOT_FOUND = "taskNotFound"
_ACCOUNT_UUID = str(uuid5(NAMESPACE_URL, "clip-service/sandbox"))
_BATCH_REFUSED = TaskError("invalidRequest", "A task of this request is invalid; none of them was accepted")


@dataclass(slots=True)
class Accepted:
    """An accepted task with its job. `ack` is the element of `data` that answers it."""

    task: VideoTask
    faults: JobFaults
    job: Job
    ack: Json


@dataclass(slots=True)
class Answer:
    """What a request's tasks came to."""

    data: list[Json] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)

    def refuse(self, task: Json, *errors: TaskError) -> None:
        """Add errors, scoped to their task."""
        self.errors.extend(error.as_json(task) for error in errors)


class Desk:
    """Answers tasks from the ledger and enters new ones into it, in one step and without I/O."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._seed = seed
        self._answers: dict[str, Callable[[Json, Faults, Answer], None]] = {
            "videoInference": self._accept,
            "getResponse": self._look_up,
            "ping": self._ping,
            "accountManagement": self._show_account,
        }

    def answer(self, tasks: Sequence[object], faults: Faults) -> Answer:
        """Answer each task; a bad one doesn't touch the others, unless `strict_batches` says so."""
        answer = Answer()
        if faults.strict_batches and len(tasks) > 1 and self._has_bad_task(tasks, faults):
            for _ in tasks:
                self._ledger.refuse()
            answer.refuse({}, _BATCH_REFUSED)
            return answer
        for task in tasks:
            if not isinstance(task, dict):
                answer.refuse({}, TaskError("invalidTask", "Each element of the array must be an object"))
                continue
            task_type = str(task.get("taskType"))
            if task_type in self._answers:
                self._answers[task_type](task, faults, answer)
            else:
                message = f"taskType must be one of {', '.join(self._answers)}, not {task_type!r}"
                answer.refuse(task, TaskError("invalidTaskType", message, "taskType"))
        return answer

    def _has_bad_task(self, tasks: Sequence[object], faults: Faults) -> bool:
        return any(
            not isinstance(task, dict)
            or str(task.get("taskType")) not in self._answers
            or (task["taskType"] == "videoInference" and isinstance(self._check(task, faults), list))
            for task in tasks
        )

    def _check(self, task: Json, faults: Faults) -> tuple[VideoTask, JobFaults] | list[TaskError]:
        """Return the task with the faults that strike it, or why it is refused."""
        task_uuid = task.get("taskUUID")
        if isinstance(task_uuid, str) and self._ledger.knows(task_uuid):
            message = f"taskUUID {task_uuid} was accepted before; ask for it with getResponse"
            return [TaskError("conflictTaskUUID", message, "taskUUID")]
        video_task = read_task(task)
        if isinstance(video_task, list):
            return video_task
        try:
            job_faults = decide(faults, self._seed, video_task.task_uuid, video_task.prompt)
        except DirectiveError as unknown:
            return [TaskError("invalidPositivePrompt", str(unknown), "positivePrompt")]
        return [REFUSED] if job_faults.refuse else (video_task, job_faults)

    def _accept(self, task: Json, faults: Faults, answer: Answer) -> None:
        checked = self._check(task, faults)
        if isinstance(checked, list):
            answer.refuse(task, *checked)
            if checked[0].code == "conflictTaskUUID":
                self._ledger.see_again(cast("str", task["taskUUID"]))
            else:
                self._ledger.refuse()
            return
        video_task, job_faults = checked
        seed = video_task.seed
        if seed is None:
            seed = int(draw(self._seed, "seed", video_task.task_uuid) * 2**31)
        job = self._ledger.accept(video_task, seed=seed)
        ack: Json = {"taskType": "videoInference", "taskUUID": video_task.task_uuid}
        answer.data.append(ack)
        answer.accepted.append(Accepted(video_task, job_faults, job, ack))

    def _look_up(self, task: Json, faults: Faults, answer: Answer) -> None:
        task_uuid = task.get("taskUUID")
        if not is_uuid4(task_uuid):
            answer.refuse(
                task, TaskError("invalidTaskUUID", "taskUUID must be the job's UUID v4", "taskUUID")
            )
        elif (job := self._ledger.find(task_uuid)) is None or (
            draw(self._seed, "hide", task_uuid) < faults.hide_rate
        ):
            message = f"No task {task_uuid}; it was never accepted or is no longer kept"
            answer.refuse(task, TaskError(TASK_NOT_FOUND, message, "taskUUID"))
        else:
            answer.data.append(job.as_result())

    def _ping(self, task: Json, _: Faults, answer: Answer) -> None:
        answer.data.append({**_identity(task), "pong": True})

    def _show_account(self, task: Json, _: Faults, answer: Answer) -> None:
        operation = task.get("operation")
        if operation != "getDetails":
            message = f"The sandbox knows the operation getDetails, not {operation!r}"
            answer.refuse(task, TaskError("unsupportedOperation", message, "operation"))
            return
        account: Json = {"organizationName": "Sandbox", "organizationUUID": _ACCOUNT_UUID, "balance": {}}
        answer.data.append({**_identity(task), "operation": operation, **account})


def _identity(task: Json) -> Json:
    return {key: task[key] for key in ("taskType", "taskUUID") if key in task}
