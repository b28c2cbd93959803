"""The prompts of scenes. Those of real ones are whole texts: read them as a director would."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clips.prompts import DEFAULT_PROMPT, PROMPT_LIMIT, length_problem, prompt
from service.sandbox import tasks

PIER: dict[str, Any] = {
    "scene_id": 1,
    "duration_sec": 5,
    "setting": "A weathered wooden pier on the Baltic coast, just before sunrise",
    "visual_action": "Mara, a woman of about thirty in a red scarf, walks slowly to the end of the pier and "
    "sets down her suitcase.",
    "dialogue": "I told you I would come back.",
    "emotion": "quiet longing",
    "camera_motion": {
        "type": "dolly-in",
        "speed": "slow",
        "start_frame": "Wide shot of the pier, Mara small in the left third",
        "end_frame": "Medium close-up of Mara from behind, the suitcase at her feet",
        "lens_mm": 35,
        "camera_height_m": 1.6,
        "camera_heading": "N",
        "lighting": "Soft, blue pre-dawn light with a warm glow on the horizon",
    },
    "continuity": {
        "reuse_last_frame_from_previous": True,
        "world_rules": "Mara always wears the red scarf. No other people are on the beach.",
    },
    "first_frame": "A woman stands at the near end of a wooden pier.",
    "last_frame": "The woman stands at the far end, a suitcase at her feet.",
}
PIER_PROMPT = (
    "Mara, a woman of about thirty in a red scarf, walks slowly to the end of the pier and sets down her "
    "suitcase. "
    "Camera: slow dolly-in, 35 mm lens, 1.6 m above the ground, facing north. "
    "Opening frame: Wide shot of the pier, Mara small in the left third. "
    "Closing frame: Medium close-up of Mara from behind, the suitcase at her feet. "
    "Lighting: Soft, blue pre-dawn light with a warm glow on the horizon. "
    "Emotion: quiet longing. "
    "Setting: A weathered wooden pier on the Baltic coast, just before sunrise. "
    "Continuity: Mara always wears the red scarf. No other people are on the beach."
)
KITCHEN: dict[str, Any] = {
    "scene_id": 2,
    "duration_sec": "6",
    "setting": "A cramped 1970s kitchen at night, rain on the window.",
    "visual_action": "Two brothers sit across a small table. Jonas pushes an unopened letter towards Emil, "
    "who does not touch it.",
    "dialogue": [
        {"speaker": "Jonas", "line": "It came this morning."},
        {"character": "Emil", "text": "Burn it"},
    ],
    "emotion": ["tense", "resigned"],
    "camera_motion": {
        "type": "static",
        "speed": "none",
        "start_frame": "Two-shot in profile, the letter in the exact centre.",
        "end_frame": "The same two-shot, the letter now in front of Emil.",
        "lens_mm": "50mm",
        "camera_height_m": "1.1",
        "camera_heading": "W",
        "lighting": "One bare bulb above the table, deep shadows in the corners",
    },
    "continuity": {"reuse_last_frame_from_previous": False, "world_rules": []},
}
KITCHEN_PROMPT = (
    "Two brothers sit across a small table. Jonas pushes an unopened letter towards Emil, who does not touch "
    "it. "
    'Jonas says: "It came this morning." Emil says: "Burn it." '
    "Camera: static, 50 mm lens, 1.1 m above the ground, facing west. "
    "Opening frame: Two-shot in profile, the letter in the exact centre. "
    "Closing frame: The same two-shot, the letter now in front of Emil. "
    "Lighting: One bare bulb above the table, deep shadows in the corners. "
    "Emotion: tense, resigned. "
    "Setting: A cramped 1970s kitchen at night, rain on the window."
)
DRONE: dict[str, Any] = {
    "scene_id": 3,
    "duration_sec": 8,
    "setting": "The dunes of the Namib desert at noon",
    "visual_action": "A lone rider on a white camel crosses the crest of a dune, throwing a long plume of "
    "sand.",
    "dialogue": "",
    "emotion": "awe",
    "camera_motion": {
        "type": "crane_up",
        "speed": "medium",
        "start_frame": "Eye-level shot of the camel's hooves in the sand",
        "end_frame": "High wide shot, the rider a dot among endless dunes",
        "lens_mm": 24.0,
        "camera_height_m": 40,
        "camera_heading": 225,
        "lighting": "Hard sun from straight above",
    },
    "continuity": {
        "world_rules": ["The camel is white", "The rider's robe is indigo", "There is no road in sight"]
    },
}
DRONE_PROMPT = (
    "A lone rider on a white camel crosses the crest of a dune, throwing a long plume of sand. "
    "Camera: medium-speed crane up, 24 mm lens, 40 m above the ground, facing south-west. "
    "Opening frame: Eye-level shot of the camel's hooves in the sand. "
    "Closing frame: High wide shot, the rider a dot among endless dunes. "
    "Lighting: Hard sun from straight above. "
    "Emotion: awe. "
    "Setting: The dunes of the Namib desert at noon. "
    "Continuity: The camel is white. The rider's robe is indigo. There is no road in sight."
)
STREET: dict[str, Any] = {
    "scene_id": 4,
    "duration_sec": 3,
    "setting": "A neon-lit side street in Osaka, wet asphalt",
    "visual_action": "A courier on a bicycle swerves around a stray cat and looks back, laughing!",
    "dialogue": "None",
    "emotion": "exhilarated",
    "camera_motion": {
        "type": "Tracking shot",
        "speed": "fast, then easing out",
        "lens_mm": None,
        "lighting": "N/A",
    },
    "continuity": {"reuse_last_frame_from_previous": True, "world_rules": None},
}
STREET_PROMPT = (
    "A courier on a bicycle swerves around a stray cat and looks back, laughing! "
    "Camera: Tracking shot, fast, then easing out. "
    "Emotion: exhilarated. "
    "Setting: A neon-lit side street in Osaka, wet asphalt."
)
DOCUMENTED: dict[str, Any] = {
    "scene_id": 5,
    "visual_action": "A boat leaves the harbour",
    "dialogue": "(silence)",
    "emotion": "calm",
    "camera_motion": "slow pan left, following the boat",
    "setting": "a fishing village at dawn",
    "first_frame": "The boat at its mooring",
    "last_frame": "The boat beyond the breakwater",
    "duration": "5",
}
DOCUMENTED_PROMPT = (
    "A boat leaves the harbour. Camera: slow pan left, following the boat. Emotion: calm. "
    "Setting: a fishing village at dawn."
)
SUMMED_UP: dict[str, Any] = {
    **PIER,
    "description": "Mara returns to the pier where she left her brother ten years ago",
}
SUMMED_UP_PROMPT = (
    "Mara returns to the pier where she left her brother ten years ago. "
    'The character says: "I told you I would come back." '
    "Camera: slow dolly-in, 35 mm lens, 1.6 m above the ground, facing north. "
    "Opening frame: Wide shot of the pier, Mara small in the left third. "
    "Closing frame: Medium close-up of Mara from behind, the suitcase at her feet. "
    "Lighting: Soft, blue pre-dawn light with a warm glow on the horizon. "
    "Continuity: Mara always wears the red scarf. No other people are on the beach."
)


@pytest.mark.parametrize(
    ("scene", "speech", "expected"),
    [
        pytest.param(PIER, False, PIER_PROMPT, id="pier, silent"),
        pytest.param(KITCHEN, True, KITCHEN_PROMPT, id="kitchen, spoken"),
        pytest.param(DRONE, True, DRONE_PROMPT, id="desert, nothing to say"),
        pytest.param(STREET, True, STREET_PROMPT, id="street, half of it unknown"),
        pytest.param(DOCUMENTED, True, DOCUMENTED_PROMPT, id="harbour, as documented"),
        pytest.param(SUMMED_UP, True, SUMMED_UP_PROMPT, id="pier with a description, spoken"),
    ],
)
def test_real_scene_is_told_whole(scene: dict[str, Any], *, speech: bool, expected: str) -> None:
    assert prompt(scene, speech=speech) == expected
    assert prompt(json.loads(json.dumps(scene)), speech=speech) == expected


def test_description_alone_is_the_prompt() -> None:
    assert prompt({"description": " The sea. ", "visual_action": "ignored"}) == "The sea."


def test_description_stands_for_every_text_that_it_sums_up_and_keeps_its_own_end() -> None:
    assert prompt({**DOCUMENTED, "description": "The sea"}) == "The sea"


def test_prompt_without_description_is_made_of_the_other_texts() -> None:
    scene = {
        "visual_action": "A boat leaves.",
        "camera_motion": "pan left",
        "emotion": "calm",
        "setting": "dawn",
    }
    assert prompt(scene) == "A boat leaves. Camera: pan left. Emotion: calm. Setting: dawn."
    assert prompt({"description": "", "camera_motion": None, "setting": "dawn"}) == "Setting: dawn."


@pytest.mark.parametrize(
    "scene",
    [
        {},
        {"description": "  ", "visual_action": None, "setting": 7, "emotion": [], "camera_motion": [{}]},
        {"visual_action": "none", "setting": "N/A.", "camera_motion": {"lens_mm": True}, "continuity": "x"},
        {"scene_id": 1, "duration": 5, "first_frame": "A pier.", "last_frame": "A pier."},
    ],
)
def test_scene_without_anything_to_tell_gets_a_neutral_prompt(scene: dict[str, Any]) -> None:
    assert prompt(scene, speech=True) == DEFAULT_PROMPT


@pytest.mark.parametrize(
    ("camera", "told"),
    [
        ({"type": "pan left"}, "pan left"),
        ({"speed": "slow"}, "slow movement"),
        ({"speed": "Slow and steady"}, "Slow and steady"),
        ({"type": "Dolly-in", "speed": "Slow"}, "slow dolly-in"),
        ({"type": "POV push", "speed": "fast"}, "fast POV push"),
        ({"type": "orbit", "speed": "slowly"}, "orbit, slowly"),
        ({"type": "orbit", "speed": 0.5}, "orbit"),
        ({"type": "Static wide shot", "speed": "slow"}, "Static wide shot"),
        ({"lens_mm": 85.5}, "85.5 mm lens"),
        ({"lens_mm": "24-70mm"}, "24-70mm lens"),
        ({"lens_mm": "85 mm lens"}, "85 mm lens"),
        ({"lens_mm": "anamorphic lens"}, "anamorphic lens"),
        ({"camera_height_m": 0}, "at ground level"),
        ({"camera_height_m": "1,5 metres"}, "1.5 m above the ground"),
        ({"camera_height_m": "eye level"}, "at eye level"),
        ({"camera_heading": "ssw"}, "facing south-south-west"),
        ({"camera_heading": "north"}, "facing north"),
        ({"camera_heading": "the lighthouse"}, "facing the lighthouse"),
        ({"camera_heading": "Facing the sea."}, "Facing the sea"),
        ({"camera_heading": "350°"}, "facing north"),
        ({"camera_heading": 90}, "facing east"),
    ],
)
def test_camera_is_told_in_words_and_units(camera: dict[str, Any], told: str) -> None:
    assert prompt({"camera_motion": camera}) == f"Camera: {told}."


@pytest.mark.parametrize(
    "nonsense", [-1, 0, True, 10**400, 1e300, float("nan"), float("inf"), [], {}, "9" * 400]
)
def test_lens_that_is_none_is_left_out(nonsense: Any) -> None:
    assert prompt({"camera_motion": {"type": "pan", "lens_mm": nonsense}}) == "Camera: pan."


@pytest.mark.parametrize(
    ("dialogue", "spoken"),
    [
        ('"Where are we?"', 'The character says: "Where are we?"'),
        ('She said "go" and "now"', "The character says: \"She said 'go' and 'now'.\""),
        ("One.\n  Two", 'The character says: "One. Two."'),
        (["Stay.", "Why?"], 'The character says: "Stay." The character says: "Why?"'),
        ([{"speaker": "MARA:", "text": "Stay."}, None, 3, {"speaker": "Emil"}], 'MARA says: "Stay."'),
        ({"character": "Emil", "line": "[sighs] Fine."}, 'Emil says: "[sighs] Fine."'),
        ([{"line": "(laughs)"}, "No dialogue.", ""], ""),
    ],
)
def test_dialogue_is_quoted_and_nothing_but_dialogue(dialogue: Any, spoken: str) -> None:
    scene = {"visual_action": "She waits.", "dialogue": dialogue}
    assert prompt(scene, speech=True) == f"She waits. {spoken}".rstrip()
    assert prompt(scene) == "She waits."


def test_long_prompt_loses_world_rules_then_emotion_setting_camera_dialogue_and_the_action_last() -> None:
    scene = {
        "visual_action": "A boat leaves. Gulls follow.",
        "dialogue": "Go!",
        "camera_motion": "pan left. Then up",
        "emotion": "calm",
        "setting": "dawn",
        "continuity": {"world_rules": "No cars."},
    }
    whole = (
        'A boat leaves. Gulls follow. The character says: "Go!" Camera: pan left. Then up. Emotion: calm. '
        "Setting: dawn. Continuity: No cars."
    )
    cuts: list[str] = []
    for limit in range(len(whole), len("A boat leaves.") - 1, -1):
        cut = prompt(scene, speech=True, limit=limit)
        if not cuts or cut != cuts[-1]:
            cuts.append(cut)
    assert cuts == [
        whole,
        whole.removesuffix(" Continuity: No cars."),
        'A boat leaves. Gulls follow. The character says: "Go!" Camera: pan left. Then up. Setting: dawn.',
        'A boat leaves. Gulls follow. The character says: "Go!" Camera: pan left. Then up.',
        'A boat leaves. Gulls follow. The character says: "Go!" Camera: pan left.',
        'A boat leaves. Gulls follow. The character says: "Go!"',
        "A boat leaves. Gulls follow.",
        "A boat leaves.",
    ]


def test_only_a_first_sentence_beyond_the_limit_is_cut_between_words() -> None:
    scene = {"visual_action": "A boat leaves the harbour of a village.", "setting": "dawn"}
    assert prompt(scene, limit=38) == "A boat leaves the harbour of a"
    assert prompt(scene, limit=13) == "A boat leaves"
    assert prompt({"description": "海" * 4000}) == "海" * PROMPT_LIMIT
    assert prompt({"description": "海は静かだ。" * 600}) == " ".join(["海は静かだ。"] * 428)


def test_limit_is_the_one_of_the_sandbox() -> None:
    assert tasks._PROMPT_LENGTH[1] == PROMPT_LIMIT


NAMES = ("description", "visual_action", "dialogue", "emotion", "setting", "camera_motion", "continuity")
CAMERA = (
    "type",
    "speed",
    "start_frame",
    "end_frame",
    "lens_mm",
    "camera_height_m",
    "camera_heading",
    "lighting",
)
INSIDE = (*CAMERA, "world_rules", "speaker", "line")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(INSIDE) | st.text(), inside)
    ),
    max_leaves=8,
)
WORDS = st.text(alphabet="ab,.!?\"' \n", max_size=60)
SCENES = st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON | WORDS | st.lists(WORDS, max_size=3))


@given(SCENES, st.booleans(), st.integers(1, 200))
def test_any_scene_gives_a_prompt_within_the_limit(scene: dict[str, Any], speech: bool, limit: int) -> None:
    made = prompt(scene, speech=speech, limit=limit)
    assert made.strip()
    assert len(made) <= limit
    assert made == prompt(scene, speech=speech, limit=limit)


@given(SCENES, st.booleans(), st.integers(60, 200))
def test_no_word_is_cut(scene: dict[str, Any], speech: bool, limit: int) -> None:
    """Words of more than 60 characters aside, since no prompt of that size could hold them."""
    whole = prompt(scene, speech=speech, limit=10**6).split()
    if max(map(len, whole)) <= limit:
        assert set(prompt(scene, speech=speech, limit=limit).split()) <= set(whole)


@pytest.mark.parametrize(
    ("scene", "problem"),
    [
        ({}, ""),
        ({"description": "Go"}, ""),
        ({"description": "x"}, "its description has 1 character, and a prompt needs 2. Say more, or nothing"),
        (
            {"visual_action": "x" * 3001},
            "its visual_action has 3001 characters, and a prompt has 3000 at most. Shorten it",
        ),
    ],
)
def test_text_that_no_prompt_can_tell_is_named(scene: dict[str, Any], problem: str) -> None:
    assert length_problem(scene) == problem
