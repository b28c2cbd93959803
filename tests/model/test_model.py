"""The protocol of clip.pml holds in every state, and stands in step with the service's transition."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.clips.lifecycle import Policy, awaits_room, transition
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
from tests.model.guards import GUARDS, without
from tests.model.spin import MODEL, need_spin, run, search

POLICY = Policy(max_sends=2)
LATE = NOON + timedelta(hours=1)
SAFETY = Failure(FailureKind.SAFETY, "promptBlocked", "No.")
LOST = Failure(FailureKind.LOST, "lost", "No.")
TIMEOUT = Failure(FailureKind.TIMEOUT, "timeout", "Over.")
REJECTED = Failure(FailureKind.REJECTED, "throttled", "No room.")
OUTCOMES: dict[str, tuple[Outcome, SettledBy]] = {
    "ACKNOWLEDGED": (Acknowledged(), SettledBy.POLL),
    "SUCCESS": (Succeeded(VIDEO_URL), SettledBy.WEBHOOK),
    "REFUSAL": (Failed(SAFETY), SettledBy.SUBMISSION),
    "FAILURE": (Failed(SAFETY), SettledBy.WEBHOOK),
    "LOST": (Failed(LOST), SettledBy.POLL),
    "UNKNOWN": (Unknown(LOST), SettledBy.POLL),
    "EXPIRED": (Expired(TIMEOUT, sends=0), SettledBy.POLL),
    "NEVER_TAKEN": (Expired(REJECTED, sends=0), SettledBy.POLL),
    "THROTTLED": (Throttled(REJECTED), SettledBy.SUBMISSION),
    "REOPENED": (Reopened(), SettledBy.CHECK),
    "UNWANTED": (Unwanted(), SettledBy.CHECK),
}


def _clip_of(saw: str, sent: int) -> Clip:
    asked_twice = POLICY.lost_answers - 1
    pending = clip(status=ClipStatus.PENDING, sends=sent, unknown_answers=asked_twice, unknown_since=NOON)
    return {
        "SUBMITTING": clip(sends=sent),
        "NO_ROOM": clip(sends=sent + 1, throttled=1),
        "PENDING": pending,
        "PRESUMED": failed(clip(sends=sent), FailureKind.TIMEOUT),
        "SUCCEEDED": succeeded(clip(sends=sent)),
        "FAILED": failed(clip(sends=sent), FailureKind.SAFETY),
        "WITHDRAWN": failed(clip(sends=sent), FailureKind.WITHDRAWN),
    }[saw]


def _state_of(one: Clip) -> tuple[str, int]:
    sent = one.sends - one.throttled
    if one.failure is not None:
        withdrawn = one.failure.kind is FailureKind.WITHDRAWN
        return ("PRESUMED" if one.presumed_failed else "WITHDRAWN" if withdrawn else "FAILED"), sent
    return "NO_ROOM" if awaits_room(one) else one.status.upper(), sent


STATES = [
    (saw, sent)
    for saw in ("SUBMITTING", "NO_ROOM", "PENDING", "PRESUMED", "SUCCEEDED", "FAILED", "WITHDRAWN")
    for sent in ((0,) if saw in ("NO_ROOM", "WITHDRAWN") else (0, 1, 2))
]


def _after(saw: str, sent: int, outcome: Outcome, by: SettledBy) -> tuple[str, int]:
    before = _clip_of(saw, sent)
    if isinstance(outcome, Expired):
        # Looked at as it is, or while it had no room, and has been sent since unless it still has none.
        as_seen = outcome.failure.kind.presumed or saw == "NO_ROOM"
        outcome = replace(outcome, sends=before.sends if as_seen else before.sends - 1)
    after = transition(before, outcome, by, LATE, POLICY)
    return _state_of(after if isinstance(after, Clip) else before)


def test_model_and_service_have_the_same_transitions(tmp_path: Path) -> None:
    need_spin()
    asked = [
        (saw, sent, told) for saw, sent in STATES for told in OUTCOMES if (told, sent) != ("THROTTLED", 0)
    ]
    table, _, _ = MODEL.partition("/* The row as it is read")
    steps = "\n".join(
        f"saw = {saw}; sent = {sent}; told = {told}; transition(); "
        f'printf("{saw} {sent} {told} %e %d\\n", next, sent);'
        for saw, sent, told in asked
    )
    ready = "byte t, sent; mtype:status saw, next; mtype:outcome told; graced[0] = true; over[0] = true;"
    (tmp_path / "table.pml").write_text(f"{table}\nactive proctype Table() {{ {ready}\n{steps} }}")
    said = run(["spin", "-T", "table.pml"], tmp_path).splitlines()
    rows = {tuple(line.split()) for line in said if len(line.split()) == 5}
    service = {
        (saw, str(sent), told, state, str(left))
        for saw, sent, told in asked
        for state, left in [_after(saw, sent, *OUTCOMES[told])]
    }
    assert rows == service


@pytest.mark.parametrize(("saw", "sent"), STATES)
def test_outcomes_that_the_model_leaves_out_are_as_it_assumes(saw: str, sent: int) -> None:
    assert _after(saw, sent, Absent(), SettledBy.POLL) == (saw, sent)
    assert _after(saw, sent, Unclear("?"), SettledBy.POLL) == (saw, sent)
    acknowledged = _after(saw, sent, *OUTCOMES["ACKNOWLEDGED"])
    assert _after(saw, sent, VideoRefused("evil"), SettledBy.POLL) == acknowledged
    assert _after(saw, sent, Superfluous(), SettledBy.SUBMISSION) == _after(saw, sent, *OUTCOMES["UNWANTED"])
    archived = replace(Failed(SAFETY), of_one_send=True)
    assert _after(saw, sent, archived, SettledBy.POLL) == _after(saw, sent, *OUTCOMES["REFUSAL"])


def test_clip_is_billed_at_most_once_and_no_end_undone_in_any_state(tmp_path: Path) -> None:
    found = search(MODEL, tmp_path, "-O1")
    assert found.violated is None
    assert found.states > 500_000


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_the_model_breaks(guard: str, tmp_path: Path) -> None:
    assert search(without(guard, MODEL), tmp_path, "-O0").violated
