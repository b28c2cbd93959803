from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.clips.models import Project, ProjectId
from service.clips.planning import frame_problems
from service.clips.progress import Progress, progress
from service.errors import ProjectNotFound
from service.workflow.ports import Clock, ProjectDraft, Store


async def existing_project(store: Store, project_id: ProjectId) -> Project:
    """Read a project. Raises ProjectNotFound and StoreUnavailable."""
    project = await store.project(project_id)
    if project is None:
        raise ProjectNotFound(project_id)
    return project


@dataclass(frozen=True, slots=True)
class Projects:
    """Stores projects and tells of them, from the database alone."""

    store: Store
    clock: Clock

    async def create(self, draft: ProjectDraft) -> ProjectId:
        """Store a new project. Raises StoreUnavailable."""
        return await self.store.create_project(draft, self.clock())

    async def newest(self, limit: int) -> Sequence[Project]:
        """Read the newest projects, without scripts, scenes and frames. Raises StoreUnavailable."""
        return await self.store.projects(limit)

    async def detail(self, project_id: ProjectId) -> tuple[Project, Progress]:
        """Read a project and how its scenes stand. Raises ProjectNotFound and StoreUnavailable."""
        project = await existing_project(self.store, project_id)
        now_known = progress(await self.store.current_clips(project_id), frame_problems(project))
        # Read after the row, so that the row's own projection may be a moment older than the jobs beside it.
        return replace(project, clips=now_known.clips or project.clips), now_known
