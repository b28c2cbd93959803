"""Who calls, and which projects answer to them."""

from dataclasses import dataclass
from typing import assert_never

from service.clips.models import UserId


@dataclass(frozen=True, slots=True)
class Operator:
    """The person who runs the service: every project answers to them."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the web application."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Somebody who has not said who they are."""


Caller = Operator | User | Anonymous


def answers_to(owner: UserId | None, caller: Caller) -> bool:
    """Whether a project with this owner answers to this caller; one without an owner answers to all."""
    match caller:
        case Operator():
            return True
        case User(user_id):
            return owner in (None, user_id)
        case Anonymous():
            return owner is None
        case _:
            assert_never(caller)
