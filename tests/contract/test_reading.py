"""Whatever a user writes into a row of theirs, past the service, it concerns that project alone."""

import json
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.clips.lifecycle import sent
from service.clips.listing import Cursor
from service.clips.models import ClipStatus, ProjectId, TaskUUID
from service.clips.ownership import Operator
from service.clips.readable import MAX_PROJECT_BYTES
from service.errors import ProjectUnreadable, StoreRefused
from service.stores.sqlite import SQLiteStore
from service.stores.supabase import SupabaseStore
from service.workflow.ports import Changes, ProjectDraft, Store
from service.workflow.projects import Projects
from service.workflow.watch import Watcher
from tests.builders import NOON, PLANNER, clip, frames, succeeded
from tests.contract.conftest import Overwrite, Rewrite

LATER = NOON + timedelta(seconds=10)
UNREADABLE = {
    "nested 500 deep": (f'{{"1": {"[" * 500}{"]" * 500}}}', "scenes is nested more than 100 levels"),
    "a number of 20,000 digits": (f'{{"1": {{"duration": {"1" * 20_000}}}}}', "number"),
    "10,001 scenes": (json.dumps({str(n): {} for n in range(10_001)}), "10001 scenes"),
}
LONG_URL = f"https://frames.example/{'a' * 5000}.png"


@pytest.fixture
async def project_id(store: Store) -> ProjectId:
    return await store.create_project(ProjectDraft(frames=frames(1), scenes={"1": {}}, script="Bad"), NOON)


@pytest.fixture
async def neighbour(store: Store) -> ProjectId:
    return await store.create_project(ProjectDraft(frames=frames(1), scenes={}, script="Good"), LATER)


