"""What the migrations promise beyond the behaviour that every store has."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from service.clips.lifecycle import Policy, sent
from service.clips.listing import State, state_of
from service.clips.models import Clip, ClipStatus, FailureKind, ProjectId, SettledBy, UserId
from service.clips.outcomes import Acknowledged, Succeeded
from service.errors import StoreRefused, StoreUnavailable
from service.metrics import Metrics
from service.runware.models import video_model
from service.stores.supabase import SupabaseStore
from service.stores.supabase_schema import MIGRATIONS
from service.workflow.background import Background
from service.workflow.inquiry import Inquiry
from service.workflow.past import Past
from service.workflow.poll import Poller
from service.workflow.ports import ProjectDraft
from service.workflow.settlement import Effect, Event, Settler
from service.workflow.submission import Submitter
from service.workflow.turns import Turns
from tests.builders import NOON, VIDEO_URL, FixedClock, clip, failed, succeeded
from tests.doubles import ScriptedProvider
from tests.postgres import BARE, Postgres, running_postgres
from tests.postgrest import Supabase, serving_supabase

LATER = NOON + timedelta(seconds=10)
OPERATIONS = sorted(set(re.findall(r"public\.(clip_service_\w+)\(", "".join(m.sql for m in MIGRATIONS))))
(LISTING,) = (migration.sql for migration in MIGRATIONS if migration.name.endswith("_listing.sql"))
SOMEBODY = str(uuid.uuid4())


# Supabase runs 15 and 17; the wheel has their neighbours.
@pytest.fixture(scope="module", params=[16, 18], ids=lambda version: f"postgres {version}")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    with running_postgres(request.param) as server:
        yield server


@pytest.fixture
async def db(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def store(supabase: Supabase) -> AsyncIterator[SupabaseStore]:
    async with SupabaseStore(supabase.url, supabase.service_role_key) as opened:
        yield opened


@pytest.fixture
async def project_id(store: SupabaseStore) -> ProjectId:
    return await store.create_project(ProjectDraft(frames={}, scenes={}), NOON)


async def projection(db: asyncpg.Connection, project_id: str) -> Any:
    return json.loads(await db.fetchval("select clips from projects where id = $1", uuid.UUID(project_id)))


async def apply_migrations(db: asyncpg.Connection) -> None:
    for migration in MIGRATIONS:
        await db.execute(migration.sql)


class ClosedOnce(httpx.AsyncBaseTransport):
    """The first request meets a connection that the other side has just closed."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self._closed:
            self._closed = True
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


