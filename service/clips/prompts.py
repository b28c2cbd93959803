"""From a scene, as the web application stores it, to the prompt for its clip."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

# Characters. The sandbox has the same limit among its rules for Veo 3.1 (`service/sandbox/tasks.py`).
PROMPT_LIMIT = 3000
_LEAST_PROMPT = 2
DEFAULT_PROMPT = "Smooth, natural motion from the first frame to the last."

# What language models and forms write where there is nothing to say.
_NOTHING = frozenset({"none", "n/a", "null", "undefined", "nothing", "no dialogue", "-", "–", "—"})  # noqa: RUF001
_ENDED = re.compile(r"[.!?…。！？][\"'”’»)\]」』）]*\Z")  # noqa: RUF001 - Chinese and Japanese sentences end so
_SENTENCE = re.compile(
    r".+?(?:[.!?…][\"'”’»)\]]*(?=\s)|[。！？][\"'”’»)\]」』）]*|\Z)",  # noqa: RUF001
    re.DOTALL,
)
_WHOLE_WORDS = re.compile(r".*\S(?=\s)", re.DOTALL)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]*)[\"“”»]")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_INNER_QUOTES = str.maketrans(dict.fromkeys('"“”„«»', "'"))
_LENS = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:mm|millimet(?:er|re)s?)?(?:\s+lens)?", re.IGNORECASE)
_HEIGHT = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:m|met(?:er|re)s?)?", re.IGNORECASE)
_DEGREES = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:°|deg|degrees?)?", re.IGNORECASE)
# A focal length or a height beyond it is a mistake.
_MOST = 10_000
_STILL = ("static", "still", "fixed", "locked")
_SPEEDS = {speed: f"{speed}-speed" for speed in ("medium", "moderate", "normal")}
_POINTS = (
    *("north", "north-north-east", "north-east", "east-north-east"),
    *("east", "east-south-east", "south-east", "south-south-east"),
    *("south", "south-south-west", "south-west", "west-south-west"),
    *("west", "west-north-west", "north-west", "north-north-west"),
)
_ABBREVIATED = {"".join(word[0] for word in point.split("-")): point for point in _POINTS}


@dataclass(frozen=True, slots=True)
class PromptRules:
    """What an installation decides about all of its prompts.

    `speak_dialogue`: whether a scene's dialogue is spoken in a clip that has sound. `limit` is in characters.
    """

    speak_dialogue: bool = True
    limit: int = PROMPT_LIMIT


class _Rank(IntEnum):
    """Which part of a prompt is kept before which, where not all of it fits."""

    ACTION = 1
    SPEECH = 2
    CAMERA = 3
    SETTING = 4
    EMOTION = 5
    CONTINUITY = 6


@dataclass(frozen=True, slots=True)
class _Part:
    rank: _Rank
    text: str

    @property
    def sentences(self) -> Sequence[str]:
        """What may stand alone. A spoken line is whole or missing, since a quotation must be closed."""
        return [self.text] if self.rank is _Rank.SPEECH else _sentences(self.text)


def prompt(scene: Mapping[str, object], *, speech: bool = False, limit: int = PROMPT_LIMIT) -> str:
    """Make one prompt, of `limit` characters at most, out of all that a video model can use of a scene.

    It tells, in this order: `visual_action`; with `speech` the `dialogue`, quoted; `camera_motion`, as text
    or as an object (`type`, `speed`, `lens_mm`, `camera_height_m`, `camera_heading`, then the compositions
    `start_frame` and `end_frame`, then `lighting`); `emotion`; `setting`; `continuity.world_rules`. A
    `description` sums a scene up: it stands for `visual_action`, `emotion`, `setting` and a `camera_motion`
    that is text. What prose leaves out follows it: the dialogue, a camera as an object, the world's rules.

    Everything else is left out. It is book-keeping (`scene_id`, `duration`, `duration_sec`,
    `continuity.reuse_last_frame_from_previous`), or the frames, which are sent too, show it better: the texts
    `first_frame` and `last_frame`.

    Nothing about a scene's insides is certain, and nothing raises. A list of texts is joined; "none", "n/a"
    and values of a wrong type count as missing. If all is missing, the prompt is a neutral sentence: the
    provider requires one, and would otherwise refuse a scene whose frames are complete.

    Too long a prompt loses whole sentences, the least important first: world rules, then emotion, setting,
    camera, dialogue, and the end of the action last. Only if its first sentence alone is too long, that is
    cut between words; a text without spaces is cut where the limit is.
    """
    description = _prose(scene.get("description"))
    summed_up = {} if description else scene
    parts = [
        *_part(_Rank.ACTION, "", _prose(summed_up.get("visual_action"))),
        *(_Part(_Rank.SPEECH, line) for line in _spoken(scene.get("dialogue")) if speech),
        *_part(_Rank.CAMERA, "Camera: ", _text(summed_up.get("camera_motion"))),
        *_camera(_mapping(scene.get("camera_motion"))),
        *_part(_Rank.EMOTION, "Emotion: ", _text(summed_up.get("emotion"))),
        *_part(_Rank.SETTING, "Setting: ", _text(summed_up.get("setting"))),
        *_part(
            _Rank.CONTINUITY, "Continuity: ", _prose(_mapping(scene.get("continuity")).get("world_rules"))
        ),
    ]
    if description:
        # Alone it stays as it was written: one more full stop would be another clip to pay for.
        parts = [_Part(_Rank.ACTION, _closed(description) if parts else description), *parts]
    return _fitted(parts or [_Part(_Rank.ACTION, DEFAULT_PROMPT)], limit)


def length_problem(scene: Mapping[str, object]) -> str:
    """Say which text of a scene no prompt can tell, since it alone is too long or all is too short; else "".

    For a scene that is being stored: its text would else be cut without a word, or refused by Runware after
    the clip was asked for. What is told beside the action may be cut, the least important first.
    """
    name = "description" if _prose(scene.get("description")) else "visual_action"
    length = len(_prose(scene.get(name)))
    if length > PROMPT_LIMIT:
        return f"its {name} has {length} characters, and a prompt has {PROMPT_LIMIT} at most. Shorten it"
    if len(prompt(scene)) < _LEAST_PROMPT:
        return f"its {name} has {length} character, and a prompt needs {_LEAST_PROMPT}. Say more, or nothing"
    return ""


def _part(rank: _Rank, label: str, text: str) -> Sequence[_Part]:
    return [_Part(rank, _closed(f"{label}{text}"))] if text else []


def _camera(camera: Mapping[str, object]) -> Sequence[_Part]:
    facts = (
        _movement(_phrase(camera.get("type")), _phrase(camera.get("speed"))),
        _lens(camera.get("lens_mm")),
        _height(camera.get("camera_height_m")),
        _heading(camera.get("camera_heading")),
    )
    return [
        *_part(_Rank.CAMERA, "Camera: ", ", ".join(fact for fact in facts if fact)),
        *_part(_Rank.CAMERA, "Opening frame: ", _prose(camera.get("start_frame"))),
        *_part(_Rank.CAMERA, "Closing frame: ", _prose(camera.get("end_frame"))),
        *_part(_Rank.CAMERA, "Lighting: ", _text(camera.get("lighting"))),
    ]


def _movement(kind: str, speed: str) -> str:
    if not speed or kind.casefold().startswith(_STILL):
        return kind
    if " " in speed or speed.endswith("ly"):
        return f"{kind}, {speed}" if kind else speed
    pace = _SPEEDS.get(speed.lower(), speed.lower())
    return f"{pace} {_lower_first(kind) or 'movement'}"


def _lens(value: object) -> str:
    number, text = _measure(value, _LENS)
    if text:
        return text if "lens" in text.casefold() else f"{text} lens"
    return f"{number:g} mm lens" if number and number <= _MOST else ""


def _height(value: object) -> str:
    number, text = _measure(value, _HEIGHT)
    if text:
        return text if text.casefold().startswith("at ") else f"at {text}"
    if number is None or number > _MOST:
        return ""
    return f"{number:g} m above the ground" if number else "at ground level"


def _heading(value: object) -> str:
    """Say where the camera faces: a point of the compass, or degrees clockwise from north."""
    number, text = _measure(value, _DEGREES)
    if text:
        point = _ABBREVIATED.get(text.casefold(), text)
        return point if point.casefold().startswith("facing") else f"facing {point}"
    if number is None or number > 360:  # noqa: PLR2004 - a full circle
        return ""
    return f"facing {_POINTS[round(number / 360 * len(_POINTS)) % len(_POINTS)]}"


def _measure(value: object, form: re.Pattern[str]) -> tuple[float | None, str]:
    """Read a number that isn't negative, as it is or as text of this form; any other text is kept as text."""
    text = _phrase(value)
    if match := form.fullmatch(text):
        return float(match[1].replace(",", ".")), ""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None, text
    return float(value), ""


