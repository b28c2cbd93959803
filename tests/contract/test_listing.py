"""The list of projects, as every store promises it, and what a page costs where there are very many."""

import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.clips.listing import Cursor, State, search_words, state_of, title_matches
from service.clips.models import Clip, ProjectId, ProjectOverview, UserId
from service.clips.titles import title
from service.stores.sqlite import SQLiteStore
from service.workflow.ports import ProjectDraft, Store
from tests.builders import NOON, PROJECT_ID, clip, failed, frames, succeeded
from tests.contract.conftest import Edit
from tests.identities import ALICE, BOB

LATER = NOON + timedelta(seconds=10)
MANY = 100_000


@pytest.fixture
async def project_id(store: Store) -> ProjectId:
    return await store.create_project(ProjectDraft(frames=frames(1, 2, 3), scenes={}), NOON)


@pytest.fixture
async def db(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def record(store: Store, project_id: ProjectId, *clips: Clip) -> list[Clip]:
    return list(await store.record(project_id, clips, NOON))


async def named(store: Store, *scripts: str, user_id: UserId | None = None) -> list[ProjectId]:
    """Store projects with these titles, each a minute older than the one before; newest first."""
    return [
        await store.create_project(
            ProjectDraft(frames={}, scenes={}, script=script, user_id=user_id),
            NOON - timedelta(minutes=minute),
        )
        for minute, script in enumerate(scripts)
    ]


def ids(listed: Sequence[ProjectOverview]) -> list[ProjectId]:
    return [one.project.id for one in listed]


def place(overview: ProjectOverview) -> Cursor:
    return Cursor(overview.project.created_at, overview.project.id)


async def test_pages_follow_each_other_without_gap_or_repeat_also_within_one_moment(store: Store) -> None:
    made = {await store.create_project(ProjectDraft(frames={}, scenes={}), NOON) for _ in range(7)}
    read: list[ProjectId] = []
    after = None
    while page := await store.projects(3, after=after):
        read += ids(page)
        after = place(page[-1])
    assert read == sorted(made, reverse=True)


async def test_page_stays_the_same_while_new_projects_come(store: Store) -> None:
    made = await named(store, "Third", "Second", "First")
    (first,) = await store.projects(1)
    await store.create_project(ProjectDraft(frames={}, scenes={}), LATER)
    assert ids(await store.projects(5, after=place(first))) == made[1:]


async def test_page_goes_on_after_a_project_that_is_not_there_any_more(store: Store) -> None:
    made = await named(store, "Second", "First")
    between = Cursor(NOON - timedelta(seconds=30), ProjectId(str(uuid.uuid4())))
    assert ids(await store.projects(5, after=between)) == made[1:]


TITLES = (
    "The Red Scarf",
    "A scarf, bored",
    "100% _wild_ \\ 'quoted'",
    "ÜBER DEN DÄCHERN",
    "ΟΔΟΣ",
    "İstanbul",
    "Из дома",
    '{"title": "Of two\\n  lines", "scenes": "secret"}',
    "x" * 158 + "  yes beyond",
    "{Not an object} RED",
)


@pytest.mark.parametrize(
    "sought",
    [
        "red",
        "SCARF red",
        "  re \t sc ",
        "scarf scarf",
        "zebra",
        "%",
        "_wild_",
        "\\",
        "'",
        "über dÄch",
        "ΟΔΟΣ",
        "οδος",
        "istanbul",
        "İSTANBUL",
        "из ДОМА",
        "two lines",
        "secret",
        "xy",
        "yes",
        "y",
        "beyond",
        "",
    ],
)
async def test_projects_are_found_by_all_words_of_the_title_that_is_shown(store: Store, sought: str) -> None:
    made = await named(store, *TITLES)
    words = search_words(sought)
    wanted = [
        one for one, script in zip(made, TITLES, strict=True) if title_matches(title(script, {}), words)
    ]
    assert ids(await store.projects(20, words=words)) == wanted
    if wanted:
        assert ids(await store.projects(1, words=words)) == wanted[:1]


async def test_edited_project_is_found_by_its_new_title_alone(
    store: Store, project_id: ProjectId, edit: Edit
) -> None:
    await edit(project_id, {"1": {"description": "A lighthouse."}})
    assert [one.title for one in await store.projects(5, words=["lighthouse"])] == ["A lighthouse."]
    await edit(project_id, {"1": {"description": "A harbour."}})
    assert ids(await store.projects(5, words=["lighthouse"])) == []
    assert [one.title for one in await store.projects(5, words=["harbour"])] == ["A harbour."]


async def states(store: Store) -> dict[ProjectId, set[State]]:
    """Under which states each project is found, and that it is the one that it is shown with."""
    found: dict[ProjectId, set[State]] = {}
    for state in State:
        for listed in await store.projects(50, state=state):
            assert state_of(listed) is state
            found.setdefault(listed.project.id, set()).add(state)
    return found


async def test_project_is_found_by_its_state_as_its_clips_come_and_go(
    store: Store, project_id: ProjectId, edit: Edit
) -> None:
    async def state() -> State:
        (only,) = (await states(store))[project_id]
        return only

    assert await state() is State.IDLE
    one, two = await record(store, project_id, *(clip(n, project_id=project_id) for n in "12"))
    assert await state() is State.GENERATING
    await store.save([succeeded(one)], LATER)
    assert await state() is State.GENERATING
    await store.save([failed(two)], LATER)
    assert await state() is State.FAILED
    (again,) = await record(store, project_id, replace(clip("2", project_id=project_id), attempt=2))
    assert await state() is State.GENERATING
    await store.save([succeeded(again)], LATER)
    assert await state() is State.IDLE, "scene 3 has no clip"
    (third,) = await record(store, project_id, clip("3", project_id=project_id))
    await store.save([succeeded(third)], LATER)
    assert await state() is State.DONE
    await edit(project_id, {"4": {"description": "One more."}})
    assert await state() is State.IDLE
    await edit(project_id, {})
    assert await state() is State.DONE
    await record(store, project_id, clip("1", project_id=project_id, prompt="Another."))
    assert await state() is State.GENERATING


async def test_state_words_owner_and_page_narrow_the_list_together(store: Store) -> None:
    boats = await named(store, *(f"Boat {n}" for n in range(4)), user_id=ALICE)
    others = await named(store, "Boat of Bob", user_id=BOB)
    trains = await named(store, "Train", user_id=ALICE)
    for made in (boats[0], boats[1], boats[3], *others, *trains):
        await record(store, made, clip(project_id=made))
    (first,) = await store.projects(1, ALICE, words=["boat"], state=State.GENERATING)
    assert first.project.id == boats[0]
    rest = await store.projects(9, ALICE, words=["boat"], state=State.GENERATING, after=place(first))
    assert ids(rest) == [boats[1], boats[3]]


# Instructions of SQLite's machine, the same on every computer. A page of 50 takes half as many.
FEW_STEPS = 30_000


def fill_sqlite(db: sqlite3.Connection) -> None:
    """Store many projects with a clip each: done, but failed every 1,000th, and generating every 10,000th."""
    status = "CASE WHEN n % 10000 = 0 THEN 'pending' WHEN n % 1000 = 0 THEN 'failed' ELSE 'succeeded' END"
    shown = (
        "CASE WHEN n % 10000 = 0 THEN 'pending' WHEN n % 1000 = 0 THEN 'failed' ELSE 'https://v.example' END"
    )
    db.executescript(
        f"""
        BEGIN;
        CREATE TABLE numbers AS
            WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {MANY})
            SELECT n, printf('%08d-0000-4000-8000-000000000000', n) AS id,
                {status} AS status, {shown} AS shown
            FROM counted;
        INSERT INTO projects (id, script, scenes, frames, clips, created_at, updated_at, user_id)
            SELECT id, 'Boat ' || n, '{{"1": {{}}}}', '{{}}', json_object(id, shown),
                strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', 1700000000 + n, 'unixepoch'),
                '2026-01-01T00:00:00.000000+00:00', CASE n % 2 WHEN 0 THEN '{ALICE}' ELSE '{BOB}' END
            FROM numbers;
        INSERT INTO clips (
            task_uuid, project_id, scene, fingerprint, attempt, status, request, submitted_at, sends,
            unknown_answers, version, video_url, failure_kind
        )
            SELECT id, id, '1', id, 1, status, '{{}}', '', 1, 0, 0,
                CASE status WHEN 'succeeded' THEN shown END, CASE status WHEN 'failed' THEN 'lost' END
            FROM numbers;
        UPDATE listed_projects
            SET title = (SELECT script FROM projects WHERE id = project_id);
        COMMIT;
        """
    )


async def test_page_of_very_many_projects_costs_sqlite_only_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    async with SQLiteStore(path) as store:
        with closing(sqlite3.connect(path)) as db:
            fill_sqlite(db)
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1000
            return 0

        await store._reader.run(lambda db: db.set_progress_handler(count, 1000))

        async def page(user_id: UserId | None = None, **asked: Any) -> list[ProjectOverview]:
            nonlocal steps
            steps = 0
            return list(await store.projects(50, user_id, **asked))

        middle = Cursor(datetime.fromtimestamp(1700000000 + MANY // 2, UTC), PROJECT_ID)
        for owner in (None, ALICE, BOB):
            for after in (None, middle):
                assert len(await page(owner, after=after)) == 50
                assert steps < FEW_STEPS, (owner, after, steps)
        for state, shown in ((State.FAILED, 50), (State.GENERATING, 10), (State.IDLE, 0)):
            for owner, expected in ((None, shown), (ALICE, shown), (BOB, 0)):
                assert len(await page(owner, state=state)) == expected
                assert steps < FEW_STEPS, (owner, state, steps)
        assert len(await page(words=["boat", "99"])) == 50
        assert steps < FEW_STEPS
        assert await page(words=["train"]) == []
        assert steps < 10 * MANY, "each title once, and nothing else"

        await store._writer.run(lambda db: db.execute(DELETE_MOST))
        for wanted, shown in WITH_DELETED:
            for owner, expected in ((None, shown), (ALICE, shown)):
                assert len(await page(owner, state=wanted)) == expected
                assert steps < FEW_STEPS, (owner, wanted, steps)
        assert await page(BOB, state=State.IDLE) == []
        assert steps < FEW_STEPS


# All but every 1,000th project, so that a list that looks at deleted ones looks at very many.
DELETE_MOST = "UPDATE listed_projects SET deleted_at = created_at WHERE state = 'done'"
WITH_DELETED = ((None, 50), (State.FAILED, 50), (State.GENERATING, 10), (State.DELETED, 50))


async def fill_postgres(db: asyncpg.Connection) -> None:
    """Store as many as in SQLite, all of one owner."""
    status = "case when n % 10000 = 0 then 'pending' when n % 1000 = 0 then 'failed' else 'succeeded' end"
    await db.execute(
        f"""
        set session_replication_role = replica;
        create temporary table numbers as
            select n, gen_random_uuid() as id, {status} as status from generate_series(1, {MANY}) as n;
        insert into projects (id, script, scenes, frames, clips, created_at, user_id)
            select id, 'Boat ' || n, '{{"1": {{}}}}', '{{}}',
                jsonb_build_object(id, case status when 'succeeded' then 'https://v.example' else status end),
                '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second', '{ALICE}'
            from numbers;
        insert into clip_service.clips (
            task_uuid, project_id, scene, fingerprint, attempt, status, request, submitted_at, sends,
            unknown_answers, version, video_url, failure_kind
        )
            select id, id, '1', id, 1, status::clip_service.clip_status, '{{}}', now(), 1, 0, 0,
                case status when 'succeeded' then 'https://v.example' end,
                case status when 'failed' then 'lost' end::clip_service.failure_kind
            from numbers;
        insert into clip_service.listed_projects (project_id, user_id, created_at, state, title)
            select id, user_id, created_at, case status
                when 'succeeded' then 'done' when 'pending' then 'generating' else 'failed'
            end::clip_service.project_state, script
            from projects join numbers using (id);
        set session_replication_role = origin;
        """
    )
    await db.execute("vacuum analyze")


async def rows_read(db: asyncpg.Connection, **asked: object) -> tuple[int, int]:
    """List a page; gives how many projects are on it, and how many rows of all tables were read for it."""
    payload = json.dumps({"limit": 50, "thumbnails": 4, **asked})
    counter = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables"
    async with db.transaction():
        before = await db.fetchval(counter)
        listed = json.loads(await db.fetchval("select clip_service_projects($1)", payload))
        return len(listed), int(await db.fetchval(counter) - before)


async def test_page_of_very_many_projects_costs_postgres_only_what_it_shows(db: asyncpg.Connection) -> None:
    await fill_postgres(db)
    middle = await db.fetchval(
        "select jsonb_build_object('created_at', created_at, 'id', id) from projects "
        f"order by created_at limit 1 offset {MANY // 2}"
    )
    for owner, shown in ((None, 50), (ALICE, 50), (BOB, 0)):
        for after in (None, json.loads(middle)):
            listed, read = await rows_read(db, user_id=owner, after=after)
            assert (listed, read < 1000) == (shown, True), (owner, after, read)
    for state, shown in ((State.FAILED, 50), (State.GENERATING, 10), (State.IDLE, 0)):
        for owner, expected in ((None, shown), (ALICE, shown), (BOB, 0)):
            listed, read = await rows_read(db, user_id=owner, state=state)
            assert (listed, read < 1000) == (expected, True), (owner, state, read)
    listed, read = await rows_read(db, words=["boat", "99"])
    assert (listed, read < 3000) == (50, True), read
    listed, read = await rows_read(db, words=["train"])
    assert (listed, read < MANY + 1000) == (0, True), "each title once, and nothing else"

    await db.execute("update clip_service.listed_projects set deleted_at = created_at where state = 'done'")
    await db.execute("vacuum analyze")
    for wanted, shown in WITH_DELETED:
        for owner, expected in ((None, shown), (ALICE, shown), (BOB, 0)):
            listed, read = await rows_read(db, user_id=owner, state=wanted)
            assert (listed, read < 1000) == (expected, True), (owner, wanted, read)
