"""The rules of a `videoInference` task: what Runware accepts, and what it costs.

What is particular to a model is data in `models`. Nothing here does I/O or keeps state.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard
from urllib.parse import urlsplit
from uuid import UUID

from service.sandbox.errors import TaskError
from service.sandbox.models import MODELS, VideoModel

_UUID_VERSION = 4
_PROMPT_LENGTH = (2, 3000)
_MAX_SEED = 2**32 - 1
_MAX_TTL = 2**31 - 1
_DEFAULT_QUALITY = 95
_PLACES = ("first", "last")
_FRAME_PARAMETERS = ("inputs.frameImages", "frameImages")
_IMAGE_DATA = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TaskRules:
    """What the options say of the rules: see `SandboxOptions`."""

    plain_frames_on_lite: bool = False
    min_ttl_seconds: int = 60


@dataclass(frozen=True, slots=True)
class VideoTask:
    """A task that follows the rules. Frames are http(s) or data URLs; `size` is (width, height)."""

    task_uuid: str
    model: str
    prompt: str
    first_frame: str | None
    last_frame: str | None
    size: tuple[int, int] | None
    short_side: int
    duration: int
    sound: bool
    seed: int | None
    output_format: str
    output_quality: int
    include_cost: bool
    sync: bool
    callback_url: str | None
    upload_url: str | None
    ttl: int | None
    cost_usd: Decimal


def read_task(task: Mapping[str, object], rules: TaskRules) -> VideoTask | list[TaskError]:
    """Read a `videoInference` task as it was sent: the task, or every rule that it breaks."""
    return _TaskReader(task, rules).read()


class _TaskReader:
    """Reads one task parameter by parameter and collects what is wrong with it.

    A getter that meets an error notes it and returns a usable value, so that one pass finds all errors.
    """

    def __init__(self, task: Mapping[str, object], rules: TaskRules) -> None:
        self._task = task
        self._rules = rules
        self._errors: list[TaskError] = []

    def read(self) -> VideoTask | list[TaskError]:
        """Return the task, or its errors in the order in which its parameters are looked at."""
        task_uuid = self._task_uuid()
        model_id, model = self._model()
        for name in sorted(self._task.keys() - model.provider.parameters):
            message = f"{model.title} has no parameter '{name}'; leave it out"
            self._errors.append(TaskError("unknownParameter", message, name))
        prompt = self._prompt()
        plain = model.plain_frames and self._rules.plain_frames_on_lite
        first_frame, last_frame = self._frames(only_plain=plain)
        size = self._size(model, framed=first_frame is not None or last_frame is not None)
        resolution = self._resolution(model, size)
        duration = self._duration(model)
        sound = self._sound(model, framed=first_frame is not None or last_frame is not None)
        self._whole_number("numberResults", (1, 1))
        self._choice("outputType", ("URL",))
        for name in ("safety", "routing"):
            self._object(name)
        quiet_price, sound_price = model.usd_per_second[resolution]
        task = VideoTask(
            task_uuid=task_uuid,
            model=model_id,
            prompt=prompt,
            first_frame=first_frame,
            last_frame=last_frame,
            size=size,
            short_side=model.short_sides[resolution],
            duration=duration,
            sound=sound,
            seed=self._whole_number("seed", (0, _MAX_SEED)),
            output_format=self._choice("outputFormat", ("MP4", "WEBM", "MOV")),
            output_quality=self._whole_number("outputQuality", (20, 99)) or _DEFAULT_QUALITY,
            include_cost=self._flag("includeCost", self._task.get("includeCost")) or False,
            sync=self._choice("deliveryMethod", ("async", "sync")) == "sync",
            callback_url=self._url("webhookURL"),
            upload_url=self._url("uploadEndpoint"),
            ttl=self._whole_number("ttl", (self._rules.min_ttl_seconds, _MAX_TTL)),
            cost_usd=duration * (sound_price if sound else quiet_price),
        )
        return self._errors or task

    def _refuse(self, kind: str, parameter: str, message: str) -> None:
        """Note an error whose code is made of `kind` (invalid, missing, …) and the parameter's own name."""
        name = parameter.rpartition(".")[2]
        self._errors.append(TaskError(f"{kind}{name[0].upper()}{name[1:]}", message, parameter))

    def _task_uuid(self) -> str:
        value = self._task.get("taskUUID")
        if value is None:
            self._refuse("missing", "taskUUID", "taskUUID is required: make a UUID v4 for each task")
        elif not is_uuid4(value):
            self._refuse("invalid", "taskUUID", f"taskUUID must be a UUID v4, not {value!r}")
        return str(value)

    def _model(self) -> tuple[str, VideoModel]:
        value = self._task.get("model")
        if value is None:
            self._refuse("missing", "model", f"model is required: one of {', '.join(MODELS)}")
        elif not isinstance(value, str) or value not in MODELS:
            self._refuse("invalid", "model", f"No model {value!r} here: use one of {', '.join(MODELS)}")
        else:
            return value, MODELS[value]
        return next(iter(MODELS.items()))

    def _prompt(self) -> str:
        value = self._task.get("positivePrompt")
        low, high = _PROMPT_LENGTH
        if value is None:
            self._refuse("missing", "positivePrompt", "positivePrompt is required: describe the clip")
        elif not isinstance(value, str):
            self._refuse("invalid", "positivePrompt", "positivePrompt must be text")
        elif not low <= len(value.strip()) <= high:
            self._refuse(
                "invalid",
                "positivePrompt",
                f"positivePrompt must have {low} to {high} characters, not {len(value.strip())}",
            )
        return value if isinstance(value, str) else ""

    def _frames(self, *, only_plain: bool) -> tuple[str | None, str | None]:
        """Return the first and the last frame's URL from either form of `frameImages`."""
        inputs = self._object("inputs")
        for name in sorted(inputs.keys() - {"frameImages"}):
            self._refuse(
                "unsupported", f"inputs.{name}", f"The sandbox takes inputs.frameImages, not '{name}'"
            )
        nested, top = inputs.get("frameImages"), self._task.get("frameImages")
        if nested is not None and top is not None:
            self._refuse("conflict", "frameImages", "Send frames in inputs.frameImages only, not twice")
        if nested is not None:
            return self._read_frames("inputs.frameImages", nested, None if only_plain else "image")
        if top is not None:
            return self._read_frames("frameImages", top, None if only_plain else "inputImage")
        return None, None

    def _read_frames(self, name: str, value: object, url_key: str | None) -> tuple[str | None, str | None]:
        """Read frames that are plain URLs or, if there is a `url_key`, objects with the URL under it."""
        if not isinstance(value, list) or not 1 <= len(value) <= len(_PLACES):
            self._refuse("invalid", name, f"{name} must be a list of one or two frames")
            return None, None
        frames: dict[str, str] = {}
        for position, item in zip(_PLACES, value, strict=False):
            url: object = item
            place: object = position
            if isinstance(item, dict) and url_key is not None:
                # The older form has no places: its frames stand in order, as plain URLs do.
                url = item.get(url_key)
                place = item.get("frame", position if url_key == "inputImage" else None)
            if not is_image_url(url):
                form = "" if url_key is None else f", or an object with it as '{url_key}'"
                self._refuse(
                    "invalid", name, f"Each of {name} must be an http(s) URL or a data URI of an image{form}"
                )
            elif not isinstance(place, str) or place not in _PLACES:
                self._refuse("invalid", name, f'\'frame\' must be "first" or "last", not {place!r}')
            elif place in frames:
                self._refuse("duplicate", name, f'{name} has two frames for "{place}"; send one of each')
            else:
                frames[place] = url
        return frames.get("first"), frames.get("last")

    def _size(self, model: VideoModel, *, framed: bool) -> tuple[int, int] | None:
        given = [name for name in ("width", "height") if self._task.get(name) is not None]
        # A refused frameImages was meant as frames: one error is enough.
        asked_for_frames = framed or any(error.parameter in _FRAME_PARAMETERS for error in self._errors)
        if asked_for_frames and given:
            self._refuse(
                "conflict", given[0], "width and height can't go with frames: the clip takes their aspect"
            )
        elif not asked_for_frames and not given:
            self._refuse(
                "missing", "inputs.frameImages", "Send either inputs.frameImages or both width and height"
            )
        elif len(given) == 1:
            absent = "height" if given == ["width"] else "width"
            self._refuse("missing", absent, f"{given[0]} needs {absent}")
        elif given:
            size = (self._task["width"], self._task["height"])
            sizes = [sides for short in model.short_sides.values() for sides in _sizes(short)]
            for allowed in sizes:
                if size == allowed:
                    return allowed
            choices = ", ".join(f"{width}x{height}" for width, height in sizes)
            self._refuse("invalid", "width", f"{model.title} makes {choices}, not {size[0]}x{size[1]}")
        return None

    def _resolution(self, model: VideoModel, size: tuple[int, int] | None) -> str:
        names = tuple(model.short_sides)
        if "resolution" not in model.provider.parameters:
            return names[0]
        value = self._task.get("resolution")
        if value is not None and ("width" in self._task or "height" in self._task):
            self._refuse(
                "conflict", "resolution", "resolution can't go with width and height; send one of them"
            )
        elif size is not None:
            return next(name for name, short in model.short_sides.items() if short == min(size))
        return self._choice("resolution", names)

    def _duration(self, model: VideoModel) -> int:
        value = self._task.get("duration", model.default_duration)
        if isinstance(value, int) and not isinstance(value, bool) and value in model.durations:
            return value
        choices = ", ".join(map(str, model.durations))
        self._refuse(
            "invalid", "duration", f"duration must be one of {choices} (whole seconds), not {value!r}"
        )
        return model.durations[0]

    def _sound(self, model: VideoModel, *, framed: bool) -> bool:
        """Check the provider's settings and return whether they ask for sound."""
        provider = model.provider
        settings = self._object("providerSettings")
        for name in sorted(settings.keys() - {provider.key}):
            message = f"{model.title} takes providerSettings.{provider.key}, not '{name}'"
            self._errors.append(
                TaskError("mismatchProviderSettingsProvider", message, f"providerSettings.{name}")
            )
        prefix = f"providerSettings.{provider.key}"
        own = settings.get(provider.key, {})
        if not isinstance(own, dict):
            self._refuse("invalid", prefix, f"{prefix} must be an object")
            return False
        for name, value in sorted(own.items()):
            parameter = f"{prefix}.{name}"
            if name in provider.framed:
                if not isinstance(value, str):
                    self._refuse("invalid", parameter, f"{parameter} must be text")
                elif not framed:
                    self._refuse("unsupported", parameter, f"{name} needs a frame; leave it out")
            elif name in provider.only_true:
                if self._flag(parameter, value) is False:
                    self._refuse(
                        "unsupported", parameter, f"{name} can't be turned off: send true or leave it out"
                    )
            elif name != provider.sound:
                self._errors.append(
                    TaskError("unknownParameter", f"{model.title} has no setting '{name}'", parameter)
                )
        return self._flag(f"{prefix}.{provider.sound}", own.get(provider.sound)) or False

    def _object(self, name: str) -> dict[str, object]:
        value = self._task.get(name)
        if isinstance(value, dict):
            return value
        if value is not None:
            self._refuse("invalid", name, f"{name} must be an object")
        return {}

    def _flag(self, parameter: str, value: object) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        self._refuse("invalid", parameter, f"{parameter} must be true or false, not {value!r}")
        return None

    def _choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of the choices; the first is the default."""
        value = self._task.get(name, choices[0])
        if isinstance(value, str) and value in choices:
            return value
        self._refuse("invalid", name, f"{name} must be {' or '.join(choices)}, not {value!r}")
        return choices[0]

    def _whole_number(self, name: str, bounds: tuple[int, int]) -> int | None:
        value = self._task.get(name)
        low, high = bounds
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        allowed = str(low) if low == high else f"a whole number from {low} to {high}"
        self._refuse("invalid", name, f"{name} must be {allowed}, not {value!r}")
        return None

    def _url(self, name: str) -> str | None:
        value = self._task.get(name)
        if value is None or is_http_url(value):
            return value
        self._refuse("invalid", name, f"{name} must be an http(s) URL")
        return None


def _sizes(short_side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the 9:16 and the 16:9 size of a short side in pixels."""
    long_side = short_side * 16 // 9
    return (short_side, long_side), (long_side, short_side)


def is_uuid4(value: object) -> TypeGuard[str]:
    """Whether the value is a UUID v4 in its usual text form."""
    try:
        parsed = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return parsed is not None and parsed.version == _UUID_VERSION and str(parsed) == str(value).lower()


def is_http_url(value: object) -> TypeGuard[str]:
    """Whether the value is an absolute http(s) URL."""
    if not isinstance(value, str):
        return False
    try:
        url = urlsplit(value)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.hostname)


def is_image_url(value: object) -> TypeGuard[str]:
    """Whether the value is an http(s) URL or a base64 data URI of an image."""
    return is_http_url(value) or (isinstance(value, str) and _IMAGE_DATA.match(value) is not None)
