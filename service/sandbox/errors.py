"""Errors in Runware's form, for tasks that are refused and for jobs that fail."""

from collections.abc import Mapping
from dataclasses import dataclass

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task was refused or its job failed.

    Codes come from the families that Runware's own client tells apart (`runware/errors.py` of `runware-sdk`):
    `invalid…`, `missing…`, `unsupported…` and `conflict…` are validation, `provider…` and `inferenceError`
    the provider, `…NotFound` an unknown task.
    """

    code: str
    message: str
    parameter: str | None = None

    def as_json(self, task: Mapping[str, object]) -> Json:
        """Return an element of `errors[]`, scoped to the task by whatever it has of a type and an id."""
        error: Json = {"code": self.code, "message": self.message}
        if self.parameter is not None:
            error["parameter"] = self.parameter
        for key in ("taskType", "taskUUID"):
            if isinstance(task.get(key), str):
                error[key] = task[key]
        return error


class JobFailedError(Exception):
    """A job can't be finished; `error` is what its caller is told."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = TaskError(code, message)
