import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_random

from service.clips.catalogue import Catalogue
from service.clips.fingerprint import fingerprint
from service.clips.models import (
    Choice,
    Clip,
    ClipRequest,
    ClipStatus,
    FailureKind,
    Fingerprint,
    ProjectId,
    SceneKey,
    SettledBy,
    TaskUUID,
)
from service.clips.outcomes import Acknowledged, Outcome, Reopened, Unclear, VideoRefused
from service.clips.ownership import Caller
from service.clips.planning import Plan, choose, plan
from service.clips.progress import Progress, SceneProgress, progress
from service.errors import (
    FramesNotReady,
    ProjectBusy,
    ProviderRefused,
    ProviderUnavailable,
    SceneNotFound,
    StoreUnavailable,
)
from service.workflow.ports import Clock, Provider, Store
from service.workflow.projects import existing_project
from service.workflow.settlement import Settler, events_of
from service.workflow.submission import Submitter

# Enough for a person to act on; a message is no place for thousands.
_MOST_LISTED = 20
_ASK_WITHIN = timedelta(seconds=20)
# Longer than the question, and the two writes around it, can take.
_PROJECT_LEASE = timedelta(seconds=60)
_UNTIL_LEASED = AsyncRetrying(
    retry=retry_if_result(lambda leased: not leased),
    stop=stop_after_delay(_ASK_WITHIN),
    wait=wait_random(0.05, 0.5),
    retry_error_callback=lambda _: False,
)
_IN_DOUBT = (
    "The earlier job presumably failed, but Runware can't be asked now whether its video has come since "
    "({reason}). Call again in a minute."
)


@dataclass(frozen=True, slots=True)
class Generated:
    """How the project stands after the call, and what came of the scenes the call was about.

    `problems` says of those of its scenes for which nothing could be submitted now why that is so.
    """

    progress: Progress
    scenes: Sequence[SceneProgress]
    problems: Mapping[SceneKey, str]


