from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.lifecycle import (
    Policy,
    Refusal,
    at_deadline,
    awaits_room,
    in_words,
    may_send_again,
    needs_trace,
    sent,
    transition,
    weighed,
)
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
from tests.builders import NOON, VIDEO_URL, clip, failed, succeeded

POLICY = Policy()
SUCCESS = Succeeded(VIDEO_URL, 0.8)
FAILURE = Failed(Failure(FailureKind.SAFETY, "promptBlocked", "No."))
UNKNOWN = Unknown(Failure(FailureKind.LOST, "taskNotFound", "Never heard of it."))
EXPIRED = Expired(Failure(FailureKind.TIMEOUT, "timeout", "Over."), clip().sends)
LATE = NOON + timedelta(minutes=30)
THROTTLED = Throttled(Failure(FailureKind.REJECTED, "rateLimitExceeded", "Too much."))
OUTCOMES: list[Outcome] = [
    SUCCESS,
    FAILURE,
    UNKNOWN,
    EXPIRED,
    THROTTLED,
    Absent(),
    Acknowledged(),
    Unclear("?"),
    VideoRefused("evil"),
]


def after(
    start: Clip, outcome: Outcome, by: SettledBy = SettledBy.POLL, at: datetime = NOON
) -> Clip | Refusal:
    return transition(start, outcome, by, at, POLICY)


def moved(start: Clip, outcome: Outcome, by: SettledBy = SettledBy.POLL, at: datetime = NOON) -> Clip:
    result = after(start, outcome, by, at)
    assert isinstance(result, Clip)
    return result


@pytest.mark.parametrize("status", [ClipStatus.SUBMITTING, ClipStatus.PENDING])
def test_success_settles_a_clip_even_before_its_submission_was_answered(status: ClipStatus) -> None:
    settled = moved(clip(status=status), SUCCESS, SettledBy.WEBHOOK)
    assert (settled.status, settled.video_url, settled.cost_usd) == (ClipStatus.SUCCEEDED, VIDEO_URL, 0.8)
    assert (settled.settled_by, settled.settled_at) == (SettledBy.WEBHOOK, NOON)


def test_failure_keeps_the_providers_code_and_words() -> None:
    settled = moved(clip(), FAILURE, SettledBy.SUBMISSION)
    assert settled.status is ClipStatus.FAILED
    assert settled.failure == FAILURE.failure


def test_acknowledgement_makes_a_clip_pending_once() -> None:
    pending = moved(clip(), Acknowledged())
    assert pending.status is ClipStatus.PENDING
    assert after(pending, Acknowledged()) is Refusal.NOTHING_NEW


def test_unclear_end_leaves_a_clip_submitting() -> None:
    assert after(clip(), Unclear("time-out")) is Refusal.NOTHING_NEW


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_first_terminal_result_wins_over_everything(outcome: Outcome) -> None:
    assert after(succeeded(clip()), outcome) is Refusal.ALREADY_SETTLED
    assert after(failed(clip(), FailureKind.PROVIDER), outcome) is Refusal.ALREADY_SETTLED


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.LOST])
def test_late_success_beats_a_presumed_failure(kind: FailureKind) -> None:
    settled = moved(failed(clip(), kind), SUCCESS, SettledBy.WEBHOOK)
    assert (settled.status, settled.failure, settled.video_url) == (ClipStatus.SUCCEEDED, None, VIDEO_URL)


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.LOST])
def test_presumed_failure_is_waited_for_again_when_a_person_asks(kind: FailureKind) -> None:
    later = NOON + timedelta(hours=1)
    reopened = moved(failed(clip(), kind), Reopened(), SettledBy.CHECK, later)
    assert (reopened.status, reopened.failure, reopened.settled_at) == (ClipStatus.PENDING, None, None)
    assert (reopened.waiting_since, reopened.submitted_at) == (later, NOON)


