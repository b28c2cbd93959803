"""The account: its balance, its usage, and tasks that it doesn't cover."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.sandbox.support import Caller, Json, serve

FAST = {"model": "google:3@3"}
SLOW = {"positivePrompt": "A hill [sandbox:slow=60]"}


class Days:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 10, 15, 12, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
async def caller(tmp_path: Path, days: Days) -> AsyncIterator[Caller]:
    async with serve(tmp_path, clock=days) as caller:
        yield caller


async def activity(caller: Caller, **question: object) -> Json:
    status, told = await caller.account(operation="getUsageActivity", **question)
    assert status == 200, told
    usage: Json = told["usage"]
    return usage


async def test_balance_falls_by_what_is_billed_and_a_failure_gives_back(tmp_path: Path) -> None:
    async with serve(tmp_path, balance_usd=10) as caller:
        await caller.run(duration=4)
        await caller.run(positivePrompt="A hill [sandbox:moderate]")
        _, details = await caller.account()
        ledger = await caller.ledger()
    assert details["balance"] == {"amount": 9.2, "freeBalance": 0, "currency": "USD"}
    assert 10 - ledger["cost_usd"] == details["balance"]["amount"]


async def test_account_can_be_closed_to_the_key_while_other_questions_are_answered(tmp_path: Path) -> None:
    async with serve(tmp_path, account_off=True) as caller:
        status, error = await caller.account()
        assert (status, error["code"]) == (403, "insufficientPermissions")
        assert (await caller.look_up(caller.task()))[0] == 200


async def test_balance_can_be_a_number_and_be_paid_in_while_it_runs(tmp_path: Path) -> None:
    async with serve(tmp_path, balance_form="number", balance_usd=0) as caller:
        assert (await caller.account())[1]["balance"] == 0
        await caller.set_faults(balance_usd=5)
        assert (await caller.account())[1]["balance"] == 5
        await caller.set_faults()
        assert (await caller.account())[1]["balance"] == 0


async def test_details_have_usage_by_span_and_the_key(caller: Caller, days: Days) -> None:
    for back in (40, 20, 3, 0):
        days.now = datetime(2026, 10, 15, 12, tzinfo=UTC) - timedelta(days=back)
        await caller.run()
    _, details = await caller.account()
    spans = {span: (used["requests"], used["credits"]) for span, used in details["usage"].items()}
    assert spans == {"today": (1, 0.8), "last7Days": (2, 1.6), "last30Days": (3, 2.4), "total": (4, 3.2)}
    assert [(key["name"], key["requests"]) for key in details["apiKeys"]] == [("sandbox", 4)]


async def test_activity_by_day_model_and_key_agrees_with_the_ledger(caller: Caller, days: Days) -> None:
    await caller.run()
    await caller.run(**FAST)
    days.now += timedelta(days=1)
    await caller.run(**FAST)
    await caller.run(positivePrompt="A hill [sandbox:fail]")
    usage = await activity(caller, startDate="2026-10-15", endDate="2026-10-16")
    ledger = await caller.ledger()
    assert usage["timeseries"]["data"] == [
        {"date": "2026-10-15", "count": 2, "spend": 1.2},
        {"date": "2026-10-16", "count": 2, "spend": 0.4},
    ]
    assert usage["model"]["data"] == [
        {"model": "google:3@2", "count": 2, "spend": 0.8},
        {"model": "google:3@3", "count": 2, "spend": 0.8},
    ]
    assert usage["apiKey"]["data"] == [{"apiKey": "sandbox", "count": 4, "spend": 1.6}]
    totals = {
        "totalRequests": ledger["accepted"],
        "totalResults": ledger["billed"],
        "totalSpend": ledger["cost_usd"],
    }
    assert [section["meta"] for section in usage.values()] == [totals] * 3


async def test_activity_is_filtered_and_grouped_as_asked(caller: Caller, days: Days) -> None:
    await caller.run()
    await caller.run(**FAST)
    days.now += timedelta(days=1)
    usage = await activity(caller, models=["google:3@3"], groupBy=["model"])
    assert usage.keys() == {"model"}
    assert [row["model"] for row in usage["model"]["data"]] == ["google:3@3"]
    assert (await activity(caller, groupBy="date", endDate="2026-10-14"))["timeseries"]["data"] == []
    assert (await activity(caller, apiKeys=["another"]))["apiKey"]["meta"]["totalRequests"] == 0
    assert (await activity(caller, apiKeys=["sandbox"]))["apiKey"]["meta"]["totalRequests"] == 2


async def test_activity_counts_days_of_the_time_zone(caller: Caller, days: Days) -> None:
    days.now = datetime(2026, 10, 15, 18, 14, 59, tzinfo=UTC)
    await caller.run()
    days.now += timedelta(seconds=1)
    await caller.run()
    usage = await activity(caller, timezone="Asia/Kathmandu", groupBy="date", endDate="2026-10-16")
    assert [row["date"] for row in usage["timeseries"]["data"]] == ["2026-10-15", "2026-10-16"]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"startDate": "2026-09-01", "endDate": "2026-10-02"}, "invalidEndDate"),
        ({"startDate": "2026-10-02", "endDate": "2026-10-01"}, "invalidEndDate"),
        ({"startDate": "yesterday"}, "invalidStartDate"),
        ({"timezone": "Nowhere/Land"}, "invalidTimezone"),
        ({"groupBy": ["hour"]}, "invalidGroupBy"),
        ({"models": "google:3@2"}, "invalidModels"),
        ({"operation": "getUsageErrors"}, "unsupportedOperation"),
    ],
)
async def test_question_that_makes_no_sense_is_refused(caller: Caller, question: Json, code: str) -> None:
    status, error = await caller.account(**{"operation": "getUsageActivity", **question})
    assert (status, error["code"]) == (400, code)


async def test_thirty_days_apart_is_not_too_long(caller: Caller) -> None:
    assert await activity(caller, startDate="2026-09-01", endDate="2026-10-01")


async def test_empty_account_refuses_the_whole_request_without_names(tmp_path: Path) -> None:
    async with serve(tmp_path, balance_usd=1) as caller:
        status, answer = await caller.post(caller.task(), caller.task())
        assert (status, [error.keys() for error in answer["errors"]]) == (402, [{"code", "message"}])
        assert answer["errors"][0]["code"] == "insufficientCredits"
        ledger = await caller.ledger()
        assert (ledger["accepted"], ledger["refused"]) == (0, 2)
        assert (await caller.post(caller.task()))[0] == 200
        assert (await caller.post(caller.task()))[0] == 402


async def test_empty_account_can_refuse_by_name_what_it_does_not_cover(tmp_path: Path) -> None:
    async with serve(tmp_path, balance_usd=1, credit_refusal="named") as caller:
        covered, refused = caller.task(), caller.task()
        status, answer = await caller.post(covered, refused)
        assert (status, [element["taskUUID"] for element in answer["data"]]) == (200, [covered["taskUUID"]])
        assert [(error["code"], error["taskUUID"]) for error in answer["errors"]] == [
            ("insufficientCredits", refused["taskUUID"])
        ]
        assert (await caller.post(refused))[0] == 402
        assert (await caller.details(refused))[1]["data"][0]["response"]["errors"]
        assert (await caller.look_up(covered))[0] == 200


async def test_throttle_refuses_by_402_while_too_many_jobs_run_though_there_is_money(tmp_path: Path) -> None:
    async with serve(tmp_path, throttle_402_above=2) as caller:
        first = caller.task(positivePrompt="A hill [sandbox:slow=0.3]")
        assert (await caller.post(first, caller.task(**SLOW)))[0] == 200
        status, answer = await caller.post(caller.task(**SLOW))
        assert (status, [error.keys() for error in answer["errors"]]) == (402, [{"code", "message"}])
        assert answer["errors"][0]["code"] == "insufficientCredits"
        assert (await caller.account())[1]["balance"]["amount"] > 100
        await caller.result(first)
        assert (await caller.post(caller.task(**SLOW)))[0] == 200
