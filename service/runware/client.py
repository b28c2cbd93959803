import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
import pydantic_core
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from service.clips.lifecycle import after_unclear_send
from service.clips.models import Clip, Failure, TaskUUID
from service.clips.outcomes import Failed, Outcome, Unclear, Unknown
from service.runware.answers import Answer, NoJSON, Reply, read_status, read_submission
from service.runware.callbacks import CallbackURLs
from service.runware.results import URLCheck
from service.runware.tasks import Task, status_task, video_task

_SUBMIT_BACK_OFF_FOR = timedelta(seconds=25)
# A question is asked again by the next tick anyway.
_ASK_BACK_OFF_FOR = timedelta(seconds=5)
# Far beyond the answer to the largest batch.
_MAX_ANSWER_BYTES = 16 * 2**20
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
# Full jitter, so that clients who were refused together don't come back together.
_JITTER = wait_random_exponential(multiplier=0.5, max=8)


class _Busy(Exception):
    """Runware answered that it can't take the request now."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"Runware is busy or down (HTTP {reply.status})")
        self.reply = reply


class _NoAnswer(Exception):
    """The request may or may not have arrived: no answer came back."""


class RunwareClient:
    """Speaks to Runware's API: many tasks a request, `ask_concurrency` requests of `ask` at a time.

    `ask` has slots of its own, so that a Runware that hangs on them does not keep submissions
    waiting; how many submissions there are at a time is the caller's affair. A submission ends after
    `submit_within`, whatever it has come to. Backs off on 408, 429 and 5xx with full jitter, up to eight
    seconds, or for longer where `Retry-After` says so.
    """

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        batch_size: int,
        ask_concurrency: int,
        submit_within: timedelta,
        callbacks: CallbackURLs,
        check: URLCheck,
        ttl_seconds: int | None = None,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept-Encoding": "identity"}
        self._batch_size = batch_size
        self._ask_slots = asyncio.Semaphore(ask_concurrency)
        self._submit_within = submit_within
        self._callbacks = callbacks
        self._check = check
        self._ttl_seconds = ttl_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=_REQUEST_TIMEOUT,
            headers=self._headers,
            # A small compressed answer can be a huge one.
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def submit(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, Outcome]:
        """Send one batch of clips' tasks; an outcome for each, `Unclear` where it may or may not be taken."""
        tasks = {
            clip.task_uuid: video_task(clip, self._callbacks.url(clip.task_uuid), self._ttl_seconds)
            for clip in clips
        }
        outcomes: dict[TaskUUID, Outcome] = dict.fromkeys(tasks, Unclear("the submission took too long"))

        async def exchange(batch: Sequence[TaskUUID]) -> Answer:
            return await self._submit_batch(batch, tasks)

        with suppress(TimeoutError):
            async with asyncio.timeout(self._submit_within.total_seconds()):
                await _carry_through(list(tasks), exchange, Failed, outcomes)
        return outcomes

    async def ask(self, task_uuids: Sequence[TaskUUID], within: timedelta) -> Mapping[TaskUUID, Outcome]:
        """Ask how jobs stand, in batches; an outcome for each, `Unclear` where none came in time."""
        outcomes: dict[TaskUUID, Outcome] = dict.fromkeys(
            task_uuids, Unclear("Runware did not answer in time")
        )
        batches = [task_uuids[i : i + self._batch_size] for i in range(0, len(task_uuids), self._batch_size)]
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
                for batch in batches:
                    group.create_task(_carry_through(batch, self._ask_batch, _unanswered, outcomes))
        return outcomes

    async def _submit_batch(self, batch: Sequence[TaskUUID], tasks: Mapping[TaskUUID, Task]) -> Answer:
        found: dict[TaskUUID, Outcome] = {}
        waiting = list(batch)
        doubtful = False
        try:
            async for attempt in self._back_off(_SUBMIT_BACK_OFF_FOR):
                with attempt:
                    if doubtful:
                        found |= await self._known(waiting)
                        waiting = [task_uuid for task_uuid in waiting if task_uuid not in found]
                    if not waiting:
                        return Answer(found)
                    reply = await self._post([tasks[task_uuid] for task_uuid in waiting])
                    # Unlike a 429, a 5xx or a time-out may have come after the tasks were taken.
                    doubtful |= reply.busy and reply.status != HTTPStatus.TOO_MANY_REQUESTS
                    _raise_if_busy(reply)
        except (_Busy, _NoAnswer) as error:
            return Answer(found | dict.fromkeys(waiting, Unclear(str(error))))
        answer = read_submission(waiting, reply, self._check)
        if doubtful:
            answer = answer.mapped(after_unclear_send)
        return replace(answer, outcomes={**found, **answer.outcomes})

    async def _known(self, task_uuids: Sequence[TaskUUID]) -> Mapping[TaskUUID, Outcome]:
        """Ask once for tasks whose submission ended in doubt; leaves out those that Runware does not know.

        Only they may be sent again: what stays unclear here does so.
        """
        reply = await self._post([status_task(task_uuid) for task_uuid in task_uuids])
        _raise_if_busy(reply)
        answer = read_status(task_uuids, reply, self._check)
        if answer.refusal is not None:
            raise _NoAnswer(f"the question was refused ({answer.refusal.code})")
        return {
            task: outcome for task, outcome in answer.outcomes.items() if not isinstance(outcome, Unknown)
        }

    async def _ask_batch(self, batch: Sequence[TaskUUID]) -> Answer:
        try:
            async for attempt in self._back_off(_ASK_BACK_OFF_FOR):
                with attempt:
                    async with self._ask_slots:
                        reply = await self._post([status_task(task_uuid) for task_uuid in batch])
                    _raise_if_busy(reply)
        except (_Busy, _NoAnswer) as error:
            return Answer(dict.fromkeys(batch, Unclear(str(error))))
        return read_status(batch, reply, self._check)

    async def _post(self, tasks: Sequence[Task]) -> Reply:
        if self._session is None:
            raise RuntimeError("RunwareClient is used outside its `async with`.")
        try:
            async with self._session.post(self._url, json=tasks, allow_redirects=False) as response:
                return Reply(response.status, _json(await _read(response)), _seconds(response.headers))
        except TimeoutError as error:
            raise _NoAnswer("Runware did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _NoAnswer(f"no connection to Runware, or it broke off ({type(error).__name__})") from error

    def _back_off(self, at_most: timedelta) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(_Busy), stop=stop_before_delay(at_most), wait=_wait, reraise=True
        )


