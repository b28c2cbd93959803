"""Where each scene of a project stands, for everyone who asks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.clips.models import Clip, ClipStatus, SceneKey
from service.clips.planning import scene_order

_SHOWN = {
    ClipStatus.SUBMITTING: "pending",
    ClipStatus.PENDING: "pending",
    ClipStatus.SUCCEEDED: "completed",
    ClipStatus.FAILED: "failed",
}
_NOT_ASKED_FOR = "No clip has been asked for yet. Call generate-clips."
_NOTHING_TO_RETRY = "Nothing was retried: no clip has been asked for yet. Call generate-clips."
# What is said of a scene that was not retried; one that failed since the call began is retried by the next.
_NOT_FAILED = {"completed": "is done", "pending": "is being made", "failed": "has only just failed"}
# Enough for a person to see what was meant.
_MOST_LISTED = 20


class Stage(StrEnum):
    """What is happening to a clip right now, as far as the service knows."""

    QUEUED = "queued"
    """Recorded; its request has not been sent yet."""
    SENT = "sent"
    """On its way; Runware has not acknowledged it yet."""
    GENERATING = "generating"
    """Runware has it."""
    CHECKING = "checking"
    """Runware did not know it when it was last asked, so that it is asked again."""
    THROTTLED = "throttled"
    """Runware had no room for it, and did not take it. It is sent again after a pause."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def stage(clip: Clip) -> Stage:
    """Say what is happening to a clip."""
    if clip.status.settled:
        return Stage.SUCCEEDED if clip.status is ClipStatus.SUCCEEDED else Stage.FAILED
    if clip.status is ClipStatus.PENDING:
        return Stage.CHECKING if clip.unknown_answers else Stage.GENERATING
    if clip.send_after is not None:
        return Stage.THROTTLED
    if clip.sends - clip.throttled > 1:
        return Stage.CHECKING
    return Stage.SENT if clip.sends else Stage.QUEUED


@dataclass(frozen=True, slots=True)
class SceneProgress:
    """One scene: its current clip; without one, `problem` says why."""

    scene: SceneKey
    clip: Clip | None
    problem: str

    @property
    def status(self) -> str:
        """`completed`, `pending` or `failed`, the words that the frontend knows."""
        return "failed" if self.clip is None else _SHOWN[self.clip.status]

    @property
    def error(self) -> str | None:
        """Why there is no video, in words for a person; None where nothing is wrong."""
        if self.clip is None:
            return self.problem
        return self.clip.failure.sentence if self.clip.failure else None


@dataclass(frozen=True, slots=True)
class Progress:
    """All scenes that were asked for, in scene order: each is completed, pending or failed."""

    scenes: Sequence[SceneProgress]

    @property
    def total(self) -> int:
        """How many scenes there are; always the sum of the three counts."""
        return len(self.scenes)

    @property
    def completed(self) -> int:
        """How many have their video."""
        return self._count("completed")

    @property
    def pending(self) -> int:
        """How many may still get it."""
        return self._count("pending")

    @property
    def failed(self) -> int:
        """How many will not, unless they are retried."""
        return self._count("failed")

    @property
    def clips(self) -> Mapping[str, str]:
        """The value of `projects.clips`: `{task UUID: "pending" | "failed" | video URL}`."""
        return {
            scene.clip.task_uuid: scene.clip.video_url or scene.status
            for scene in self.scenes
            if scene.clip is not None
        }

    def left_alone(self, named: Collection[SceneKey] | None, retried: Collection[SceneKey]) -> str:
        """Say which scenes a retry did not retry, and why; "" where it retried all that it was to.

        `named` are the scenes that the call named, None where it was about all that failed.
        """
        if named is None:
            if retried:
                return ""
            return "Nothing was retried: no clip has failed." if self.scenes else _NOTHING_TO_RETRY
        left = [scene for scene in self.scenes if scene.scene in named and scene.scene not in retried]
        if not left:
            return "" if self.scenes else _NOTHING_TO_RETRY
        told = [f"scene {scene.scene} {_NOT_FAILED[scene.status]}" for scene in left[:_MOST_LISTED]]
        if len(left) > _MOST_LISTED:
            told.append(f"and {len(left) - _MOST_LISTED} more have not failed")
        return f"{'Not retried' if retried else 'Nothing was retried'}: {', '.join(told)}."

    def _count(self, status: str) -> int:
        return sum(scene.status == status for scene in self.scenes)


def progress(current: Iterable[Clip], problems: Mapping[SceneKey, str | None]) -> Progress:
    """Put together the current clips and the project's scenes, each with what it lacks for a clip, or None.

    A scene that got its clip and lost a frame since is shown by its clip. A project for which no clip was
    ever asked has no progress: nothing of it has failed yet.
    """
    clips = {clip.scene: clip for clip in current}
    if not clips:
        return Progress([])
    keys = sorted({*clips, *problems}, key=scene_order)
    return Progress([SceneProgress(key, clips.get(key), problems.get(key) or _NOT_ASKED_FOR) for key in keys])