@dataclass(frozen=True, slots=True)
class Generator:
    """Turns a project's frames into submitted jobs, and never into two for the same purchase."""

    store: Store
    provider: Provider
    settler: Settler
    submitter: Submitter
    clock: Clock
    catalogue: Catalogue
    on_change: Callable[[], None]

    async def generate(
        self, project_id: ProjectId, caller: Caller, choice: Choice | None = None
    ) -> Generated:
        """Submit a job for each scene with both frames that has none yet.

        A `choice` becomes the project's; without one that of an earlier call stands.

        Raises ProjectNotFound; ChoiceRefused, before anything is stored; FramesNotReady, if no scene is
        complete; ProviderRefused, if Runware refused the account and so all new jobs; ProviderUnavailable, if
        nothing may be bought before Runware has said how earlier jobs stand, and it can't be asked;
        ProjectBusy, if another call keeps asking for longer than a person waits; StoreUnavailable.
        """
        if choice is not None:
            await self._choose(project_id, caller, choice)
        planned = await self._plan(project_id, caller)
        if not planned.requests:
            raise FramesNotReady(_not_ready(planned.problems))
        return await self._make(project_id, planned)

    async def retry(
        self, project_id: ProjectId, scenes: Collection[SceneKey] | None, caller: Caller
    ) -> Generated:
        """Submit a new attempt for each failed scene, or for those of `scenes` that failed.

        Raises what `generate` does, but not FramesNotReady; SceneNotFound, for scenes that the project lacks.
        """
        planned = await self._plan(project_id, caller)
        if unknown := sorted(set(scenes or ()) - _scene_problems(planned).keys()):
            raise SceneNotFound(
                f"Project {project_id} has no scene {', '.join(unknown[:_MOST_LISTED])}. "
                "Nothing was retried: name scenes that it has."
            )
        before = progress(await self.store.current_clips(project_id), _scene_problems(planned))
        failed = {
            s.scene for s in before.scenes if s.status == "failed" and (scenes is None or s.scene in scenes)
        }
        return await self._make(project_id, planned, only=failed)

    async def _plan(self, project_id: ProjectId, caller: Caller) -> Plan:
        project = await existing_project(self.store, project_id, caller)
        settings = self.catalogue.settings(project.choice)
        return plan(project, settings, self.catalogue.model(settings.model).durations_s)

    async def _choose(self, project_id: ProjectId, caller: Caller, choice: Choice) -> None:
        project = await existing_project(self.store, project_id, caller)
        chosen = choice.over(project.choice)
        self.catalogue.settings(chosen)
        await self.store.choose(project_id, chosen, self.clock())
        self.on_change()

    async def _make(
        self, project_id: ProjectId, planned: Plan, only: Collection[SceneKey] | None = None
    ) -> Generated:
        asked_for = _scene_problems(planned).keys() if only is None else only
        wanted = {
            fingerprint(project_id, request): request
            for request in planned.requests
            if request.scene in asked_for
        }
        problems = {scene: problem for scene, problem in planned.problems.items() if scene in asked_for}
        attempts = await self.store.attempts(project_id, wanted.keys())
        if _in_doubt(attempts):
            async with self._leased(project_id) as owner:
                attempts, doubts = await self._ask_again(project_id, wanted.keys())
                problems |= {wanted[key].scene: _IN_DOUBT.format(reason=why) for key, why in doubts.items()}
                buying = {key: request for key, request in wanted.items() if key not in doubts}
                if not buying:
                    raise ProviderUnavailable(
                        f"{problems[next(iter(wanted.values())).scene]} Nothing was bought."
                    )
                new = await self._record(project_id, buying, attempts, owner)
        else:
            new = await self._record(project_id, wanted, attempts)
        await self.submitter.submit(new)
        after = progress(await self.store.current_clips(project_id), _scene_problems(planned))
        _raise_if_account_refused(after, {clip.task_uuid for clip in new})
        return Generated(after, [s for s in after.scenes if s.scene in asked_for], problems)

    async def _record(
        self,
        project_id: ProjectId,
        wanted: Mapping[Fingerprint, ClipRequest],
        attempts: Sequence[Clip],
        owner: str | None = None,
    ) -> Sequence[Clip]:
        """Put what is missing into the ledger; gives those clips, which nobody has sent yet."""
        now = self.clock()
        chosen = choose(project_id, wanted, attempts, _new_task_uuid, now)
        new = {clip.task_uuid for clip in chosen} - {clip.task_uuid for clip in attempts}
        recorded = await self.store.record(project_id, chosen, now, owner)
        self.on_change()
        return [clip for clip in recorded if clip.task_uuid in new]

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

    async def _ask_again(
        self, project_id: ProjectId, fingerprints: Collection[Fingerprint]
    ) -> tuple[Sequence[Clip], Mapping[Fingerprint, str]]:
        """Read the earlier attempts, after a last question about those that only presumably failed.

        Runware may have finished one since, or still be at it: a job that is paid for beats a new attempt.
        Also gives the fingerprints for which nothing may be bought now, and why there was no answer.
        """
        attempts = await self.store.attempts(project_id, fingerprints)
        presumed = _in_doubt(attempts)
        if not presumed:
            return attempts, {}
        outcomes = await self.provider.ask(list(presumed), _ASK_WITHIN)
        answers = {task: _asked_again(outcome) for task, outcome in outcomes.items()}
        await self.settler.settle(events_of(answers, SettledBy.CHECK))
        attempts = await self.store.attempts(project_id, fingerprints)
        standing = _standing(attempts)
        doubts = {
            presumed[task].fingerprint: outcome.reason
            for task, outcome in outcomes.items()
            if isinstance(outcome, Unclear) and presumed[task].fingerprint not in standing
        }
        return attempts, doubts


def _in_doubt(attempts: Sequence[Clip]) -> dict[TaskUUID, Clip]:
    standing = _standing(attempts)
    return {
        clip.task_uuid: clip for clip in attempts if clip.presumed_failed and clip.fingerprint not in standing
    }


def _standing(attempts: Sequence[Clip]) -> set[Fingerprint]:
    return {clip.fingerprint for clip in attempts if clip.status is not ClipStatus.FAILED}


def _asked_again(outcome: Outcome) -> Outcome:
    return Reopened() if isinstance(outcome, Acknowledged | VideoRefused) else outcome


def _scene_problems(planned: Plan) -> dict[SceneKey, str | None]:
    return {request.scene: None for request in planned.requests} | dict(planned.problems)


def _new_task_uuid() -> TaskUUID:
    return TaskUUID(str(uuid.uuid4()))


def _not_ready(problems: Mapping[SceneKey, str]) -> str:
    if not problems:
        return "The project has no frames. Store a first and a last frame for each scene, then call again."
    listed = "; ".join(
        f"scene {scene}: {problem}" for scene, problem in islice(problems.items(), _MOST_LISTED)
    )
    if len(problems) > _MOST_LISTED:
        listed += f"; and {len(problems) - _MOST_LISTED} more"
    return f"No scene has both of its frames ({listed}). Store what is missing, then call again."


def _raise_if_account_refused(after: Progress, new: Collection[TaskUUID]) -> None:
    refused = [scene.clip.failure for scene in after.scenes if scene.clip and scene.clip.task_uuid in new]
    if refused and all(failure and failure.kind is FailureKind.ACCOUNT for failure in refused):
        failure = next(failure for failure in refused if failure)
        raise ProviderRefused(
            f"Runware refused the service's account ({failure.code}: {failure.message}). No job was started. "
            "Mend the account or RUNWARE_API_KEY, then call again."
        )
