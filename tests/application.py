"""What the web application decides from an answer: its few lines, written anew from what is known of them.

It reads `success`, `total_clips`, `completed`, `pending` and `all_complete`, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """What a person sees: `words`, empty for nothing at all. `polls`: it asks again after 15 s."""

    words: str
    polls: bool = False


RED_TOAST = Said("Clips could not be generated.")
SILENCE = Said("")


def all_made(clips: int) -> Said:
    return Said(f"All {clips} clips have been generated successfully.")


def under_way(completed: int, clips: int) -> Said:
    return Said(f"{completed} of {clips} clips", polls=True)


def after_generate(status: int, answer: Mapping[str, Any]) -> Said:
    """Read the answer of `generate-clips`."""
    if not _is_ok(status):
        return RED_TOAST
    if answer["all_complete"]:
        return all_made(answer["total_clips"])
    return under_way(answer["completed"], answer["total_clips"])


def after_check(status: int, answer: Mapping[str, Any]) -> Said:
    """Read the answer of `check-clips-status`, whose errors only its console shows."""
    if not _is_ok(status) or not answer["success"]:
        return SILENCE
    if answer["pending"] == 0:
        return all_made(answer["total_clips"])
    return under_way(answer["completed"], answer["total_clips"])


def _is_ok(status: int) -> bool:
    return 200 <= status < 300
