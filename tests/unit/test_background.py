"""What the log says of tasks that no call waits for."""

import asyncio
from collections.abc import Coroutine

import pytest
from structlog.testing import capture_logs

from service.errors import StoreUnavailable
from service.workflow.background import Background


async def ends_with(error: Exception) -> None:
    raise error


async def lines_of(work: Coroutine[None, None, None]) -> list[dict[str, object]]:
    background = Background()
    with capture_logs() as logs:
        background.start(work, "send again")
        await background.drain(10)
        await asyncio.sleep(0)
    return [dict(line) for line in logs]


async def test_task_that_the_store_broke_off_is_told_in_a_sentence_without_a_stack() -> None:
    (line,) = await lines_of(ends_with(StoreUnavailable("The database is away.")))
    assert line == {
        "event": "background task broken off",
        "log_level": "error",
        "task": "send again",
        "error": "The database is away.",
    }


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyError("another")])
async def test_defect_in_a_task_is_told_with_its_stack(error: Exception) -> None:
    (line,) = await lines_of(ends_with(error))
    assert (line["event"], line["exc_info"]) == ("background task failed", error)
