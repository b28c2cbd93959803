"""Which one clip the doctor buys, and what it is made of. Pure."""

import base64
import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.clips.catalogue import Catalogue, VideoModel
from service.clips.estimate import PastClip, Price, price
from service.clips.fingerprint import fingerprint
from service.clips.models import (
    Clip,
    ClipRequest,
    ClipStatus,
    GenerationSettings,
    ProjectId,
    SceneKey,
    TaskUUID,
)
from service.doctor.account import dollars
from service.doctor.findings import Finding, Verdict

SCENE = SceneKey("1")
PROMPT = "Light moves slowly over an empty wall."
PURCHASE = "Purchase"

# All models take a side of 300 to 2048 pixels; a small square keeps the ledger small.
_SIDE_PX = 320
_DUSK, _DAWN = (24, 28, 72), (250, 190, 120)
_RGB_8_BIT = struct.pack(">IIBBBBB", _SIDE_PX, _SIDE_PX, 8, 2, 0, 0, 0)
_UP = b"\x02"
"""PNG's filter by which a row is told by its difference from the row above."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The cheapest clip that can be bought here; `usd` is what it costs by `price`."""

    model: VideoModel
    settings: GenerationSettings
    duration_s: int
    usd: float
    price: Price

    @property
    def words(self) -> str:
        """Say what is bought, and for how much."""
        resolution = f", {self.settings.resolution}" if self.settings.resolution else ""
        return f"{self.model.name}, {self.duration_s} s{resolution}, silent, for about {dollars(self.usd)}"

    @property
    def source(self) -> str:
        """Say where the price is from."""
        if self.price.basis == "past":
            return "what such clips have cost here"
        listed = self.model.prices[self.settings.resolution, False]
        return f"{listed.source}, {listed.as_of:%Y-%m-%d}"


def cheapest(catalogue: Catalogue, past: Sequence[PastClip]) -> Offer | None:
    """Give the cheapest silent clip of the shortest duration among the models allowed; None without a price.

    It is sent without RUNWARE_EXTRA, which may change what is made, and so what it costs.
    """
    offers: list[Offer] = []
    for model in catalogue.models:
        for resolution, sound in model.variants:
            known = None if sound else price(model, (resolution, sound), past)
            if known is not None:
                settings = GenerationSettings(model.air, resolution, generate_audio=False)
                duration_s = model.durations_s[0]
                usd = round(known.usd_per_second * duration_s, 4)
                offers.append(Offer(model, settings, duration_s, usd, known))
    return min(offers, key=lambda offer: offer.usd, default=None)


def affordable(
    offer: Offer | None, catalogue: Catalogue, at_most_usd: float, balance: float | None
) -> Offer | Finding:
    """Give the offer if neither the sum nor the credit forbids it, else why nothing is bought."""
    if offer is None:
        models = ", ".join(model.name for model in catalogue.models)
        return Finding(
            PURCHASE,
            Verdict.FAILED,
            f"No price is known of a silent clip of {models}. Nothing was spent.",
            "Add a model with a known price to RUNWARE_MODELS, such as google:veo@3.1-lite.",
        )
    if offer.usd > at_most_usd:
        return Finding(
            PURCHASE,
            Verdict.FAILED,
            f"The cheapest clip is {offer.words}: more than {dollars(at_most_usd)}. Nothing was spent.",
            f"Allow it with --spend {offer.usd:.2f}, or a cheaper model with RUNWARE_MODELS.",
        )
    if balance is not None and balance < offer.usd:
        return Finding(
            PURCHASE,
            Verdict.FAILED,
            f"The balance of {dollars(balance)} is not enough for {offer.words}. Nothing was spent.",
            "Add credit in Runware's dashboard.",
        )
    return offer


def covers_second_bill(offer: Offer, at_most_usd: float, cost_usd: float | None = None) -> bool:
    """Whether the sum covers two bills; `cost_usd` is what the first clip has cost, once that is known."""
    dearest = max(offer.usd, cost_usd or 0.0)
    return round(dearest * 2, 4) <= at_most_usd


def clip_of(offer: Offer, project_id: ProjectId, now: datetime) -> Clip:
    """Give the clip to record: like any other, but that its frames are inside its task."""
    request = ClipRequest(
        scene=SCENE,
        first_frame=frame(_DUSK, _DAWN),
        last_frame=frame(_DAWN, _DUSK),
        prompt=PROMPT,
        duration_s=offer.duration_s,
        settings=offer.settings,
    )
    return Clip(
        task_uuid=TaskUUID(str(uuid.uuid4())),
        project_id=project_id,
        request=request,
        fingerprint=fingerprint(project_id, request),
        attempt=1,
        status=ClipStatus.SUBMITTING,
        submitted_at=now,
    )


def frame(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> str:
    """Draw a frame that fades from one colour to another, as a data URI of less than 4 KB.

    Runware need not fetch it, so that no address has to be public.
    """
    colours = [_between(top, bottom, y) for y in range(_SIDE_PX)]
    above = [(0, 0, 0), *colours]
    rows = (
        _UP + bytes((c - a) % 256 for c, a in zip(colour, over, strict=True)) * _SIDE_PX
        for colour, over in zip(colours, above, strict=False)
    )
    chunks = [
        _chunk(b"IHDR", _RGB_8_BIT),
        _chunk(b"IDAT", zlib.compress(b"".join(rows), level=9)),
        _chunk(b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _between(top: tuple[int, int, int], bottom: tuple[int, int, int], y: int) -> tuple[int, int, int]:
    red, green, blue = (a + (b - a) * y // (_SIDE_PX - 1) for a, b in zip(top, bottom, strict=True))
    return red, green, blue


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
