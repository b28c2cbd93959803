"""Clips and projects as rows of a database, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from service.clips.estimate import PastClip
from service.clips.models import Clip, Project, ProjectOverview
from service.clips.readable import read_columns, size_problem
from service.clips.titles import title_line

_CLIP = TypeAdapter(Clip)
_PROJECT = TypeAdapter(Project)
_OVERVIEW = TypeAdapter(ProjectOverview)
_PAST_CLIP = TypeAdapter(PastClip)
_WRITTEN_BY_USERS = (
    "script",
    "scenes",
    "frames",
    "clips",
    "video_url",
    "input_image_url",
    "audio_recording_url",
)
_NOT_CLAIMED = {"first_frame": "", "last_frame": "", "prompt": ""}


def clip_row(clip: Clip) -> dict[str, object]:
    """Give all of a clip's columns: times as fixed-width UTC text, which sorts rightly; `request` a dict."""
    return {
        **clip_state(clip),
        "project_id": clip.project_id,
        "scene": clip.scene,
        "fingerprint": clip.fingerprint,
        "attempt": clip.attempt,
        "request": asdict(clip.request),
        "submitted_at": timestamp(clip.submitted_at),
        "copied_from": clip.copied_from,
    }


def clip_state(clip: Clip) -> dict[str, object]:
    """Give the columns that change in a clip's life, and its key."""
    failure = clip.failure
    return {
        "task_uuid": clip.task_uuid,
        "status": clip.status.value,
        "sends": clip.sends,
        "last_sent_at": timestamp(clip.last_sent_at),
        "throttled": clip.throttled,
        "send_after": timestamp(clip.send_after),
        "reopened_at": timestamp(clip.reopened_at),
        "unknown_since": timestamp(clip.unknown_since),
        "unknown_answers": clip.unknown_answers,
        "video_url": clip.video_url,
        "failure_kind": failure.kind.value if failure else None,
        "failure_code": failure.code if failure else None,
        "failure_message": failure.message if failure else None,
        "failure_detail": failure.detail if failure else None,
        "cost_usd": clip.cost_usd,
        "settled_at": timestamp(clip.settled_at),
        "settled_by": clip.settled_by.value if clip.settled_by else None,
        "version": clip.version,
    }


def read_clip(row: Mapping[str, object]) -> Clip:
    """Read a clip from its columns."""
    parts = {part: row[f"failure_{part}"] for part in ("kind", "code", "message")}
    # Rows of before this column have none.
    failure = None if parts["kind"] is None else {**parts, "detail": row.get("failure_detail") or ""}
    return _CLIP.validate_python({**row, "failure": failure})


def read_claimed_clip(row: Mapping[str, Any]) -> Clip:
    """Read a clip as a claim gives it, without frames and prompt."""
    return read_clip({**row, "request": {**row["request"], **_NOT_CLAIMED}})


def read_project(row: Mapping[str, Any]) -> Project:
    """Read a project from its columns, those of JSON as texts; one that is missing or null keeps its default.

    Whatever they hold: a project that can't be read says why. `bytes` has its size, where that is limited.
    """
    problem = size_problem(row["bytes"]) if "bytes" in row else ""
    columns = read_columns({name: row.get(name) for name in ("scenes", "frames", "clips")})
    problem = problem or columns.problem
    if problem:
        return _project({**row, **dict.fromkeys(_WRITTEN_BY_USERS), "unreadable": problem})
    return _project({**row, **columns.values})


def _project(row: Mapping[str, object]) -> Project:
    known = {name: value for name, value in row.items() if value is not None}
    choice = {name: row.get(name) for name in ("model", "resolution", "audio")}
    return _PROJECT.validate_python({**known, "choice": choice, "clips": _shown(row.get("clips"))})


def read_overview(row: Mapping[str, Any]) -> ProjectOverview:
    """Read a list's entry from the columns of a project and what was counted beside them."""
    return _OVERVIEW.validate_python(
        {
            **row,
            "project": _project(row),
            "title": title_line(row["title"]),
            "thumbnails": [url for url in row["thumbnails"] if isinstance(url, str) and url],
            "scenes": row["scene_count"],
        }
    )


def read_past_clip(row: Mapping[str, object]) -> PastClip:
    """Read what a successful clip tells about the next."""
    return _PAST_CLIP.validate_python(row)


def timestamp(moment: datetime | None) -> str | None:
    """Write an aware time as UTC, to the microsecond."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def _shown(clips: object) -> Mapping[str, str]:
    # Until the ledger knows the project, the column holds whatever others have written into it.
    entries = clips.items() if isinstance(clips, Mapping) else ()
    return {task: shown for task, shown in entries if isinstance(task, str) and isinstance(shown, str)}
