"""Each fault does what it says, by option, by directive and by header."""

import asyncio
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from pydantic import ValidationError

from service.sandbox.faults import DirectiveError, RequestChances, decide, read_header
from service.sandbox.options import Faults, SandboxOptions
from tests.sandbox.support import Json, Receiver, serve

UUIDS = [str(UUID(int=number, version=4)) for number in range(400)]


def test_decisions_repeat_for_the_same_seed_and_follow_the_rate() -> None:
    faults = Faults(fail_rate=0.25, webhook_drop_rate=0.25)
    drawn = {uuid: decide(faults, 1, uuid, "A hill") for uuid in UUIDS}
    again = {uuid: decide(faults, 1, uuid, "A hill") for uuid in reversed(UUIDS)}
    failing = {uuid for uuid, fault in drawn.items() if fault.failure}
    dropping = {uuid for uuid, fault in drawn.items() if fault.drop_webhook}
    assert drawn == again
    assert 60 < len(failing) < 140
    assert failing != dropping
    assert failing != {uuid for uuid in UUIDS if decide(faults, 2, uuid, "A hill").failure}


def test_directives_in_a_prompt_add_up() -> None:
    fault = decide(Faults(), 1, UUIDS[0], "A hill [sandbox:slow=20] at dawn [sandbox:double-webhook]")
    assert (fault.slow_seconds, fault.double_webhook, fault.failure) == (20, True, None)


@pytest.mark.parametrize("directive", ["explode", "slow", "slow=never", "slow=-1", "fail=3", "fail=no code"])
def test_unknown_directive_is_refused_with_those_that_exist(directive: str) -> None:
    with pytest.raises(DirectiveError, match="delay-webhook=SECONDS"):
        decide(Faults(), 1, UUIDS[0], f"A hill [sandbox:{directive}]")


async def test_fail_once_fails_the_first_job_of_its_prompt_alone(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        ends = [
            (await caller.run(positivePrompt=f"{what} [sandbox:fail-once]")).get("code", "made")
            for what in ("A hill", "A hill", "A bay", "A hill")
        ]
    assert ends == ["inferenceError", "made", "inferenceError", "made"]


@pytest.mark.parametrize("header", ["explode", "status=200", "delay=x", "lose-reply=1"])
def test_unknown_fault_header_is_refused(header: str) -> None:
    with pytest.raises(DirectiveError, match="lose-reply"):
        read_header(header)


def test_burst_refuses_its_length_of_requests_in_a_row() -> None:
    faults = Faults(burst_rate=0.05, burst_length=4, burst_status=500)
    chances = RequestChances(seed=1)
    struck = "".join("x" if chances.decide(faults, b"%d" % n).status else "." for n in range(400))
    runs = [len(run) for run in struck.split(".") if run]
    assert runs
    assert all(run % 4 == 0 for run in runs[:-1])


def test_repeated_request_is_a_new_chance() -> None:
    faults, chances = Faults(lose_reply_rate=0.5), RequestChances(seed=1)
    assert len({chances.decide(faults, b"same").lose_reply for _ in range(40)}) == 2


def test_options_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="swap them"):
        SandboxOptions(min_seconds=5, max_seconds=1)
    with pytest.raises(ValidationError):
        SandboxOptions(fail_rate=1.1)


def test_every_option_is_a_described_scalar() -> None:
    for name, field in SandboxOptions.model_fields.items():
        assert field.description, name
        assert isinstance(field.get_default(), (bool, int, float, str)), name


async def test_failing_and_moderated_jobs_are_not_billed(tmp_path: Path) -> None:
    for fault, code in (
        ("fail_rate", "inferenceError"),
        ("moderate_rate", "invalidProviderContent"),
    ):
        rate: Json = {fault: 1}
        async with serve(tmp_path, **rate) as caller:
            assert (await caller.run())["code"] == code
            assert (await caller.ledger())["billed"] == 0


async def test_slow_job_takes_its_time(tmp_path: Path) -> None:
    async with serve(tmp_path, slow_rate=1, slow_seconds=0.5) as caller:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await caller.run()
        assert loop.time() - started >= 0.5


