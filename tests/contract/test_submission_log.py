"""What the log says of each clip that is sent, and what it is presumed to cost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.clips.models import Clip, Failure, FailureKind, GenerationSettings
from service.clips.outcomes import Failed, Outcome, Throttled, Unclear
from service.runware.models import video_model
from service.workflow.past import Past
from tests.builders import FAST, VEO, clip
from tests.contract.test_workflow import SUCCESS, Parts, event, running_parts

FAST_1080P = GenerationSettings(model=FAST, resolution="1080p", generate_audio=True)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with running_parts(tmp_path) as running:
        yield running


async def submitted(parts: Parts, *clips: Clip) -> list[dict[str, Any]]:
    """Submit clips; gives the log's lines about them."""
    with capture_logs() as lines:
        await parts.submitter.submit(clips)
    return [dict(line) for line in lines if line["event"].startswith("clip ")]


async def with_settings(parts: Parts, settings: GenerationSettings, count: int) -> list[Clip]:
    clips = [clip(str(n), project_id=parts.project_id, submitted_at=parts.clock()) for n in range(count)]
    made = [replace(one, request=replace(one.request, settings=settings, duration_s=8)) for one in clips]
    return list(await parts.store.record(parts.project_id, made, parts.clock()))


async def test_clip_that_is_taken_has_one_line_with_all_that_it_was_bought_with(parts: Parts) -> None:
    (one,) = await with_settings(parts, FAST_1080P, 1)
    (line,) = await submitted(parts, one)
    assert line == {
        "event": "clip submitted",
        "log_level": "info",
        "project": parts.project_id,
        "scene": one.scene,
        "job": one.task_uuid,
        "attempt": 1,
        "sends": 1,
        "model": FAST,
        "resolution": "1080p",
        "audio": True,
        "duration_s": 8,
        "estimate_usd": 1.2,
    }


async def test_thousand_clips_have_a_line_each_and_cost_one_look_at_the_past(parts: Parts) -> None:
    clips = await with_settings(parts, FAST_1080P, 1000)
    lines = await submitted(parts, *clips)
    assert {line["job"] for line in lines} == {one.task_uuid for one in clips}
    assert (len(lines), parts.store.looks_at_past) == (1000, 1)


async def test_estimate_is_unknown_until_a_clip_has_shown_what_it_costs(parts: Parts) -> None:
    first, second = await parts.record(2)
    (line,) = await submitted(parts, first)
    assert (line["model"], line["estimate_usd"]) == (VEO, None)
    await parts.settler.settle([event(first, SUCCESS)])
    past = Past(parts.store, video_model)
    assert await past.estimates([second.request]) == [0.8]
    parts.store.failing = True
    assert await past.estimates([second.request]) == [0.8]


async def test_estimate_goes_by_the_table_while_the_store_is_away(parts: Parts) -> None:
    (one,) = await with_settings(parts, FAST_1080P, 1)
    parts.store.failing = True
    assert await Past(parts.store, video_model).estimates([one.request]) == [1.2]


async def test_clip_whose_submission_is_unclear_is_told_as_such_and_not_as_submitted(parts: Parts) -> None:
    (one,) = await parts.record(1)
    parts.provider.outcome = Unclear("Runware did not answer in time")
    (line,) = await submitted(parts, one)
    assert (line["event"], line["log_level"]) == ("clip submission unclear", "warning")
    assert (line["job"], line["reason"]) == (one.task_uuid, "Runware did not answer in time")


@pytest.mark.parametrize(
    ("outcome", "events"),
    [
        (Failed(Failure(FailureKind.REJECTED, "invalidDuration", "No.")), ["clip failed"]),
        (Throttled(Failure(FailureKind.REJECTED, "rateLimitExceeded", "Later.")), []),
    ],
)
async def test_clip_that_is_refused_is_not_told_as_submitted(
    parts: Parts, outcome: Outcome, events: list[str]
) -> None:
    (one,) = await parts.record(1)
    parts.provider.outcome = outcome
    assert [line["event"] for line in await submitted(parts, one)] == events


async def test_what_was_taken_is_told_even_if_the_ledger_can_not_store_it(parts: Parts) -> None:
    (one,) = await parts.record(1)

    async def lose_the_database(_clips: object) -> None:
        parts.store.failing = True

    parts.provider.before_submission = lose_the_database
    with capture_logs() as lines, pytest.raises(Exception, match="The database is gone"):
        await parts.submitter.submit([one])
    assert [line["job"] for line in lines if line["event"] == "clip submitted"] == [one.task_uuid]
