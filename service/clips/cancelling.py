"""Which clips can still be cancelled, and what to say of the others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from service.clips.models import Clip, ClipStatus, FailureKind, SceneKey, TaskUUID
from service.clips.planning import scene_order

CANCELLED = "cancelled"
_SENT = (
    "It was sent to Runware, which has no way to cancel a job: the clip comes, and is paid for. "
    "Removing its scene only hides it."
)
_DONE = "Its clip is done and paid for, so that there is nothing to cancel."
_FAILED = "Its clip has failed, so that there is nothing to cancel."
_NO_CLIP = "No clip of it is being made, so that there is nothing to cancel."
# Enough for a person to act on; a message is no place for thousands.
_MOST_SCENES = 5


@dataclass(frozen=True, slots=True)
class SceneCancelled:
    """What came of a scene that was to be cancelled: nothing of it is made, or `reason` says why not."""

    scene: SceneKey
    task_uuid: TaskUUID | None
    reason: str | None


def can_be_cancelled(clip: Clip) -> bool:
    """Whether nothing that carried the clip's task can have been taken, so that it costs nothing yet."""
    return clip.status is ClipStatus.SUBMITTING and not clip.maybe_taken


def cancelled(scene: SceneKey, clips: Sequence[Clip]) -> SceneCancelled:
    """Say what came of a scene; `clips` are all of its clips that the call was about, as they are after it.

    One that is on its way weighs more than what was cancelled beside it, as where the scene was edited: what
    a person has to know is that money is still spent.
    """
    sent = [clip for clip in clips if not clip.status.settled]
    withdrawn = [clip for clip in clips if was_cancelled(clip)]
    if sent:
        return SceneCancelled(scene, sent[0].task_uuid, _SENT)
    if withdrawn:
        return SceneCancelled(scene, withdrawn[0].task_uuid, None)
    if not clips:
        return SceneCancelled(scene, None, _NO_CLIP)
    done = clips[0].status is ClipStatus.SUCCEEDED
    return SceneCancelled(scene, clips[0].task_uuid, _DONE if done else _FAILED)


def was_cancelled(clip: Clip) -> bool:
    """Whether a person took the clip back before it was sent."""
    failure = clip.failure
    return failure is not None and (failure.kind, failure.code) == (FailureKind.WITHDRAWN, CANCELLED)


def why_nothing_cancelled(results: Collection[SceneCancelled]) -> str | None:
    """Say why nothing was cancelled; None if something was."""
    if any(result.reason is None for result in results):
        return None
    scenes_by_reason: dict[str, list[SceneKey]] = {}
    for result in sorted(results, key=lambda one: scene_order(one.scene)):
        scenes_by_reason.setdefault(result.reason or "", []).append(result.scene)
    told = " ".join(f"{_named(scenes)}: {reason}" for reason, scenes in scenes_by_reason.items())
    return f"Nothing was cancelled. {told or 'No clip of the project is being made.'}"


def _named(scenes: Sequence[SceneKey]) -> str:
    more = [f"{len(scenes) - _MOST_SCENES} more"] if len(scenes) > _MOST_SCENES else []
    return f"Scene{'s' if len(scenes) > 1 else ''} {', '.join([*scenes[:_MOST_SCENES], *more])}"
