"""Frames as tasks name them, fetched or unpacked to bytes and checked to be pictures."""

import asyncio
import base64
import binascii
import io
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
from PIL import Image

from service.sandbox.errors import JobFailedError
from service.sandbox.samples import draw_sample

# Runware's documents of October 2025; whether its megabytes are of 1000 or of 1024 isn't said there.
_SIDES = range(300, 2048 + 1)
_MAX_BYTES = 20_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_FETCH_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture file of the allowed kinds: its bytes, their digest and its size (width, height) in pixels."""

    content: bytes
    digest: str
    size: tuple[int, int]


class FrameReader:
    """Turns frame URLs into frames. The session is its owner's to close.

    Runware can't reach loopback and private addresses. So with `refuse_private` no frame there is read but
    the sandbox's own samples, below its addresses `own_urls`.
    """

    def __init__(
        self, session: aiohttp.ClientSession, own_urls: Collection[str], *, refuse_private: bool
    ) -> None:
        self._session = session
        self._own_origins = {_origin(url) for url in own_urls}
        self._refuse_private = refuse_private

    async def read(self, url: str) -> Frame:
        """Return the frame behind an http(s) URL or a base64 data URI.

        Raises JobFailedError: `downloadFailed` when it can't be had, `invalidFrameImages` when it is no
        picture that the models take.
        """
        if url[:5].lower() == "data:":
            return await asyncio.to_thread(_unpack, url)
        if self._refuse_private and _is_private(url) and not self._is_sample(url):
            raise JobFailedError(
                "downloadFailed",
                "A frame's URL is at a loopback or private address, which can't be reached from the internet",
                "inputs.frameImages",
            )
        return await asyncio.to_thread(_judged, await self._fetch(url))

    def _is_sample(self, url: str) -> bool:
        return _origin(url) in self._own_origins and urlsplit(url).path.startswith("/frames/")

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
                        raise _refused("is larger than 20 MB")
        except (aiohttp.ClientError, ValueError, TimeoutError) as failure:
            raise JobFailedError("downloadFailed", "A frame's URL can't be reached") from failure
        return bytes(content)


async def draw_stand_in(prompt: str, size: tuple[int, int]) -> tuple[Frame, Frame]:
    """Return a first and a last frame for a task that brought none, drawn from its prompt."""
    scene = sha256(prompt.encode()).hexdigest()[:8]

    def both() -> tuple[Frame, Frame]:
        first, last = draw_sample(scene, "first", size), draw_sample(scene, "last", size)
        return Frame(first, sha256(first).hexdigest(), size), Frame(last, sha256(last).hexdigest(), size)

    return await asyncio.to_thread(both)


def _is_private(url: str) -> bool:
    """Whether a URL's host is out of the internet's reach, by its address or by a local name."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


def _origin(url: str) -> tuple[str, str]:
    """Return host and port, the names of this machine being one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return "localhost" if host in {"127.0.0.1", "::1"} else host, parts.netloc.rpartition(":")[2]


def _unpack(data_uri: str) -> Frame:
    try:
        content = base64.b64decode(data_uri.partition(",")[2], validate=True)
    except binascii.Error as failure:
        raise _refused("has a data URI that isn't base64") from failure
    if len(content) > _MAX_BYTES:
        raise _refused("is larger than 20 MB")
    return _judged(content)


def _judged(content: bytes) -> Frame:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            size = picture.size
    except (OSError, ValueError, Image.DecompressionBombError) as failure:
        raise _refused("is no PNG, JPEG or WebP that can be opened") from failure
    if not all(side in _SIDES for side in size):
        raise _refused(f"has {size[0]}x{size[1]} pixels; each side must have {_SIDES[0]} to {_SIDES[-1]}")
    return Frame(content, sha256(content).hexdigest(), size)


def _refused(why: str) -> JobFailedError:
    return JobFailedError("invalidFrameImages", f"A frame {why}", "inputs.frameImages")