@pytest.fixture
async def db(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def projects_of(store: Store) -> Projects:
    return Projects(store, lambda: LATER, lambda: None, PLANNER)


@pytest.mark.parametrize(("written", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_project_that_can_not_be_read_fails_alone_and_says_why(
    store: Store, project_id: ProjectId, neighbour: ProjectId, overwrite: Overwrite, written: str, why: str
) -> None:
    await overwrite(project_id, "scenes", written)
    projects = projects_of(store)
    with pytest.raises(ProjectUnreadable, match=why):
        await projects.detail(project_id, Operator())
    assert (await projects.detail(neighbour, Operator())).project.unreadable == ""
    listed = (await projects.page(Operator(), 10)).projects
    assert [(one.project.id, one.title) for one in listed] == [(neighbour, "Good"), (project_id, "Bad")]
    await overwrite(project_id, "scenes", "{}")
    assert (await projects.detail(project_id, Operator())).project.scenes == {}


async def test_project_that_can_not_be_read_can_be_deleted(
    store: Store, project_id: ProjectId, overwrite: Overwrite
) -> None:
    await overwrite(project_id, "scenes", UNREADABLE["nested 500 deep"][0])
    await projects_of(store).delete(project_id, Operator())
    assert await store.projects(10) == []


async def test_stream_of_a_project_that_can_not_be_read_any_more_ends_and_those_of_others_go_on(
    store: Store, watcher: Watcher, project_id: ProjectId, neighbour: ProjectId, overwrite: Overwrite
) -> None:
    bad = await watcher.watch(project_id, Operator(), 0)
    async with aclosing(await watcher.watch(neighbour, Operator(), 0)) as good:
        await anext(good)
        await anext(bad)
        await overwrite(project_id, "scenes", UNREADABLE["a number of 20,000 digits"][0])
        await store.record(neighbour, [clip(project_id=neighbour)], NOON)
        assert (await anext(good)).state.clips.keys() == {"1"}
        assert [update async for update in bad] == []
        with pytest.raises(ProjectUnreadable):
            await watcher.watch(project_id, Operator(), 0)
        await overwrite(project_id, "scenes", "{}")
        async with aclosing(await watcher.watch(project_id, Operator(), 0)) as mended:
            assert (await anext(mended)).state.project.scenes == {}


class RefusesOne(SQLiteStore):
    """Refuses whatever is asked about the changes of one project, as Postgres does what is too large."""

    refused: ProjectId | None = None

    async def changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        if self.refused in since:
            raise StoreRefused("The database refused the data (54000).")
        return await super().changes(since)


async def test_changes_of_one_project_that_are_refused_keep_no_other_waiting(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with RefusesOne(tmp_path_factory.mktemp("refusing") / "clips.db") as store:
        ids = [await store.create_project(ProjectDraft(frames=frames(1), scenes={}), NOON) for _ in range(5)]
        watcher = Watcher(store, PLANNER, lambda: NOON)
        streams = [await watcher.watch(one, Operator(), 0) for one in ids]
        for stream in streams:
            await anext(stream)
        store.refused = ids[2]
        for one in ids:
            await store.record(one, [clip(project_id=one)], NOON)
        await watcher._look()
        for stream in streams[:2] + streams[3:]:
            assert (await anext(stream)).state.clips.keys() == {"1"}
            await stream.aclose()
        await streams[2].aclose()


async def test_claim_reads_neither_frames_nor_prompt_and_what_came_of_it_is_stored(
    store: Store, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    (claimed,) = await store.claim("poller", NOON, LATER, 10)
    bare = replace(one.request, first_frame="", last_frame="", prompt="")
    assert claimed == replace(one, request=bare)
    await store.save([sent(claimed, LATER)], LATER)
    ((after),) = await store.clips([one.task_uuid])
    assert after.request == one.request


async def test_frames_with_urls_that_are_too_long_are_no_thumbnails(
    store: Store, project_id: ProjectId, rewrite: Rewrite
) -> None:
    pair = frames(1)["1"]
    await rewrite(
        project_id, "frames", {"1": {**pair, "first_frame": LONG_URL}, "2": {**pair, "last_frame": None}}
    )
    ((listed),) = await store.projects(10)
    assert listed.thumbnails == [pair["last_frame"], pair["first_frame"]]
    assert listed.scenes == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("infinity", datetime(9998, 12, 31, tzinfo=UTC)),
        ("-infinity", datetime(1970, 1, 1, tzinfo=UTC)),
        ("20000-01-01 00:00+00", datetime(9998, 12, 31, tzinfo=UTC)),
        ("0044-03-15 00:00+00 BC", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
async def test_times_that_no_calendar_has_are_read_as_the_nearest_that_it_has(
    supabase_store: SupabaseStore, db: asyncpg.Connection, written: str, read: datetime
) -> None:
    owner = uuid.uuid4()
    for title in ("One", "Two"):
        await db.execute(
            "insert into projects (user_id, script, created_at, updated_at) "
            "values ($1, $2, $3::text::timestamptz, $3::text::timestamptz)",
            owner,
            title,
            written,
        )
    (first,) = await supabase_store.projects(1)
    after = Cursor(first.project.created_at, first.project.id)
    (second,) = await supabase_store.projects(10, after=after)
    assert {first.title, second.title} == {"One", "Two"}
    for listed in (first, second):
        project = await supabase_store.project(listed.project.id)
        assert project is not None
        assert project.created_at == project.updated_at == listed.project.created_at == read


async def test_scenes_nested_2000_deep_are_read_as_a_project_that_can_not_be_shown(
    supabase_store: SupabaseStore, db: asyncpg.Connection
) -> None:
    written = f'{{"1": {"[" * 2000}{"]" * 2000}}}'
    project_id = await db.fetchval("insert into projects (scenes) values ($1) returning id", written)
    project = await supabase_store.project(ProjectId(str(project_id)))
    assert project is not None
    assert "nested" in project.unreadable


HUGE = {
    "script": "repeat('A word. ', 600000)",
    "scenes": "jsonb_build_object('1', jsonb_build_object('description', repeat('a', 4800000)))",
    "frames": "(select jsonb_object_agg(n, repeat('no frame ', 3)) from generate_series(1, 90000) as n)",
    "clips": "(select jsonb_object_agg(gen_random_uuid(), 'pending') from generate_series(1, 60000) as n)",
    "input_image_url": "repeat('a', 4800000)",
}


async def test_list_is_bounded_in_bytes_whatever_its_projects_hold(
    supabase_store: SupabaseStore, db: asyncpg.Connection
) -> None:
    for column, value in HUGE.items():
        await db.execute(f"insert into projects ({column}) values ({value})")
    payload = json.dumps({"limit": 10, "thumbnails": 6})
    assert await db.fetchval("select octet_length(clip_service_projects($1)::text)", payload) < 10_000
    assert len(await supabase_store.projects(10)) == len(HUGE)


async def test_project_of_too_many_bytes_says_so_and_is_not_sent(
    supabase_store: SupabaseStore, db: asyncpg.Connection
) -> None:
    project_id = await db.fetchval(
        f"insert into projects (script, scenes) values ({HUGE['script']}, {HUGE['scenes']}) returning id"
    )
    payload = json.dumps({"id": str(project_id), "max_bytes": MAX_PROJECT_BYTES})
    assert await db.fetchval("select octet_length(clip_service_project_texts($1)::text)", payload) < 1000
    project = await supabase_store.project(ProjectId(str(project_id)))
    assert project is not None
    assert "bytes, and 8,388,608 are the most" in project.unreadable


async def test_numbers_that_no_text_has_room_for_are_not_written_out(
    supabase_store: SupabaseStore, db: asyncpg.Connection
) -> None:
    project_id = await db.fetchval(
        "insert into projects (scenes) select jsonb_build_object('1', jsonb_agg(1e131000::numeric)) "
        "from generate_series(1, 9000) returning id"
    )
    project = await supabase_store.project(ProjectId(str(project_id)))
    assert project is not None
    assert "numbers beyond 1e300" in project.unreadable


async def test_clips_with_frames_of_megabytes_keep_nobody_elses_from_being_claimed(
    supabase_store: SupabaseStore, db: asyncpg.Connection
) -> None:
    """As a release recorded them that did not bound them."""
    store = supabase_store
    bad, good = [
        await store.create_project(ProjectDraft(frames=frames(1), scenes={}), NOON) for _ in range(2)
    ]
    (one,) = await store.record(bad, [clip(project_id=bad)], NOON)
    (other,) = await store.record(good, [clip(project_id=good, status=ClipStatus.PENDING)], LATER)
    await db.execute(
        "update clip_service.clips set request = jsonb_set(request, '{first_frame}', "
        "to_jsonb('https://frames.example/' || repeat('a', 3900000))) where task_uuid = $1",
        one.task_uuid,
    )
    own = (
        "jsonb_build_object('task_uuid', 'copy ' || n, 'fingerprint', n, 'scene', n, 'request', '{}'::jsonb)"
    )
    await db.execute(
        f"insert into clip_service.clips select (jsonb_populate_record(clips, {own})).* "
        "from clip_service.clips, generate_series(1, 75) as n where task_uuid = $1",
        one.task_uuid,
    )
    await db.execute(
        "update clip_service.clips set request = bad.request from clip_service.clips as bad "
        "where bad.task_uuid = $1 and clips.task_uuid like 'copy %'",
        one.task_uuid,
    )
    claimed = await store.claim("poller", LATER, LATER + timedelta(seconds=8), 100)
    assert len(claimed) == 77
    assert other.task_uuid in {each.task_uuid for each in claimed}
    copies = [TaskUUID(f"copy {n}") for n in range(1, 76)]
    assert {each.request.first_frame for each in await store.clips(copies)} == {""}
    assert len((await store.changes({bad: 0, good: 0}))[bad].clips) == 75
    # The release before asks without `brief`.
    payload = json.dumps({"owner": "old", "now": "2030-01-01", "leased_until": "2030-01-01", "limit": 100})
    assert await db.fetchval("select jsonb_array_length(clip_service_claim($1))", payload) == 77


async def test_clip_of_which_an_index_has_no_room_is_refused_as_data_that_is_at_fault(
    supabase_store: SupabaseStore,
) -> None:
    store = supabase_store
    project_id = await store.create_project(ProjectDraft(frames={}, scenes={}), NOON)
    with pytest.raises(StoreRefused):
        await store.record(project_id, [clip(secrets.token_hex(3000), project_id=project_id)], NOON)
    assert await store.current_clips(project_id) == []


async def test_ends_of_clips_are_stored_as_they_were_claimed(store: Store, project_id: ProjectId) -> None:
    await store.record(project_id, [clip(project_id=project_id)], NOON)
    (claimed,) = await store.claim("poller", NOON, LATER, 10)
    assert await store.save([succeeded(claimed)], LATER) == {claimed.task_uuid}
    (current,) = await store.current_clips(project_id)
    assert current.request.prompt == "A boat leaves."
