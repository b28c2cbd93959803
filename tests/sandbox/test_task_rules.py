"""Every rule of a task and of each model, without a server."""

from decimal import Decimal

import pytest

from service.sandbox.errors import TaskError
from service.sandbox.models import MODELS
from service.sandbox.tasks import TaskRules, VideoTask
from service.sandbox.tasks import read_task as read_task_by
from tests.sandbox.support import Json, video_task

FRAME = {"image": "https://example.com/a.png", "frame": "first"}
LAST = {"image": "data:image/png;base64,AAAA", "frame": "last"}

LITE = {"model": "google:veo@3.1-lite"}
KLING = {"model": "klingai:kling-video@3-standard"}
PLAIN = TaskRules(plain_frames_on_lite=True)
RULES = TaskRules()


def read_task(task: Json, rules: TaskRules = RULES) -> VideoTask | list[TaskError]:
    return read_task_by(task, rules)


def frames(*items: object) -> Json:
    return {"inputs": {"frameImages": list(items)}}


def sized(width: object, height: object, **more: object) -> Json:
    return {"inputs": None, "width": width, "height": height, **more}


def google(**settings: object) -> Json:
    return {"providerSettings": {"google": settings}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": "google:3@3"},
        {"duration": None},
        {"duration": 6, "resolution": "720p"},
        {"duration": 8, "resolution": "4K"},
        frames(FRAME),
        frames(FRAME, LAST),
        {"inputs": None, "frameImages": [{"inputImage": FRAME["image"]}, {"inputImage": LAST["image"]}]},
        sized(720, 1280),
        sized(1080, 1920),
        sized(2160, 3840),
        sized(1280, 720),
        google(generateAudio=True, enhancePrompt=True, resizeMode="pad"),
        frames(FRAME["image"], LAST["image"]),
        frames(FRAME["image"]),
        {**LITE, "resolution": "1080p"},
        {**LITE, "duration": 8, "resolution": "720p"},
        {**KLING, "duration": 3, "negativePrompt": "rain"},
        {**KLING, "duration": 15, "providerSettings": {"klingai": {"sound": True}}},
        {"model": "klingai:kling-video@3-pro", "inputs": None, "width": 1080, "height": 1920},
        {"seed": 7, "outputType": "URL", "outputFormat": "WEBM", "outputQuality": 20, "numberResults": 1},
        {"includeCost": True, "deliveryMethod": "sync", "ttl": 60, "safety": {}, "routing": {}},
        {"webhookURL": "https://example.com/hook?a=b", "uploadEndpoint": "https://example.com/put"},
    ],
)
def test_task_within_the_rules_is_read(changes: Json) -> None:
    assert isinstance(read_task(video_task(**changes)), VideoTask)


