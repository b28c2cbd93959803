"""The reception: what a request goes through before and after the desk, whichever way it came."""

import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.sandbox.answers import Accepted, Answer
from service.sandbox.desk import Desk
from service.sandbox.errors import INVALID_API_KEY, RATE_LIMIT_EXCEEDED, Json, TaskError
from service.sandbox.faults import RequestChances, RequestFaults
from service.sandbox.intake import NO_CREDITS, Request, is_video_task
from service.sandbox.jobs import Job, Ledger
from service.sandbox.options import Faults, SandboxOptions
from service.sandbox.runner import JobRunner, Run
from service.sandbox.usage import Clock

AUTHENTICATION = "authentication"


class RefusedRequestError(Exception):
    """A whole request is refused, over HTTP with this status."""

    def __init__(self, status: int, error: TaskError) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class Reply:
    """A request's answer as far as the desk could give it, and the runs of the tasks that it accepted."""

    answer: Answer
    runs: Sequence[tuple[Accepted, Run]]

    async def complete(self) -> Answer:
        """Wait for early webhooks and synchronous jobs, then say of each accepted task what is to be said."""
        for accepted, run in self.runs:
            if accepted.faults.early_webhook:
                await run.announced.wait()
            if accepted.task.sync:
                await run.settled.wait()
                self.answer.show(accepted.job)
            else:
                self.answer.data.append(accepted.job.as_acknowledgement())
        return self.answer


class Reception:
    """Takes the requests of every transport. The faults that `PUT /faults` replaces live here."""

    def __init__(self, options: SandboxOptions, ledger: Ledger, runner: JobRunner, clock: Clock) -> None:
        self._options = options
        self._ledger = ledger
        self._runner = runner
        self._desk = Desk(ledger, options, clock)
        self._chances = RequestChances(options.seed)
        self.faults = options.faults()

    def replace_faults(self, body: bytes) -> Faults:
        """Replace all faults by those of a JSON object, and return them. Raises ValidationError."""
        self.faults = self._options.replaced_faults(body)
        return self.faults

    def draw_faults(self, body: bytes) -> RequestFaults:
        """Return what strikes the request that has just come with this body."""
        return self._chances.decide(self.faults, body)

    @property
    def needs_key(self) -> bool:
        """Whether callers must show a key."""
        return bool(self._options.api_key)

    def admit(self, key: object) -> None:
        """Let a caller in who has the key. Raises RefusedRequestError."""
        if not self.needs_key:
            return
        if not key:
            message = "Send 'Authorization: Bearer KEY' or an authentication task first"
            raise RefusedRequestError(401, TaskError("missingApiKey", message, "apiKey"))
        expected = self._options.api_key.encode()
        if not hmac.compare_digest(str(key).encode(errors="surrogateescape"), expected):
            message = "This API key is not the sandbox's"
            raise RefusedRequestError(401, TaskError(INVALID_API_KEY, message, "apiKey"))

    async def answer(self, tasks: list[object], on_end: Callable[[Job], None] | None = None) -> Reply:
        """Answer tasks that came with a good key, and start a job for each accepted one.

        `on_end` is called with each of these jobs when it has ended. Raises RefusedRequestError.
        """
        bad_frames = await self._judge_frames(tasks)
        self._require_room(sum(map(is_video_task, tasks)))
        answer = self._desk.answer(Request(tasks, self.faults, bad_frames))
        return Reply(
            answer,
            [(accepted, self._runner.start(accepted, self.faults, on_end)) for accepted in answer.accepted],
        )

    async def _judge_frames(self, tasks: list[object]) -> dict[str, TaskError]:
        """Return the frames that are refused at submission, with the reason."""
        if self.faults.frame_check != "submission":
            return {}
        return await self._runner.judge_frames(self._desk.frame_urls(Request(tasks, self.faults)))

    def _require_room(self, new_jobs: int) -> None:
        if not self._ledger.has_room(new_jobs):
            message = "The queue is full; send the tasks again later"
            raise RefusedRequestError(429, TaskError(RATE_LIMIT_EXCEEDED, message))
        most = self.faults.throttle_402_above
        if most and new_jobs and self._ledger.running + new_jobs > most:
            raise RefusedRequestError(402, NO_CREDITS)


def read_tasks(body: bytes) -> list[object]:
    """Read a request's tasks, one at least. Raises RefusedRequestError."""
    try:
        tasks = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise RefusedRequestError(400, TaskError("invalidJSON", "The body is not JSON")) from failure
    if not isinstance(tasks, list) or not tasks:
        message = "The body must be a JSON array of one or more tasks"
        raise RefusedRequestError(400, TaskError("invalidRequest", message))
    return tasks


def split_greeting(tasks: list[object]) -> tuple[Json | None, list[object]]:
    """Return the authentication task that comes first, if one does, and the other tasks."""
    first = tasks[0]
    if isinstance(first, dict) and first.get("taskType") == AUTHENTICATION:
        return first, tasks[1:]
    return None, tasks


def welcome(session_uuid: str) -> Json:
    """Return the element of `data` that answers an authentication task."""
    return {"taskType": AUTHENTICATION, "connectionSessionUUID": session_uuid}


def has_video_task(tasks: list[object]) -> bool:
    """Whether one of the elements asks for a video."""
    return any(map(is_video_task, tasks))
