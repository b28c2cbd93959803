import secrets
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from service.clips.duplicates import duplicated_clips
from service.clips.earlier import EarlierClip, earlier_clips
from service.clips.estimate import Price
from service.clips.listing import Cursor, State
from service.clips.models import (
    Choice,
    Clip,
    Fingerprint,
    Project,
    ProjectId,
    ProjectOverview,
    SceneKey,
    UserId,
)
from service.clips.ownership import Anonymous, Caller, User, answers_to
from service.clips.planning import Planner, frame_problems
from service.clips.progress import Progress, progress
from service.clips.quotes import Asked, Quote, asked_for, in_question, outdated, quotes, standing
from service.clips.titles import copy_title, retitled, title
from service.errors import (
    ClipNotReady,
    ProjectDeleted,
    ProjectNotFound,
    ProjectUnreadable,
    SceneNotFound,
    Unauthorized,
)
from service.workflow.ports import Changes, Clock, Duplicate, ProjectDraft, Store

# Enough for a person to see what was meant.
_MOST_LISTED = 20


async def known_project(store: Store, project_id: ProjectId, caller: Caller) -> Project:
    """Read a project that answers to the caller, also one that was deleted or can't be read.

    Raises ProjectNotFound, the same for a project of someone else as for one that is not there, so that
    nobody learns which ids are taken; StoreUnavailable.
    """
    project = await store.project(project_id)
    if project is None or not answers_to(project.user_id, caller):
        raise ProjectNotFound(project_id)
    return project


async def existing_project(store: Store, project_id: ProjectId, caller: Caller) -> Project:
    """Read a project that answers to the caller.

    Raises what `known_project` does; ProjectDeleted; ProjectUnreadable.
    """
    project = await known_project(store, project_id, caller)
    if project.deleted_at is not None:
        raise ProjectDeleted(project_id, project.deleted_at)
    if project.unreadable:
        raise ProjectUnreadable(project_id, project.unreadable)
    return project


def refuse_unknown_scenes(
    project_id: ProjectId, named: Collection[SceneKey], known: Collection[SceneKey], done: str
) -> None:
    """Raise SceneNotFound if a call names a scene that the project lacks; `done` is what was not done."""
    if unknown := sorted(set(named) - set(known)):
        raise SceneNotFound(
            f"Project {project_id} has no scene {', '.join(unknown[:_MOST_LISTED])}. "
            f"Nothing was {done}: name scenes that it has."
        )


