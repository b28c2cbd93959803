"""Webhooks: their three envelopes, their retries, and what goes wrong on their way."""

import asyncio
import json
import logging
from urllib.parse import urlsplit

import aiohttp

from service.sandbox.answers import Accepted, Told, tell
from service.sandbox.errors import Json
from service.sandbox.faults import draw
from service.sandbox.jobs import Job, JobState
from service.sandbox.options import SandboxOptions
from service.sandbox.unknowns import Unknowns

logger = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 8.0
_HOLD_SECONDS = 3.0
_SENT_AT_ONCE = 64
_TAKEN = range(200, 300)


def retry_wait(tries: int, chance: float) -> float:
    """Return the seconds to wait after so many failed tries.

    250 ms, doubling, at most 8 s, of which `chance` (0 to 1) shaves off up to a quarter as jitter.
    """
    return min(_FIRST_WAIT_SECONDS * 2.0 ** (tries - 1), _LONGEST_WAIT_SECONDS) * (1 - 0.25 * chance)


def webhook_body(envelope: str, told: Told) -> Json | list[Json]:
    """Put what is said of a job into the envelope `flat`, `data` or `list`.

    A flat success has no `status`. A failure that belongs in `errors` has that key in the first two.
    """
    elements = [*told.data, *told.errors]
    if envelope == "list":
        return elements
    if told.errors:
        return {"errors": told.errors}
    if envelope == "data":
        return {"data": told.data}
    (result,) = told.data
    succeeded = result["status"] == JobState.SUCCESS
    return {name: value for name, value in result.items() if not (succeeded and name == "status")}


class WebhookSender:
    """Sends each finished job's webhook. The session is its owner's to close."""

    def __init__(self, session: aiohttp.ClientSession, options: SandboxOptions) -> None:
        self._session = session
        self._options = options
        self._turns = asyncio.Semaphore(_SENT_AT_ONCE)
        self._next_sent = asyncio.Event()

    async def send(self, accepted: Accepted, unknowns: Unknowns, tried: asyncio.Event) -> None:
        """Send a job's webhook, if it asked for one, until it is answered by 2xx or the tries are used up.

        Sets `tried` after the first try, and notes tries and deliveries in the job.
        """
        job, faults, callback_url = accepted.job, accepted.faults, accepted.task.callback_url
        if callback_url is None or (job.error is not None and unknowns.failure_webhook == "none"):
            return
        if faults.drop_webhook:
            logger.info("webhook of %s dropped on request", job.task_uuid)
            return
        await asyncio.sleep(faults.delay_webhook_seconds)
        if faults.reorder_webhook:
            await self._let_another_go_first()
        body = json.dumps(webhook_body(unknowns.webhook_envelope, tell(job, unknowns))).encode()
        for _ in range(2 if faults.double_webhook else 1):
            await self._send_until_taken(job, callback_url, body, tried)

    async def _send_until_taken(self, job: Job, callback_url: str, body: bytes, tried: asyncio.Event) -> None:
        for tries in range(1, self._options.webhook_tries + 1):
            job.webhook_tries += 1
            taken = await self._post(callback_url, body)
            job.webhook_deliveries += taken
            tried.set()
            self._release_held()
            if taken:
                return
            await asyncio.sleep(retry_wait(tries, draw(self._options.seed, f"jitter {tries}", job.task_uuid)))
        logger.warning("webhook of %s given up after %d tries", job.task_uuid, self._options.webhook_tries)

    async def _post(self, callback_url: str, body: bytes) -> bool:
        """Whether the webhook was answered by 2xx in time."""
        timeout = aiohttp.ClientTimeout(total=self._options.webhook_timeout_seconds)
        headers = {"Content-Type": "application/json"}
        address = _loggable(callback_url)
        async with self._turns:
            try:
                async with self._session.post(
                    callback_url, data=body, headers=headers, timeout=timeout, allow_redirects=False
                ) as response:
                    logger.debug("webhook to %s answered by %d", address, response.status)
                    return response.status in _TAKEN
            except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
                logger.debug("webhook to %s failed: %s", address, type(failure).__name__)
                return False

    async def _let_another_go_first(self) -> None:
        try:
            await asyncio.wait_for(self._next_sent.wait(), _HOLD_SECONDS)
        except TimeoutError:
            logger.debug("no other webhook came within %g s", _HOLD_SECONDS)

    def _release_held(self) -> None:
        self._next_sent.set()
        self._next_sent = asyncio.Event()


def _loggable(callback_url: str) -> str:
    """Return the URL without its query, which holds a token, and without a user's password."""
    parts = urlsplit(callback_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
