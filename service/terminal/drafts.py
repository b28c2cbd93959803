"""What `clips create` makes a project from: image files, paired, or the JSON that the service takes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import ServiceError
from service.terminal.pairs import Pair, pair_files

_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
_REMEDY = "Nothing was stored. Add its partner, take it out, or pair files as you name them by --in-order."


class DraftRefused(ServiceError):
    """No project can be made of what was named. Nothing was stored."""

    code = "draft_refused"


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene to store: its image files, and what is to happen between them."""

    key: str
    first: Path
    last: Path
    prompt: str | None


@dataclass(frozen=True, slots=True)
class ImageDraft:
    """A project of image files, which are not uploaded yet."""

    title: str | None
    scenes: Sequence[Scene]

    @property
    def files(self) -> Sequence[Path]:
        """All files, each once: the end of a scene may be the beginning of the next."""
        return list(dict.fromkeys(path for scene in self.scenes for path in (scene.first, scene.last)))

    def body(self, urls: Mapping[Path, str]) -> Mapping[str, Any]:
        """Give the project as the service takes it, with the files' URLs."""
        return {
            "script": self.title or None,
            "frames": {
                scene.key: {"first_frame": urls[scene.first], "last_frame": urls[scene.last]}
                for scene in self.scenes
            },
            "scenes": {scene.key: {"description": scene.prompt} for scene in self.scenes if scene.prompt},
        }


def image_draft(
    paths: Sequence[Path], title: str | None, prompts: Sequence[str], *, in_order: bool
) -> ImageDraft:
    """Pair the images of these files and folders by their names, or two by two as they are given.

    One prompt is every scene's; else there is one for each, in order. Raises DraftRefused.
    """
    if not paths:
        raise DraftRefused("Name a folder or image files, or a project as JSON by --json-file FILE.")
    pairs = _two_by_two([_file(path) for path in paths]) if in_order else _by_name(_images(paths))
    if len(prompts) > 1 and len(prompts) != len(pairs):
        raise DraftRefused(
            f"The number of prompts ({len(prompts)}) is not that of the scenes ({len(pairs)}). Give --prompt "
            "once, for all scenes, or once for each. Nothing was stored."
        )
    each = prompts if len(prompts) == len(pairs) else [prompts[0] if prompts else None] * len(pairs)
    scenes = [
        Scene(str(number), first, last, prompt)
        for number, ((first, last), prompt) in enumerate(zip(pairs, each, strict=True), 1)
    ]
    return ImageDraft(title, scenes)


def json_draft(path: Path) -> Mapping[str, Any]:
    """Read a project as the service takes it. Raises DraftRefused; the service judges what is in it."""
    try:
        read = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DraftRefused(f"{path} can't be read: {error.strerror}. Nothing was stored.") from None
    except ValueError as error:
        raise DraftRefused(f"{path} is no JSON: {error}. Correct it; nothing was stored.") from None
    if not isinstance(read, dict):
        raise DraftRefused(
            f"{path} holds no JSON object. Write one as POST /projects takes it, such as "
            '{"frames": {"1": {"first_frame": "https://…", "last_frame": "https://…"}}}. Nothing was stored.'
        )
    return read


def _images(paths: Iterable[Path]) -> Sequence[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(_file(path))
            continue
        inside = [file for file in path.iterdir() if _looks_like_image(file)]
        if not inside:
            raise DraftRefused(f"The folder {path} has no PNG, JPEG or WebP file. Nothing was stored.")
        found += inside
    return found


def _looks_like_image(path: Path) -> bool:
    return path.suffix.lower() in _IMAGE_ENDINGS and not path.name.startswith(".") and path.is_file()


def _by_name(files: Sequence[Path]) -> Sequence[tuple[Path, Path]]:
    return [_whole(pair) for pair in pair_files(files)]


def _two_by_two(files: Sequence[Path]) -> Sequence[tuple[Path, Path]]:
    if len(files) % 2:
        raise DraftRefused(f"{files[-1]} is left over: name a last frame after it. Nothing was stored.")
    return list(zip(files[::2], files[1::2], strict=True))


def _whole(pair: Pair) -> tuple[Path, Path]:
    if pair.first is None or pair.last is None:
        missing = "first" if pair.first is None else "last"
        raise DraftRefused(
            f"{pair.first or pair.last} is left over: its scene has no {missing} frame. {_REMEDY}"
        )
    return pair.first, pair.last


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    what = "is no file" if path.exists() else "is not there"
    raise DraftRefused(f"{path} {what}. Correct its name; nothing was stored.")
