import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
from service.clips.models import Clip, Failure, FailureKind, TaskUUID
from service.clips.outcomes import Absent, Failed, Outcome, Throttled, Unclear, Unknown
from service.connections import reason_of
from service.runware.account import Account, after_balance, read_account
from service.runware.answers import Answer, NoJSON, Reply, read_archive, read_status, read_submission
from service.runware.callbacks import CallbackURLs
from service.runware.frames import Frames
from service.runware.results import URLCheck
from service.runware.tasks import Task, account_task, archive_task, status_task, video_task
from service.workflow.turns import Turns

_Question = Callable[[TaskUUID], Task]
_Read = Callable[[Sequence[TaskUUID], Reply, URLCheck], Answer]

_SUBMIT_BACK_OFF_FOR = timedelta(seconds=25)
# A question is asked again by the next tick anyway.
_ASK_BACK_OFF_FOR = timedelta(seconds=5)
_ACCOUNT_WITHIN = timedelta(seconds=5)
# Whose turn it is to ask, where it is about no clips.
_ITS_OWN = "account"
# Far beyond the answer to the largest batch, unless Runware's archive gives back the frames that went along.
_MAX_ANSWER_BYTES = 64 * 2**20
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
# Frames take long to send where the line is slow: here the time of the submission bounds that.
_SUBMISSION_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=30)
_JSON = {"Content-Type": "application/json"}
# Full jitter, so that clients who were refused together don't come back together.
_JITTER = wait_random_exponential(multiplier=0.5, max=8)


