import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog

from service.clips.fairness import in_turn
from service.clips.lifecycle import (
    Policy,
    Refusal,
    at_deadline,
    awaits_room,
    may_send_again,
    transition,
)
from service.clips.models import Clip, SettledBy
from service.clips.outcomes import (
    Absent,
    Acknowledged,
    Outcome,
    Succeeded,
    Unclear,
    Unknown,
    VideoRefused,
)
from service.errors import StoreUnavailable
from service.workflow.background import Background
from service.workflow.inquiry import Inquiry
from service.workflow.ports import Clock, Store
from service.workflow.settlement import Event, Settler
from service.workflow.submission import Submitter

log = structlog.get_logger(__name__)

# Bounds what one round holds in memory; a tick goes on with the next thousand until none is left.
_CLAIM_LIMIT = 1000
# A lease ends before the next tick, however the jitter moves that, so that each clip is asked for once an
# interval, by whichever copy of the service comes first, and a copy that died gives its clips back by the
# clock alone.
_LEASE_SHARE_OF_INTERVAL = 0.8
# For each of a round's two questions, so that the poller is seen to live however Runware hangs.
_ASK_WITHIN = timedelta(seconds=25)
# Whose questions they are: a person who has one project checked need not wait for all of these.
_ITS_OWN = "poller"
_STALLED_AFTER = timedelta(minutes=1)
# Ticks in a row: one or two are the store's restart.
_FAILING_FROM = 3


class PollerHealth(StrEnum):
    """How the poller does."""

    ALIVE = "alive"
    """Ticks keep coming, and come to their end or at least onwards."""
    FAILING = "failing"
    """Ticks keep coming, and the store lets none of them through."""
    STALLED = "stalled"
    """No tick has come onwards for a minute more than the interval."""


class PollMeter(Protocol):
    """Counts what the poller does. No method raises, or waits."""

    def tick_completed(self, at: datetime) -> None:
        """Count a tick that went through."""

    def tick_skipped(self) -> None:
        """Count a tick that the store, being unavailable, did not let through."""

    def clips_asked(self, answered: int, unanswered: int) -> None:
        """Count the clips that Runware was asked for, by whether it gave an answer."""

    def clips_sent_again(self, clips: int) -> None:
        """Count the clips whose tasks were lost on their way, and are sent again."""


@dataclass(slots=True)
class Poller:
    """The safety net: finds out by itself what no webhook told, and carries submissions to their end."""

    store: Store
    inquiry: Inquiry
    settler: Settler
    submitter: Submitter
    background: Background
    clock: Clock
    policy: Policy
    interval: timedelta
    meter: PollMeter
    monotonic: Callable[[], float] = time.monotonic
    _owner: str = field(default_factory=lambda: uuid.uuid4().hex, init=False)
    _worked_at: float | None = field(default=None, init=False)
    _failed_ticks: int = field(default=0, init=False)
    _ticking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    @property
    def health(self) -> PollerHealth:
        """How the poller does, by the monotonic clock: setting the machine's time changes nothing."""
        if self._worked_at is None:
            return PollerHealth.STALLED
        silent = timedelta(seconds=self.monotonic() - self._worked_at)
        if silent >= self.interval + _STALLED_AFTER:
            return PollerHealth.STALLED
        return PollerHealth.FAILING if self._failed_ticks >= _FAILING_FROM else PollerHealth.ALIVE

    async def tick(self) -> None:
        """Ask for every unsettled clip that is free, and store what came of it."""
        async with self._ticking:
            try:
                # One start for the whole tick: its own leases end after that, so that however long the tick
                # takes it claims no clip twice.
                started = self.clock()
                # The first tick counts from its start: a Runware that hangs must not look like a dead poller.
                self._worked_at = self._worked_at or self.monotonic()
                more = True
                while more:
                    clips = await self._claim(started)
                    await self._look_at(in_turn(clips))
                    self._worked_at = self.monotonic()
                    more = len(clips) == _CLAIM_LIMIT
                self._failed_ticks = 0
                self.meter.tick_completed(self.clock())
            except StoreUnavailable as error:
                log.error("poll skipped: the store is unavailable", error=str(error))
                self.meter.tick_skipped()
                self._failed_ticks += 1
                self._worked_at = self.monotonic()

    async def finish_tick(self, timeout_s: float) -> None:
        """Wait until no tick is under way, `timeout_s` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._ticking:
                return

    async def _claim(self, started: datetime) -> Sequence[Clip]:
        leased_until = started + self.interval * _LEASE_SHARE_OF_INTERVAL
        return await self.store.claim(self._owner, started, leased_until, _CLAIM_LIMIT)

    async def _look_at(self, clips: Sequence[Clip]) -> None:
        now = self.clock()
        # Runware is asked for a task without room, too, before that is sent again: a proxy may have repeated
        # the request, and handed on the refusal of the second copy.
        asked = [clip for clip in clips if not awaits_room(clip) or may_send_again(clip, now, self.policy)]
        outcomes = await self.inquiry.look(asked, _ASK_WITHIN, _ITS_OWN)
        now = self.clock()
        events: list[Event] = []
        send_again: list[Clip] = []
        for clip in clips:
            outcome = outcomes.get(clip.task_uuid, Absent())
            if self._is_to_be_sent(clip, outcome, now):
                send_again.append(clip)
                continue
            outcome = at_deadline(clip, outcome, now, self.policy)
            # What changes nothing in the clip as claimed is not stored; the next tick catches a race.
            if not isinstance(transition(clip, outcome, SettledBy.POLL, now, self.policy), Refusal):
                events.append(Event(clip.task_uuid, outcome, SettledBy.POLL))
        self._tell(list(outcomes.values()))
        await self.settler.settle(events)
        if send_again:
            log.warning(
                "tasks that Runware did not take are sent again", jobs=[clip.task_uuid for clip in send_again]
            )
            self.meter.clips_sent_again(len(send_again))
            # Beside the tick: a submission's back-off must not keep the other clips waiting.
            self.background.start(self._send_again(send_again), "send again")

    async def _send_again(self, claimed: Sequence[Clip]) -> None:
        """Send the clips as they were claimed, with their frames and prompts; others have changed since."""
        versions = {clip.task_uuid: clip.version for clip in claimed}
        whole = await self.store.clips(list(versions))
        await self.submitter.submit([clip for clip in whole if clip.version == versions[clip.task_uuid]])

    def _is_to_be_sent(self, clip: Clip, outcome: Outcome, now: datetime) -> bool:
        # The archive may show the very refusal after which the clip awaits room: no end counts then.
        was_taken = isinstance(outcome, Acknowledged | Succeeded | VideoRefused)
        not_taken = isinstance(outcome, Unknown) or (awaits_room(clip) and not was_taken)
        return not_taken and may_send_again(clip, now, self.policy)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        unclear = [outcome.reason for outcome in outcomes if isinstance(outcome, Unclear)]
        refused = [outcome.reason for outcome in outcomes if isinstance(outcome, VideoRefused)]
        self.meter.clips_asked(len(outcomes) - len(unclear), len(unclear))
        if unclear:
            log.warning("poll without an answer for some clips", clips=len(unclear), reason=unclear[0])
        if refused:
            log.error("video URLs refused", clips=len(refused), reason=refused[0])
