from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from service.clips.cancelling import SceneCancelled, can_be_cancelled, cancelled
from service.clips.models import Clip, ProjectId, SceneKey, SettledBy
from service.clips.outcomes import Unwanted
from service.clips.ownership import Caller
from service.clips.planning import Planner, frame_problems, scene_order
from service.clips.progress import Progress, progress
from service.workflow.ports import Store
from service.workflow.projects import existing_project, refuse_unknown_scenes
from service.workflow.settlement import Event, Settler


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How the project stands after the call, and what came of each scene that it was about."""

    progress: Progress
    scenes: Sequence[SceneCancelled]


@dataclass(frozen=True, slots=True)
class Canceller:
    """Takes back clips that were never sent. A submission and a cancellation of the same clip: one wins."""

    store: Store
    settler: Settler
    planner: Planner

    async def cancel(
        self, project_id: ProjectId, scenes: Collection[SceneKey] | None, caller: Caller
    ) -> Cancelled:
        """Cancel what Runware can't have taken of these scenes, or of all that are being made.

        Clips of an earlier text or frame that are still being made count, too.

        Raises ProjectNotFound; ProjectDeleted; SceneNotFound, for scenes that the project lacks;
        StoreUnavailable.
        """
        project = await existing_project(self.store, project_id, caller)
        current = await self.store.current_clips(project_id)
        problems = frame_problems(project, self.planner.frame_rules)
        known = problems.keys() | {clip.scene for clip in current}
        refuse_unknown_scenes(project_id, scenes or (), known, "cancelled")
        under_way = [one for one in await self.store.all_clips(project_id) if not one.status.settled]
        asked = {clip.scene for clip in under_way if clip.scene in known} if scenes is None else scenes
        await self.withdraw(clip for clip in under_way if clip.scene in asked)
        current = await self.store.current_clips(project_id)
        after = await self.store.clips([clip.task_uuid for clip in under_way])
        results = [cancelled(scene, _of(scene, after) or _of(scene, current)) for scene in asked]
        return Cancelled(progress(current, problems), sorted(results, key=lambda one: scene_order(one.scene)))

    async def withdraw(self, clips: Iterable[Clip]) -> None:
        """Take back those of these clips that nobody has sent. Raises StoreUnavailable."""
        events = [
            Event(clip.task_uuid, Unwanted(), SettledBy.CHECK) for clip in clips if can_be_cancelled(clip)
        ]
        if events:
            await self.settler.settle(events)


def _of(scene: SceneKey, clips: Iterable[Clip]) -> Sequence[Clip]:
    return [clip for clip in clips if clip.scene == scene]