def test_unsettled_clip_is_not_reopened() -> None:
    assert after(clip(status=ClipStatus.PENDING), Reopened()) is Refusal.NOTHING_NEW


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.LOST])
def test_runwares_own_word_replaces_a_presumed_failure_with_its_reason_and_cost(kind: FailureKind) -> None:
    later = NOON + timedelta(hours=1)
    word = Failed(Failure(FailureKind.SAFETY, "promptBlocked", "No.", "Not charged."), 0.4)
    settled = moved(failed(clip(), kind), word, SettledBy.WEBHOOK, later)
    assert (settled.failure, settled.cost_usd) == (word.failure, 0.4)
    assert (settled.settled_by, settled.settled_at) == (SettledBy.WEBHOOK, later)
    assert after(settled, SUCCESS) is Refusal.ALREADY_SETTLED


def test_presumption_replaces_no_presumption() -> None:
    lost = Failed(Failure(FailureKind.LOST, "taskNotFound", "Gone."))
    assert after(failed(clip(), FailureKind.TIMEOUT), lost) is Refusal.ALREADY_SETTLED


@pytest.mark.parametrize("outcome", [o for o in OUTCOMES if o not in (SUCCESS, FAILURE, Reopened())])
def test_presumed_failure_stands_against_everything_else(outcome: Outcome) -> None:
    assert after(failed(clip(), FailureKind.TIMEOUT), outcome) is Refusal.ALREADY_SETTLED


def test_unsent_attempt_is_withdrawn_when_an_earlier_ones_video_has_come() -> None:
    withdrawn = moved(clip(), Superfluous())
    assert withdrawn.failure is not None
    assert (withdrawn.status, withdrawn.failure.kind) == (ClipStatus.FAILED, FailureKind.WITHDRAWN)


@pytest.mark.parametrize("paid_for", [clip(sends=1), clip(status=ClipStatus.PENDING)])
def test_attempt_that_may_be_paid_for_is_not_withdrawn(paid_for: Clip) -> None:
    assert after(paid_for, Superfluous()) is Refusal.NOTHING_NEW


def test_time_out_is_told_as_such_whoever_notices() -> None:
    assert moved(clip(), EXPIRED, SettledBy.POLL, LATE).settled_by is SettledBy.TIMEOUT


def test_time_out_of_a_clip_that_was_reopened_meanwhile_changes_nothing() -> None:
    reopened = moved(failed(clip(), FailureKind.TIMEOUT), Reopened(), SettledBy.CHECK, LATE)
    assert after(reopened, EXPIRED, at=LATE + timedelta(seconds=1)) is Refusal.NOTHING_NEW
    assert moved(reopened, EXPIRED, at=LATE + timedelta(minutes=30)).presumed_failed


def test_time_out_does_not_end_a_clip_that_was_sent_since_the_last_look() -> None:
    throttled = clip(status=ClipStatus.SUBMITTING, sends=2, throttled=2)
    looked = at_deadline(throttled, Absent(), LATE, POLICY)
    assert moved(throttled, looked, at=LATE).status is ClipStatus.FAILED
    assert after(sent(throttled, LATE), looked, at=LATE) is Refusal.NOTHING_NEW


def test_throttled_task_waits_ever_longer_and_is_never_counted_as_taken() -> None:
    start, pauses = clip(), []
    now = NOON
    for _ in range(5):
        start = moved(sent(start, now), THROTTLED, SettledBy.SUBMISSION, now)
        assert start.send_after is not None
        assert (start.status, start.maybe_taken, awaits_room(start)) == (ClipStatus.SUBMITTING, False, True)
        assert not may_send_again(start, start.send_after - timedelta(seconds=1), POLICY)
        assert may_send_again(start, start.send_after, POLICY) is (
            start.send_after - NOON < POLICY.clip_timeout
        )
        pauses.append((start.send_after - now).total_seconds() / 60)
        now = start.send_after
    assert all(base <= pause <= 1.5 * base for base, pause in zip((1, 2, 4, 8, 8), pauses, strict=True))


