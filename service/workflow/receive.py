from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from service.clips.models import SettledBy, TaskUUID
from service.clips.outcomes import Outcome, VideoRefused
from service.errors import ClipNotFound, VideoURLRefused
from service.workflow.settlement import Effect, Event, Settler

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes what Runware pushes, after the caller has been recognised."""

    settler: Settler

    async def receive(self, task_uuid: TaskUUID, outcomes: Sequence[Outcome]) -> bool:
        """Store a webhook's outcomes for its job; after the commit, gives whether they changed anything.

        Raises ClipNotFound; VideoURLRefused, if there is a video at a place that is not allowed;
        StoreUnavailable, so that Runware repeats the webhook.
        """
        effects = await self.settler.settle(
            [Event(task_uuid, outcome, SettledBy.WEBHOOK) for outcome in outcomes]
        )
        if Effect.NO_SUCH_CLIP in effects:
            raise ClipNotFound(f"There is no clip with the task UUID {task_uuid}.")
        for outcome in outcomes:
            if isinstance(outcome, VideoRefused):
                log.error("video URL refused", job=task_uuid, reason=outcome.reason)
                raise VideoURLRefused(
                    f"The video of {task_uuid} is refused: {outcome.reason}. "
                    "If it is Runware's, mend VIDEO_HOSTS; the poller will then take it."
                )
        return any(effect is not Effect.UNCHANGED for effect in effects)