def _spoken(dialogue: object) -> Iterator[str]:
    for entry in dialogue if isinstance(dialogue, list) else [dialogue]:
        said = _mapping(entry)
        speaker = _phrase(said.get("speaker")) or _phrase(said.get("character"))
        line = " ".join((_text(entry) or _text(said.get("line")) or _text(said.get("text"))).split())
        if match := _QUOTED.fullmatch(line):
            line = match[1].strip()
        # An aside alone, such as "(silence)", is a direction and no line.
        if line and not _ASIDE.fullmatch(line):
            quoted = _closed(line.translate(_INNER_QUOTES))
            yield f'{speaker.rstrip(": ") or "The character"} says: "{quoted}"'


def _fitted(parts: Sequence[_Part], limit: int) -> str:
    whole = " ".join(part.text for part in parts)
    if len(whole) <= limit:
        return whole
    kept: list[tuple[int, str]] = []
    room = limit
    for place, sentence in _most_important_first(parts):
        if len(sentence) > room:
            break
        kept.append((place, sentence))
        room -= len(sentence) + 1
    if not kept:
        _, first = next(_most_important_first(parts))
        return _cut_between_words(first, limit)
    return " ".join(sentence for _, sentence in sorted(kept, key=lambda one: one[0]))


def _most_important_first(parts: Sequence[_Part]) -> Iterator[tuple[int, str]]:
    """Give each sentence with the place of its part in the whole."""
    for place, part in sorted(enumerate(parts), key=lambda one: one[1].rank):
        for sentence in part.sentences:
            yield place, sentence


def _cut_between_words(text: str, limit: int) -> str:
    # A space just after the last character that fits ends a word, too.
    words = _WHOLE_WORDS.match(text[: limit + 1])
    return words[0] if words else text[:limit]


def _sentences(text: str) -> Sequence[str]:
    return [sentence for found in _SENTENCE.findall(text) if (sentence := found.strip())]


def _closed(text: str) -> str:
    return text if _ENDED.search(text) else f"{text}."


def _prose(value: object) -> str:
    """Read what consists of sentences; a list's texts become one each."""
    if isinstance(value, list):
        return " ".join(_closed(text) for one in value if (text := _text(one)))
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(text for one in value if isinstance(one, str) and (text := _phrase(one)))
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.rstrip(".").casefold() in _NOTHING else text


def _phrase(value: object) -> str:
    """Read what becomes a part of a sentence."""
    return _text(value).replace("_", " ").rstrip(".")


def _lower_first(text: str) -> str:
    # "POV push" keeps its capitals.
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
