from datetime import datetime, timedelta

import pytest

from service.clips.links import link_expires_at, link_gone
from tests.builders import NOON, clip, failed, succeeded


def test_link_ends_after_the_time_that_was_asked_for_else_after_30_days() -> None:
    done = succeeded(clip(sends=1), at=NOON)
    assert link_expires_at(done, 3600) == NOON + timedelta(hours=1)
    assert link_expires_at(done, None) == NOON + timedelta(days=30)


def test_clip_without_a_video_has_no_link_that_could_end() -> None:
    assert link_expires_at(clip(), 3600) is None
    assert link_expires_at(failed(clip()), None) is None


@pytest.mark.parametrize(
    ("expires_at", "told"),
    [
        (NOON - timedelta(days=1), "The link to the video of scene 1 ended on 1 Jan 2026."),
        (NOON + timedelta(days=1), "no longer at its link, which was expected to last until 3 Jan 2026."),
        (None, "The video of scene 1 is no longer at its link."),
    ],
)
def test_dead_link_says_since_when_and_what_helps(expires_at: datetime | None, told: str) -> None:
    sentence = link_gone("1", expires_at, NOON)
    assert told in sentence
    assert sentence.endswith("that costs again.")
