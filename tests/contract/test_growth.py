"""Work grows as the number of clips does: counted in steps of SQLite, never in time."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from service.clips.models import Clip, ClipStatus, ProjectId
from service.stores.sqlite import SQLiteStore
from service.workflow.ports import ProjectDraft, Store
from tests.builders import NOON, clip, frames
from tests.contract.steps import Steps

FEW, MANY = 100, 1000
# Ten times as many clips; the rest is room for what a tree's depth and a sort add.
MOST_TIMES = 16
BATCH = 25
Step = Callable[[Store, ProjectId, int], Awaitable[object]]


async def saved(store: Store, project_id: ProjectId, size: int, change: Callable[[Clip], Clip]) -> None:
    """Save all clips, a request's tasks at a time."""
    clips = [change(one) for one in await store.all_clips(project_id)]
    assert len(clips) == size
    for start in range(0, size, BATCH):
        assert len(await store.save(clips[start : start + BATCH], NOON)) == BATCH


async def record(store: Store, project_id: ProjectId, size: int) -> None:
    clips = [clip(str(n), project_id=project_id) for n in range(size)]
    assert len(await store.record(project_id, clips, NOON)) == size


async def send(store: Store, project_id: ProjectId, size: int) -> None:
    await saved(store, project_id, size, lambda one: replace(one, sends=1, last_sent_at=NOON))


async def take(store: Store, project_id: ProjectId, size: int) -> None:
    await saved(store, project_id, size, lambda one: replace(one, status=ClipStatus.PENDING))


async def claim(store: Store, _project_id: ProjectId, size: int) -> None:
    assert len(await store.claim("poller", NOON, NOON + timedelta(seconds=8), size)) == size


async def read(store: Store, project_id: ProjectId, size: int) -> None:
    assert len((await store.changes({project_id: 0}))[project_id].clips) == size
    assert len(await store.current_clips(project_id)) == size
    assert await store.project(project_id) is not None


STEPS: dict[str, Step] = {
    "record": record,
    "send": send,
    "take": take,
    "claim": claim,
    "read": read,
}


async def new_project(store: Store, scenes: int) -> ProjectId:
    draft = ProjectDraft(
        frames=frames(*range(scenes)), scenes={str(n): {"description": "A boat."} for n in range(scenes)}
    )
    return await store.create_project(draft, NOON)


async def steps_of(path: Path, size: int) -> dict[str, int]:
    """Give how many steps SQLite takes for each part of a project's life."""
    async with SQLiteStore(path) as store:
        steps = Steps()
        await steps.begin(store)
        project_id = await new_project(store, size)
        taken = {}
        for name, step in STEPS.items():
            steps.taken()
            await step(store, project_id, size)
            taken[name] = steps.taken()
        return taken


async def test_work_in_sqlite_grows_as_the_number_of_clips_does(tmp_path: Path) -> None:
    few = await steps_of(tmp_path / "few.db", FEW)
    many = await steps_of(tmp_path / "many.db", MANY)
    assert {name: most for name, most in many.items() if most > MOST_TIMES * few[name]} == {}, few