def remaining_batches(batch: Sequence[TaskUUID], answer: Answer) -> list[Sequence[TaskUUID]]:
    """What of a refused batch is worth another request.

    Without the tasks that the refusal names; if it names none, in halves, until the bad task stands alone.
    """
    rest = [task_uuid for task_uuid in batch if task_uuid not in answer.outcomes]
    if not rest or not answer.divisible:
        return []
    if len(rest) < len(batch):
        return [rest]
    middle = len(rest) // 2
    return [rest[:middle], rest[middle:]] if middle else []


async def _carry_through(
    task_uuids: Sequence[TaskUUID],
    exchange: Callable[[Sequence[TaskUUID]], Awaitable[Answer]],
    refused: Callable[[Failure], Outcome],
    outcomes: dict[TaskUUID, Outcome],
) -> None:
    """Fill in `outcomes` as they come, so that what came is kept if the rest is broken off."""
    batches = [task_uuids]
    while batches:
        batch = batches.pop()
        answer = await exchange(batch)
        outcomes |= answer.outcomes
        smaller = remaining_batches(batch, answer)
        batches += smaller
        if answer.refusal is not None and not smaller:
            rest = [task_uuid for task_uuid in batch if task_uuid not in answer.outcomes]
            outcomes |= dict.fromkeys(rest, refused(answer.refusal))


def _unanswered(refusal: Failure) -> Outcome:
    return Unclear(f"{refusal.code}: {refusal.message}")


def _raise_if_busy(reply: Reply) -> None:
    if reply.busy:
        raise _Busy(reply)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_for = error.reply.retry_after_s if isinstance(error, _Busy) else None
    return max(float(_JITTER(state)), asked_for or 0.0)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            raise _NoAnswer(f"Runware's answer is longer than {_MAX_ANSWER_BYTES >> 20} MiB")
    return bytes(body)


def _json(body: bytes) -> object:
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        return NoJSON()


def _seconds(headers: Mapping[str, str]) -> float | None:
    # The header's other form, a date, is for pages that are down for hours; back-off serves there as well.
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None
