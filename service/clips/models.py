from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

ProjectId = NewType("ProjectId", str)
SceneKey = NewType("SceneKey", str)
TaskUUID = NewType("TaskUUID", str)
Fingerprint = NewType("Fingerprint", str)
UserId = NewType("UserId", str)

THUMBNAILS = 6
# What helps where Runware refuses the key, or the account has no credit.
ACCOUNT_REMEDY = (
    "Check RUNWARE_API_KEY and the credit in Runware's dashboard: clips doctor says which of them it is."
)


class ClipStatus(StrEnum):
    """Where a clip stands: `submitting` → `pending` → `succeeded` or `failed`."""

    SUBMITTING = "submitting"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected of Runware."""
        return self in (ClipStatus.SUCCEEDED, ClipStatus.FAILED)


class SettledBy(StrEnum):
    """Which path brought a clip's end."""

    WEBHOOK = "webhook"
    POLL = "poll"
    CHECK = "check"
    SUBMISSION = "submission"
    TIMEOUT = "timeout"


class FailureKind(StrEnum):
    """Whose word a failure is, and so what a person can do about it."""

    REJECTED = "rejected"
    """Runware refused the task as it was sent."""
    SAFETY = "safety"
    """The prompt, a frame or the video was moderated."""
    ACCOUNT = "account"
    """Key, credit or permission: no task would have been taken."""
    PROVIDER = "provider"
    """The task was taken and failed."""
    TIMEOUT = "timeout"
    """Presumed: no end within the clip's time."""
    LOST = "lost"
    """Presumed: Runware keeps saying that it does not know the task."""
    WITHDRAWN = "withdrawn"
    """Never sent: a person cancelled it, or the video of an earlier attempt came first."""

    @property
    def presumed(self) -> bool:
        """Whether this is our conclusion only, so that a late success still replaces it."""
        return self in (FailureKind.TIMEOUT, FailureKind.LOST)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a clip failed. `code` and `message` are Runware's own where it gave them.

    `detail` is what the model's provider said to Runware, such as which safety setting struck; often empty.
    """

    kind: FailureKind
    code: str
    message: str
    detail: str = ""

    @property
    def sentence(self) -> str:
        """All that a person needs to read: the message, and the detail where that says more."""
        if self.detail in self.message:
            return self.message
        stop = "" if self.message.endswith((".", "!", "?")) else "."
        return f"{self.message}{stop} {self.detail}"


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """The part of a request that the installation and the project's choice decide, not the scene.

    `resolution` is empty where the model has no choice of it. `extra` is an RFC 7396 merge patch for the
    task as it is sent.
    """

    model: str
    resolution: str
    generate_audio: bool
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose for a project; None leaves it to the installation."""

    model: str | None = None
    resolution: str | None = None
    audio: bool | None = None

    def over(self, earlier: "Choice") -> "Choice":
        """Give the project's choice after this one.

        A choice that names a model begins anew. Without one it stays with the earlier model, so that a call
        for another resolution does not change, unasked, which model is paid for.
        """
        if self.model is not None:
            return self
        return Choice(
            model=earlier.model,
            resolution=earlier.resolution if self.resolution is None else self.resolution,
            audio=earlier.audio if self.audio is None else self.audio,
        )


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """What is asked of the provider for one scene. `duration_s` is in whole seconds."""

    scene: SceneKey
    first_frame: str
    last_frame: str
    prompt: str
    duration_s: int
    settings: GenerationSettings


@dataclass(frozen=True, slots=True)
class Clip:
    """One attempt at one scene's clip, and the ledger's entry for the money that it may cost.

    `attempt` counts from 1 the jobs started for the same fingerprint; `sends` counts the requests that
    carried this task, `throttled` those of them that Runware refused for the moment. After such a refusal the
    task is not sent before `send_after`. `submitted_at` is when the entry was committed, before anything was
    sent: the clip's time runs from there, or from `reopened_at` where a person asked again after it was over
    and Runware still had the task. `version` rises with every stored change. `copied_from` is the task that
    was paid for, where this is the clip of a duplicated project; such a clip was never sent and cost nothing.
    """

    task_uuid: TaskUUID
    project_id: ProjectId
    request: ClipRequest
    fingerprint: Fingerprint
    attempt: int
    status: ClipStatus
    submitted_at: datetime
    sends: int = 0
    last_sent_at: datetime | None = None
    throttled: int = 0
    send_after: datetime | None = None
    reopened_at: datetime | None = None
    unknown_since: datetime | None = None
    unknown_answers: int = 0
    video_url: str | None = None
    failure: Failure | None = None
    cost_usd: float | None = None
    settled_at: datetime | None = None
    settled_by: SettledBy | None = None
    version: int = 0
    copied_from: TaskUUID | None = None

    @property
    def waiting_since(self) -> datetime:
        """When the clip's time began to run."""
        return self.reopened_at or self.submitted_at

    @property
    def maybe_taken(self) -> bool:
        """Whether Runware may have taken one of the requests that carried the task."""
        return self.sends > self.throttled

    @property
    def presumed_failed(self) -> bool:
        """Whether it failed by the service's own conclusion only, so that a video may still exist."""
        return self.failure is not None and self.failure.kind.presumed

    @property
    def adopted(self) -> bool:
        """Whether it was made before the ledger: there is a video, and this service never sent the task."""
        return self.status is ClipStatus.SUCCEEDED and self.sends == 0 and not self.copied

    @property
    def copied(self) -> bool:
        """Whether it came along when its project was duplicated."""
        return self.copied_from is not None

    @property
    def scene(self) -> SceneKey:
        """The key of the scene in the project's `frames` and `scenes`."""
        return self.request.scene


@dataclass(frozen=True, slots=True)
class Project:
    """A row of `projects`, under its column names.

    `frames` and `scenes` are as the web application wrote them: nothing about their insides is certain.
    `clips` is the projection of the current clips, `{task UUID: "pending" | "failed" | video URL}`.
    `edited` is the sequence number of the last edit that the row shows.
    `user_id` is its owner's; a project without one belongs to nobody in particular. `choice` is what was
    chosen for its next clips. `deleted_at` is when it was deleted, until it is restored.
    `unreadable` says what keeps the row from being read, in words that follow "can't be read:", else it is
    empty. Such a project has no script, scenes, frames, clips and URLs here.
    """

    id: ProjectId
    created_at: datetime
    updated_at: datetime
    script: str | None = None
    scenes: object = None
    frames: object = None
    clips: Mapping[str, str] = field(default_factory=dict)
    video_url: str | None = None
    input_image_url: str | None = None
    audio_recording_url: str | None = None
    user_id: UserId | None = None
    edited: int = 1
    choice: Choice = field(default_factory=Choice)
    deleted_at: datetime | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class ProjectOverview:
    """A project as a list shows it.

    `title` is what `titles.title` says; it can be empty.
    `thumbnails` are the frames of its first scenes, at most `THUMBNAILS` of them. `completed`, `pending` and
    `failed` count current clips, `scenes` all scenes; `cost_usd` adds up every attempt.
    """

    project: Project
    title: str
    thumbnails: Sequence[str]
    scenes: int
    completed: int
    pending: int
    failed: int
    cost_usd: float
