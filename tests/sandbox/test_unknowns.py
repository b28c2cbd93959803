"""What is unknown of Runware: each value of each option, told apart."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from service.sandbox.options import SandboxOptions
from service.sandbox.unknowns import Unknowns
from tests.sandbox.support import Caller, Json, serve

MODERATED = "A hill [sandbox:moderate]"
SLOW = "A hill [sandbox:slow=60]"
BLOCKED = "You will not be charged for blocked videos."


async def submitted(caller: Caller, **changes: object) -> Json:
    task = caller.task(**changes)
    assert (await caller.post(task))[0] == 200
    return task


async def ended(caller: Caller, **changes: object) -> Json:
    task = await submitted(caller, **changes)
    await caller.result(task)
    return task


async def test_moderated_job_is_told_as_a_poll_answered_400_by_default(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        task = await ended(caller, positivePrompt=MODERATED)
        status, answer = await caller.look_up(task)
    assert (status, sorted(answer), answer["data"]) == (400, ["data", "errors"], [])
    (error,) = answer["errors"]
    assert BLOCKED in error.pop("responseContent")
    assert error.pop("message").startswith("Invalid content detected.")
    assert error == {
        "code": "invalidProviderContent",
        "taskUUID": task["taskUUID"],
        "taskType": "videoInference",
        "status": "error",
    }


@pytest.mark.parametrize(("place", "status"), [("errors", 200), ("errors-400", 400)])
async def test_failed_job_is_an_element_of_errors(tmp_path: Path, place: str, status: int) -> None:
    async with serve(tmp_path, failure_place=place) as caller:
        task = await ended(caller, positivePrompt="A hill [sandbox:fail]")
        answered, answer = await caller.look_up(task)
    assert (answered, answer["data"]) == (status, [])
    assert (answer["errors"][0]["code"], answer["errors"][0]["status"]) == ("inferenceError", "error")


@pytest.mark.parametrize(("place", "nested"), [("data", True), ("data-flat", False)])
async def test_failed_job_is_an_element_of_data(tmp_path: Path, place: str, nested: bool) -> None:
    async with serve(tmp_path, failure_place=place) as caller:
        task = await ended(caller, positivePrompt=MODERATED)
        status, answer = await caller.look_up(task)
    (element,) = answer["data"]
    assert (status, "errors" in answer, element["status"]) == (200, False, "error")
    error = element["error"] if nested else element
    assert (error["code"], "error" in element) == ("invalidProviderContent", nested)
    assert BLOCKED in error["responseContent"]


@pytest.mark.parametrize(("option", "shown"), [("hides", 0), ("shows", 2)])
async def test_poll_with_a_failed_job_hides_or_shows_the_others(
    tmp_path: Path, option: str, shown: int
) -> None:
    async with serve(tmp_path, poll_with_failed=option) as caller:
        good, bad = await ended(caller), await ended(caller, positivePrompt=MODERATED)
        running = await submitted(caller, positivePrompt=SLOW)
        status, answer = await caller.look_up(good, bad, running, {"taskUUID": "x"})
    assert (status, len(answer["data"])) == (400, shown)
    assert answer["errors"][-1]["taskUUID"] == bad["taskUUID"]
    assert len(answer["errors"]) == (2 if shown else 1)


async def test_reason_can_stand_in_additional_details(tmp_path: Path) -> None:
    async with serve(tmp_path, reason_place="nested") as caller:
        error = await caller.run(positivePrompt=MODERATED)
    assert "responseContent" not in error
    assert error["additionalDetails"]["errorCode"] == "invalidProviderContent"
    assert BLOCKED in error["additionalDetails"]["responseContent"]


@pytest.mark.parametrize(
    ("code", "has_reason"),
    [("timeoutProvider", False), ("promptBlocked", True), ("somethingNew", False), ("taskExpired", False)],
)
async def test_any_code_can_be_asked_for(tmp_path: Path, code: str, has_reason: bool) -> None:
    async with serve(tmp_path) as caller:
        error = await caller.run(positivePrompt=f"A hill [sandbox:fail={code}]")
    assert (error["code"], "responseContent" in error) == (code, has_reason)


@pytest.mark.parametrize(("fault", "option"), [("forget_rate", "empty"), ("hide_rate", "not-found")])
async def test_unknown_forgotten_and_hidden_ids_get_one_answer(
    tmp_path: Path, fault: str, option: str
) -> None:
    rate: Json = {fault: 1}
    async with serve(tmp_path, unknown_answer=option, **rate) as caller:
        lost = await submitted(caller)
        answers = [await caller.look_up(task) for task in (lost, {"taskUUID": str(uuid4())})]
    if option == "empty":
        assert answers == [(200, {"data": []})] * 2
    else:
        assert {(status, answer["errors"][0]["code"]) for status, answer in answers} == {
            (404, "taskNotFound")
        }
        assert answers[0][1]["errors"][0]["taskUUID"] == lost["taskUUID"]


async def test_unlisted_job_is_not_shown_until_it_ends(tmp_path: Path) -> None:
    async with serve(tmp_path, unlisted_rate=1) as caller:
        running = await submitted(caller, positivePrompt="A hill [sandbox:slow=0.3]")
        assert await caller.look_up(running) == (200, {"data": []})
        async with asyncio.timeout(15):
            assert (await caller.result(running))["status"] == "success"


async def test_unlisted_directive_hides_one_job(tmp_path: Path) -> None:
    async with serve(tmp_path, min_seconds=60, max_seconds=60) as caller:
        listed = await submitted(caller)
        unlisted = await submitted(caller, positivePrompt="A hill [sandbox:unlisted]")
        _, answer = await caller.look_up(listed, unlisted)
    assert [element["taskUUID"] for element in answer["data"]] == [listed["taskUUID"]]


async def test_archive_has_a_running_task_as_it_was_sent_and_its_acknowledgement(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        task = await submitted(caller, positivePrompt=SLOW, webhookURL="http://127.0.0.1:9/hook?token=t")
        status, answer = await caller.details(task)
    acknowledgement = {"taskType": "videoInference", "taskUUID": task["taskUUID"]}
    assert status == 200
    assert answer["data"] == [
        {
            "taskType": "getTaskDetails",
            "taskUUID": task["taskUUID"],
            "request": [task],
            "response": {"data": [acknowledgement]},
        }
    ]


@pytest.mark.parametrize(("place", "key"), [("data", "data"), ("errors", "errors"), ("errors-400", "errors")])
async def test_archive_tells_an_end_where_polls_tell_it_at_200(tmp_path: Path, place: str, key: str) -> None:
    async with serve(tmp_path, failure_place=place) as caller:
        good, bad = await ended(caller), await ended(caller, positivePrompt=MODERATED)
        for task, expected in ((good, "data"), (bad, key)):
            status, answer = await caller.details(task)
            response = answer["data"][0]["response"]
            assert (status, response) == (200, {expected: [await caller.result(task)]})


async def test_archive_has_refused_tasks_and_their_errors(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        refused = caller.task(duration=5)
        _, refusal = await caller.post(refused)
        _, answer = await caller.details(refused)
    assert answer["data"][0]["request"] == [refused]
    assert answer["data"][0]["response"] == {"errors": refusal["errors"]}


async def test_archive_shows_the_refusal_of_a_second_send_until_the_job_goes_on(tmp_path: Path) -> None:
    async with serve(tmp_path) as caller:
        task = await submitted(caller, positivePrompt="A hill [sandbox:slow=0.3]")

        async def response() -> Json:
            (details,) = (await caller.details(task))[1]["data"]
            last: Json = details["response"]
            return last

        await caller.post(task)
        assert (await response())["errors"][0]["code"] == "conflictTaskUUID"
        await caller.result(task)
        assert (await response())["data"][0]["status"] == "success"
        await caller.post(task)
        assert (await response())["errors"][0]["code"] == "conflictTaskUUID"


@pytest.mark.parametrize(
    ("option", "status", "answer"),
    [("empty", 200, {"data": []}), ("not-found", 404, None), ("blank", 200, None)],
)
async def test_archive_of_an_unknown_id(
    tmp_path: Path, option: str, status: int, answer: Json | None
) -> None:
    unknown = {"taskUUID": str(uuid4())}
    async with serve(tmp_path, unknown_details=option) as caller:
        answered, told = await caller.details(unknown)
    assert answered == status
    if option == "not-found":
        assert told["errors"][0]["code"] == "taskNotFound"
    elif option == "blank":
        blank = {"taskType": "getTaskDetails", **unknown, "request": [], "response": {}}
        assert told == {"data": [blank]}
    else:
        assert told == answer


@pytest.mark.parametrize("fault", ["forget_rate", "hide_rate"])
@pytest.mark.parametrize("forgets", [False, True])
async def test_archive_remembers_what_polls_forget_unless_it_forgets_too(
    tmp_path: Path, fault: str, forgets: bool
) -> None:
    rate: Json = {fault: 1}
    async with serve(tmp_path, archive_forgets=forgets, **rate) as caller:
        task = await submitted(caller, positivePrompt=SLOW)
        assert await caller.look_up(task) == (200, {"data": []})
        _, answer = await caller.details(task)
    assert bool(answer["data"]) is not forgets


async def test_archive_can_be_off(tmp_path: Path) -> None:
    async with serve(tmp_path, archive_off=True) as caller:
        status, answer = await caller.details(await submitted(caller))
    assert (status, answer["errors"][0]["code"]) == (400, "invalidTaskType")


async def test_archive_cuts_frames_and_keeps_the_tasks_sent_last(tmp_path: Path) -> None:
    frame = {"image": "data:image/png;base64," + "A" * 100_000, "frame": "first"}
    async with serve(tmp_path, max_jobs=2) as caller:
        tasks = [await ended(caller, inputs={"frameImages": [frame]}) for _ in range(3)]
        assert await caller.details(tasks[0]) == (200, {"data": []})
        _, answer = await caller.details(tasks[2])
    kept = answer["data"][0]["request"][0]["inputs"]["frameImages"][0]["image"]
    assert (kept[:22], len(kept) < 100) == (frame["image"][:22], True)


async def test_unknowns_left_out_stay_as_at_the_start_and_can_be_replaced(tmp_path: Path) -> None:
    async with serve(tmp_path, failure_place="data", fail_rate=1) as caller:
        _, faults = await caller.set_faults(moderate_rate=1)
        assert (faults["failure_place"], faults["fail_rate"]) == ("data", 0)
        task = await ended(caller)
        assert (await caller.look_up(task))[0] == 200
        assert (await caller.set_faults(failure_place="errors"))[0] == 200
        assert (await caller.look_up(task))[1].keys() == {"data", "errors"}
        assert (await caller.set_faults(failure_place="nowhere"))[0] == 400


def test_every_unknown_is_an_option_of_named_values() -> None:
    for name, field in Unknowns.model_fields.items():
        assert SandboxOptions.model_fields[name].description == field.description
        assert isinstance(field.get_default(), (bool, str)), name


async def test_finished_id_sent_again_is_a_conflict_or_a_second_bill(tmp_path: Path) -> None:
    async with serve(tmp_path, resend_finished="bill") as caller:
        task = await ended(caller)
        assert (await caller.post(task))[0] == 200
        again = caller.task(taskUUID=task["taskUUID"], positivePrompt=SLOW)
        await caller.result(task)
        assert (await caller.post(again))[0] == 200
        _, answer = await caller.look_up(task)
        assert answer["data"][0]["status"] == "processing"
        assert (await caller.post(task))[1]["errors"][0]["code"] == "conflictTaskUUID"
        ledger = await caller.ledger()
    assert (ledger["accepted"], ledger["billed"], ledger["cost_usd"]) == (3, 3, 2.4)
    assert ledger["billed_again"] == ledger["seen_twice"] == [task["taskUUID"]]
    assert (ledger["tasks"][task["taskUUID"]]["bills"], ledger["tasks"][task["taskUUID"]]["seen"]) == (3, 4)


async def test_second_job_that_fails_leaves_one_bill(tmp_path: Path) -> None:
    async with serve(tmp_path, resend_finished="bill") as caller:
        task = await ended(caller)
        failing = caller.task(taskUUID=task["taskUUID"], positivePrompt=MODERATED)
        await caller.post(failing)
        assert (await caller.result(task))["status"] == "error"
        ledger = await caller.ledger()
    assert (ledger["billed"], ledger["billed_again"]) == (1, [])
    assert ledger["tasks"][task["taskUUID"]]["bills"] == 1


async def test_retry_of_a_failed_id_is_a_first_bill(tmp_path: Path) -> None:
    async with serve(tmp_path, resend_finished="bill") as caller:
        task = await ended(caller, positivePrompt=MODERATED)
        await caller.post(caller.task(taskUUID=task["taskUUID"]))
        assert (await caller.result(task))["status"] == "success"
        ledger = await caller.ledger()
    assert (ledger["billed"], ledger["billed_again"]) == (1, [])


async def test_jobs_of_one_id_make_room_one_by_one(tmp_path: Path) -> None:
    async with serve(tmp_path, resend_finished="bill", max_jobs=2) as caller:
        task = await ended(caller)
        for _ in range(3):
            assert (await caller.post(task))[0] == 200
            await caller.result(task)
        assert (await caller.result(task))["status"] == "success"
        assert (await caller.ledger())["billed"] == 4


@pytest.mark.parametrize("names", [True, False])
async def test_conflict_may_not_name_its_task(tmp_path: Path, names: bool) -> None:
    async with serve(tmp_path, conflict_names_task=names) as caller:
        task = await submitted(caller)
        status, answer = await caller.post(task)
    (error,) = answer["errors"]
    assert (status, error["code"], "taskUUID" in error) == (400, "conflictTaskUUID", names)
    assert (task["taskUUID"] in error["message"]) is names
