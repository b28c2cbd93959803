"""Who calls, and which projects answer to them."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from service.clips.models import UserId


@dataclass(frozen=True, slots=True)
class Operator:
    """The person who runs the service: every project answers to them."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the web application, signed in `until` then, in seconds since 1970 (UTC)."""

    user_id: UserId
    # Whoever signs in again is still the same person.
    until: float = field(default=math.inf, compare=False)


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


def seconds_left(caller: Caller, now: datetime) -> float | None:
    """Give how long the caller stays who they are: not above 0 when that is over, None if it has no end."""
    if isinstance(caller, User) and math.isfinite(caller.until):
        return caller.until - now.timestamp()
    return None
