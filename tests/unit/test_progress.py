from typing import Any

import pytest

from service.clips.earlier import EarlierClip
from service.clips.models import ClipStatus, SceneKey
from service.clips.progress import Stage, progress, stage, why_nothing_made
from tests.builders import VIDEO_URL, clip, failed, succeeded

PROBLEM: dict[SceneKey, str | None] = {SceneKey("4"): "last_frame missing"}


def test_completed_pending_and_failed_add_up_to_every_scene() -> None:
    seen = progress([succeeded(clip("10")), clip("2", status=ClipStatus.PENDING), failed(clip("3"))], PROBLEM)
    assert [scene.scene for scene in seen.scenes] == ["2", "3", "4", "10"]
    assert (seen.completed, seen.pending, seen.failed, seen.total) == (1, 1, 2, 4)


def test_clips_hold_only_the_three_kinds_of_value_that_other_code_reads() -> None:
    made = [succeeded(clip("1")), clip("2"), failed(clip("3"))]
    assert progress(made, PROBLEM).clips == {
        made[0].task_uuid: VIDEO_URL,
        made[1].task_uuid: "pending",
        made[2].task_uuid: "failed",
    }


def test_scene_that_lost_a_frame_after_its_clip_was_made_keeps_the_clip() -> None:
    seen = progress([succeeded(clip("4"))], PROBLEM)
    assert (seen.completed, seen.failed) == (1, 0)


def test_earlier_clips_that_all_failed_are_why_nothing_was_made() -> None:
    gone = [EarlierClip(clip(key).task_uuid, "failed") for key in "12"]
    assert "have failed. Generate them anew" in str(why_nothing_made([], earlier=gone))
    assert why_nothing_made([], earlier=[*gone, EarlierClip(clip("3").task_uuid, "pending")]) is None


def test_project_for_which_nothing_was_asked_has_no_failed_scenes() -> None:
    assert progress([], PROBLEM).total == 0


def test_scene_that_was_added_later_is_counted_and_says_what_to_do() -> None:
    seen = progress([succeeded(clip("1"))], {SceneKey("1"): None, SceneKey("2"): None})
    assert (seen.completed, seen.failed, seen.total) == (1, 1, 2)
    assert seen.scenes[1].error == "No clip has been asked for yet. Call generate-clips."


@pytest.mark.parametrize(
    ("named", "retried", "told"),
    [
        (None, "3", ""),
        (None, "", "Nothing was retried: no clip has failed."),
        ("3", "3", ""),
        ("1", "", "Nothing was retried: scene 1 is done."),
        ("12", "", "Nothing was retried: scene 1 is done, scene 2 is being made."),
        ("123", "3", "Not retried: scene 1 is done, scene 2 is being made."),
        ("3", "", "Nothing was retried: scene 3 has only just failed."),
    ],
)
def test_retry_tells_of_scenes_that_it_left_alone(named: str | None, retried: str, told: str) -> None:
    seen = progress([succeeded(clip("1")), clip("2"), failed(clip("3"))], {})
    scenes = None if named is None else [SceneKey(key) for key in named]
    assert seen.left_alone(scenes, [SceneKey(key) for key in retried]) == told


def test_retry_of_very_many_scenes_that_are_done_names_the_first_ones() -> None:
    keys = [SceneKey(str(n)) for n in range(1, 31)]
    told = progress([succeeded(clip(key)) for key in keys], {}).left_alone(keys, [])
    assert told.endswith("scene 20 is done, and 10 more have not failed.")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Stage.QUEUED),
        ({"sends": 1}, Stage.SENT),
        ({"sends": 2}, Stage.CHECKING),
        ({"status": ClipStatus.PENDING, "sends": 2}, Stage.GENERATING),
        ({"status": ClipStatus.PENDING, "sends": 1, "unknown_answers": 1}, Stage.CHECKING),
    ],
)
def test_stage_says_what_is_happening_to_an_unsettled_clip(fields: dict[str, Any], expected: Stage) -> None:
    assert stage(clip(**fields)) is expected


def test_stage_of_a_settled_clip_is_its_end() -> None:
    assert stage(succeeded(clip())) is Stage.SUCCEEDED
    assert stage(failed(clip())) is Stage.FAILED