async def test_refused_directive_is_a_scoped_error_at_submission(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        refused, fine = caller.task(positivePrompt="A hill [sandbox:refuse]"), caller.task()
        status, answer = await caller.post(refused, fine)
        assert status == 200
        assert answer["errors"][0]["taskUUID"] == refused["taskUUID"]
        assert (await caller.ledger())["accepted"] == 1


async def test_forgotten_task_is_billed_unknown_and_never_announced(tmp_path: Path) -> None:
    async with Receiver().receiving() as receiver, serve(tmp_path, forget_rate=1) as caller:
        task = caller.task(webhookURL=receiver.url)
        assert (await caller.post(task))[0] == 200
        assert await caller.look_up(task) == (200, {"data": []})
        assert (await caller.post(task))[1]["errors"][0]["code"] == "conflictTaskUUID"
        ledger = await caller.ledger()
    assert (ledger["billed"], ledger["tasks"][task["taskUUID"]]["state"]) == (1, "forgotten")
    assert receiver.bodies == []


async def test_dropped_webhook_is_never_sent(tmp_path: Path) -> None:
    async with Receiver().receiving() as receiver, serve(tmp_path, webhook_drop_rate=1) as caller:
        await caller.run(webhookURL=receiver.url)
        await asyncio.sleep(0.2)
    assert receiver.bodies == []


async def test_doubled_webhook_comes_twice(tmp_path: Path) -> None:
    async with Receiver().receiving() as receiver, serve(tmp_path, webhook_double_rate=1) as caller:
        await caller.run(webhookURL=receiver.url)
        await receiver.wait_for(2)
    assert receiver.bodies[0] == receiver.bodies[1]


async def test_delayed_webhook_comes_after_the_result_can_be_polled(tmp_path: Path) -> None:
    async with Receiver().receiving() as receiver, serve(tmp_path) as caller:
        await caller.run(webhookURL=receiver.url, positivePrompt="A hill [sandbox:delay-webhook=0.4]")
        assert receiver.bodies == []
        await receiver.wait_for(1)


async def test_held_back_webhook_lets_another_go_first(tmp_path: Path) -> None:
    async with Receiver().receiving() as receiver, serve(tmp_path) as caller:
        held = await caller.run(webhookURL=receiver.url, positivePrompt="A hill [sandbox:reorder-webhook]")
        other = await caller.run(webhookURL=receiver.url)
        await receiver.wait_for(2)
    assert [body["taskUUID"] for body in receiver.bodies] == [other["taskUUID"], held["taskUUID"]]


async def test_early_webhook_comes_before_the_submission_is_answered(tmp_path: Path) -> None:
    async with (
        Receiver().receiving() as receiver,
        serve(tmp_path, early_webhook_rate=1, min_seconds=60, max_seconds=60) as caller,
    ):
        task = caller.task(webhookURL=receiver.url)
        assert (await caller.post(task))[0] == 200
        assert [body["taskUUID"] for body in receiver.bodies] == [task["taskUUID"]]


@pytest.mark.parametrize(("options", "fault"), [({"lose_reply_rate": 1}, ""), ({}, "lose-reply")])
async def test_lost_reply_leaves_the_task_accepted(tmp_path: Path, options: Json, fault: str) -> None:
    async with serve(tmp_path, **options) as caller:
        task = caller.task()
        with pytest.raises(aiohttp.ClientConnectionError):
            await caller.post(task, fault=fault)
        assert (await caller.result(task))["status"] == "success"
        assert (await caller.ledger())["accepted"] == 1


@pytest.mark.parametrize("status", [402, 429, 500, 503])
@pytest.mark.parametrize("as_json", [False, True])
async def test_burst_answers_its_status_with_or_without_json(
    tmp_path: Path, status: int, as_json: bool
) -> None:
    async with serve(tmp_path, burst_rate=1, burst_status=status, burst_json=as_json) as caller:
        async with caller.session.post(f"{caller.url}/v1", json=[caller.task()]) as response:
            text = await response.text()
            retry_after = response.headers.get("Retry-After")
        assert (response.status, retry_after) == (status, "1" if status == 429 else None)
        assert ('"errors"' in text) is as_json
        assert (await caller.ledger())["accepted"] == 0


async def test_fault_header_delays_and_refuses_one_request(tmp_path: Path) -> None:
    async with serve(tmp_path, burst_json=True) as caller:
        loop = asyncio.get_running_loop()
        started = loop.time()
        status, _ = await caller.post(caller.task(), fault="delay=0.3, status=500")
        assert (status, loop.time() - started >= 0.3) == (500, True)
        assert (await caller.post(caller.task()))[0] == 200
        assert (await caller.post(caller.task(), fault="explode"))[0] == 400


async def test_strict_batch_is_refused_whole_without_naming_the_bad_task(tmp_path: Path) -> None:
    async with serve(tmp_path, strict_batches=True) as caller:
        good, bad = caller.task(), caller.task(duration=5)
        status, answer = await caller.post(good, bad)
        assert (status, [error.keys() for error in answer["errors"]]) == (400, [{"code", "message"}])
        assert (await caller.ledger())["accepted"] == 0
        assert (await caller.post(good))[0] == 200
        assert (await caller.post(bad))[1]["errors"][0]["taskUUID"] == bad["taskUUID"]


async def test_faults_can_be_replaced_while_it_runs(tmp_path: Path) -> None:
    async with serve(tmp_path, fail_rate=1, slow_seconds=5) as caller:
        assert (await caller.set_faults(moderate_rate=1))[1]["fail_rate"] == 0
        assert (await caller.run())["code"] == "invalidProviderContent"
        status, answer = await caller.set_faults(fail_rate=2)
        assert (status, answer["errors"][0]["parameter"]) == (400, "fail_rate")
        async with caller.session.get(f"{caller.url}/faults") as response:
            assert await response.json() == Faults(moderate_rate=1).model_dump()
