from collections.abc import Callable
from dataclasses import dataclass

import structlog

from service.clips.earlier import adopted_clips, earlier_clips
from service.clips.models import Choice, ProjectId
from service.clips.ownership import Caller
from service.clips.planning import frame_problems
from service.clips.progress import progress
from service.errors import AdoptionRefused
from service.workflow.generate import Generated, Generator
from service.workflow.projects import existing_project

log = structlog.get_logger(__name__)

_TAKEN_OVER = (
    "The ledger has clips of this project, so that none of before it can be adopted any more. "
    "Nothing was adopted, and nothing was bought."
)
_KNOWN = (
    "Some of the earlier clips are another project's in the ledger. Leave out adopt to have the clips made "
    "anew. Nothing was adopted, and nothing was bought."
)


@dataclass(frozen=True, slots=True)
class Adopter:
    """Takes the clips that were made before the ledger into it, in place of buying them anew.

    `check_video_url` gives the reason why a video's URL may not be handed on, None if it may.
    """

    generator: Generator
    check_video_url: Callable[[str], str | None]

    async def adopt(self, project_id: ProjectId, caller: Caller, choice: Choice | None = None) -> Generated:
        """Make the earlier clips those of the project's complete scenes, in order. Buys nothing.

        A `choice` becomes the project's before. A call that is repeated finds done what it did.

        Raises ProjectNotFound; ChoiceRefused; AdoptionRefused, if the clips can't be matched with the scenes,
        or the ledger has clips of the project; ProjectEdited, if the project was edited meanwhile;
        StoreUnavailable.
        """
        if choice is not None:
            await self.generator.choose(project_id, caller, choice)
        store, now = self.generator.store, self.generator.clock()
        project = await existing_project(store, project_id, caller)
        current = await store.current_clips(project_id)
        planned = self.generator.planner.plan(project)
        earlier = earlier_clips(project.clips)
        if not current:
            clips = adopted_clips(project, planned.requests, earlier, self.check_video_url, now)
            known = await store.clips([clip.task_uuid for clip in clips])
            if any(clip.project_id != project_id for clip in known):
                raise AdoptionRefused(_KNOWN)
            current = await store.record(project_id, clips, now, edited=project.edited)
            self.generator.on_change()
            log.info("earlier clips adopted", project=project_id, clips=len(clips))
        if not all(clip.adopted for clip in current):
            raise AdoptionRefused(_TAKEN_OVER)
        after = progress(current, frame_problems(project, self.generator.planner.frame_rules))
        return Generated(after, after.scenes, planned.problems, earlier=earlier)
