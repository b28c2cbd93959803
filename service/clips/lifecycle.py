"""The one transition function, and the times that decide about a clip."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from service.clips.models import Clip, ClipStatus, Failure, FailureKind, SettledBy
from service.clips.outcomes import (
    Acknowledged,
    Expired,
    Failed,
    Outcome,
    Reopened,
    Succeeded,
    Superfluous,
    Unclear,
    Unknown,
    VideoRefused,
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long, and how often, before the service draws its own conclusion.

    `submission_grace`: how long after a send a task may stay unknown to Runware before it is sent again. The
    provider is given less than that for a submission, so that no send is still on its way by then.
    `last_look_grace`: how long after the deadline the last look is tried again while Runware gives no answer.
    """

    clip_timeout: timedelta = timedelta(minutes=30)
    submission_grace: timedelta = timedelta(seconds=60)
    max_sends: int = 3
    lost_after: timedelta = timedelta(minutes=2)
    lost_answers: int = 3
    last_look_grace: timedelta = timedelta(minutes=2)


class Refusal(StrEnum):
    """Why an outcome changes nothing."""

    ALREADY_SETTLED = "already_settled"
    NOTHING_NEW = "nothing_new"


def transition(clip: Clip, outcome: Outcome, by: SettledBy, now: datetime, policy: Policy) -> Clip | Refusal:
    """Give the clip as it stands after `outcome`, or why it stays as it is.

    The first end wins. The one exception is a failure that the service only presumed: a success replaces it,
    since that video has been paid for, and a person who asks again while Runware still has the task has it
    waited for again.
    """
    if clip.status.settled and not (clip.presumed_failed and isinstance(outcome, Succeeded | Reopened)):
        return Refusal.ALREADY_SETTLED
    match outcome:
        case Succeeded(video_url, cost_usd):
            after = _settled(clip, by, now, video_url=video_url, cost_usd=cost_usd)
        case Failed(failure, cost_usd):
            after = _settled(clip, by, now, failure=failure, cost_usd=cost_usd)
        case Expired(failure):
            after = _settled(clip, SettledBy.TIMEOUT, now, failure=failure)
        case Acknowledged() | VideoRefused():
            after = replace(clip, status=ClipStatus.PENDING, unknown_since=None, unknown_answers=0)
        case Unknown(failure):
            after = _unknown(clip, failure, by, now, policy)
        case Reopened():
            after = _reopened(clip, now)
        case Superfluous():
            after = _withdrawn(clip, by, now)
        case Unclear():
            after = clip
        case _:
            assert_never(outcome)
    return Refusal.NOTHING_NEW if after == clip else after


def at_deadline(clip: Clip, outcome: Outcome, now: datetime, policy: Policy) -> Outcome:
    """Turn the last look's outcome into the clip's end once its time is over; before that, pass it on."""
    overtime = now - clip.waiting_since - policy.clip_timeout
    if overtime < timedelta(0) or isinstance(outcome, Succeeded | Failed):
        return outcome
    if isinstance(outcome, Unclear) and overtime < policy.last_look_grace:
        return outcome
    minutes = f"{policy.clip_timeout.total_seconds() / 60:g} minutes"
    if isinstance(outcome, VideoRefused):
        message = (
            f"There is a video, but {outcome.reason}, and {minutes} are over. "
            "Mend VIDEO_HOSTS and retry the clip: it is asked for again before anything is paid."
        )
        return Expired(Failure(FailureKind.TIMEOUT, "videoHostRefused", message))
    message = f"No result within {minutes}. Retry the clip: it is asked for again before anything is paid."
    return Expired(Failure(FailureKind.TIMEOUT, "timeout", message))


def may_send_again(clip: Clip, now: datetime, policy: Policy) -> bool:
    """Whether a task that Runware says it does not know may be sent again under the same task UUID."""
    return (
        clip.status is ClipStatus.SUBMITTING
        and clip.sends < policy.max_sends
        and _grace_is_over(clip, now, policy)
        and now - clip.waiting_since < policy.clip_timeout
    )


def after_unclear_send(outcome: Outcome) -> Outcome:
    """Give what an outcome is worth for a task that had been sent before with an unclear end.

    The earlier send may have been taken, so that a refusal now is only presumed to be the end: a video that
    comes nevertheless counts, and Runware is asked before anything is bought again.
    """
    if not isinstance(outcome, Failed):
        return outcome
    return replace(outcome, failure=replace(outcome.failure, kind=FailureKind.LOST))


def sent(clip: Clip, now: datetime) -> Clip:
    """Give the clip as it is stored right before a request carries its task."""
    return replace(clip, sends=clip.sends + 1, last_sent_at=now)


def _grace_is_over(clip: Clip, now: datetime, policy: Policy) -> bool:
    return now - (clip.last_sent_at or clip.submitted_at) >= policy.submission_grace


def _unknown(clip: Clip, failure: Failure, by: SettledBy, now: datetime, policy: Policy) -> Clip:
    if clip.status is ClipStatus.SUBMITTING:
        if clip.sends < policy.max_sends or not _grace_is_over(clip, now, policy):
            return clip
        message = f"Sent {clip.sends} times, and Runware does not know the task. Retry the clip."
        return _settled(clip, by, now, failure=Failure(FailureKind.LOST, "notAccepted", message))
    marked = replace(clip, unknown_since=clip.unknown_since or now, unknown_answers=clip.unknown_answers + 1)
    long_enough = marked.unknown_since is not None and now - marked.unknown_since >= policy.lost_after
    if long_enough and marked.unknown_answers >= policy.lost_answers:
        return _settled(clip, by, now, failure=failure)
    return marked


def _reopened(clip: Clip, now: datetime) -> Clip:
    if not clip.presumed_failed:
        return clip
    return replace(
        clip,
        status=ClipStatus.PENDING,
        reopened_at=now,
        failure=None,
        cost_usd=None,
        settled_at=None,
        settled_by=None,
    )


def _withdrawn(clip: Clip, by: SettledBy, now: datetime) -> Clip:
    # What has been sent is paid for, and is waited for like any other.
    if clip.status is not ClipStatus.SUBMITTING or clip.sends:
        return clip
    message = "Never sent: the video of an earlier attempt came first."
    return _settled(clip, by, now, failure=Failure(FailureKind.WITHDRAWN, "withdrawn", message))


def _settled(
    clip: Clip,
    by: SettledBy,
    now: datetime,
    *,
    video_url: str | None = None,
    failure: Failure | None = None,
    cost_usd: float | None = None,
) -> Clip:
    return replace(
        clip,
        status=ClipStatus.FAILED if video_url is None else ClipStatus.SUCCEEDED,
        video_url=video_url,
        failure=failure,
        cost_usd=cost_usd,
        settled_at=now,
        settled_by=by,
        unknown_since=None,
        unknown_answers=0,
    )
