"""The desk where the tasks of one request are answered, each by its type."""

from collections.abc import Callable, Sequence
from typing import cast
from uuid import NAMESPACE_URL, uuid5

from service.sandbox.answers import Accepted, Answer
from service.sandbox.archive import Archive
from service.sandbox.errors import TASK_NOT_FOUND, Json, TaskError
from service.sandbox.faults import REFUSED, DirectiveError, JobFaults, decide, draw
from service.sandbox.jobs import JobState, Ledger
from service.sandbox.options import Faults
from service.sandbox.veo import VideoTask, is_uuid4, read_task

_ACCOUNT_UUID = str(uuid5(NAMESPACE_URL, "clip-service/sandbox"))
_BATCH_REFUSED = TaskError("invalidRequest", "A task of this request is invalid; none of them was accepted")


class Desk:
    """Answers tasks from the ledger and enters new ones into it, in one step and without I/O."""

    def __init__(self, ledger: Ledger, archive: Archive, seed: int) -> None:
        self._ledger = ledger
        self._archive = archive
        self._seed = seed
        self._answers: dict[str, Callable[[Json, Faults, Answer], None]] = {
            "videoInference": self._accept,
            "getResponse": self._look_up,
            "getTaskDetails": self._show_details,
            "ping": self._ping,
            "accountManagement": self._show_account,
        }

    def answer(self, tasks: Sequence[object], faults: Faults) -> Answer:
        """Answer each task; a bad one doesn't touch the others, unless `strict_batches` says so."""
        answer = Answer(faults)
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
                answer.refuse(task, self._no_such_type(task_type))
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
            self._refuse(task, checked, answer)
            if checked[0].code == "conflictTaskUUID":
                self._ledger.see_again(cast("str", task["taskUUID"]))
            else:
                self._ledger.refuse()
            return
        video_task, job_faults = checked
        seed = video_task.seed
        if seed is None:
            seed = int(draw(self._seed, "seed", video_task.task_uuid) * 2**31)
        job = self._ledger.accept(video_task, seed=seed, unlisted=job_faults.unlisted)
        self._archive.accept(task, job)
        answer.accepted.append(Accepted(video_task, job_faults, job))

    def _refuse(self, task: Json, errors: list[TaskError], answer: Answer) -> None:
        refusals = [error.as_json(task) for error in errors]
        answer.errors.extend(refusals)
        if is_uuid4(task_uuid := task.get("taskUUID")):
            self._archive.refuse(task_uuid, task, refusals)

    def _look_up(self, task: Json, faults: Faults, answer: Answer) -> None:
        task_uuid = _asked_for(task, answer)
        if task_uuid is None:
            return
        job = None if self._hides(task_uuid, faults) else self._ledger.find(task_uuid)
        if job is None:
            if faults.unknown_answer == "not-found":
                answer.refuse(task, _unknown(task_uuid))
        elif not (job.unlisted and job.state is JobState.PROCESSING):
            answer.show(job)

    def _show_details(self, task: Json, faults: Faults, answer: Answer) -> None:
        if faults.archive_off:
            answer.refuse(task, self._no_such_type("getTaskDetails"))
            return
        task_uuid = _asked_for(task, answer)
        if task_uuid is None:
            return
        forgotten = self._ledger.has_forgotten(task_uuid) or self._hides(task_uuid, faults)
        details = None
        if not (faults.archive_forgets and forgotten):
            details = self._archive.find(task_uuid, faults)
        if details is None and faults.unknown_details == "not-found":
            answer.refuse(task, _unknown(task_uuid))
        elif details is not None or faults.unknown_details == "blank":
            answer.data.append({**_identity(task), **(details or {"request": [], "response": {}})})

    def _hides(self, task_uuid: str, faults: Faults) -> bool:
        return draw(self._seed, "hide", task_uuid) < faults.hide_rate

    def _no_such_type(self, task_type: str) -> TaskError:
        message = f"taskType must be one of {', '.join(self._answers)}, not {task_type!r}"
        return TaskError("invalidTaskType", message, "taskType")

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


def _asked_for(task: Json, answer: Answer) -> str | None:
    """Return the id that a question is about; refuse the question if it has none."""
    task_uuid = task.get("taskUUID")
    if is_uuid4(task_uuid):
        return task_uuid
    answer.refuse(task, TaskError("invalidTaskUUID", "taskUUID must be the job's UUID v4", "taskUUID"))
    return None


def _unknown(task_uuid: str) -> TaskError:
    message = f"No task {task_uuid}; it was never accepted or is no longer kept"
    return TaskError(TASK_NOT_FOUND, message, "taskUUID")
