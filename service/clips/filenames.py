"""What the file of a downloaded clip is called."""

import re
import unicodedata

# With the scene and the ending within the 255 bytes that file systems take.
_MAX_TITLE_BYTES = 150
_MAX_SCENE_BYTES = 60
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_]")


def clip_filename(title: str, project_id: str, scene: str) -> str:
    """Give a name such as `Harbour-at-dawn-scene-1.mp4`, of letters, digits, `-` and `_` of any script.

    A project without a title is named after its id.
    """
    stem = _cleaned(title, _MAX_TITLE_BYTES) or f"project-{project_id[:8]}"
    return "-".join(part for part in (stem, "scene", _cleaned(scene, _MAX_SCENE_BYTES)) if part) + ".mp4"


def ascii_filename(name: str) -> str:
    """Give a clip's file name in ASCII, without the letters that ASCII does not have."""
    stem, dot, ending = name.rpartition(".")
    words = (_NOT_PLAIN.sub("", word) for word in unicodedata.normalize("NFKD", stem).split("-"))
    return "-".join(filter(None, words)) + dot + ending


def _cleaned(text: str, longest: int) -> str:
    # An apostrophe stands inside a word. Marks belong to the letters before them.
    kept = unicodedata.normalize("NFC", text.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))
    words = "".join(c if c == "_" or unicodedata.category(c)[0] in "LMN" else " " for c in kept).split()
    cut = "-".join(words).encode()[:longest].decode(errors="ignore")
    return cut.rstrip("-")
