"""The desk where the tasks of one request are answered, each by its type."""

from collections.abc import Callable

from service.sandbox.account import Account, RefusedQuestionError
from service.sandbox.answers import Answer
from service.sandbox.archive import Archive
from service.sandbox.errors import INSUFFICIENT_PERMISSIONS, TASK_NOT_FOUND, Json, TaskError
from service.sandbox.faults import draw
from service.sandbox.intake import NO_CREDITS, Intake, Request, is_video_task
from service.sandbox.jobs import JobState, Ledger
from service.sandbox.options import Faults, SandboxOptions
from service.sandbox.tasks import is_uuid4
from service.sandbox.usage import Clock

_NO_PERMISSION = TaskError(INSUFFICIENT_PERMISSIONS, "This API key lacks the permission accountManagement")
_BATCH_REFUSED = TaskError("invalidRequest", "A task of this request is invalid; none of them was accepted")


class Desk:
    """Answers tasks from the ledger and enters new ones into it, in one step and without I/O."""

    def __init__(self, ledger: Ledger, options: SandboxOptions, clock: Clock) -> None:
        self._ledger = ledger
        self._archive = Archive(options.max_jobs)
        self._intake = Intake(ledger, self._archive, options)
        self._account = Account(ledger, clock)
        self._seed = options.seed
        self._answers: dict[str, Callable[[Json, Request, Answer], None]] = {
            "videoInference": self._intake.take,
            "getResponse": self._look_up,
            "getTaskDetails": self._show_details,
            "ping": self._ping,
            "accountManagement": self._show_account,
        }

    def frame_urls(self, request: Request) -> set[str]:
        """Return the frames of the tasks that would be accepted."""
        return self._intake.frame_urls(request)

    def answer(self, request: Request) -> Answer:
        """Answer each task; a bad one doesn't touch the others, unless the faults say so."""
        answer = Answer(request.faults)
        refusal = self._whole_refusal(request)
        if refusal is not None:
            for _ in filter(is_video_task, request.tasks):
                self._ledger.refuse()
            answer.refuse({}, refusal)
            return answer
        for task in request.tasks:
            if not isinstance(task, dict):
                answer.refuse({}, TaskError("invalidTask", "Each element of the array must be an object"))
                continue
            task_type = str(task.get("taskType"))
            if task_type in self._answers:
                self._answers[task_type](task, request, answer)
            else:
                answer.refuse(task, self._no_such_type(task_type))
        return answer

    def _whole_refusal(self, request: Request) -> TaskError | None:
        """Return why the whole request is refused without naming a task."""
        if request.faults.strict_batches and len(request.tasks) > 1 and self._has_bad_task(request):
            return _BATCH_REFUSED
        if request.faults.credit_refusal == "whole" and not self._intake.affords(request):
            return NO_CREDITS
        return None

    def _has_bad_task(self, request: Request) -> bool:
        return any(
            not isinstance(task, dict)
            or str(task.get("taskType")) not in self._answers
            or (is_video_task(task) and self._intake.refuses(task, request))
            for task in request.tasks
        )

    def _look_up(self, task: Json, request: Request, answer: Answer) -> None:
        task_uuid = _asked_for(task, answer)
        if task_uuid is None:
            return
        job = None if self._hides(task_uuid, request.faults) else self._ledger.find(task_uuid)
        if job is None:
            if request.faults.unknown_answer == "not-found":
                answer.refuse(task, _unknown(task_uuid))
        elif not (job.unlisted and job.state is JobState.PROCESSING):
            answer.show(job)

    def _show_details(self, task: Json, request: Request, answer: Answer) -> None:
        faults = request.faults
        if faults.archive_off:
            answer.refuse(task, self._no_such_type("getTaskDetails"))
            return
        task_uuid = _asked_for(task, answer)
        if task_uuid is None:
            return
        details = None
        if not (faults.archive_forgets and self._is_forgotten(task_uuid, faults)):
            details = self._archive.find(task_uuid, faults)
        if details is None and faults.unknown_details == "not-found":
            answer.refuse(task, _unknown(task_uuid))
        elif details is not None or faults.unknown_details == "blank":
            answer.data.append({**_identity(task), **(details or {"request": [], "response": {}})})

    def _is_forgotten(self, task_uuid: str, faults: Faults) -> bool:
        job = self._ledger.find_kept(task_uuid)
        return self._hides(task_uuid, faults) or (job is not None and job.state is JobState.FORGOTTEN)

    def _hides(self, task_uuid: str, faults: Faults) -> bool:
        return draw(self._seed, "hide", task_uuid) < faults.hide_rate

    def _no_such_type(self, task_type: str) -> TaskError:
        message = f"taskType must be one of {', '.join(self._answers)}, not {task_type!r}"
        return TaskError("invalidTaskType", message, "taskType")

    def _ping(self, task: Json, _: Request, answer: Answer) -> None:
        answer.data.append({**_identity(task), "pong": True})

    def _show_account(self, task: Json, request: Request, answer: Answer) -> None:
        if request.faults.account_off:
            answer.refuse(task, _NO_PERMISSION)
            return
        try:
            answer.data.append({**_identity(task), **self._account.answer(task, request.faults)})
        except RefusedQuestionError as refused:
            answer.refuse(task, refused.error)


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
