import asyncio
import json
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from service.clips.edits import Edit
from service.clips.estimate import PastClip
from service.clips.frames import MAX_URL_BYTES
from service.clips.listing import Cursor, State, title_matches
from service.clips.models import (
    THUMBNAILS,
    Choice,
    Clip,
    Fingerprint,
    Project,
    ProjectId,
    ProjectOverview,
    TaskUUID,
    UserId,
)
from service.clips.readable import read_columns
from service.clips.titles import title
from service.errors import ProjectBusy, ProjectEdited, StoreFull, StoreRefused, StoreUnavailable
from service.stores.database_file import why_unusable
from service.stores.rows import (
    clip_row,
    clip_state,
    read_claimed_clip,
    read_clip,
    read_overview,
    read_past_clip,
    read_project,
    timestamp,
)
from service.stores.sqlite_edits import move_clips, refuse_outdated, remove_scenes, write_columns
from service.stores.sqlite_schema import MIGRATIONS
from service.workflow.ports import Changed, Changes, Duplicate, ProjectDraft

T = TypeVar("T")

_JSON_COLUMNS = frozenset({"scenes", "frames", "clips", "request", "thumbnails"})

# How long a write waits for another process that has the same file open.
_BUSY_TIMEOUT_S = 10.0


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


# For the switch to WAL, which alone does not wait: two who open a new file at once would refuse each other.
_UNTIL_FREE = Retrying(
    retry=retry_if_exception(_is_busy),
    stop=stop_after_delay(_BUSY_TIMEOUT_S),
    wait=wait_random(0.01, 0.05),
    reraise=True,
)

