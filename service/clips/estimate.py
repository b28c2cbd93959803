"""How long a clip usually takes and what it will cost, learned from this installation's own past."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from service.clips.models import GenerationSettings

# USD a second of video, by model, resolution and sound. Runware publishes these two alone; for any other
# the past has to tell, and without one there is no estimate.
PUBLISHED_USD_PER_SECOND: Mapping[tuple[str, str, bool], float] = {
    ("google:3@3", "1080p", False): 0.10,
    ("google:3@3", "1080p", True): 0.15,
}
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
    """USD a second of video; `published` by Runware, else what past clips cost."""

    usd_per_second: float
    published: bool


# From reports of other callers: 30 seconds to several minutes.
DEFAULT_TIME = UsualTime(median_s=120, p90_s=300, samples=0)


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


def price(settings: GenerationSettings, past: Iterable[PastClip]) -> Price | None:
    """Give what a second of video costs with these settings; None if neither Runware nor the past says."""
    wanted = (settings.model, settings.resolution, settings.generate_audio)
    if (published := PUBLISHED_USD_PER_SECOND.get(wanted)) is not None:
        return Price(published, published=True)
    paid = [
        clip.cost_usd / clip.duration_s
        for clip in past
        if clip.cost_usd and (clip.model, clip.resolution, clip.generate_audio) == wanted
    ]
    return Price(round(median(paid[:_MAX_SAMPLES]), 4), published=False) if paid else None


def _usual(seconds: Sequence[float]) -> UsualTime:
    return UsualTime(
        median_s=round(median(seconds), 1),
        p90_s=round(quantiles(seconds, n=10, method="inclusive")[-1], 1),
        samples=len(seconds),
    )
