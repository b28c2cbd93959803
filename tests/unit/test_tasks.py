from dataclasses import replace

import pytest

from service.runware.tasks import Task, merge_patch, status_task, video_task
from tests.builders import LITE, SETTINGS, VEO, clip, request

CLIP = clip(task_uuid="11111111-1111-4111-8111-111111111111")


def task(air: str, *, audio: bool = False) -> Task:
    settings = replace(SETTINGS, model=air, generate_audio=audio)
    return video_task(replace(CLIP, request=request(settings=settings)), None)


def test_task_is_the_one_that_runware_documents() -> None:
    assert video_task(CLIP, "https://clips.example/webhooks/runware?job=1&token=2") == {
        "taskType": "videoInference",
        "taskUUID": "11111111-1111-4111-8111-111111111111",
        "model": "google:3@2",
        "positivePrompt": "A boat leaves.",
        "inputs": {
            "frameImages": [
                {"image": "https://frames.example/1/first.png", "frame": "first"},
                {"image": "https://frames.example/1/last.png", "frame": "last"},
            ]
        },
        "duration": 4,
        "resolution": "720p",
        "providerSettings": {"google": {"generateAudio": False, "enhancePrompt": True}},
        "numberResults": 1,
        "outputType": "URL",
        "outputFormat": "MP4",
        "includeCost": True,
        "deliveryMethod": "async",
        "webhookURL": "https://clips.example/webhooks/runware?job=1&token=2",
    }


def test_without_a_callback_url_no_webhook_is_asked_for() -> None:
    assert "webhookURL" not in video_task(CLIP, None)


def test_link_lives_as_long_as_was_asked_for_and_else_as_runware_likes() -> None:
    assert video_task(CLIP, None, ttl_seconds=3600)["ttl"] == 3600
    assert "ttl" not in video_task(CLIP, None)


def test_lite_takes_frames_as_plain_urls() -> None:
    assert task(LITE)["inputs"] == {
        "frameImages": ["https://frames.example/1/first.png", "https://frames.example/1/last.png"]
    }


@pytest.mark.parametrize("air", [VEO, LITE])
def test_image_that_goes_along_stands_where_its_url_would_in_either_form(air: str) -> None:
    by_url, image = task(air), "data:image/png;base64,AAAA"
    of_model = replace(CLIP, request=request(settings=replace(SETTINGS, model=air)))
    enclosed = video_task(of_model, None, data_uris={"https://frames.example/1/first.png": image})
    assert image in str(enclosed)
    assert str(enclosed).replace(image, "https://frames.example/1/first.png") == str(by_url)


@pytest.mark.parametrize(
    ("air", "settings"),
    [
        (VEO, {"google": {"generateAudio": True, "enhancePrompt": True}}),
        (LITE, {"google": {"generateAudio": True, "enhancePrompt": True}}),
        ("klingai:kling-video@3-pro", {"klingai": {"sound": True}}),
        ("bytedance:seedance@1.5-pro", {"bytedance": {"audio": True}}),
        ("google:veo@9", {"google": {"generateAudio": True, "enhancePrompt": True}}),
    ],
)
def test_each_provider_is_asked_for_sound_by_its_own_parameter(air: str, settings: object) -> None:
    assert task(air, audio=True)["providerSettings"] == settings


@pytest.mark.parametrize("air", ["luma:ray@3.2", "pixverse:1@5", "vidu:3@1", "klingai:5@2"])
def test_silent_model_gets_no_provider_settings(air: str) -> None:
    assert "providerSettings" not in task(air)


@pytest.mark.parametrize("air", ["klingai:kling-video@3-standard", "klingai:5@2", "vidu:3@1"])
def test_model_of_a_single_size_is_sent_no_resolution(air: str) -> None:
    assert "resolution" not in task(air)


def test_extra_is_merged_so_that_an_api_change_needs_no_release() -> None:
    extra = {"seed": 7, "resolution": None, "providerSettings": {"google": {"generateAudio": True}}}
    merged = video_task(replace(CLIP, request=request(settings=replace(SETTINGS, extra=extra))), None)
    assert merged["seed"] == 7
    assert "resolution" not in merged
    assert merged["providerSettings"] == {"google": {"generateAudio": True, "enhancePrompt": True}}


def test_extra_can_not_take_a_tasks_identity() -> None:
    extra = {"taskUUID": "x", "taskType": "imageInference"}
    merged = video_task(replace(CLIP, request=request(settings=replace(SETTINGS, extra=extra))), None)
    assert (merged["taskUUID"], merged["taskType"]) == (CLIP.task_uuid, "videoInference")


def test_merge_patch_follows_the_examples_of_rfc_7396() -> None:
    assert merge_patch({"a": "b"}, {"a": "c"}) == {"a": "c"}
    assert merge_patch({"a": "b", "b": "c"}, {"a": None}) == {"b": "c"}
    assert merge_patch({"a": ["b"]}, {"a": "c"}) == {"a": "c"}
    assert merge_patch({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}) == {"a": {"b": "d"}}
    assert merge_patch({"e": None}, {"a": 1}) == {"e": None, "a": 1}
    assert merge_patch({}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}


def test_status_task_names_the_job() -> None:
    assert status_task(CLIP.task_uuid) == {"taskType": "getResponse", "taskUUID": CLIP.task_uuid}
