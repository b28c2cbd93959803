import math
import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from secrets import randbelow
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.fingerprint import fingerprint
from service.clips.frames import DEFAULT_FRAME_RULES, FrameRules
from service.clips.models import ClipRequest, ClipStatus, FailureKind, Fingerprint, TaskUUID
from service.clips.planning import choose, duration_s, frame_problems, plan, scene_order
from service.clips.prompts import PromptRules
from tests.builders import NOON, PROJECT_ID, SETTINGS, clip, failed, frames, project, request, succeeded

PROMPTS = PromptRules()
RULES = FrameRules()
VEO_SECONDS = (4, 6, 8)


def uuid_of(first_digit: int) -> TaskUUID:
    return TaskUUID(f"{first_digit}0000000-0000-4000-8000-000000000000")


def wanted(one: ClipRequest) -> dict[Fingerprint, ClipRequest]:
    return {fingerprint(PROJECT_ID, one): one}


def test_each_scene_with_both_frames_gets_a_clip_in_numeric_order() -> None:
    planned = plan(project(frames=frames(10, 9, 2, 1)), SETTINGS, VEO_SECONDS, PROMPTS, RULES)
    assert [r.scene for r in planned.requests] == ["1", "2", "9", "10"]
    assert planned.requests[0].first_frame == "https://frames.example/1/first.png"
    assert planned.problems == {}


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ({"first_frame": "https://a/1.png"}, "last_frame missing"),
        ({"first_frame": "https://a/1.png", "last_frame": ""}, "last_frame missing"),
        ({"first_frame": None, "last_frame": "https://a/2.png"}, "first_frame missing"),
        ({"first_frame": "  ", "last_frame": None}, "first_frame and last_frame missing"),
        (None, "first_frame and last_frame missing"),
        ("nonsense", "first_frame and last_frame missing"),
        (
            {"first_frame": "file:///etc/passwd", "last_frame": "https://a/2.png"},
            "first_frame is not an http(s) URL",
        ),
        (
            {"first_frame": "https://a/1.png", "last_frame": "data:image/png;base64,AA"},
            "last_frame is not an http(s) URL",
        ),
        (
            {"first_frame": "https://[broken", "last_frame": "https://a/2.png"},
            "first_frame is not an http(s) URL",
        ),
    ],
)
def test_incomplete_scene_says_what_is_missing_while_the_others_go_on(pair: Any, problem: str) -> None:
    planned = plan(project(frames={**frames(1), "2": pair}), SETTINGS, VEO_SECONDS, PROMPTS, RULES)
    assert [r.scene for r in planned.requests] == ["1"]
    assert planned.problems == {"2": problem}


@pytest.mark.parametrize("end", ["first_frame", "last_frame"])
def test_frame_that_runware_can_not_reach_is_its_scenes_problem_and_names_the_frame(end: str) -> None:
    pair = {**frames(2)["2"], end: "http://localhost:3000/frame.png"}
    planned = plan(project(frames={**frames(1), "2": pair}), SETTINGS, VEO_SECONDS, PROMPTS, RULES)
    assert [r.scene for r in planned.requests] == ["1"]
    assert planned.problems == {
        "2": f"{end} is at localhost, which Runware can't reach: upload it, or use a public URL"
    }


def test_scene_without_any_frames_is_a_problem_and_not_forgotten() -> None:
    planned = plan(
        project(frames=frames(1), scenes={"1": {}, "2": {"description": "x"}}),
        SETTINGS,
        VEO_SECONDS,
        PROMPTS,
        RULES,
    )
    assert planned.problems == {"2": "first_frame and last_frame missing"}


def test_scene_keys_sort_by_value_however_long_and_text_comes_last() -> None:
    keys = ["b", "9" * 5000, "10", "a", "9", "٣", "007", "", "1"]
    assert sorted(keys, key=scene_order) == ["1", "007", "9", "10", "9" * 5000, "", "a", "b", "٣"]


