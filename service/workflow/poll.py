import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from service.clips.lifecycle import Policy, at_deadline, may_send_again
from service.clips.models import Clip, SettledBy
from service.clips.outcomes import Unclear, Unknown, VideoRefused
from service.errors import StoreUnavailable
from service.workflow.background import Background
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Event, Settler
from service.workflow.submission import Submitter

log = structlog.get_logger(__name__)

# Bounds what one round holds in memory; a tick goes on with the next thousand until none is left.
_CLAIM_LIMIT = 1000
# A lease ends before the next tick, so that each clip is asked for once an interval, by whichever copy
# of the service comes first, and a copy that died gives its clips back by the clock alone.
_LEASE_SHARE_OF_INTERVAL = 0.9
# A tick may back off for as long as the provider's client does; a minute without one is no longer that.
_STALLED_AFTER = timedelta(minutes=1)


class Poller:
    """The safety net: finds out by itself what no webhook told, and carries submissions to their end."""

    def __init__(
        self,
        store: Store,
        provider: Provider,
        settler: Settler,
        submitter: Submitter,
        background: Background,
        clock: Clock,
        policy: Policy,
        interval: timedelta,
    ) -> None:
        self._store = store
        self._provider = provider
        self._settler = settler
        self._submitter = submitter
        self._background = background
        self._clock = clock
        self._policy = policy
        self._interval = interval
        self._owner = uuid.uuid4().hex
        self._last_tick: datetime | None = None
        self._ticking = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether ticks keep coming."""
        return (
            self._last_tick is not None and self._clock() - self._last_tick < self._interval + _STALLED_AFTER
        )

    async def tick(self) -> None:
        """Ask for every unsettled clip that is free, and store what came of it."""
        async with self._ticking:
            try:
                clips = await self._claim()
                while clips:
                    await self._look_at(clips)
                    clips = await self._claim() if len(clips) == _CLAIM_LIMIT else []
            except StoreUnavailable as error:
                log.error("poll skipped: the store is unavailable", error=str(error))
            finally:
                self._last_tick = self._clock()

    async def finish_tick(self, timeout_s: float) -> None:
        """Wait until no tick is under way, `timeout_s` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._ticking:
                return

    async def _claim(self) -> Sequence[Clip]:
        now = self._clock()
        return await self._store.claim(
            self._owner, now, now + self._interval * _LEASE_SHARE_OF_INTERVAL, _CLAIM_LIMIT
        )

    async def _look_at(self, clips: Sequence[Clip]) -> None:
        outcomes = await self._provider.ask([clip.task_uuid for clip in clips])
        now = self._clock()
        events: list[Event] = []
        send_again: list[Clip] = []
        unclear: list[str] = []
        for clip in clips:
            outcome = outcomes[clip.task_uuid]
            if isinstance(outcome, Unclear):
                unclear.append(outcome.reason)
            elif isinstance(outcome, VideoRefused):
                log.error(
                    "video URL refused", job=clip.task_uuid, host=outcome.host, remedy="add it to VIDEO_HOSTS"
                )
            if isinstance(outcome, Unknown) and may_send_again(clip, now, self._policy):
                send_again.append(clip)
                continue
            events.append(
                Event(clip.task_uuid, at_deadline(clip, outcome, now, self._policy), SettledBy.POLL)
            )
        if unclear:
            log.warning("poll without an answer for some clips", clips=len(unclear), reason=unclear[0])
        await self._settler.settle(events)
        if send_again:
            log.warning(
                "tasks unknown to Runware are sent again", jobs=[clip.task_uuid for clip in send_again]
            )
            # Beside the tick: a submission's back-off must not keep the other clips waiting.
            self._background.start(self._submitter.submit(send_again), "send again")
