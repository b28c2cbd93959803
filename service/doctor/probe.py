"""Buys one clip, as the service does, and watches what Runware does with it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from service.app import callbacks_for, runware_for, store_for, submitting, utc_now
from service.clips.lifecycle import awaits_room
from service.clips.models import Clip, ProjectId, SettledBy, TaskUUID
from service.clips.outcomes import Failed, Succeeded, VideoRefused
from service.doctor.account import dollars, error_said
from service.doctor.answers import (
    balance_finding,
    no_record_finding,
    record_finding,
    resend_finding,
    unknown_job_finding,
    usd_of,
)
from service.doctor.arrival import Arrival, arriving
from service.doctor.examination import ASK_WITHIN, nobody, past_clips
from service.doctor.findings import Finding, Verdict
from service.doctor.purchase import (
    PROMPT,
    PURCHASE,
    SCENE,
    Offer,
    affordable,
    cheapest,
    clip_of,
    covers_second_bill,
)
from service.doctor.results import (
    Delivery,
    Ending,
    clip_finding,
    cost_finding,
    expiry_finding,
    ledger_webhook_finding,
    link_finding,
    taken_webhook_finding,
)
from service.runware.account import Account
from service.runware.answers import Reply, read_status
from service.runware.client import RunwareClient
from service.runware.results import video_url_check
from service.runware.tasks import Task, archive_task, status_task, video_task
from service.settings import Settings
from service.workflow.ports import Clock, ProjectDraft, Store
from service.workflow.submission import Submitter

# One job may be asked for more often than the poller asks for many.
_LONGEST_LOOK_INTERVAL_S = 2.0
# What follows the clip's end (webhook, ledger, bytes, balance) gets so many polls, a minute at most.
_POLLS_OF_PATIENCE = 3
_MOST_PATIENCE = timedelta(minutes=1)
_CALL_TIMEOUT = aiohttp.ClientTimeout(total=15)
_FIRST_BYTES = 65_536


async def offer_within(settings: Settings, at_most_usd: float) -> Offer | Finding:
    """Find the cheapest clip that may be made here, or why none is bought. Spends nothing."""
    # What clips have cost here with RUNWARE_EXTRA says little of one without it.
    past = [] if settings.runware_extra else await past_clips(settings)
    async with runware_for(settings) as runware:
        account = await runware.account(ASK_WITHIN)
    return affordable(cheapest(settings.catalogue, past), settings.catalogue, at_most_usd, usd_of(account))


async def probe(
    settings: Settings, offer: Offer, at_most_usd: float, *, resend: bool
) -> AsyncIterator[Finding]:
    """Buy what is offered, once, and tell what Runware did; `resend` sends the finished task's id again.

    The clip is in the ledger like any other, of a project of its own. Raises StoreUnavailable.
    """
    async with (
        arriving(settings) as arrival,
        store_for(settings) as store,
        runware_for(settings) as runware,
        submitting(settings, store, runware) as submitter,
    ):
        yield arrival.finding
        if not arrival.usable:
            yield Finding(PURCHASE, Verdict.FAILED, "No clip was bought, since its webhook would be lost.")
            return
        one = _Probe(settings, offer, at_most_usd, arrival, store, runware, submitter, utc_now)
        async for finding in one.findings(resend=resend):
            yield finding


@dataclass(frozen=True, slots=True)
class _Probe:
    settings: Settings
    offer: Offer
    at_most_usd: float
    arrival: Arrival
    store: Store
    runware: RunwareClient
    submitter: Submitter
    clock: Clock

    async def findings(self, *, resend: bool) -> AsyncIterator[Finding]:
        yield unknown_job_finding(await self._ask(status_task(nobody())))
        yield no_record_finding(await self._ask(archive_task(nobody())))
        project_id = await self._new_project()
        elsewhere = await self._other_ledger(project_id)
        if elsewhere is not None:
            yield elsewhere
            return
        balance = await self.runware.account(ASK_WITHIN)
        clip = await self._bought(project_id)
        yield Finding(
            PURCHASE,
            Verdict.OK,
            f"{self.offer.words} ({self.offer.source}): project {project_id}, job {clip.task_uuid}.",
            value=clip.task_uuid,
        )
        running = await self._ask(archive_task(clip.task_uuid))
        clip, ending = await self._watched(clip)
        yield clip_finding(clip, ending, self.settings.video_hosts)
        yield self._webhook(clip, ending)
        yield record_finding(running, await self._ask(archive_task(clip.task_uuid)))
        if isinstance(ending.outcome, Succeeded):
            delivery = next(iter(self._deliveries(clip)), None)
            yield cost_finding(ending, delivery, ending.outcome.cost_usd, self.offer.usd)
            yield await self._link(ending.outcome.video_url)
            yield expiry_finding(ending.outcome.video_url, ending, self.settings.runware_ttl_seconds)
        after = await self._balance_after(balance)
        yield balance_finding(balance, after, clip)
        if resend:
            yield await self._resent(clip, ending, balance, after)

    async def _new_project(self) -> ProjectId:
        scene = {"description": PROMPT, "duration": self.offer.duration_s}
        draft = ProjectDraft(
            frames={}, scenes={SCENE: scene}, script=json.dumps({"title": "A clip of clips doctor"})
        )
        return await self.store.create_project(draft, self.clock())

    async def _other_ledger(self, project_id: ProjectId) -> Finding | None:
        """See that the service at PUBLIC_URL knows the project: else its webhook would be refused there."""
        if self.arrival.deliveries is not None or self.settings.public_url is None:
            return None
        token = self.settings.service_token
        headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
        url = f"{self.settings.public_url.rstrip('/')}/projects/{project_id}"
        try:
            async with (
                aiohttp.ClientSession(timeout=_CALL_TIMEOUT) as session,
                session.get(url, headers=headers, allow_redirects=False) as response,
            ):
                unknown = response.status == HTTPStatus.NOT_FOUND
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        if not unknown:
            return None
        return Finding(
            PURCHASE,
            Verdict.FAILED,
            "The service at PUBLIC_URL has another database than these settings name. Nothing was spent.",
            "Run this with the service's own settings: DATABASE_PATH, or SUPABASE_URL.",
        )

    async def _bought(self, project_id: ProjectId) -> Clip:
        now = self.clock()
        recorded = await self.store.record(project_id, [clip_of(self.offer, project_id, now)], now)
        await self.submitter.submit(recorded)
        return await self._stored(recorded[0])

    async def _watched(self, clip: Clip) -> tuple[Clip, Ending]:
        """Ask for the clip until its end is known on every path, or nothing more is to be expected."""
        ending = Ending(polls=0)
        ended_at: datetime | None = None
        while True:
            clip = await self._stored(clip)
            # After a webhook that was quicker than every question, too: the answer has more to tell.
            if ending.outcome is None and not awaits_room(clip):
                ending = await self._looked(clip.task_uuid, ending)
            now = self.clock()
            if ending.outcome is not None or clip.status.settled:
                ended_at = ended_at or now
                if clip.status.settled and self._has_arrived(clip):
                    return clip, ending
            patience = self._patience if ended_at else self._clip_timeout
            if now - (ended_at or clip.submitted_at) >= patience:
                return clip, ending
            await asyncio.sleep(self._look_interval_s)

    async def _looked(self, task_uuid: TaskUUID, ending: Ending) -> Ending:
        reply = await self._ask(status_task(task_uuid))
        asked = replace(ending, polls=ending.polls + 1)
        if isinstance(reply, str):
            return asked
        answer = read_status([task_uuid], reply, video_url_check(self.settings.video_hosts))
        outcome = answer.outcomes.get(task_uuid)
        if not isinstance(outcome, Succeeded | VideoRefused | Failed):
            return asked
        return replace(asked, outcome=outcome, told_at=self.clock(), reply=reply)

    def _has_arrived(self, clip: Clip) -> bool:
        """Whether no webhook is to be waited for any more."""
        if self.settings.public_url is None or clip.settled_by is SettledBy.SUBMISSION:
            return True
        return self.arrival.deliveries is None or bool(self._deliveries(clip))

    def _webhook(self, clip: Clip, ending: Ending) -> Finding:
        if self.settings.public_url is None:
            found = "None was asked for: PUBLIC_URL is not set."
            return Finding("Webhook", Verdict.UNTOLD, found, value="not asked")
        if clip.settled_by is SettledBy.SUBMISSION:
            return Finding("Webhook", Verdict.UNTOLD, "None was due: the task was refused.", value="not due")
        if self.arrival.deliveries is None:
            return ledger_webhook_finding(clip)
        waited_s = self._patience.total_seconds()
        return taken_webhook_finding(self._deliveries(clip), clip, ending, waited_s)

    async def _link(self, url: str) -> Finding:
        """Fetch the video's beginning as a viewer would, until there is one."""
        host, started = urlsplit(url).hostname or "", self.clock()
        status, size, empty_s = 0, 0, 0.0
        async with aiohttp.ClientSession(timeout=_CALL_TIMEOUT) as session:
            while not size:
                try:
                    async with session.get(url, allow_redirects=False) as response:
                        status, size = response.status, len(await response.content.read(_FIRST_BYTES))
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    reason = type(error).__name__
                    return Finding("Link", Verdict.UNTOLD, f"{host} can't be reached from here ({reason}).")
                waited = self.clock() - started
                if size or status != HTTPStatus.OK or waited >= self._patience:
                    break
                await asyncio.sleep(self._look_interval_s)
                empty_s = (self.clock() - started).total_seconds()
        return link_finding(host, status, empty_s, size)

    async def _resent(
        self, clip: Clip, ending: Ending, at_first: Account | str, before: Account | str
    ) -> Finding:
        """Send the finished task again, just as it was; its second end changes nothing in the ledger.

        What it costs is what the balance has lost in all beyond the first bill, which may show late.
        """
        part = "Resend"
        if not isinstance(ending.outcome, Succeeded):
            return Finding(part, Verdict.UNTOLD, "Not asked: the clip has not succeeded.", value="not asked")
        cost_usd = ending.outcome.cost_usd or self.offer.usd
        if not covers_second_bill(self.offer, self.at_most_usd, cost_usd):
            needed = 2 * max(self.offer.usd, cost_usd)
            return Finding(
                part,
                Verdict.UNTOLD,
                f"Not asked: {dollars(self.at_most_usd)} does not cover a second bill.",
                f"It takes --spend {needed:.2f}.",
                value="not asked",
            )
        callback_url = callbacks_for(self.settings).url(clip.task_uuid)
        reply = await self._ask(video_task(clip, callback_url, self.settings.runware_ttl_seconds))
        if isinstance(reply, str) or error_said(reply) is None:
            await self._ended_again(clip.task_uuid)
        was, now = usd_of(at_first), usd_of(await self._balance_after(before))
        second_bill_usd = None if was is None or now is None else was - now - cost_usd
        return resend_finding(reply, clip.task_uuid, second_bill_usd, cost_usd)

    async def _ended_again(self, task_uuid: TaskUUID) -> None:
        started, ending = self.clock(), Ending(polls=0)
        while ending.outcome is None and self.clock() - started < self._clip_timeout:
            await asyncio.sleep(self._look_interval_s)
            ending = await self._looked(task_uuid, ending)

    async def _balance_after(self, before: Account | str) -> Account | str:
        """Ask for the balance until it is another one; a charge may show late."""
        started = self.clock()
        while True:
            account = await self.runware.account(ASK_WITHIN)
            untold = usd_of(before) is None or usd_of(account) is None
            if untold or usd_of(account) != usd_of(before) or self.clock() - started >= self._patience:
                return account
            await asyncio.sleep(self._look_interval_s)

    async def _ask(self, task: Task) -> Reply | str:
        return await self.runware.exchange([task], ASK_WITHIN)

    async def _stored(self, clip: Clip) -> Clip:
        return next(iter(await self.store.clips([clip.task_uuid])), clip)

    def _deliveries(self, clip: Clip) -> Sequence[Delivery]:
        return (self.arrival.deliveries or {}).get(clip.task_uuid, ())

    @property
    def _look_interval_s(self) -> float:
        return min(self.settings.poll_interval_seconds, _LONGEST_LOOK_INTERVAL_S)

    @property
    def _patience(self) -> timedelta:
        polls = timedelta(seconds=_POLLS_OF_PATIENCE * self.settings.poll_interval_seconds)
        return min(polls, _MOST_PATIENCE)

    @property
    def _clip_timeout(self) -> timedelta:
        return timedelta(seconds=self.settings.clip_timeout_seconds)