@pytest.mark.parametrize("nothing", [None, {}, [], "text", 7])
def test_project_without_frames_plans_nothing(nothing: Any) -> None:
    planned = plan(project(frames=nothing, scenes=nothing), SETTINGS, VEO_SECONDS, PROMPTS, RULES)
    assert (list(planned.requests), planned.problems) == ([], {})


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [
        *((1, 4), (3, 4), (4, 4), (4.01, 6), (5, 6), (6, 6), (7, 8), (8, 8), (9, 8), (3600, 8)),
        *(("5", 6), ("4s", 4), (" 6 seconds ", 6), ("5.5 sec", 6), ("5,5", 6), ("7S", 8)),
        *(("1e3", 4), ("soon", 4), ("", 4), (None, 4), (True, 4), (math.nan, 4), (math.inf, 4)),
        *((-3, 4), ([5], 4), ({"s": 5}, 4), (10**400, 8), (-(10**400), 4)),
    ],
)
def test_duration_is_the_shortest_that_covers_the_scenes(wanted: Any, seconds: int) -> None:
    assert duration_s(wanted, VEO_SECONDS) == seconds


@pytest.mark.parametrize(
    ("durations_s", "wanted", "seconds"),
    [((5, 10), 4, 5), ((5, 10), 6, 10), ((5, 10), 60, 10), (range(3, 16), 4.5, 5), (range(3, 16), "1s", 3)],
)
def test_duration_follows_the_models_list(durations_s: Sequence[int], wanted: Any, seconds: int) -> None:
    assert duration_s(wanted, durations_s) == seconds
    of_scene = project(frames=frames(1), scenes={"1": {"duration": wanted}})
    (planned,) = plan(of_scene, SETTINGS, durations_s, PROMPTS, RULES).requests
    assert planned.duration_s == seconds


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_duration_is_always_one_the_model_makes(wanted: Any) -> None:
    assert duration_s(wanted, VEO_SECONDS) in (4, 6, 8)


@pytest.mark.parametrize(
    ("scene", "seconds"),
    [
        *(({"duration_sec": 5}, 6), ({"duration_sec": "8s"}, 8), ({"duration_sec": None}, 4)),
        *(({"duration": 4, "duration_sec": 8}, 4), ({"duration": "soon", "duration_sec": 8}, 8)),
        *(({"duration": None, "duration_sec": "5.5"}, 6), ({"duration": True, "duration_sec": True}, 4)),
    ],
)
def test_duration_counts_before_duration_sec_if_it_can_be_read(scene: Any, seconds: int) -> None:
    (planned,) = plan(
        project(frames=frames(1), scenes={"1": scene}), SETTINGS, VEO_SECONDS, PROMPTS, RULES
    ).requests
    assert planned.duration_s == seconds


