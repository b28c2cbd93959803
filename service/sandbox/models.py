"""The video models, as data: what each takes and what a second of it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

_EVERY_MODEL = frozenset(
    {
        "taskType",
        "taskUUID",
        "model",
        "positivePrompt",
        "inputs",
        "frameImages",
        "width",
        "height",
        "duration",
        "providerSettings",
        "outputType",
        "outputFormat",
        "outputQuality",
        "numberResults",
        "includeCost",
        "deliveryMethod",
        "webhookURL",
        "uploadEndpoint",
        "ttl",
        "safety",
        "routing",
    }
)


@dataclass(frozen=True, slots=True)
class Provider:
    """The parameters of a provider's models, and their settings in `providerSettings` under its `key`.

    `sound` names the setting that makes sound; `only_true` those that can't be turned off; `framed` those
    that need a frame.
    """

    key: str
    parameters: frozenset[str]
    sound: str
    only_true: frozenset[str] = frozenset()
    framed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VideoModel:
    """One model's limits: seconds, short side in pixels by resolution, USD a second (quiet, with sound).

    `plain_frames` says that its frames must be plain URLs where the option `lite_frames` says so.
    """

    title: str
    provider: Provider
    durations: tuple[int, ...]
    default_duration: int
    short_sides: Mapping[str, int]
    usd_per_second: Mapping[str, tuple[Decimal, Decimal]]
    plain_frames: bool = False


_GOOGLE = Provider(
    "google",
    _EVERY_MODEL | {"resolution", "seed"},
    sound="generateAudio",
    only_true=frozenset({"enhancePrompt"}),
    framed=frozenset({"resizeMode"}),
)
# By the types of `runware-sdk` these take no resolution (each model has its own) and no seed.
_KLING = Provider("klingai", _EVERY_MODEL | {"negativePrompt"}, sound="sound")


def _prices(quiet: str, sound: str) -> tuple[Decimal, Decimal]:
    return Decimal(quiet), Decimal(sound)


def _veo(
    title: str, prices: Mapping[str, tuple[Decimal, Decimal]], *, plain_frames: bool = False
) -> VideoModel:
    sides = {name: _SHORT_SIDES[name] for name in prices}
    return VideoModel(title, _GOOGLE, (4, 6, 8), 8, sides, prices, plain_frames)


def _kling(title: str, resolution: str, price: tuple[Decimal, Decimal]) -> VideoModel:
    sides = {resolution: _SHORT_SIDES[resolution]}
    return VideoModel(title, _KLING, tuple(range(3, 16)), 5, sides, {resolution: price})


_SHORT_SIDES = {"720p": 720, "1080p": 1080, "4K": 2160}

# Runware publishes the prices of Fast at 1080p and 4K and of Kling; one of its users those of Lite at 720p.
# The others are stand-ins, so that a ledger adds up.
MODELS: Mapping[str, VideoModel] = {
    "google:3@2": _veo(
        "Veo 3.1",
        {"720p": _prices("0.20", "0.40"), "1080p": _prices("0.20", "0.40"), "4K": _prices("0.40", "0.60")},
    ),
    "google:3@3": _veo(
        "Veo 3.1 Fast",
        {"720p": _prices("0.10", "0.15"), "1080p": _prices("0.10", "0.15"), "4K": _prices("0.30", "0.35")},
    ),
    "google:veo@3.1-lite": _veo(
        "Veo 3.1 Lite",
        {"720p": _prices("0.03", "0.05"), "1080p": _prices("0.05", "0.08")},
        plain_frames=True,
    ),
    "klingai:kling-video@3-standard": _kling("Kling 3.0 Standard", "720p", _prices("0.084", "0.126")),
    "klingai:kling-video@3-pro": _kling("Kling 3.0 Pro", "1080p", _prices("0.112", "0.168")),
}
