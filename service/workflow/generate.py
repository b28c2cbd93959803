import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_random,
)

from service.clips.doubts import BuyAgain, Wait, decide
from service.clips.earlier import EarlierClip, earlier_clips
from service.clips.fingerprint import fingerprint
from service.clips.lifecycle import Policy
from service.clips.models import (
    ACCOUNT_REMEDY,
    Choice,
    Clip,
    ClipRequest,
    ClipStatus,
    FailureKind,
    Fingerprint,
    Project,
    ProjectId,
    SceneKey,
    SettledBy,
    TaskUUID,
)
from service.clips.ownership import Caller
from service.clips.planning import Plan, Planner, choose, frame_problems
from service.clips.progress import Progress, SceneProgress, progress
from service.clips.quotes import seconds_note
from service.errors import (
    FramesNotReady,
    ProjectBusy,
    ProjectEdited,
    ProviderRefused,
    ProviderUnavailable,
    StoreUnavailable,
)
from service.workflow.inquiry import Inquiry
from service.workflow.ports import Clock, Store
from service.workflow.projects import existing_project, refuse_unknown_scenes
from service.workflow.settlement import Event, Settler
from service.workflow.submission import Submitter

# Enough for a person to act on; a message is no place for thousands.
_MOST_LISTED = 20
# A person waits for it.
_LEASED_WITHIN = timedelta(seconds=20)
# Longer than the questions, and the writes around them, can take.
_PROJECT_LEASE = timedelta(seconds=120)
_UNTIL_LEASED = AsyncRetrying(
    retry=retry_if_result(lambda leased: not leased),
    stop=stop_after_delay(_LEASED_WITHIN),
    wait=wait_random(0.05, 0.5),
    retry_error_callback=lambda _: False,
)
# A project that is edited more often than this while one call chooses its clips is being written by machine.
_UNTIL_UP_TO_DATE = AsyncRetrying(
    retry=retry_if_exception_type(ProjectEdited), stop=stop_after_attempt(5), reraise=True
)
_NOT_ASKED_ABOUT = (
    "The earlier job's time has only just ended, and Runware was not asked about it. Call again in a minute."
)


