"""A disk without room: it is said so, nothing is left behind, and it passes when there is room again."""

import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest

from service.app import build_app
from service.clips.images import ImageType
from service.errors import StoreFull, StoreUnavailable
from service.serving import listen, serving
from service.stores.sqlite import SQLiteStore
from service.stores.uploads import LocalUploads
from service.workflow.ports import ProjectDraft
from tests.builders import NOON, frames
from tests.harness import service_settings

LONG = "x" * 1_000_000


async def limit_pages(store: SQLiteStore, pages: int) -> None:
    """Let the file grow to so many pages and no further, as a disk without room would: SQLITE_FULL."""
    await store._writer.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())


def project(script: str | None = None) -> ProjectDraft:
    return ProjectDraft(frames=frames(1), scenes={}, script=script)


async def test_full_disk_is_named_and_leaves_what_there_was_readable(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path / "clips.db") as store:
        project_id = await store.create_project(project(), NOON)
        await limit_pages(store, 1)
        with pytest.raises(StoreFull, match=r"The disk of the database clips\.db is full"):
            await store.create_project(project(LONG), NOON)
        assert await store.project(project_id) is not None
        assert len(await store.projects(10)) == 1


async def test_store_stays_full_until_a_write_finds_room(tmp_path: Path) -> None:
    async with SQLiteStore(tmp_path / "clips.db") as store:
        await limit_pages(store, 1)
        with pytest.raises(StoreFull):
            await store.create_project(project(LONG), NOON)
        with pytest.raises(StoreFull):
            await store.missing_migrations()
        await limit_pages(store, 1_000_000)
        assert await store.missing_migrations() == []
        await store.create_project(project(LONG), NOON)


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[tuple[str, aiohttp.ClientSession, SQLiteStore]]:
    app = build_app(service_settings("http://127.0.0.1:9", tmp_path / "clips.db"))
    store = app.state.end_streams.__self__.store
    listening, url = listen()
    async with serving(app, listening), aiohttp.ClientSession() as session:
        yield url, session, store


async def test_readiness_says_that_nothing_can_be_written(tmp_path: Path) -> None:
    async with running(tmp_path) as (url, session, store):
        await limit_pages(store, 1)
        body = {"frames": {}, "script": LONG}
        async with session.post(f"{url}/projects", json=body) as response:
            answer = await response.json()
            assert (response.status, answer["code"]) == (503, "store_unavailable")
            assert "is full" in answer["error"]
        async with session.get(f"{url}/readyz") as response:
            answer = await response.json()
            assert (response.status, answer["ready"], answer["store"]) == (503, False, "full")
        await limit_pages(store, 1_000_000)
        async with session.get(f"{url}/readyz") as response:
            assert (response.status, (await response.json())["store"]) == (200, "reachable")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Have every write beyond so many bytes of a file fail, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_upload_that_finds_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    uploads = LocalUploads(tmp_path / "uploads", "/uploads")
    image = os.urandom(3_000_000)
    with files_of_at_most(1_000_000), pytest.raises(StoreUnavailable, match="could not be kept"):
        await uploads.keep(image, ImageType.PNG)
    assert list((tmp_path / "uploads").iterdir()) == []
    await uploads.keep(image, ImageType.PNG)
    assert [file.stat().st_size for file in (tmp_path / "uploads").iterdir()] == [3_000_000]
