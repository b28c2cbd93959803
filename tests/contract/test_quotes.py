"""What a project is quoted, against real stores: which clips are paid, and what is asked for to know it."""

from collections.abc import Sequence
from typing import Any

import pytest

from service.clips.estimate import Price
from service.clips.models import Choice, Clip, ProjectId, SceneKey
from service.clips.ownership import Operator
from service.workflow.ports import ProjectDraft, Store
from service.workflow.projects import ProjectState, read_state
from tests.builders import FAST, NOON, PLANNER, clip, failed, frames, succeeded
from tests.contract.conftest import Edit

LEAVES: Any = {"description": "A boat leaves.", "duration": 4}
ARRIVES: Any = {"description": "A boat arrives.", "duration": 4}


@pytest.fixture
async def project_id(store: Store) -> ProjectId:
    return await store.create_project(
        ProjectDraft(frames=frames(1, 2), scenes={"1": LEAVES, "2": LEAVES}), NOON
    )


async def state_of(store: Store, project_id: ProjectId) -> ProjectState:
    return await read_state(store, project_id, Operator(), PLANNER)


async def paid(store: Store, project_id: ProjectId) -> list[SceneKey]:
    quotes = (await state_of(store, project_id)).quotes(Price(0.2, "table"))
    return [scene for scene, quote in quotes.items() if quote.paid]


async def made(
    store: Store, project_id: ProjectId, *scenes: str, prompt: str = "A boat leaves."
) -> list[Clip]:
    wanted = [clip(scene, project_id=project_id, prompt=prompt) for scene in scenes]
    stored = await store.record(project_id, wanted, NOON)
    await store.save([succeeded(one) for one in stored], NOON)
    return list(stored)


async def outdated(store: Store, project_id: ProjectId) -> Sequence[SceneKey]:
    state = await state_of(store, project_id)
    return sorted(one.scene for one in state.clips.values() if state.outdated(one))


async def test_nothing_is_paid_before_anything_was_made(store: Store, project_id: ProjectId) -> None:
    assert await paid(store, project_id) == []


async def test_scene_is_paid_from_its_entry_in_the_ledger_on_until_it_fails(
    store: Store, project_id: ProjectId
) -> None:
    one, other = await store.record(
        project_id, [clip(scene, project_id=project_id) for scene in ("1", "2")], NOON
    )
    assert await paid(store, project_id) == ["1", "2"]
    await store.save([failed(one), succeeded(other)], NOON)
    assert await paid(store, project_id) == ["2"]


async def test_edit_outdates_a_clip_and_taking_it_back_costs_nothing(
    store: Store, project_id: ProjectId, edit: Edit
) -> None:
    await made(store, project_id, "1", "2")
    assert await outdated(store, project_id) == []
    await edit(project_id, {"1": ARRIVES, "2": LEAVES})
    assert (await outdated(store, project_id), await paid(store, project_id)) == (["1"], ["2"])
    await edit(project_id, {"1": LEAVES, "2": LEAVES})
    assert (await outdated(store, project_id), await paid(store, project_id)) == ([], ["1", "2"])


async def test_older_clip_for_exactly_what_is_asked_for_is_paid(
    store: Store, project_id: ProjectId, edit: Edit
) -> None:
    await made(store, project_id, "1")
    await edit(project_id, {"1": ARRIVES, "2": LEAVES})
    await made(store, project_id, "1", prompt="A boat arrives.")
    await edit(project_id, {"1": LEAVES, "2": LEAVES})
    assert (await outdated(store, project_id), await paid(store, project_id)) == (["1"], ["1"])


async def test_older_clip_that_failed_is_not_paid(store: Store, project_id: ProjectId, edit: Edit) -> None:
    (one,) = await store.record(project_id, [clip("1", project_id=project_id)], NOON)
    await store.save([failed(one)], NOON)
    await edit(project_id, {"1": ARRIVES, "2": LEAVES})
    await made(store, project_id, "1", prompt="A boat arrives.")
    await edit(project_id, {"1": LEAVES, "2": LEAVES})
    assert (await outdated(store, project_id), await paid(store, project_id)) == (["1"], [])


async def test_another_choice_outdates_all_and_going_back_is_paid(
    store: Store, project_id: ProjectId
) -> None:
    await made(store, project_id, "1", "2")
    await store.choose(project_id, Choice(FAST), NOON)
    assert (await outdated(store, project_id), await paid(store, project_id)) == (["1", "2"], [])
    await store.choose(project_id, Choice(), NOON)
    assert (await outdated(store, project_id), await paid(store, project_id)) == ([], ["1", "2"])


async def test_clip_of_a_scene_that_lost_a_frame_is_neither_quoted_nor_outdated(
    store: Store, edit: Edit
) -> None:
    draft = ProjectDraft(frames=frames(1), scenes={"1": LEAVES, "2": LEAVES})
    project_id = await store.create_project(draft, NOON)
    await made(store, project_id, "1", "2")
    await edit(project_id, {"1": LEAVES, "2": ARRIVES})
    assert await outdated(store, project_id) == []
    assert await paid(store, project_id) == ["1"]


async def test_project_of_a_model_that_is_not_allowed_any_more_is_read_without_quotes(
    store: Store, project_id: ProjectId
) -> None:
    await made(store, project_id, "1")
    await store.choose(project_id, Choice("luma:ray@3.2"), NOON)
    state = await state_of(store, project_id)
    assert (state.quotes(None), await outdated(store, project_id)) == ({}, [])
    assert state.progress.completed == 1
    assert state.project.choice == Choice("luma:ray@3.2")
