"""Values that a user may write, for hypothesis."""

from typing import Any

from hypothesis import strategies as st

# JSON has no lone surrogates, and no database of ours takes a NUL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["1", "2", "3", "10", "07", "intro", ""]) | TEXTS | st.integers(0, 10**30).map(str)
URLS = st.sampled_from(
    [
        "https://frames.example/1.png",
        " http://frames.example ",
        "https://[::1",
        "http://localhost/1.png",
        "ftp://frames.example/1.png",
        "https://frames.example/" + "x" * 5000,
    ]
)
FRAMES: st.SearchStrategy[Any] = (
    st.dictionaries(
        KEYS,
        st.fixed_dictionaries({}, optional={"first_frame": URLS | JSON, "last_frame": URLS | JSON}) | JSON,
        max_size=5,
    )
    | JSON
)
_LONG = TEXTS.map(lambda text: text * 300)
_SCENE = st.fixed_dictionaries(
    {},
    optional={
        "scene_id": SCALARS,
        "description": TEXTS | _LONG,
        "visual_action": TEXTS | _LONG,
        "dialogue": JSON,
        "camera_motion": JSON | st.dictionaries(st.sampled_from(["type", "lens_mm", "speed"]), SCALARS),
        "continuity": st.dictionaries(st.just("world_rules"), JSON),
        "duration": SCALARS,
        "duration_sec": SCALARS | st.sampled_from(["5s", "6,5 seconds", "٣"]),
    },
)
SCENES: st.SearchStrategy[Any] = st.dictionaries(KEYS, _SCENE | JSON, max_size=5) | JSON
