"""The bodies of requests and answers. The handlers use these models, and /openapi.json is made from them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    model_validator,
)

from service.clips.catalogue import Catalogue, VideoModel
from service.clips.earlier import EarlierClip, listed_earlier_clips
from service.clips.edits import MAX_SCENES
from service.clips.estimate import Price, UsualTime
from service.clips.links import link_expires_at
from service.clips.listing import Cursor, State, state_of
from service.clips.models import Choice, Clip, Failure, GenerationSettings, Project, ProjectOverview
from service.clips.progress import Progress, SceneProgress, Stage, stage
from service.clips.prompts import length_problem
from service.clips.quotes import Quote
from service.clips.readable import MAX_DEPTH, nested_too_deep
from service.clips.titles import title
from service.errors import ChoiceRefused
from service.suggestions import meant
from service.web.cursors import read_cursor, write_cursor
from service.workflow.cancelling import Cancelled
from service.workflow.generate import Generated
from service.workflow.poll import PollerHealth
from service.workflow.ports import ProjectDraft
from service.workflow.projects import Page, ProjectState

MAX_PROJECTS = 1000
# Characters; no title is longer.
_MAX_SEARCH = 160
# As JSON writes it; after an even number of backslashes, else the text only speaks of it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _absent(value: object) -> bool:
    return value is None


def _scene_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _storable(value: object) -> object:
    # Neither is what a database takes: Infinity is no JSON, and Postgres has no NUL in a text.
    try:
        written = json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("numbers must be finite") from None
    if _NUL.search(written):
        raise ValueError("texts must not hold a NUL character")
    if nested_too_deep(value):
        raise ValueError(f"values must not be nested more than {MAX_DEPTH} levels deep")
    return value


def _fitting(scenes: Mapping[str, Mapping[str, JsonValue] | None]) -> object:
    for key, scene in scenes.items():
        if scene is not None and (problem := length_problem(scene)):
            raise ValueError(f"scene {key}: {problem}")
    return scenes


Optional = Field(default=None, exclude_if=_absent)
SceneName = Annotated[str, BeforeValidator(_scene_text, json_schema_input_type=str | int)]
ByScene = Annotated[
    dict[str, dict[str, JsonValue] | None], Field(max_length=MAX_SCENES), AfterValidator(_storable)
]
Scenes = Annotated[ByScene, AfterValidator(_fitting)]
Text = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
CursorText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Clips = Annotated[
    dict[str, str], Field(description='By task UUID: "pending", "failed" or the URL of the finished video.')
]


@dataclass(frozen=True, slots=True)
class Installation:
    """What is told of a project beside its own row and clips.

    `usual_times` are by model and duration; `ttl_seconds` is how long links to videos live, None where that
    was left to Runware. `price_of` gives what a second of video costs.
    """

    catalogue: Catalogue
    ttl_seconds: int | None
    usual_times: Mapping[tuple[str, int], UsualTime]
    price_of: Callable[[GenerationSettings], Price | None]

    def price(self, choice: Choice) -> Price | None:
        """Give what a second of a project's next clips costs; None where no clip can be made, too."""
        try:
            return self.price_of(self.catalogue.settings(choice))
        except ChoiceRefused:
            return None


class ProjectCall(BaseModel):
    """Names the project that a call is about.

    Fields that the call does not have are ignored, since the web application may send more; but not one that
    is a misspelt field of the call: what it was to say would be spent on something else.
    """

    project_id: UUID

    @model_validator(mode="before")
    @classmethod
    def _refuse_misspelt_fields(cls, body: object) -> object:
        if not isinstance(body, dict):
            return body
        missing = cls.model_fields.keys() - body.keys()
        for name in body.keys() - cls.model_fields.keys():
            if close := meant(str(name), missing):
                raise ValueError(f"this call has no field {name}. Did you mean {close}?")
        return body


class Chosen(BaseModel):
    """What is chosen to make clips with; what is null or missing stays as it was."""

    model: Text | None = None
    resolution: Text | None = None
    audio: bool | None = None

    @property
    def choice(self) -> Choice:
        """Give it as the workflow takes it."""
        return Choice(self.model, self.resolution, self.audio)


