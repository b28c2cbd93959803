import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.titles import copy_title, retitled, title, title_line

SCENES = {
    "10": {"description": "Last."},
    "2": {"description": "A boat leaves.", "visual_action": "It leaves."},
}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('{"title": "A short story", "logline": "Two meet."}', "A short story"),
        ('{"title": "", "logline": "Two meet."}', "Two meet."),
        ('{"title": 1984, "logline": "Two meet."}', "Two meet."),
        ('{"scenes": {"1": {"title": "Not this"}}}', "A boat leaves."),
        ("Once upon\n  a time", "Once upon a time"),
        ('{"title": "Never closed"', '{"title": "Never closed"'),
        ('["An array"]', '["An array"]'),
        ("  ", "A boat leaves."),
        (None, "A boat leaves."),
    ],
)
def test_title_is_the_scripts_else_the_first_scenes(script: str | None, expected: str) -> None:
    assert title(script, SCENES) == expected


def test_first_scenes_action_is_the_title_where_it_has_no_description() -> None:
    assert title(None, {"1": {"visual_action": "It leaves."}, "2": {"description": "Later."}}) == "It leaves."


@pytest.mark.parametrize("scenes", [None, [], {}, "text", {"1": None}, {"1": {"description": 7}}])
def test_project_without_any_text_has_an_empty_title(scenes: Any) -> None:
    assert title("{}", scenes) == ""


def test_deep_script_is_no_error() -> None:
    deep = '{"title": ' + "[" * 100_000
    assert title(deep, None) == deep[:160]


@given(st.text() | st.text().map(lambda text: f'{{"title": {text}'), st.dictionaries(st.text(), st.text()))
def test_title_is_one_short_line(script: str, scenes: Any) -> None:
    made = title(script, scenes)
    assert made == " ".join(made.split()) or len(made) == 160
    assert len(made) <= 160


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        (None, None),
        ("", None),
        ("Harbour at dawn", None),
        ("{Not an object}", None),
        ('{"title": "Old", "logline": "L", "scenes": 7}', {"logline": "L", "scenes": 7}),
        ('{"logline": "L"}', {"logline": "L"}),
        ("Harbour\n\nA boat leaves.", {"script": "Harbour\n\nA boat leaves."}),
        ("x" * 161, {"script": "x" * 161}),
        ('{"pi": 1e999}', {"script": '{"pi": 1e999}'}),
    ],
)
@pytest.mark.parametrize("new", ["New", "Ünïcode ☃", '{"title": "trap"}', "  of two\n lines "])
def test_retitled_script_has_the_new_title_and_keeps_all_that_was_no_title(
    script: str | None, kept: dict[str, object] | None, new: str
) -> None:
    after = retitled(script, new)
    assert title(after, {"1": {"description": "Not this."}}) == title_line(new)
    if kept is not None:
        assert {name: value for name, value in json.loads(after).items() if name != "title"} == kept


def test_duplicates_title_says_so_and_is_never_cut_off() -> None:
    assert copy_title("Harbour at dawn") == "Harbour at dawn (copy)"
    assert copy_title("") == ""
    assert copy_title("x" * 160) == title_line(copy_title("x" * 160)) == "x" * 153 + " (copy)"