class AnswerLostOnce(httpx.AsyncBaseTransport):
    """The first request is carried out, and its answer is lost."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._lost = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        if not self._lost:
            self._lost = True
            await answer.aread()
            raise httpx.ReadError("Connection reset by peer.")
        return answer

    async def aclose(self) -> None:
        await self._transport.aclose()


OLD_FORMS = {
    "the oldest, without clips": "",
    "with clips": ", clips jsonb default '{}'",
    "with clips and owner": ", clips jsonb not null default '{}', user_id uuid not null",
}


@pytest.mark.parametrize("more", OLD_FORMS.values(), ids=OLD_FORMS.keys())
async def test_migrations_complete_an_existing_table_and_keep_its_data(postgres: Postgres, more: str) -> None:
    with postgres.database(template=BARE) as dsn:
        db = await asyncpg.connect(dsn)
        await db.execute(
            "create table projects (id uuid primary key default gen_random_uuid(), script text, "
            "scenes jsonb, frames jsonb, video_url text, input_image_url text, audio_recording_url text, "
            f"created_at timestamptz default now(), updated_at timestamptz default now(){more})"
        )
        columns = {"script": "'Once'", "frames": """'{"1": {}}'"""}
        if "clips" in more:
            columns["clips"] = """'{"an-old-task": "https://im.runware.ai/old.mp4"}'"""
        if "user_id" in more:
            columns["user_id"] = f"'{SOMEBODY}'"
        await db.execute(
            f"insert into projects ({', '.join(columns)}) values ({', '.join(columns.values())})"
        )
        (before,) = await db.fetch("select * from projects")
        for _ in range(2):
            await apply_migrations(db)
        (after,) = await db.fetch("select * from projects")
        assert {name: after[name] for name in before.keys()} == dict(before)  # noqa: SIM118 - a Record's values
        assert not await db.fetchval(
            "select relrowsecurity from pg_class where oid = 'projects'::regclass"
        ), "whoever made the table decides who may read it"
        await db.close()
        async with serving_supabase(dsn) as supabase, open_store(supabase) as store:
            project = await store.project(ProjectId(str(before["id"])))
            assert project is not None
            (recorded,) = await store.record(project.id, [clip(project_id=project.id)], NOON)
            assert await store.save([succeeded(recorded)], NOON) == {recorded.task_uuid}


async def test_new_database_gets_a_table_that_its_owners_alone_read(db: asyncpg.Connection) -> None:
    own, other = uuid.uuid4(), uuid.uuid4()
    await db.execute("insert into projects (user_id) values ($1), ($2), (null)", own, other)
    async with db.transaction():
        await db.execute("set local role authenticated")
        await db.execute(
            "select set_config('request.jwt.claims', $1, true)",
            json.dumps({"sub": str(own), "role": "authenticated"}),
        )
        assert [row["user_id"] for row in await db.fetch("select user_id from projects")] == [own]
        await db.execute("insert into projects (script) values ('Mine.')")
        assert await db.fetchval("select count(*) from projects") == 2
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_role(db, "anon", "select * from projects")


async def test_database_without_migrations_is_told_what_it_lacks(postgres: Postgres) -> None:
    with postgres.database(template=BARE) as dsn:
        async with serving_supabase(dsn) as supabase, open_store(supabase) as store:
            assert await store.missing_migrations() == [migration.name for migration in MIGRATIONS]
            with pytest.raises(StoreUnavailable, match="clips migrate --check"):
                await store.claim("somebody", NOON, LATER, 10)


async def test_missing_migration_is_named_and_one_of_a_later_release_does_not_matter(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    await db.execute("insert into clip_service.migrations (version) values ('99990101000001')")
    assert await store.missing_migrations() == []
    await db.execute("delete from clip_service.migrations where version = $1", MIGRATIONS[1].version)
    assert await store.missing_migrations() == [MIGRATIONS[1].name]


async def test_names_of_files_are_the_versions_that_they_enter() -> None:
    for migration in MIGRATIONS:
        assert f"values ('{migration.version}')" in migration.sql


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_nobody_but_the_service_may_call_an_operation(supabase: Supabase, operation: str) -> None:
    body: dict[str, object] = {} if operation == "clip_service_migrations" else {"payload": {}}
    async with httpx.AsyncClient() as http:
        for token, status in ((supabase.anon_key, 401), (supabase.user_token(SOMEBODY), 403)):
            answer = await http.post(
                f"{supabase.url}/rest/v1/rpc/{operation}",
                headers={"apikey": supabase.anon_key, "Authorization": f"Bearer {token}"},
                json=body,
            )
            assert (answer.status_code, answer.json()["code"]) == (status, "42501")


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "table", ["clips", "clip_places", "project_leases", "migrations", "choices", "listed_projects"]
)
async def test_nobody_but_the_service_may_read_the_ledger(
    db: asyncpg.Connection, role: str, table: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_role(db, role, f"select * from clip_service.{table}")


async def test_ledger_is_closed_to_whoever_gets_a_grant_by_mistake(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    await store.record(project_id, [clip(project_id=project_id)], NOON)
    await db.execute("grant usage on schema clip_service to authenticated")
    await db.execute("grant all on all tables in schema clip_service to authenticated")
    assert await as_role(db, "authenticated", "select * from clip_service.clips") == []


async def test_service_can_not_take_a_clip_out_of_the_ledger(db: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_role(db, "service_role", "delete from clip_service.clips")


async def test_every_function_has_its_search_path_pinned(db: asyncpg.Connection) -> None:
    functions = await db.fetch(
        "select proname, proconfig from pg_proc where pronamespace = 'clip_service'::regnamespace "
        "or proname like 'clip\\_service\\_%'"
    )
    assert {row["proname"] for row in functions} > set(OPERATIONS)
    assert all('search_path=""' in (row["proconfig"] or []) for row in functions)


@pytest.mark.parametrize(
    ("members", "name"),
    [
        (list(ClipStatus), "clip_status"),
        (list(FailureKind), "failure_kind"),
        (list(SettledBy), "settled_by"),
        # Deleted is a mark of its own, beside how the clips stand.
        ([state for state in State if state is not State.DELETED], "project_state"),
    ],
)
async def test_values_in_python_and_in_the_database_are_the_same(
    db: asyncpg.Connection, members: Sequence[StrEnum], name: str
) -> None:
    values = await db.fetchval(f"select enum_range(null::clip_service.{name})::text[]")
    assert values == [member.value for member in members]


async def test_older_release_gets_the_newest_projects_as_ever(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    made = [
        await store.create_project(ProjectDraft(frames={}, scenes={}), NOON + timedelta(minutes=n))
        for n in range(3)
    ]
    payload = json.dumps({"limit": 2, "user_id": None, "thumbnails": 4})
    listed = json.loads(await db.fetchval("select clip_service_projects($1)", payload))
    assert [one["id"] for one in listed] == [made[2], made[1]]


async def test_projects_of_before_the_list_are_in_it_and_so_are_their_earlier_clips(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    earlier = {
        State.DONE: {"a": VIDEO_URL, "b": VIDEO_URL},
        State.GENERATING: {"a": "pending", "b": "failed"},
        State.FAILED: {"a": "failed", "b": VIDEO_URL},
        State.IDLE: {"a": 7, "b": {"c": "pending"}},
    }
    await db.execute("alter table projects alter column created_at drop not null")
    await db.execute("set session_replication_role = replica")
    for state, clips in earlier.items():
        await db.execute(
            "insert into projects (script, scenes, clips, created_at) values ($1, $2, $3, null)",
            json.dumps({"title": f"A {state.title()} one"}),
            json.dumps({"1": {}, "2": {}, "3": {}, "\u0663": {}}),
            json.dumps(clips),
        )
    assert await store.projects(10) == []
    await db.execute("set session_replication_role = origin")
    await db.execute(LISTING)
    for state in earlier:
        (listed,) = await store.projects(10, state=state, words=[state.value])
        assert state_of(listed) is state
    await db.execute("update projects set clips = '{}'")
    assert len(await store.projects(10, state=State.IDLE)) == 4


async def test_list_follows_what_the_web_application_writes(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    await db.execute("insert into projects (user_id, script) values ($1, 'Old')", uuid.UUID(SOMEBODY))
    (listed,) = await store.projects(10, UserId(SOMEBODY), words=["old"])
    other = str(uuid.uuid4())
    await db.execute(
        "update projects set script = 'New', user_id = $1, created_at = $2", uuid.UUID(other), NOON
    )
    assert await store.projects(10, UserId(SOMEBODY)) == await store.projects(10, words=["old"]) == []
    (listed,) = await store.projects(10, UserId(other), words=["new"])
    assert (listed.title, listed.project.created_at) == ("New", NOON)
    await db.execute("delete from projects")
    assert await store.projects(10) == []


async def test_realtime_tells_of_projects(db: asyncpg.Connection) -> None:
    published = await db.fetch(
        "select schemaname || '.' || tablename from pg_publication_tables where pubname = 'supabase_realtime'"
    )
    assert [row[0] for row in published] == ["public.projects"]


async def test_projection_follows_a_change_by_hand(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    one, two = await store.record(project_id, [clip(n, project_id=project_id) for n in "12"], NOON)
    await db.execute(
        "update clip_service.clips set status = 'failed', failure_kind = 'lost' where task_uuid = $1",
        one.task_uuid,
    )
    assert await projection(db, project_id) == {one.task_uuid: "failed", two.task_uuid: "pending"}
    await db.execute("delete from clip_service.clips where task_uuid = $1", one.task_uuid)
    assert await projection(db, project_id) == {two.task_uuid: "pending"}


async def test_change_of_thousands_of_clips_ends_long_before_a_statement_must(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    """Also on a connection that has changed a single clip before, and kept the plan for that."""
    await store.record(project_id, [clip("0", project_id=project_id)], NOON)
    await db.execute("update clip_service.clips set sends = 1")
    own = "jsonb_build_object('task_uuid', n, 'fingerprint', n, 'scene', n)"
    await db.execute(
        f"insert into clip_service.clips select (jsonb_populate_record(clips, {own})).* "
        "from clip_service.clips, generate_series(1, 6000) as n"
    )
    await db.execute("set statement_timeout = '2s'")
    await db.execute("update clip_service.clips set sends = 2")
    assert len(await projection(db, project_id)) == 6001


async def test_two_changes_by_hand_at_once_both_show(
    database: str, db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    one, two = await store.record(project_id, [clip(n, project_id=project_id) for n in "12"], NOON)
    fail = "update clip_service.clips set status = 'failed', failure_kind = 'lost' where task_uuid = $1"
    other, third = await asyncpg.connect(database), await asyncpg.connect(database)
    async with other.transaction():
        await other.execute(fail, one.task_uuid)
        waiting = asyncio.create_task(third.execute(fail, two.task_uuid))
        await until_waiting(db)
    await waiting
    assert await projection(db, project_id) == {one.task_uuid: "failed", two.task_uuid: "failed"}
    await other.close()
    await third.close()


async def test_outdated_clips_that_the_web_application_saves_do_not_undo_the_ledger(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    outdated = json.dumps(await projection(db, project_id))
    await store.save([succeeded(one)], LATER)
    await db.execute(
        "update projects set script = 'New.', clips = $1 where id = $2", outdated, uuid.UUID(project_id)
    )
    assert await projection(db, project_id) == {one.task_uuid: VIDEO_URL}


async def test_clips_of_a_project_that_the_ledger_does_not_know_are_the_web_applications(
    db: asyncpg.Connection, project_id: ProjectId
) -> None:
    theirs = {"an-old-task": "pending"}
    await db.execute(
        "update projects set clips = $1 where id = $2", json.dumps(theirs), uuid.UUID(project_id)
    )
    assert await projection(db, project_id) == theirs


@pytest.mark.parametrize(
    "written", ["[]", '"pending"', '{"an-old-task": {"status": "pending"}, "b": "failed"}']
)
async def test_project_whose_clips_others_have_written_in_another_form_is_read(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId, written: str
) -> None:
    await db.execute("update projects set clips = $1 where id = $2", written, uuid.UUID(project_id))
    project = await store.project(project_id)
    assert project is not None
    assert project.clips == ({"b": "failed"} if "failed" in written else {})
    assert [one.project.clips for one in await store.projects(10)] == [project.clips]


async def test_project_of_an_older_table_without_times_is_read(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    await db.execute("alter table projects alter created_at drop not null, alter updated_at drop not null")
    await db.execute("update projects set updated_at = null")
    project = await store.project(project_id)
    assert project is not None
    assert project.updated_at == project.created_at == NOON
    await db.execute("update projects set created_at = null")
    assert await store.project(project_id) is not None
    assert [one.project.id for one in await store.projects(10)] == [project_id]


async def test_result_that_waits_for_another_transaction_loses_nothing_of_either(
    database: str, db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    """A user's save of the whole row holds the project, a result comes, and then the save is committed."""
    one, two = await store.record(project_id, [clip(n, project_id=project_id) for n in "12"], NOON)
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute(
            "update projects set script = 'New.', clips = '{}' where id = $1", uuid.UUID(project_id)
        )
        waiting = asyncio.create_task(store.save([succeeded(one)], LATER))
        await until_waiting(db)
        await other.execute(
            "update clip_service.clips set status = 'failed', failure_kind = 'lost' where task_uuid = $1",
            two.task_uuid,
        )
    assert await waiting == {one.task_uuid}
    assert await projection(db, project_id) == {one.task_uuid: VIDEO_URL, two.task_uuid: "failed"}
    assert await db.fetchval("select script from projects where id = $1", uuid.UUID(project_id)) == "New."
    await other.close()


