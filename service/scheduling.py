"""The poller's schedule, kept by APScheduler."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from service.workflow.ports import Clock

log = structlog.get_logger(__name__)

_JITTER_SHARE_OF_INTERVAL = 0.1


@asynccontextmanager
async def scheduled(
    tick: Callable[[], Awaitable[None]],
    interval: timedelta,
    clock: Clock,
    finish: Callable[[], Awaitable[None]],
) -> AsyncIterator[None]:
    """Have `tick` run at every interval, never twice at once.

    At the end no more ticks begin, and `finish` is awaited, which waits for the one under way; one that goes
    on after that is broken off.
    """

    async def run() -> None:
        # Only the end of the schedule cancels a tick, and APScheduler would log that as an exception.
        try:
            await tick()
        except asyncio.CancelledError:
            log.warning("poll broken off: the service is stopping")

    scheduler = AsyncIOScheduler(timezone=UTC)
    job = scheduler.add_job(
        run,
        "interval",
        name="poll",
        seconds=interval.total_seconds(),
        # So that several copies that were started together do not ask together.
        jitter=interval.total_seconds() * _JITTER_SHARE_OF_INTERVAL,
        # At once, since a start may be a restart, with clips that have waited long enough.
        next_run_time=clock(),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    minding = asyncio.create_task(_mind_the_clock(job, interval, clock), name="clock")
    try:
        yield
    finally:
        minding.cancel()
        with suppress(asyncio.CancelledError):
            await minding
        scheduler.pause()
        await finish()
        scheduler.shutdown(wait=False)


async def _mind_the_clock(job: Job, interval: timedelta, clock: Clock) -> None:
    """Run the job on time although the clock was set back: APScheduler would wait until it has caught up."""
    while True:
        await asyncio.sleep(interval.total_seconds())
        now = clock()
        if _too_late(job.next_run_time, now, interval):
            log.warning("the clock was set back: the poller goes on by the new time")
            job.modify(next_run_time=now)


def _too_late(next_run: datetime, now: datetime, interval: timedelta) -> bool:
    return next_run > now + 2 * interval
