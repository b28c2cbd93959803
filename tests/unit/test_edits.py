"""What a patch makes of a project."""

import json
from typing import Any

import pytest

from service.clips.edits import Edit, Patch, edited, moved
from service.clips.fingerprint import fingerprint
from service.clips.models import Fingerprint, SceneKey
from service.clips.titles import title
from service.errors import EditRefused
from tests.builders import PROJECT_ID, clip, frames, project

SCENES: dict[str, Any] = {
    "1": {"scene_id": 1, "visual_action": "A boat leaves.", "continuity": {"world_rules": "Calm."}},
    "2": {"scene_id": 2, "description": "It sails."},
    "10": {"scene_id": 10, "description": "It lands."},
}


def after(patch: Patch, **columns: Any) -> Edit:
    edit = edited(project(**{"frames": frames(1, 2, 10), "scenes": SCENES, **columns}), patch)
    assert edit is not None
    return edit


def test_patch_changes_what_it_names_and_nothing_else() -> None:
    edit = after(
        Patch(scenes={"2": {"description": "It sinks."}}, frames={"1": {"first_frame": "https://a/1"}})
    )
    assert edit.scenes == {**SCENES, "2": {"scene_id": 2, "description": "It sinks."}}
    last = frames(1)["1"]["last_frame"]
    assert edit.frames == {**frames(2, 10), "1": {"first_frame": "https://a/1", "last_frame": last}}
    assert (edit.moves, edit.removed) == ({}, set())


def test_null_takes_away_a_member_at_any_depth() -> None:
    edit = after(Patch(scenes={"1": {"continuity": {"world_rules": None}, "visual_action": None}}))
    assert edit.scenes == {**SCENES, "1": {"scene_id": 1, "continuity": {}}}


@pytest.mark.parametrize("stored", [None, [], "text"])
def test_column_that_is_no_object_is_replaced_where_it_is_patched_and_else_stays(stored: object) -> None:
    assert after(Patch(scenes={"1": {"a": 1}}), scenes=stored).scenes == {"1": {"a": 1}}
    assert after(Patch(frames={"2": None}), scenes=stored).scenes == stored


@pytest.mark.parametrize(
    "patch", [Patch(), Patch(scenes={"2": {"description": "It sails."}}), Patch(order=["1", "2", "10"])]
)
def test_patch_that_changes_nothing_is_no_edit(patch: Patch) -> None:
    assert edited(project(frames=frames(1, 2, 10), scenes=SCENES), patch) is None


def test_scene_that_is_in_neither_column_any_more_is_removed() -> None:
    edit = after(Patch(frames={"2": None}, scenes={"2": None}))
    assert edit.removed == {"2"}
    assert (edit.scenes, edit.frames) == ({"1": SCENES["1"], "10": SCENES["10"]}, frames(1, 10))
    assert after(Patch(frames={"2": None})).removed == set()
    assert after(Patch(frames={"7": None}, title="New")).removed == {"7"}


def test_order_moves_contents_to_the_keys_in_scene_order() -> None:
    edit = after(Patch(order=["10", "1", "2"]))
    assert edit.moves == {"10": "1", "1": "2", "2": "10"}
    assert edit.frames == {"1": frames(10)["10"], "2": frames(1)["1"], "10": frames(2)["2"]}
    assert edit.scenes == {
        "1": {"scene_id": 1, "description": "It lands."},
        "2": {**SCENES["1"], "scene_id": 2},
        "10": {"scene_id": 10, "description": "It sails."},
    }


def test_scene_id_follows_the_key_only_where_it_was_the_key() -> None:
    scenes = {"1": {"scene_id": "1"}, "2": {"scene_id": 7}, "b": {"scene_id": True}}
    edit = after(Patch(order=["b", "1", "2"]), scenes=scenes, frames={})
    assert edit.scenes == {"1": {"scene_id": True}, "2": {"scene_id": "2"}, "b": {"scene_id": 7}}
    named = after(Patch(order=["b", "1"]), scenes={"1": {"scene_id": 1}, "b": {"scene_id": "b"}}, frames={})
    assert named.scenes == {"1": {"scene_id": "1"}, "b": {"scene_id": "b"}}


