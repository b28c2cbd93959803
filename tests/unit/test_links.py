from datetime import timedelta

from service.clips.links import link_expires_at
from tests.builders import NOON, clip, failed, succeeded


def test_link_ends_after_the_time_that_was_asked_for_else_after_30_days() -> None:
    done = succeeded(clip(sends=1), at=NOON)
    assert link_expires_at(done, 3600) == NOON + timedelta(hours=1)
    assert link_expires_at(done, None) == NOON + timedelta(days=30)


def test_clip_without_a_video_has_no_link_that_could_end() -> None:
    assert link_expires_at(clip(), 3600) is None
    assert link_expires_at(failed(clip()), None) is None