async def test_writers_of_the_same_projects_in_any_order_never_deadlock(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    projects = [await store.create_project(ProjectDraft(frames={}, scenes={}), NOON) for _ in range(4)]
    clips: list[Clip] = []
    for project in projects:
        clips += await store.record(project, [clip(str(n), project_id=project) for n in range(10)], NOON)

    async def record_again(project: ProjectId) -> None:
        for prompt in ("A.", "B.", "A."):
            await store.record(
                project, [clip(str(n), project_id=project, prompt=prompt) for n in reversed(range(10))], NOON
            )

    await asyncio.gather(
        *(record_again(project) for project in projects for _ in range(3)),
        *(store.save(clips[::step], LATER) for step in (1, -1, 3, -3, 7, -7)),
        *(store.save([failed(one) for one in clips[start::4]], LATER) for start in range(4)),
        *(store.claim(owner, NOON, LATER, 15) for owner in "abcdef"),
    )
    assert await db.fetchval("select deadlocks from pg_stat_database where datname = current_database()") == 0


async def test_pollers_of_three_copies_ask_about_each_clip_once_an_interval(
    store: SupabaseStore, project_id: ProjectId
) -> None:
    clips = [clip(str(n), project_id=project_id, status=ClipStatus.PENDING) for n in range(200)]
    await store.record(project_id, clips, NOON)
    clock, policy, interval = FixedClock(LATER), Policy(), timedelta(seconds=10)
    provider, metrics = ScriptedProvider(Acknowledged()), Metrics()
    inquiry = Inquiry(provider, clock, policy)
    settler = Settler(store, policy, clock, str, lambda: None, metrics)
    submitter = Submitter(
        store,
        provider,
        settler,
        clock,
        Past(store, video_model).estimates,
        batch_size=25,
        slots=Turns(4),
    )
    pollers = [
        Poller(store, inquiry, settler, submitter, Background(), clock, policy, interval, metrics)
        for _ in range(3)
    ]
    for _ in range(2):
        await asyncio.gather(*(poller.tick() for poller in pollers * 2))
        assert sorted(provider.asked) == sorted(one.task_uuid for one in clips)
        provider.asked.clear()
        clock.advance(seconds=10)


async def test_project_that_somebody_holds_keeps_no_other_waiting_for_long(
    database: str, store: SupabaseStore
) -> None:
    projects = [await store.create_project(ProjectDraft(frames={}, scenes={}), NOON) for _ in range(3)]
    clips = [(await store.record(each, [clip(project_id=each)], NOON))[0] for each in projects]
    settler = Settler(store, Policy(), FixedClock(LATER), str, lambda: None, Metrics())
    writer = asyncio.create_task(settler.run())
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("update projects set script = 'Held.' where id = $1", uuid.UUID(projects[1]))
        ends = await asyncio.gather(
            *(
                settler.settle([Event(one.task_uuid, Succeeded(VIDEO_URL), SettledBy.WEBHOOK)])
                for one in clips
            ),
            return_exceptions=True,
        )
    await other.close()
    await settler.stop()
    await writer
    assert ends[0] == ends[2] == [Effect.CHANGED]
    assert isinstance(ends[1], StoreRefused)


async def test_clips_that_the_old_functions_wrote_are_kept_when_the_ledger_takes_over(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    theirs = {"an-old-task": "https://im.runware.ai/old.mp4"}
    await db.execute(
        "update projects set clips = $1 where id = $2", json.dumps(theirs), uuid.UUID(project_id)
    )
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    await store.save([succeeded(one)], LATER)
    assert await projection(db, project_id) == {one.task_uuid: VIDEO_URL}
    kept = await db.fetch("select clips from clip_service.earlier_clips")
    assert [json.loads(row["clips"]) for row in kept] == [theirs]


async def test_clips_go_with_the_project_that_the_web_application_deletes(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    await store.lease_project(project_id, "somebody", NOON, LATER)
    await db.execute("delete from projects where id = $1", uuid.UUID(project_id))
    assert await store.clips([one.task_uuid]) == []


async def test_user_may_delete_a_project_that_has_clips(db: asyncpg.Connection, store: SupabaseStore) -> None:
    project_id = await store.create_project(
        ProjectDraft(frames={}, scenes={}, user_id=UserId(SOMEBODY)), NOON
    )
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    async with db.transaction():
        await db.execute("set local role authenticated")
        await db.execute("select set_config('request.jwt.claims', $1, true)", json.dumps({"sub": SOMEBODY}))
        await db.execute("delete from projects where id = $1", uuid.UUID(project_id))
    assert await store.project(project_id) is None
    assert await store.clips([one.task_uuid]) == []


DELETED = (
    "select task_uuid, user_id::text, model, resolution, sound, seconds, status::text, cost_usd::float8 "
    "from clip_service.deleted_clips order by task_uuid"
)


async def test_what_a_deleted_project_has_cost_stays_in_the_ledger(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    project_id = await store.create_project(
        ProjectDraft(frames={}, scenes={}, user_id=UserId(SOMEBODY)), NOON
    )
    other = await store.create_project(ProjectDraft(frames={}, scenes={}), NOON)
    one, two = await store.record(project_id, [clip(n, project_id=project_id) for n in "12"], NOON)
    (theirs,) = await store.record(other, [clip(project_id=other)], NOON)
    await store.save([succeeded(one)], LATER)
    async with db.transaction():
        await db.execute("set local role authenticated")
        await db.execute("select set_config('request.jwt.claims', $1, true)", json.dumps({"sub": SOMEBODY}))
        await db.execute("delete from projects where id = $1", uuid.UUID(project_id))
    kept = {row["task_uuid"]: tuple(row)[1:] for row in await db.fetch(DELETED)}
    made_with = (SOMEBODY, "google:3@2", "720p", False, 4)
    assert kept == {
        one.task_uuid: (*made_with, "succeeded", 0.5),
        two.task_uuid: (*made_with, "submitting", None),
    }
    assert await store.clips([theirs.task_uuid]) == [theirs]
    times = await db.fetchrow(
        "select submitted_at, settled_at from clip_service.deleted_clips where task_uuid = $1", one.task_uuid
    )
    assert tuple(times or ()) == (NOON, NOON)


async def test_nothing_of_what_was_made_stays_of_a_deleted_project(
    db: asyncpg.Connection, store: SupabaseStore, project_id: ProjectId
) -> None:
    made = clip(project_id=project_id, prompt="A secret.")
    (one,) = await store.record(project_id, [made], NOON)
    await store.save([succeeded(one)], LATER)
    await db.execute("delete from projects")
    (row,) = await db.fetch("select to_jsonb(deleted_clips)::text from clip_service.deleted_clips")
    assert not [word for word in ("secret", "frames.example", "mp4") if word in row[0]]


async def delete_as_their_user(db: asyncpg.Connection, project_id: ProjectId) -> None:
    async with db.transaction():
        await db.execute("set local role authenticated")
        await db.execute("select set_config('request.jwt.claims', $1, true)", json.dumps({"sub": SOMEBODY}))
        await db.execute("delete from projects where id = $1", uuid.UUID(project_id))


@pytest.fixture
async def theirs(store: SupabaseStore) -> ProjectId:
    draft = ProjectDraft(frames={}, scenes={}, user_id=UserId(SOMEBODY))
    return await store.create_project(draft, NOON)


async def test_what_runs_while_its_project_is_deleted_still_settles_and_counts(
    db: asyncpg.Connection, store: SupabaseStore, theirs: ProjectId
) -> None:
    made = clip(project_id=theirs, prompt="A secret.", status=ClipStatus.PENDING, sends=1)
    (one,) = await store.record(theirs, [made], NOON)
    await delete_as_their_user(db, theirs)
    assert "secret" not in await db.fetchval("select to_jsonb(clips)::text from clip_service.clips")
    (claimed,) = await store.claim("poller", NOON, LATER, 10)
    assert await store.save([succeeded(claimed)], LATER) == {one.task_uuid}
    ((task_uuid, owner, *_, status, cost_usd),) = await db.fetch(DELETED)
    assert (task_uuid, owner, status, cost_usd) == (one.task_uuid, SOMEBODY, "succeeded", 0.5)
    assert await store.clips([one.task_uuid]) == await store.claim("poller", LATER, LATER, 10) == []


async def test_video_that_comes_after_the_time_of_a_deleted_projects_clip_counts(
    db: asyncpg.Connection, store: SupabaseStore, theirs: ProjectId
) -> None:
    (one,) = await store.record(theirs, [clip(project_id=theirs)], NOON)
    await store.save([failed(one, FailureKind.TIMEOUT)], NOON)
    await delete_as_their_user(db, theirs)
    (late,) = await store.clips([one.task_uuid])
    assert (late.request.prompt, late.request.first_frame) == ("", "")
    assert await store.save([replace(succeeded(late), failure=None)], LATER) == {one.task_uuid}
    ((*_, status, cost_usd),) = await db.fetch(DELETED)
    assert (status, cost_usd) == ("succeeded", 0.5)
    assert await store.clips([one.task_uuid]) == []


async def test_nothing_is_sent_any_more_of_a_deleted_project_that_was_not_sent_before(
    db: asyncpg.Connection, store: SupabaseStore, theirs: ProjectId
) -> None:
    unsent, unclear = await store.record(theirs, [clip(n, project_id=theirs) for n in "12"], NOON)
    await store.save([sent(unclear, NOON)], NOON)
    await delete_as_their_user(db, theirs)
    assert await store.save([sent(unsent, LATER)], LATER) == set()
    (kept,) = await store.clips([unsent.task_uuid, unclear.task_uuid])
    # It may have to be sent again, and is asked about before.
    assert kept.request == unclear.request
    pending = replace(kept, status=ClipStatus.PENDING)
    assert await store.save([pending], LATER) == {unclear.task_uuid}
    (running,) = await store.clips([unclear.task_uuid])
    assert running.request.prompt == ""
    assert [row["status"] for row in await db.fetch(DELETED)].count("pending") == 1


async def test_clip_that_is_deleted_by_hand_keeps_its_costs_and_owner(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    project_id = await store.create_project(
        ProjectDraft(frames={}, scenes={}, user_id=UserId(SOMEBODY)), NOON
    )
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    await db.execute("delete from clip_service.clips")
    ((task_uuid, owner, *_),) = await db.fetch(DELETED)
    assert (task_uuid, owner) == (one.task_uuid, SOMEBODY)


async def test_nobody_but_the_service_reads_what_deleted_projects_have_cost(db: asyncpg.Connection) -> None:
    assert await as_role(db, "service_role", "select * from clip_service.deleted_clips") == []
    for role in ("anon", "authenticated"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_role(db, role, "select * from clip_service.deleted_clips")


async def test_text_that_no_database_takes_is_refused_and_nothing_else(
    store: SupabaseStore, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    for text in ("nul \0", "half of a pair \ud83d"):
        broken = failed(one)
        assert broken.failure is not None
        with pytest.raises(StoreUnavailable, match=r"refused|can be sent"):
            await store.save([replace(broken, failure=replace(broken.failure, message=text))], LATER)
    assert await store.clips([one.task_uuid]) == [one]


async def test_connection_that_was_closed_meanwhile_is_replaced_unnoticed(supabase: Supabase) -> None:
    async with open_store(supabase) as store:
        await store.missing_migrations()
        store._http._transport = ClosedOnce(store._http._transport)
        assert await store.missing_migrations() == []


@pytest.mark.parametrize("page", ["<html>Please sign in.</html>", "null", '{"error": "paused"}'])
async def test_page_under_200_that_is_not_the_databases_answer_is_told(supabase: Supabase, page: str) -> None:
    async with open_store(supabase) as store:
        store._http._transport = httpx.MockTransport(lambda _: httpx.Response(200, text=page))
        for call in (store.missing_migrations, partial(store.clips, []), partial(store.save, [], NOON)):
            with pytest.raises(StoreUnavailable, match="SUPABASE_URL"):
                await call()


async def test_write_whose_answer_was_lost_is_still_ones_own(
    store: SupabaseStore, project_id: ProjectId
) -> None:
    (one,) = await store.record(project_id, [clip(project_id=project_id)], NOON)
    store._http._transport = AnswerLostOnce(store._http._transport)
    assert await store.save([sent(one, LATER)], LATER) == {one.task_uuid}
    assert await store.save([sent(one, LATER)], LATER) == set()
    (stored,) = await store.clips([one.task_uuid])
    assert stored == replace(one, sends=1, last_sent_at=LATER, version=1)


async def test_project_whose_own_trigger_refuses_a_result_keeps_no_other_waiting(
    db: asyncpg.Connection, store: SupabaseStore
) -> None:
    projects = [await store.create_project(ProjectDraft(frames={}, scenes={}), NOON) for _ in range(3)]
    clips = [(await store.record(each, [clip(project_id=each)], NOON))[0] for each in projects]
    await db.execute(
        "create function refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'This project is archived.'; end $$"
    )
    await db.execute(
        "create trigger archived before update on projects for each row "
        f"when (new.id = '{projects[1]}') execute function refuse()"
    )
    settler = Settler(store, Policy(), FixedClock(LATER), str, lambda: None, Metrics())
    writer = asyncio.create_task(settler.run())
    ends = await asyncio.gather(
        *(settler.settle([Event(one.task_uuid, Succeeded(VIDEO_URL), SettledBy.WEBHOOK)]) for one in clips),
        return_exceptions=True,
    )
    await settler.stop()
    await writer
    assert ends[0] == ends[2] == [Effect.CHANGED]
    assert isinstance(ends[1], StoreRefused)


async def test_database_that_is_gone_is_told_and_found_again(
    postgres: Postgres, store: SupabaseStore
) -> None:
    postgres.stop()
    try:
        with pytest.raises(StoreUnavailable):
            await store.claim("somebody", NOON, LATER, 10)
    finally:
        postgres.start()
    assert await store.claim("somebody", NOON, LATER, 10) == []


async def as_role(db: asyncpg.Connection, role: str, sql: str) -> list[asyncpg.Record]:
    async with db.transaction():
        await db.execute(f"set local role {role}")
        found: list[asyncpg.Record] = await db.fetch(sql)
        return found


async def until_waiting(db: asyncpg.Connection) -> None:
    async with asyncio.timeout(10):
        while not await db.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110 - Postgres'
            await asyncio.sleep(0.01)


def open_store(supabase: Supabase) -> SupabaseStore:
    return SupabaseStore(supabase.url, supabase.service_role_key)


async def test_bucket_that_is_there_already_stays_as_it_is(postgres: Postgres) -> None:
    with postgres.database(template=BARE) as dsn:
        db = await asyncpg.connect(dsn)
        await db.execute("insert into storage.buckets (id, name, public) values ('images', 'images', false)")
        before = await db.fetch("select * from storage.buckets")
        for _ in range(2):
            await apply_migrations(db)
        assert await db.fetch("select * from storage.buckets") == before
        await db.close()


async def test_database_without_storage_takes_every_migration(postgres: Postgres) -> None:
    with postgres.database(template=BARE) as dsn:
        db = await asyncpg.connect(dsn)
        await db.execute("drop schema storage cascade")
        await apply_migrations(db)
        applied = await db.fetchval("select array_agg(version order by version) from clip_service.migrations")
        assert applied == [migration.version for migration in MIGRATIONS]
        await db.close()


async def test_bucket_is_made_by_a_role_that_is_no_superuser(postgres: Postgres) -> None:
    """As `postgres` is on Supabase: it may write the table of another role, and passes its security."""
    with postgres.database(template=BARE) as dsn:
        db = await asyncpg.connect(dsn)
        await apply_migrations(db)
        await db.execute("delete from storage.buckets")
        await db.execute("create role migrator nologin bypassrls")
        try:
            await db.execute(
                "grant usage on schema storage, clip_service to migrator;"
                "grant all on storage.buckets to migrator;"
                "grant select, insert on clip_service.migrations to migrator;"
                "set role migrator"
            )
            (images,) = (one for one in MIGRATIONS if one.name.endswith("_images.sql"))
            await db.execute(images.sql)
            await db.execute("reset role")
            assert await db.fetchval("select public from storage.buckets where id = 'images'")
        finally:
            await db.execute("reset role; drop owned by migrator; drop role migrator")
            await db.close()