def test_scene_without_frames_moves_without_any() -> None:
    edit = after(Patch(order=["2", "1", "10"]), frames=frames(1))
    assert edit.frames == {"2": frames(1)["1"]}


def test_scenes_alike_change_places_too_since_their_clips_differ() -> None:
    edit = after(Patch(order=["2", "1"]), scenes={"1": {}, "2": {}}, frames={})
    assert edit.moves == {"1": "2", "2": "1"}


def test_patch_and_order_go_together() -> None:
    edit = after(
        Patch(scenes={"1": None, "3": {"description": "New."}}, frames={"1": None}, order=["3", "2", "10"])
    )
    assert edit.removed == {"1"}
    assert edit.moves == {"3": "2", "2": "3"}
    assert edit.scenes == {
        "2": {"description": "New."},
        "3": {**SCENES["2"], "scene_id": 3},
        "10": SCENES["10"],
    }


@pytest.mark.parametrize("order", [["1", "2"], ["1", "2", "10", "10"], ["1", "2", "3"], []])
def test_order_that_is_not_of_all_scenes_is_refused(order: list[str]) -> None:
    with pytest.raises(EditRefused, match=r"each of the project's scenes once \(1, 2, 10\)"):
        after(Patch(order=order))


def test_new_title_goes_into_the_script_and_keeps_the_rest_of_it() -> None:
    edit = after(Patch(title=" Harbour\n at dawn "), script='{"title": "Old", "scenes": 7}')
    assert json.loads(edit.script or "") == {"title": "Harbour at dawn", "scenes": 7}
    assert title(after(Patch(title="New")).script, SCENES) == "New"


@pytest.mark.parametrize(("told", "why"), [(" \n", "can't be blank"), ("x" * 161, "at most 160 characters")])
def test_title_that_can_not_be_shown_is_refused(told: str, why: str) -> None:
    with pytest.raises(EditRefused, match=why):
        after(Patch(title=told))


def test_project_can_not_grow_beyond_what_is_stored_in_one_call() -> None:
    with pytest.raises(EditRefused, match="at most 10000 scenes"):
        after(Patch(scenes={str(n): {} for n in range(10_001)}))
    with pytest.raises(EditRefused, match="larger than 4 MiB"):
        after(Patch(scenes={"1": {"notes": "x" * 3_000_000}, "2": {"notes": "x" * 3_000_000}}))


def test_text_that_no_prompt_can_tell_is_refused_unless_it_was_there_before() -> None:
    unfit = {"1": {"description": "x" * 4000}, "2": {}}
    with pytest.raises(
        EditRefused, match=r"Scene 2: its description has 4000 characters.* then call again\."
    ):
        after(Patch(scenes={"2": unfit["1"]}), scenes=unfit)
    assert after(Patch(scenes={"2": {"description": "Fit."}}), scenes=unfit).scenes != unfit
    assert after(Patch(scenes={"1": {"duration": 6}}), scenes=unfit).scenes != unfit
    assert after(Patch(order=["2", "1"]), scenes=unfit, frames={}).scenes == {"1": {}, "2": unfit["1"]}


def test_moved_clip_is_what_the_plan_asks_for_at_its_new_scene() -> None:
    one, two, still = clip("1"), clip("2"), clip("3")
    there = {SceneKey("1"): SceneKey("2"), SceneKey("2"): SceneKey("1")}
    first, second = moved([one, two, still], there)
    assert (first.scene, second.scene) == ("2", "1")
    assert first.fingerprint == fingerprint(PROJECT_ID, first.request)
    assert moved(moved([one], there), there) == [one]


def test_fingerprint_of_another_making_is_kept() -> None:
    (there,) = moved([clip("1", fingerprint=Fingerprint("of before"))], {SceneKey("1"): SceneKey("2")})
    assert (there.scene, there.fingerprint) == ("2", "of before")


def test_order_that_moves_a_clip_to_a_key_of_which_no_index_has_room_is_refused() -> None:
    long = "a" * 201
    with pytest.raises(EditRefused, match="more than 200 characters"):
        after(Patch(order=[long, "1"]), scenes={"1": {}, long: {}}, frames={})
