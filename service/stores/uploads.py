"""Uploaded frames in a folder of this machine."""

import asyncio
import hashlib
import os
import re
import tempfile
from pathlib import Path

from service.clips.images import ImageType
from service.errors import StoreUnavailable

_NAME = re.compile(r"[0-9a-f]{64}(\.[a-z]+)")


class LocalUploads:
    """Keeps images under names made of their content. Fulfils the workflow's `Uploads`.

    The name is the SHA-256 of the content: the same image is kept once, and nobody guesses the name of one
    that they don't have. Nothing is ever deleted, since a project may be generated again at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, image: bytes, image_type: ImageType) -> str:
        """Keep an image for good; gives its name."""
        name = hashlib.sha256(image).hexdigest() + image_type.suffix
        await asyncio.to_thread(self._write, name, image)
        return name

    async def find(self, name: str) -> tuple[Path, ImageType] | None:
        """Find a kept image by its name; None for any other name."""
        match = _NAME.fullmatch(name)
        image_type = next((kind for kind in ImageType if match and kind.suffix == match[1]), None)
        path = self._folder / name
        if image_type is None or not await asyncio.to_thread(path.is_file):
            return None
        return path, image_type

    def _write(self, name: str, image: bytes) -> None:
        path = self._folder / name
        try:
            self._folder.mkdir(exist_ok=True)
            if path.is_file():
                return
            # Renamed when it is whole, so that no reader and no crash ever meets half an image.
            descriptor, unfinished = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(image)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(path)
        except OSError as error:
            raise StoreUnavailable(
                f"The image could not be kept ({error.strerror}). Check the disk that the database is on."
            ) from error
