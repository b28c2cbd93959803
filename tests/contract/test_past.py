"""What an installation learns from its own clips, against a real store, and what it asks for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.clips.estimate import Price
from service.clips.models import Clip, GenerationSettings, ProjectId
from service.errors import StoreUnavailable
from service.runware.models import video_model
from service.workflow.past import Past
from service.workflow.ports import ProjectDraft
from tests.builders import FAST, NOON, SETTINGS, clip, failed, frames, succeeded
from tests.doubles import WatchedStore

FAST_1080P = replace(SETTINGS, model=FAST, resolution="1080p")
TABLE = Price(0.1, "table")
# More than the seconds between two looks.
LONG = 10.0


@dataclass(slots=True)
class Installation:
    """A store, with two copies of the service that each remember its past."""

    store: WatchedStore
    project_id: ProjectId
    seconds: float = 0.0

    def copy(self) -> Past:
        return Past(self.store, video_model, lambda: self.seconds)

    async def made(self, scene: str, usd: float = 0.8, settings: GenerationSettings = SETTINGS) -> Clip:
        """Have a clip of four seconds succeed; gives it as its settler tells of it."""
        start = clip(scene, project_id=self.project_id)
        start = replace(start, request=replace(start.request, settings=settings))
        (stored,) = await self.store.record(self.project_id, [start], NOON)
        at = NOON + timedelta(minutes=int(scene))
        ended = replace(succeeded(stored, at=at), cost_usd=usd)
        assert await self.store.save([ended], NOON)
        return ended


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with WatchedStore(tmp_path / "clips.db") as store:
        draft = ProjectDraft(frames=frames(1), scenes={})
        yield Installation(store, await store.create_project(draft, NOON))


async def test_own_clip_sets_the_price_at_once_and_without_a_question(installation: Installation) -> None:
    past = installation.copy()
    await past.refresh()
    assert past.price(SETTINGS) is None
    asked = installation.store.looks_at_past
    past.learn(await installation.made("1"))
    assert past.price(SETTINGS) == Price(0.2, "past")
    await past.refresh()
    assert past.price(SETTINGS) == Price(0.2, "past")
    assert installation.store.looks_at_past == asked


async def test_clip_of_another_copy_sets_the_price_at_the_next_look(installation: Installation) -> None:
    past = installation.copy()
    await past.refresh()
    await installation.made("1")
    installation.seconds += LONG
    await past.refresh()
    assert past.price(SETTINGS) == Price(0.2, "past")


async def test_looks_are_seconds_apart_however_many_ask(installation: Installation) -> None:
    past = installation.copy()
    await past.refresh()
    asked = installation.store.looks_at_past
    for _ in range(100):
        await past.refresh()
    assert installation.store.looks_at_past == asked


async def test_look_that_finds_nothing_new_reads_the_newest_clip_alone(installation: Installation) -> None:
    for scene in ("1", "2", "3"):
        await installation.made(scene)
    past = installation.copy()
    await past.refresh()
    asked = installation.store.looks_at_past
    installation.seconds += LONG
    await past.refresh()
    assert installation.store.looks_at_past == asked + 1
    assert past.usual_times()["google:3@2", 4].samples == 3


async def test_what_was_learned_stays_when_all_is_read_again(installation: Installation) -> None:
    past = installation.copy()
    await past.refresh()
    for scene in ("1", "2", "3"):
        past.learn(await installation.made(scene))
    before = past.usual_times()["google:3@2", 4]
    await installation.made("4")
    installation.seconds += LONG
    await past.refresh()
    assert (before.samples, past.usual_times()["google:3@2", 4].samples) == (3, 4)


async def test_clip_that_failed_or_was_asked_for_again_teaches_nothing(installation: Installation) -> None:
    past = installation.copy()
    await past.refresh()
    past.learn(failed(clip()))
    past.learn(replace(succeeded(clip()), reopened_at=NOON))
    assert past.price(SETTINGS) is None


async def test_learned_clip_is_what_the_store_gives(installation: Installation) -> None:
    own, other = installation.copy(), installation.copy()
    await own.refresh()
    own.learn(await installation.made("1"))
    await other.refresh()
    for past in (own, other):
        assert past.prices(video_model(SETTINGS.model)) == {("720p", False): Price(0.2, "past")}


async def test_prices_are_the_tables_while_the_past_can_not_be_read(installation: Installation) -> None:
    past = installation.copy()
    installation.store.failing = True
    with pytest.raises(StoreUnavailable):
        await past.refresh()
    assert past.price(FAST_1080P) == TABLE
    installation.store.failing = False
    await installation.made("1", usd=0.6, settings=FAST_1080P)
    await past.refresh()
    assert past.price(FAST_1080P) == Price(0.15, "past")


async def test_what_was_known_stays_known_while_the_past_can_not_be_read(installation: Installation) -> None:
    await installation.made("1")
    past = installation.copy()
    await past.refresh()
    installation.store.failing = True
    installation.seconds += LONG
    with pytest.raises(StoreUnavailable):
        await past.refresh()
    assert past.price(SETTINGS) == Price(0.2, "past")


async def test_clip_that_ends_while_all_is_read_is_kept(installation: Installation) -> None:
    await installation.made("1")
    past = installation.copy()
    (start,) = await installation.store.record(
        installation.project_id, [clip("2", project_id=installation.project_id)], NOON
    )
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(past.refresh())
        # It has sent its question, and has no answer yet.
        await asyncio.sleep(0)
        past.learn(replace(succeeded(start), cost_usd=2.4))
    assert reading.done()
    assert past.price(SETTINGS) == Price(0.4, "past")
