"""The one transition function, and the times that decide about a clip."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from service.clips.cancelling import CANCELLED, can_be_cancelled
from service.clips.models import Clip, ClipStatus, Failure, FailureKind, SettledBy
from service.clips.outcomes import (
    Absent,
    Acknowledged,
    Expired,
    Failed,
    Outcome,
    Reopened,
    Succeeded,
    Superfluous,
    Throttled,
    Unclear,
    Unknown,
    Unwanted,
    VideoRefused,
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long, and how often, before the service draws its own conclusion.

    `submission_grace`: how long after a send a task may stay unknown to Runware before it is sent again. The
    provider is given less than that for a submission, so that no send is still on its way by then.
    `max_sends` counts the sends that Runware may have taken.
    `last_look_grace`: how long after the deadline the last look is tried again while Runware gives no answer.
    `looks_apart`: how long after the first of two looks the second comes, before a clip is bought again.
    `doubt_lasts`: how long after its first send nothing is bought in a clip's place while Runware can't say
    what became of it; twice the time of a clip, since some take longer than theirs.
    `first_pause`, `longest_pause`: how long a throttled task waits, at first and at most; it doubles between.
    """

    clip_timeout: timedelta = timedelta(minutes=30)
    submission_grace: timedelta = timedelta(seconds=60)
    max_sends: int = 3
    lost_after: timedelta = timedelta(minutes=2)
    lost_answers: int = 3
    last_look_grace: timedelta = timedelta(minutes=2)
    looks_apart: timedelta = timedelta(seconds=10)
    doubt_lasts: timedelta = timedelta(minutes=60)
    first_pause: timedelta = timedelta(minutes=1)
    longest_pause: timedelta = timedelta(minutes=8)


class Refusal(StrEnum):
    """Why an outcome changes nothing."""

    ALREADY_SETTLED = "already_settled"
    NOTHING_NEW = "nothing_new"


def transition(clip: Clip, outcome: Outcome, by: SettledBy, now: datetime, policy: Policy) -> Clip | Refusal:
    """Give the clip as it stands after `outcome`, or why it stays as it is.

    The first end wins. The one exception is a failure that the service only presumed: Runware's own word
    replaces it, be it a video, which has been paid for, or a failure with its reason; and a person who asks
    again while Runware still has the task has it waited for again.
    """
    outcome = _said_of_one_send(clip, outcome, by)
    if clip.status.settled and not (clip.presumed_failed and _outweighs_presumption(outcome)):
        return Refusal.ALREADY_SETTLED
    match outcome:
        case Succeeded() | Failed() | Expired():
            after = _ended(clip, outcome, by, now, policy)
        case Acknowledged() | VideoRefused():
            after = _taken(clip)
        case Unknown(failure):
            after = _unknown(clip, failure, by, now, policy)
        case Throttled():
            after = _throttled(clip, now, policy)
        case Reopened():
            after = _reopened(clip, now)
        case Superfluous():
            message = "Never sent: the video of an earlier attempt came first."
            after = _withdrawn(clip, Failure(FailureKind.WITHDRAWN, "withdrawn", message), by, now)
        case Unwanted():
            message = "Cancelled before it was sent to Runware: it costs nothing. Retry it to have it made."
            after = _withdrawn(clip, Failure(FailureKind.WITHDRAWN, CANCELLED, message), by, now)
        case Unclear() | Absent():
            after = clip
        case _:
            assert_never(outcome)
    return Refusal.NOTHING_NEW if after == clip else after


def is_over(clip: Clip, now: datetime, policy: Policy) -> bool:
    """Whether the clip's time is over."""
    return now - clip.waiting_since >= policy.clip_timeout


def at_deadline(clip: Clip, outcome: Outcome, now: datetime, policy: Policy) -> Outcome:
    """Turn the last look's outcome into the clip's end once its time is over; before that, pass it on."""
    if not is_over(clip, now, policy) or isinstance(outcome, Succeeded | Failed):
        return outcome
    overtime = now - clip.waiting_since - policy.clip_timeout
    if isinstance(outcome, Unclear) and overtime < policy.last_look_grace:
        return outcome
    return Expired(_time_out(clip, outcome, policy), clip.sends)


