from dataclasses import replace

import pytest

from service.clips.catalogue import Catalogue
from service.clips.images import FrameLimits
from service.clips.models import Choice, GenerationSettings
from service.errors import ChoiceRefused
from service.runware.models import video_model
from tests.builders import CATALOGUE, FAST, LITE, SETTINGS, VEO

LUMA, KLING, VIDU = "luma:ray@3.2", "klingai:kling-video@3-pro", "vidu:3@1"
WIDE = Catalogue([video_model(air) for air in (VEO, LUMA, KLING, VIDU)], SETTINGS)


def refusal(catalogue: Catalogue, choice: Choice) -> str:
    with pytest.raises(ChoiceRefused) as refused:
        catalogue.settings(choice)
    return str(refused.value)


@pytest.mark.parametrize("choice", [None, Choice()])
def test_without_a_choice_the_installations_default_is_made(choice: Choice | None) -> None:
    assert CATALOGUE.settings(choice) == SETTINGS


def test_choice_decides_each_part_and_extra_stays() -> None:
    default = replace(SETTINGS, extra={"seed": 7})
    settings = replace(CATALOGUE, default=default).settings(Choice(FAST, "4K", audio=True))
    assert settings == GenerationSettings(FAST, "4K", generate_audio=True, extra={"seed": 7})


def test_resolution_left_open_is_the_installations_if_the_model_has_it_else_the_models_own() -> None:
    default = replace(SETTINGS, resolution="1080p")
    assert replace(CATALOGUE, default=default).settings(Choice(LITE)).resolution == "1080p"
    default = replace(SETTINGS, resolution="4K")
    assert replace(CATALOGUE, default=default).settings(Choice(LITE)).resolution == "720p"
    assert WIDE.settings(Choice(KLING)).resolution == "1080p"
    assert WIDE.settings(Choice(VIDU)).resolution == ""


def test_sound_by_default_is_none_for_a_model_that_is_silent() -> None:
    loud = replace(WIDE, default=replace(SETTINGS, generate_audio=True))
    assert loud.settings(Choice(VEO)).generate_audio
    assert not loud.settings(Choice(LUMA)).generate_audio
    assert not loud.settings(Choice(VEO, audio=False)).generate_audio


def test_model_that_is_not_allowed_is_refused_with_those_that_are() -> None:
    sentence = refusal(CATALOGUE, Choice(LUMA))
    assert LUMA in sentence
    assert "google:3@2 (Veo 3.1), google:3@3 (Veo 3.1 Fast), google:veo@3.1-lite (Veo 3.1 Lite)" in sentence


def test_resolution_that_the_model_lacks_is_refused_with_those_that_it_has() -> None:
    assert "Veo 3.1 Lite does not make 4K" in refusal(CATALOGUE, Choice(LITE, "4K"))
    assert "Choose 720p or 1080p." in refusal(CATALOGUE, Choice(LITE, "4K"))
    assert "Choose none." in refusal(WIDE, Choice(VIDU, "720p"))


def test_sound_of_a_silent_model_is_refused() -> None:
    assert "Luma Ray 3.2 makes no sound" in refusal(WIDE, Choice(LUMA, audio=True))
    assert not WIDE.settings(Choice(LUMA, audio=False)).generate_audio


def test_choice_that_is_not_allowed_any_more_is_still_shown() -> None:
    shown = CATALOGUE.effective(Choice(LUMA, "540p"))
    assert (shown.model, shown.resolution, shown.generate_audio) == (LUMA, "540p", False)
    assert CATALOGUE.effective(Choice(LITE)) == CATALOGUE.settings(Choice(LITE))


def test_frame_limits_are_those_that_fit_every_model() -> None:
    assert CATALOGUE.frame_limits == FrameLimits(300, 2048, 20_000_000)
    narrow = replace(video_model(FAST), frame_limits=FrameLimits(400, 4096, 10_000_000))
    limits = Catalogue([video_model(VEO), narrow], SETTINGS).frame_limits
    assert limits == FrameLimits(400, 2048, 10_000_000)


def test_choice_of_a_model_begins_anew_and_any_other_keeps_the_earlier_model() -> None:
    earlier = Choice(LITE, "1080p", audio=True)
    assert Choice(FAST).over(earlier) == Choice(FAST)
    assert Choice(resolution="720p").over(earlier) == Choice(LITE, "720p", audio=True)
    assert Choice(audio=False).over(earlier) == Choice(LITE, "1080p", audio=False)
