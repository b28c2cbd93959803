"""The bodies of requests and answers. The handlers use these models, and /openapi.json is made from them."""

import json
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, RootModel

from service.clips.models import Clip, Project
from service.clips.progress import Progress, SceneProgress
from service.workflow.generate import Generated
from service.workflow.ports import ProjectDraft

# Each scene can cost dollars: more than this in one call is a mistake.
MAX_SCENES = 10_000


def _absent(value: object) -> bool:
    return value is None


def _scene_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _finite(value: object) -> object:
    # Infinity is no JSON, and no database could be asked about what holds it.
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("numbers must be finite") from None
    return value


Optional = Field(default=None, exclude_if=_absent)
SceneName = Annotated[str, BeforeValidator(_scene_text, json_schema_input_type=str | int)]
ByScene = Annotated[
    dict[str, dict[str, JsonValue] | None], Field(max_length=MAX_SCENES), AfterValidator(_finite)
]
Clips = Annotated[
    dict[str, str], Field(description='By task UUID: "pending", "failed" or the URL of the finished video.')
]


class ProjectCall(BaseModel):
    """Names the project that a call is about."""

    project_id: UUID


class RetryCall(ProjectCall):
    """Names the project, and the scenes to retry; without `scenes`, every failed one."""

    scenes: list[SceneName] | None = Field(default=None, max_length=MAX_SCENES)


class NewProject(BaseModel):
    """A project to store. Frames and scenes are by scene number; what is incomplete is taken as it is."""

    model_config = ConfigDict(extra="forbid")

    frames: ByScene
    scenes: ByScene = Field(default_factory=dict)
    script: str | None = None
    input_image_url: str | None = None
    audio_recording_url: str | None = None

    def draft(self) -> ProjectDraft:
        """Give it as the workflow takes it."""
        return ProjectDraft(**dict(self))


class ProjectStored(BaseModel):
    """The id of a new project."""

    id: UUID


class Counts(BaseModel):
    """How many scenes there are, and how they stand: the three add up to the total."""

    success: Literal[True] = True
    project_id: str
    total_clips: int
    completed: int
    pending: int
    failed: int
    clips: Clips


class SceneResult(BaseModel):
    """What came of one scene in a call. `success`: its video is there or may still come."""

    scene_key: Annotated[str, Field(serialization_alias="sceneKey")]
    task_uuid: Annotated[str | None, Field(serialization_alias="taskUUID")]
    success: bool
    video_url: Annotated[str | None, Field(serialization_alias="videoURL", exclude_if=_absent)] = None
    error: str | None = Optional

    @classmethod
    def of(cls, scene: SceneProgress, problem: str | None) -> Self:
        """Tell of a scene as it stands; `problem` is what keeps it from being submitted now."""
        clip = scene.clip
        return cls(
            scene_key=scene.scene,
            task_uuid=clip.task_uuid if clip else None,
            success=problem is None and scene.status != "failed",
            video_url=clip.video_url if clip else None,
            error=problem or scene.error,
        )


class GenerateAnswer(Counts):
    """How the project stands after `generate-clips` or `retry-clips`, and what came of each scene."""

    all_complete: bool
    results: list[SceneResult]

    @classmethod
    def of(cls, project_id: str, generated: Generated) -> Self:
        """Tell what was generated."""
        return cls(
            **_counts(project_id, generated.progress),
            all_complete=0 < generated.progress.total == generated.progress.completed,
            results=[
                SceneResult.of(scene, generated.problems.get(scene.scene)) for scene in generated.scenes
            ],
        )


class JobDetail(BaseModel):
    """One scene's job, in the words of `check-clips-status`. A scene without a clip has no `jobId`."""

    job_id: Annotated[str | None, Field(serialization_alias="jobId")]
    scene_key: Annotated[str, Field(serialization_alias="sceneKey")]
    status: Literal["completed", "pending", "failed"]
    video_url: Annotated[str | None, Field(serialization_alias="videoUrl", exclude_if=_absent)] = None
    error: str | None = Optional