def test_tasks_that_were_throttled_together_do_not_come_back_together() -> None:
    times = {moved(sent(clip(), NOON), THROTTLED).send_after for _ in range(25)}
    assert len(times) == 25


def test_throttled_clip_whose_time_is_over_was_never_taken_and_is_not_presumed_to_have_failed() -> None:
    waiting = moved(sent(clip(), NOON), THROTTLED)
    end = at_deadline(waiting, Absent(), LATE, POLICY)
    assert isinstance(end, Expired)
    assert (end.failure.kind, end.failure.code) == (FailureKind.REJECTED, "throttled")
    assert "never took it, and bills nothing" in end.failure.message


def test_clip_that_runware_has_is_not_throttled_by_a_late_word() -> None:
    assert after(clip(status=ClipStatus.PENDING, sends=1), THROTTLED) is Refusal.NOTHING_NEW


def test_throttled_send_after_an_unclear_one_may_still_have_been_taken() -> None:
    twice = moved(sent(clip(sends=1, last_sent_at=NOON), NOON), THROTTLED)
    assert (twice.maybe_taken, awaits_room(twice)) == (True, False)


@pytest.mark.parametrize("answered", [Absent(), UNKNOWN])
def test_archive_is_asked_for_what_is_missing_after_the_grace_time_and_never_acknowledged(
    answered: Outcome,
) -> None:
    over = NOON + POLICY.submission_grace
    unanswered = clip(sends=1, last_sent_at=NOON)
    assert needs_trace(unanswered, answered, over, POLICY)
    assert not needs_trace(unanswered, answered, over - timedelta(seconds=1), POLICY)
    assert not needs_trace(clip(status=ClipStatus.PENDING), answered, over, POLICY)
    assert not needs_trace(unanswered, Unclear("HTTP 503"), over, POLICY)


def test_task_that_was_never_acknowledged_is_unknown_only_by_the_archives_word() -> None:
    assert weighed(clip(sends=1), UNKNOWN, None) == Absent()
    assert weighed(clip(sends=1), Absent(), UNKNOWN) == UNKNOWN
    assert weighed(clip(sends=1, status=ClipStatus.PENDING), UNKNOWN, None) == UNKNOWN


def test_archived_refusal_is_the_end_of_a_task_that_was_sent_once_and_presumed_if_twice() -> None:
    once = weighed(clip(sends=1), Absent(), FAILURE)
    assert moved(clip(sends=1), once).failure == FAILURE.failure
    twice = weighed(clip(sends=2), Absent(), FAILURE)
    assert isinstance(twice, Failed)
    assert twice.failure.kind is FailureKind.LOST
    assert weighed(clip(sends=2, throttled=1), Absent(), FAILURE) == once


def test_archived_refusal_is_presumed_only_where_another_copy_has_sent_the_task_since() -> None:
    seen_before = weighed(clip(sends=1), Absent(), FAILURE)
    assert moved(clip(sends=2), seen_before).presumed_failed
    assert not moved(clip(sends=2), FAILURE).presumed_failed


