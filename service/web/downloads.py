"""Passes finished videos on as files, from where Runware keeps them."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from service.clips.filenames import ascii_filename, clip_filename
from service.clips.links import link_expires_at, link_gone
from service.clips.models import Clip, ProjectId, SceneKey
from service.clips.ownership import Caller
from service.clips.titles import title
from service.errors import ServiceError, VideoEmpty, VideoGone, VideoUnreachable
from service.runware.videos import OpenVideo, VideoReader
from service.web.errors import TooManyDownloads
from service.workflow.ports import Clock
from service.workflow.projects import Projects

log = structlog.get_logger(__name__)

VIDEO_MEDIA_TYPE = "video/mp4"
# At a time, in one process: each holds some 300 KB and a connection to Runware's host.
MAX_DOWNLOADS = 16
# 100 MB over a slow line; who has taken nothing for a minute is gone.
_LONGEST_S = 30 * 60
_SEND_TIMEOUT_S = 60
# A caller's report: a link may serve nothing for a moment after success.
_FILLED_WITHIN = timedelta(minutes=10)
# Several ranges in one answer are no use to a player, and are left to the host's whole answer.
_ONE_RANGE = re.compile(r"bytes=(?:[0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")


@dataclass(frozen=True, slots=True)
class Downloads:
    """Answers with the videos of finished clips.

    `ttl_seconds` is how long links to videos live, where the settings say so.
    """

    projects: Projects
    reader: VideoReader
    ttl_seconds: int | None
    clock: Clock
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_DOWNLOADS), init=False)

    async def response(
        self, project_id: ProjectId, scene: SceneKey, request: Request, caller: Caller
    ) -> Response:
        """Begin to pass a video on: all of it, or the range that the request asks for.

        Raises ProjectNotFound, ClipNotReady, TooManyDownloads, StoreUnavailable, and what the reader raises.
        """
        project, clip, url = await self.projects.finished_clip(project_id, scene, caller)
        name = clip_filename(title(project.script, project.scenes), project_id, scene)
        byte_range = request.headers.get("range", "").strip()
        if self._slots.locked():
            raise TooManyDownloads
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._slots)
            try:
                video = await held.enter_async_context(
                    self.reader.opened(url, byte_range if _ONE_RANGE.fullmatch(byte_range) else None)
                )
            except (VideoGone, VideoEmpty) as error:
                raise self._told(error, clip) from error
            return _VideoResponse(video, name, clip, held.pop_all())

    def _told(self, error: VideoGone | VideoEmpty, clip: Clip) -> ServiceError:
        now = self.clock()
        if isinstance(error, VideoEmpty) and clip.settled_at and now - clip.settled_at < _FILLED_WITHIN:
            return VideoUnreachable(
                f"The video of scene {clip.scene} is not at its link yet. Try again in a minute."
            )
        return VideoGone(link_gone(clip.scene, link_expires_at(clip, self.ttl_seconds), now))


def content_disposition(name: str) -> str:
    """Write the header by which a file is saved under its name; in ASCII for readers of nothing else."""
    plain = ascii_filename(name)
    more = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{more}'


class _VideoResponse(StreamingResponse):
    """Sends a video as fast as it is taken, and lets go of what it `held` at its end, however that comes."""

    def __init__(self, video: OpenVideo, name: str, clip: Clip, held: AsyncExitStack) -> None:
        super().__init__(
            video.chunks,
            206 if video.content_range else 200,
            headers=_headers(video, name),
            # Never the host's own word: what is saved is no page, whatever was sent.
            media_type=VIDEO_MEDIA_TYPE,
        )
        self._clip = clip
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await send(message)

        async with self._held:
            if scope["method"] == "HEAD":
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                await send({"type": "http.response.body", "body": b""})
                return
            try:
                async with asyncio.timeout(_LONGEST_S):
                    await super().__call__(scope, receive, send_in_time)
            except (ServiceError, TimeoutError) as error:
                # The answer has begun: the server breaks it off, since it is left unfinished.
                reason = str(error) or "it took too long"
                log.warning(
                    "download broke off", project=self._clip.project_id, scene=self._clip.scene, reason=reason
                )


def _headers(video: OpenVideo, name: str) -> Mapping[str, str]:
    told = {
        "Content-Length": None if video.size is None else str(video.size),
        "Content-Range": video.content_range,
        "Accept-Ranges": "bytes" if video.takes_ranges else None,
        "Content-Disposition": content_disposition(name),
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cache-Control": "private, no-store",
    }
    return {header: value for header, value in told.items() if value is not None}
