"""Which stored projects can be read: whatever a user writes into their row, reading it has an end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from service.clips.edits import MAX_SCENES

# What the service takes in one call has half of it at most, however it is written.
MAX_PROJECT_BYTES = 8 * 1024 * 1024
# Levels of arrays and objects in each other. Real projects have four; parsers give up beyond some hundreds.
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """The parsed columns of a project by their names: none if one can't be read, which `problem` says."""

    values: Mapping[str, object]
    problem: str = ""


def read_columns(texts: Mapping[str, str | None]) -> Columns:
    """Parse columns of JSON. Never raises, whatever they hold."""
    values: dict[str, object] = {}
    for name, text in texts.items():
        try:
            values[name] = None if text is None else json.loads(text)
        except RecursionError:
            return Columns({}, _too_deep(name))
        except ValueError:
            return Columns({}, f"its column {name} has a number of more digits than can be read")
        if nested_too_deep(values[name]):
            return Columns({}, _too_deep(name))
    scenes = {key for name in ("frames", "scenes") for key in _keys(values.get(name))}
    if len(scenes) > MAX_SCENES:
        return Columns({}, f"it has {len(scenes)} scenes, and {MAX_SCENES} are the most")
    return Columns(values)


def size_problem(size: int | None) -> str:
    """Say that a project has too many bytes, "" if it has not; None is too many to be counted."""
    if size is None:
        return "it has numbers beyond 1e300, or more bytes than can be counted"
    if size <= MAX_PROJECT_BYTES:
        return ""
    return f"its texts, scenes, frames and clips have {size:,} bytes, and {MAX_PROJECT_BYTES:,} are the most"


def nested_too_deep(value: object) -> bool:
    """Whether arrays and objects are in each other more than `MAX_DEPTH` levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _keys(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _too_deep(name: str) -> str:
    return f"its column {name} is nested more than {MAX_DEPTH} levels deep"