@pytest.mark.parametrize(
    ("sound", "wished", "spoken"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_dialogue_is_spoken_only_where_sound_is_on_and_it_is_wished(
    *, sound: bool, wished: bool, spoken: bool
) -> None:
    scenes = {"1": {"visual_action": "She waits.", "dialogue": "You came."}}
    planned = plan(
        project(frames=frames(1), scenes=scenes),
        replace(SETTINGS, generate_audio=sound),
        VEO_SECONDS,
        PromptRules(speak_dialogue=wished),
        RULES,
    )
    prompt = planned.requests[0].prompt
    assert prompt == 'She waits. The character says: "You came."' if spoken else prompt == "She waits."


def test_prompts_are_planned_within_the_limit() -> None:
    scenes = {"1": {"description": "A boat leaves the harbour. Gulls follow it."}}
    planned = plan(
        project(frames=frames(1), scenes=scenes), SETTINGS, VEO_SECONDS, PromptRules(limit=30), RULES
    )
    assert planned.requests[0].prompt == "A boat leaves the harbour."


def test_first_call_makes_a_first_attempt() -> None:
    (made,) = choose(PROJECT_ID, wanted(request()), [], [], randbelow, NOON)
    assert (made.attempt, made.status, made.sends) == (1, ClipStatus.SUBMITTING, 0)
    assert uuid.UUID(made.task_uuid).version == 4


@pytest.mark.parametrize("status", [ClipStatus.SUBMITTING, ClipStatus.PENDING])
def test_unsettled_clip_is_taken_and_no_second_is_made(status: ClipStatus) -> None:
    existing = clip(status=status)
    assert choose(PROJECT_ID, wanted(request()), [existing], [existing], randbelow, NOON) == [existing]


def test_succeeded_clip_is_taken_even_if_a_later_attempt_is_under_way() -> None:
    late = succeeded(clip())
    second = clip(attempt=2, status=ClipStatus.PENDING)
    assert choose(PROJECT_ID, wanted(request()), [second, late], [], randbelow, NOON) == [late]


def test_failed_clip_is_followed_by_the_next_attempt() -> None:
    attempts = [failed(clip()), failed(clip(attempt=2), FailureKind.TIMEOUT)]
    (made,) = choose(PROJECT_ID, wanted(request()), attempts, [], randbelow, NOON)
    assert made.attempt == 3
    assert made.task_uuid not in {attempt.task_uuid for attempt in attempts}


def test_changed_prompt_or_frame_makes_a_new_clip() -> None:
    existing = succeeded(clip())
    for changed in (
        request(prompt="A boat returns."),
        request(last_frame="https://frames.example/other.png"),
    ):
        (made,) = choose(PROJECT_ID, wanted(changed), [existing], [existing], randbelow, NOON)
        assert made.task_uuid != existing.task_uuid
        assert made.attempt == 1


def test_task_uuids_of_a_projects_clips_sort_as_its_scenes_do() -> None:
    requests = [request(str(n)) for n in (1, 2, 9, 10, 100)]
    chosen = choose(
        PROJECT_ID, {k: r for r in requests for k, r in wanted(r).items()}, [], [], randbelow, NOON
    )
    assert [one.scene for one in chosen] == ["1", "2", "9", "10", "100"]
    assert all(one.task_uuid < other.task_uuid for one, other in pairwise(chosen))


def test_new_attempt_takes_the_place_of_its_scene_among_clips_that_the_call_is_not_about() -> None:
    scenes = [str(n) for n in range(1, 12)]
    first = choose(
        PROJECT_ID, {k: r for n in scenes for k, r in wanted(request(n)).items()}, [], [], randbelow, NOON
    )
    gone, *others = (failed(first.pop(4)), *first)
    (again,) = choose(PROJECT_ID, wanted(gone.request), [gone], [gone, *others], randbelow, NOON)
    assert others[3].task_uuid < again.task_uuid < others[4].task_uuid
    assert again.task_uuid != gone.task_uuid


def test_clips_that_are_all_made_anew_sort_as_their_scenes_whatever_they_replace() -> None:
    earlier = [clip(str(n), task_uuid=uuid_of(9 - n)) for n in (1, 2, 3)]
    requests = {k: r for n in (1, 2, 3) for k, r in wanted(request(str(n), prompt="Other.")).items()}
    chosen = choose(PROJECT_ID, requests, [], earlier, randbelow, NOON)
    assert all(one.task_uuid < other.task_uuid for one, other in pairwise(chosen))


def test_going_back_to_one_scenes_earlier_clip_places_the_new_ones_beside_it() -> None:
    kept = succeeded(clip("2", task_uuid=uuid_of(7)))
    others = [clip(str(n), task_uuid=uuid_of(n), prompt="Another.") for n in (1, 2, 3)]
    requests = {k: r for n in (1, 2, 3) for k, r in wanted(request(str(n))).items()}
    chosen = choose(PROJECT_ID, requests, [kept], others, randbelow, NOON)
    assert chosen[1] == kept
    assert chosen[0].task_uuid < kept.task_uuid < chosen[2].task_uuid


def test_url_of_a_frame_that_is_longer_than_any_is_a_problem_of_its_scene() -> None:
    pair = frames(1)["1"]
    told = frame_problems(
        project(frames={"1": {**pair, "last_frame": f"https://x.example/{'ü' * 2100}"}, "2": pair}),
        DEFAULT_FRAME_RULES,
    )
    assert told == {
        "1": "last_frame is longer than 4,096 bytes: upload the image, or use a shorter URL",
        "2": None,
    }


def test_key_of_a_scene_that_no_index_has_room_for_is_a_problem_of_its_scene() -> None:
    key = "a" * 201
    told = frame_problems(project(frames={key: frames(1)["1"]}), DEFAULT_FRAME_RULES)
    assert told == {key: "the scene's key has 201 characters, and 200 are the most: rename it"}
