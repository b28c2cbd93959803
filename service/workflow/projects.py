from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.clips.models import Project, ProjectId
from service.clips.ownership import Anonymous, Caller, User, answers_to
from service.clips.planning import frame_problems
from service.clips.progress import Progress, progress
from service.errors import ProjectNotFound, Unauthorized
from service.workflow.ports import Clock, ProjectDraft, Store


async def existing_project(store: Store, project_id: ProjectId, caller: Caller) -> Project:
    """Read a project that answers to the caller.

    Raises ProjectNotFound, the same for a project of someone else as for one that is not there, so that
    nobody learns which ids are taken; StoreUnavailable.
    """
    project = await store.project(project_id)
    if project is None or not answers_to(project.user_id, caller):
        raise ProjectNotFound(project_id)
    return project


@dataclass(frozen=True, slots=True)
class Projects:
    """Stores projects and tells of them, from the database alone."""

    store: Store
    clock: Clock

    async def create(self, draft: ProjectDraft, caller: Caller) -> ProjectId:
        """Store a new project, which belongs to the caller if they are a user. Raises StoreUnavailable."""
        owner = caller.user_id if isinstance(caller, User) else None
        return await self.store.create_project(replace(draft, user_id=owner), self.clock())

    async def newest(self, limit: int, caller: Caller) -> Sequence[Project]:
        """Read the newest projects, a user's own only, without scripts, scenes and frames.

        Raises Unauthorized, if the caller is anonymous: an empty list would look as if all were lost;
        StoreUnavailable.
        """
        if isinstance(caller, Anonymous):
            raise Unauthorized("Only a signed-in user has a list of projects. Sign in, or ask for one by id.")
        return await self.store.projects(limit, caller.user_id if isinstance(caller, User) else None)

    async def detail(self, project_id: ProjectId, caller: Caller) -> tuple[Project, Progress]:
        """Read a project and how its scenes stand. Raises ProjectNotFound and StoreUnavailable."""
        project = await existing_project(self.store, project_id, caller)
        now_known = progress(await self.store.current_clips(project_id), frame_problems(project))
        # Read after the row, so that the row's own projection may be a moment older than the jobs beside it.
        return replace(project, clips=now_known.clips or project.clips), now_known
