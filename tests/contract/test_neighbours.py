"""One task of a batch never changes the fate of its neighbours, however Runware answers the batch."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clips.models import Clip
from service.clips.outcomes import Acknowledged, Failed, Outcome, Throttled, Unclear
from service.runware.client import RunwareClient
from tests.contract.test_runware_client import Tasks, account, acks, some_clips, speaking_to

MOST = 25


class Fate(StrEnum):
    """What Runware does with a task."""

    TAKEN = "taken"
    KNOWN = "conflictTaskUUID"
    REJECTED = "invalidDuration"
    MODERATED = "invalidProviderContent"
    THROTTLED = "insufficientCredits"
    LIMITED = "rateLimitExceeded"
    STUMBLED = "internalServerError"


ENDS = {Fate.REJECTED: Failed, Fate.MODERATED: Failed, Fate.TAKEN: Acknowledged, Fate.KNOWN: Acknowledged}


class Manner(StrEnum):
    """How Runware answers a batch in which it refuses some tasks."""

    EACH = "acknowledges the others, and names the refused at 200"
    NAMES = "takes nobody, and names the refused at 400"
    HIDES = "takes nobody, and names nobody"
    ONE = "takes nobody, and names one of them"


def error(task: Mapping[str, Any], fate: Fate, *, named: bool = True) -> Mapping[str, Any]:
    marks = {"status": "error"} if fate is Fate.MODERATED else {}
    names = {"taskUUID": task["taskUUID"], "taskType": "videoInference"} if named else {}
    return {"code": fate.value, "message": "No.", **names, **marks}


class Batches:
    """Answers submissions by each task's fate; its balance is not empty."""

    def __init__(self) -> None:
        self.fates: Mapping[str, Fate] = {}
        self.manner = Manner.EACH

    async def answer(self, tasks: Tasks) -> web.StreamResponse:
        if tasks[0]["taskType"] == "accountManagement":
            return account(5)
        fates = {task["taskUUID"]: self.fates[task["taskUUID"]] for task in tasks}
        bad = [task for task in tasks if fates[task["taskUUID"]] is not Fate.TAKEN]
        if not bad:
            return acks(tasks)
        errors = [error(task, fates[task["taskUUID"]]) for task in bad]
        if self.manner is Manner.EACH:
            taken = [task for task in tasks if task not in bad]
            data = [{"taskType": "videoInference", "taskUUID": task["taskUUID"]} for task in taken]
            return web.json_response({"data": data, "errors": errors})
        if self.manner is Manner.HIDES:
            # Which of the errors Runware would tell is not known: the first, say.
            worst = fates[bad[0]["taskUUID"]]
            return web.json_response({"errors": [error(bad[0], worst, named=False)]}, status=400)
        return web.json_response({"errors": errors[:1] if self.manner is Manner.ONE else errors}, status=400)


async def outcomes_of(client: RunwareClient, clips: Sequence[Clip]) -> list[Outcome]:
    outcomes = await client.submit(clips)
    return [outcomes[clip.task_uuid] for clip in clips]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(Fate), min_size=1, max_size=MOST),
    st.sampled_from([manner for manner in Manner if manner is not Manner.HIDES]),
)
async def test_each_clip_of_a_batch_ends_as_it_would_alone(fates: list[Fate], manner: Manner) -> None:
    runware = Batches()
    clips = some_clips(len(fates))
    runware.fates = {clip.task_uuid: fate for clip, fate in zip(clips, fates, strict=True)}
    runware.manner = manner
    async with speaking_to(runware.answer) as (client, _):
        together = await outcomes_of(client, clips)
        alone = [(await outcomes_of(client, [clip]))[0] for clip in clips]
    assert together == alone


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(Fate), min_size=1, max_size=MOST))
async def test_refusal_that_names_nobody_ends_no_clip_that_would_be_taken_alone(fates: list[Fate]) -> None:
    """It may have a neighbour wait, where it speaks of the moment; what waits is tried again by itself."""
    runware = Batches()
    clips = some_clips(len(fates))
    runware.fates = {clip.task_uuid: fate for clip, fate in zip(clips, fates, strict=True)}
    runware.manner = Manner.HIDES
    async with speaking_to(runware.answer) as (client, _):
        together = await outcomes_of(client, clips)
    momentary = {Fate.THROTTLED, Fate.LIMITED, Fate.STUMBLED} & set(fates)
    for fate, outcome in zip(fates, together, strict=True):
        waits = isinstance(outcome, Throttled | Unclear)
        assert waits or isinstance(outcome, ENDS.get(fate, Throttled))
        assert not waits or momentary
