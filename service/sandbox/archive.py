"""The archive that `getTaskDetails` reads: tasks as they were sent, each with its last response."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from service.sandbox.answers import tell
from service.sandbox.errors import Json
from service.sandbox.jobs import Job, JobState
from service.sandbox.unknowns import Unknowns

_LONGEST_STRING = 4096  # a prompt has at most 3000 characters; what is longer is a frame's data URI
_KEPT_OF_LONGER = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    """A task as it was sent last, as JSON; a refusal is the last response until its job goes on."""

    request: bytes
    job: Job | None
    refusal: Sequence[Json] = ()
    refused_at: JobState | None = None

    def response(self, unknowns: Unknowns) -> Json:
        if self.refusal and (self.job is None or self.job.state is self.refused_at):
            return {"errors": list(self.refusal)}
        if self.job is None:
            return {}
        if self.job.state in {JobState.PROCESSING, JobState.FORGOTTEN}:
            return {"data": [self.job.as_acknowledgement()]}
        told = tell(self.job, unknowns)
        return {"errors": told.errors} if told.errors else {"data": told.data}


class Archive:
    """Keeps at most `max_tasks` tasks, those sent last; accepted and refused ones alike."""

    def __init__(self, max_tasks: int) -> None:
        self._max_tasks = max_tasks
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def accept(self, task: Mapping[str, object], job: Job) -> None:
        """Keep a task that has become a job."""
        self._keep(job.task_uuid, _Entry(_as_json(task), job))

    def refuse(self, task_uuid: str, task: Mapping[str, object], errors: Sequence[Json]) -> None:
        """Keep a task that was refused; a job that an earlier send has started stays its own."""
        earlier = self._entries.get(task_uuid)
        job = earlier.job if earlier is not None else None
        self._keep(
            task_uuid, _Entry(_as_json(task), job, tuple(errors), job.state if job is not None else None)
        )

    def find(self, task_uuid: str, unknowns: Unknowns) -> Json | None:
        """Return `request` and `response` of a task, None if the archive doesn't have it."""
        entry = self._entries.get(task_uuid)
        if entry is None:
            return None
        return {"request": [json.loads(entry.request)], "response": entry.response(unknowns)}

    def _keep(self, task_uuid: str, entry: _Entry) -> None:
        self._entries[task_uuid] = entry
        self._entries.move_to_end(task_uuid)
        if len(self._entries) > self._max_tasks:
            self._entries.popitem(last=False)


def _as_json(task: Mapping[str, object]) -> bytes:
    return json.dumps(_shortened(task), separators=(",", ":")).encode()


def _shortened(value: object) -> object:
    """Return the value with its long strings cut."""
    if isinstance(value, str) and len(value) > _LONGEST_STRING:
        return f"{value[:_KEPT_OF_LONGER]}…"
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in cast("Json", value).items()}
    return value