def _time_out(clip: Clip, outcome: Outcome, policy: Policy) -> Failure:
    waited = in_words(policy.clip_timeout)
    if awaits_room(clip):
        message = (
            f"Runware had no room for it within {waited}: it refused the task {clip.throttled} times, never "
            "took it, and bills nothing. Retry the clip later."
        )
        return Failure(FailureKind.REJECTED, "throttled", message)
    if isinstance(outcome, VideoRefused):
        message = (
            f"There is a video, but {outcome.reason}, and {waited} are over. "
            "Mend VIDEO_HOSTS and retry the clip: it is asked for again before anything is paid."
        )
        return Failure(FailureKind.TIMEOUT, "videoHostRefused", message)
    message = (
        f"No result within {waited}. Retry the clip: Runware is asked again before anything is paid. "
        f"After {doubt_ends_at(clip, policy):%H:%M} UTC a retry buys it again even if Runware can't say what "
        "became of it, and both may be billed."
    )
    return Failure(FailureKind.TIMEOUT, "timeout", message)


def awaits_room(clip: Clip) -> bool:
    """Whether Runware has refused each send for the moment, so that it should know nothing of the task."""
    return clip.status is ClipStatus.SUBMITTING and clip.throttled > 0 and not clip.maybe_taken


def is_missing(outcome: Outcome) -> bool:
    """Whether Runware does not list a task among its results, which proves nothing: it may be running."""
    return isinstance(outcome, Unknown | Absent)


def needs_trace(clip: Clip, answered: Outcome, now: datetime, policy: Policy) -> bool:
    """Whether Runware's archive is to be asked for a missing task, before it is concluded that it was lost.

    Only a task of which there is no record either, after the grace time, was lost on its way.
    """
    return is_missing(answered) and clip.status is ClipStatus.SUBMITTING and grace_is_over(clip, now, policy)


def weighed(clip: Clip, answered: Outcome, traced: Outcome | None) -> Outcome:
    """Give what is known of a task, from the answer and, if that was asked, from Runware's archive.

    The archive shows the last response alone: where an earlier send may have been taken, a refusal there is
    presumed to be the end, no more. Without a look into the archive, a task that was never acknowledged is
    not unknown, but absent.
    """
    if isinstance(traced, Failed):
        traced = replace(traced, of_one_send=True)
    if traced is not None:
        return after_unclear_send(traced) if clip.sends - clip.throttled > 1 else traced
    if clip.status is ClipStatus.SUBMITTING and isinstance(answered, Unknown):
        return Absent()
    return answered


def may_send_again(clip: Clip, now: datetime, policy: Policy) -> bool:
    """Whether the task of a clip may be sent again under the same task UUID.

    What is known of it must be Unknown, or nothing because it awaits room.
    """
    return (
        clip.status is ClipStatus.SUBMITTING
        and clip.sends - clip.throttled < policy.max_sends
        and grace_is_over(clip, now, policy)
        and not is_over(clip, now, policy)
    )


def after_unclear_send(outcome: Outcome) -> Outcome:
    """Give what an outcome is worth for a task of which another send may have been taken.

    A refusal is then only presumed to be the end: a video that comes nevertheless counts, and Runware is
    asked before anything is bought again.
    """
    if not isinstance(outcome, Failed):
        return outcome
    return replace(outcome, failure=replace(outcome.failure, kind=FailureKind.LOST))


def sent(clip: Clip, now: datetime) -> Clip:
    """Give the clip as it is stored right before a request carries its task."""
    return replace(clip, sends=clip.sends + 1, last_sent_at=now, send_after=None)


def doubt_ends_at(clip: Clip, policy: Policy) -> datetime:
    """Say from when on a clip is bought again even if nobody knows what became of it."""
    return clip.submitted_at + policy.doubt_lasts


