"""How each store's work grows with the clips of one project: 1,000, 5,000 and 10,000.

Each time stands beside its ratio to that of 1,000 clips: what grows as the number does shows 5 and 10.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from service.clips.models import Clip, ClipStatus, ProjectId
from service.stores.sqlite import SQLiteStore
from service.stores.supabase import SupabaseStore
from service.workflow.ports import ProjectDraft, Store
from tests.builders import NOON, clip, frames, succeeded
from tests.postgres import running_postgres
from tests.postgrest import serving_supabase

SIZES = (1_000, 5_000, 10_000)
# As many tasks as one request has.
BATCH = 25


async def times(store: Store, size: int) -> dict[str, float]:
    """Give the seconds of each step of a project's clips, from their record to their results."""
    seconds: dict[str, float] = {}

    async def timed(name: str, *works: Awaitable[object]) -> None:
        started = time.perf_counter()
        for work in works:
            await work
        seconds[name] = time.perf_counter() - started

    async def save_all(change: Callable[[Clip], Clip]) -> None:
        clips = [change(one) for one in await store.all_clips(project_id)]
        for start in range(0, size, BATCH):
            await store.save(clips[start : start + BATCH], NOON)

    scenes = {str(n): {"description": f"Scene {n}. " + "A boat leaves. " * 10} for n in range(1, size + 1)}
    draft = ProjectDraft(frames=frames(*range(1, size + 1)), scenes=scenes)
    project_id = await store.create_project(draft, NOON)
    await timed("record", store.record(project_id, _clips(project_id, size), NOON))
    await timed("mark as sent", save_all(lambda one: replace(one, sends=1, last_sent_at=NOON)))
    await timed("take as pending", save_all(lambda one: replace(one, status=ClipStatus.PENDING)))
    await timed("claim", _claimed(store, size))
    await timed("read state", store.changes({project_id: 0}))
    await timed("read current", store.current_clips(project_id))
    await timed("settle", save_all(succeeded))
    await timed("list", store.projects(48))
    return seconds


async def _claimed(store: Store, size: int) -> None:
    for _ in range(0, size, 1000):
        await store.claim("benchmark", NOON, NOON + timedelta(seconds=8), 1000)


def _clips(project_id: ProjectId, size: int) -> Sequence[Clip]:
    return [clip(str(n), project_id=project_id) for n in range(1, size + 1)]


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """Open a new store of either kind."""
    if kind == "sqlite":
        async with SQLiteStore(folder / "clips.db") as store:
            yield store
        return
    with running_postgres() as server, server.database() as dsn:
        async with (
            serving_supabase(dsn) as supabase,
            SupabaseStore(supabase.url, supabase.service_role_key) as store,
        ):
            yield store


async def measure(kind: str, sizes: Sequence[int]) -> None:
    """Print what each size takes, in a database of its own, and its ratio to the first."""
    first: dict[str, float] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            async with opened(kind, Path(folder)) as store:
                took = await times(store, size)
        first = first or took
        shown = ", ".join(f"{name} {s:.2f} s ({s / first[name]:.1f})" for name, s in took.items())
        print(f"{kind}, {size} clips: {shown}", flush=True)


if __name__ == "__main__":
    asked = [int(size) for size in sys.argv[2:]] or SIZES
    asyncio.run(measure(sys.argv[1] if len(sys.argv) > 1 else "sqlite", asked))
