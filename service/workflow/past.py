import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from service.clips.catalogue import Variant, VideoModel
from service.clips.estimate import PastClip, Price, UsualTime, learned, price, usual_times
from service.clips.models import Clip, ClipRequest, GenerationSettings
from service.errors import StoreUnavailable
from service.workflow.ports import Store

# Enough for some two hundred of each kind that is in use.
_MOST_READ = 2000
# How long another copy's clip may be news: a person who looks at prices does not notice.
_LOOK_INTERVAL_S = 3.0


@dataclass(slots=True)
class Past:
    """What this installation has learned from its own clips.

    This process's own successes are taken in at once, by `learn`. For those of other copies the newest clip
    is read every few seconds at most, and all of them only if it is a new one. `model_of` gives a model by
    its AIR, with the prices that are listed for it; `timer` gives seconds that only ever rise.
    """

    store: Store
    model_of: Callable[[str], VideoModel]
    timer: Callable[[], float] = time.monotonic
    _clips: deque[PastClip] = field(default_factory=lambda: deque(maxlen=_MOST_READ), init=False)
    _prices: dict[tuple[str, Variant], Price | None] = field(default_factory=dict, init=False)
    _times: Mapping[tuple[str, int], UsualTime] | None = field(default=None, init=False)
    _learned: int = field(default=0, init=False)
    _complete: bool = field(default=False, init=False)
    _fresh_until: float = field(default=-math.inf, init=False)

    async def refresh(self) -> None:
        """Look for what other copies have made since the last look. Raises StoreUnavailable.

        What was known before it stays known if it raises; a price is then that of the table, if nothing was.
        """
        if self.timer() < self._fresh_until:
            return
        # Set before the read, so that calls meanwhile take what there is.
        self._fresh_until = self.timer() + _LOOK_INTERVAL_S
        try:
            if not self._complete or await self._has_news():
                await self._read_all()
        except BaseException:
            self._fresh_until = -math.inf
            raise

    def learn(self, clip: Clip) -> None:
        """Take in a clip whose end this process has just stored."""
        if (known := learned(clip)) is not None:
            self._learned += 1
            self._clips.appendleft(known)
            self._forget()

    def usual_times(self) -> Mapping[tuple[str, int], UsualTime]:
        """Give the usual time by model and duration in seconds, as far as is known by now."""
        if self._times is None:
            self._times = usual_times(self._clips)
        return self._times

    def prices(self, model: VideoModel) -> Mapping[Variant, Price]:
        """Give what a second of a model's video costs, by variant, where that is known by now."""
        found = {variant: self._price(model, variant) for variant in model.variants}
        return {variant: known for variant, known in found.items() if known is not None}

    def price(self, settings: GenerationSettings) -> Price | None:
        """Give what a second of a video made with these settings costs, None where that is not known."""
        return self._price(self.model_of(settings.model), (settings.resolution, settings.generate_audio))

    async def estimates(self, requests: Sequence[ClipRequest]) -> Sequence[float | None]:
        """Give what each clip will cost in USD, None where neither the past nor the table says.

        While the store is away it goes by what was read before.
        """
        with suppress(StoreUnavailable):
            await self.refresh()
        prices = [self.price(request.settings) for request in requests]
        return [
            None if known is None else known.of(request.duration_s)
            for known, request in zip(prices, requests, strict=True)
        ]

    def _price(self, model: VideoModel, variant: Variant) -> Price | None:
        key = (model.air, variant)
        if key not in self._prices:
            self._prices[key] = price(model, variant, self._clips)
        return self._prices[key]

    async def _has_news(self) -> bool:
        newest = await self.store.past_clips(1)
        return list(newest) != list(islice(self._clips, 1))

    async def _read_all(self) -> None:
        before = self._learned
        read = await self.store.past_clips(_MOST_READ)
        meanwhile = list(islice(self._clips, self._learned - before))
        # What was learned meanwhile may be missing from what was read, or not: the next look tells.
        self._complete = not meanwhile
        self._clips.clear()
        self._clips.extend([*meanwhile, *read][:_MOST_READ])
        self._forget()

    def _forget(self) -> None:
        self._prices.clear()
        self._times = None
