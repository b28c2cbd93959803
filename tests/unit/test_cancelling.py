"""What can be cancelled, and what is said of the rest."""

from dataclasses import replace

import pytest

from service.clips.cancelling import can_be_cancelled, cancelled, was_cancelled, why_nothing_cancelled
from service.clips.lifecycle import Policy, Refusal, sent, transition
from service.clips.models import Clip, ClipStatus, Failure, FailureKind, SceneKey, SettledBy
from service.clips.outcomes import Throttled, Unwanted
from tests.builders import NOON, clip, failed, succeeded

ONE = SceneKey("1")


def after_cancelling(before: Clip) -> Clip | Refusal:
    return transition(before, Unwanted(), SettledBy.CHECK, NOON, Policy())


def withdrawn() -> Clip:
    after = after_cancelling(clip())
    assert isinstance(after, Clip)
    return after


def throttled() -> Clip:
    refusal = Throttled(Failure(FailureKind.PROVIDER, "rateLimit", "Too many."))
    waiting = transition(sent(clip(), NOON), refusal, SettledBy.SUBMISSION, NOON, Policy())
    assert isinstance(waiting, Clip)
    return waiting


@pytest.mark.parametrize("waiting", [clip(), throttled()], ids=["queued", "throttled"])
def test_clip_that_was_not_taken_is_cancelled_and_costs_nothing(waiting: Clip) -> None:
    after = after_cancelling(waiting)
    assert isinstance(after, Clip)
    assert after.failure is not None
    assert (after.status, after.failure.kind, after.failure.code) == (
        ClipStatus.FAILED,
        FailureKind.WITHDRAWN,
        "cancelled",
    )
    assert (after.cost_usd, after.send_after, was_cancelled(after)) == (None, None, True)
    assert "costs nothing" in after.failure.sentence


@pytest.mark.parametrize(
    "there", [sent(clip(), NOON), clip(status=ClipStatus.PENDING, sends=1), succeeded(clip()), failed(clip())]
)
def test_clip_that_may_have_been_taken_or_has_ended_stays_as_it_is(there: Clip) -> None:
    assert isinstance(after_cancelling(there), Refusal)
    assert not can_be_cancelled(there)
    assert not was_cancelled(there)


def test_each_scene_is_told_what_came_of_it() -> None:
    gone = withdrawn()
    on_its_way = clip(status=ClipStatus.PENDING, sends=1)
    assert cancelled(ONE, [gone]).reason is None
    assert "has no way to cancel" in (cancelled(ONE, [gone, on_its_way]).reason or "")
    assert "is done and paid for" in (cancelled(ONE, [succeeded(clip())]).reason or "")
    assert "has failed" in (cancelled(ONE, [failed(clip())]).reason or "")
    assert "No clip of it" in (cancelled(ONE, []).reason or "")


def test_reasons_are_told_together_where_nothing_was_cancelled() -> None:
    sending = [replace(cancelled(ONE, [sent(clip(), NOON)]), scene=SceneKey(str(n))) for n in range(1, 8)]
    done = cancelled(SceneKey("9"), [succeeded(clip("9"))])
    told = why_nothing_cancelled([done, *sending]) or ""
    assert told.startswith("Nothing was cancelled. Scenes 1, 2, 3, 4, 5, 2 more: It was sent to Runware")
    assert "Scene 9: Its clip is done" in told
    assert why_nothing_cancelled([]) == "Nothing was cancelled. No clip of the project is being made."
    assert why_nothing_cancelled([done, cancelled(ONE, [withdrawn()])]) is None