@dataclass(frozen=True, slots=True)
class Generated:
    """How the project stands after the call, and what came of the scenes the call was about.

    `problems` says of those of its scenes for which nothing could be submitted now why that is so; `warnings`
    says of those for which something was what may be billed beside it. `earlier` are the clips of before the
    ledger that were there when it took over, by this call.
    `notes` say of scenes that their clips have other seconds than were asked for.
    `note` says what a retry did not retry, since it has not failed.
    """

    progress: Progress
    scenes: Sequence[SceneProgress]
    problems: Mapping[SceneKey, str]
    warnings: Mapping[SceneKey, str] = field(default_factory=dict)
    notes: Mapping[SceneKey, str] = field(default_factory=dict)
    earlier: Sequence[EarlierClip] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Doubts:
    """What came of the question about earlier jobs that only presumably failed.

    `attempts` are all earlier ones as they stand after it; for the fingerprints of `waits` nothing may be
    bought, for those of `warnings` with that said.
    """

    attempts: Sequence[Clip]
    waits: Mapping[Fingerprint, str] = field(default_factory=dict)
    warnings: Mapping[Fingerprint, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Order:
    """What a call asks for: the project as it was read, its plan, and of that the scenes of the call."""

    project: Project
    planned: Plan
    scenes: Collection[SceneKey]
    requests: Mapping[Fingerprint, ClipRequest]


_Scenes = Callable[[Plan], Collection[SceneKey]]
"""Gives the scenes of a plan that a call is about."""


@dataclass(frozen=True, slots=True)
class Generator:
    """Turns a project's frames into submitted jobs, and never into two for the same purchase."""

    store: Store
    inquiry: Inquiry
    settler: Settler
    submitter: Submitter
    clock: Clock
    policy: Policy
    planner: Planner
    on_change: Callable[[], None]

    async def generate(
        self,
        project_id: ProjectId,
        caller: Caller,
        choice: Choice | None = None,
        scenes: Collection[SceneKey] | None = None,
    ) -> Generated:
        """Submit a job for each scene with both frames that has none yet, or for those of `scenes` only.

        A `choice` becomes the project's; without one that of an earlier call stands.

        Raises ProjectNotFound; ChoiceRefused and SceneNotFound, before anything is stored; FramesNotReady, if
        none of these scenes is complete; ProviderRefused, if Runware refused the account and so all new jobs;
        ProviderUnavailable, if nothing may be bought before Runware has said how earlier jobs stand, and it
        can't be asked; ProjectBusy, if another call keeps asking for longer than a person waits;
        ProjectEdited, if edit follows on edit; StoreUnavailable.
        """
        if choice is not None:
            await self.choose(project_id, caller, choice, scenes or ())

        def scenes_to_make(planned: Plan) -> Collection[SceneKey]:
            problems = _scene_problems(planned)
            refuse_unknown_scenes(project_id, scenes or (), problems, "made")
            wanted = {scene: said for scene, said in problems.items() if scenes is None or scene in scenes}
            if None not in wanted.values():
                raise FramesNotReady(_not_ready({scene: said for scene, said in wanted.items() if said}))
            return wanted.keys()

        return await self._make(project_id, caller, scenes_to_make)

    async def retry(
        self, project_id: ProjectId, scenes: Collection[SceneKey] | None, caller: Caller
    ) -> Generated:
        """Submit a new attempt for each failed scene, or for those of `scenes` that failed.

        Raises what `generate` does, but not FramesNotReady; SceneNotFound, for scenes that the project lacks.
        """
        before = {clip.scene: clip for clip in await self.store.current_clips(project_id)}

        def failed_scenes(planned: Plan) -> Collection[SceneKey]:
            problems = _scene_problems(planned)
            refuse_unknown_scenes(project_id, scenes or (), problems, "retried")
            shown = progress(before.values(), problems).scenes
            return {s.scene for s in shown if s.status == "failed" and (scenes is None or s.scene in scenes)}

        generated = await self._make(project_id, caller, failed_scenes)
        retried = {scene.scene for scene in generated.scenes}
        return replace(generated, note=generated.progress.left_alone(scenes, retried))

    async def _make(self, project_id: ProjectId, caller: Caller, scenes: _Scenes) -> Generated:
        """Plan, choose and record; again from the plan, if the project is edited before all is recorded.

        So a call that was overtaken by an edit buys what the project asks for now, and nothing outdated.
        """
        return await _UNTIL_UP_TO_DATE.copy()(self._make_once, project_id, caller, scenes)

    async def _make_once(self, project_id: ProjectId, caller: Caller, scenes: _Scenes) -> Generated:
        order = await self._order(project_id, caller, scenes)
        attempts = await self.store.attempts(project_id, order.requests.keys())
        if not _in_doubt(attempts):
            doubts = _Doubts(attempts)
            new = await self._record(order, doubts)
            return await self._submit(order, new, doubts)
        async with self._leased(project_id) as owner:
            # The lease may have taken its time: the project may ask for something else by now.
            order = await self._order(project_id, caller, scenes)
            doubts = await self._resolve_doubts(project_id, order.requests.keys())
            if doubts.waits and doubts.waits.keys() >= order.requests.keys():
                raise ProviderUnavailable(f"{next(iter(doubts.waits.values()))} Nothing was bought.")
            new = await self._record(order, doubts, owner)
        return await self._submit(order, new, doubts)

    async def choose(
        self, project_id: ProjectId, caller: Caller, choice: Choice, scenes: Collection[SceneKey] = ()
    ) -> None:
        """Make a choice the project's, for a call that names these of its scenes.

        Raises ProjectNotFound; SceneNotFound; ChoiceRefused; StoreUnavailable. None of them leaves a trace.
        """
        project = await existing_project(self.store, project_id, caller)
        refuse_unknown_scenes(project_id, scenes, frame_problems(project, self.planner.frame_rules), "made")
        chosen = choice.over(project.choice)
        self.planner.catalogue.settings(chosen)
        await self.store.choose(project_id, chosen, self.clock())
        self.on_change()

    async def _order(self, project_id: ProjectId, caller: Caller, scenes: _Scenes) -> _Order:
        project = await existing_project(self.store, project_id, caller)
        planned = self.planner.plan(project)
        asked_for = scenes(planned)
        requests = {
            fingerprint(project_id, request): request
            for request in planned.requests
            if request.scene in asked_for
        }
        return _Order(project, planned, asked_for, requests)

    async def _record(self, order: _Order, doubts: _Doubts, owner: str | None = None) -> Sequence[Clip]:
        """Put what is missing and may be bought into the ledger; gives those clips, which nobody has sent."""
        now, project = self.clock(), order.project
        buying = {key: request for key, request in order.requests.items() if key not in doubts.waits}
        current = await self.store.current_clips(project.id)
        chosen = choose(project.id, buying, doubts.attempts, current, secrets.randbelow, now)
        new = {clip.task_uuid for clip in chosen} - {clip.task_uuid for clip in doubts.attempts}
        recorded = await self.store.record(project.id, chosen, now, edited=project.edited, owner=owner)
        self.on_change()
        return [clip for clip in recorded if clip.task_uuid in new]

    async def _submit(self, order: _Order, new: Sequence[Clip], doubts: _Doubts) -> Generated:
        """Send the new clips, and tell how the project stands after that."""
        await self.submitter.submit(new)
        problems = _scene_problems(order.planned)
        after = progress(await self.store.current_clips(order.project.id), problems)
        _raise_if_account_refused(after, {clip.task_uuid for clip in new})
        incomplete = {scene: said for scene, said in problems.items() if said and scene in order.scenes}
        waits, warnings = (
            {order.requests[key].scene: said for key, said in about.items()}
            for about in (doubts.waits, doubts.warnings)
        )
        scenes = [scene for scene in after.scenes if scene.scene in order.scenes]
        replaced = await self._replaced(order.project, after)
        notes = _seconds_notes(order.planned)
        return Generated(after, scenes, incomplete | waits, warnings, notes, replaced)

    async def _replaced(self, project: Project, after: Progress) -> Sequence[EarlierClip]:
        """Give the clips of before the ledger that `projects.clips` held when the project was read."""
        unknown = [one for one in earlier_clips(project.clips) if one.task_uuid not in after.clips]
        if not unknown:
            return ()
        known = {clip.task_uuid for clip in await self.store.clips([one.task_uuid for one in unknown])}
        return [one for one in unknown if one.task_uuid not in known]

    @asynccontextmanager
    async def _leased(self, project_id: ProjectId) -> AsyncIterator[str]:
        """Let one call at a time, on whichever copy, decide about the project's earlier jobs; gives its name.

        While one call asks what became of a job, and goes on waiting for it, no other may conclude that it
        is lost. Raises ProjectBusy.
        """
        owner = uuid.uuid4().hex

        async def lease() -> bool:
            now = self.clock()
            return await self.store.lease_project(project_id, owner, now, now + _PROJECT_LEASE)

        leased: bool = await _UNTIL_LEASED.copy()(lease)
        if not leased:
            raise ProjectBusy(project_id)
        try:
            yield owner
        finally:
            # Else it ends by itself.
            with suppress(StoreUnavailable):
                await self.store.release_project(project_id, owner)

    async def _resolve_doubts(self, project_id: ProjectId, fingerprints: Collection[Fingerprint]) -> _Doubts:
        """Read the earlier attempts, after a last question about those that only presumably failed.

        Runware may have finished one since, or still be at it: a job that is paid for beats a new attempt.
        The time of another may end while the question is asked: as nobody asked about it, it stays in doubt.
        """
        attempts = await self.store.attempts(project_id, fingerprints)
        presumed = _in_doubt(attempts)
        if not presumed:
            return _Doubts(attempts)
        asked_at = self.clock()
        found = await self.inquiry.look_twice(list(presumed.values()), project_id)
        decided = {task: decide(clip, found[task], asked_at, self.policy) for task, clip in presumed.items()}
        await self.settler.settle(
            [
                Event(task, decision, SettledBy.CHECK)
                for task, decision in decided.items()
                if not isinstance(decision, BuyAgain | Wait)
            ]
        )
        attempts = await self.store.attempts(project_id, fingerprints)
        waits: dict[Fingerprint, str] = {}
        warnings: dict[Fingerprint, str] = {}
        for task, clip in _in_doubt(attempts).items():
            match decided.get(task):
                case BuyAgain(warning):
                    if warning:
                        warnings[clip.fingerprint] = warning
                case Wait(reason):
                    waits[clip.fingerprint] = reason
                case _:
                    waits[clip.fingerprint] = _NOT_ASKED_ABOUT
        return _Doubts(attempts, waits, warnings)


def _in_doubt(attempts: Sequence[Clip]) -> dict[TaskUUID, Clip]:
    standing = _standing(attempts)
    return {
        clip.task_uuid: clip for clip in attempts if clip.presumed_failed and clip.fingerprint not in standing
    }


def _standing(attempts: Sequence[Clip]) -> set[Fingerprint]:
    return {clip.fingerprint for clip in attempts if clip.status is not ClipStatus.FAILED}


def _scene_problems(planned: Plan) -> dict[SceneKey, str | None]:
    return {request.scene: None for request in planned.requests} | dict(planned.problems)


def _seconds_notes(planned: Plan) -> dict[SceneKey, str]:
    return {
        request.scene: seconds_note(planned.wanted_s[request.scene], request.duration_s, planned.durations_s)
        for request in planned.requests
        if request.scene in planned.wanted_s
    }


def _not_ready(problems: Mapping[SceneKey, str]) -> str:
    if not problems:
        return "The project has no frames. Store a first and a last frame for each scene, then call again."
    listed = "; ".join(
        f"scene {scene}: {problem}" for scene, problem in islice(problems.items(), _MOST_LISTED)
    )
    if len(problems) > _MOST_LISTED:
        listed += f"; and {len(problems) - _MOST_LISTED} more"
    return f"No scene has both of its frames where they can be used ({listed}). Mend that, then call again."


def _raise_if_account_refused(after: Progress, new: Collection[TaskUUID]) -> None:
    refused = [scene.clip.failure for scene in after.scenes if scene.clip and scene.clip.task_uuid in new]
    if refused and all(failure and failure.kind is FailureKind.ACCOUNT for failure in refused):
        failure = next(failure for failure in refused if failure)
        raise ProviderRefused(
            f"Runware refused the service's key or account ({failure.code}: {failure.sentence}). "
            f"No job was started. {ACCOUNT_REMEDY} Then call again."
        )
