"""Journeys of the whole service under each way in which Runware may answer where no document says how."""

import asyncio
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from allpairspy import AllPairs

from service.sandbox.unknowns import Unknowns
from tests.builders import MovableClock
from tests.harness import World, running_world

TICK_S = 0.2


def values_of(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else (True, False)


OPTIONS = {name: values_of(described.annotation) for name, described in Unknowns.model_fields.items()}
# Each two values of two options meet in one of these.
EVERY_PAIR = [
    dict(zip(OPTIONS, row, strict=True)) for row in AllPairs([list(one) for one in OPTIONS.values()])
]
under_every_pair = pytest.mark.parametrize(
    "unknown", [pytest.param(row, id=f"row-{number}") for number, row in enumerate([{}, *EVERY_PAIR])]
)
Unknown = dict[str, Any]


def test_every_option_of_the_unknown_has_values_to_run_under() -> None:
    assert all(len(values) > 1 for values in OPTIONS.values())


def test_each_two_values_of_two_options_meet_in_a_row() -> None:
    for (one, values), (other, others) in combinations(OPTIONS.items(), 2):
        assert {(row[one], row[other]) for row in EVERY_PAIR} == set(product(values, others))


async def assert_no_second_bill(world: World, accepted: int) -> None:
    ledger = await world.ledger()
    assert (ledger["accepted"], ledger["billed_again"]) == (accepted, [])


@under_every_pair
@pytest.mark.parametrize("webhooks", [True, False], ids=["pushed", "polled"])
async def test_each_clip_of_a_mixed_project_ends_for_its_own_reason(
    tmp_path: Path, unknown: Unknown, *, webhooks: bool
) -> None:
    scenes = {
        "1": {"description": "A boat leaves the harbour.", "duration": 4},
        "2": {"description": "It comes back. [sandbox:drop-webhook]", "duration": 4},
        "3": {"description": "Somebody is hurt. [sandbox:moderate]", "duration": 4},
        "4": {"description": "The sea. [sandbox:fail=timeoutProvider]", "duration": 4},
        "5": {"description": "The sky. [sandbox:refuse]", "duration": 4},
    }
    async with running_world(tmp_path, webhooks=webhooks, sandbox=unknown) as world:
        project_id = await world.store(scenes)
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert [job["status"] for job in jobs] == ["succeeded", "succeeded", "failed", "failed", "failed"]
        moderated, failed, refused = (job["error"] for job in jobs[2:])
        assert (moderated["kind"], moderated["code"]) == ("safety", "invalidProviderContent")
        assert "will not be charged" in moderated["detail"]
        assert jobs[2]["cost_usd"] == 0
        assert (failed["kind"], failed["code"]) == ("provider", "timeoutProvider")
        assert refused["kind"] == "rejected"
        assert all(job["cost_usd"] for job in jobs[:2])
        await assert_no_second_bill(world, 4)


@under_every_pair
async def test_submission_that_never_arrived_is_sent_again_and_paid_once(
    tmp_path: Path, unknown: Unknown
) -> None:
    clock = MovableClock()
    lost = {**unknown, "drop_submission_rate": 1}
    async with running_world(tmp_path, clock=clock, sandbox=lost) as world:
        project_id = await world.store(2)
        answer = await world.generate(project_id)
        assert answer["pending"] == 2
        await world.set_faults()
        await asyncio.sleep(2 * TICK_S)
        clock.advance(seconds=61)
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        assert {job["task_uuid"] for job in jobs} == set(answer["clips"])
        await assert_no_second_bill(world, 2)


@under_every_pair
async def test_submission_whose_answer_was_lost_is_found_and_paid_once(
    tmp_path: Path, unknown: Unknown
) -> None:
    """The job runs, and is not listed while it does."""
    clock = MovableClock()
    faults = {"lose_reply_rate": 1, "unlisted_rate": 1, "webhook_drop_rate": 1}
    slow = {"min_seconds": 1.5, "max_seconds": 1.5}
    async with running_world(tmp_path, clock=clock, sandbox={**unknown, **faults, **slow}) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        clock.advance(seconds=61)
        await world.until(project_id, lambda jobs: all(job["status"] == "pending" for job in jobs))
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        await assert_no_second_bill(world, 2)
        assert (await world.ledger())["seen_twice"] == []


@under_every_pair
async def test_retry_of_a_job_that_runware_forgot_buys_again_only_without_a_record_or_after_an_hour(
    tmp_path: Path, unknown: Unknown
) -> None:
    clock = MovableClock()
    async with running_world(tmp_path, clock=clock, sandbox=unknown) as world:
        project_id = await world.store({"1": {"description": "A boat. [sandbox:forget]", "duration": 4}})
        await world.generate(project_id)
        clock.advance(minutes=31)
        (job,) = await world.settled(project_id)
        assert job["error"]["kind"] in ("timeout", "lost")
        answer = await world.retry(project_id)
        recorded = not unknown.get("archive_forgets", False)
        assert answer["pending"] == 1
        assert (await world.ledger())["accepted"] == (1 if recorded else 2)
        if not recorded:
            return
        clock.advance(minutes=31)
        await world.until(project_id, lambda jobs: jobs[0]["settled_at"] is not None)
        (result,) = (await world.retry(project_id))["results"]
        assert "both may be billed" in result["warning"]
        assert (await world.ledger())["accepted"] == 2
