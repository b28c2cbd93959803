import uuid
from collections.abc import Mapping

from service.clips.models import Clip, TaskUUID

# What the service decides for every task; RUNWARE_EXTRA may not touch these, or results could not be matched.
RESERVED_KEYS = frozenset({"taskType", "taskUUID", "webhookURL"})

Task = dict[str, object]


def video_task(clip: Clip, callback_url: str | None) -> Task:
    """Build the `videoInference` task of a clip.

    The same clip always gives the same task, so that sending it again is safe. With frames the video takes
    their aspect, and `width` and `height` may not be sent. `enhancePrompt` can't be turned off on Veo 3.1.
    """
    request = clip.request
    task: Task = {
        "model": request.settings.model,
        "positivePrompt": request.prompt,
        "inputs": {
            "frameImages": [
                {"image": request.first_frame, "frame": "first"},
                {"image": request.last_frame, "frame": "last"},
            ]
        },
        "duration": request.duration_s,
        "resolution": request.settings.resolution,
        "providerSettings": {
            "google": {"generateAudio": request.settings.generate_audio, "enhancePrompt": True}
        },
        "numberResults": 1,
        "outputType": "URL",
        "outputFormat": "MP4",
        "includeCost": True,
        "deliveryMethod": "async",
    }
    merged = merge_patch(task, request.settings.extra)
    merged |= {"taskType": "videoInference", "taskUUID": clip.task_uuid}
    if callback_url is not None:
        merged["webhookURL"] = callback_url
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
