import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from service.clips.earlier import EarlierClip, after_ends, earlier_clips, ended
from service.clips.frames import DEFAULT_FRAME_RULES, FrameRules
from service.clips.lifecycle import awaits_room
from service.clips.models import Clip, Project, ProjectId, SettledBy
from service.clips.ownership import Caller
from service.clips.planning import frame_problems
from service.clips.progress import Progress, progress
from service.workflow.inquiry import Inquiry
from service.workflow.ports import Clock, Store
from service.workflow.projects import existing_project
from service.workflow.settlement import Settler, events_of

log = structlog.get_logger(__name__)

# However many people watch a project, Runware is asked about it this often at most.
_ASK_INTERVAL_S = 1.0
# A person waits for the answer, and the poller asks again anyway.
_ASK_WITHIN = timedelta(seconds=5)
# A failure that was only presumed is asked about for so long after it: a late video comes within hours, and
# old projects must not cost a question each time that somebody looks.
_DOUBTED_FOR = timedelta(hours=24)
# Anyone may have written `projects.clips`; the rest is asked about once these have ended.
_MOST_EARLIER = 100


@dataclass(slots=True)
class Checker:
    """Tells where a project stands, after asking Runware for what is pending or presumably failed."""

    store: Store
    inquiry: Inquiry
    settler: Settler
    clock: Clock
    frame_rules: FrameRules = DEFAULT_FRAME_RULES
    _asked_at: dict[ProjectId, float] = field(default_factory=dict, init=False)
    _asking: set[ProjectId] = field(default_factory=set, init=False)

    async def check(self, project_id: ProjectId, caller: Caller) -> Progress:
        """Bring a project's clips up to date, and report all of them.

        Of a clip that presumably failed Runware's own word is taken, a video or a failure; what still runs
        stays failed, since only a person who asks for it again has it waited for. If Runware gives no answer,
        the report is what is stored. Raises ProjectNotFound and StoreUnavailable.
        """
        project = await existing_project(self.store, project_id, caller)
        clips = await self.store.current_clips(project_id)
        if not clips and (earlier := earlier_clips(project.clips)):
            return Progress([], await self._check_earlier(project, earlier))
        now = self.clock()
        open_clips = [clip for clip in clips if _is_open(clip, now)]
        if open_clips and self._may_ask(project_id):
            self._asking.add(project_id)
            try:
                outcomes = await self.inquiry.look(open_clips, _ASK_WITHIN, project_id)
            finally:
                self._asking.discard(project_id)
            await self.settler.settle(events_of(outcomes, SettledBy.CHECK))
            clips = await self.store.current_clips(project_id)
        return progress(clips, frame_problems(project, self.frame_rules))

    async def _check_earlier(self, project: Project, earlier: Sequence[EarlierClip]) -> Sequence[EarlierClip]:
        """Bring the pending clips of before the ledger up to date, where Runware says how they ended."""
        pending = [one.task_uuid for one in earlier if one.status == "pending"][:_MOST_EARLIER]
        if not pending or not self._may_ask(project.id):
            return earlier
        self._asking.add(project.id)
        try:
            outcomes = await self.inquiry.look_up(pending, _ASK_WITHIN, project.id)
        finally:
            self._asking.discard(project.id)
        ends = {task: end for task, outcome in outcomes.items() if (end := ended(outcome)) is not None}
        if not ends:
            return earlier
        await self.store.save_earlier(project.id, ends, self.clock())
        for task, end in ends.items():
            log.info("earlier clip ended", project=project.id, job=task, failed=end == "failed")
        return after_ends(earlier, ends)

    def _may_ask(self, project_id: ProjectId) -> bool:
        now = time.monotonic()
        self._asked_at = {asked: at for asked, at in self._asked_at.items() if now - at < _ASK_INTERVAL_S}
        if project_id in self._asked_at or project_id in self._asking:
            return False
        self._asked_at[project_id] = now
        return True


def _is_open(clip: Clip, now: datetime) -> bool:
    """Whether Runware may have news of a clip."""
    if clip.presumed_failed and clip.settled_at is not None:
        return now - clip.settled_at < _DOUBTED_FOR
    return not clip.status.settled and not awaits_room(clip)
