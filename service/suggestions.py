"""Finds the name that a misspelt one stands for."""

from collections.abc import Iterable
from difflib import SequenceMatcher

# The share of a name that must be the same: one letter of five may be wrong ("modle"), or be missing.
_CLOSE = 0.75


def meant(name: str, known: Iterable[str], cutoff: float = _CLOSE) -> str:
    """Give the one of the `known` names that comes closest; "" where none comes close."""
    likeness = {one: _likeness(name, one) for one in known}
    closest = max(likeness, key=lambda one: likeness[one], default="")
    return closest if likeness.get(closest, 0) >= cutoff else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask for the known name, in a sentence to stand behind another one; "" where none comes close."""
    close = meant(name, known)
    return f" Did you mean {close}?" if close else ""


def _likeness(one: str, other: str) -> float:
    # Which letters are found alike depends on the order: swapped ones ("sences") only in one of the two.
    return max(SequenceMatcher(None, one, other).ratio(), SequenceMatcher(None, other, one).ratio())