class GenerateCall(Chosen, ProjectCall):
    """Names the project and what is chosen for it; what is null or missing stays as it was.

    A `model` begins anew: resolution and audio that are not named beside it are the installation's. With
    `scenes` only these are made. `adopt` makes the clips of before the ledger those of the scenes, in order,
    and buys nothing: it is about all of them.
    """

    scenes: list[SceneName] | None = Field(default=None, min_length=1, max_length=MAX_SCENES)
    adopt: bool = False

    @model_validator(mode="after")
    def _adopts_all(self) -> Self:
        if self.adopt and self.scenes is not None:
            raise ValueError("adopt is about all scenes of a project: leave out scenes, or adopt")
        return self

    @property
    def new_choice(self) -> Choice | None:
        """What is chosen, None where nothing is."""
        return None if self.choice == Choice() else self.choice


class RetryCall(ProjectCall):
    """Names the project, and the scenes to retry; without `scenes`, every failed one."""

    scenes: list[SceneName] | None = Field(default=None, max_length=MAX_SCENES)


class CancelCall(ProjectCall):
    """Names the project, and the scenes whose clips to cancel; without `scenes`, all that are being made."""

    scenes: list[SceneName] | None = Field(default=None, min_length=1, max_length=MAX_SCENES)


class NewProject(BaseModel):
    """A project to store. Frames and scenes are by scene number; what is incomplete is taken as it is."""

    model_config = ConfigDict(extra="forbid")

    frames: ByScene
    scenes: Scenes = Field(default_factory=dict)
    script: Text | None = None
    input_image_url: Text | None = None
    audio_recording_url: Text | None = None

    def draft(self) -> ProjectDraft:
        """Give it as the workflow takes it."""
        return ProjectDraft(**dict(self))


class ProjectsQuery(BaseModel):
    """Which projects to list: with all words of `q` in their titles, in any case; of a state; of a page.

    Deleted ones are listed only where the state is `deleted`. `cursor` is the `next` of the answer before.
    """

    q: Annotated[Text, Field(max_length=_MAX_SEARCH)] = ""
    state: State | None = None
    cursor: Annotated[Cursor, BeforeValidator(read_cursor, json_schema_input_type=CursorText)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PROJECTS)] = 100


class QuotesQuery(Chosen):
    """What to quote a project with: what is not named is as `generate-clips` would have it."""


class WebhookQuery(BaseModel):
    """Which job a callback URL is for, and the token that only Runware knows."""

    job: str
    token: str


class ProjectStored(BaseModel):
    """The id of a new project, or of one that is back."""

    id: UUID


class ProjectRemoved(BaseModel):
    """The id of a project that is deleted, and since when it is."""

    id: UUID
    deleted_at: datetime


class ErrorAnswer(BaseModel):
    """What went wrong, for a person (`error`) and for a program (`code`)."""

    success: Literal[False] = False
    error: str
    code: str


class EarlierJob(BaseModel):
    """A clip that was made before the ledger: nobody kept its scene, its cost, or why it failed."""

    job_id: Annotated[str, Field(serialization_alias="jobId")]
    status: Literal["completed", "pending", "failed"]
    video_url: Annotated[str | None, Field(serialization_alias="videoUrl", exclude_if=_absent)] = None

    @classmethod
    def listed(cls, earlier: Sequence[EarlierClip]) -> list[Self]:
        """Tell of the clips, in the order of their UUIDs."""
        return [cls(job_id=one.task_uuid, status=one.status, video_url=one.url) for one in earlier]


class Standing(BaseModel):
    """How a project stands: `scenes` were asked about, and are `completed`, `pending` or `failed`.

    `total_clips` counts the clips that are there or may still come, so that it never promises a failed one.
    """

    project_id: str
    total_clips: int
    completed: int
    pending: int
    failed: int
    scenes: int
    clips: Clips


class SceneResult(BaseModel):
    """What came of one scene in a call. `success`: its video is there or may still come.

    `warning` says what may be billed beside a clip that was bought again, `note` that the clip has other
    seconds than were asked for.
    """

    scene_key: Annotated[str, Field(serialization_alias="sceneKey")]
    task_uuid: Annotated[str | None, Field(serialization_alias="taskUUID")]
    success: bool
    video_url: Annotated[str | None, Field(serialization_alias="videoURL", exclude_if=_absent)] = None
    error: str | None = Optional
    warning: str | None = Optional
    note: str | None = Optional

    @classmethod
    def of(cls, scene: SceneProgress, generated: Generated) -> Self:
        """Tell of a scene as it stands."""
        clip, problem = scene.clip, generated.problems.get(scene.scene)
        return cls(
            scene_key=scene.scene,
            task_uuid=clip.task_uuid if clip else None,
            success=problem is None and scene.status != "failed",
            video_url=clip.video_url if clip else None,
            error=problem or scene.error,
            warning=generated.warnings.get(scene.scene),
            note=generated.notes.get(scene.scene),
        )


