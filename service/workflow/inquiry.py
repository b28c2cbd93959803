"""Finds out from Runware what became of tasks, before anything is concluded from its silence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from service.clips.lifecycle import Policy, is_missing, needs_trace, weighed
from service.clips.models import Clip, TaskUUID
from service.clips.outcomes import Outcome, Unknown
from service.workflow.ports import Clock, Provider

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

# For each of the up to four questions of two looks, so that a person hears of a Runware that hangs.
_ASK_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Looks for tasks among Runware's results, then, where they are missing there, in its archive."""

    provider: Provider
    clock: Clock
    policy: Policy
    sleep: Sleep = asyncio.sleep

    async def look(self, clips: Sequence[Clip], within: timedelta, whose: str) -> Mapping[TaskUUID, Outcome]:
        """Give what is known of each clip's task. An answer to either question takes `within` at most.

        Those who look at once take turns by `whose` questions they are.
        """
        if not clips:
            return {}
        by_task = {clip.task_uuid: clip for clip in clips}

        def is_to_be_traced(task_uuid: TaskUUID, answered: Outcome) -> bool:
            return needs_trace(by_task[task_uuid], answered, self.clock(), self.policy)

        return _weighed(clips, *await self._ask(list(by_task), within, whose, is_to_be_traced))

    async def look_up(
        self, task_uuids: Sequence[TaskUUID], within: timedelta, whose: str
    ) -> Mapping[TaskUUID, Outcome]:
        """Give what Runware says of tasks of which the ledger has no clip, since others have sent them."""
        answered, traced = await self._ask(task_uuids, within, whose, _if_missing)
        return {**answered, **traced}

    async def look_twice(self, clips: Sequence[Clip], whose: str) -> Mapping[TaskUUID, Outcome]:
        """Give what is known of the tasks of clips that presumably failed.

        Unknown only for a task of which two looks, apart from each other, found no trace in either place.
        """
        found = await self._look_everywhere(clips, whose)
        missing = [clip for clip in clips if isinstance(found[clip.task_uuid], Unknown)]
        if not missing:
            return found
        await self.sleep(self.policy.looks_apart.total_seconds())
        return {**found, **await self._look_everywhere(missing, whose)}

    async def _look_everywhere(self, clips: Sequence[Clip], whose: str) -> Mapping[TaskUUID, Outcome]:
        tasks = [clip.task_uuid for clip in clips]
        return _weighed(clips, *await self._ask(tasks, _ASK_WITHIN, whose, _if_missing))

    async def _ask(
        self,
        task_uuids: Sequence[TaskUUID],
        within: timedelta,
        whose: str,
        is_to_be_traced: Callable[[TaskUUID, Outcome], bool],
    ) -> tuple[Mapping[TaskUUID, Outcome], Mapping[TaskUUID, Outcome]]:
        """Give the answers of Runware's results, and of its archive for the tasks that are to be traced."""
        answered = await self.provider.ask(task_uuids, within, whose)
        missing = [task for task, outcome in answered.items() if is_to_be_traced(task, outcome)]
        return answered, await self.provider.trace(missing, within, whose) if missing else {}


def _if_missing(_task_uuid: TaskUUID, answered: Outcome) -> bool:
    return is_missing(answered)


def _weighed(
    clips: Sequence[Clip], answered: Mapping[TaskUUID, Outcome], traced: Mapping[TaskUUID, Outcome]
) -> Mapping[TaskUUID, Outcome]:
    return {
        clip.task_uuid: weighed(clip, answered[clip.task_uuid], traced.get(clip.task_uuid)) for clip in clips
    }
