from dataclasses import replace
from datetime import timedelta

from service.clips.duplicates import duplicated_clips
from service.clips.fingerprint import fingerprint
from service.clips.links import link_expires_at
from service.clips.models import Clip, ProjectId, SettledBy, TaskUUID
from tests.builders import NOON, clip, failed, succeeded

COPY = ProjectId("0b0e7a52-6a53-4f0e-9d8c-0000000000c0")
SECOND_COPY = ProjectId("0b0e7a52-6a53-4f0e-9d8c-0000000000c1")
MADE = NOON + timedelta(seconds=42)
ADOPTED = replace(succeeded(clip()), cost_usd=None, reopened_at=NOON, settled_by=SettledBy.CHECK)


def lowest(_below: int) -> int:
    return 0


def made(scene: str = "1", *, attempt: int = 1) -> Clip:
    return succeeded(clip(scene, sends=1, attempt=attempt), at=MADE)


def duplicated(*current: Clip) -> list[Clip]:
    numbers = iter(range(1, 100))
    return list(duplicated_clips(COPY, current, lambda below: next(numbers) * (below // 100)))


def test_finished_clips_come_along_as_what_the_duplicate_asks_for_and_cost_nothing() -> None:
    original = made(attempt=3)
    (copy,) = duplicated(original)
    assert (copy.project_id, copy.request) == (COPY, original.request)
    assert copy.fingerprint == fingerprint(COPY, original.request)
    assert (copy.video_url, copy.cost_usd, copy.sends, copy.attempt) == (original.video_url, 0, 0, 1)
    assert copy.task_uuid != original.task_uuid == copy.copied_from
    assert copy.copied
    assert not copy.adopted


def test_what_failed_or_may_still_come_is_left_behind() -> None:
    assert [copy.scene for copy in duplicated(clip("1"), failed(clip("2")), made("3"))] == ["3"]


def test_task_uuids_of_a_duplicate_sort_as_its_scenes_do() -> None:
    copies = duplicated(made("10"), made("9"), made("intro"))
    assert [copy.scene for copy in copies] == ["9", "10", "intro"]
    assert sorted(copy.task_uuid for copy in copies) == [copy.task_uuid for copy in copies]


def test_link_of_a_copied_clip_ends_when_that_of_its_original_does() -> None:
    original = made()
    (copy,) = duplicated(original)
    for ttl_seconds in (None, 3600):
        end = link_expires_at(copy, ttl_seconds)
        assert end is not None
        assert end == link_expires_at(original, ttl_seconds)


def test_copy_of_a_copy_names_the_task_that_was_paid_for() -> None:
    (copy,) = duplicated(made())
    (again,) = duplicated_clips(SECOND_COPY, [copy], lowest)
    assert again.copied_from == copy.copied_from
    assert again.task_uuid not in (copy.task_uuid, copy.copied_from)


def test_copy_of_an_adopted_clip_is_adopted_so_that_no_end_of_its_link_is_promised() -> None:
    (copy,) = duplicated(ADOPTED)
    assert copy.adopted
    assert (copy.copied_from, copy.cost_usd, link_expires_at(copy, None)) == (None, None, None)


def test_project_without_a_finished_clip_has_none_to_give() -> None:
    assert duplicated() == duplicated(replace(clip(), task_uuid=TaskUUID("1"))) == []