class GeneratedStanding(Standing):
    """How the project stands after `generate-clips` or `retry-clips`, and what came of each scene.

    `all_complete`: every scene has its video.
    `earlier` are the clips of before the ledger that were there until this call.
    `note` says what a retry did not retry, since it has not failed; such scenes are not in `results`.
    """

    all_complete: bool
    results: list[SceneResult]
    earlier: list[EarlierJob]
    note: str | None = Optional

    @classmethod
    def of(cls, project_id: str, generated: Generated, **more: str) -> Self:
        """Tell what was generated; `more` are fields of a subclass."""
        return cls(
            **_standing(project_id, generated.progress),
            all_complete=0 < generated.progress.total == generated.progress.completed,
            results=[SceneResult.of(scene, generated) for scene in generated.scenes],
            earlier=EarlierJob.listed(generated.earlier),
            note=generated.note or None,
            **more,
        )


class GenerateAnswer(GeneratedStanding):
    """The answer where at least one of the clips is there or may still come."""

    success: Literal[True] = True


class GenerateFailure(GeneratedStanding, ErrorAnswer):
    """The answer where no clip is there and none will come, for the reasons in `results`."""


class CancelResult(BaseModel):
    """What came of one scene. `success`: nothing of it is being made any more, and nothing is paid."""

    scene_key: Annotated[str, Field(serialization_alias="sceneKey")]
    task_uuid: Annotated[str | None, Field(serialization_alias="taskUUID")]
    success: bool
    error: str | None = Optional


class CancelledStanding(Standing):
    """How the project stands after `cancel-clips`, and what came of its scenes, or of those it named."""

    results: list[CancelResult]

    @classmethod
    def of(cls, project_id: str, cancelled: Cancelled, **more: str) -> Self:
        """Tell what was cancelled; `more` are fields of a subclass."""
        results = [
            CancelResult(
                scene_key=one.scene, task_uuid=one.task_uuid, success=one.reason is None, error=one.reason
            )
            for one in cancelled.scenes
        ]
        return cls(**_standing(project_id, cancelled.progress), results=results, **more)


class CancelAnswer(CancelledStanding):
    """The answer where at least one clip was cancelled."""

    success: Literal[True] = True


class CancelFailure(CancelledStanding, ErrorAnswer):
    """The answer where none was, for the reasons in `results`."""


class JobDetail(BaseModel):
    """One scene's job, in the words of `check-clips-status`. A scene without a clip has no `jobId`."""

    job_id: Annotated[str | None, Field(serialization_alias="jobId")]
    scene_key: Annotated[str, Field(serialization_alias="sceneKey")]
    status: Literal["completed", "pending", "failed"]
    video_url: Annotated[str | None, Field(serialization_alias="videoUrl", exclude_if=_absent)] = None
    error: str | None = Optional


class CheckedStanding(Standing):
    """How the project stands, after Runware was asked.

    `earlier` are the clips of a project of which the ledger has none; they are counted, too.
    """

    details: list[JobDetail]
    earlier: list[EarlierJob]

    @classmethod
    def of(cls, project_id: str, progress: Progress, **more: str) -> Self:
        """Tell of each scene; `more` are fields of a subclass."""
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
        earlier = EarlierJob.listed(progress.earlier)
        return cls(**_standing(project_id, progress), details=details, earlier=earlier, **more)


class StatusAnswer(CheckedStanding):
    """The answer where at least one of the clips is there or may still come."""

    success: Literal[True] = True


class StatusFailure(CheckedStanding, ErrorAnswer):
    """The answer where no clip is there and none will come, for the reasons in `details`."""