def in_words(time: timedelta) -> str:
    """Say a time in its largest whole unit: "30 minutes", "35 seconds"."""
    seconds = round(time.total_seconds())
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return _plural(seconds // length, unit)
    return _plural(seconds, "second")


def _plural(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _said_of_one_send(clip: Clip, outcome: Outcome, by: SettledBy) -> Outcome:
    """Give what the answer to one send is worth: another copy may have sent the task meanwhile."""
    of_one_send = by is SettledBy.SUBMISSION or (isinstance(outcome, Failed) and outcome.of_one_send)
    return after_unclear_send(outcome) if of_one_send and clip.sends - clip.throttled > 1 else outcome


def _outweighs_presumption(outcome: Outcome) -> bool:
    if isinstance(outcome, Failed):
        return not outcome.failure.kind.presumed
    return isinstance(outcome, Succeeded | Reopened)


def grace_is_over(clip: Clip, now: datetime, policy: Policy) -> bool:
    """Whether all that was sent of the clip's task has arrived, and shows in Runware's archive, by now."""
    if clip.send_after is not None:
        return now >= clip.send_after
    return now - (clip.last_sent_at or clip.submitted_at) >= policy.submission_grace


def _taken(clip: Clip) -> Clip:
    return replace(clip, status=ClipStatus.PENDING, send_after=None, unknown_since=None, unknown_answers=0)


def _unknown(clip: Clip, failure: Failure, by: SettledBy, now: datetime, policy: Policy) -> Clip:
    if clip.status is ClipStatus.SUBMITTING:
        if clip.sends - clip.throttled < policy.max_sends or not grace_is_over(clip, now, policy):
            return clip
        message = f"Sent {clip.sends} times, and Runware does not know the task. Retry the clip."
        return _settled(clip, by, now, failure=Failure(FailureKind.LOST, "notAccepted", message))
    marked = replace(clip, unknown_since=clip.unknown_since or now, unknown_answers=clip.unknown_answers + 1)
    long_enough = marked.unknown_since is not None and now - marked.unknown_since >= policy.lost_after
    if long_enough and marked.unknown_answers >= policy.lost_answers:
        return _settled(clip, by, now, failure=failure)
    return marked


def _throttled(clip: Clip, now: datetime, policy: Policy) -> Clip:
    if clip.status is not ClipStatus.SUBMITTING:
        return clip
    pause = min(policy.first_pause * 2**clip.throttled, policy.longest_pause)
    return replace(clip, throttled=clip.throttled + 1, send_after=now + pause * (1 + _jitter(clip)))


def _jitter(clip: Clip) -> float:
    """Draw a number from 0 to 0.5 from the task and its sends, so that tasks that were refused together part.

    Drawn from them alone, it keeps the transition a pure function.
    """
    digest = hashlib.blake2b(f"{clip.task_uuid} {clip.sends}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 2**33


def _reopened(clip: Clip, now: datetime) -> Clip:
    if not clip.presumed_failed:
        return clip
    return replace(
        clip,
        status=ClipStatus.PENDING,
        reopened_at=now,
        send_after=None,
        failure=None,
        cost_usd=None,
        settled_at=None,
        settled_by=None,
    )


def _withdrawn(clip: Clip, failure: Failure, by: SettledBy, now: datetime) -> Clip:
    # What may have been taken is paid for, and is waited for like any other.
    return _settled(clip, by, now, failure=failure) if can_be_cancelled(clip) else clip


def _ended(
    clip: Clip, outcome: Succeeded | Failed | Expired, by: SettledBy, now: datetime, policy: Policy
) -> Clip:
    match outcome:
        case Succeeded(video_url, cost_usd):
            return _settled(clip, by, now, video_url=video_url, cost_usd=cost_usd)
        case Failed(failure, cost_usd):
            return _settled(clip, by, now, failure=failure, cost_usd=cost_usd)
        case Expired(failure, sends):
            # The clip may have been reopened since it was looked at: then its time runs anew. Or sent: then
            # nobody has looked for what was sent last.
            over = is_over(clip, now, policy) and clip.sends == sends
            return _settled(clip, SettledBy.TIMEOUT, now, failure=failure) if over else clip
        case _:
            assert_never(outcome)


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
        send_after=None,
        unknown_since=None,
        unknown_answers=0,
    )
