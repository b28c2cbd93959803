"""What may be bought in place of a clip that has only presumably failed.

Its first job may still be running, finished or billed, since its failure is the service's own conclusion.
"""

from dataclasses import dataclass
from datetime import datetime

from service.clips.lifecycle import Policy, doubt_ends_at, grace_is_over
from service.clips.models import Clip, Failure, FailureKind
from service.clips.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Reopened,
    Unclear,
    Unknown,
    VideoRefused,
)

_STILL_RUNNING = "The earlier job {job} is still running at Runware: both may be billed."
_NOT_TOLD = "Runware does not say what became of the earlier job {job}: both may be billed."
_ON_ITS_WAY = "it was sent again only a moment ago"
_IN_DOUBT = (
    "The earlier job presumably failed, but Runware does not say now what became of it ({reason}). "
    "Call again in a minute. After {ends_at:%H:%M} UTC a call buys it again even so, and both may be billed."
)


@dataclass(frozen=True, slots=True)
class BuyAgain:
    """Nothing speaks against a new attempt. `warning` says what may be billed beside it; it can be empty."""

    warning: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be bought now; `reason` says why, for a person."""

    reason: str


def decide(clip: Clip, found: Outcome, asked_at: datetime, policy: Policy) -> BuyAgain | Wait | Outcome:
    """Decide about a clip that presumably failed, from what was found about it just now.

    `found` is Unknown only where two looks, apart from each other, found the task neither among Runware's
    results nor in its archive. That proves nothing if at `asked_at`, right before the first look, the last
    send may have been on its way. An outcome is the clip's news, to be settled: then it is in doubt no more.
    While Runware has the task, or nobody knows, nothing is bought until the doubt has lasted long enough;
    from then on the person decides, by asking again.
    """
    ends_at = doubt_ends_at(clip, policy)
    late = asked_at >= ends_at
    match found:
        case Unknown() if not grace_is_over(clip, asked_at, policy):
            return Wait(_IN_DOUBT.format(reason=_ON_ITS_WAY, ends_at=ends_at))
        case Unknown():
            return BuyAgain()
        case VideoRefused():
            return Reopened()
        case Acknowledged():
            return BuyAgain(_STILL_RUNNING.format(job=clip.task_uuid)) if late else Reopened()
        case Unclear(reason) | Failed(Failure(FailureKind.LOST, reason)):
            wait = Wait(_IN_DOUBT.format(reason=reason, ends_at=ends_at))
            return BuyAgain(_NOT_TOLD.format(job=clip.task_uuid)) if late else wait
        case outcome:
            return outcome
