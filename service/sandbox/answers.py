"""What a request's tasks came to, and where a failed job stands in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from service.sandbox.errors import (
    INSUFFICIENT_CREDITS,
    INSUFFICIENT_PERMISSIONS,
    TASK_NOT_FOUND,
    Json,
    TaskError,
)
from service.sandbox.faults import JobFaults
from service.sandbox.jobs import Job
from service.sandbox.tasks import VideoTask
from service.sandbox.unknowns import Unknowns

_STATUSES: Mapping[object, HTTPStatus] = {
    TASK_NOT_FOUND: HTTPStatus.NOT_FOUND,
    INSUFFICIENT_CREDITS: HTTPStatus.PAYMENT_REQUIRED,
    INSUFFICIENT_PERMISSIONS: HTTPStatus.FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted task with its job."""

    task: VideoTask
    faults: JobFaults
    job: Job


@dataclass(slots=True)
class Answer:
    """What a request's tasks came to. `failures` are the failed jobs that belong in `errors`."""

    unknowns: Unknowns
    data: list[Json] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    failures: list[Json] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)

    def refuse(self, task: Mapping[str, object], *errors: TaskError) -> None:
        """Add errors, scoped to their task."""
        self.errors.extend(error.as_json(task) for error in errors)

    def show(self, job: Job) -> None:
        """Add what a poll says of a job."""
        told = tell(job, self.unknowns)
        self.data.extend(told.data)
        self.failures.extend(told.errors)

    @property
    def status(self) -> HTTPStatus:
        """200 if one task succeeded; a failed job makes it 400 where `failure_place` says so."""
        if self.failures and self.unknowns.failure_place == "errors-400":
            return HTTPStatus.BAD_REQUEST
        if self.data or self.failures or not self.errors:
            return HTTPStatus.OK
        codes = {error["code"] for error in self.errors}
        return (
            _STATUSES.get(codes.pop(), HTTPStatus.BAD_REQUEST) if len(codes) == 1 else HTTPStatus.BAD_REQUEST
        )

    def as_json(self) -> Json:
        """Leave `errors` out when it is empty: Runware's own client takes the mere key for a failure."""
        hides = self.status is HTTPStatus.BAD_REQUEST and self.unknowns.poll_with_failed == "hides"
        if self.failures and hides:
            return {"data": [], "errors": self.failures}
        errors = [*self.errors, *self.failures]
        if not errors:
            return {"data": self.data}
        return {"data": self.data, "errors": errors} if self.data or self.failures else {"errors": errors}


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of one job: its element of `data`, or else its element of `errors`."""

    data: list[Json]
    errors: list[Json]


def tell(job: Job, unknowns: Unknowns) -> Told:
    """Return what `getResponse` says of a job, a failure where `failure_place` puts it."""
    if job.error is None:
        return Told([job.as_result()], [])
    error = job.error.as_failure(unknowns.reason_place)
    if unknowns.failure_place == "data":
        return Told([{**job.as_result(), "error": error}], [])
    if unknowns.failure_place == "data-flat":
        return Told([{**job.as_result(), **error}], [])
    return Told([], [{**error, **job.as_result()}])
