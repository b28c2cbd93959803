"""What holds of every edit and title, whatever is stored and sent."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.clips.edits import Edit, Patch, edited, moved
from service.clips.listing import search_words, title_matches
from service.clips.models import Project, SceneKey
from service.clips.planning import scene_order
from service.clips.titles import copy_title, retitled, title, title_line
from service.errors import EditRefused
from tests.builders import clip, frames, project
from tests.strategies import FRAMES, JSON, SCENES, TEXTS

PATCHES = st.builds(
    Patch,
    title=st.none() | TEXTS,
    frames=FRAMES.filter(lambda value: isinstance(value, dict)),
    scenes=SCENES.filter(lambda value: isinstance(value, dict)),
)
PROJECTS = st.builds(project, frames=FRAMES, scenes=SCENES, script=st.none() | TEXTS)
SCRIPTS = (
    TEXTS
    | st.dictionaries(st.sampled_from(["title", "logline", "x"]), JSON).map(json.dumps)
    | TEXTS.map(lambda text: f'{{"title": {text}')
)
ORDERS = st.lists(st.sampled_from(["1", "2", "3", "10", "07", "intro"]), min_size=2, unique=True).flatmap(
    lambda keys: st.tuples(st.just(keys), st.permutations(keys))
)


def after(before: Project, edit: Edit | None) -> Project:
    if edit is None:
        return before
    return replace(before, script=edit.script, frames=edit.frames, scenes=edit.scenes)


@given(PROJECTS, PATCHES)
def test_patch_applied_twice_is_the_patch_applied_once(before: Project, patch: Patch) -> None:
    try:
        once = after(before, edited(before, patch))
    except EditRefused:
        return
    assert edited(once, patch) is None


@given(PROJECTS, PATCHES)
def test_null_removes_and_what_is_not_named_stays(before: Project, patch: Patch) -> None:
    try:
        edit = edited(before, replace(patch, title=None))
    except EditRefused:
        return
    now = after(before, edit)
    for was, named, has in (
        (before.frames, patch.frames, now.frames),
        (before.scenes, patch.scenes, now.scenes),
    ):
        kept: Mapping[str, object] = was if isinstance(was, Mapping) else {}
        if not named:
            assert has == was
            continue
        assert isinstance(has, Mapping)
        assert {key: has.get(key) for key in kept.keys() - named.keys()} == {
            key: kept[key] for key in kept.keys() - named.keys()
        }
        assert not {key for key, value in named.items() if value is None} & has.keys()


@given(ORDERS)
def test_order_permutes_scenes_and_clips_and_loses_nothing(order: tuple[list[str], list[str]]) -> None:
    keys, wanted = order
    stored = {key: {"description": f"Scene {key}."} for key in keys}
    before = project(frames={key: {"first_frame": f"https://a/{key}"} for key in keys}, scenes=stored)
    edit = edited(before, Patch(order=wanted))
    if edit is None:
        assert wanted == sorted(keys, key=scene_order)
        return
    now = after(before, edit)
    assert isinstance(now.scenes, Mapping)
    assert isinstance(now.frames, Mapping)
    assert [now.scenes[edit.moves.get(SceneKey(key), key)] for key in keys] == [stored[key] for key in keys]
    assert {*edit.moves} == {*edit.moves.values()}
    assert not edit.removed
    clips = [clip(key) for key in keys]
    there = moved(clips, edit.moves)
    assert {one.task_uuid: one.scene for one in there} == {
        one.task_uuid: edit.moves[one.scene] for one in clips if one.scene in edit.moves
    }
    assert len({one.fingerprint for one in there}) == len(there)
    back = {new: old for old, new in edit.moves.items()}
    assert list(moved(there, back)) == [one for one in clips if one.scene in edit.moves]


@given(SCRIPTS, TEXTS.filter(lambda text: title_line(text) != ""))
def test_title_is_the_one_that_was_given_last(script: str, new: str) -> None:
    given_once = retitled(script, new)
    assert title(given_once, {"1": {"description": "Not this."}}) == title_line(new)
    assert retitled(given_once, new) == given_once


@given(st.none() | SCRIPTS, SCENES)
def test_title_is_one_line_of_160_characters_at_most_whatever_was_written(
    script: str | None, scenes: Any
) -> None:
    made = title(script, scenes)
    assert len(made) <= 160
    assert made == title_line(made)
    assert len(copy_title(made)) <= 160


@given(TEXTS, TEXTS)
def test_title_that_contains_the_sought_text_is_found(around: str, sought: str) -> None:
    assert title_matches(f"{around} {sought} {around}", search_words(sought))
    assert all(word and word.split() == [word] for word in search_words(sought))


@given(st.sets(st.integers(1, 30), min_size=1), st.data())
def test_scene_is_removed_by_null_in_both_columns_and_never_otherwise(
    keys: set[int], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(keys))))
    nulls: dict[str, Any] = {str(key): None for key in gone}
    before = project(frames=frames(*keys), scenes={str(key): {} for key in keys})
    in_both = edited(before, Patch(frames=nulls, scenes=nulls))
    assert {*(in_both.removed if in_both else ())} == {*nulls}
    in_one = edited(before, Patch(frames=nulls))
    assert not (in_one and in_one.removed)
