"""Which files are the first and the last frame of a scene: by the words in their names, else by their order.

The page's `pairs.js` is the same rule; `tests/pairs.json` has the cases of both.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path


class _End(StrEnum):
    FIRST = "first"
    LAST = "last"


_LONG_WORDS = {
    "start": _End.FIRST,
    "first": _End.FIRST,
    "begin": _End.FIRST,
    "end": _End.LAST,
    "last": _End.LAST,
}
_WORDS = (_LONG_WORDS, {"in": _End.FIRST, "out": _End.LAST}, {"a": _End.FIRST, "b": _End.LAST})
# Long words also count as a part of another word, as in "harbourstart", but only if the partner is there.
_PART_OF_A_WORD = len(_WORDS)
_ENDING = re.compile(r"\.[^.]*$")
_HUMP = re.compile(r"([a-z])([A-Z])")
_TOKEN = re.compile(r"[^\W\d_]+|[0-9]+")
_ZEROS = re.compile(r"^0+(?=[0-9])")


@dataclass(frozen=True, slots=True)
class Pair:
    """The frames of a scene; one of them may be missing."""

    first: Path | None
    last: Path | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A way to see an end in a name: by the word at `index`, which the other `tokens` stand around."""

    kind: int
    end: _End
    index: int
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    tokens: tuple[str, ...]
    readings: Sequence[_Reading]

    @property
    def order(self) -> tuple[Sequence[tuple[bool, int, str]], str]:
        """Numbers by their value and before words; what is alike, by the whole name."""
        return [_token_order(token) for token in self.tokens], self.path.name


@dataclass(frozen=True, slots=True)
class _Scene:
    first: _File | None
    last: _File | None
    reading: _Reading | None = None

    @property
    def order(self) -> tuple[Sequence[tuple[bool, int, str]], str]:
        """That of its first file, without the word that tells its end."""
        told = next(file for file in (self.first, self.last) if file is not None)
        return (replace(told, tokens=self.reading.tokens) if self.reading else told).order


def pair_files(paths: Sequence[Path]) -> Sequence[Pair]:
    """Give the scenes that the files make, in order."""
    left = sorted((_read(path) for path in paths), key=lambda file: file.order)
    everyone = list(left)
    scenes = [scene for kind in range(_PART_OF_A_WORD + 1) for scene in _take_pairs(left, kind)]
    known = _known_kinds(everyone, scenes)
    alone = [file for file in left if file.readings and file.readings[0].kind in known]
    scenes += [_alone(file) for file in alone]
    rest = [file for file in left if file not in alone]
    scenes += [
        _Scene(rest[at], rest[at + 1] if at + 1 < len(rest) else None) for at in range(0, len(rest), 2)
    ]
    in_order = sorted(scenes, key=lambda scene: scene.order)
    return [Pair(_path(scene.first), _path(scene.last)) for scene in in_order]


def _path(file: _File | None) -> Path | None:
    return None if file is None else file.path


def _take_pairs(left: list[_File], kind: int) -> Iterator[_Scene]:
    """Take the files out whose names differ in such words alone."""
    stems: dict[tuple[str, ...], list[tuple[_Reading, _File]]] = {}
    for file in left:
        for reading in file.readings:
            if reading.kind == kind:
                stems.setdefault(reading.tokens, []).append((reading, file))
    for alike in stems.values():
        lasts = [file for reading, file in alike if reading.end is _End.LAST]
        for reading, first in alike:
            last = next((file for file in lasts if file in left and file is not first), None)
            if reading.end is _End.FIRST and first in left and last is not None:
                left.remove(first)
                left.remove(last)
                yield _Scene(first, last, reading)


def _known_kinds(files: Sequence[_File], paired: Sequence[_Scene]) -> set[int]:
    """Say which words make a file without a partner a first or a last frame.

    One word proves little, as in "boat in harbour": so other files must be named in the same way.
    """
    known = {scene.reading.kind for scene in paired if scene.reading}
    if all(file.readings and file.readings[0].kind == 0 for file in files):
        known.add(0)
    return known - {_PART_OF_A_WORD}


def _alone(file: _File) -> _Scene:
    reading = file.readings[0]
    return _Scene(file, None, reading) if reading.end is _End.FIRST else _Scene(None, file, reading)


def _read(path: Path) -> _File:
    tokens = _tokens(path.name)
    readings = [reading for index in range(len(tokens)) for reading in _readings(tokens, index)]
    return _File(path, tokens, sorted(readings, key=lambda reading: (reading.kind, -reading.index)))


def _readings(tokens: tuple[str, ...], index: int) -> Iterator[_Reading]:
    token, before, after = tokens[index], tokens[:index], tokens[index + 1 :]
    for kind, words in enumerate(_WORDS):
        if token in words:
            yield _Reading(kind, words[token], index, (*before, *after))
            return
    for word, end in _LONG_WORDS.items():
        if token.endswith(word):
            yield _Reading(_PART_OF_A_WORD, end, index, (*before, token.removesuffix(word), *after))
        if token.startswith(word):
            yield _Reading(_PART_OF_A_WORD, end, index, (*before, token.removeprefix(word), *after))


def _tokens(name: str) -> tuple[str, ...]:
    """Give the words and numbers of a file's name, without its ending: "Scene02_End.png" has three."""
    words = _HUMP.sub(r"\1 \2", _ENDING.sub("", unicodedata.normalize("NFC", name))).lower()
    return tuple(_ZEROS.sub("", token) for token in _TOKEN.findall(words))


def _token_order(token: str) -> tuple[bool, int, str]:
    is_word = not token[:1].isdigit()
    return is_word, 0 if is_word else len(token), token
