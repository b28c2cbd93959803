"""Clips that were made before the ledger: all that is left of them stands in `projects.clips`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from service.clips.fingerprint import fingerprint
from service.clips.frames import http_parts
from service.clips.models import Clip, ClipRequest, ClipStatus, Project, ProjectOverview, SettledBy, TaskUUID
from service.clips.outcomes import Failed, Outcome, Succeeded
from service.errors import AdoptionRefused

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EarlierClip:
    """A clip of which nobody kept the scene, the reason of its failure, or the cost.

    `url` is its video's, set where the status is `completed`.
    """

    task_uuid: TaskUUID
    status: Literal["pending", "failed", "completed"]
    url: str | None = None


def earlier_clips(column: object) -> Sequence[EarlierClip]:
    """Read the value of `projects.clips` of a project of which the ledger has no clip.

    In the order of their UUIDs, in which the web application shows them. What can't be read is left out.
    """
    entries = column.items() if isinstance(column, Mapping) else ()
    found = [_earlier_clip(task, shown) for task, shown in entries]
    return sorted((one for one in found if one is not None), key=lambda one: one.task_uuid)


def listed_earlier_clips(overview: ProjectOverview) -> Sequence[EarlierClip]:
    """Give the earlier clips of a project in a list: none, once the ledger has a clip of it."""
    known = overview.completed + overview.pending + overview.failed
    return () if known else earlier_clips(overview.project.clips)


def ended(outcome: Outcome) -> str | None:
    """Give what `projects.clips` says of a clip that ended, by Runware's own word; None before its end."""
    match outcome:
        case Succeeded(video_url):
            return video_url
        case Failed(failure) if not failure.kind.presumed:
            return "failed"
        case _:
            return None


def after_ends(earlier: Sequence[EarlierClip], ends: Mapping[TaskUUID, str]) -> Sequence[EarlierClip]:
    """Give the clips as they stand after some ends, each as `ended` gives it."""
    return [_earlier_clip(one.task_uuid, ends.get(one.task_uuid)) or one for one in earlier]


def adopted_clips(
    project: Project,
    requests: Sequence[ClipRequest],
    earlier: Sequence[EarlierClip],
    check_video_url: Callable[[str], str | None],
    now: datetime,
) -> Sequence[Clip]:
    """Make the earlier clips those of a project's complete scenes, the first of the first, and so on.

    `requests` are what the project asks for now, in scene order; `check_video_url` gives the reason why a URL
    may not be handed on. Whether the order of the UUIDs is that of the scenes, nobody can know: the caller
    has seen the pairs. Raises AdoptionRefused, if number or order do not match.
    """
    if refusal := _refusal(requests, earlier):
        raise AdoptionRefused(f"{refusal} Nothing was adopted, and nothing was bought.")
    for number, one in enumerate(earlier, 1):
        if one.url is not None and (reason := check_video_url(one.url)):
            raise AdoptionRefused(
                f"The video of earlier clip {number} may not be handed on: {reason}. Mend VIDEO_HOSTS, or "
                "leave out adopt to have the clips made anew. Nothing was adopted, and nothing was bought."
            )
    return [_adopted(project, request, one, now) for request, one in zip(requests, earlier, strict=True)]


def _refusal(requests: Sequence[ClipRequest], earlier: Sequence[EarlierClip]) -> str | None:
    pending = sum(one.status == "pending" for one in earlier)
    failed = sum(one.status == "failed" for one in earlier)
    if not earlier:
        return "The project has no clips from before the ledger. Leave out adopt to have its clips made."
    if pending:
        return (
            f"{_of(pending, earlier)} may still come. Call check-clips-status until none is pending, "
            "then call again."
        )
    if failed:
        return (
            f"{_of(failed, earlier)} failed, so that nobody can say which scene each of the others belongs "
            "to. Leave out adopt to have the clips made anew."
        )
    if len(earlier) != len(requests):
        return (
            f"Scenes that have both frames: {len(requests)}; earlier clips: {len(earlier)}. They can't be "
            "matched. Correct the project's frames, or leave out adopt to have the clips made anew."
        )
    return None


def _of(count: int, earlier: Sequence[EarlierClip]) -> str:
    return f"{count} of the {len(earlier)} earlier clips"


def _adopted(project: Project, request: ClipRequest, earlier: EarlierClip, now: datetime) -> Clip:
    start = Clip(
        task_uuid=earlier.task_uuid,
        project_id=project.id,
        request=request,
        fingerprint=fingerprint(project.id, request),
        attempt=1,
        status=ClipStatus.SUCCEEDED,
        submitted_at=project.created_at,
    )
    return replace(
        start,
        # So that nobody learns from it how long clips take.
        reopened_at=now,
        video_url=earlier.url,
        settled_at=now,
        settled_by=SettledBy.CHECK,
    )


def _earlier_clip(task_uuid: object, shown: object) -> EarlierClip | None:
    if not (isinstance(task_uuid, str) and _UUID.fullmatch(task_uuid) and isinstance(shown, str)):
        return None
    task = TaskUUID(task_uuid)
    if shown == "pending":
        return EarlierClip(task, "pending")
    if shown == "failed":
        return EarlierClip(task, "failed")
    return EarlierClip(task, "completed", shown) if http_parts(shown) is not None else None
