from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from service.clips.edits import Patch, edited, moved
from service.clips.models import ProjectId
from service.clips.ownership import Caller
from service.clips.planning import Planner
from service.errors import ProjectChanged, ProjectEdited, StoreUnavailable
from service.workflow.cancelling import Canceller
from service.workflow.ports import Clock, Store
from service.workflow.projects import ProjectState, existing_project, read_state

# A project that is edited more often than this during one call is being written by machine.
_UNTIL_STORED = AsyncRetrying(
    retry=retry_if_exception_type(ProjectEdited), stop=stop_after_attempt(5), reraise=True
)


@dataclass(frozen=True, slots=True)
class Editor:
    """Edits projects so that two people at once lose nothing, and so that what was paid for stays."""

    store: Store
    clock: Clock
    on_change: Callable[[], None]
    planner: Planner
    canceller: Canceller

    async def edit(
        self, project_id: ProjectId, patch: Patch, caller: Caller, known: Collection[int] | None = None
    ) -> ProjectState:
        """Apply a patch to what the project is now; gives the project after it.

        `known` are the edits, by number, of which one must be the project's last; None, if any may be.

        Raises ProjectNotFound; ProjectDeleted; ProjectChanged, if the last edit is another one, or edit
        follows on edit; EditRefused; StoreUnavailable. None of them leaves anything stored.
        """
        try:
            await _UNTIL_STORED.copy()(self._edit_once, project_id, patch, caller, known)
        except ProjectEdited:
            raise ProjectChanged(project_id) from None
        return await read_state(self.store, project_id, caller, self.planner)

    async def _edit_once(
        self, project_id: ProjectId, patch: Patch, caller: Caller, known: Collection[int] | None
    ) -> None:
        project = await existing_project(self.store, project_id, caller)
        if known is not None and project.edited not in known:
            raise ProjectChanged(project_id)
        edit = edited(project, patch)
        if edit is None:
            return
        clips = await self.store.all_clips(project_id) if edit.moves or edit.removed else ()
        moving = moved(clips, edit.moves)
        await self.store.edit(project_id, edit, moving, self.clock(), edited=project.edited)
        self.on_change()
        # The edit is stored: one that can't be taken back now is made like any other.
        with suppress(StoreUnavailable):
            await self.canceller.withdraw(clip for clip in clips if clip.scene in edit.removed)
