"""From a project and a patch of it to what is stored, and what becomes of its clips."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from service.clips.fingerprint import fingerprint
from service.clips.models import Clip, Project, SceneKey
from service.clips.planning import MAX_SCENE_KEY, scene_order
from service.clips.prompts import length_problem
from service.clips.titles import retitled, title_line
from service.errors import EditRefused

# Each scene can cost dollars: more than this is a mistake.
MAX_SCENES = 10_000
# What a project has when it is stored in one call; patches must not pile up beyond it.
_MAX_BYTES = 4 * 1024 * 1024
# Enough for a person to see what was meant.
_MOST_LISTED = 20
# Which is written as it is read: "07" is not.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Patch:
    """What a person changes in a project; `frames` and `scenes` are merge patches (RFC 7396) of the columns.

    `order` has all of the project's scene keys, as they are after that, in another order; None leaves it.
    """

    title: str | None = None
    frames: Mapping[str, object] = field(default_factory=dict)
    scenes: Mapping[str, object] = field(default_factory=dict)
    order: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A project's columns after a patch, and what becomes of its scenes.

    `moves` has the new key of each scene that gets another one, by its old key; `removed` has the keys of
    scenes that the patch takes away.
    """

    script: str | None
    frames: object
    scenes: object
    moves: Mapping[SceneKey, SceneKey] = field(default_factory=dict)
    removed: Collection[SceneKey] = ()


def edited(project: Project, patch: Patch) -> Edit | None:
    """Apply a patch; None if it changes nothing. Raises EditRefused, for what can't be stored.

    What the patch does not name stays as it is. An order leaves the project's keys where they are: the scene
    at its place i takes the i-th of them, by number. A `scene_id` that was the scene's key follows it.
    """
    script = project.script if patch.title is None else retitled(project.script, _line(patch.title))
    frames = _merged(project.frames, patch.frames) if patch.frames else project.frames
    scenes = _merged(project.scenes, patch.scenes) if patch.scenes else project.scenes
    _refuse_unfit(project.scenes, scenes)
    keys = _keys(frames, scenes)
    moves = {} if patch.order is None else _moves(patch.order, keys)
    named = _keys(project.frames, project.scenes) | patch.frames.keys() | patch.scenes.keys()
    edit = Edit(
        script,
        _rearranged(frames, moves),
        _renumbered(_rearranged(scenes, moves), moves),
        moves,
        {SceneKey(key) for key in named - keys},
    )
    _refuse_growth(project, edit)
    if (edit.script, edit.frames, edit.scenes) == (project.script, project.frames, project.scenes):
        return edit if moves else None
    return edit


def moved(clips: Iterable[Clip], moves: Mapping[SceneKey, SceneKey]) -> Sequence[Clip]:
    """Give the clips of scenes that move, with the scene's new key and the fingerprint that goes with it.

    So a plan finds them paid for. All of a scene's clips have to be among them: where only some of two
    scenes changed places, two could get the same fingerprint.
    """
    return [_at(clip, moves[clip.scene]) for clip in clips if clip.scene in moves]


def only_moved(before: Clip, after: Clip) -> bool:
    """Whether nothing has happened to a clip but that its scene got another key."""
    here = replace(before, request=after.request, fingerprint=after.fingerprint, version=after.version)
    return here == after and before.scene != after.scene


def _at(clip: Clip, scene: SceneKey) -> Clip:
    request = replace(clip.request, scene=scene)
    # A fingerprint of another making, such as an earlier release's, is no plan's any more.
    own = clip.fingerprint == fingerprint(clip.project_id, clip.request)
    key = fingerprint(clip.project_id, request) if own else clip.fingerprint
    return replace(clip, request=request, fingerprint=key)


def _line(title: str) -> str:
    line = title_line(title)
    if not line:
        raise EditRefused("A project's title can't be blank. Leave title out to keep the one that it has.")
    if line != " ".join(title.split()):
        raise EditRefused(f"A title has at most {len(line)} characters. Shorten it and call again.")
    return line


def _merged(target: object, patch: Mapping[str, object]) -> Mapping[str, object]:
    """Apply a merge patch as RFC 7396 says: null removes a member, an object is merged, all else replaces."""
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = _merged(merged.get(name), value)
        else:
            merged[name] = value
    return merged


def _refuse_unfit(before: object, after: object) -> None:
    # What the web application has stored before holds no other edit up.
    known = before if isinstance(before, Mapping) else {}
    for key, scene in after.items() if isinstance(after, Mapping) else ():
        if not isinstance(scene, Mapping) or scene == known.get(key):
            continue
        problem = length_problem(scene)
        if problem and problem != _known_problem(known.get(key)):
            raise EditRefused(f"Scene {key}: {problem}, then call again.")


def _known_problem(scene: object) -> str:
    return length_problem(scene) if isinstance(scene, Mapping) else ""


def _keys(frames: object, scenes: object) -> set[str]:
    return {key for column in (frames, scenes) if isinstance(column, Mapping) for key in column}


def _moves(order: Sequence[str], keys: Collection[str]) -> Mapping[SceneKey, SceneKey]:
    if sorted(order) != sorted(keys):
        raise EditRefused(
            "order must name each of the project's scenes once "
            f"({', '.join(_listed(sorted(keys, key=scene_order))) or 'none'}). Correct it and call again."
        )
    places = zip(order, sorted(keys, key=scene_order), strict=True)
    moves = {SceneKey(old): SceneKey(new) for old, new in places if old != new}
    if any(len(new) > MAX_SCENE_KEY for new in moves.values()):
        raise EditRefused(
            f"A scene's key has more than {MAX_SCENE_KEY} characters, so that no clip can move there. "
            "Remove that scene, or rename its key, and call again."
        )
    return moves


def _listed(keys: Sequence[str]) -> Sequence[str]:
    more = len(keys) - _MOST_LISTED
    return keys if more <= 0 else [*keys[:_MOST_LISTED], f"and {more} more"]


def _rearranged(column: object, moves: Mapping[SceneKey, SceneKey]) -> object:
    if not moves or not isinstance(column, Mapping):
        return column
    at_new_keys = {moves.get(key, key): value for key, value in column.items()}
    return {key: at_new_keys[key] for key in sorted(at_new_keys, key=scene_order)}


def _renumbered(scenes: object, moves: Mapping[SceneKey, SceneKey]) -> object:
    if not moves or not isinstance(scenes, Mapping):
        return scenes
    old_keys: Mapping[str, str] = {new: old for old, new in moves.items()}
    return {key: _with_id(scene, old_keys.get(key, key), key) for key, scene in scenes.items()}


def _with_id(scene: object, old: str, new: str) -> object:
    if not isinstance(scene, Mapping) or str(told := scene.get("scene_id")) != old:
        return scene
    number = isinstance(told, int) and _NUMBER.fullmatch(new)
    return {**scene, "scene_id": int(new) if number else new}


def _refuse_growth(before: Project, edit: Edit) -> None:
    """Refuse what is too much, unless the web application has stored as much before."""
    scenes = len(_keys(edit.frames, edit.scenes))
    if scenes > max(MAX_SCENES, len(_keys(before.frames, before.scenes))):
        raise EditRefused(
            f"A project has at most {MAX_SCENES} scenes. Remove some, or begin another project."
        )
    if (size := _size(edit)) > _MAX_BYTES and size > _size(before):
        raise EditRefused("The project would be larger than 4 MiB. Shorten its texts, or begin another one.")


def _size(columns: Project | Edit) -> int:
    stored = json.dumps([columns.script, columns.frames, columns.scenes], ensure_ascii=False)
    return len(stored.encode())
