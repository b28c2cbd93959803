"""A project that changes hands while people watch it, on each store."""

import asyncio
from contextlib import aclosing

from service.clips.ownership import Operator, User
from service.workflow.ports import ProjectDraft, Store
from service.workflow.watch import Watcher
from tests.builders import NOON, frames
from tests.contract.conftest import Edit, Give
from tests.identities import ALICE, BOB


async def test_stream_of_the_owner_before_ends_and_tells_nothing_of_the_new_owners(
    store: Store, watcher: Watcher, give: Give, edit: Edit
) -> None:
    draft = ProjectDraft(frames=frames(1), scenes={}, user_id=ALICE)
    project_id = await store.create_project(draft, NOON)
    stream = await watcher.watch(project_id, User(ALICE), 0)
    async with aclosing(await watcher.watch(project_id, Operator(), 0)) as of_the_operator:
        await anext(stream)
        await anext(of_the_operator)
        await give(project_id, BOB)
        await edit(project_id, {"1": {"description": "What Bob wrote."}})
        watcher.look_soon()
        async with asyncio.timeout(30):
            assert [update async for update in stream] == []
            assert (await anext(of_the_operator)).state.project.user_id == BOB


async def test_another_owner_is_an_edit_and_the_same_one_is_none(store: Store, give: Give) -> None:
    draft = ProjectDraft(frames=frames(1), scenes={}, user_id=ALICE)
    project_id = await store.create_project(draft, NOON)
    begun = (await store.changes({project_id: 0}))[project_id].edited
    await give(project_id, ALICE)
    assert (await store.changes({project_id: 0}))[project_id].edited == begun
    await give(project_id, BOB)
    assert (await store.changes({project_id: begun}))[project_id].edited > begun
