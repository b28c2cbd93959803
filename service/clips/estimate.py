"""How long a clip usually takes and what it will cost, learned from this installation's own past."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Literal

from service.clips.catalogue import Variant, VideoModel
from service.clips.models import Clip, ClipStatus

# Fewer clips than this say little about the next one.
_MIN_SAMPLES = 3
_MAX_SAMPLES = 200
# Where the bar stands at the median, at the 90th percentile, and after any time at all.
_AT_MEDIAN, _AT_P90, _AT_MOST = 0.80, 0.95, 0.99


@dataclass(frozen=True, slots=True)
class PastClip:
    """What a successful clip tells about the next: `seconds` from its submission to its success."""

    model: str
    resolution: str
    generate_audio: bool
    duration_s: int
    seconds: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class UsualTime:
    """How long clips of one model and duration took, in seconds; `samples` is 0 for the stated default."""

    median_s: float
    p90_s: float
    samples: int


@dataclass(frozen=True, slots=True)
class Price:
    """USD a second of video: what `past` clips cost here, else what the `table` of models says."""

    usd_per_second: float
    basis: Literal["past", "table"]

    def of(self, duration_s: int) -> float:
        """Give what a clip of so many seconds costs, in USD."""
        return round(self.usd_per_second * duration_s, 4)


# From reports of other callers: 30 seconds to several minutes.
DEFAULT_TIME = UsualTime(median_s=120, p90_s=300, samples=0)


def learned(clip: Clip) -> PastClip | None:
    """Give what a clip tells about the next: nothing unless it succeeded, without being asked for again."""
    if clip.status is not ClipStatus.SUCCEEDED or clip.settled_at is None or clip.reopened_at is not None:
        return None
    request = clip.request
    return PastClip(
        request.settings.model,
        request.settings.resolution,
        request.settings.generate_audio,
        request.duration_s,
        (clip.settled_at - clip.submitted_at).total_seconds(),
        clip.cost_usd,
    )


def usual_times(past: Iterable[PastClip]) -> Mapping[tuple[str, int], UsualTime]:
    """Give the usual time by model and duration, from the newest of `past`, which is newest first."""
    times: dict[tuple[str, int], list[float]] = {}
    for clip in past:
        times.setdefault((clip.model, clip.duration_s), []).append(clip.seconds)
    return {key: _usual(taken[:_MAX_SAMPLES]) for key, taken in times.items() if len(taken) >= _MIN_SAMPLES}


def share_done(waited_s: float, usual: UsualTime) -> float:
    """How much of a clip's way is behind it, from 0 to 0.99: only its success makes it 1."""
    waited_s = max(0.0, waited_s)
    if waited_s < usual.median_s:
        return _AT_MEDIAN * waited_s / usual.median_s
    if waited_s < usual.p90_s:
        beyond = (waited_s - usual.median_s) / (usual.p90_s - usual.median_s)
        return _AT_MEDIAN + (_AT_P90 - _AT_MEDIAN) * beyond
    overtime = (waited_s - usual.p90_s) / max(usual.p90_s, 1)
    return _AT_MOST - (_AT_MOST - _AT_P90) * math.exp(-overtime)


def price(model: VideoModel, variant: Variant, past: Iterable[PastClip]) -> Price | None:
    """Give what a second of a model's video costs; None if neither the past nor the table says."""
    paid = [
        clip.cost_usd / clip.duration_s
        for clip in past
        if clip.cost_usd and clip.model == model.air and (clip.resolution, clip.generate_audio) == variant
    ]
    if paid:
        return Price(round(median(paid[:_MAX_SAMPLES]), 4), "past")
    listed = model.prices.get(variant)
    return None if listed is None else Price(listed.usd_per_second, "table")


def _usual(seconds: Sequence[float]) -> UsualTime:
    return UsualTime(
        median_s=round(median(seconds), 1),
        p90_s=round(quantiles(seconds, n=10, method="inclusive")[-1], 1),
        samples=len(seconds),
    )
