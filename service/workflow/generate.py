import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from service.clips.fingerprint import fingerprint
from service.clips.models import (
    Clip,
    ClipRequest,
    ClipStatus,
    FailureKind,
    GenerationSettings,
    ProjectId,
    SceneKey,
    SettledBy,
    TaskUUID,
)
from service.clips.planning import Plan, choose, plan
from service.clips.progress import Progress, SceneProgress, progress
from service.errors import FramesNotReady, ProjectNotFound, ProviderRefused, SceneNotFound
from service.workflow.ports import Clock, Provider, Store
from service.workflow.settlement import Event, Settler
from service.workflow.submission import Submitter


@dataclass(frozen=True, slots=True)
class Generated:
    """How the project stands after the call, and what came of the scenes the call was about.

    `problems` says of those of its scenes that could not be submitted now what they lack.
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
    settings: GenerationSettings

    async def generate(self, project_id: ProjectId) -> Generated:
        """Submit a job for each scene with both frames that has none yet.

        Raises ProjectNotFound; FramesNotReady, if no scene is complete; ProviderRefused, if Runware refused
        the account and so all new jobs; StoreUnavailable.
        """
        planned = await self._plan(project_id)
        if not planned.requests:
            raise FramesNotReady(_not_ready(planned.problems))
        return await self._make(project_id, planned)

    async def retry(self, project_id: ProjectId, scenes: Collection[SceneKey] | None) -> Generated:
        """Submit a new attempt for each failed scene, or for those of `scenes` that failed.

        Raises what `generate` does, but not FramesNotReady; SceneNotFound, for scenes that the project lacks.
        """
        planned = await self._plan(project_id)
        known = {request.scene for request in planned.requests} | planned.problems.keys()
        if unknown := sorted(set(scenes or ()) - known):
            raise SceneNotFound(
                f"Project {project_id} has no scene {', '.join(unknown)}. Nothing was retried: "
                "name scenes that it has."
            )
        before = progress(await self.store.current_clips(project_id), planned.problems)
        failed = {
            s.scene for s in before.scenes if s.status == "failed" and (scenes is None or s.scene in scenes)
        }
        return await self._make(
            project_id,
            Plan(
                [request for request in planned.requests if request.scene in failed],
                {scene: problem for scene, problem in planned.problems.items() if scene in failed},
            ),
            every_problem=planned.problems,
        )

    async def _plan(self, project_id: ProjectId) -> Plan:
        project = await self.store.project(project_id)
        if project is None:
            raise ProjectNotFound(project_id)
        return plan(project, self.settings)

    async def _make(
        self, project_id: ProjectId, planned: Plan, every_problem: Mapping[SceneKey, str] | None = None
    ) -> Generated:
        attempts = await self._attempts(project_id, planned.requests)
        now = self.clock()
        chosen = choose(project_id, planned.requests, attempts, _new_task_uuid, now)
        new = {clip.task_uuid for clip in chosen} - {clip.task_uuid for clip in attempts}
        recorded = await self.store.record(project_id, chosen, now)
        await self.submitter.submit([clip for clip in recorded if clip.task_uuid in new])
        after = progress(
            await self.store.current_clips(project_id),
            planned.problems if every_problem is None else every_problem,
        )
        _raise_if_account_refused(after, new)
        asked_for = {request.scene for request in planned.requests} | planned.problems.keys()
        return Generated(after, [s for s in after.scenes if s.scene in asked_for], planned.problems)

    async def _attempts(self, project_id: ProjectId, requests: Sequence[ClipRequest]) -> Sequence[Clip]:
        """Read the earlier attempts, after a last question about those that only presumably failed.

        Runware may have finished one since, and a video that is paid for beats a new attempt.
        """
        fingerprints = {fingerprint(project_id, request) for request in requests}
        attempts = await self.store.attempts(project_id, fingerprints)
        paid_for = {clip.fingerprint for clip in attempts if not _failed(clip)}
        doubtful = [
            clip.task_uuid
            for clip in attempts
            if clip.fingerprint not in paid_for and clip.failure and clip.failure.kind.presumed
        ]
        if not doubtful:
            return attempts
        outcomes = await self.provider.ask(doubtful)
        await self.settler.settle(
            [Event(task, outcome, SettledBy.CHECK) for task, outcome in outcomes.items()]
        )
        return await self.store.attempts(project_id, fingerprints)


def _new_task_uuid() -> TaskUUID:
    return TaskUUID(str(uuid.uuid4()))


def _failed(clip: Clip) -> bool:
    return clip.status is ClipStatus.FAILED


def _not_ready(problems: Mapping[SceneKey, str]) -> str:
    if not problems:
        return "The project has no frames. Store a first and a last frame for each scene, then call again."
    listed = "; ".join(f"scene {scene}: {problem}" for scene, problem in problems.items())
    return f"No scene has both of its frames ({listed}). Store what is missing, then call again."


def _raise_if_account_refused(after: Progress, new: Collection[TaskUUID]) -> None:
    refused = [scene.clip.failure for scene in after.scenes if scene.clip and scene.clip.task_uuid in new]
    if refused and all(failure and failure.kind is FailureKind.ACCOUNT for failure in refused):
        failure = next(failure for failure in refused if failure)
        raise ProviderRefused(
            f"Runware refused the service's account ({failure.code}: {failure.message}). No job was started. "
            "Mend the account or RUNWARE_API_KEY, then call again."
        )
