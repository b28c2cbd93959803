import uuid
from collections.abc import Mapping
from types import MappingProxyType

from service.clips.models import Clip, ClipRequest, TaskUUID
from service.runware.models import FrameForm, TaskForm, task_form

# What the service decides for every task; RUNWARE_EXTRA may not touch these, or results could not be matched.
RESERVED_KEYS = frozenset({"taskType", "taskUUID", "webhookURL"})

Task = dict[str, object]


def video_task(
    clip: Clip,
    callback_url: str | None,
    ttl_seconds: int | None = None,
    data_uris: Mapping[str, str] = MappingProxyType({}),
) -> Task:
    """Build the `videoInference` task of a clip.

    The same clip always gives the same task, so that sending it again is safe. With frames the video takes
    their aspect, and `width` and `height` may not be sent. `ttl_seconds` is how long the video's link shall
    live; it is no part of the fingerprint, since it does not decide what is made. `data_uris`
    stand in for the URLs of frames that Runware can't fetch, and are found by these.
    """
    settings = clip.request.settings
    form = task_form(settings.model)
    task: Task = {
        "model": settings.model,
        "positivePrompt": clip.request.prompt,
        "inputs": {"frameImages": _frame_images(clip.request, form, data_uris)},
        "duration": clip.request.duration_s,
        "numberResults": 1,
        "outputType": "URL",
        "outputFormat": "MP4",
        "includeCost": True,
        "deliveryMethod": "async",
    }
    if form.resolution and settings.resolution:
        task["resolution"] = settings.resolution
    if form.provider:
        task["providerSettings"] = {form.provider: {form.sound: settings.generate_audio, **form.fixed}}
    merged = merge_patch(task, settings.extra)
    merged |= {"taskType": "videoInference", "taskUUID": clip.task_uuid}
    if callback_url is not None:
        merged["webhookURL"] = callback_url
    if ttl_seconds is not None:
        merged["ttl"] = ttl_seconds
    return merged


def status_task(task_uuid: TaskUUID) -> Task:
    """Build the task that asks how a job stands."""
    return {"taskType": "getResponse", "taskUUID": task_uuid}


def archive_task(task_uuid: TaskUUID) -> Task:
    """Build the task that asks Runware's archive for a task that was ever sent."""
    return {"taskType": "getTaskDetails", "taskUUID": task_uuid}


def account_task() -> Task:
    """Build the task that asks how the account stands."""
    return {"taskType": "accountManagement", "taskUUID": str(uuid.uuid4()), "operation": "getDetails"}


def merge_patch(target: Mapping[str, object], patch: Mapping[str, object]) -> Task:
    """Apply an RFC 7396 merge patch: objects are merged, null removes a key, all else replaces."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            inner = merged.get(key)
            merged[key] = merge_patch(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _frame_images(request: ClipRequest, form: TaskForm, data_uris: Mapping[str, str]) -> list[object]:
    first, last = (data_uris.get(url, url) for url in (request.first_frame, request.last_frame))
    if form.frames is FrameForm.PLAIN:
        return [first, last]
    return [{"image": first, "frame": "first"}, {"image": last, "frame": "last"}]
