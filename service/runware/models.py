"""The models of Runware that take a first and a last frame, as data: limits, prices, and the task's form.

Each figure has its source and the date of that source. What could not be verified is left out: a price that
is not here is unknown, and a model whose seconds are unknown is no entry. To add one, add an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from service.clips.catalogue import ListedPrice, Variant, VideoModel

_DOCUMENTED = "Runware's price list"
_REPORTED = "reported by a caller"
# No price names its day: that of the newest schemas which they were compared with.
_AS_OF = date(2026, 10, 12)

# Seconds, resolutions: the types of Runware's Python client, runware-sdk 1.8.0 (schemas of 2026-10-12).
_VEO_DURATIONS_S = (4, 6, 8)
# Prompts: the providers' pages of Runware's documentation (2025-10).
_VEO_PROMPT, _KLING_PROMPT = 3000, 2500


class FrameForm(StrEnum):
    """How a task names its frames."""

    PLACED = "placed"
    """`{"image": URL, "frame": "first"}`"""
    PLAIN = "plain"
    """The URLs alone, first before last."""


@dataclass(frozen=True, slots=True)
class TaskForm:
    """What is particular to a model in the task that is sent.

    `provider` is its key in `providerSettings`, `sound` the parameter there that asks for sound, `fixed` what
    always stands beside it. Without a provider no `providerSettings` are sent. `resolution` is whether the
    model has that parameter; one that makes a single size refuses it.
    """

    provider: str = ""
    sound: str = ""
    fixed: Mapping[str, object] = field(default_factory=dict)
    frames: FrameForm = FrameForm.PLACED
    resolution: bool = True


# `enhancePrompt`: runware 0.5.24 has it for Google; Veo 3.1 refuses false.
_VEO = TaskForm("google", "generateAudio", {"enhancePrompt": True})
# `sound` of klingai and `audio` of bytedance: runware 0.5.24. Kling has no `resolution` (runware-sdk 1.8.0).
_KLING_3 = TaskForm("klingai", "sound", resolution=False)
_SEEDANCE = TaskForm("bytedance", "audio")
_SILENT = TaskForm()
_SILENT_SINGLE_SIZE = TaskForm(resolution=False)


def _prices(
    source: str, usd_by_resolution: Mapping[str, tuple[float | None, float | None]]
) -> dict[Variant, ListedPrice]:
    """Give the prices by variant; each resolution has one silent and one with sound, None where unknown."""
    return {
        (resolution, sound): ListedPrice(usd, source, _AS_OF)
        for resolution, pair in usd_by_resolution.items()
        for sound, usd in zip((False, True), pair, strict=True)
        if usd is not None
    }


_TABLE: tuple[tuple[VideoModel, TaskForm], ...] = (
    (
        VideoModel(
            air="google:3@2",
            name="Veo 3.1",
            durations_s=_VEO_DURATIONS_S,
            resolutions=("720p", "1080p", "4K"),
            default_resolution="720p",
            sound=True,
            prompt_limit=_VEO_PROMPT,
        ),
        _VEO,
    ),
    (
        VideoModel(
            air="google:3@3",
            name="Veo 3.1 Fast",
            durations_s=_VEO_DURATIONS_S,
            resolutions=("720p", "1080p", "4K"),
            default_resolution="720p",
            sound=True,
            prices=_prices(_DOCUMENTED, {"1080p": (0.10, 0.15), "4K": (0.30, 0.35)}),
            prompt_limit=_VEO_PROMPT,
        ),
        _VEO,
    ),
    (
        VideoModel(
            air="google:veo@3.1-lite",
            name="Veo 3.1 Lite",
            durations_s=_VEO_DURATIONS_S,
            resolutions=("720p", "1080p"),
            default_resolution="720p",
            sound=True,
            prices=_prices(_REPORTED, {"720p": (0.03, 0.05)}),
            prompt_limit=_VEO_PROMPT,
        ),
        # A caller reports that Lite refuses frames with a place.
        TaskForm("google", "generateAudio", {"enhancePrompt": True}, FrameForm.PLAIN),
    ),
    (
        VideoModel(
            air="klingai:kling-video@3-standard",
            name="Kling 3.0 Standard",
            durations_s=tuple(range(3, 16)),
            resolutions=("720p",),
            default_resolution="720p",
            sound=True,
            prices=_prices(_DOCUMENTED, {"720p": (0.084, 0.126)}),
            prompt_limit=_KLING_PROMPT,
        ),
        _KLING_3,
    ),
    (
        VideoModel(
            air="klingai:kling-video@3-pro",
            name="Kling 3.0 Pro",
            durations_s=tuple(range(3, 16)),
            resolutions=("1080p",),
            default_resolution="1080p",
            sound=True,
            prices=_prices(_DOCUMENTED, {"1080p": (0.112, 0.168)}),
            prompt_limit=_KLING_PROMPT,
        ),
        _KLING_3,
    ),
    (
        # Seconds and size: Runware's page of KlingAI (2025-10); the clients of 2026 do not list it.
        VideoModel(
            air="klingai:5@2",
            name="Kling 2.1 Pro",
            durations_s=(5, 10),
            resolutions=("1080p",),
            default_resolution="1080p",
            sound=False,
            prompt_limit=_KLING_PROMPT,
        ),
        _SILENT_SINGLE_SIZE,
    ),
    (
        VideoModel(
            air="bytedance:seedance@1.5-pro",
            name="Seedance 1.5 Pro",
            durations_s=tuple(range(4, 13)),
            resolutions=("480p", "720p"),
            default_resolution="720p",
            sound=True,
            prices=_prices(_REPORTED, {"480p": (None, 0.024), "720p": (None, 0.053)}),
        ),
        _SEEDANCE,
    ),
    (
        VideoModel(
            air="pixverse:1@5",
            name="PixVerse v5",
            durations_s=(5, 8),
            resolutions=("360p", "540p", "720p", "1080p"),
            default_resolution="720p",
            sound=False,
        ),
        _SILENT,
    ),
    (
        VideoModel(
            air="vidu:3@1",
            name="Vidu Q2 Pro",
            durations_s=tuple(range(1, 9)),
            resolutions=(),
            default_resolution="",
            sound=False,
        ),
        _SILENT_SINGLE_SIZE,
    ),
    (
        VideoModel(
            air="luma:ray@3.2",
            name="Luma Ray 3.2",
            durations_s=(5, 10),
            resolutions=("360p", "540p", "720p", "1080p"),
            default_resolution="720p",
            sound=False,
            # Listed for 5 s: 0.15, 0.30 and 1.20 USD.
            prices=_prices(_DOCUMENTED, {"540p": (0.03, None), "720p": (0.06, None), "1080p": (0.24, None)}),
        ),
        _SILENT,
    ),
)

MODELS: Mapping[str, VideoModel] = {model.air: model for model, _ in _TABLE}
_FORMS: Mapping[str, TaskForm] = {model.air: form for model, form in _TABLE}


def video_model(air: str) -> VideoModel:
    """Give a model by its AIR; one that is not in the table is taken for one like Veo 3.1, without prices.

    So an operator can use a model the day it appears, without a release.
    """
    return MODELS.get(air) or VideoModel(
        air=air,
        name=air,
        durations_s=_VEO_DURATIONS_S,
        resolutions=("720p", "1080p", "4K"),
        default_resolution="720p",
        sound=True,
    )


def task_form(air: str) -> TaskForm:
    """Give the form of a model's tasks; that of Veo 3.1 for a model that is not in the table."""
    return _FORMS.get(air, _VEO)
