"""Clips that come along when a project is duplicated."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from service.clips.fingerprint import fingerprint
from service.clips.models import Clip, ClipStatus, ProjectId, TaskUUID
from service.clips.planning import scene_order
from service.clips.task_uuids import Draw, filled


def duplicated_clips(project_id: ProjectId, current: Iterable[Clip], draw: Draw) -> Sequence[Clip]:
    """Give a project's finished clips as those of its duplicate, in scene order and with UUIDs that sort so.

    `current` are the clips that the project shows. What has failed or may still come is left behind. Each has
    the video and the times of the original, so that the link ends when that one's does, and cost nothing. An
    adopted clip stays an adopted one, of which nobody knows when it was made.
    """
    finished = [clip for clip in current if clip.status is ClipStatus.SUCCEEDED]
    in_order = sorted(finished, key=lambda clip: scene_order(clip.scene))
    tasks = filled([None] * len(in_order), draw)
    return [_duplicated(project_id, clip, task) for clip, task in zip(in_order, tasks, strict=True)]


def _duplicated(project_id: ProjectId, clip: Clip, task_uuid: TaskUUID) -> Clip:
    start = Clip(
        task_uuid=task_uuid,
        project_id=project_id,
        request=clip.request,
        fingerprint=fingerprint(project_id, clip.request),
        attempt=1,
        status=ClipStatus.SUCCEEDED,
        submitted_at=clip.submitted_at,
        reopened_at=clip.reopened_at,
        video_url=clip.video_url,
        settled_at=clip.settled_at,
        settled_by=clip.settled_by,
    )
    if clip.adopted:
        return start
    return replace(start, cost_usd=0, copied_from=clip.copied_from or clip.task_uuid)
