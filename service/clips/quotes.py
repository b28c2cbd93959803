"""What a project asks for now, scene by scene: what that would cost, and which clips it outdates."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from service.clips.catalogue import either
from service.clips.estimate import Price
from service.clips.fingerprint import fingerprint
from service.clips.models import Clip, ClipRequest, ClipStatus, Fingerprint, Project, SceneKey
from service.clips.planning import Planner
from service.errors import ChoiceRefused


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for a scene that can be made now.

    `wanted_s` is how many seconds the scene wants where the model makes others, else None.
    """

    request: ClipRequest
    fingerprint: Fingerprint
    wanted_s: float | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What making a scene's clip costs in USD, None where that is not known.

    `paid`: a clip for exactly this is there or may still come, so that asking for it costs nothing.
    """

    asked: Asked
    usd: float | None
    paid: bool


def asked_for(project: Project, planner: Planner) -> Mapping[SceneKey, Asked]:
    """Give what is asked for each scene that can be made now; none, if the model is not allowed any more."""
    try:
        planned = planner.plan(project)
    except ChoiceRefused:
        return {}
    return {
        request.scene: Asked(request, fingerprint(project.id, request), planned.wanted_s.get(request.scene))
        for request in planned.requests
    }


def outdated(clip: Clip, asked: Mapping[SceneKey, Asked]) -> bool:
    """Whether the project asks for something else than this clip by now.

    A scene that can't be made now asks for nothing, and outdates nothing.
    """
    wanted = asked.get(clip.scene)
    return wanted is not None and wanted.fingerprint != clip.fingerprint


def in_question(asked: Mapping[SceneKey, Asked], current: Iterable[Clip]) -> Sequence[Fingerprint]:
    """Give what is asked for where no current clip is it: only of these may an older clip stand.

    A current clip is the best of all at its own fingerprint; a scene without one may have been put back.
    """
    known = {clip.fingerprint for clip in current}
    return [one.fingerprint for one in asked.values() if one.fingerprint not in known]


def standing(clips: Iterable[Clip]) -> AbstractSet[Fingerprint]:
    """Give the fingerprints at which a clip is there or may still come."""
    return {clip.fingerprint for clip in clips if clip.status is not ClipStatus.FAILED}


def quotes(
    asked: Mapping[SceneKey, Asked], paid: AbstractSet[Fingerprint], price: Price | None
) -> Mapping[SceneKey, Quote]:
    """Quote each scene; `price` is that of what the project's clips are made with."""
    return {
        scene: Quote(
            one, None if price is None else price.of(one.request.duration_s), one.fingerprint in paid
        )
        for scene, one in asked.items()
    }


def seconds_note(wanted_s: float, duration_s: int, durations_s: Sequence[int]) -> str:
    """Say that a clip gets other seconds than were asked for, since the model makes `durations_s` only."""
    first, last = durations_s[0], durations_s[-1]
    if first + 1 < last and list(durations_s) == list(range(first, last + 1)):
        made = f"whole seconds from {first} to {last}"
    else:
        made = f"{either([str(seconds) for seconds in durations_s])} s"
    return f"{wanted_s:g} s was asked for; this model makes {made}, so the clip has {duration_s} s."
