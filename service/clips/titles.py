import json
import re
from collections.abc import Mapping

from service.clips.planning import scene_order

# Characters: a line of a list, not a script.
_MAX_TITLE = 160
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
