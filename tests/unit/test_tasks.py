from dataclasses import replace

from service.runware.tasks import merge_patch, status_task, video_task
from tests.builders import SETTINGS, clip, request

CLIP = clip(task_uuid="11111111-1111-4111-8111-111111111111")


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


def test_extra_is_merged_so_that_an_api_change_needs_no_release() -> None:
    extra = {"seed": 7, "resolution": None, "providerSettings": {"google": {"generateAudio": True}}}
    task = video_task(replace(CLIP, request=request(settings=replace(SETTINGS, extra=extra))), None)
    assert task["seed"] == 7
    assert "resolution" not in task
    assert task["providerSettings"] == {"google": {"generateAudio": True, "enhancePrompt": True}}


def test_extra_can_not_take_a_tasks_identity() -> None:
    extra = {"taskUUID": "x", "taskType": "imageInference"}
    task = video_task(replace(CLIP, request=request(settings=replace(SETTINGS, extra=extra))), None)
    assert (task["taskUUID"], task["taskType"]) == (CLIP.task_uuid, "videoInference")


def test_merge_patch_follows_the_examples_of_rfc_7396() -> None:
    assert merge_patch({"a": "b"}, {"a": "c"}) == {"a": "c"}
    assert merge_patch({"a": "b", "b": "c"}, {"a": None}) == {"b": "c"}
    assert merge_patch({"a": ["b"]}, {"a": "c"}) == {"a": "c"}
    assert merge_patch({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}) == {"a": {"b": "d"}}
    assert merge_patch({"e": None}, {"a": 1}) == {"e": None, "a": 1}
    assert merge_patch({}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}


def test_status_task_names_the_job() -> None:
    assert status_task(CLIP.task_uuid) == {"taskType": "getResponse", "taskUUID": CLIP.task_uuid}