def test_clip_that_was_sent_since_its_last_look_is_not_told_that_nothing_was_taken() -> None:
    no_room = at_deadline(clip(sends=1, throttled=1), Absent(), LATE, POLICY)
    ended = moved(clip(sends=1, throttled=1), no_room, at=LATE)
    assert (ended.status, ended.presumed_failed) == (ClipStatus.FAILED, False)
    assert after(clip(sends=2, throttled=1), no_room, at=LATE) is Refusal.NOTHING_NEW
    assert (
        after(clip(status=ClipStatus.PENDING, sends=2, throttled=1), no_room, at=LATE) is Refusal.NOTHING_NEW
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(1800, "30 minutes"), (60, "1 minute"), (35, "35 seconds"), (7200, "2 hours")]
)
def test_times_are_told_in_whole_units(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


def test_pending_clip_fails_only_after_repeated_unknown_answers_over_two_minutes() -> None:
    first = moved(clip(status=ClipStatus.PENDING), UNKNOWN)
    second = moved(first, UNKNOWN, at=NOON + timedelta(seconds=119))
    assert {first.status, second.status} == {ClipStatus.PENDING}
    third = moved(second, UNKNOWN, at=NOON + timedelta(seconds=120))
    assert third.status is ClipStatus.FAILED
    assert third.failure == UNKNOWN.failure


def test_two_unknown_answers_far_apart_are_not_repeated_enough() -> None:
    first = moved(clip(status=ClipStatus.PENDING), UNKNOWN)
    assert moved(first, UNKNOWN, at=NOON + timedelta(minutes=10)).status is ClipStatus.PENDING


def test_one_answer_that_knows_the_task_forgets_the_unknown_ones() -> None:
    first = moved(clip(status=ClipStatus.PENDING), UNKNOWN)
    known = moved(first, Acknowledged())
    assert (known.unknown_since, known.unknown_answers) == (None, 0)


def test_submitting_clip_survives_unknown_answers_while_it_may_be_sent_again() -> None:
    late = NOON + timedelta(hours=1)
    assert after(clip(sends=2, last_sent_at=NOON), UNKNOWN, at=late) is Refusal.NOTHING_NEW


def test_third_send_without_a_trace_fails_the_clip() -> None:
    thrice = clip(sends=3, last_sent_at=NOON)
    assert after(thrice, UNKNOWN, at=NOON + timedelta(seconds=59)) is Refusal.NOTHING_NEW
    settled = moved(thrice, UNKNOWN, at=NOON + timedelta(seconds=60))
    assert settled.failure is not None
    assert (settled.failure.kind, settled.failure.code) == (FailureKind.LOST, "notAccepted")


@pytest.mark.parametrize(
    ("start", "seconds", "allowed"),
    [
        (clip(sends=1, last_sent_at=NOON), 59, False),
        (clip(sends=1, last_sent_at=NOON), 60, True),
        (clip(sends=0), 60, True),
        (clip(sends=3, last_sent_at=NOON), 600, False),
        (clip(sends=1, last_sent_at=NOON), 1800, False),
        (clip(sends=1, last_sent_at=NOON, status=ClipStatus.PENDING), 600, False),
    ],
)
def test_unknown_task_is_sent_again_after_the_grace_time_three_times_at_most(
    start: Clip, seconds: int, *, allowed: bool
) -> None:
    assert may_send_again(start, NOON + timedelta(seconds=seconds), POLICY) is allowed


def test_each_send_is_counted_before_it_happens() -> None:
    start = clip(sends=1)
    assert sent(start, NOON) == replace(start, sends=2, last_sent_at=NOON)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_before_the_deadline_every_outcome_passes(outcome: Outcome) -> None:
    assert at_deadline(clip(), outcome, NOON + timedelta(seconds=1799), POLICY) is outcome


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
def test_last_look_still_takes_a_result(outcome: Outcome) -> None:
    assert at_deadline(clip(), outcome, NOON + timedelta(hours=5), POLICY) is outcome


@pytest.mark.parametrize("outcome", [Acknowledged(), UNKNOWN, Absent()])
def test_after_the_last_look_the_clip_is_given_up(outcome: Outcome) -> None:
    end = at_deadline(clip(), outcome, NOON + timedelta(minutes=30), POLICY)
    assert isinstance(end, Expired)
    assert (end.failure.kind, end.failure.code) == (FailureKind.TIMEOUT, "timeout")
    assert "After 13:00 UTC a retry buys it again" in end.failure.message


def test_last_look_without_an_answer_is_tried_again_for_two_minutes() -> None:
    unanswered = Unclear("HTTP 503")
    assert at_deadline(clip(), unanswered, NOON + timedelta(minutes=31), POLICY) is unanswered
    assert isinstance(at_deadline(clip(), unanswered, NOON + timedelta(minutes=32), POLICY), Expired)


def test_refusal_that_answers_one_of_two_sends_is_presumed_only() -> None:
    """The other may have been taken, also where another copy sent it while this answer was on its way."""
    twice = clip(sends=2, last_sent_at=NOON)
    assert moved(twice, FAILURE, SettledBy.SUBMISSION).presumed_failed
    assert not moved(replace(twice, sends=1), FAILURE, SettledBy.SUBMISSION).presumed_failed
    assert not moved(replace(twice, throttled=1), FAILURE, SettledBy.SUBMISSION).presumed_failed
    timed_out = failed(twice, FailureKind.TIMEOUT)
    assert after(timed_out, FAILURE, SettledBy.SUBMISSION) is Refusal.ALREADY_SETTLED


def test_video_at_a_refused_host_is_named_when_time_is_over() -> None:
    end = at_deadline(
        clip(),
        VideoRefused("its host cdn.example is not in VIDEO_HOSTS"),
        NOON + timedelta(minutes=30),
        POLICY,
    )
    assert isinstance(end, Expired)
    assert "cdn.example" in end.failure.message
    assert "VIDEO_HOSTS" in end.failure.message


ANY_OUTCOMES = st.sampled_from([*OUTCOMES, Reopened(), Superfluous(), Unwanted()]) | st.builds(
    Failed,
    st.builds(Failure, st.sampled_from(FailureKind), st.just("code"), st.just("Why.")),
    st.sampled_from([None, 0.0, 0.8]),
    of_one_send=st.booleans(),
)
STARTS = st.sampled_from(
    [
        *(clip(), clip(status=ClipStatus.PENDING), succeeded(clip()), clip(sends=2, throttled=1)),
        *(failed(clip(sends=1), kind) for kind in FailureKind),
    ]
)
HISTORIES = st.lists(
    st.tuples(ANY_OUTCOMES, st.sampled_from(SettledBy), st.integers(min_value=0, max_value=4000)), max_size=30
)


def run_through(
    start: Clip, history: list[tuple[Outcome, SettledBy, int]]
) -> Iterator[tuple[Clip, Outcome, Clip]]:
    """Give each change with the clips before and after it; time goes on by the pauses, in seconds."""
    current, seconds = start, 0
    for outcome, by, pause in history:
        seconds += pause
        result = transition(current, outcome, by, NOON + timedelta(seconds=seconds), POLICY)
        if isinstance(result, Clip):
            yield current, outcome, result
            current = result


@given(STARTS, HISTORIES)
def test_whatever_comes_in_whatever_order_a_video_once_there_stays(
    start: Clip, history: list[tuple[Outcome, SettledBy, int]]
) -> None:
    for before, _, result in run_through(start, history):
        assert result != before
        assert before.status is not ClipStatus.SUCCEEDED
        assert not (before.status is ClipStatus.PENDING and result.status is ClipStatus.SUBMITTING)
        assert (result.status is ClipStatus.SUCCEEDED) == (result.video_url is not None)
        assert (result.status is ClipStatus.FAILED) == (result.failure is not None)
        assert result.status.settled == (result.settled_at is not None) == (result.settled_by is not None)


@given(STARTS, HISTORIES)
def test_first_end_wins_unless_it_was_presumed_and_runware_or_a_person_says_otherwise(
    start: Clip, history: list[tuple[Outcome, SettledBy, int]]
) -> None:
    for before, outcome, result in run_through(start, history):
        if before.status.settled:
            assert before.presumed_failed
            assert isinstance(outcome, Succeeded | Failed | Reopened)
            assert not result.presumed_failed


@given(STARTS, HISTORIES)
def test_no_outcome_changes_what_was_bought_or_how_often_it_was_sent(
    start: Clip, history: list[tuple[Outcome, SettledBy, int]]
) -> None:
    """The store alone counts versions, and `sent` alone counts sends."""
    for before, _, result in run_through(start, history):
        for name in ("task_uuid", "request", "fingerprint", "attempt", "submitted_at", "sends", "version"):
            assert getattr(result, name) == getattr(before, name)
