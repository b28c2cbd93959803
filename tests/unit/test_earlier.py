import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.earlier import (
    EarlierClip,
    adopted_clips,
    after_ends,
    earlier_clips,
    ended,
    listed_earlier_clips,
)
from service.clips.fingerprint import fingerprint
from service.clips.links import link_expires_at
from service.clips.models import (
    ClipStatus,
    Failure,
    FailureKind,
    ProjectOverview,
    SettledBy,
    TaskUUID,
)
from service.clips.outcomes import Absent, Acknowledged, Failed, Outcome, Succeeded, Unclear, Unknown
from service.clips.progress import Progress
from service.errors import AdoptionRefused
from tests.builders import NOON, VIDEO_URL, project, request

A, B, C, D = (TaskUUID(f"{letter * 8}-0000-4000-8000-000000000000") for letter in "abcd")
LATER = NOON + timedelta(days=40)
DONE = [EarlierClip(task, "completed", f"https://im.runware.ai/{task}.mp4") for task in (A, B, C)]

json_values = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5)


def allowed(_url: str) -> str | None:
    return None


def refusal(earlier: list[EarlierClip], scenes: int) -> str:
    requests = [request(str(number)) for number in range(1, scenes + 1)]
    with pytest.raises(AdoptionRefused) as refused:
        adopted_clips(project(), requests, earlier, allowed, LATER)
    assert str(refused.value).endswith("Nothing was adopted, and nothing was bought.")
    return str(refused.value)


def test_clips_are_read_in_the_order_of_their_uuids_in_which_the_application_shows_them() -> None:
    assert earlier_clips({C: VIDEO_URL, A: "failed", B: "pending"}) == [
        EarlierClip(A, "failed"),
        EarlierClip(B, "pending"),
        EarlierClip(C, "completed", VIDEO_URL),
    ]


def test_nonsense_is_left_out_and_the_rest_is_read() -> None:
    column = {
        "no-uuid": VIDEO_URL,
        f"{A} ": "pending",
        B: {"status": "pending"},
        C: "javascript:alert(1)",
        D: "failed",
        str(uuid.uuid4()): "https://",
        str(uuid.uuid4()): None,
    }
    assert earlier_clips(column) == [EarlierClip(D, "failed")]


@given(st.dictionaries(st.text() | st.uuids().map(str), json_values) | json_values)
def test_whatever_stands_in_the_column_is_read_without_an_error(column: object) -> None:
    assert all(one.url is None for one in earlier_clips(column))


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (Succeeded(VIDEO_URL), VIDEO_URL),
        (Failed(Failure(FailureKind.SAFETY, "x", "Moderated.")), "failed"),
        (Failed(Failure(FailureKind.LOST, "x", "Lost.")), None),
        (Unknown(Failure(FailureKind.LOST, "x", "Never heard of it.")), None),
        (Acknowledged(), None),
        (Absent(), None),
        (Unclear("busy"), None),
    ],
)
def test_only_runwares_own_word_ends_an_earlier_clip(outcome: Outcome, end: str | None) -> None:
    assert ended(outcome) == end


def test_ends_replace_what_was_pending_and_nothing_else() -> None:
    before = earlier_clips({A: "pending", B: "pending", C: "pending"})
    assert after_ends(before, {A: VIDEO_URL, B: "failed"}) == [
        EarlierClip(A, "completed", VIDEO_URL),
        EarlierClip(B, "failed"),
        EarlierClip(C, "pending"),
    ]


def test_earlier_clips_are_counted_and_told_as_the_column_has_them() -> None:
    column = {A: "pending", B: "failed", C: VIDEO_URL, D: VIDEO_URL}
    shown = Progress([], earlier_clips(column))
    assert (shown.total, shown.completed, shown.pending, shown.failed) == (4, 2, 1, 1)
    assert shown.clips == column


@pytest.mark.parametrize(("completed", "pending", "failed"), [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_listed_project_has_no_earlier_clips_once_the_ledger_has_one(
    completed: int, pending: int, failed: int
) -> None:
    row = project(clips={A: VIDEO_URL})
    old = ProjectOverview(row, "", [], 1, completed=0, pending=0, failed=0, cost_usd=0)
    assert listed_earlier_clips(old) == [EarlierClip(A, "completed", VIDEO_URL)]
    known = replace(old, completed=completed, pending=pending, failed=failed)
    assert listed_earlier_clips(known) == ()


def test_clips_become_those_of_the_complete_scenes_in_order() -> None:
    requests = [request(scene) for scene in ("2", "9", "10")]
    clips = adopted_clips(project(), requests, DONE, allowed, LATER)
    assert [(one.scene, one.task_uuid, one.video_url) for one in clips] == [
        (asked.scene, done.task_uuid, done.url) for asked, done in zip(requests, DONE, strict=True)
    ]


def test_adopted_clip_is_the_purchase_of_what_is_asked_for_now_at_no_known_cost() -> None:
    asked = request()
    (one,) = adopted_clips(project(), [asked], DONE[:1], allowed, LATER)
    assert (one.request, one.fingerprint) == (asked, fingerprint(one.project_id, asked))
    assert (one.status, one.attempt, one.sends, one.cost_usd) == (ClipStatus.SUCCEEDED, 1, 0, None)
    assert (one.submitted_at, one.settled_at, one.settled_by) == (NOON, LATER, SettledBy.CHECK)


def test_nobody_knows_when_the_link_of_an_adopted_clip_ends() -> None:
    (one,) = adopted_clips(project(), [request()], DONE[:1], allowed, LATER)
    assert one.adopted
    assert link_expires_at(one, ttl_seconds=3600) is None


@pytest.mark.parametrize("scenes", [0, 2, 4])
def test_another_number_of_scenes_is_refused_with_both_numbers(scenes: int) -> None:
    said = refusal(DONE, scenes)
    assert said.startswith(
        f"Scenes that have both frames: {scenes}; earlier clips: 3. They can't be matched."
    )


def test_nothing_earlier_is_refused() -> None:
    assert "has no clips from before the ledger" in refusal([], 1)


def test_pending_clip_is_refused_until_it_has_ended() -> None:
    said = refusal([*DONE, EarlierClip(D, "pending")], 3)
    assert said.startswith("1 of the 4 earlier clips may still come. Call check-clips-status")


def test_failed_clip_leaves_the_order_open_and_is_refused() -> None:
    said = refusal([*DONE, EarlierClip(D, "failed")], 3)
    assert said.startswith("1 of the 4 earlier clips failed, so that nobody can say which scene")


def test_video_that_may_not_be_handed_on_is_refused_by_its_number() -> None:
    def check(url: str) -> str | None:
        return "its host is strange" if B in url else None

    with pytest.raises(AdoptionRefused, match="earlier clip 2 may not be handed on: its host is strange"):
        adopted_clips(project(), [request(key) for key in "123"], DONE, check, LATER)
