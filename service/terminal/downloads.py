"""Saves finished clips as files, one after the other."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from uuid import UUID

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from service.terminal.answers import Job
from service.terminal.client import ClipStream, DownloadFailed, ServiceClient
from service.terminal.reports import DownloadReport, SavedClip


class Downloads:
    """Saves a project's clips in a folder, each under the name that the service gives it.

    A file that is there under that name is kept, unless `force` says otherwise: one of another size may be
    the only copy of an earlier clip.
    """

    def __init__(self, client: ServiceClient, folder: Path, view: "DownloadView", *, force: bool) -> None:
        self._client = client
        self._folder = folder
        self._view = view
        self._force = force

    async def save(self, project_id: UUID, scenes: Sequence[str]) -> DownloadReport:
        """Save the clips of these scenes, or of all; raises CallRefused and ServiceAway.

        What is not there, or can't be saved, is told of its scene, and stops no other.
        """
        jobs = {job.scene: job for job in (await self._client.project(project_id)).jobs}
        saved: list[SavedClip] = []
        for scene in dict.fromkeys(scenes or jobs):
            clip = await self._save_scene(project_id, scene, jobs.get(scene))
            self._view.tell(clip)
            saved.append(clip)
        return DownloadReport(project_id=project_id, folder=str(self._folder), clips=saved)

    async def _save_scene(self, project_id: UUID, scene: str, job: Job | None) -> SavedClip:
        if job is not None and job.status in ("submitting", "pending"):
            return SavedClip(scene=scene, status="pending")
        if job is not None and job.error is not None:
            return SavedClip(scene=scene, status="failed", error=job.error.message)
        try:
            async with self._client.download(project_id, scene) as stream:
                return await self._save_stream(scene, stream)
        except DownloadFailed as failed:
            return SavedClip(scene=scene, status="failed", error=str(failed))
        except OSError as error:
            return SavedClip(scene=scene, status="failed", error=f"{error.strerror or error}: {self._folder}")

    async def _save_stream(self, scene: str, stream: ClipStream) -> SavedClip:
        path = self._folder / stream.name
        there = _size_of(path)
        if there is not None and not self._force:
            if there == stream.size:
                return SavedClip(scene=scene, status="kept", path=str(path), bytes=there)
            another = f"{path} is there with another size. Move it away, or replace it by --force."
            return SavedClip(scene=scene, status="failed", error=another)
        self._view.begin(stream)
        with _PartFile(path) as part:
            async for piece in stream.pieces:
                part.write(piece)
                self._view.advance(len(piece))
        return SavedClip(scene=scene, status="saved", path=str(path), bytes=part.size)


class DownloadView:
    """A line for each clip, and on a terminal a bar for the one under way; with JSON the report alone."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        live = console.is_terminal and not console.is_dumb_terminal and not as_json
        self._bars = Progress(*columns, console=console, transient=True, disable=not live)
        self._under_way = self._bars.add_task("", visible=False)

    def __enter__(self) -> Self:
        """Begin."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._bars.stop()

    def begin(self, stream: ClipStream) -> None:
        """Show that a clip begins to come."""
        self._bars.reset(self._under_way, description=stream.name, total=stream.size, visible=True)

    def advance(self, size: int) -> None:
        """Show that so many bytes of it have come."""
        self._bars.advance(self._under_way, size)

    def tell(self, clip: SavedClip) -> None:
        """Say what came of a clip."""
        self._bars.update(self._under_way, visible=False)
        self._print(line(clip))

    def end(self, report: DownloadReport) -> None:
        """Sum it up, or give the report as JSON."""
        if self._as_json:
            self._console.file.write(f"{report.model_dump_json()}\n")
            return
        there = sum(clip.path is not None for clip in report.clips)
        if report.clips:
            self._print(f"{there} of {len(report.clips)} clips are in {report.folder}")
        else:
            self._print(
                f"No clip has been asked for yet. Ask for them with: clips generate {report.project_id}"
            )

    def _print(self, text: str) -> None:
        if not self._as_json:
            self._console.print(Text(text), soft_wrap=True)


def line(clip: SavedClip) -> str:
    """Say in one line what came of a clip."""
    said = f"Scene {clip.scene}: "
    if clip.status == "saved":
        return f"{said}saved as {clip.path} ({decimal(clip.bytes or 0)})"
    if clip.status == "kept":
        return f"{said}is there already as {clip.path}"
    return said + ("still being made" if clip.status == "pending" else f"not saved: {clip.error}")


def _size_of(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


class _PartFile:
    """A file that is there under its name only when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._file: IO[bytes]
        self.size = 0

    def __enter__(self) -> Self:
        self._file = self._part.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self.size += len(piece)
