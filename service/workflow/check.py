import time
from dataclasses import dataclass, field
from datetime import timedelta

from service.clips.frames import DEFAULT_FRAME_RULES, FrameRules
from service.clips.lifecycle import awaits_room
from service.clips.models import ProjectId, SettledBy
from service.clips.ownership import Caller
from service.clips.planning import frame_problems
from service.clips.progress import Progress, progress
from service.workflow.inquiry import Inquiry
from service.workflow.ports import Store
from service.workflow.projects import existing_project
from service.workflow.settlement import Settler, events_of

# However many people watch a project, Runware is asked about it this often at most.
_ASK_INTERVAL_S = 1.0
# A person waits for the answer, and the poller asks again anyway.
_ASK_WITHIN = timedelta(seconds=5)


@dataclass(slots=True)
class Checker:
    """Tells where a project stands, after asking Runware for what is pending."""

    store: Store
    inquiry: Inquiry
    settler: Settler
    frame_rules: FrameRules = DEFAULT_FRAME_RULES
    _asked_at: dict[ProjectId, float] = field(default_factory=dict, init=False)
    _asking: set[ProjectId] = field(default_factory=set, init=False)

    async def check(self, project_id: ProjectId, caller: Caller) -> Progress:
        """Bring a project's pending clips up to date, and report all of its clips.

        Raises ProjectNotFound and StoreUnavailable. If Runware gives no answer, the report is what is stored.
        """
        project = await existing_project(self.store, project_id, caller)
        clips = await self.store.current_clips(project_id)
        pending = [clip for clip in clips if not clip.status.settled and not awaits_room(clip)]
        if pending and self._may_ask(project_id):
            self._asking.add(project_id)
            try:
                outcomes = await self.inquiry.look(pending, _ASK_WITHIN)
            finally:
                self._asking.discard(project_id)
            await self.settler.settle(events_of(outcomes, SettledBy.CHECK))
            clips = await self.store.current_clips(project_id)
        return progress(clips, frame_problems(project, self.frame_rules))

    def _may_ask(self, project_id: ProjectId) -> bool:
        now = time.monotonic()
        self._asked_at = {asked: at for asked, at in self._asked_at.items() if now - at < _ASK_INTERVAL_S}
        if project_id in self._asked_at or project_id in self._asking:
            return False
        self._asked_at[project_id] = now
        return True
