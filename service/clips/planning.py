"""From a project's frames and scenes to the clips to make, and what is wrong with the rest."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.clips.catalogue import Catalogue
from service.clips.frames import DEFAULT_FRAME_RULES, MAX_URL_BYTES, FrameRules, fits, http_parts
from service.clips.models import (
    Clip,
    ClipRequest,
    ClipStatus,
    Fingerprint,
    GenerationSettings,
    Project,
    ProjectId,
    SceneKey,
    TaskUUID,
)
from service.clips.prompts import PromptRules, prompt
from service.clips.task_uuids import Draw, filled

_SECONDS = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:s|secs?|seconds?)?", re.IGNORECASE)
# An integer that a caller wrote may be too large for a float.
_MOST_TOLD_S = 999_999
# Characters. A scene's key stands in indexes of the ledger, whose rows have 2,700 bytes at most.
MAX_SCENE_KEY = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What a project asks for: `requests` in scene order, and for every other scene what it lacks.

    `wanted_s` has the seconds that scenes ask for where their requests have others. `durations_s` are all
    that the model makes.
    """

    requests: Sequence[ClipRequest]
    problems: Mapping[SceneKey, str]
    wanted_s: Mapping[SceneKey, float]
    durations_s: Sequence[int]


@dataclass(frozen=True, slots=True)
class Planner:
    """What an installation makes of a project: what the project asks for, by what is allowed and set here."""

    catalogue: Catalogue
    prompts: PromptRules = field(default_factory=PromptRules)
    frame_rules: FrameRules = DEFAULT_FRAME_RULES

    def plan(self, project: Project) -> Plan:
        """Give what the project asks for now. Raises ChoiceRefused, if its model is not allowed any more."""
        settings = self.catalogue.settings(project.choice)
        model = self.catalogue.model(settings.model)
        limit = min(self.prompts.limit, model.prompt_limit or self.prompts.limit)
        prompts = replace(self.prompts, limit=limit)
        return plan(project, settings, model.durations_s, prompts, self.frame_rules)


def plan(
    project: Project,
    settings: GenerationSettings,
    durations_s: Sequence[int],
    prompts: PromptRules,
    frame_rules: FrameRules,
) -> Plan:
    """Plan one clip for each scene that has both frames, at http(s) URLs from which they get to Runware.

    `durations_s` are the whole seconds that the model of the settings makes, ascending.
    """
    speech = settings.generate_audio and prompts.speak_dialogue
    frames, scenes = _mapping(project.frames), _mapping(project.scenes)
    problems: dict[SceneKey, str] = {}
    requests: list[ClipRequest] = []
    wanted_s: dict[SceneKey, float] = {}
    for key, problem in frame_problems(project, frame_rules).items():
        if problem is not None:
            problems[key] = problem
            continue
        pair, scene = _mapping(frames[key]), _mapping(scenes.get(key))
        seconds = duration_s(wanted_duration(scene), durations_s)
        wanted = _seconds(wanted_duration(scene)) or 0
        # One that is no length asks for nothing that could be missed.
        if wanted > 0 and wanted != seconds:
            wanted_s[key] = min(wanted, _MOST_TOLD_S)
        requests.append(
            ClipRequest(
                scene=key,
                first_frame=_text(pair["first_frame"]),
                last_frame=_text(pair["last_frame"]),
                prompt=prompt(scene, speech=speech, limit=prompts.limit),
                duration_s=seconds,
                settings=settings,
            )
        )
    return Plan(requests, problems, wanted_s, durations_s)


def frame_problems(project: Project, rules: FrameRules) -> dict[SceneKey, str | None]:
    """Say of each scene what its frames lack for a clip, None where they are complete; in scene order."""
    frames = _mapping(project.frames)
    return {
        key: _key_problem(key) or _frames_problem(_mapping(frames.get(key)), rules)
        for key in _scene_keys(project)
    }


