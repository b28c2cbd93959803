"""Errors in Runware's form, for tasks that are refused and for jobs that fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from service.sandbox.unknowns import ReasonPlace

Json = dict[str, object]

TASK_NOT_FOUND = "taskNotFound"
INSUFFICIENT_CREDITS = "insufficientCredits"
INSUFFICIENT_PERMISSIONS = "insufficientPermissions"
INVALID_API_KEY = "invalidApiKey"
RATE_LIMIT_EXCEEDED = "rateLimitExceeded"
_STATUS_CODES: Mapping[int, str] = {
    401: INVALID_API_KEY,
    402: INSUFFICIENT_CREDITS,
    403: "forbidden",
    404: TASK_NOT_FOUND,
    429: RATE_LIMIT_EXCEEDED,
    500: "internalServerError",
    504: "timeoutProvider",
}


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task was refused or its job failed.

    Codes come from the families that Runware's own client tells apart (`runware/errors.py` of `runware-sdk`):
    `invalid…`, `missing…`, `unsupported…` and `conflict…` are validation, `provider…` and `inferenceError`
    the provider, `…NotFound` an unknown task. `reason` is what the model's provider says of it.
    """

    code: str
    message: str
    parameter: str | None = None
    reason: str | None = None

    def as_json(self, task: Mapping[str, object]) -> Json:
        """Return an element of `errors[]`, scoped to the task by whatever it has of a type and an id."""
        error: Json = {"code": self.code, "message": self.message}
        if self.parameter is not None:
            error["parameter"] = self.parameter
        for key in ("taskType", "taskUUID"):
            if isinstance(task.get(key), str):
                error[key] = task[key]
        return error

    def as_failure(self, reason_place: ReasonPlace) -> Json:
        """Return what is said of a failed job, without the job itself."""
        error: Json = {"code": self.code, "message": self.message}
        if self.parameter is not None:
            error["parameter"] = self.parameter
        if self.reason is not None and reason_place == "flat":
            error["responseContent"] = self.reason
        elif self.reason is not None:
            error["additionalDetails"] = {"errorCode": self.code, "responseContent": self.reason}
        return error


class JobFailedError(Exception):
    """A job can't be finished; `error` is what its caller is told."""

    def __init__(self, code: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.error = TaskError(code, message, parameter)


def status_error(status: int) -> TaskError:
    """Return the error that an HTTP status alone amounts to."""
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Error"
    return TaskError(_STATUS_CODES.get(status, "unknownError"), phrase)
