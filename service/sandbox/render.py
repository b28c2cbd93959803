"""Clips on disk: rendered in worker threads, once for all jobs that ask for the same one."""

import asyncio
import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self
from uuid import uuid4

from service.sandbox.encoding import FORMATS, ClipSpec, encode_clip

_PREFIX = "clip-"


class Renderer:
    """Renders clips into a folder, as an async context manager.

    The folder holds at most `cache_bytes` of clips: those unused for longest are deleted. Clips of an
    earlier run are used again.
    """

    def __init__(self, folder: Path, *, cache_bytes: int) -> None:
        self._folder = folder
        self._cache_bytes = cache_bytes
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._total = 0
        self._under_way: dict[Path, asyncio.Future[int]] = {}
        self._workers = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="render")
        self._stop = threading.Event()

    async def __aenter__(self) -> Self:
        for file, size in await asyncio.to_thread(_find_clips, self._folder):
            self._keep(file, size)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.to_thread(self._workers.shutdown, cancel_futures=True)
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def render(self, spec: ClipSpec) -> Path:
        """Return the file of the clip. Raises JobFailedError for a frame that can't be decoded."""
        file = self._folder / f"{_PREFIX}{spec.key()}.{FORMATS[spec.output_format].suffix}"
        if file in self._sizes:
            self._sizes.move_to_end(file)
            return file
        rendering = self._under_way.get(file)
        if rendering is None:
            loop = asyncio.get_running_loop()
            rendering = loop.run_in_executor(self._workers, _render, spec, file, self._stop)
            self._under_way[file] = rendering
            rendering.add_done_callback(lambda ended: self._end(file, ended))
        # A job that is cancelled must not take the clip from the others that wait for it.
        await asyncio.shield(rendering)
        return file

    def _end(self, file: Path, rendering: asyncio.Future[int]) -> None:
        del self._under_way[file]
        if not rendering.cancelled() and rendering.exception() is None:
            self._keep(file, rendering.result())

    def _keep(self, file: Path, size: int) -> None:
        self._sizes[file] = size
        self._total += size
        while self._total > self._cache_bytes and len(self._sizes) > 1:
            oldest, size = self._sizes.popitem(last=False)
            oldest.unlink(missing_ok=True)
            self._total -= size


def _find_clips(folder: Path) -> list[tuple[Path, int]]:
    """Return the clips in a folder, which is made if it isn't there, and their bytes; the oldest first."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [(file, file.stat()) for file in folder.glob(f"{_PREFIX}*")]
    return [(file, stat.st_size) for file, stat in sorted(found, key=lambda clip: clip[1].st_mtime)]


def _render(spec: ClipSpec, file: Path, stop: threading.Event) -> int:
    """Write the clip beside its place, move it there when it is whole, and return its bytes."""
    draft = file.with_name(f"draft-{uuid4().hex}{file.suffix}")
    try:
        encode_clip(spec, draft, stop)
        size = draft.stat().st_size
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return size
