"""Sessions by themselves: whom results go to, and how much is kept."""

from datetime import UTC, datetime
from decimal import Decimal

from service.sandbox.jobs import Job
from service.sandbox.sessions import Session, Sessions


def job(name: str) -> Job:
    return Job(name, "google:3@2", datetime(2026, 1, 1, tzinfo=UTC), 1, False, Decimal(1))


async def told(session: Session, holder: object, count: int) -> list[str]:
    jobs = [await session.next_for(holder) for _ in range(count)]
    return [each.task_uuid for each in jobs if each is not None]


async def test_results_are_owed_in_the_order_of_their_ends() -> None:
    session = Session()
    session.hold("connection")
    for name in "abc":
        session.push(job(name))
    assert await told(session, "connection", 3) == ["a", "b", "c"]


async def test_session_owes_no_more_than_its_most_and_drops_the_oldest() -> None:
    session = Session(max_owed=2)
    session.hold("connection")
    for name in "abc":
        session.push(job(name))
    assert await told(session, "connection", 2) == ["b", "c"]


async def test_result_that_could_not_be_sent_is_owed_first() -> None:
    session = Session(max_owed=2)
    session.hold("connection")
    session.push(job("a"))
    session.push(job("b"))
    taken = await session.next_for("connection")
    assert taken is not None
    session.put_back(taken)
    assert await told(session, "connection", 2) == ["a", "b"]


async def test_result_that_could_not_be_sent_yields_to_newer_ones() -> None:
    session = Session(max_owed=1)
    session.hold("connection")
    session.push(job("a"))
    taken = await session.next_for("connection")
    assert taken is not None
    session.push(job("b"))
    session.put_back(taken)
    assert await told(session, "connection", 1) == ["b"]


async def test_connection_that_lost_its_session_gets_nothing_more() -> None:
    sessions = Sessions()
    session = sessions.open(None, "stale")
    assert sessions.open(session.uuid, "fresh") is session
    session.push(job("a"))
    assert await session.next_for("stale") is None
    assert await told(session, "fresh", 1) == ["a"]


async def test_stale_connection_that_ends_leaves_the_session_to_its_holder() -> None:
    sessions = Sessions(max_idle=0)
    session = sessions.open(None, "stale")
    sessions.open(session.uuid, "fresh")
    sessions.leave(session, "stale")
    assert sessions.open(session.uuid, "fresh") is session


async def test_only_the_newest_idle_sessions_are_kept() -> None:
    sessions = Sessions(max_idle=2)
    opened = [sessions.open(None, number) for number in range(4)]
    for number in (2, 0, 1):
        sessions.leave(opened[number], number)
    kept = [sessions.open(session.uuid, "again") is session for session in opened]
    assert kept == [True, True, False, True]
