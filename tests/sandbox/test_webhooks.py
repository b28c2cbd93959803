"""Webhooks: envelopes, retries, and what a fault makes of them."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.sandbox.webhooks import retry_wait
from tests.sandbox.support import Receiver, serve


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().receiving() as receiver:
        yield receiver


async def test_flat_webhook_is_the_result_without_a_status(tmp_path: Path, receiver: Receiver) -> None:
    async with serve(tmp_path) as caller:
        result = await caller.run(webhookURL=receiver.url, includeCost=True)
        await receiver.wait_for(1)
    assert receiver.bodies == [{name: value for name, value in result.items() if name != "status"}]


@pytest.mark.parametrize("envelope", ["data", "list"])
async def test_other_envelopes_wrap_the_result(tmp_path: Path, receiver: Receiver, envelope: str) -> None:
    async with serve(tmp_path, webhook_envelope=envelope) as caller:
        result = await caller.run(webhookURL=receiver.url)
        await receiver.wait_for(1)
    assert receiver.bodies == [{"data": [result]} if envelope == "data" else [result]]


@pytest.mark.parametrize("envelope", ["flat", "data", "list"])
@pytest.mark.parametrize("place", ["data", "data-flat", "errors", "errors-400"])
async def test_failure_is_told_in_every_envelope_where_polls_tell_it(
    tmp_path: Path, receiver: Receiver, envelope: str, place: str
) -> None:
    async with serve(tmp_path, webhook_envelope=envelope, failure_place=place) as caller:
        result = await caller.run(webhookURL=receiver.url, positivePrompt="A hill [sandbox:moderate]")
        await receiver.wait_for(1)
    key = "errors" if place.startswith("errors") else "data"
    bare = result if key == "data" else {"errors": [result]}
    assert receiver.bodies == [{"flat": bare, "data": {key: [result]}, "list": [result]}[envelope]]


async def test_failed_job_need_not_call_its_webhook(tmp_path: Path, receiver: Receiver) -> None:
    async with serve(tmp_path, failure_webhook="none") as caller:
        failed = caller.task(webhookURL=receiver.url, positivePrompt="A hill [sandbox:fail]")
        await caller.post(failed)
        await caller.result(failed)
        good = await caller.run(webhookURL=receiver.url)
        await receiver.wait_for(1)
        ledger = await caller.ledger()
    assert [body["taskUUID"] for body in receiver.bodies] == [good["taskUUID"]]
    assert ledger["tasks"][failed["taskUUID"]]["webhook_tries"] == 0


async def test_webhook_is_repeated_with_longer_waits_until_it_is_taken(tmp_path: Path) -> None:
    async with Receiver(answers=[500, 404]).receiving() as receiver, serve(tmp_path) as caller:
        task = caller.task(webhookURL=receiver.url)
        await caller.post(task)
        await receiver.wait_for(3)
        entry = (await caller.ledger())["tasks"][task["taskUUID"]]
    assert receiver.bodies[0] == receiver.bodies[1] == receiver.bodies[2]
    assert receiver.at[1] - receiver.at[0] >= 0.18
    assert receiver.at[2] - receiver.at[1] >= 0.37
    assert (entry["webhook_tries"], entry["webhook_deliveries"]) == (3, 1)


async def test_redirect_is_not_followed_and_tries_end(tmp_path: Path) -> None:
    async with (
        Receiver(answers=[302, 307]).receiving() as receiver,
        serve(tmp_path, webhook_tries=2) as caller,
    ):
        task = caller.task(webhookURL=receiver.url)
        await caller.post(task)
        await receiver.wait_for(2)
    assert len(receiver.bodies) == 2


async def test_unreachable_receiver_leaves_the_job_finished(tmp_path: Path) -> None:
    async with serve(tmp_path, webhook_tries=1) as caller:
        result = await caller.run(webhookURL="http://127.0.0.1:9/hook")
        assert result["status"] == "success"


def test_waits_double_from_250_ms_to_8_s_with_jitter() -> None:
    assert [retry_wait(tries, 0) for tries in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert retry_wait(3, 1) == 0.75


async def test_log_shows_neither_token_nor_key(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "service.sandbox"):
        async with serve(tmp_path) as caller:
            await caller.run(webhookURL=receiver.url.replace("//", "//user:password@"))
            await receiver.wait_for(1)
    logged = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("service.sandbox"))
    assert "/hook" in logged
    assert not [secret for secret in ("secret-token", "password", "sandbox-key") if secret in logged]
