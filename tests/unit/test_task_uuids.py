import secrets
import uuid
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.models import TaskUUID
from service.clips.task_uuids import LEAST_BITS, filled

LOWEST = TaskUUID("00000000-0000-4000-8000-000000000000")
HIGHEST = TaskUUID("ffffffff-ffff-4fff-bfff-ffffffffffff")


def free() -> TaskUUID:
    return TaskUUID(str(uuid.uuid4()))


def in_order(count: int) -> list[TaskUUID]:
    return sorted(free() for _ in range(count))


def assert_valid(task_uuids: list[TaskUUID]) -> None:
    assert len(set(task_uuids)) == len(task_uuids)
    for task_uuid in task_uuids:
        read = uuid.UUID(task_uuid)
        assert (str(read), read.version, read.variant) == (task_uuid, 4, uuid.RFC_4122)


@given(st.lists(st.booleans(), max_size=40), st.integers())
def test_missing_ones_sort_between_their_neighbours_wherever_they_are_missing(
    missing: list[bool], seed: int
) -> None:
    random = Random(seed)
    before = sorted(TaskUUID(str(uuid.UUID(int=random.getrandbits(128), version=4))) for _ in missing)
    standing = [None if gone else one for gone, one in zip(missing, before, strict=True)]
    task_uuids = filled(standing, random.randrange)
    assert [one for one, known in zip(task_uuids, standing, strict=True) if known is not None] == [
        one for one in standing if one is not None
    ]
    assert task_uuids == sorted(task_uuids)
    assert_valid(task_uuids)


@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_first_ones_of_a_project_are_any_in_order(count: int) -> None:
    task_uuids = filled([None] * count, secrets.randbelow)
    assert len(task_uuids) == count
    assert task_uuids == sorted(task_uuids)
    assert_valid(task_uuids)


def test_first_one_is_drawn_from_all_uuids_of_version_4() -> None:
    assert filled([None], lambda _: 0) == [LOWEST]
    assert filled([None], lambda below: below - 1) == [HIGHEST]


def test_scene_that_is_made_again_and_again_keeps_its_place() -> None:
    standing: list[TaskUUID | None] = [*in_order(3)]
    for _ in range(200):
        standing[1] = None
        standing = [*filled(standing, secrets.randbelow)]
        assert standing == sorted(one for one in standing if one)


def test_some_thirty_scenes_may_be_added_one_at_a_time_at_the_same_end() -> None:
    task_uuids = filled([None], secrets.randbelow)
    for _ in range(30):
        task_uuids = filled([*task_uuids, None], Random(7).randrange)
    assert task_uuids == sorted(task_uuids)
    assert_valid(task_uuids)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("too_few", "ordered"), [(0, True), (1, False), (2**60, False)])
def test_new_one_is_random_in_64_bits_at_least_even_where_its_order_is_lost(
    count: int, too_few: int, *, ordered: bool
) -> None:
    start = uuid.UUID("12345678-1234-4123-8000-000000000000").int
    low = TaskUUID(str(uuid.UUID(int=start + too_few)))
    # The two bits of the variant are fixed: between a UUID and the one 2**64 after it are 2**62 of them.
    high = TaskUUID(str(uuid.UUID(int=start + (4 * count << 64) + 1)))
    sizes: list[int] = []

    def draw(below: int) -> int:
        sizes.append(below)
        return below - 1 - len(sizes)

    task_uuids = filled([low, *[None] * count, high], draw)
    assert_valid(task_uuids)
    assert min(sizes) >= count * 2**LEAST_BITS
    assert (task_uuids == sorted(task_uuids)) is ordered


@pytest.mark.parametrize("standing", [(HIGHEST, None, LOWEST), (LOWEST, None, LOWEST)])
def test_between_neighbours_out_of_order_any_is_drawn(standing: tuple[TaskUUID | None, ...]) -> None:
    before, made, after = filled(standing, secrets.randbelow)
    assert (before, after) == (standing[0], standing[2])
    assert uuid.UUID(made).version == 4


@pytest.mark.parametrize(
    "strange",
    ["a-task", "", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", HIGHEST.upper(), HIGHEST.replace("-", "")],
)
def test_what_is_no_uuid_of_version_4_stays_and_is_no_neighbour(strange: str) -> None:
    one, two = in_order(2)
    task_uuids = filled([one, TaskUUID(strange), None, two], secrets.randbelow)
    assert task_uuids[1] == strange
    assert one < task_uuids[2] < two


def test_equal_draws_are_drawn_again() -> None:
    drawn = iter([5, 5, 3])
    task_uuids = filled([None, None], lambda _: next(drawn))
    assert all(one < other for one, other in pairwise(task_uuids))
