"""What the poller's schedule does when the machine's clock is set."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from service.scheduling import scheduled
from tests.builders import MovableClock

INTERVAL = timedelta(milliseconds=50)
PATIENCE_S = 30


async def test_ticks_go_on_after_the_clock_was_set_back_by_hours() -> None:
    clock, ticked = MovableClock(), asyncio.Event()
    # As the scheduler sees it, the real clock is two hours behind the one by which it began.
    clock.advance(hours=2)

    async def tick() -> None:
        ticked.set()

    async def finish() -> None:
        pass

    async with scheduled(tick, INTERVAL, clock, finish):
        await asyncio.sleep(2 * INTERVAL.total_seconds())
        assert not ticked.is_set()
        clock.advance(hours=-2)
        await asyncio.wait_for(ticked.wait(), PATIENCE_S)


async def test_at_the_end_the_tick_under_way_is_waited_for_and_none_begins() -> None:
    begun, allowed, finished, ended = asyncio.Event(), asyncio.Event(), asyncio.Event(), 0

    async def tick() -> None:
        nonlocal ended
        begun.set()
        await allowed.wait()
        ended += 1
        finished.set()

    async def finish() -> None:
        allowed.set()
        await finished.wait()

    async with scheduled(tick, INTERVAL, MovableClock(), finish):
        await asyncio.wait_for(begun.wait(), PATIENCE_S)
    await asyncio.sleep(3 * INTERVAL.total_seconds())
    assert ended == 1


async def test_tick_that_goes_on_for_too_long_at_the_end_is_broken_off_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, broken_off = asyncio.Event(), asyncio.Event()

    async def tick() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    async def finish() -> None:
        pass

    with capture_logs() as logs:
        async with scheduled(tick, INTERVAL, MovableClock(), finish):
            await asyncio.wait_for(begun.wait(), PATIENCE_S)
        await asyncio.wait_for(broken_off.wait(), PATIENCE_S)
        # What follows the cancellation runs before this does.
        await asyncio.sleep(0)
    assert [line["event"] for line in logs] == ["poll broken off: the service is stopping"]
    assert [record for record in caplog.records if record.exc_info] == []