class _Busy(Exception):
    """Runware answered that it can't take the request now."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"Runware is busy or down (HTTP {reply.status})")
        self.reply = reply


class _NoAnswer(Exception):
    """The request may or may not have arrived: no answer came back."""


class _TooLong(_NoAnswer):
    """The answer is longer than is read; a smaller question may get a shorter one."""


class RunwareClient:
    """Speaks to Runware's API: many tasks a request, `ask_concurrency` requests of `ask` at a time.

    `ask` has slots of its own, so that a Runware that hangs on them does not keep submissions
    waiting; those who ask get them in turn. How many submissions there are at a time is the caller's affair.
    A submission ends after `submit_within`, whatever it has come to. Backs off on 408, 429 and 5xx with full
    jitter, up to eight seconds, or for longer where `Retry-After` says so.
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
        frames: Frames,
        check: URLCheck,
        ttl_seconds: int | None = None,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept-Encoding": "identity"}
        self._batch_size = batch_size
        self._ask_slots = Turns(ask_concurrency)
        self._submit_within = submit_within
        self._callbacks = callbacks
        self._frames = frames
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

    async def bytes_sent(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, int]:
        """Say of each clip how many bytes its frames add to a request."""
        return await self._frames.bytes_sent(clips)

    async def submit(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, Outcome]:
        """Send one batch of clips' tasks; an outcome for each, `Unclear` where it may or may not be taken.

        A clip that a frame of its own keeps from being sent has failed; the others are sent.
        """
        outcomes: dict[TaskUUID, Outcome] = {
            clip.task_uuid: Unclear("the submission took too long") for clip in clips
        }
        with suppress(TimeoutError):
            async with asyncio.timeout(self._submit_within.total_seconds()):
                await self._send(clips, outcomes)
        return await self._settle_credit(outcomes)

    async def ask(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        """Ask how jobs stand, in batches; an outcome for each, `Unclear` where none came in time."""
        return await self._ask(task_uuids, within, whose, status_task, read_status)

    async def trace(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        """Ask Runware's archive for tasks; `Unknown` for each of which there is no record."""
        return await self._ask(task_uuids, within, whose, archive_task, read_archive)

    async def account(self, within: timedelta) -> Account | str:
        """Ask how the account stands; gives the reason in place of that where there is no answer."""
        reply = await self.exchange([account_task()], within)
        return reply if isinstance(reply, str) else read_account(reply)

    async def exchange(self, tasks: Sequence[Task], within: timedelta) -> Reply | str:
        """Send tasks once, in one request; gives the answer unread, or the reason why there is none."""
        try:
            async with asyncio.timeout(within.total_seconds()), self._ask_slots.slot(_ITS_OWN):
                return await self._post(tasks)
        except (TimeoutError, _NoAnswer) as error:
            return str(error) or "Runware did not answer in time"

    async def _send(self, clips: Sequence[Clip], outcomes: dict[TaskUUID, Outcome]) -> None:
        enclosed = await self._frames.enclosures(clips)
        outcomes |= {task_uuid: Failed(failure) for task_uuid, failure in enclosed.failures.items()}
        tasks = {
            clip.task_uuid: video_task(
                clip, self._callbacks.url(clip.task_uuid), self._ttl_seconds, enclosed.data_uris
            )
            for clip in clips
            if clip.task_uuid not in enclosed.failures
        }

        async def exchange(batch: Sequence[TaskUUID]) -> Answer:
            return await self._submit_batch(batch, tasks)

        if tasks:
            await _carry_through(list(tasks), exchange, outcomes)

    async def _settle_credit(self, outcomes: Mapping[TaskUUID, Outcome]) -> Mapping[TaskUUID, Outcome]:
        """Find out by the balance whether the account is empty, where Runware gave that as its reason."""
        if not any(isinstance(outcome, Throttled) and outcome.no_credit for outcome in outcomes.values()):
            return outcomes
        account = await self.account(_ACCOUNT_WITHIN)
        balance = account.balance if isinstance(account, Account) else None
        return {task: after_balance(outcome, balance) for task, outcome in outcomes.items()}

    async def _ask(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str, task: _Question, read: _Read
    ) -> Mapping[TaskUUID, Outcome]:
        outcomes: dict[TaskUUID, Outcome] = dict.fromkeys(
            task_uuids, Unclear("Runware did not answer in time")
        )
        batches = [task_uuids[i : i + self._batch_size] for i in range(0, len(task_uuids), self._batch_size)]

        async def exchange(batch: Sequence[TaskUUID]) -> Answer:
            return await self._ask_batch(batch, whose, task, read)

        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
                for batch in batches:
                    group.create_task(_carry_through(batch, exchange, outcomes))
        return outcomes

    async def _submit_batch(self, batch: Sequence[TaskUUID], tasks: Mapping[TaskUUID, Task]) -> Answer:
        found: dict[TaskUUID, Outcome] = {}
        waiting, doubtful = batch, False
        try:
            async for attempt in self._back_off(_SUBMIT_BACK_OFF_FOR):
                with attempt:
                    if doubtful:
                        found |= await self._known(waiting)
                        waiting = _without(waiting, found)
                    if not waiting:
                        return Answer(found)
                    batch_tasks = [tasks[task_uuid] for task_uuid in waiting]
                    reply = await self._post(batch_tasks, _SUBMISSION_TIMEOUT)
                    answer = read_submission(waiting, reply, self._check)
                    # Unlike a 429, a 5xx or a time-out may have come after the tasks were taken.
                    doubtful |= reply.busy and reply.status != HTTPStatus.TOO_MANY_REQUESTS
                    if reply.busy:
                        found |= _definite(answer.outcomes)
                        waiting = _without(waiting, found)
                        _raise_if_busy(reply, waiting)
        except _Busy as busy:
            return Answer(found | dict.fromkeys(waiting, _given_up(busy, doubtful=doubtful)))
        except _NoAnswer as error:
            return Answer(found | dict.fromkeys(waiting, Unclear(str(error))))
        if not waiting:
            return Answer(found)
        if doubtful:
            answer = answer.mapped(_in_doubt)
        return replace(answer, outcomes={**found, **answer.outcomes})

    async def _known(self, task_uuids: Sequence[TaskUUID]) -> Mapping[TaskUUID, Outcome]:
        """Ask once for tasks whose submission ended in doubt; leaves out those of which there is no trace.

        Only they may be sent again: what stays unclear here does so.
        """
        found = await self._look(task_uuids, status_task, read_status)
        missing = [task for task in task_uuids if isinstance(found[task], Unknown | Absent)]
        if missing:
            found = {**found, **await self._look(missing, archive_task, read_archive)}
        return {task: outcome for task, outcome in found.items() if not isinstance(outcome, Unknown)}

    async def _look(
        self, task_uuids: Sequence[TaskUUID], task: _Question, read: _Read
    ) -> Mapping[TaskUUID, Outcome]:
        reply = await self._post([task(task_uuid) for task_uuid in task_uuids])
        answer = read(task_uuids, reply, self._check)
        _raise_if_busy(reply, _without(task_uuids, answer.outcomes))
        unanswered = answer.refusal or Unclear("Runware did not answer the question")
        return {task: answer.outcomes.get(task, unanswered) for task in task_uuids}

    async def _ask_batch(self, batch: Sequence[TaskUUID], whose: str, task: _Question, read: _Read) -> Answer:
        found: dict[TaskUUID, Outcome] = {}
        waiting = batch
        try:
            async for attempt in self._back_off(_ASK_BACK_OFF_FOR):
                with attempt:
                    async with self._ask_slots.slot(whose):
                        reply = await self._post([task(task_uuid) for task_uuid in waiting])
                    answer = read(waiting, reply, self._check)
                    if reply.busy:
                        # A job's own end counts, whatever the status that it came under.
                        found |= answer.outcomes
                        waiting = _without(waiting, found)
                        _raise_if_busy(reply, waiting)
        except _TooLong as error:
            return Answer(found, Unclear(str(error)), divisible=True)
        except (_Busy, _NoAnswer) as error:
            return Answer(found | dict.fromkeys(waiting, Unclear(str(error))))
        return replace(answer, outcomes={**found, **answer.outcomes}) if waiting else Answer(found)

    async def _post(self, tasks: Sequence[Task], limits: aiohttp.ClientTimeout = _REQUEST_TIMEOUT) -> Reply:
        if self._session is None:
            raise RuntimeError("RunwareClient is used outside its `async with`.")
        body = await asyncio.to_thread(_body, tasks)
        try:
            async with self._session.post(
                self._url, data=body, headers=_JSON, timeout=limits, allow_redirects=False
            ) as response:
                return Reply(response.status, _json(await _read(response)), _seconds(response.headers))
        except TimeoutError as error:
            raise _NoAnswer("Runware did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _NoAnswer(f"no connection to Runware: {reason_of(error, self._url)}") from error

    def _back_off(self, at_most: timedelta) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(_Busy), stop=stop_before_delay(at_most), wait=_wait, reraise=True
        )


def remaining_batches(batch: Sequence[TaskUUID], answer: Answer) -> list[Sequence[TaskUUID]]:
    """What of a refused batch is worth another request.

    Without the tasks that the refusal names; if it names none, in halves, until the bad task stands alone.
    """
    rest = _without(batch, answer.outcomes)
    if not rest or not answer.divisible:
        return []
    if len(rest) < len(batch):
        return [rest]
    middle = len(rest) // 2
    return [rest[:middle], rest[middle:]] if middle else []


async def _carry_through(
    task_uuids: Sequence[TaskUUID],
    exchange: Callable[[Sequence[TaskUUID]], Awaitable[Answer]],
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
        if answer.refusal is None or smaller:
            continue
        outcomes |= dict.fromkeys(_without(batch, answer.outcomes), answer.refusal)
        if isinstance(answer.refusal, Throttled):
            # There is no room for even one: the others need not try now.
            outcomes |= {task: answer.refusal for rest in batches for task in rest}
            return


def _without(task_uuids: Sequence[TaskUUID], known: Collection[TaskUUID]) -> list[TaskUUID]:
    return [task_uuid for task_uuid in task_uuids if task_uuid not in known]


def _definite(outcomes: Mapping[TaskUUID, Outcome]) -> Mapping[TaskUUID, Outcome]:
    return {
        task: outcome for task, outcome in outcomes.items() if not isinstance(outcome, Unclear | Throttled)
    }


def _in_doubt(outcome: Outcome) -> Outcome:
    """Give what an outcome is worth after an earlier request of the same submission ended in doubt."""
    if isinstance(outcome, Throttled):
        return Unclear(f"{outcome.failure.code}: {outcome.failure.message}")
    return after_unclear_send(outcome)


def _given_up(busy: _Busy, *, doubtful: bool) -> Outcome:
    if doubtful:
        return Unclear(str(busy))
    return Throttled(Failure(FailureKind.REJECTED, f"http{busy.reply.status}", str(busy)))


def _raise_if_busy(reply: Reply, waiting: Sequence[TaskUUID]) -> None:
    if reply.busy and waiting:
        raise _Busy(reply)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_for = error.reply.retry_after_s if isinstance(error, _Busy) else None
    return max(float(_JITTER(state)), asked_for or 0.0)


def _body(tasks: Sequence[Task]) -> io.BytesIO:
    # A file, as aiohttp sends one in pieces.
    return io.BytesIO(json.dumps(tasks).encode())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            raise _TooLong(f"Runware's answer is longer than {_MAX_ANSWER_BYTES >> 20} MiB")
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
