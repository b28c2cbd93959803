"""An edited project in the embedded database, with what becomes of its clips: parts of one transaction."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from service.clips.edits import Edit
from service.clips.models import Clip, ProjectId
from service.clips.titles import title
from service.errors import ProjectEdited
from service.stores.rows import timestamp

_LEFT_BEHIND = """
    SELECT 1 FROM clips
    WHERE project_id = ? AND scene IN (SELECT value FROM json_each(?))
        AND task_uuid NOT IN (SELECT value FROM json_each(?))
"""
# Two scenes that change places may have the same fingerprints, but for the moment in between.
_LIFT = "UPDATE clips SET fingerprint = 'moving ' || task_uuid WHERE task_uuid = :task_uuid"
_PUT_DOWN = """
    UPDATE clips SET
        scene = :scene, fingerprint = :fingerprint, request = json_set(request, '$.scene', :scene),
        version = version + 1
    WHERE task_uuid = :task_uuid
"""
_REMOVE = """
    UPDATE clips SET superseded = 1
    WHERE project_id = ? AND NOT superseded AND scene IN (SELECT value FROM json_each(?))
"""
_EDIT = """
    UPDATE projects SET
        script = :script, frames = :frames, scenes = :scenes, updated_at = max(updated_at, :now)
    WHERE id = :project_id
"""


def refuse_outdated(
    db: sqlite3.Connection, project_id: ProjectId, edit: Edit, moved: Sequence[Clip], edited: int
) -> None:
    """Refuse an edit of what has changed since it was read. Raises ProjectEdited."""
    last = db.execute("SELECT edited FROM projects WHERE id = ?", [project_id]).fetchone()
    known = _listed(clip.task_uuid for clip in moved)
    left_behind = db.execute(_LEFT_BEHIND, [project_id, _listed(edit.moves), known]).fetchone()
    if last is None or last["edited"] != edited or left_behind is not None:
        raise ProjectEdited(project_id)


def move_clips(db: sqlite3.Connection, moved: Sequence[Clip]) -> None:
    """Give clips their new scenes and fingerprints."""
    rows = [
        {"task_uuid": clip.task_uuid, "scene": clip.scene, "fingerprint": clip.fingerprint} for clip in moved
    ]
    for step in (_LIFT, _PUT_DOWN):
        db.executemany(step, rows)


def remove_scenes(db: sqlite3.Connection, project_id: ProjectId, removed: Iterable[str]) -> None:
    """Let the clips of removed scenes be current no longer."""
    db.execute(_REMOVE, [project_id, _listed(removed)])


def write_columns(db: sqlite3.Connection, project_id: ProjectId, edit: Edit, now: datetime) -> None:
    """Store the project's columns, and its title for the list."""
    values = {
        "project_id": project_id,
        "script": edit.script,
        "frames": _column(edit.frames),
        "scenes": _column(edit.scenes),
        "now": timestamp(now),
    }
    db.execute(_EDIT, values)
    told = [title(edit.script, edit.scenes), project_id]
    db.execute("UPDATE listed_projects SET title = ? WHERE project_id = ?", told)


def _column(value: object) -> str | None:
    return None if value is None else json.dumps(value, allow_nan=False)


def _listed(values: Iterable[str]) -> str:
    return json.dumps(list(values))