_INSERT_CLIP = """
    INSERT INTO clips (
        task_uuid, project_id, scene, fingerprint, attempt, status, request, submitted_at,
        sends, last_sent_at, throttled, send_after, reopened_at, unknown_since, unknown_answers, video_url,
        failure_kind, failure_code, failure_message, failure_detail, cost_usd, settled_at, settled_by,
        version, copied_from
    )
    SELECT
        :task_uuid, :project_id, :scene, :fingerprint, :attempt, :status, :request, :submitted_at,
        :sends, :last_sent_at, :throttled, :send_after, :reopened_at, :unknown_since, :unknown_answers,
        :video_url, :failure_kind, :failure_code, :failure_message, :failure_detail, :cost_usd, :settled_at,
        :settled_by, :version, :copied_from
    WHERE NOT EXISTS (SELECT 1 FROM clips WHERE fingerprint = :fingerprint AND status <> 'failed')
    ON CONFLICT DO NOTHING
"""
# As `clips.planning.standing_order` has it, and the view `clip_places`.
_FIRST_OF_THESE = """
    ORDER BY
        status = 'succeeded' DESC,
        CASE WHEN status = 'succeeded' THEN settled_at END,
        CASE WHEN status = 'succeeded' THEN attempt END,
        status <> 'failed' DESC,
        attempt DESC
    LIMIT 1
"""
_STANDING_CLIP = """
    SELECT * FROM clips WHERE fingerprint = :fingerprint AND (attempt = :attempt OR status <> 'failed')
    {first}
""".replace("{first}", _FIRST_OF_THESE)
# What has ended may be shown otherwise once it is saved; the rest is pending before and after.
_ENDED = """
    SELECT task_uuid FROM clips
    WHERE task_uuid IN (SELECT value FROM json_each(?)) AND status IN ('succeeded', 'failed')
"""
_MAKE_CURRENT = """
    UPDATE clips SET superseded = fingerprint <> :fingerprint
    WHERE project_id = :project_id AND scene = :scene AND superseded <> (fingerprint <> :fingerprint)
"""
_UPDATE_CLIP = """
    UPDATE clips SET
        status = :status, sends = :sends, last_sent_at = :last_sent_at, throttled = :throttled,
        send_after = :send_after, reopened_at = :reopened_at, unknown_since = :unknown_since,
        unknown_answers = :unknown_answers, video_url = :video_url, failure_kind = :failure_kind,
        failure_code = :failure_code, failure_message = :failure_message, failure_detail = :failure_detail,
        cost_usd = :cost_usd, settled_at = :settled_at, settled_by = :settled_by, version = :version + 1
    WHERE task_uuid = :task_uuid AND version = :version
        AND (sends = :sends OR NOT EXISTS (
            SELECT 1 FROM clips AS done
            WHERE done.fingerprint = clips.fingerprint AND done.status = 'succeeded'
        ))
"""
_CURRENT_CLIPS = """
    SELECT * FROM clips WHERE task_uuid IN (
        SELECT task_uuid FROM clip_places WHERE project_id = ? AND place = 1
    )
"""
_PROJECTION = """
    SELECT json_group_object(task_uuid, shown) FROM (
        SELECT task_uuid, CASE status
            WHEN 'succeeded' THEN video_url WHEN 'failed' THEN 'failed' ELSE 'pending'
        END AS shown
        FROM clip_places WHERE project_id = :project_id AND place = 1
        ORDER BY CAST(scene AS INTEGER), scene
    )
"""
# The keys are UUIDs: their hyphens want quotes in a path, and nothing in them ends these.
_SAVE_EARLIER = """
    UPDATE projects SET
        clips = json_set(clips, '$."' || :task_uuid || '"', :end),
        updated_at = :now, sequence = sequence + 1, edited = sequence + 1
    WHERE id = :project_id
        AND json_extract(clips, '$."' || :task_uuid || '"') = 'pending'
        AND NOT EXISTS (SELECT 1 FROM clips AS known WHERE known.project_id = projects.id)
"""
_CHOOSE = """
    UPDATE projects SET model = :model, resolution = :resolution, audio = :audio, updated_at = :now
    WHERE id = :project_id
        AND NOT (model IS :model AND resolution IS :resolution AND audio IS :audio)
"""
_PROJECT = """
    SELECT projects.*, deleted_at FROM projects JOIN listed_projects ON project_id = id WHERE id = ?
"""
_INSERT_PROJECT = """
    INSERT INTO projects (
        id, script, scenes, frames, input_image_url, audio_recording_url, user_id, model, resolution, audio,
        created_at, updated_at
    )
    VALUES (
        :id, :script, :scenes, :frames, :input_image_url, :audio_recording_url, :user_id, :model, :resolution,
        :audio, :now, :now
    )
"""
# Deleting and restoring are edits: calls that plan clips plan anew, and streams tell of it.
_MARK_EDITED = "UPDATE projects SET sequence = sequence + 1, edited = sequence + 1 WHERE id = ?"
# Which projects a page has: narrow rows in the order of an index, of which only those on the page are read.
# With words the reading goes on until the page is full.
_PAGE = """
    SELECT json_group_array(project_id) FROM (
        SELECT project_id FROM listed_projects
        WHERE {conditions} ORDER BY created_at DESC, project_id DESC LIMIT :limit
    )
"""
_PAGE_CONDITIONS = {
    "kept": "deleted_at IS NULL",
    "deleted": "deleted_at IS NOT NULL",
    "user_id": "user_id = :user_id",
    "state": "state = :state",
    "after": "(created_at, project_id) < (:after, :after_id)",
    "words": "title_matches(coalesce(title, "
    "(SELECT project_title(script, scenes) FROM projects WHERE id = project_id)), :words)",
}
# A scene is a key of either column, or has a clip; the best of its clips is its current one. The view of
# places is no help here: SQLite would number the clips of all projects for it.
_OVERVIEWS = """
    WITH page AS (SELECT key AS place, value AS id FROM json_each(:page)),
    scenes AS (
        SELECT
            project_id,
            max(CASE status WHEN 'succeeded' THEN 2 WHEN 'failed' THEN 0 ELSE 1 END) AS standing
        FROM clips WHERE project_id IN (SELECT id FROM page) AND NOT superseded GROUP BY project_id, scene
    ),
    counted AS (
        SELECT
            project_id,
            sum(standing = 2) AS completed,
            sum(standing = 1) AS pending,
            sum(standing = 0) AS failed
        FROM scenes GROUP BY project_id
    ),
    paid AS (
        SELECT project_id, sum(cost_usd) AS cost_usd
        FROM clips WHERE project_id IN (SELECT id FROM page) GROUP BY project_id
    )
    SELECT
        id, projects.user_id, projects.clips, video_url, input_image_url, audio_recording_url,
        projects.created_at, updated_at, deleted_at,
        coalesce(title, project_title(script, projects.scenes)) AS title,
        (
            SELECT json_group_array(url) FROM (
                SELECT CASE pairs.type
                    WHEN 'object' THEN json_extract(pairs.value, '$.' || ends.value)
                END AS url
                FROM json_each(projects.frames) AS pairs,
                    json_each('["first_frame", "last_frame"]') AS ends
                WHERE length(CAST(url AS BLOB)) <= :url_bytes
                ORDER BY CAST(pairs.key AS INTEGER), pairs.key, ends.key LIMIT :thumbnails
            )
        ) AS thumbnails,
        (
            SELECT count(*) FROM (
                SELECT key FROM json_each(projects.frames) UNION SELECT key FROM json_each(projects.scenes)
                UNION SELECT scene FROM clips WHERE clips.project_id = projects.id AND NOT superseded
            )
        ) AS scene_count,
        coalesce(completed, 0) AS completed,
        coalesce(pending, 0) AS pending,
        coalesce(failed, 0) AS failed,
        coalesce(cost_usd, 0) AS cost_usd
    FROM page
    JOIN projects USING (id)
    JOIN listed_projects ON listed_projects.project_id = id
    LEFT JOIN counted ON counted.project_id = id
    LEFT JOIN paid ON paid.project_id = id
    ORDER BY place
"""
_NEWS = """
    SELECT projects.id, sequence, edited, asked.value AS since
    FROM json_each(?) AS asked JOIN projects ON projects.id = asked.key WHERE sequence > asked.value
"""
# Each changed scene's clip is looked up by itself: the view of places would number all of the project's.
_CHANGED_CLIPS = """
    WITH changed AS MATERIALIZED (
        SELECT scene, max(sequence) AS sequence FROM clips
        WHERE project_id = :project_id AND sequence > :since GROUP BY scene
    )
    SELECT clips.*, changed.sequence AS scene_sequence
    FROM changed CROSS JOIN clips ON clips.task_uuid = (
        SELECT task_uuid FROM clips AS places
        WHERE project_id = :project_id AND places.scene = changed.scene AND NOT superseded
        {first}
    )
""".replace("{first}", _FIRST_OF_THESE)
_PAST_CLIPS = """
    SELECT
        json_extract(request, '$.settings.model') AS model,
        json_extract(request, '$.settings.resolution') AS resolution,
        json_extract(request, '$.settings.generate_audio') AS generate_audio,
        json_extract(request, '$.duration_s') AS duration_s,
        (julianday(settled_at) - julianday(submitted_at)) * 86400 AS seconds,
        cost_usd
    FROM clips WHERE status = 'succeeded' AND reopened_at IS NULL AND copied_from IS NULL
    ORDER BY settled_at DESC, task_uuid LIMIT ?
"""
_CLAIM = """
    UPDATE clips SET lease_owner = :owner, leased_until = :leased_until
    WHERE task_uuid IN (
        SELECT task_uuid FROM clips
        WHERE status IN ('submitting', 'pending')
            AND (leased_until IS NULL OR leased_until <= :now OR leased_until > :unbelievable)
        ORDER BY submitted_at LIMIT :limit
    )
    RETURNING *
"""
_LEASE_PROJECT = """
    INSERT INTO project_leases (project_id, owner, leased_until) VALUES (:project_id, :owner, :leased_until)
    ON CONFLICT (project_id) DO UPDATE SET owner = :owner, leased_until = :leased_until
    WHERE owner = :owner OR leased_until <= :now OR leased_until > :unbelievable
"""


