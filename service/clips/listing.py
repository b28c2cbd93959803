"""What a list of projects can be asked for: words of their titles, how they stand, one page after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.clips.models import ProjectId, ProjectOverview


class State(StrEnum):
    """How a whole project stands."""

    GENERATING = "generating"
    """At least one clip may still come."""
    FAILED = "failed"
    """Nothing is under way, and at least one clip failed."""
    DONE = "done"
    """Every scene has its video."""
    IDLE = "idle"
    """Nothing is under way, nothing failed, and not every scene has its video."""
    DELETED = "deleted"
    """It was deleted, and can be restored; however its clips stand."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A project's place in the list, after which the next page begins."""

    created_at: datetime
    id: ProjectId


def state_of(overview: ProjectOverview) -> State:
    """Say how a project stands, by what `projects.clips` shows of it unless it was deleted.

    That column is the ledger's projection, or what was there before the ledger had a clip of the project:
    then these clips are all that is known, and nobody knows their scenes.

    The stores keep the state in a column of their own, by this rule in SQL (`clip_service.project_state`, the
    view `project_states`), so that projects are found by it; a contract test compares them.
    """
    if overview.project.deleted_at is not None:
        return State.DELETED
    shown = overview.project.clips.values()
    if "pending" in shown:
        return State.GENERATING
    if "failed" in shown:
        return State.FAILED
    known = overview.completed + overview.pending + overview.failed > 0
    wanted = overview.scenes if known else len(shown)
    return State.DONE if 0 < len(shown) == wanted else State.IDLE


def search_words(text: str) -> Sequence[str]:
    """Give the words that a title must have, as `title_matches` takes them."""
    return list(dict.fromkeys(_folded(text).split()))


def title_matches(title: str, words: Sequence[str]) -> bool:
    """Whether a title has all these words, anywhere in it and in any case.

    Supabase's list follows the same rule in SQL (`clip_service.folded`); a contract test compares the two.
    """
    folded = _folded(title)
    return all(word in folded for word in words)


def _folded(text: str) -> str:
    # Postgres knows neither the sigma that ends a word nor the dot that a Turkish capital i leaves behind.
    return text.lower().replace("\u03c2", "\u03c3").replace("\u0307", "")
