"""Where each scene of a project stands, for everyone who asks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.clips.earlier import EarlierClip
from service.clips.models import Clip, ClipStatus, SceneKey
from service.clips.planning import scene_order

_SHOWN = {
    ClipStatus.SUBMITTING: "pending",
    ClipStatus.PENDING: "pending",
    ClipStatus.SUCCEEDED: "completed",
    ClipStatus.FAILED: "failed",
}
NOT_ASKED_FOR = "No clip has been asked for yet. Call generate-clips."
# Enough for a person to act on; a message is no place for thousands.
_MOST_REASONS = 3
_MOST_SCENES = 5
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
    """All scenes that were asked for, in scene order: each is completed, pending or failed.

    `earlier` are the clips of a project of which the ledger has none. They are counted, and have no scenes.
    """

    scenes: Sequence[SceneProgress]
    earlier: Sequence[EarlierClip] = ()

    @property
    def total(self) -> int:
        """How many scenes there are, or earlier clips; always the sum of the three counts."""
        return len(self.scenes) + len(self.earlier)

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
        of_scenes: dict[str, str] = {
            scene.clip.task_uuid: scene.clip.video_url or scene.status
            for scene in self.scenes
            if scene.clip is not None
        }
        return of_scenes | {one.task_uuid: one.url or one.status for one in self.earlier}

    def left_alone(self, named: Collection[SceneKey] | None, retried: Collection[SceneKey]) -> str:
        """Say which scenes a retry did not retry, and why; "" where it retried all that it was to.

        `named` are the scenes that the call named, None where it was about all that failed.
        """
        if named is None:
            return "" if retried else "Nothing was retried: no clip has failed."
        left = [scene for scene in self.scenes if scene.scene in named and scene.scene not in retried]
        if not left:
            return ""
        told = [f"scene {scene.scene} {_NOT_FAILED[scene.status]}" for scene in left[:_MOST_LISTED]]
        if len(left) > _MOST_LISTED:
            told.append(f"and {len(left) - _MOST_LISTED} more have not failed")
        return f"{'Not retried' if retried else 'Nothing was retried'}: {', '.join(told)}."

    def _count(self, status: str) -> int:
        statuses: list[str] = [scene.status for scene in self.scenes]
        return (statuses + [one.status for one in self.earlier]).count(status)


def progress(current: Iterable[Clip], problems: Mapping[SceneKey, str | None]) -> Progress:
    """Put together the current clips and the project's scenes, each with what it lacks for a clip, or None.

    A scene that got its clip and lost a frame since is shown by its clip. A project for which no clip was
    ever asked has no progress: nothing of it has failed yet.
    """
    clips = {clip.scene: clip for clip in current}
    if not clips:
        return Progress([])
    keys = sorted({*clips, *problems}, key=scene_order)
    return Progress([SceneProgress(key, clips.get(key), problems.get(key) or NOT_ASKED_FOR) for key in keys])


def why_nothing_made(
    scenes: Sequence[SceneProgress],
    problems: Mapping[SceneKey, str] | None = None,
    earlier: Sequence[EarlierClip] = (),
) -> str | None:
    """Say why none of these scenes has its video or may still get it; None if that is not so.

    `problems` says of some what kept them from being submitted just now. `earlier` clips have no scenes.
    """
    if earlier and all(one.status == "failed" for one in earlier):
        return "All clips that were made before this service kept a ledger have failed. Generate them anew."
    if not scenes or any(scene.status != "failed" for scene in scenes):
        return None
    scenes_by_reason: dict[str, list[SceneKey]] = {}
    for scene in scenes:
        reason = (problems or {}).get(scene.scene) or scene.error or "No reason was given."
        scenes_by_reason.setdefault(reason, []).append(scene.scene)
    told = list(scenes_by_reason.items())[:_MOST_REASONS]
    reasons = " ".join(f"{_named(keys)}: {reason.rstrip('.')}." for reason, keys in told)
    left_out = len(scenes) - sum(len(keys) for _, keys in told)
    more = f" {left_out} more failed for other reasons." if left_out else ""
    return f"No clip could be made. {reasons}{more} Correct what is wrong, then generate the clips again."


def _named(keys: Sequence[SceneKey]) -> str:
    if len(keys) == 1:
        return f"Scene {keys[0]}"
    named = list(keys[:_MOST_SCENES])
    last = f"{len(keys) - len(named)} more" if len(named) < len(keys) else named.pop()
    return f"Scenes {', '.join(named)} and {last}"