class SQLiteStore:
    """The embedded store: one file, for one machine. Fulfils the workflow's `Store`.

    Each operation is one function on a thread of its own, one thread for writes and one for reads, so that
    a transaction is plain code and the event loop never waits for the disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _Connection(path, begin="BEGIN IMMEDIATE")
        self._reader = _Connection(path, begin="BEGIN")

    async def __aenter__(self) -> Self:
        try:
            await self._writer.open()
            await self._writer.run(_migrate)
            await self._reader.open()
        except StoreUnavailable as unavailable:
            if not isinstance(cause := unavailable.__cause__, sqlite3.Error):
                raise
            why = why_unusable(self._path, cause)
            raise StoreUnavailable(f"DATABASE_PATH is wrong: {why}") from cause
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.close()
        await self._writer.close()

    async def missing_migrations(self) -> Sequence[str]:
        """Reach the database; gives nothing, since opening it has brought its schema up to date.

        Raises StoreFull, if there was no room for a write, and still is none.
        """
        if self._writer.was_full:
            await self._writer.run(_write_something)
            self._writer.was_full = False
        await self._reader.run(lambda db: db.execute("SELECT 1 FROM projects LIMIT 1").fetchall())
        return []

    async def create_project(self, draft: ProjectDraft, now: datetime) -> ProjectId:
        """Store a new project."""
        project_id = ProjectId(str(uuid.uuid4()))
        await self._writer.run(lambda db: _insert_project(db, project_id, draft, Choice(), now))
        return project_id

    async def duplicate_project(self, duplicate: Duplicate, now: datetime) -> None:
        """Store a duplicate of a project with the clips that come along."""

        def write(db: sqlite3.Connection) -> None:
            _insert_project(db, duplicate.id, duplicate.draft, duplicate.choice, now)
            for clip in duplicate.clips:
                db.execute(_INSERT_CLIP, _inserted(clip))
            _write_projections(db, {duplicate.id}, now)

        await self._writer.run(write)

    async def delete_project(self, project_id: ProjectId, now: datetime) -> datetime | None:
        """Mark a project as deleted, an edit of it; gives since when it is, None if there is none."""
        mark = "UPDATE listed_projects SET deleted_at = ? WHERE project_id = ? AND deleted_at IS NULL"
        read = "SELECT deleted_at FROM listed_projects WHERE project_id = ?"

        def write(db: sqlite3.Connection) -> datetime | None:
            if db.execute(mark, [timestamp(now), project_id]).rowcount:
                db.execute(_MARK_EDITED, [project_id])
            row = db.execute(read, [project_id]).fetchone()
            return None if row is None else datetime.fromisoformat(row["deleted_at"])

        return await self._writer.run(write)

    async def restore_project(self, project_id: ProjectId) -> None:
        """Take the mark away, an edit of the project, unless there is none."""
        mark = "UPDATE listed_projects SET deleted_at = NULL WHERE project_id = ? AND deleted_at IS NOT NULL"

        def write(db: sqlite3.Connection) -> None:
            if db.execute(mark, [project_id]).rowcount:
                db.execute(_MARK_EDITED, [project_id])

        await self._writer.run(write)

    async def choose(self, project_id: ProjectId, choice: Choice, now: datetime) -> None:
        """Make this the project's choice: an edit of it, unless it is so already."""
        values = {"project_id": project_id, **asdict(choice), "now": timestamp(now)}
        await self._writer.run(lambda db: db.execute(_CHOOSE, values))

    async def edit(
        self, project_id: ProjectId, edit: Edit, moved: Sequence[Clip], now: datetime, *, edited: int
    ) -> None:
        """Store an edited project, and in the same transaction what becomes of its clips."""

        def write(db: sqlite3.Connection) -> None:
            refuse_outdated(db, project_id, edit, moved, edited)
            move_clips(db, moved)
            remove_scenes(db, project_id, edit.removed)
            _write_projections(db, {project_id}, now)
            # Last, so that no number of a clip is beyond that of the edit.
            write_columns(db, project_id, edit, now)

        await self._writer.run(write)

    async def project(self, project_id: ProjectId) -> Project | None:
        """Read one project."""

        def read(db: sqlite3.Connection) -> Project | None:
            row = db.execute(_PROJECT, [project_id]).fetchone()
            return None if row is None else read_project(dict(row))

        return await self._reader.run(read)

    async def projects(
        self,
        limit: int,
        user_id: UserId | None = None,
        *,
        words: Sequence[str] = (),
        state: State | None = None,
        after: Cursor | None = None,
    ) -> Sequence[ProjectOverview]:
        """Read a page of the projects, newest first; their rows come without scenes and frames."""
        deleted = state is State.DELETED
        asked = {
            "kept": None if deleted else True,
            "deleted": True if deleted else None,
            "user_id": user_id,
            "state": None if deleted else state,
            "after": after and timestamp(after.created_at),
            "words": json.dumps(words) if words else None,
        }
        conditions = [_PAGE_CONDITIONS[name] for name, value in asked.items() if value is not None]
        sql = _PAGE.replace("{conditions}", " AND ".join(conditions))
        values = {**asked, "after_id": after and after.id, "limit": limit}

        def read(db: sqlite3.Connection) -> Sequence[ProjectOverview]:
            (page,) = db.execute(sql, values).fetchone()
            bounds = {"thumbnails": THUMBNAILS, "url_bytes": MAX_URL_BYTES}
            rows = db.execute(_OVERVIEWS, bounds | {"page": page})
            return [read_overview(_decoded(row)) for row in rows]

        return await self._reader.run(read)

    async def changes(self, since: Mapping[ProjectId, int]) -> Mapping[ProjectId, Changes]:
        """Read what is new of these projects since these sequence numbers, 0 being before everything."""

        def read(db: sqlite3.Connection) -> Mapping[ProjectId, Changes]:
            news = db.execute(_NEWS, [json.dumps(since)]).fetchall()
            return {ProjectId(row["id"]): _changes(db, row) for row in news}

        return await self._reader.run(read)

    async def past_clips(self, limit: int) -> Sequence[PastClip]:
        """Read the newest successful clips, newest first, without those that a person asked for again."""
        return await self._reader.run(
            lambda db: [read_past_clip(dict(row)) for row in db.execute(_PAST_CLIPS, [limit])]
        )

    async def attempts(self, project_id: ProjectId, fingerprints: Collection[Fingerprint]) -> Sequence[Clip]:
        """Read all clips that were ever made for these fingerprints of the project."""
        return await self._read_clips(
            "SELECT * FROM clips WHERE project_id = ? AND fingerprint IN (SELECT value FROM json_each(?))",
            project_id,
            json.dumps(list(fingerprints)),
        )

    async def lease_project(
        self, project_id: ProjectId, owner: str, now: datetime, leased_until: datetime
    ) -> bool:
        """Lease the right to decide about a project's earlier jobs; gives whether `owner` has it."""
        values = {"project_id": project_id, **_lease(owner, now, leased_until)}
        return await self._writer.run(lambda db: db.execute(_LEASE_PROJECT, values).rowcount > 0)

    async def release_project(self, project_id: ProjectId, owner: str) -> None:
        """Give the lease back, if `owner` still has it."""
        sql = "DELETE FROM project_leases WHERE project_id = ? AND owner = ?"
        await self._writer.run(lambda db: db.execute(sql, [project_id, owner]))

    async def record(
        self,
        project_id: ProjectId,
        chosen: Sequence[Clip],
        now: datetime,
        *,
        edited: int | None = None,
        owner: str | None = None,
    ) -> Sequence[Clip]:
        """Make the chosen clips their scenes' current ones, and store those that are new."""
        held = "SELECT 1 FROM project_leases WHERE project_id = ? AND owner = ?"
        newer = "SELECT 1 FROM projects WHERE id = ? AND edited > ?"

        def write(db: sqlite3.Connection) -> Sequence[Clip]:
            if owner is not None and db.execute(held, [project_id, owner]).fetchone() is None:
                raise ProjectBusy(project_id)
            if edited is not None and db.execute(newer, [project_id, edited]).fetchone() is not None:
                raise ProjectEdited(project_id)
            stored: list[Clip] = []
            for clip in chosen:
                row = _inserted(clip)
                db.execute(_INSERT_CLIP, row)
                stored.append(read_clip(_decoded(db.execute(_STANDING_CLIP, row).fetchone())))
                db.execute(_MAKE_CURRENT, row)
            _write_projections(db, {project_id}, now)
            return stored

        return await self._writer.run(write)

    async def current_clips(self, project_id: ProjectId) -> Sequence[Clip]:
        """Read each scene's current clip."""
        return await self._read_clips(_CURRENT_CLIPS, project_id)

    async def all_clips(self, project_id: ProjectId) -> Sequence[Clip]:
        """Read every clip that was ever recorded for a project."""
        return await self._read_clips("SELECT * FROM clips WHERE project_id = ?", project_id)

    async def clips(self, task_uuids: Collection[TaskUUID]) -> Sequence[Clip]:
        """Read clips by their task UUIDs; one that is not there is left out."""
        return await self._read_clips(
            "SELECT * FROM clips WHERE task_uuid IN (SELECT value FROM json_each(?))",
            json.dumps(list(task_uuids)),
        )

    async def save(self, changed: Sequence[Clip], now: datetime) -> Collection[TaskUUID]:
        """Store changed clips in one write, each only if its `version` is still the stored one."""

        def write(db: sqlite3.Connection) -> Collection[TaskUUID]:
            tasks = json.dumps([clip.task_uuid for clip in changed])
            ended = {row["task_uuid"] for row in db.execute(_ENDED, [tasks])}
            saved = [clip for clip in changed if db.execute(_UPDATE_CLIP, clip_state(clip)).rowcount]
            shown = {one.project_id for one in saved if one.status.settled or one.task_uuid in ended}
            _write_projections(db, shown, now)
            return {clip.task_uuid for clip in saved}

        return await self._writer.run(write)

    async def save_earlier(self, project_id: ProjectId, ends: Mapping[TaskUUID, str], now: datetime) -> None:
        """Write ends into `projects.clips` of a project of which the ledger has no clip."""

        def write(db: sqlite3.Connection) -> None:
            for task_uuid, end in ends.items():
                values = {"project_id": project_id, "now": timestamp(now), "task_uuid": task_uuid, "end": end}
                db.execute(_SAVE_EARLIER, values)

        await self._writer.run(write)

    async def claim(self, owner: str, now: datetime, leased_until: datetime, limit: int) -> Sequence[Clip]:
        """Lease up to `limit` unsettled clips that nobody holds, oldest first, and read them in brief."""
        values = {**_lease(owner, now, leased_until), "limit": limit}
        return await self._writer.run(
            lambda db: [read_claimed_clip(_decoded(row)) for row in db.execute(_CLAIM, values)]
        )

    async def _read_clips(self, sql: str, *values: str) -> Sequence[Clip]:
        return await self._reader.run(
            lambda db: [read_clip(_decoded(row)) for row in db.execute(sql, values)]
        )