@dataclass(frozen=True, slots=True)
class ProjectState:
    """A project and its current clips, as they stood at one sequence number.

    `changed_at` has the sequence number of each clip's scene's last change; `edited` is that of the last edit
    of the project itself. `asked` is what the project asks for, by the `planner`; `older` are those of its
    fingerprints at which a clip stands that is not current. Never changed in place, so that others may go on
    reading it.
    """

    project: Project
    clips: Mapping[SceneKey, Clip]
    changed_at: Mapping[SceneKey, int]
    sequence: int
    edited: int
    cost_usd: float
    planner: Planner
    asked: Mapping[SceneKey, Asked]
    older: AbstractSet[Fingerprint] = frozenset()

    @classmethod
    def of(cls, project: Project, changes: Changes, planner: Planner) -> "ProjectState":
        """Put together a project and all changes since its beginning; `older` is still to be read."""
        asked = asked_for(project, planner)
        return cls(project, {}, {}, 0, 0, 0, planner, asked).after(project, changes)

    def after(self, project: Project, changes: Changes) -> "ProjectState":
        """Give the state after some changes; `project` has been read after them if they were an edit."""
        edited = project is not self.project
        return replace(
            self,
            project=project,
            clips={**self.clips, **{one.clip.scene: one.clip for one in changes.clips}},
            changed_at={**self.changed_at, **{one.clip.scene: one.sequence for one in changes.clips}},
            sequence=changes.sequence,
            edited=changes.edited,
            cost_usd=changes.cost_usd,
            asked=asked_for(project, self.planner) if edited else self.asked,
        )

    @property
    def ended(self) -> bool:
        """Whether the project was deleted, or can't be read any more, since it was first read."""
        return self.project.deleted_at is not None or bool(self.project.unreadable)

    @property
    def in_question(self) -> Sequence[Fingerprint]:
        """What is asked for in place of current clips, so that only the store knows of clips at it."""
        return in_question(self.asked, self.clips.values())

    def quotes(self, price: Price | None) -> Mapping[SceneKey, Quote]:
        """Quote each scene that can be made now; `price` is that of what the clips are made with."""
        return quotes(self.asked, standing(self.clips.values()) | self.older, price)

    def outdated(self, clip: Clip) -> bool:
        """Whether the project asks for something else than this clip by now."""
        return outdated(clip, self.asked)

    @property
    def progress(self) -> Progress:
        """Where each scene stands."""
        if self.earlier:
            return Progress([], self.earlier)
        return progress(self.clips.values(), frame_problems(self.project, self.planner.frame_rules))

    @property
    def problems(self) -> Mapping[SceneKey, str]:
        """What keeps scenes, as they are now, from being made into clips."""
        problems = frame_problems(self.project, self.planner.frame_rules)
        return {scene: problem for scene, problem in problems.items() if problem}

    @property
    def earlier(self) -> Sequence[EarlierClip]:
        """The clips of before the ledger, while it has none of the project."""
        return () if self.clips else earlier_clips(self.project.clips)

    @property
    def row(self) -> Project:
        """The project's row, with the projection of the clips that stand beside it."""
        return replace(self.project, clips=self.progress.clips if self.clips else self.project.clips)

    def changed_since(self, sequence: int) -> Sequence[Clip]:
        """Give the current clips of the scenes that changed after this sequence number."""
        return [clip for scene, clip in self.clips.items() if self.changed_at[scene] > sequence]


async def read_state(store: Store, project_id: ProjectId, caller: Caller, planner: Planner) -> ProjectState:
    """Read a project that answers to the caller, from its beginning.

    Raises ProjectNotFound, ProjectDeleted and StoreUnavailable.
    """
    return await with_older(store, await _without_older(store, project_id, caller, planner))


async def _without_older(
    store: Store, project_id: ProjectId, caller: Caller, planner: Planner
) -> ProjectState:
    found = await store.changes({project_id: 0})
    # The row is read after the changes: what was edited in between is told again, never missed.
    project = await existing_project(store, project_id, caller)
    if project_id not in found:
        raise ProjectNotFound(project_id)
    return ProjectState.of(project, found[project_id], planner)


async def with_older(store: Store, state: ProjectState) -> ProjectState:
    """Read which clips stand that are not current: nothing, where all current ones are what is asked for.

    Raises StoreUnavailable.
    """
    asked = state.in_question
    older = standing(await store.attempts(state.project.id, asked)) if asked else frozenset()
    return replace(state, older=older)


