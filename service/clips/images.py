"""What an uploaded file really is, told from its first bytes: no name and no header is believed."""

import re
import struct
from dataclasses import dataclass
from enum import StrEnum

# Runware documents "20MB"; of its two readings this is the smaller.
MAX_IMAGE_BYTES = 20_000_000

_KEPT_NAME = re.compile(r"[0-9a-f]{64}(\.[a-z]+)")
_SMALL = ".small.webp"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Start-of-frame markers; C4, C8 and CC in their midst mean something else.
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Before the size. A camera writes some ten; a profile or a preview is spread over more.
_MAX_JPEG_SEGMENTS = 200
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


class ImageType(StrEnum):
    """The kinds of image that can be a frame, by media type."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"

    @property
    def suffix(self) -> str:
        """The end of a file's name."""
        return {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}[self.value]


def kept_image_type(name: str) -> ImageType | None:
    """Tell the kind of a kept image by its name, which is the SHA-256 of its content; None for any other."""
    match = _KEPT_NAME.fullmatch(name)
    return next((kind for kind in ImageType if match and kind.suffix == match[1]), None)


def small_name(name: str) -> str:
    """Name the small version of a kept image, which lies beside it; the client's `smallUrl` says the same."""
    return name + _SMALL


def original_name(name: str) -> str | None:
    """Name the kept image that this is the small version of; None if it is none, as far as the name tells."""
    original = name.removesuffix(_SMALL)
    return original if original != name and kept_image_type(original) is not None else None


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Which images a model takes as frames: pixels of each side, and bytes.

    The defaults are what Runware documents for its video models (documentation of October 2025).
    """

    min_side_px: int = 300
    max_side_px: int = 2048
    max_bytes: int = MAX_IMAGE_BYTES


@dataclass(frozen=True, slots=True)
class Image:
    """What the head of an image says: its kind, and its size in pixels."""

    type: ImageType
    width: int
    height: int

    def fits(self, limits: FrameLimits) -> bool:
        """Whether both sides are of a size that a frame can have."""
        return all(limits.min_side_px <= side <= limits.max_side_px for side in (self.width, self.height))


def read_image(content: bytes) -> Image | None:
    """Read kind and size from an image's head, without decoding it; None if it is no PNG, JPEG or WebP."""
    try:
        if content.startswith(_PNG) and content[12:16] == b"IHDR":
            return Image(ImageType.PNG, *struct.unpack(">II", content[16:24]))
        if content.startswith(_JPEG):
            return _read_jpeg(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _read_webp(content)
    except (struct.error, IndexError):
        return None
    return None


def _read_jpeg(content: bytes) -> Image | None:
    position = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        if content[position] != 0xFF:  # noqa: PLR2004 - every segment begins with this byte
            return None
        marker = content[position + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return Image(ImageType.JPEG, width, height)
        if marker in _JPEG_ALONE:
            position += 2
        else:
            (length,) = struct.unpack(">H", content[position + 2 : position + 4])
            position += 2 + max(length, 2)
    return None


def _read_webp(content: bytes) -> Image | None:
    chunk = content[12:16]
    if chunk == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    elif chunk == b"VP8L" and len(content) >= 25:  # noqa: PLR2004 - the length of this head
        bits = int.from_bytes(content[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", content[26:30]))
    else:
        return None
    return Image(ImageType.WEBP, width, height)
