"""Frames that Runware can't fetch go along with their task, as base64 data URIs.

The ledger, the fingerprint and the logs know a frame by its URL alone: the image is read right before its
task is sent, and held no longer.
"""

import asyncio
import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.clips.frames import FrameRules
from service.clips.images import kept_image_type
from service.clips.models import Clip, Failure, FailureKind, TaskUUID

_LENGTH_OF_3_BYTES = 4


class KeptImages(Protocol):
    """The images that the service itself keeps, by their names. Neither method raises."""

    async def sizes(self, names: Collection[str]) -> Mapping[str, int]:
        """Give the sizes of images in bytes; what can't be read is left out."""

    async def read(self, name: str) -> bytes | None:
        """Read an image; None if it can't be read."""


@dataclass(frozen=True, slots=True)
class Enclosures:
    """What goes along with a batch's tasks: data URIs by the URLs that they stand for.

    `failures` are of the clips of which a frame could not be read.
    """

    data_uris: Mapping[str, str]
    failures: Mapping[TaskUUID, Failure]


@dataclass(frozen=True, slots=True)
class Frames:
    """Tells which frames of clips must go along, and reads them."""

    rules: FrameRules
    kept: KeptImages

    async def bytes_sent(self, clips: Sequence[Clip]) -> Mapping[TaskUUID, int]:
        """Say of each clip how many bytes its frames add to a request; 0 where Runware fetches them."""
        names = {
            clip.task_uuid: list(filter(None, map(self.rules.upload_to_send, _frames(clip))))
            for clip in clips
        }
        to_read = {name for used in names.values() for name in used}
        sizes = await self.kept.sizes(to_read) if to_read else {}
        return {
            task: sum(_base64_length(sizes.get(name, 0)) for name in used) for task, used in names.items()
        }

    async def enclosures(self, clips: Sequence[Clip]) -> Enclosures:
        """Read what must go along with these clips' tasks; an image that several use is read once."""
        names = {url: self.rules.upload_to_send(url) for clip in clips for url in _frames(clip)}
        read = {url: await self._data_uri(name) for url, name in names.items() if name is not None}
        failures = {
            clip.task_uuid: failure
            for clip in clips
            if (failure := _unreadable(clip, {url for url, uri in read.items() if uri is None}))
        }
        return Enclosures({url: uri for url, uri in read.items() if uri is not None}, failures)

    async def _data_uri(self, name: str) -> str | None:
        image_type, content = kept_image_type(name), await self.kept.read(name)
        if image_type is None or content is None:
            return None
        encoded = await asyncio.to_thread(base64.b64encode, content)
        return f"data:{image_type};base64,{encoded.decode('ascii')}"


def _frames(clip: Clip) -> tuple[str, str]:
    return clip.request.first_frame, clip.request.last_frame


def _unreadable(clip: Clip, urls: Collection[str]) -> Failure | None:
    ends = zip(("first_frame", "last_frame"), _frames(clip), strict=True)
    names = [end for end, url in ends if url in urls]
    if not names:
        return None
    message = (
        f"The uploaded image of {' and '.join(names)} can't be read any more, so that the clip could not be "
        "sent. Upload the image again, then retry the clip."
    )
    return Failure(FailureKind.REJECTED, "frameUnreadable", message)


def _base64_length(size: int) -> int:
    return -(-size // 3) * _LENGTH_OF_3_BYTES
