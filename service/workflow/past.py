import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.clips.catalogue import Variant, VideoModel
from service.clips.estimate import PastClip, Price, UsualTime, price, usual_times
from service.workflow.ports import Store

# Enough for some two hundred of each kind that is in use.
_MOST_READ = 2000
_KEPT_S = 60.0


@dataclass(slots=True)
class Past:
    """What this installation has learned from its own clips; read from the store once a minute at most."""

    store: Store
    _clips: Sequence[PastClip] = field(default=(), init=False)
    _times: Mapping[tuple[str, int], UsualTime] = field(default_factory=dict, init=False)
    _fresh_until: float = field(default=0.0, init=False)

    async def usual_times(self) -> Mapping[tuple[str, int], UsualTime]:
        """Give the usual time by model and duration in seconds. Raises StoreUnavailable."""
        await self._refresh()
        return self._times

    async def prices(self, model: VideoModel) -> Mapping[Variant, Price]:
        """Give what a second of a model's video costs, by variant, where known. Raises StoreUnavailable."""
        await self._refresh()
        found = {variant: price(model, variant, self._clips) for variant in model.variants}
        return {variant: known for variant, known in found.items() if known is not None}

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
        self._times = usual_times(self._clips)
