from typing import Any

import pytest

from service.clips.catalogue import Catalogue
from service.clips.estimate import Price
from service.clips.fingerprint import fingerprint
from service.clips.models import Choice, ClipStatus, SceneKey
from service.clips.planning import Planner
from service.clips.quotes import asked_for, in_question, outdated, quotes, seconds_note, standing
from service.runware.models import video_model
from tests.builders import FAST, PLANNER, PROJECT_ID, SETTINGS, VEO, clip, failed, frames, project, succeeded

PRICE = Price(0.2, "past")
KLING = "klingai:kling-video@3-standard"


def boats(*scenes: int, **columns: Any) -> Any:
    """A project in which each of these scenes asks for what `tests.builders.clip` makes."""
    told = {str(scene): {"description": "A boat leaves.", "duration": 4} for scene in scenes}
    return project(**{"frames": frames(*scenes), "scenes": told, **columns})


def test_scene_is_quoted_as_it_is_planned() -> None:
    (scene,) = asked_for(boats(1), PLANNER).values()
    (planned,) = PLANNER.plan(boats(1)).requests
    assert (scene.request, scene.fingerprint) == (planned, fingerprint(PROJECT_ID, planned))


def test_price_is_that_of_the_seconds_that_are_made() -> None:
    scenes = {"1": {"duration": 5}, "2": {"duration": 8}, "3": {}}
    asked = asked_for(project(frames=frames(1, 2, 3), scenes=scenes), PLANNER)
    quoted = quotes(asked, frozenset(), PRICE)
    assert {scene: one.usd for scene, one in quoted.items()} == {"1": 1.2, "2": 1.6, "3": 0.8}


def test_price_that_is_not_known_is_none_and_not_nothing() -> None:
    assert [one.usd for one in quotes(asked_for(boats(1), PLANNER), frozenset(), None).values()] == [None]


@pytest.mark.parametrize(
    ("duration", "wanted_s"),
    [
        (5, 5),
        ("5", 5),
        ("4.5 s", 4.5),
        (9, 9),
        (4, None),
        ("6s", None),
        (None, None),
        ("soon", None),
        (0, None),
        (-3, None),
        (10**400, 999_999),
    ],
)
def test_wanted_seconds_are_told_where_others_are_made(duration: object, wanted_s: float | None) -> None:
    asked = asked_for(project(frames=frames(1), scenes={"1": {"duration": duration}}), PLANNER)
    assert [one.wanted_s for one in asked.values()] == [wanted_s]


def test_scene_that_can_not_be_made_now_has_no_quote_and_outdates_nothing() -> None:
    incomplete = boats(1, 2, frames=frames(1))
    asked = asked_for(incomplete, PLANNER)
    assert list(asked) == ["1"]
    assert not outdated(clip("2", prompt="Something else."), asked)


def test_nothing_is_asked_for_with_a_model_that_is_not_allowed_any_more() -> None:
    narrow = Planner(Catalogue([video_model(VEO)], SETTINGS))
    assert asked_for(boats(1, choice=Choice(FAST)), narrow) == {}


def test_clip_is_outdated_by_another_prompt_frame_duration_or_choice() -> None:
    made = clip("1")
    other_frames = {
        "1": {"first_frame": "https://frames.example/new.png", "last_frame": "https://x.example/"}
    }
    for edited in (
        boats(1, scenes={"1": {"description": "A boat arrives.", "duration": 4}}),
        boats(1, scenes={"1": {"description": "A boat leaves.", "duration": 8}}),
        boats(1, frames=other_frames),
        boats(1, choice=Choice(FAST)),
    ):
        assert outdated(made, asked_for(edited, PLANNER))
    assert not outdated(made, asked_for(boats(1), PLANNER))


@pytest.mark.parametrize("status", [one for one in ClipStatus if one is not ClipStatus.FAILED])
def test_clip_that_is_there_or_may_still_come_is_paid(status: ClipStatus) -> None:
    (quote,) = quotes(asked_for(boats(1), PLANNER), standing([clip("1", status=status)]), PRICE).values()
    assert (quote.paid, quote.usd) == (True, 0.8)


def test_clip_that_failed_or_is_of_another_prompt_is_not_paid() -> None:
    for made in (failed(clip("1")), succeeded(clip("1", prompt="A boat arrives."))):
        (quote,) = quotes(asked_for(boats(1), PLANNER), standing([made]), PRICE).values()
        assert not quote.paid


def test_older_clip_may_stand_where_the_current_one_is_outdated_or_missing() -> None:
    asked = asked_for(boats(1, 2, 3), PLANNER)
    current = [clip("1"), clip("2", prompt="A boat arrives."), clip("9")]
    assert in_question(asked, current) == [asked[SceneKey(scene)].fingerprint for scene in "23"]


@pytest.mark.parametrize(
    ("wanted_s", "model", "duration_s", "told"),
    [
        (5, VEO, 6, "5 s was asked for; this model makes 4, 6 or 8 s, so the clip has 6 s."),
        (4.5, VEO, 6, "4.5 s was asked for; this model makes 4, 6 or 8 s, so the clip has 6 s."),
        (20, "luma:ray@3.2", 10, "20 s was asked for; this model makes 5 or 10 s, so the clip has 10 s."),
        (
            2.5,
            KLING,
            3,
            "2.5 s was asked for; this model makes whole seconds from 3 to 15, so the clip has 3 s.",
        ),
    ],
)
def test_other_seconds_are_told_in_a_sentence(
    wanted_s: float, model: str, duration_s: int, told: str
) -> None:
    assert seconds_note(wanted_s, duration_s, video_model(model).durations_s) == told