class JobError(BaseModel):
    """Why a clip failed: code and message as Runware gave them, and whose word it is (`kind`).

    `detail` is what the model's provider said to Runware, such as which safety setting struck; `sentence` is
    all that a person needs to read.
    """

    code: str
    message: str
    detail: str | None
    sentence: str
    kind: str

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Tell of a failure."""
        return cls(
            code=failure.code,
            message=failure.message,
            detail=failure.detail or None,
            sentence=failure.sentence,
            kind=failure.kind,
        )


class Usual(BaseModel):
    """How long such clips took here, in seconds from submission to success."""

    median_s: float
    p90_s: float
    samples: int


class Job(BaseModel):
    """A scene's current clip. `usual` is null until enough such clips have been made here.

    `send_after` is set while the stage is `throttled`. A `cost_usd` of 0 is Runware's word that nothing was
    charged. `resolution` is empty where the model has no choice of it. `video_expires_at` is when the video's
    link ends, as far as is known: after RUNWARE_TTL_SECONDS, else after some 30 days. `adopted`: it was made
    before the ledger, and nobody knows by what, when and for how much; the rest is what is asked for now.
    `copied`: it came along when the project was duplicated, and cost nothing more.
    `outdated`: by now the project asks for something else for this scene, which has to be made anew.
    """

    scene: str
    task_uuid: str
    status: Literal["submitting", "pending", "succeeded", "failed"]
    video_url: str | None
    video_expires_at: datetime | None
    error: JobError | None
    cost_usd: float | None
    model: str
    resolution: str
    audio: bool
    duration_s: int
    attempt: int
    submitted_at: datetime
    settled_at: datetime | None
    settled_by: Literal["webhook", "poll", "check", "submission", "timeout"] | None
    stage: Stage
    send_after: datetime | None
    waiting_since: datetime
    usual: Usual | None
    adopted: bool
    copied: bool
    outdated: bool

    @classmethod
    def of(cls, clip: Clip, state: ProjectState, installation: Installation) -> Self:
        """Tell of a clip of a project."""
        failure = clip.failure
        request = clip.request
        settings = request.settings
        usual = installation.usual_times.get((settings.model, request.duration_s))
        return cls(
            scene=clip.scene,
            task_uuid=clip.task_uuid,
            status=clip.status.value,
            video_url=clip.video_url,
            video_expires_at=link_expires_at(clip, installation.ttl_seconds),
            error=failure and JobError.of(failure),
            cost_usd=clip.cost_usd,
            model=settings.model,
            resolution=settings.resolution,
            audio=settings.generate_audio,
            duration_s=request.duration_s,
            attempt=clip.attempt,
            submitted_at=clip.submitted_at,
            settled_at=clip.settled_at,
            settled_by=clip.settled_by and clip.settled_by.value,
            stage=stage(clip),
            send_after=clip.send_after,
            waiting_since=clip.waiting_since,
            usual=usual and Usual(**asdict(usual)),
            adopted=clip.adopted,
            copied=clip.copied,
            outdated=state.outdated(clip),
        )


class SceneQuote(BaseModel):
    """What making a scene's clip, as the project asks for it now, costs before anyone asks for it.

    `prompt` is as it is sent. `wanted_s` is how many seconds the scene asks for where the model makes others,
    else null. `usd` is null where the price is not known. `paid`: a clip for exactly this is there or may
    still come, so that asking for it costs nothing.
    """

    prompt: str
    duration_s: int
    wanted_s: float | None
    usd: float | None
    paid: bool

    @classmethod
    def of(cls, quote: Quote) -> Self:
        """Tell of a quote."""
        asked = quote.asked
        return cls(
            prompt=asked.request.prompt,
            duration_s=asked.request.duration_s,
            wanted_s=asked.wanted_s,
            usd=quote.usd,
            paid=quote.paid,
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


class Tally(BaseModel):
    """How many scenes there are, and how many have their video, may still get it, or will not."""

    total: int
    completed: int
    pending: int
    failed: int


class ListedProject(ProjectSummary):
    """A project as a list shows it: `thumbnails` are frames of its first scenes; `title` can be empty.

    `counts` has every scene in its total; one for which no clip was asked for yet is in no other count.
    `earlier` are the clips of a project of which the ledger has none. `deleted_at` is null unless it was
    deleted.
    """

    title: str
    state: State
    deleted_at: datetime | None
    thumbnails: list[str]
    counts: Tally
    cost_usd: float
    earlier: list[EarlierJob]

    @classmethod
    def of_overview(cls, overview: ProjectOverview) -> Self:
        """Tell of a project and what was counted of it."""
        return cls(
            **ProjectSummary.of(overview.project).model_dump(),
            title=overview.title,
            state=state_of(overview),
            deleted_at=overview.project.deleted_at,
            thumbnails=list(overview.thumbnails),
            counts=Tally(
                total=overview.scenes,
                completed=overview.completed,
                pending=overview.pending,
                failed=overview.failed,
            ),
            cost_usd=overview.cost_usd,
            earlier=EarlierJob.listed(listed_earlier_clips(overview)),
        )


class ProjectList(BaseModel):
    """A page of projects, newest first. `next` is the `cursor` of the next page, null after the last."""

    projects: list[ListedProject]
    next: str | None

    @classmethod
    def of(cls, page: Page) -> Self:
        """Tell of a page."""
        return cls(
            projects=[ListedProject.of_overview(overview) for overview in page.projects],
            next=page.next and write_cursor(page.next),
        )


class ProjectNews(BaseModel):
    """How a project stands: `sequence` rises with each change.

    `jobs` has the scenes' current clips in scene order; in an event, of those scenes alone that changed.
    `counts` are those of `check-clips-status`; `cost_usd` adds up every attempt. `usd_per_second` is what a
    second of its next clips costs, null where that is not known.
    """

    sequence: int
    counts: Tally
    cost_usd: float
    usd_per_second: float | None
    jobs: list[Job]


class ProjectDetail(ProjectSummary, ProjectNews):
    """A project's row under its column names, its title as in the list, and its jobs in scene order.

    `model`, `resolution` and `audio` are what its next clips are made with: what was chosen for it, else the
    installation's default. A job has those that it was made with. `earlier` are the clips of a project of
    which the ledger has none; `counts` has them, too. `problems` says of scenes why no clip can be made of
    them as they are now; `quotes` has all others, unless the project's model is not allowed any more.
    `edited` is the sequence number of the last edit of the project itself: the ETag.
    """

    title: str
    edited: int
    earlier: list[EarlierJob]
    script: str | None
    scenes: Any
    frames: Any
    problems: dict[str, str]
    quotes: dict[str, SceneQuote]
    model: str
    resolution: str
    audio: bool

    @classmethod
    def of_state(cls, state: ProjectState, installation: Installation, **more: Any) -> Self:
        """Tell of a project and of all its clips; `more` are fields of a subclass."""
        row, scenes = state.row, state.progress.scenes
        columns = {name: getattr(row, name) for name in row.__dataclass_fields__ if name != "choice"}
        settings = installation.catalogue.effective(row.choice)
        return cls(
            **columns,
            title=title(row.script, row.scenes),
            earlier=EarlierJob.listed(state.earlier),
            problems=dict(state.problems),
            quotes={
                scene: SceneQuote.of(quote)
                for scene, quote in state.quotes(installation.price(row.choice)).items()
            },
            model=settings.model,
            resolution=settings.resolution,
            audio=settings.generate_audio,
            **more,
            **_news(state, [scene.clip for scene in scenes if scene.clip], installation),
        )


class ProjectQuotes(BaseModel):
    """What making the clips of a project costs with a choice; the fields are those of the project itself."""

    quotes: dict[str, SceneQuote]
    usd_per_second: float | None
    model: str
    resolution: str
    audio: bool

    @classmethod
    def of(cls, state: ProjectState, installation: Installation) -> Self:
        """Tell of a project as it would stand with its choice."""
        choice = state.project.choice
        settings, price = installation.catalogue.effective(choice), installation.price(choice)
        return cls(
            quotes={scene: SceneQuote.of(quote) for scene, quote in state.quotes(price).items()},
            usd_per_second=price and price.usd_per_second,
            model=settings.model,
            resolution=settings.resolution,
            audio=settings.generate_audio,
        )


class SnapshotEvent(ProjectDetail):
    """The whole project; `now` is the service's clock."""

    now: datetime