@pytest.mark.parametrize(
    ("changes", "code", "parameter"),
    [
        ({"taskUUID": None}, "missingTaskUUID", "taskUUID"),
        ({"taskUUID": "x"}, "invalidTaskUUID", "taskUUID"),
        ({"taskUUID": "770a8400-e29b-11d4-a716-446655440000"}, "invalidTaskUUID", "taskUUID"),
        ({"model": None}, "missingModel", "model"),
        ({"model": "veo-3.1"}, "invalidModel", "model"),
        ({"positivePrompt": None}, "missingPositivePrompt", "positivePrompt"),
        ({"positivePrompt": "a"}, "invalidPositivePrompt", "positivePrompt"),
        ({"positivePrompt": "a" * 3001}, "invalidPositivePrompt", "positivePrompt"),
        ({"positivePrompt": 5}, "invalidPositivePrompt", "positivePrompt"),
        ({"inputs": None}, "missingFrameImages", "inputs.frameImages"),
        (frames(), "invalidFrameImages", "inputs.frameImages"),
        (frames(FRAME, LAST, FRAME), "invalidFrameImages", "inputs.frameImages"),
        (frames(FRAME, FRAME), "duplicateFrameImages", "inputs.frameImages"),
        (frames({"image": "ftp://example.com/a.png", "frame": "first"}), "invalidFrameImages", None),
        (frames({"image": FRAME["image"]}), "invalidFrameImages", None),
        (frames({"image": FRAME["image"], "frame": "middle"}), "invalidFrameImages", None),
        ({"frameImages": [{"inputImage": FRAME["image"]}]}, "conflictFrameImages", "frameImages"),
        ({"inputs": {"frameImages": [FRAME], "video": "x"}}, "unsupportedVideo", "inputs.video"),
        ({"width": 720, "height": 1280}, "conflictWidth", "width"),
        (sized(720, 1280, resolution="720p"), "conflictResolution", "resolution"),
        (sized(720, None), "missingHeight", "height"),
        (sized(721, 1280), "invalidWidth", "width"),
        ({"resolution": "480p"}, "invalidResolution", "resolution"),
        ({"duration": 5}, "invalidDuration", "duration"),
        ({"duration": 7}, "invalidDuration", "duration"),
        ({"duration": "4"}, "invalidDuration", "duration"),
        ({"duration": 4.0}, "invalidDuration", "duration"),
        ({"seed": -1}, "invalidSeed", "seed"),
        ({"seed": True}, "invalidSeed", "seed"),
        ({"outputType": "base64Data"}, "invalidOutputType", "outputType"),
        ({"outputFormat": "GIF"}, "invalidOutputFormat", "outputFormat"),
        ({"outputQuality": 19}, "invalidOutputQuality", "outputQuality"),
        ({"outputQuality": 100}, "invalidOutputQuality", "outputQuality"),
        ({"numberResults": 2}, "invalidNumberResults", "numberResults"),
        ({"includeCost": "yes"}, "invalidIncludeCost", "includeCost"),
        ({"deliveryMethod": "stream"}, "invalidDeliveryMethod", "deliveryMethod"),
        ({"webhookURL": "/hook"}, "invalidWebhookURL", "webhookURL"),
        ({"safety": "off"}, "invalidSafety", "safety"),
        ({"firstImageURL": "https://example.com/a.png"}, "unknownParameter", "firstImageURL"),
        ({"aspectRatio": "9:16"}, "unknownParameter", "aspectRatio"),
        (google(enhancePrompt=False), "unsupportedEnhancePrompt", "providerSettings.google.enhancePrompt"),
        (google(generateAudio=1), "invalidGenerateAudio", "providerSettings.google.generateAudio"),
        (google(sound=True), "unknownParameter", "providerSettings.google.sound"),
        (google(resizeMode=1), "invalidResizeMode", "providerSettings.google.resizeMode"),
        (
            sized(720, 1280, **google(resizeMode="pad")),
            "unsupportedResizeMode",
            "providerSettings.google.resizeMode",
        ),
        ({"ttl": 59}, "invalidTtl", "ttl"),
        ({"negativePrompt": "rain"}, "unknownParameter", "negativePrompt"),
        ({**LITE, "resolution": "4K"}, "invalidResolution", "resolution"),
        ({**LITE, "duration": 5}, "invalidDuration", "duration"),
        ({**KLING, "duration": 2}, "invalidDuration", "duration"),
        ({**KLING, "duration": 16}, "invalidDuration", "duration"),
        ({**KLING, "resolution": "720p"}, "unknownParameter", "resolution"),
        ({**KLING, "seed": 1}, "unknownParameter", "seed"),
        (
            {**KLING, **google(generateAudio=True)},
            "mismatchProviderSettingsProvider",
            "providerSettings.google",
        ),
        (
            {"providerSettings": {"openai": {}}},
            "mismatchProviderSettingsProvider",
            "providerSettings.openai",
        ),
    ],
)
def test_broken_rule_is_one_error_that_names_it(changes: Json, code: str, parameter: str | None) -> None:
    errors = read_task(video_task(**changes))
    assert isinstance(errors, list)
    assert [error.code for error in errors] == [code]
    assert parameter is None or errors[0].parameter == parameter
    assert len(errors[0].message) > 10


def test_every_broken_rule_is_told_at_once() -> None:
    errors = read_task(video_task(duration=5, resolution="480p", positivePrompt=None))
    assert isinstance(errors, list)
    assert {error.parameter for error in errors} == {"duration", "resolution", "positivePrompt"}


def test_frames_keep_their_places_whatever_their_order() -> None:
    task = read_task(video_task(**frames(LAST, FRAME)))
    assert isinstance(task, VideoTask)
    assert (task.first_frame, task.last_frame) == (FRAME["image"], LAST["image"])


@pytest.mark.parametrize(("sound", "usd"), [(False, "0.60"), (True, "0.90")])
def test_fast_costs_its_published_price_at_1080p(sound: bool, usd: str) -> None:
    task = read_task(
        video_task(model="google:3@3", resolution="1080p", duration=6, **google(generateAudio=sound))
    )
    assert isinstance(task, VideoTask)
    assert task.cost_usd == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "resolution", "sound", "usd"),
    [
        ("google:3@3", "4K", True, "2.10"),
        ("google:veo@3.1-lite", "720p", False, "0.18"),
        ("google:veo@3.1-lite", "720p", True, "0.30"),
        ("google:veo@3.1-lite", "1080p", False, "0.30"),
        ("google:veo@3.1-lite", "1080p", True, "0.48"),
        ("klingai:kling-video@3-standard", None, False, "0.504"),
        ("klingai:kling-video@3-standard", None, True, "0.756"),
        ("klingai:kling-video@3-pro", None, False, "0.672"),
        ("klingai:kling-video@3-pro", None, True, "1.008"),
    ],
)
def test_six_seconds_cost_the_price_of_the_model(
    model: str, resolution: str | None, sound: bool, usd: str
) -> None:
    provider = MODELS[model].provider
    settings = {"providerSettings": {provider.key: {provider.sound: sound}}}
    task = read_task(video_task(model=model, resolution=resolution, duration=6, **settings))
    assert isinstance(task, VideoTask)
    assert task.cost_usd == Decimal(usd)


def test_lite_may_take_plain_frames_only() -> None:
    plain = frames(FRAME["image"], LAST["image"])
    assert isinstance(read_task(video_task(**LITE, **plain), PLAIN), VideoTask)
    assert isinstance(read_task(video_task(), PLAIN), VideoTask)
    errors = read_task(video_task(**LITE), PLAIN)
    assert isinstance(errors, list)
    assert {error.code for error in errors} == {"invalidFrameImages"}


def test_every_resolution_of_every_model_has_a_price() -> None:
    assert all(model.short_sides.keys() == model.usd_per_second.keys() for model in MODELS.values())