class StatusAnswer(Counts):
    """How the project stands, after Runware was asked."""

    details: list[JobDetail]

    @classmethod
    def of(cls, project_id: str, progress: Progress) -> Self:
        """Tell of each scene."""
        details = [
            JobDetail(
                job_id=scene.clip.task_uuid if scene.clip else None,
                scene_key=scene.scene,
                status=scene.status,
                video_url=scene.clip.video_url if scene.clip else None,
                error=scene.error,
            )
            for scene in progress.scenes
        ]
        return cls(**_counts(project_id, progress), details=details)


class JobError(BaseModel):
    """Why a clip failed: code and message as the provider gave them, and whose word it is (`kind`)."""

    code: str
    message: str
    kind: str


class Job(BaseModel):
    """A scene's current clip."""

    scene: str
    task_uuid: str
    status: Literal["submitting", "pending", "succeeded", "failed"]
    video_url: str | None
    error: JobError | None
    cost_usd: float | None
    duration_s: int
    attempt: int
    submitted_at: datetime
    settled_at: datetime | None
    settled_by: Literal["webhook", "poll", "check", "submission", "timeout"] | None

    @classmethod
    def of(cls, clip: Clip) -> Self:
        """Tell of a clip."""
        failure = clip.failure
        return cls(
            scene=clip.scene,
            task_uuid=clip.task_uuid,
            status=clip.status.value,
            video_url=clip.video_url,
            error=failure and JobError(code=failure.code, message=failure.message, kind=failure.kind),
            cost_usd=clip.cost_usd,
            duration_s=clip.request.duration_s,
            attempt=clip.attempt,
            submitted_at=clip.submitted_at,
            settled_at=clip.settled_at,
            settled_by=clip.settled_by and clip.settled_by.value,
        )


class ProjectSummary(BaseModel):
    """A project without what can be long: its script, scenes and frames."""

    id: UUID
    clips: Clips
    video_url: str | None
    input_image_url: str | None
    audio_recording_url: str | None
    user_id: UUID | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, project: Project) -> Self:
        """Tell of a project."""
        return cls.model_validate(project, from_attributes=True)


class ProjectList(BaseModel):
    """The newest projects, newest first."""

    projects: list[ProjectSummary]


class ProjectDetail(ProjectSummary):
    """A project's row under its column names, and its jobs in scene order."""

    script: str | None
    scenes: Any
    frames: Any
    jobs: list[Job]

    @classmethod
    def with_jobs(cls, project: Project, progress: Progress) -> Self:
        """Tell of a project and of its clips."""
        columns = {name: getattr(project, name) for name in project.__dataclass_fields__}
        return cls(**columns, jobs=[Job.of(scene.clip) for scene in progress.scenes if scene.clip])


class WebhookReceipt(BaseModel):
    """That a webhook's result is stored; `changed` is false for a duplicate."""

    success: Literal[True] = True
    changed: bool


class Health(BaseModel):
    """That the process runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the service can do its work, and which part can't.

    `missing_migrations` names what the database's schema lacks of this release's.
    """

    ready: bool
    store: Literal["reachable", "outdated", "unreachable"]
    poller: Literal["alive", "stalled"]
    missing_migrations: list[str]


class MetricsText(RootModel[str]):
    """The metrics in Prometheus' text format. It is sent as it is, not as JSON."""

    media_type: ClassVar[str] = "text/plain; version=0.0.4; charset=utf-8"


class ErrorAnswer(BaseModel):
    """What went wrong, for a person (`error`) and for a program (`code`)."""

    success: Literal[False] = False
    error: str
    code: str


def _counts(project_id: str, progress: Progress) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "total_clips": progress.total,
        "completed": progress.completed,
        "pending": progress.pending,
        "failed": progress.failed,
        "clips": dict(progress.clips),
    }