class ChangesEvent(ProjectNews):
    """What has changed since the event before; `now` is the service's clock."""

    now: datetime

    @classmethod
    def of(cls, state: ProjectState, since: int, installation: Installation, now: datetime) -> Self:
        """Tell of the scenes that changed after this sequence number."""
        return cls(now=now, **_news(state, state.changed_since(since), installation))


def _news(state: ProjectState, clips: Sequence[Clip], installation: Installation) -> dict[str, Any]:
    progress, price = state.progress, installation.price(state.project.choice)
    return {
        "sequence": state.sequence,
        "counts": Tally(
            total=progress.total,
            completed=progress.completed,
            pending=progress.pending,
            failed=progress.failed,
        ),
        "cost_usd": state.cost_usd,
        "usd_per_second": price and price.usd_per_second,
        "jobs": [Job.of(clip, state, installation) for clip in clips],
    }


class ImageStored(BaseModel):
    """Where an uploaded image is, for `frames`, and its size in pixels."""

    url: str
    width: int
    height: int


class ModelPrice(BaseModel):
    """USD a second of a model's video, as `source` says; `as_of` is since when that is known."""

    resolution: str
    audio: bool
    usd_per_second: float
    source: str
    as_of: date


class Model(BaseModel):
    """A model that may be chosen; `default` is the one of a project for which nobody chose.

    `durations_s` are in seconds. `resolutions` is empty where it has no choice of them. `sound` is whether it
    can make any. `default_resolution` and `default_audio` are what is made where these are not chosen beside
    it. `prompt_limit` is the most characters of a prompt, null where that is unknown; so are prices that are
    not listed.
    """

    air: str
    name: str
    default: bool
    durations_s: list[int]
    resolutions: list[str]
    default_resolution: str
    sound: bool
    default_audio: bool
    prompt_limit: int | None
    prices: list[ModelPrice]

    @classmethod
    def of(cls, model: VideoModel, catalogue: Catalogue) -> Self:
        """Tell of a model."""
        settings = catalogue.settings(Choice(model.air))
        return cls(
            air=model.air,
            name=model.name,
            default=model.air == catalogue.default.model,
            durations_s=list(model.durations_s),
            resolutions=list(model.resolutions),
            default_resolution=settings.resolution,
            sound=model.sound,
            default_audio=settings.generate_audio,
            prompt_limit=model.prompt_limit,
            prices=[
                ModelPrice(resolution=resolution, audio=audio, **asdict(price))
                for (resolution, audio), price in model.prices.items()
            ],
        )


