"""Reads finished videos from where Runware keeps them, piece by piece."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from service.errors import VideoEmpty, VideoGone, VideoRangeRefused, VideoUnreachable, VideoUnusable
from service.runware.results import URLCheck

# Eight seconds of 4K are some 100 MB; what is far beyond is no clip.
MAX_VIDEO_BYTES = 2**30
_MOST_REDIRECTS = 3
_ANSWER_WITHIN = timedelta(seconds=30)
# Time between two pieces, while somebody takes them: aiohttp stops this clock while nobody reads.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_MOMENTARY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
# A page that explains an error under 200, as some stores answer. Videos also come as octet streams.
_NO_VIDEO = re.compile(r"text/|application/(json|xml|xhtml)")
_CONTENT_RANGE = re.compile(r"bytes [0-9]{1,15}-[0-9]{1,15}/(?:[0-9]{1,15}|\*)")


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """A video, or the part of it that was asked for.

    `size` is that of all `chunks` together, in bytes, None where the host does not say. `content_range` is
    set for a part, as in the header of its name. `chunks` raises VideoUnreachable where the video breaks off,
    and VideoUnusable where it goes on for too long.
    """

    size: int | None
    content_range: str | None
    takes_ranges: bool
    chunks: AsyncIterator[bytes]


class VideoReader:
    """Reads videos from hosts that `check` allows, without credentials or cookies, a piece at a time.

    Redirects are followed as far as `check` allows each of their URLs.
    """

    def __init__(self, check: URLCheck) -> None:
        self._check = check
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            # Bytes are passed on as they come; a small compressed answer can be a huge one.
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def opened(self, url: str, byte_range: str | None = None) -> AsyncIterator[OpenVideo]:
        """Ask for a video, or for a range of its bytes; its first bytes are there when this gives it.

        The connection is closed at the end. Raises VideoGone, VideoEmpty, VideoRangeRefused,
        VideoUnreachable and VideoUnusable.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
                    response = await self._response(url, byte_range, held)
                    first = await _first_bytes(response)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise VideoUnreachable(
                    f"{urlsplit(url).hostname} does not answer. Try again in a minute."
                ) from error
            partial = response.status == HTTPStatus.PARTIAL_CONTENT
            chunks = await held.enter_async_context(aclosing(_chunks(response, first)))
            yield OpenVideo(
                size=response.content_length,
                content_range=response.headers.get("Content-Range") if partial else None,
                takes_ranges=partial or response.headers.get("Accept-Ranges") == "bytes",
                chunks=chunks,
            )

    async def _response(
        self, url: str, byte_range: str | None, held: AsyncExitStack
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("The reader is used before it is opened.")
        headers = {} if byte_range is None else {"Range": byte_range}
        for _ in range(1 + _MOST_REDIRECTS):
            refused = self._check(url)
            if refused is not None:
                raise VideoUnusable(
                    f"The video is not passed on: {refused}. An operator can allow its host by VIDEO_HOSTS."
                )
            # Encoded as it is: a signature is over the very characters of its URL.
            response = await self._session.get(URL(url, encoded=True), headers=headers, allow_redirects=False)
            held.callback(response.close)
            if response.status not in _REDIRECTS:
                return response
            url = _joined(url, response.headers.get("Location", ""))
        raise VideoUnusable("The video's link leads from one address to the next without an end.")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        # Nobody's address, as the check will say.
        return location


async def _first_bytes(response: aiohttp.ClientResponse) -> bytes:
    """Read until there is something to pass on. Raises what an answer without a video means."""
    _require_success(response)
    host = response.url.host
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise VideoUnusable(f"{host} gives the video in an encoding that was not asked for.")
    if (response.content_length or 0) > MAX_VIDEO_BYTES:
        raise VideoUnusable(f"{host} gives {response.content_length} bytes, too many for a clip.")
    first = await response.content.readany()
    if not first:
        raise VideoEmpty(f"{host} has a video of 0 bytes.")
    if _NO_VIDEO.match(response.content_type):
        raise VideoUnusable(f"{host} gives {response.content_type} instead of a video.")
    return first


def _require_success(response: aiohttp.ClientResponse) -> None:
    host, status = response.url.host, response.status
    content_range = response.headers.get("Content-Range", "")
    if status in _GONE:
        raise VideoGone(f"{host} does not have the video any more.")
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        if content_range == "bytes */0":
            raise VideoEmpty(f"{host} has a video of 0 bytes.")
        raise VideoRangeRefused("The video has no such bytes. Ask for others, or for all of it.")
    if status in _MOMENTARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise VideoUnreachable(f"{host} answers with status {status}. Try again in a minute.")
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise VideoUnusable(f"{host} answers with status {status} instead of the video.")
    if status == HTTPStatus.PARTIAL_CONTENT and not _CONTENT_RANGE.fullmatch(content_range):
        raise VideoUnusable(f"{host} gives a part of the video and does not say which.")


async def _chunks(response: aiohttp.ClientResponse, first: bytes) -> AsyncGenerator[bytes]:
    passed, chunk = 0, first
    while chunk:
        passed += len(chunk)
        if passed > MAX_VIDEO_BYTES:
            raise VideoUnusable(f"{response.url.host} gives more bytes than a clip has.")
        yield chunk
        try:
            chunk = await response.content.readany()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise VideoUnreachable(f"{response.url.host} broke the video off.") from error