@dataclass(frozen=True, slots=True)
class Page:
    """Some projects of a list; `next` is where the next page begins, None where there is none."""

    projects: Sequence[ProjectOverview]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Projects:
    """Stores projects and tells of them, from the database alone.

    `on_change` is called after a change that those who watch a project are to be told of.
    """

    store: Store
    clock: Clock
    on_change: Callable[[], None]
    planner: Planner

    async def create(self, draft: ProjectDraft, caller: Caller) -> ProjectId:
        """Store a new project, which belongs to the caller if they are a user. Raises StoreUnavailable."""
        return await self.store.create_project(replace(draft, user_id=_owner(caller)), self.clock())

    async def duplicate(self, project_id: ProjectId, caller: Caller) -> ProjectId:
        """Store a project like this one, with its finished clips.

        It belongs to the user who calls. One that an operator stores belongs to the original's owner: without
        an owner it would answer to everyone.

        Raises ProjectNotFound, ProjectDeleted and StoreUnavailable.
        """
        project = await existing_project(self.store, project_id, caller)
        new_id = ProjectId(str(uuid.uuid4()))
        clips = duplicated_clips(new_id, await self.store.current_clips(project_id), secrets.randbelow)
        draft = replace(_draft_of(project), user_id=_owner(caller) or project.user_id)
        await self.store.duplicate_project(Duplicate(new_id, draft, project.choice, clips), self.clock())
        return new_id

    async def delete(self, project_id: ProjectId, caller: Caller) -> datetime:
        """Hide a project until it is restored; gives since when it is. Nothing of it is erased.

        Raises ProjectNotFound and StoreUnavailable.
        """
        await known_project(self.store, project_id, caller)
        deleted_at = await self.store.delete_project(project_id, self.clock())
        if deleted_at is None:
            raise ProjectNotFound(project_id)
        self.on_change()
        return deleted_at

    async def restore(self, project_id: ProjectId, caller: Caller) -> None:
        """Bring a deleted project back as it was. Raises ProjectNotFound and StoreUnavailable."""
        await known_project(self.store, project_id, caller)
        await self.store.restore_project(project_id)
        self.on_change()

    async def page(
        self,
        caller: Caller,
        limit: int,
        *,
        words: Sequence[str] = (),
        state: State | None = None,
        after: Cursor | None = None,
    ) -> Page:
        """Read the newest projects as a list shows them, a user's own only, with what the store's list takes.

        Raises Unauthorized, if the caller is anonymous: an empty list would look as if all were lost;
        StoreUnavailable.
        """
        if isinstance(caller, Anonymous):
            raise Unauthorized("Only a signed-in user has a list of projects. Sign in, or ask for one by id.")
        # One more than is shown tells whether there is a next page.
        found = await self.store.projects(limit + 1, _owner(caller), words=words, state=state, after=after)
        shown = found[:limit]
        if len(found) == len(shown):
            return Page(shown, None)
        last = shown[-1].project
        return Page(shown, Cursor(last.created_at, last.id))

    async def detail(self, project_id: ProjectId, caller: Caller) -> ProjectState:
        """Read a project and how its scenes stand.

        Raises ProjectNotFound, ProjectDeleted and StoreUnavailable.
        """
        return await read_state(self.store, project_id, caller, self.planner)

    async def with_choice(self, project_id: ProjectId, caller: Caller, choice: Choice) -> ProjectState:
        """Read a project as it would stand with another choice, which is not stored.

        Raises ChoiceRefused beside what `detail` does.
        """
        state = await _without_older(self.store, project_id, caller, self.planner)
        chosen = replace(state.project, choice=choice.over(state.project.choice))
        self.planner.catalogue.settings(chosen.choice)
        asked = asked_for(chosen, self.planner)
        return await with_older(self.store, replace(state, project=chosen, asked=asked))

    async def finished_clip(
        self, project_id: ProjectId, scene: SceneKey, caller: Caller
    ) -> tuple[Project, Clip, str]:
        """Read a project, the current clip of one of its scenes, and the URL of that clip's video.

        Raises ProjectNotFound, ProjectDeleted, ClipNotReady and StoreUnavailable.
        """
        project = await existing_project(self.store, project_id, caller)
        for clip in await self.store.current_clips(project_id):
            if clip.scene == scene and clip.video_url is not None:
                return project, clip, clip.video_url
        raise ClipNotReady(project_id, scene)


def _owner(caller: Caller) -> UserId | None:
    return caller.user_id if isinstance(caller, User) else None


def _draft_of(project: Project) -> ProjectDraft:
    """Give what a duplicate of the project is stored as, without its owner."""
    told = title(project.script, project.scenes)
    return ProjectDraft(
        frames=_mapping(project.frames),
        scenes=_mapping(project.scenes),
        script=retitled(project.script, copy_title(told)) if told else project.script,
        input_image_url=project.input_image_url,
        audio_recording_url=project.audio_recording_url,
    )


def _mapping(column: object) -> Mapping[str, object]:
    # What is no mapping holds no scene.
    return column if isinstance(column, Mapping) else {}
