import asyncio
import errno

import pytest
from structlog.testing import capture_logs

from service.descriptors import Room, Seldom, room_within, tell_exhaustion_seldom


@pytest.mark.parametrize(
    ("limit", "room"),
    [
        (160, Room(connections=80, burst=10)),
        (1024, Room(connections=512, burst=64)),
        (1_048_576, Room(connections=1_048_064, burst=64)),
        (1, Room(connections=1, burst=1)),
    ],
)
def test_connections_leave_descriptors_for_the_rest(limit: int, room: Room) -> None:
    assert room_within(limit) == room


def test_line_that_comes_in_thousands_is_told_once_a_minute_with_their_number() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert [seldom.due() for _ in range(1000)] == [1] + [0] * 999
    now[0] = 60.0
    assert seldom.due() == 1000


async def test_running_out_of_descriptors_is_one_line_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    tell_exhaustion_seldom(loop)
    with capture_logs() as lines:
        for _ in range(1000):
            loop.call_exception_handler(
                {"message": "accept", "exception": OSError(errno.EMFILE, "Too many open files")}
            )
    assert [(line["event"], line["error"]) for line in lines] == [
        ("no descriptor is left: new connections wait", "Too many open files")
    ]
    assert caplog.records == []
    loop.call_exception_handler({"message": "a defect", "exception": ValueError("x")})
    assert [record.getMessage().partition("\n")[0] for record in caplog.records] == ["a defect"]
