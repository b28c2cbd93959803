import json
import re
from collections.abc import Mapping

from service.clips.planning import scene_order

# Characters: a line of a list, not a script.
_MAX_TITLE = 160
_COPY = " (copy)"
# No database stores a NUL as jsonb, so that the rule could not be the same in each store.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def title(script: str | None, scenes: object) -> str:
    """Give a project's title, a line of at most 160 characters; it can be empty.

    Real projects have the text of a JSON object as their script: then it is the object's `title`, else its
    `logline`. Any other script is a text that begins with the title. Without either it is the `description`
    of the first scene, else its `visual_action`. Only texts count that are not blank.

    Supabase keeps titles by the same rule in SQL (`clip_service.title` and `title_line`), where the web
    application edits projects without the service; a contract test compares the two.
    """
    text = (script or "").strip()
    told = _object(text)
    first = _first_scene(scenes)
    candidates = (
        *((text,) if told is None else (told.get("title"), told.get("logline"))),
        first.get("description"),
        first.get("visual_action"),
    )
    return next((line for candidate in candidates if (line := title_line(candidate))), "")


def title_line(text: object) -> str:
    """Make one line of a text, of at most 160 characters; "" of anything else."""
    return " ".join(text.split())[:_MAX_TITLE].rstrip() if isinstance(text, str) else ""


def retitled(script: str | None, new: str) -> str:
    """Give the script of a project whose title is to be `new`, which is not blank.

    The text of a JSON object keeps all but its `title`. A text of one line is nothing but a title; a longer
    one is kept as the `script` of an object.
    """
    line, text = title_line(new), (script or "").strip()
    told = _members(text)
    if told is not None:
        return _written({**told, "title": line})
    if text != title_line(text) or _object(text) is not None:
        return _written({"title": line, "script": text})
    return line if _object(line) is None else _written({"title": line})


def copy_title(original: str) -> str:
    """Give the title of a duplicate of the project with this title; "" where that has none."""
    return f"{original[: _MAX_TITLE - len(_COPY)].rstrip()}{_COPY}" if original else ""


def _members(text: str) -> Mapping[str, object] | None:
    """Read a text as a JSON object whose numbers can be written again; None if it is none."""
    if _object(text) is None:
        return None
    try:
        members: dict[str, object] = json.loads(text)
        _written(members)
    except ValueError:
        return None
    return members


def _written(members: Mapping[str, object]) -> str:
    return json.dumps(members, ensure_ascii=False, allow_nan=False)


def _object(text: str) -> Mapping[str, object] | None:
    """Read a text as a JSON object as strictly as Postgres does; None if it is none."""
    if not text.startswith("{") or _NUL.search(text):
        return None
    try:
        found: dict[str, object] = json.loads(text, parse_constant=_refuse, parse_int=float)
        # A lone half of a surrogate pair is no text.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _first_scene(scenes: object) -> Mapping[str, object]:
    if not isinstance(scenes, Mapping) or not scenes:
        return {}
    first = scenes[min(scenes, key=scene_order)]
    return first if isinstance(first, Mapping) else {}
