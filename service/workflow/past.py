import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from service.clips.catalogue import Variant, VideoModel
from service.clips.estimate import PastClip, Price, UsualTime, price, usual_times
from service.clips.models import ClipRequest
from service.errors import StoreUnavailable
from service.workflow.ports import Store

# Enough for some two hundred of each kind that is in use.
_MOST_READ = 2000
_KEPT_S = 60.0


@dataclass(slots=True)
class Past:
    """What this installation has learned from its own clips; read from the store once a minute at most.

    `model_of` gives a model by its AIR, with the prices that are listed for it.
    """

    store: Store
    model_of: Callable[[str], VideoModel]
    _clips: Sequence[PastClip] = field(default=(), init=False)
    _prices: dict[tuple[str, Variant], Price | None] = field(default_factory=dict, init=False)
    _times: Mapping[tuple[str, int], UsualTime] = field(default_factory=dict, init=False)
    _fresh_until: float = field(default=0.0, init=False)

    async def usual_times(self) -> Mapping[tuple[str, int], UsualTime]:
        """Give the usual time by model and duration in seconds. Raises StoreUnavailable."""
        await self._refresh()
        return self._times

    async def prices(self, model: VideoModel) -> Mapping[Variant, Price]:
        """Give what a second of a model's video costs, by variant, where known. Raises StoreUnavailable."""
        await self._refresh()
        found = {variant: self._price(model, variant) for variant in model.variants}
        return {variant: known for variant, known in found.items() if known is not None}

    async def estimates(self, requests: Sequence[ClipRequest]) -> Sequence[float | None]:
        """Give what each clip will cost in USD, None where neither the past nor the table says.

        While the store is away it goes by what was read before.
        """
        with suppress(StoreUnavailable):
            await self._refresh()
        return [self._estimate(request) for request in requests]

    def _estimate(self, request: ClipRequest) -> float | None:
        settings = request.settings
        known = self._price(self.model_of(settings.model), (settings.resolution, settings.generate_audio))
        return None if known is None else round(known.usd_per_second * request.duration_s, 4)

    def _price(self, model: VideoModel, variant: Variant) -> Price | None:
        key = (model.air, variant)
        if key not in self._prices:
            self._prices[key] = price(model, variant, self._clips)
        return self._prices[key]

    async def _refresh(self) -> None:
        if time.monotonic() < self._fresh_until:
            return
        # Set before the read, so that whoever comes meanwhile takes what there is.
        self._fresh_until = time.monotonic() + _KEPT_S
        try:
            self._clips = await self.store.past_clips(_MOST_READ)
        except BaseException:
            self._fresh_until = 0.0
            raise
        self._prices.clear()
        self._times = usual_times(self._clips)
