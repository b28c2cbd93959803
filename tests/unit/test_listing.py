import base64
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.listing import Cursor, State, search_words, state_of, title_matches
from service.clips.models import ProjectId, ProjectOverview
from service.web.cursors import read_cursor, write_cursor
from tests.builders import VIDEO_URL, project


def overview(clips: dict[str, str], **counts: int) -> ProjectOverview:
    empty = {"scenes": 0, "completed": 0, "pending": 0, "failed": 0}
    return ProjectOverview(
        **{**empty, **counts}, project=project(clips=clips), title="", thumbnails=[], cost_usd=0
    )


@pytest.mark.parametrize(
    ("shown", "scenes", "expected"),
    [
        ([], 0, State.IDLE),
        ([], 3, State.IDLE),
        (["pending", "failed", VIDEO_URL], 3, State.GENERATING),
        (["failed", VIDEO_URL], 3, State.FAILED),
        ([VIDEO_URL, VIDEO_URL], 3, State.IDLE),
        ([VIDEO_URL, VIDEO_URL], 2, State.DONE),
    ],
)
def test_state_is_what_stands_out_of_a_projects_clips(shown: list[str], scenes: int, expected: State) -> None:
    counts = {
        "completed": shown.count(VIDEO_URL),
        "pending": shown.count("pending"),
        "failed": shown.count("failed"),
    }
    clips = {str(number): one for number, one in enumerate(shown)}
    assert state_of(overview(clips, scenes=scenes, **counts)) is expected


@pytest.mark.parametrize(
    ("clips", "expected"),
    [
        ({"a": VIDEO_URL}, State.DONE),
        ({"a": VIDEO_URL, "b": "failed"}, State.FAILED),
        ({"a": "pending"}, State.GENERATING),
    ],
)
def test_clips_of_before_the_ledger_are_all_that_their_project_is_judged_by(
    clips: dict[str, str], expected: State
) -> None:
    assert state_of(overview(clips, scenes=5)) is expected


@pytest.mark.parametrize("sought", ["", "  ", "red", "SCARF the", "ed sc", "r"])
def test_title_with_every_word_matches_in_any_case_and_order(sought: str) -> None:
    assert title_matches("The Red Scarf", search_words(sought))


@pytest.mark.parametrize("sought", ["zebra", "red zebra", "redscarf"])
def test_title_that_lacks_a_word_does_not_match(sought: str) -> None:
    assert not title_matches("The Red Scarf", search_words(sought))


@given(st.text())
def test_title_is_found_by_itself(title: str) -> None:
    assert title_matches(title, search_words(title))


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_every_cursor_comes_back_as_it_was_written(created_at: datetime, project_id: UUID) -> None:
    cursor = Cursor(created_at, ProjectId(str(project_id)))
    assert read_cursor(write_cursor(cursor)) == cursor


@given(st.text() | st.binary().map(lambda told: base64.urlsafe_b64encode(told).decode().rstrip("=")))
def test_any_text_is_a_cursor_or_refused_as_none(text: str) -> None:
    with suppress(ValueError):
        assert read_cursor(text).created_at.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ü",
        "AAAA",
        "////",
        "MjAyNi0wMS0wMg",
        "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCBh",
        None,
        7,
        "9" * 5000,
    ],
)
def test_cursor_that_this_service_has_not_written_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="next of an answer"):
        read_cursor(text)
