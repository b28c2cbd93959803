"""What a retry may buy in place of a clip that only presumably failed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from service.clips.doubts import BuyAgain, Wait, decide
from service.clips.lifecycle import Policy
from service.clips.models import Failure, FailureKind
from service.clips.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Reopened,
    Succeeded,
    Unclear,
    Unknown,
    VideoRefused,
)
from tests.builders import NOON, VIDEO_URL, clip, failed

POLICY = Policy()
EARLY, LATE = NOON + timedelta(minutes=59), NOON + timedelta(minutes=60)
IN_DOUBT = failed(clip(sends=1), FailureKind.TIMEOUT)
NO_TRACE = Unknown(Failure(FailureKind.LOST, "noTrace", "No record."))
LOST = Failed(Failure(FailureKind.LOST, "invalidDuration", "The last send was refused."))
OWN_WORDS: list[Outcome] = [
    Succeeded(VIDEO_URL, 0.8),
    Failed(Failure(FailureKind.SAFETY, "promptBlocked", "No.")),
]


@pytest.mark.parametrize("now", [EARLY, LATE])
def test_task_without_a_trace_is_bought_again_at_once_without_a_warning(now: datetime) -> None:
    assert decide(IN_DOUBT, NO_TRACE, now, POLICY) == BuyAgain()


def test_nothing_is_bought_while_the_last_send_may_be_on_its_way() -> None:
    sent_at = NOON + timedelta(minutes=30)
    just_sent = replace(IN_DOUBT, sends=2, last_sent_at=sent_at)
    early = decide(just_sent, NO_TRACE, sent_at + timedelta(seconds=59), POLICY)
    assert isinstance(early, Wait)
    assert "a moment ago" in early.reason
    assert decide(just_sent, NO_TRACE, sent_at + timedelta(seconds=60), POLICY) == BuyAgain()


@pytest.mark.parametrize("word", OWN_WORDS)
def test_runwares_own_word_is_the_clips_news(word: Outcome) -> None:
    assert decide(IN_DOUBT, word, EARLY, POLICY) is word


def test_job_that_still_runs_is_waited_for_again_and_not_bought() -> None:
    assert decide(IN_DOUBT, Acknowledged(), EARLY, POLICY) == Reopened()


@pytest.mark.parametrize("found", [Unclear("HTTP 503"), LOST])
def test_nothing_is_bought_while_nobody_knows_and_the_person_hears_until_when(found: Outcome) -> None:
    decision = decide(IN_DOUBT, found, EARLY, POLICY)
    assert isinstance(decision, Wait)
    assert "After 13:00 UTC a call buys it again even so, and both may be billed." in decision.reason


@pytest.mark.parametrize("found", [Acknowledged(), Unclear("HTTP 503"), LOST])
def test_retry_is_not_blocked_for_good_and_says_that_both_may_be_billed(found: Outcome) -> None:
    decision = decide(IN_DOUBT, found, LATE, POLICY)
    assert isinstance(decision, BuyAgain)
    assert "both may be billed" in decision.warning
    assert IN_DOUBT.task_uuid in decision.warning


@pytest.mark.parametrize("now", [EARLY, LATE])
def test_video_at_a_refused_host_is_never_bought_again(now: datetime) -> None:
    assert decide(IN_DOUBT, VideoRefused("its host is not in VIDEO_HOSTS"), now, POLICY) == Reopened()