class _Connection:
    """One connection and the one thread that uses it."""

    def __init__(self, path: Path, *, begin: str) -> None:
        self._path = path
        self._begin = begin
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._db: sqlite3.Connection | None = None
        self.was_full = False

    async def open(self) -> None:
        def connect() -> sqlite3.Connection:
            with _translated(self._path):
                db = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
                db.row_factory = sqlite3.Row
                db.create_function("project_title", 2, _project_title, deterministic=True)
                db.create_function("title_matches", 2, _title_matches, deterministic=True)
                # WAL lets reads go on beside a write; FULL makes a commit survive a power cut, since a
                # webhook that was answered 2xx never comes again.
                _UNTIL_FREE.copy()(db.execute, "PRAGMA journal_mode = WAL")
                db.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
                return db

        self._db = await self._on_thread(connect)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` as one transaction. Raises StoreUnavailable; nothing of it is stored then."""

        def transact() -> T:
            with _translated(self._path):
                if self._db is None:
                    raise sqlite3.ProgrammingError("the database is not open")
                self._db.execute(self._begin)
                try:
                    result = work(self._db)
                    self._db.execute("COMMIT")
                except BaseException:
                    # SQLite has rolled back by itself where the disk is full.
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
                return result

        try:
            return await self._on_thread(transact)
        except StoreFull:
            self.was_full = True
            raise

    async def close(self) -> None:
        if self._db is not None:
            await self._on_thread(self._db.close)
        self._thread.shutdown()

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _project_title(script: str | None, scenes: str | None) -> str:
    return title(script, read_columns({"scenes": scenes}).values.get("scenes"))


def _title_matches(told: str, words: str) -> bool:
    return title_matches(told, json.loads(words))


def _decoded(row: sqlite3.Row) -> dict[str, object]:
    return {
        name: json.loads(row[name]) if name in _JSON_COLUMNS and row[name] is not None else row[name]
        for name in row.keys()  # noqa: SIM118 - iterating a Row gives its values
    }


def _insert_project(
    db: sqlite3.Connection, project_id: ProjectId, draft: ProjectDraft, choice: Choice, now: datetime
) -> None:
    columns = {**asdict(draft), **asdict(choice), "id": project_id, "now": timestamp(now)}
    mappings = {name: json.dumps(columns[name], allow_nan=False) for name in ("scenes", "frames")}
    db.execute(_INSERT_PROJECT, {**columns, **mappings})
    told = [title(draft.script, draft.scenes), project_id]
    db.execute("UPDATE listed_projects SET title = ? WHERE project_id = ?", told)


def _inserted(clip: Clip) -> dict[str, object]:
    row = clip_row(clip)
    return {**row, "request": json.dumps(row["request"])}


def _lease(owner: str, now: datetime, leased_until: datetime) -> dict[str, object]:
    return {
        "owner": owner,
        "now": timestamp(now),
        "leased_until": timestamp(leased_until),
        # No lease is twice as long as this one: the clock has been set back since that was given.
        "unbelievable": timestamp(now + 2 * (leased_until - now)),
    }


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise StoreRefused(f"The database {path.name} refused the data ({error}).") from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StoreFull(
                f"The disk of the database {path.name} is full, so that nothing was stored. "
                "Free some space on it, then call again."
            ) from error
        raise StoreUnavailable(
            f"The database {path.name} failed ({error}). Check its disk and permissions, then call again."
        ) from error


def _write_something(db: sqlite3.Connection) -> None:
    """Write some pages, and leave nothing of them. A write into pages that are there proves no room."""
    db.execute("CREATE TABLE room (filler BLOB)")
    db.execute("INSERT INTO room VALUES (zeroblob(65536))")
    db.execute("DROP TABLE room")


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError(f"a newer release wrote it: schema {version}, not {len(MIGRATIONS)}")
    for migration in MIGRATIONS[version:]:
        for statement in migration:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _changes(db: sqlite3.Connection, news: sqlite3.Row) -> Changes:
    values = {"project_id": news["id"], "since": news["since"]}
    clips = [
        Changed(row["scene_sequence"], read_clip(_decoded(row))) for row in db.execute(_CHANGED_CLIPS, values)
    ]
    (cost_usd,) = db.execute(
        "SELECT total(cost_usd) FROM clips WHERE project_id = :project_id", values
    ).fetchone()
    return Changes(news["sequence"], news["edited"], cost_usd, clips)


def _write_projections(db: sqlite3.Connection, project_ids: Collection[ProjectId], now: datetime) -> None:
    for project_id in project_ids:
        (clips,) = db.execute(_PROJECTION, {"project_id": project_id}).fetchone()
        db.execute(
            "UPDATE projects SET clips = :clips, updated_at = :now "
            "WHERE id = :project_id AND clips <> :clips",
            {"clips": clips, "now": timestamp(now), "project_id": project_id},
        )
