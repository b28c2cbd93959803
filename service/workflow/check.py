from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.clips.models import ProjectId, SettledBy
from service.clips.planning import frame_problems
from service.clips.progress import Progress, progress
from service.errors import ProjectNotFound
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Event, Settler

# However many people watch a project, Runware is asked about it this often at most.
_ASK_INTERVAL = timedelta(seconds=1)


@dataclass(slots=True)
class Checker:
    """Tells where a project stands, after asking Runware for what is pending."""

    store: Store
    provider: Provider
    settler: Settler
    clock: Clock
    _asked_at: dict[ProjectId, datetime] = field(default_factory=dict, init=False)

    async def check(self, project_id: ProjectId) -> Progress:
        """Bring a project's pending clips up to date, and report all of its clips.

        Raises ProjectNotFound and StoreUnavailable. If Runware gives no answer, the report is what is stored.
        """
        project = await self.store.project(project_id)
        if project is None:
            raise ProjectNotFound(project_id)
        clips = await self.store.current_clips(project_id)
        pending = [clip.task_uuid for clip in clips if not clip.status.settled]
        if pending and self._may_ask(project_id):
            outcomes = await self.provider.ask(pending)
            await self.settler.settle(
                [Event(task, outcome, SettledBy.CHECK) for task, outcome in outcomes.items()]
            )
            clips = await self.store.current_clips(project_id)
        return progress(clips, frame_problems(project))

    def _may_ask(self, project_id: ProjectId) -> bool:
        now = self.clock()
        self._asked_at = {asked: at for asked, at in self._asked_at.items() if now - at < _ASK_INTERVAL}
        if project_id in self._asked_at:
            return False
        self._asked_at[project_id] = now
        return True
