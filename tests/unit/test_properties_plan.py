"""What holds of every plan and fingerprint, whatever a user has written."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.clips.fingerprint import fingerprint
from service.clips.models import Choice, ClipRequest, GenerationSettings, ProjectId, SceneKey
from service.clips.planning import scene_order
from tests.builders import CATALOGUE, FAST, LITE, PLANNER, PROJECT_ID, VEO, project
from tests.strategies import FRAMES, JSON, SCENES, TEXTS

CHOICES = st.builds(
    Choice, model=st.sampled_from([None, VEO, FAST, LITE]), audio=st.sampled_from([None, False])
)
# Few values of each field, so that equal requests come up, too.
FEW = st.sampled_from(["a", "b", "ab", "", '"', "é"])
REQUESTS = st.builds(
    ClipRequest,
    scene=FEW.map(SceneKey),
    first_frame=FEW,
    last_frame=FEW,
    prompt=FEW,
    duration_s=st.integers(4, 5),
    settings=st.builds(
        GenerationSettings,
        model=FEW,
        resolution=FEW,
        generate_audio=st.booleans(),
        extra=st.dictionaries(FEW, FEW | st.dictionaries(FEW, FEW, max_size=1), max_size=2),
    ),
)


@given(FRAMES, SCENES, CHOICES)
def test_every_scene_gets_a_clip_or_a_problem_whatever_was_written(
    frames: Any, scenes: Any, choice: Choice
) -> None:
    planned = PLANNER.plan(project(frames=frames, scenes=scenes, choice=choice))
    keys = {key for column in (frames, scenes) if isinstance(column, Mapping) for key in column}
    made = [request.scene for request in planned.requests]
    assert sorted([*made, *planned.problems]) == sorted(keys)
    assert made == sorted(made, key=scene_order)
    assert planned.wanted_s.keys() <= {*made}
    assert all(problem.strip() for problem in planned.problems.values())


@given(st.dictionaries(st.sampled_from("123"), SCENES, min_size=1), CHOICES)
def test_every_planned_clip_is_one_that_its_model_takes(scenes: Any, choice: Choice) -> None:
    pair = {"first_frame": "https://frames.example/1", "last_frame": "https://frames.example/2"}
    planned = PLANNER.plan(project(frames=dict.fromkeys(scenes, pair), scenes=scenes, choice=choice))
    assert len(planned.requests) == len(scenes)
    for request in planned.requests:
        model = CATALOGUE.model(request.settings.model)
        assert request.duration_s in model.durations_s
        assert request.prompt.strip()
        assert len(request.prompt) <= min(PLANNER.prompts.limit, model.prompt_limit or PLANNER.prompts.limit)


@given(REQUESTS, REQUESTS)
def test_equal_requests_and_no_others_have_equal_fingerprints(one: ClipRequest, other: ClipRequest) -> None:
    assert (fingerprint(PROJECT_ID, one) == fingerprint(PROJECT_ID, other)) == (one == other)


@given(REQUESTS, st.sampled_from(["scene", "first_frame", "last_frame", "prompt"]), TEXTS)
def test_change_of_any_text_is_another_purchase(one: ClipRequest, name: str, text: str) -> None:
    changed: dict[str, Any] = {name: text}
    other = replace(one, **changed)
    assert (fingerprint(PROJECT_ID, one) == fingerprint(PROJECT_ID, other)) == (one == other)


@given(REQUESTS, JSON, TEXTS)
def test_order_of_extra_and_its_copy_change_no_fingerprint(one: ClipRequest, value: Any, name: str) -> None:
    ways = ({"n": 1, f"x{name}": value}, {f"x{name}": value, "n": 1})
    made = {fingerprint(PROJECT_ID, replace(one, settings=replace(one.settings, extra=way))) for way in ways}
    assert len(made) == 1
    assert fingerprint(ProjectId("another"), one) not in made
