"""The table of models: what each entry must hold, and where it agrees with Runware's own client."""

import inspect
from datetime import date
from typing import get_args, get_type_hints

import pytest
from runware.types import task_map

from service.clips.catalogue import VideoModel
from service.runware.models import MODELS, task_form, video_model
from tests.builders import FAST, LITE, VEO

PARAMETERS = {
    get_args(hints["model"])[0]: hints
    for name, cls in inspect.getmembers(task_map, inspect.isclass)
    if name.endswith("Params") and "model" in (hints := get_type_hints(cls)) and get_args(hints["model"])
}
LISTED = [model for air, model in MODELS.items() if air in PARAMETERS]
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
each_listed = pytest.mark.parametrize("model", LISTED, ids=[model.air for model in LISTED])


def choices(model: VideoModel, parameter: str) -> tuple[object, ...]:
    """The values that Runware's client lists for a parameter; empty where it lists none."""
    hint = PARAMETERS[model.air].get(parameter)
    return () if hint is None else get_args(hint)


def test_veo_3_1_comes_first_and_all_three_are_there() -> None:
    assert list(MODELS)[:3] == [VEO, FAST, LITE]


@each_model
def test_entry_holds_together(model: VideoModel) -> None:
    assert list(model.durations_s) == sorted(set(model.durations_s))
    assert model.durations_s[0] >= 1
    assert (model.default_resolution in model.resolutions) == bool(model.resolutions)
    assert bool(task_form(model.air).sound) == model.sound
    assert set(model.prices) <= set(model.variants)


@each_model
def test_each_price_says_who_says_so_and_since_when(model: VideoModel) -> None:
    for price in model.prices.values():
        assert price.usd_per_second > 0
        assert price.source
        assert price.as_of > date(2025, 10, 1)


@each_listed
def test_durations_and_resolutions_are_among_those_of_runwares_client(model: VideoModel) -> None:
    for parameter, own in (("duration", model.durations_s), ("resolution", model.resolutions)):
        listed = {value for value in choices(model, parameter) if isinstance(value, int | str)}
        assert not listed or set(own) <= listed, parameter


@each_listed
def test_resolution_is_sent_where_runwares_client_has_the_parameter(model: VideoModel) -> None:
    assert task_form(model.air).resolution == ("resolution" in PARAMETERS[model.air])


def test_model_that_nobody_listed_is_taken_for_one_like_veo() -> None:
    new = video_model("google:veo@9")
    assert (new.air, list(new.durations_s), new.prices) == ("google:veo@9", [4, 6, 8], {})
    assert task_form(new.air) == task_form(VEO)