class StudioConfig(BaseModel):
    """What a page has to know before anyone signs in. `sign_in` says what by.

    `models` are those that may be chosen. Each side of an uploaded frame has `min_side_px` to `max_side_px`
    pixels.

    With Supabase, `supabase_url` says where its users sign in, and `anon_key` is the project's public key,
    null where the operator has not set it; `operator_token` is whether the SERVICE_TOKEN signs in, too.
    """

    sign_in: Literal["none", "token", "supabase"]
    supabase_url: str | None = None
    anon_key: str | None = None
    operator_token: bool = False
    models: list[Model]
    max_upload_bytes: int
    min_side_px: int
    max_side_px: int
    upload_types: list[str]


class PriceEstimate(BaseModel):
    """What a second of video costs: by what past clips cost here, else by the table of models."""

    model: str
    resolution: str
    audio: bool
    usd_per_second: float
    basis: Literal["past", "table"]


class StudioEstimates(BaseModel):
    """What the next clips will cost, for each model, resolution and sound for which that is known."""

    prices: list[PriceEstimate]


class WebhookBody(RootModel[dict[str, JsonValue] | list[JsonValue]]):
    """What Runware says of the job, in any of the forms that it answers in; the rest of it is ignored.

    It is a result or an error, a list of them, or an object that has such lists as `data` and `errors`.
    """


class WebhookReceipt(BaseModel):
    """That a webhook's result is stored; `changed` is false for a duplicate."""

    success: Literal[True] = True
    changed: bool


class Health(BaseModel):
    """That the process runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the service can do its work, and which part can't.

    A store that is `full` has no room for a write, and can still be read. `missing_migrations` names what the
    database's schema lacks of this release's.
    """

    ready: bool
    store: Literal["reachable", "outdated", "full", "unreachable"]
    poller: PollerHealth
    missing_migrations: list[str]


def _standing(project_id: str, progress: Progress) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "total_clips": progress.completed + progress.pending,
        "completed": progress.completed,
        "pending": progress.pending,
        "failed": progress.failed,
        "scenes": progress.total,
        "clips": dict(progress.clips),
    }
