"""Which models there are, what each makes and asks for, and which of them an installation allows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from service.clips.images import FrameLimits
from service.clips.models import Choice, GenerationSettings
from service.errors import ChoiceRefused

Variant = tuple[str, bool]
"""A resolution, and whether with sound: what a price depends on."""


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """USD a second of video; `source` says in a few words who says so, `as_of` since when it is known."""

    usd_per_second: float
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class VideoModel:
    """A model that makes a video from a first and a last frame.

    `durations_s` are whole seconds, ascending. `resolutions` is empty where the model has no choice of it,
    and `default_resolution` then, too. `sound` is whether it can make sound. `prompt_limit` is the most
    characters of a prompt, None where that is unknown; so are prices that are not in `prices`.
    """

    air: str
    name: str
    durations_s: Sequence[int]
    resolutions: Sequence[str]
    default_resolution: str
    sound: bool
    frame_limits: FrameLimits = field(default_factory=FrameLimits)
    prices: Mapping[Variant, ListedPrice] = field(default_factory=dict)
    prompt_limit: int | None = None

    @property
    def variants(self) -> Sequence[Variant]:
        """All that can be chosen of it."""
        sounds = (False, True) if self.sound else (False,)
        return [(resolution, sound) for resolution in self.resolutions or ("",) for sound in sounds]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models that an installation allows, in its order, and what it makes where nobody chose.

    The model of `default` is one of `models`.
    """

    models: Sequence[VideoModel]
    default: GenerationSettings

    def model(self, air: str) -> VideoModel:
        """Give a model that is allowed. Raises ChoiceRefused."""
        for model in self.models:
            if model.air == air:
                return model
        allowed = ", ".join(f"{model.air} ({model.name})" for model in self.models)
        raise ChoiceRefused(
            f"The model {air} is not allowed here. Nothing was bought. Choose another one: {allowed}."
        )

    def settings(self, choice: Choice | None) -> GenerationSettings:
        """Give what a choice comes to. Raises ChoiceRefused, which says what is allowed."""
        choice = choice or Choice()
        model = self.model(self.default.model if choice.model is None else choice.model)
        if choice.resolution is not None and choice.resolution not in model.resolutions:
            remedy = f"Choose {either(model.resolutions)}" if model.resolutions else "Choose none"
            raise ChoiceRefused(
                f"{model.name} does not make {choice.resolution}. Nothing was bought. {remedy}."
            )
        if choice.audio and not model.sound:
            raise ChoiceRefused(f"{model.name} makes no sound. Nothing was bought. Choose audio false.")
        return self._filled(model, choice)

    def effective(self, choice: Choice) -> GenerationSettings:
        """Give what a choice comes to, for showing it: also one that is not allowed any more."""
        try:
            return self.settings(choice)
        except ChoiceRefused:
            return replace(
                self.default,
                model=choice.model or self.default.model,
                resolution=choice.resolution or "",
                generate_audio=bool(choice.audio),
            )

    @property
    def frame_limits(self) -> FrameLimits:
        """The narrowest limits of the models, so that a frame that is taken fits each of them."""
        limits = [model.frame_limits for model in self.models]
        return FrameLimits(
            min_side_px=max(one.min_side_px for one in limits),
            max_side_px=min(one.max_side_px for one in limits),
            max_bytes=min(one.max_bytes for one in limits),
        )

    def _filled(self, model: VideoModel, choice: Choice) -> GenerationSettings:
        """Fill what was left open: the installation's default where the model has it, else the model's."""
        own = self.default.resolution if self.default.resolution in model.resolutions else None
        audio = self.default.generate_audio if choice.audio is None else choice.audio
        return replace(
            self.default,
            model=model.air,
            resolution=choice.resolution or own or model.default_resolution,
            generate_audio=audio and model.sound,
        )


def either(words: Iterable[str]) -> str:
    """Name all of some words, of which one is to be chosen."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