def choose(
    project_id: ProjectId,
    requests: Mapping[Fingerprint, ClipRequest],
    attempts: Iterable[Clip],
    current: Iterable[Clip],
    draw: Draw,
    now: datetime,
) -> list[Clip]:
    """Give for each request, in order, the clip that stands for it: one already paid for, else a new attempt.

    `requests` are by their fingerprints, `attempts` all clips ever made for these, `current` the project's
    current clips. One that succeeded, or still may, is taken as it is; only where all have failed does a new
    one, as yet unsent, come into being. Its task UUID sorts, by `task_uuids.filled`, between those of the
    scenes before and after its own, as they stand after this call.
    """
    by_fingerprint: dict[Fingerprint, list[Clip]] = {}
    for clip in attempts:
        by_fingerprint.setdefault(clip.fingerprint, []).append(clip)
    made = {key: sorted(by_fingerprint.get(key, ()), key=standing_order) for key in requests}
    standing = {
        key: clips[0] for key, clips in made.items() if clips and clips[0].status is not ClipStatus.FAILED
    }
    places: dict[SceneKey, TaskUUID | None] = {clip.scene: clip.task_uuid for clip in current}
    places |= {request.scene: None for request in requests.values()}
    places |= {clip.scene: clip.task_uuid for clip in standing.values()}
    scenes = sorted(places, key=scene_order)
    task_uuid = dict(zip(scenes, filled([places[scene] for scene in scenes], draw), strict=True))
    return [
        standing.get(key)
        or Clip(
            task_uuid=task_uuid[request.scene],
            project_id=project_id,
            request=request,
            fingerprint=key,
            attempt=made[key][0].attempt + 1 if made[key] else 1,
            status=ClipStatus.SUBMITTING,
            submitted_at=now,
        )
        for key, request in requests.items()
    ]


def standing_order(clip: Clip) -> tuple[int, float, int]:
    """Sort key of the attempts at the same: the first that succeeded, the newest that still may, the newest.

    Of two that succeeded in the same moment the earlier attempt comes first.
    """
    if clip.status is ClipStatus.SUCCEEDED:
        settled_at = clip.settled_at.timestamp() if clip.settled_at else 0.0
        return (0, settled_at, clip.attempt)
    return (2 if clip.status is ClipStatus.FAILED else 1, 0.0, -clip.attempt)


def scene_order(key: str) -> tuple[bool, int, str, str]:
    """Sort key of scene keys: numbers by value (10 after 9), then other text by the alphabet.

    Numbers are compared as digits, since a caller's key may be longer than Python converts.
    """
    if key.isascii() and key.isdigit():
        digits = key.lstrip("0")
        return (False, len(digits), digits, key)
    return (True, 0, "", key)


def wanted_duration(scene: Mapping[str, object]) -> object:
    """Give a scene's `duration` if it can be read, else its `duration_sec`, which the application writes."""
    duration = scene.get("duration")
    return scene.get("duration_sec") if _seconds(duration) is None else duration


def duration_s(wanted: object, durations_s: Sequence[int]) -> int:
    """The shortest of a model's durations that covers `wanted`, in seconds; the longest at most.

    `wanted` is a number or text such as "5", "4s" or "6.5 seconds"; missing or unreadable gives the shortest.
    """
    seconds = _seconds(wanted) or 0
    return next((duration for duration in durations_s if duration >= seconds), durations_s[-1])


def _scene_keys(project: Project) -> list[SceneKey]:
    keys = {*_mapping(project.frames), *_mapping(project.scenes)}
    return [SceneKey(key) for key in sorted(keys, key=scene_order)]


def _seconds(wanted: object) -> float | None:
    if isinstance(wanted, str) and (match := _SECONDS.fullmatch(wanted.strip())):
        return float(match[1].replace(",", "."))
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        return None
    # Compared as it is: an integer may be too large for a float.
    return wanted if isinstance(wanted, int) or math.isfinite(wanted) else None


def _key_problem(key: str) -> str | None:
    if len(key) <= MAX_SCENE_KEY:
        return None
    return f"the scene's key has {len(key):,} characters, and {MAX_SCENE_KEY} are the most: rename it"


def _frames_problem(pair: Mapping[str, object], rules: FrameRules) -> str | None:
    urls = {name: _text(pair.get(name)) for name in ("first_frame", "last_frame")}
    missing = [name for name, url in urls.items() if not url]
    if missing:
        return f"{' and '.join(missing)} missing"
    for name, url in urls.items():
        if not fits(url):
            return f"{name} is longer than {MAX_URL_BYTES:,} bytes: upload the image, or use a shorter URL"
        if http_parts(url) is None:
            return f"{name} is not an http(s) URL"
    for name, url in urls.items():
        if problem := rules.problem(url):
            return f"{name} is {problem}"
    return None


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
