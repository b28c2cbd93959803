"""Reads what a webhook says about the job whose callback URL it came by. Pure."""

from collections.abc import Sequence

from service.clips.models import TaskUUID
from service.clips.outcomes import Acknowledged, Outcome
from service.errors import MalformedResult
from service.runware.results import URLCheck, read_statements
from service.runware.verdicts import Asked, judge


def pushed_outcomes(body: object, task_uuid: TaskUUID, check: URLCheck) -> Sequence[Outcome]:
    """Read from a webhook's body what it says about its own job; the rest of it is ignored.

    A webhook comes when the job is done, so that an error which elsewhere speaks of the moment is the job's
    end here. Raises MalformedResult if the body says nothing about the job.
    """
    outcomes = [
        outcome
        for said in read_statements(body, check)
        if said.task_uuid in (task_uuid, None)
        and (
            not isinstance(outcome := judge(said, Asked.WEBHOOK), Acknowledged) or said.task_uuid is not None
        )
    ]
    if not outcomes:
        raise MalformedResult(
            f"The body says nothing about the job {task_uuid} that this callback URL is for."
        )
    return outcomes
