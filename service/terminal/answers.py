"""What the commands read of the service's answers.

These are models of their own, not those of `service.web`: a client meets services older and newer than
itself, so it reads what it shows and ignores the rest.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError


def printable(text: object) -> object:
    """Take out what a terminal would obey; anything but text is left to the model."""
    return "".join(c if c.isprintable() else " " for c in text) if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(printable)]


class JobError(BaseModel):
    """Why a clip failed: all that a person needs to read; an older service has the message alone."""

    message: Text = Field(validation_alias=AliasChoices("sentence", "message"))


class Job(BaseModel):
    """A scene's current clip."""

    scene: Text
    task_uuid: Text
    status: Literal["submitting", "pending", "succeeded", "failed"]
    video_url: Text | None
    error: JobError | None
    cost_usd: float | None
    duration_s: int
    attempt: int
    submitted_at: datetime
    settled_at: datetime | None
    settled_by: Text | None
    adopted: bool = False
    copied: bool = False


class EarlierClip(BaseModel):
    """A clip that was made before the ledger."""

    task_uuid: Text = Field(validation_alias=AliasChoices("jobId", "task_uuid"))
    status: Literal["completed", "pending", "failed"]
    video_url: Text | None = Field(default=None, validation_alias=AliasChoices("videoUrl", "video_url"))


class Quote(BaseModel):
    """What making a scene's clip costs, None where that is not known; nothing, where it is paid."""

    usd: float | None
    paid: bool


class ProjectAnswer(BaseModel):
    """A project's jobs, in scene order, and the clips of before the ledger while that has none.

    `quotes` are by scene; an older service has none.
    """

    jobs: Sequence[Job]
    earlier: Sequence[EarlierClip] = ()
    quotes: Mapping[str, Quote] | None = None


class ProjectQuotes(BaseModel):
    """The quotes of a project, by scene, with a choice."""

    quotes: Mapping[str, Quote]


class SceneAnswer(BaseModel):
    """One scene in the answer of a function."""

    scene: Text = Field(validation_alias="sceneKey")
    task_uuid: Text | None = Field(validation_alias=AliasChoices("taskUUID", "jobId"))
    error: Text | None = None


class FunctionAnswer(BaseModel):
    """What a function says of the scenes, under either of the names that it has for them.

    `note` says what a retry did not retry.
    """

    scenes: Sequence[SceneAnswer] = Field(validation_alias=AliasChoices("results", "details"))
    note: Text | None = None


class SceneCounts(BaseModel):
    """How many scenes a project has, and how many have their clip, may still get it, or will not."""

    total: int
    completed: int
    pending: int
    failed: int


class ProjectSummary(BaseModel):
    """A project in the list; `clips` by task UUID: "pending", "failed" or a URL.

    Services before 0.2 give neither title nor counts nor cost.
    """

    id: UUID
    created_at: datetime
    clips: Mapping[str, str]
    title: Text = ""
    counts: SceneCounts | None = None
    cost_usd: float | None = None


class ProjectList(BaseModel):
    """A page of projects, newest first; `next` is set where there are more. An older service does not say."""

    projects: Sequence[ProjectSummary]
    next: str | None = None

    @property
    def takes_filters(self) -> bool:
        """Whether the service knows of filters: an older one takes no notice of them."""
        return "next" in self.model_fields_set


class StoredProject(BaseModel):
    """A project that was stored, or is back."""

    id: UUID


class DeletedProject(BaseModel):
    """A project that is deleted, and since when it is."""

    id: UUID
    deleted_at: datetime


class StoredImage(BaseModel):
    """Where an uploaded image is."""

    url: str


class Refusal(BaseModel):
    """Why the service did not do what was asked, for a person (`error`) and for a program (`code`)."""

    error: Text
    code: Text = ""


def told_by_failure(content: bytes) -> Sequence[SceneAnswer] | None:
    """Read what a function that failed says of the scenes; None if it says nothing of them.

    `nothing_made` tells of each scene why it has no clip; of `nothing_asked` there is no scene to tell.
    """
    try:
        match Refusal.model_validate_json(content).code:
            case "nothing_made":
                return FunctionAnswer.model_validate_json(content).scenes
            case "nothing_asked":
                return ()
    except ValidationError:
        pass
    return None
