"""What was chosen for a project decides what is bought for it, against a real store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.clips.catalogue import Catalogue
from service.clips.models import Choice, Clip, ProjectId
from service.clips.ownership import Anonymous, Operator
from service.clips.planning import Planner
from service.errors import ChoiceRefused, ProjectNotFound
from service.runware.models import video_model
from service.workflow.generate import Generator
from service.workflow.ports import ProjectDraft
from tests.builders import FAST, LITE, SETTINGS, VEO, frames
from tests.contract.test_workflow import FAILURE, SUCCESS, Parts, running_parts
from tests.identities import ALICE


@dataclass(slots=True)
class Shop:
    """A generator over one project of two scenes, and what it has bought."""

    parts: Parts
    generator: Generator
    project_id: ProjectId

    async def generate(self, choice: Choice | None = None) -> list[Clip]:
        generated = await self.generator.generate(self.project_id, Operator(), choice)
        return [scene.clip for scene in generated.scenes if scene.clip]

    async def choice(self) -> Choice:
        project = await self.parts.store.project(self.project_id)
        assert project is not None
        return project.choice

    @property
    def bought(self) -> int:
        return len(self.parts.provider.submitted)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with running_parts(tmp_path) as parts:
        parts.provider.outcome = SUCCESS
        draft = ProjectDraft(frames=frames(1, 2), scenes={"1": {"duration": 5}}, user_id=ALICE)
        project_id = await parts.store.create_project(draft, parts.clock())
        yield Shop(parts, parts.generator, project_id)


async def test_clips_are_made_as_was_chosen(shop: Shop) -> None:
    clips = await shop.generate(Choice(LITE, "1080p", audio=True))
    made = {(one.request.settings.model, one.request.settings.resolution) for one in clips}
    assert made == {(LITE, "1080p")}
    assert all(one.request.settings.generate_audio for one in clips)


async def test_without_a_choice_the_installations_default_is_made_as_ever(shop: Shop) -> None:
    assert [one.request.settings for one in await shop.generate()] == [SETTINGS] * 2
    assert await shop.choice() == Choice()


async def test_call_without_a_choice_keeps_the_earlier_one(shop: Shop) -> None:
    first = await shop.generate(Choice(LITE))
    assert await shop.generate() == first
    assert shop.bought == 2


async def test_draft_and_final_are_both_kept_and_going_back_pays_nothing(shop: Shop) -> None:
    draft = await shop.generate(Choice(LITE))
    final = await shop.generate(Choice(VEO))
    assert shop.bought == 4
    assert {one.task_uuid for one in draft}.isdisjoint(one.task_uuid for one in final)
    again = await shop.generate(Choice(LITE))
    assert [one.task_uuid for one in again] == [one.task_uuid for one in draft]
    assert [one.task_uuid for one in await shop.generate(Choice(VEO))] == [one.task_uuid for one in final]
    assert shop.bought == 4


async def test_retry_makes_what_was_chosen(shop: Shop) -> None:
    shop.parts.provider.outcome = FAILURE
    await shop.generate(Choice(FAST, "4K"))
    shop.parts.provider.outcome = SUCCESS
    retried = await shop.generator.retry(shop.project_id, None, Operator())
    settings = [scene.clip.request.settings for scene in retried.scenes if scene.clip]
    assert settings == [replace(SETTINGS, model=FAST, resolution="4K")] * 2


@pytest.mark.parametrize(
    "choice", [Choice("luma:ray@3.2"), Choice(LITE, "4K"), Choice(resolution="8K"), Choice(model="")]
)
async def test_choice_that_is_refused_changes_and_buys_nothing(shop: Shop, choice: Choice) -> None:
    with pytest.raises(ChoiceRefused):
        await shop.generate(choice)
    assert (await shop.choice(), shop.bought) == (Choice(), 0)


async def test_stranger_learns_nothing_and_chooses_nothing(shop: Shop) -> None:
    with pytest.raises(ProjectNotFound):
        await shop.generator.generate(shop.project_id, Anonymous(), Choice(LITE))
    assert await shop.choice() == Choice()


async def test_chosen_model_that_is_not_allowed_any_more_is_refused_with_a_sentence(shop: Shop) -> None:
    await shop.generate(Choice(LITE))
    narrower = replace(shop.parts.generator, planner=Planner(Catalogue([video_model(VEO)], SETTINGS)))
    for call in (
        narrower.generate(shop.project_id, Operator()),
        narrower.retry(shop.project_id, None, Operator()),
    ):
        with pytest.raises(ChoiceRefused, match=r"veo@3\.1-lite is not allowed here.*google:3@2"):
            await call
    assert shop.bought == 2


async def test_durations_follow_the_chosen_model(shop: Shop) -> None:
    kling = "klingai:kling-video@3-standard"
    catalogue = Catalogue([video_model(air) for air in (VEO, kling)], SETTINGS)
    wide = replace(shop.parts.generator, planner=Planner(catalogue))
    default = await wide.generate(shop.project_id, Operator())
    chosen = await wide.generate(shop.project_id, Operator(), Choice(kling))
    seconds = [[one.clip.request.duration_s for one in made.scenes if one.clip] for made in (default, chosen)]
    assert seconds == [[6, 4], [5, 3]]
    assert default.notes == {
        "1": "5 s was asked for; this model makes 4, 6 or 8 s, so the clip has 6 s.",
    }
    assert chosen.notes == {}
