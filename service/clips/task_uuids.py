"""Random task UUIDs that sort as the scenes of their clips do.

The web application shows a project's clips in the order of their UUIDs, since `projects.clips` has no other.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from uuid import UUID

from service.clips.models import TaskUUID

Draw = Callable[[int], int]
"""Gives a random number from 0 to below its argument."""

# RFC 9562, section 5.4: of 128 bits six are fixed, four for the version and two for the variant.
_RANDOM_BITS = 122
_LOW_BITS, _MIDDLE_BITS = 62, 12
_VERSION, _VARIANT = 4, 0b10
# A number drawn from so many is taken twice as good as never, even for thousands of attempts at one scene.
LEAST_BITS = 64


def filled(standing: Sequence[TaskUUID | None], draw: Draw) -> list[TaskUUID]:
    """Draw a UUID (version 4) for each None, so that it sorts between those that stand before and after it.

    `standing` are the task UUIDs of a project's clips in scene order; they stay as they are. A text that is
    no UUID of version 4 is passed over. Each new one is random in at least `LEAST_BITS` bits: where its
    neighbours leave less room, or are out of order themselves, it is drawn from all UUIDs and sorts
    anywhere. There is room for any number of attempts at the same scenes, and for some thirty scenes that
    are added one at a time after the last.
    """
    filled_in: list[TaskUUID] = []
    below = -1
    for is_missing, run in groupby(enumerate(standing), key=lambda place: place[1] is None):
        places = list(run)
        if not is_missing:
            known = [task_uuid for _, task_uuid in places if task_uuid is not None]
            filled_in += known
            below = next(
                (rank for task_uuid in reversed(known) if (rank := _rank(task_uuid)) is not None), below
            )
            continue
        after = (_rank(task_uuid) for task_uuid in standing[places[-1][0] + 1 :] if task_uuid is not None)
        above = next((rank for rank in after if rank is not None), 1 << _RANDOM_BITS)
        filled_in += _drawn(len(places), below, above, draw)
    return filled_in


def _drawn(count: int, below: int, above: int, draw: Draw) -> list[TaskUUID]:
    """Draw so many between two ranks, in order; anywhere, if there is not room enough."""
    if above - below - 1 < count << LEAST_BITS:
        below, above = -1, 1 << _RANDOM_BITS
    ranks: set[int] = set()
    while len(ranks) < count:
        ranks.add(below + 1 + draw(above - below - 1))
    return [_task_uuid(rank) for rank in sorted(ranks)]


def _rank(task_uuid: TaskUUID) -> int | None:
    """Give the random bits of a UUID of version 4, which sort as its text does; None for any other text."""
    try:
        read = UUID(task_uuid)
    except ValueError:
        return None
    if str(read) != task_uuid or read.version != _VERSION:
        return None
    high, middle = read.int >> 80, read.int >> 64 & ((1 << _MIDDLE_BITS) - 1)
    low = read.int & ((1 << _LOW_BITS) - 1)
    return (high << _MIDDLE_BITS | middle) << _LOW_BITS | low


def _task_uuid(rank: int) -> TaskUUID:
    high, middle = rank >> (_MIDDLE_BITS + _LOW_BITS), rank >> _LOW_BITS & ((1 << _MIDDLE_BITS) - 1)
    low = rank & ((1 << _LOW_BITS) - 1)
    whole = high << 80 | _VERSION << 76 | middle << 64 | _VARIANT << 62 | low
    return TaskUUID(str(UUID(int=whole)))
