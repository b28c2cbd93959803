"""Uploaded frames: in a folder of this machine, or in a bucket of a Supabase project.

Their names are the SHA-256 of their content: the same image is kept once, and nobody guesses the name of one
that they don't have. Nothing is ever deleted, since a project may be generated again at any time.

Beside each lies a small version for the page, as far as one can be made: in the folder once somebody asks for
it, in the bucket since the upload.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import structlog
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from service.clips.images import ImageType, kept_image_type, original_name, small_name
from service.errors import StoreUnavailable
from service.stores.small_images import small_version
from service.stores.supabase import ONCE_MORE

log = structlog.get_logger(__name__)

BUCKET = "images"
# For each part of a request; twenty megabytes come in many.
_TIMEOUT = httpx.Timeout(20, connect=5)
_YEAR_S = 365 * 24 * 3600


class LocalUploads:
    """Keeps images in a folder; the service gives them out under `path`. Fulfils the workflow's `Uploads`."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder = folder
        self._path = path

    async def keep(self, image: bytes, image_type: ImageType) -> str:
        """Keep an image for good; gives its URL, without the service's own host."""
        name = _name(image, image_type)
        await asyncio.to_thread(self._write, name, image)
        return f"{self._path}/{name}"

    async def find(self, name: str) -> tuple[Path, ImageType] | None:
        """Find a kept image, or its small version, by its name; None for any other name."""
        if (original := original_name(name)) is not None:
            return await self._find_small(original)
        image_type = kept_image_type(name)
        path = self._folder / name
        if image_type is None or not await asyncio.to_thread(path.is_file):
            return None
        return path, image_type

    async def _find_small(self, original: str) -> tuple[Path, ImageType] | None:
        path = self._folder / small_name(original)
        if await asyncio.to_thread(path.is_file):
            return path, ImageType.WEBP
        image = await self.read(original)
        small = None if image is None else await small_version(image, original)
        if small is None:
            return None
        await asyncio.to_thread(self._write, path.name, small)
        return path, ImageType.WEBP

    async def sizes(self, names: Collection[str]) -> Mapping[str, int]:
        """Give the sizes of kept images in bytes; what can't be read is left out."""
        return await asyncio.to_thread(self._sizes, names)

    async def read(self, name: str) -> bytes | None:
        """Read a kept image; None if there is none of this name, or it can't be read."""
        if kept_image_type(name) is None:
            return None
        try:
            return await asyncio.to_thread((self._folder / name).read_bytes)
        except OSError:
            return None

    def _sizes(self, names: Collection[str]) -> Mapping[str, int]:
        sizes: dict[str, int] = {}
        for name in filter(kept_image_type, names):
            with suppress(OSError):
                sizes[name] = (self._folder / name).stat().st_size
        return sizes

    def _write(self, name: str, image: bytes) -> None:
        path = self._folder / name
        try:
            self._folder.mkdir(exist_ok=True)
            if path.is_file():
                return
            # Renamed when it is whole, so that no reader and no crash ever meets half an image.
            descriptor, unfinished = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(image)
                    file.flush()
                    os.fsync(file.fileno())
                Path(unfinished).replace(path)
            finally:
                # What was not renamed would take room for good.
                Path(unfinished).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"The image could not be kept ({error.strerror}). Check the disk that the database is on."
            ) from error


class SupabaseUploads:
    """Keeps images in the public bucket `images` of a Supabase project. Fulfils the workflow's `Uploads`."""

    def __init__(self, url: str, service_role_key: str) -> None:
        self._url = url
        self._key = service_role_key
        self._http = httpx.AsyncClient(timeout=_TIMEOUT)
        self._client: AsyncClient | None = None

    async def __aenter__(self) -> Self:
        options = AsyncClientOptions(httpx_client=self._http, auto_refresh_token=False, persist_session=False)
        self._client = await create_async_client(self._url, self._key, options)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def keep(self, image: bytes, image_type: ImageType) -> str:
        """Keep an image for good; gives its public URL."""
        name = _name(image, image_type)
        try:
            url = await self._put(name, image, image_type)
        except StorageApiError as error:
            raise StoreUnavailable(
                f"Supabase did not keep the image ({error.code}, {error.status}). See that the project has a "
                f"public bucket {BUCKET} that takes images of 20 MB: create it under Storage, or by the SQL "
                "of clips migrate --print."
            ) from error
        except httpx.HTTPError as error:
            raise StoreUnavailable(
                f"Supabase's storage can't be reached ({type(error).__name__}). Upload the image again; if "
                "it stays so, check SUPABASE_URL and the state of the Supabase project."
            ) from error
        await self._keep_small(name, image)
        return url

    async def _keep_small(self, name: str, image: bytes) -> None:
        small = await small_version(image, name)
        if small is None:
            return
        try:
            await self._put(small_name(name), small, ImageType.WEBP)
        except (StorageApiError, httpx.HTTPError) as error:
            # The page shows the image itself then.
            log.warning("an upload has no small version", upload=name, error=type(error).__name__)

    async def _put(self, name: str, content: bytes, image_type: ImageType) -> str:
        if self._client is None:
            raise StoreUnavailable("The store is not open. Call again when the service has started.")
        bucket = self._client.storage.from_(BUCKET)
        # The same content may come again: it replaces itself.
        options = {"content-type": image_type.value, "cache-control": str(_YEAR_S), "upsert": "true"}
        await ONCE_MORE.copy()(bucket.upload, name, content, options)
        return await bucket.get_public_url(name)

    async def find(self, name: str) -> tuple[Path, ImageType] | None:  # noqa: ARG002 - the port's signature
        """Find nothing: Supabase itself gives the images out."""
        return None


def _name(image: bytes, image_type: ImageType) -> str:
    return hashlib.sha256(image).hexdigest() + image_type.suffix
