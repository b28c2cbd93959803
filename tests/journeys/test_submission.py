"""Submission under faults: a definite refusal fails one clip, an unclear end fails none and pays once."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from service.clips.models import ACCOUNT_REMEDY
from service.sandbox.server import Sandbox
from tests.builders import MovableClock
from tests.harness import World, running_service, running_world, sandbox_options

NO_POLLER = 600


def scenes(count: int, **odd: str) -> dict[str, Any]:
    return {
        str(n): {"description": odd.get(f"scene_{n}", f"Scene {n}."), "duration": 4}
        for n in range(1, count + 1)
    }


async def assert_each_billed_once(world: World, clips: int) -> None:
    ledger = await world.ledger()
    assert (ledger["accepted"], ledger["billed"]) == (clips, clips)


async def test_refused_task_fails_with_runwares_words_while_the_others_go_on(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await world.store(scenes(3, scene_2="[sandbox:refuse]"))
        answer = await world.generate(project_id)
        assert [result["success"] for result in answer["results"]] == [True, False, True]
        assert "sandbox:refuse" in answer["results"][1]["error"]
        jobs = await world.settled(project_id)
        assert [job["status"] for job in jobs] == ["succeeded", "failed", "succeeded"]
        assert jobs[1]["settled_by"] == "submission"
        assert (jobs[1]["error"]["code"], jobs[1]["error"]["kind"]) == ("invalidPositivePrompt", "rejected")


async def test_batch_refused_because_of_one_task_is_divided_until_only_that_one_fails(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"strict_batches": True}) as world:
        project_id = await world.store(scenes(20, scene_7="[sandbox:refuse]", scene_16="[sandbox:refuse]"))
        await world.generate(project_id)
        jobs = await world.settled(project_id)
        assert [job["scene"] for job in jobs if job["status"] == "failed"] == ["7", "16"]
        await assert_each_billed_once(world, 18)


async def test_lost_reply_is_asked_about_and_never_paid_twice(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"lose_reply_rate": 1, "webhook_drop_rate": 1}) as world:
        project_id = await world.store(3)
        answer = await world.generate(project_id)
        assert (answer["pending"], answer["failed"]) == (3, 0)
        await world.set_faults()
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        assert (await world.ledger())["seen_twice"] == []
        await assert_each_billed_once(world, 3)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_burst_of_errors_is_backed_off_from_within_the_call(tmp_path: Path, status: int) -> None:
    burst = {"burst_rate": 1, "burst_length": 2, "burst_status": status}
    async with running_world(tmp_path, sandbox=burst, poll_interval_seconds=NO_POLLER) as world:
        project_id = await world.store(5)
        call = asyncio.create_task(world.generate(project_id))
        await asyncio.sleep(0.2)
        await world.set_faults()
        answer = await call
        assert (answer["failed"], answer["pending"] + answer["completed"]) == (0, 5)
        await world.settled(project_id)
        await assert_each_billed_once(world, 5)


async def test_task_that_never_arrived_is_sent_again_under_its_own_id_after_the_grace_time(
    tmp_path: Path,
) -> None:
    clock = MovableClock()
    unreachable = "http://127.0.0.1:9/v1"
    async with Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url:
        database = tmp_path / "clips.db"
        async with running_service(
            sandbox_url, database, clock=clock, runware_api_url=unreachable, poll_interval_seconds=NO_POLLER
        ) as world:
            project_id = await world.store(3)
            answer = await world.generate(project_id)
            assert (answer["pending"], answer["failed"]) == (3, 0)
        async with running_service(sandbox_url, database, clock=clock) as world:
            await asyncio.sleep(0.5)
            assert (await world.ledger())["accepted"] == 0
            clock.advance(seconds=61)
            jobs = await world.settled(project_id)
            assert {job["status"] for job in jobs} == {"succeeded"}
            assert {job["task_uuid"] for job in jobs} == set(answer["clips"])
            await assert_each_billed_once(world, 3)


async def test_task_that_never_arrives_is_given_up_after_three_sends(tmp_path: Path) -> None:
    clock = MovableClock()
    async with running_world(tmp_path, clock=clock, sandbox={"drop_submission_rate": 1}) as world:
        project_id = await world.store(1)
        await world.generate(project_id)
        for _ in range(3):
            clock.advance(seconds=61)
            await asyncio.sleep(1)
        (job,) = await world.settled(project_id)
        assert (job["status"], job["error"]["code"], job["error"]["kind"]) == (
            "failed",
            "notAccepted",
            "lost",
        )
        assert (await world.ledger())["accepted"] == 0


async def test_submission_ends_within_the_grace_time_and_leaves_the_rest_to_the_poller(
    tmp_path: Path,
) -> None:
    slow = {"answer_delay_seconds": 5, "webhook_drop_rate": 1}
    async with running_world(tmp_path, sandbox=slow, submission_grace_seconds=1) as world:
        project_id = await world.store(3)
        started = time.monotonic()
        answer = await world.generate(project_id)
        assert time.monotonic() - started < 3
        assert answer["failed"] == 0
        assert {job["status"] for job in await world.settled(project_id)} == {"succeeded"}
        assert (await world.ledger())["seen_twice"] == []


async def test_conflict_on_a_second_send_means_that_the_first_was_taken(tmp_path: Path) -> None:
    """The task is accepted, its reply lost, and neither results nor archive know its id for a while."""
    clock = MovableClock()
    faults = {"lose_reply_rate": 1, "hide_rate": 1, "webhook_drop_rate": 1, "archive_forgets": True}
    async with running_world(tmp_path, clock=clock, sandbox=faults) as world:
        project_id = await world.store(2)
        await world.generate(project_id)
        await world.set_faults(hide_rate=1)
        clock.advance(seconds=61)
        await world.until(project_id, lambda jobs: all(job["status"] == "pending" for job in jobs))
        await world.set_faults()
        assert {job["status"] for job in await world.settled(project_id)} == {"succeeded"}
        ledger = await world.ledger()
        assert sorted(ledger["seen_twice"]) == sorted(ledger["tasks"])
        await assert_each_billed_once(world, 2)


async def test_clips_beyond_the_throttle_wait_for_room_and_are_paid_once(tmp_path: Path) -> None:
    clock = MovableClock()
    throttled = {"throttle_402_above": 2, "min_seconds": 0.3, "max_seconds": 0.3}
    async with running_world(tmp_path, clock=clock, sandbox=throttled) as world:
        project_id = await world.store(6)
        answer = await world.generate(project_id)
        assert (answer["failed"], answer["pending"] + answer["completed"]) == (0, 6)
        stages = [job["stage"] for job in await world.jobs(project_id)]
        assert stages.count("throttled") >= 3
        for _ in range(8):
            await asyncio.sleep(0.6)
            clock.advance(minutes=2)
        assert {job["status"] for job in await world.settled(project_id)} == {"succeeded"}
        await assert_each_billed_once(world, 6)


async def test_throttled_clip_whose_time_is_over_cost_nothing_and_is_bought_by_a_retry(
    tmp_path: Path,
) -> None:
    clock = MovableClock()
    full = {"throttle_402_above": 1, "min_seconds": 60, "max_seconds": 60}
    async with running_world(tmp_path, clock=clock, sandbox=full) as world:
        first = await world.store(1)
        await world.generate(first)
        project_id = await world.store(2)
        assert (await world.generate(project_id))["pending"] == 2
        clock.advance(minutes=31)
        jobs = await world.settled(project_id)
        assert {(job["error"]["code"], job["error"]["kind"]) for job in jobs} == {("throttled", "rejected")}
        await world.set_faults()
        assert (await world.retry(project_id))["pending"] == 2
        assert (await world.ledger())["accepted"] == 3


@pytest.mark.parametrize("credit_refusal", ["whole", "named"])
async def test_credit_for_some_clips_makes_those_and_tells_the_balance_for_the_others(
    tmp_path: Path, credit_refusal: str
) -> None:
    """A clip of four seconds of Veo 3.1 costs $0.80 in the sandbox."""
    poor = {"balance_usd": 2.5, "credit_refusal": credit_refusal}
    async with running_world(tmp_path, sandbox=poor) as world:
        project_id = await world.store(5)
        await world.generate(project_id)
        jobs = await world.until(
            project_id,
            lambda jobs: (
                sum(job["status"] == "succeeded" for job in jobs) == 3
                and all(job["status"] != "pending" for job in jobs)
            ),
        )
        others = [job for job in jobs if job["status"] != "succeeded"]
        for job in others:
            assert job["stage"] == "throttled" or "balance is $0.10" in job["error"]["message"]
        await assert_each_billed_once(world, 3)


async def test_empty_account_is_told_with_its_balance_and_the_next_call_starts_afresh(
    tmp_path: Path,
) -> None:
    async with running_world(tmp_path, sandbox={"balance_usd": 0}) as world:
        project_id = await world.store(3)
        status, answer = await world.post("/generate-clips", {"project_id": project_id})
        assert (status, answer["code"]) == (502, "provider_refused")
        assert "The account's balance is $0.00" in answer["error"]
        await world.set_faults(balance_usd=100)
        assert (await world.generate(project_id))["failed"] == 0
        assert {job["status"] for job in await world.settled(project_id)} == {"succeeded"}
        await assert_each_billed_once(world, 3)


async def test_refused_account_is_told_with_502_and_the_next_call_starts_afresh(tmp_path: Path) -> None:
    async with Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url:
        database = tmp_path / "clips.db"
        async with running_service(sandbox_url, database, runware_api_key="a-wrong-key") as world:
            project_id = await world.store(2)
            status, answer = await world.post("/generate-clips", {"project_id": project_id})
            assert (status, answer["code"], answer["success"]) == (502, "provider_refused", False)
            assert answer["error"].startswith("Runware refused the service's key or account (invalidApiKey: ")
            assert answer["error"].endswith(f"No job was started. {ACCOUNT_REMEDY} Then call again.")
            assert "a-wrong-key" not in answer["error"]
            assert set((await world.project(project_id))["clips"].values()) == {"failed"}
        async with running_service(sandbox_url, database) as world:
            assert (await world.generate(project_id))["failed"] == 0
            assert [job["attempt"] for job in await world.settled(project_id)] == [2, 2]
            await assert_each_billed_once(world, 2)


async def test_changed_prompt_makes_a_new_clip_and_changing_back_pays_nothing(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        project_id = await world.store(scenes(2))
        await world.generate(project_id)
        one, two = await world.settled(project_id)

        world.rewrite(project_id, scenes=scenes(2, scene_2="Another scene."))
        await world.generate(project_id)
        same, other = await world.settled(project_id)
        # The usual time may be known by then: this clip has taught it.
        assert {**same, "usual": None} == {**one, "usual": None}
        assert other["task_uuid"] != two["task_uuid"]
        assert set((await world.project(project_id))["clips"]) == {one["task_uuid"], other["task_uuid"]}
        await assert_each_billed_once(world, 3)

        world.rewrite(project_id, scenes=scenes(2))
        await world.generate(project_id)
        assert [job["task_uuid"] for job in await world.settled(project_id)] == [
            one["task_uuid"],
            two["task_uuid"],
        ]
        await assert_each_billed_once(world, 3)


async def test_retry_makes_new_attempts_for_failed_clips_only(tmp_path: Path) -> None:
    async with running_world(tmp_path, sandbox={"fail_rate": 1}) as world:
        project_id = await world.store(3)
        await world.generate(project_id)
        before = await world.settled(project_id)
        assert {(job["status"], job["error"]["code"]) for job in before} == {("failed", "inferenceError")}
        await world.set_faults()
        answer = await world.retry(project_id, scenes=["2", 3])
        assert [result["sceneKey"] for result in answer["results"]] == ["2", "3"]
        after = await world.settled(project_id)
        assert [(job["status"], job["attempt"]) for job in after] == [
            ("failed", 1),
            ("succeeded", 2),
            ("succeeded", 2),
        ]
        assert after[0]["task_uuid"] == before[0]["task_uuid"]
        answer = await world.retry(project_id)
        assert [result["sceneKey"] for result in answer["results"]] == ["1"]
        await world.settled(project_id)
        assert (await world.retry(project_id))["results"] == []


async def test_incomplete_scene_fails_with_what_it_lacks_while_the_others_go_on(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        whole = {
            f"{end}_frame": f"{world.sandbox_url}/frames/1/{end}.png?size=304x540"
            for end in ("first", "last")
        }
        frames = {"1": whole, "2": {"first_frame": whole["first_frame"]}, "10": whole}
        project_id = await world.store(scenes(2), frames)
        answer = await world.generate(project_id)
        assert [result["sceneKey"] for result in answer["results"]] == ["1", "2", "10"]
        assert answer["results"][1] == {
            "sceneKey": "2",
            "taskUUID": None,
            "success": False,
            "error": "last_frame missing",
        }
        assert answer["completed"] + answer["pending"] == answer["total_clips"] == 2
        assert (answer["failed"], answer["scenes"]) == (1, 3)
        assert len(answer["clips"]) == 2
        jobs = await world.settled(project_id)
        assert [(job["scene"], job["status"]) for job in jobs] == [("1", "succeeded"), ("10", "succeeded")]
        checked = await world.check(project_id)
        assert (checked["scenes"], checked["total_clips"], checked["failed"]) == (3, 2, 1)
        assert checked["details"][1] == {
            "jobId": None,
            "sceneKey": "2",
            "status": "failed",
            "error": "last_frame missing",
        }
