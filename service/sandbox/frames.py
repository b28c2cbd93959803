"""Frames as tasks name them, fetched or unpacked to bytes and checked to be pictures."""

import asyncio
import base64
import binascii
import io
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

import aiohttp
from PIL import Image

from service.sandbox.errors import JobFailedError
from service.sandbox.samples import draw_sample

_MAX_BYTES = 20 * 2**20
_MAX_PIXELS = 50_000_000
_FETCH_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture file that opens: its bytes, their digest and its size (width, height) in pixels."""

    content: bytes
    digest: str
    size: tuple[int, int]


class FrameReader:
    """Turns frame URLs into frames. The session is its owner's to close."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def read(self, url: str) -> Frame:
        """Return the frame behind an http(s) URL or a base64 data URI.

        Raises JobFailedError: `downloadFailed` when it can't be had, `invalidImage` when it is no picture.
        """
        if url[:5].lower() == "data:":
            return await asyncio.to_thread(_unpack, url)
        return await asyncio.to_thread(_open, await self._fetch(url))

    async def _fetch(self, url: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_FETCH_SECONDS)
        content = bytearray()
        try:
            async with self._session.get(url, timeout=timeout) as response:
                if response.status != HTTPStatus.OK:
                    raise JobFailedError("downloadFailed", f"A frame's URL answered HTTP {response.status}")
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise JobFailedError("invalidImage", f"A frame is larger than {_MAX_BYTES >> 20} MiB")
        except (aiohttp.ClientError, ValueError, TimeoutError) as failure:
            raise JobFailedError("downloadFailed", "A frame's URL can't be reached") from failure
        return bytes(content)


async def draw_stand_in(prompt: str, size: tuple[int, int]) -> tuple[Frame, Frame]:
    """Return a first and a last frame for a task that brought none, drawn from its prompt."""
    scene = sha256(prompt.encode()).hexdigest()[:8]

    def both() -> tuple[Frame, Frame]:
        return _open(draw_sample(scene, "first", size)), _open(draw_sample(scene, "last", size))

    return await asyncio.to_thread(both)


def _unpack(data_uri: str) -> Frame:
    try:
        content = base64.b64decode(data_uri.partition(",")[2], validate=True)
    except binascii.Error as failure:
        raise JobFailedError("invalidImage", "A frame's data URI isn't base64") from failure
    return _open(content)


def _open(content: bytes) -> Frame:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            size = picture.size
    except (OSError, ValueError, Image.DecompressionBombError) as failure:
        raise JobFailedError("invalidImage", "A frame is no picture that can be opened") from failure
    if size[0] * size[1] > _MAX_PIXELS:
        raise JobFailedError("invalidImage", f"A frame of {size[0]}x{size[1]} pixels is too large")
    return Frame(content, sha256(content).hexdigest(), size)
