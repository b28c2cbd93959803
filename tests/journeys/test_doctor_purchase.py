"""`clips doctor --spend`: one real clip, and how Runware answers, told apart for each way in which it may."""

import json
import os
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.app import store_for
from service.clips.models import Clip, ClipStatus, SettledBy, TaskUUID
from service.sandbox.server import Sandbox
from service.serving import listen
from tests.harness import SANDBOX_KEY, WEBHOOK_SECRET, sandbox_options, service_settings
from tests.process import ServiceProcess, run_command

# A clip of Veo 3.1 Lite, 4 s at 720p, costs 0.12 USD in the sandbox, as in the table of models.
ONE, TWO = "0.20", "0.24"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with settings, where no service runs yet, and a sandbox for Runware."""

    folder: Path
    sandbox_url: str
    variables: Mapping[str, str]

    async def doctor(
        self, *arguments: str, settings: Mapping[str, str] | None = None, stdin: int = DEVNULL
    ) -> tuple[int, str]:
        changed = {**self.variables, **(settings or {})}
        variables = {name: value for name, value in changed.items() if value}
        code, said = await run_command(
            "doctor", *arguments, cwd=self.folder, variables=variables, stdin=stdin
        )
        print(f"$ clips doctor {' '.join(arguments)}  # exit {code}\n{said}")  # noqa: T201 - read with -rP
        written = self.report_path.read_text("utf-8") if self.report_path.exists() else ""
        for secret in (SANDBOX_KEY, WEBHOOK_SECRET, "token=", "data:image", "/videos/"):
            assert secret not in said + written
        return code, said

    @property
    def report_path(self) -> Path:
        return self.folder / "doctor-report.json"

    @property
    def values(self) -> dict[str, str]:
        """What the report says of each part, in a word."""
        report = json.loads(self.report_path.read_text("utf-8"))
        return {finding["part"]: finding["value"] for finding in report["findings"]}

    async def ledger(self) -> Mapping[str, Any]:
        """What the sandbox took and billed."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.sandbox_url}/ledger") as response:
            ledger: Mapping[str, Any] = await response.json()
            return ledger

    async def clip(self) -> Clip:
        """The doctor's clip, as the service's own ledger has it."""
        settings = service_settings(self.sandbox_url, self.folder / "clips.db")
        async with store_for(settings) as store:
            (clip,) = await store.clips([TaskUUID(self.values["Purchase"])])
            return clip


@asynccontextmanager
async def machine(tmp_path: Path, **sandbox: Any) -> AsyncIterator[Machine]:
    options = sandbox_options(**{"balance_usd": 50, "min_seconds": 0.3, "max_seconds": 0.3, **sandbox})
    listening, url = listen()
    listening.close()
    async with Sandbox(options, files=tmp_path / "videos").serving() as sandbox_url:
        yield Machine(
            tmp_path,
            sandbox_url,
            {
                "RUNWARE_API_KEY": SANDBOX_KEY,
                "RUNWARE_API_URL": f"{sandbox_url}/v1",
                "PUBLIC_URL": url,
                "PORT": url.rpartition(":")[2],
                "WEBHOOK_SECRET": WEBHOOK_SECRET,
                "VIDEO_HOSTS": "127.0.0.1",
                "POLL_INTERVAL_SECONDS": "1",
            },
        )


@pytest.mark.parametrize(
    ("sandbox", "values"),
    [
        pytest.param(
            {"unknown_answer": "empty", "unknown_details": "empty", "balance_form": "object"},
            {"Unknown job": "empty", "No record": "empty", "Balance": "object"},
            id="unknown-empty",
        ),
        pytest.param(
            {"unknown_answer": "not-found", "unknown_details": "not-found", "balance_form": "number"},
            {"Unknown job": "not-found", "No record": "not-found", "Balance": "number"},
            id="unknown-not-found",
        ),
        pytest.param(
            {"unknown_details": "blank", "webhook_envelope": "flat"},
            {"No record": "blank", "Record": "at once", "Webhook": "flat", "Cost": "poll, webhook"},
            id="flat-webhook",
        ),
        pytest.param({"webhook_envelope": "data"}, {"Webhook": "data"}, id="data-webhook"),
        pytest.param({"webhook_envelope": "list"}, {"Webhook": "list"}, id="list-webhook"),
        pytest.param({"webhook_drop_rate": 1}, {"Webhook": "none", "Cost": "poll"}, id="webhook-dropped"),
        pytest.param({"early_webhook_rate": 1}, {"Webhook": "flat"}, id="webhook-before-the-answer"),
        pytest.param({"archive_off": True}, {"No record": "refused", "Record": "none"}, id="archive-refused"),
        pytest.param({"account_off": True}, {"Balance": "none"}, id="account-refused"),
        pytest.param({"unlisted_rate": 1}, {"Unknown job": "empty"}, id="running-job-unlisted"),
        pytest.param({"lose_reply_rate": 1}, {"Webhook": "flat"}, id="answer-to-the-submission-lost"),
        pytest.param({"video_empty_seconds": 0}, {"Link": "at once"}, id="video-at-once"),
        pytest.param({"video_empty_seconds": 1.5}, {"Link": "empty at first"}, id="video-empty-at-first"),
        pytest.param({"lite_frames": "plain"}, {"Clip": "succeeded"}, id="plain-frames-only"),
        pytest.param({"frame_check": "submission"}, {"Clip": "succeeded"}, id="frames-judged-at-once"),
    ],
)
async def test_report_names_how_runware_answers(
    tmp_path: Path, sandbox: dict[str, Any], values: dict[str, str]
) -> None:
    async with machine(tmp_path, **sandbox) as here:
        code, said = await here.doctor("--spend", ONE, "--yes")
        ledger, clip = await here.ledger(), await here.clip()
    assert code == 0, said
    assert here.values.items() >= {"Clip": "succeeded", **values}.items()
    assert (ledger["accepted"], ledger["billed"], ledger["cost_usd"]) == (1, 1, 0.12)
    assert (clip.status, clip.cost_usd) == (ClipStatus.SUCCEEDED, 0.12)


@pytest.mark.parametrize(
    ("sandbox", "values"),
    [
        ({"failure_place": "data"}, {"Clip": "data, nested, at HTTP 200", "Webhook": "flat"}),
        ({"failure_place": "data-flat"}, {"Clip": "data, flat, at HTTP 200", "Webhook": "flat"}),
        ({"failure_place": "errors"}, {"Clip": "errors at HTTP 200", "Webhook": "errors"}),
        ({"failure_place": "errors-400"}, {"Clip": "errors at HTTP 400", "Webhook": "errors"}),
        ({"failure_webhook": "none"}, {"Clip": "errors at HTTP 400", "Webhook": "none"}),
    ],
)
async def test_failed_clip_is_told_with_its_reason_and_where_that_stood(
    tmp_path: Path, sandbox: dict[str, Any], values: dict[str, str]
) -> None:
    async with machine(tmp_path, moderate_rate=1, **sandbox) as here:
        code, said = await here.doctor("--spend", TWO, "--yes", "--probe-resend")
        ledger, clip = await here.ledger(), await here.clip()
    assert code == 1
    assert here.values.items() >= {**values, "Resend": "not asked"}.items()
    assert "failed   Clip        It failed (safety, invalidProviderContent)" in said
    assert "You will not be charged" in said
    assert (ledger["accepted"], ledger["billed"]) == (1, 0)
    assert clip.status is ClipStatus.FAILED


@pytest.mark.parametrize(
    ("sandbox", "value", "bills"),
    [
        ({"resend_finished": "conflict"}, "conflict", 1),
        ({"resend_finished": "conflict", "conflict_names_task": False}, "conflict", 1),
        ({"resend_finished": "bill"}, "billed", 2),
        ({"resend_finished": "bill", "balance_form": "number"}, "billed", 2),
        ({"resend_finished": "bill", "account_off": True}, "taken", 2),
    ],
)
async def test_finished_id_sent_again_shows_by_answer_and_balance(
    tmp_path: Path, sandbox: dict[str, Any], value: str, bills: int
) -> None:
    async with machine(tmp_path, **sandbox) as here:
        code, said = await here.doctor("--spend", TWO, "--yes", "--probe-resend")
        ledger, clip = await here.ledger(), await here.clip()
    assert (code, here.values["Resend"]) == (0, value), said
    assert ledger["billed"] == bills
    assert bool(ledger["billed_again"]) is (bills == 2)
    assert (clip.status, clip.cost_usd) == (ClipStatus.SUCCEEDED, 0.12)


async def test_id_is_not_sent_again_where_the_sum_covers_one_bill_only(tmp_path: Path) -> None:
    async with machine(tmp_path, resend_finished="bill") as here:
        code, said = await here.doctor("--spend", "0.23", "--yes", "--probe-resend")
        ledger = await here.ledger()
    assert (code, here.values["Resend"]) == (0, "not asked")
    assert "It takes --spend 0.24." in said
    assert (ledger["billed"], ledger["seen_twice"]) == (1, [])


@pytest.mark.parametrize(
    ("sandbox", "arguments", "changes", "says"),
    [
        ({}, ("--spend", "0.11", "--yes"), {}, "for about $0.12: more than $0.11. Nothing was spent."),
        ({"balance_usd": 0}, ("--spend", ONE, "--yes"), {}, "The balance of $0.00 is not enough"),
        ({}, ("--spend", "9", "--yes"), {"RUNWARE_MODELS": "google:3@2"}, "No price is known"),
        ({}, ("--spend", ONE, "--yes"), {"PUBLIC_URL": "http://127.0.0.1:9"}, "No clip was bought"),
        ({}, ("--spend", ONE, "--yes"), {"RUNWARE_API_KEY": "another-key"}, "mend first what failed"),
        ({}, ("--spend", ONE, "--yes", "--report", "no/such/folder.json"), {}, "can't be written"),
    ],
)
async def test_nothing_is_bought_where_something_speaks_against_it(
    tmp_path: Path, sandbox: dict[str, Any], arguments: tuple[str, ...], changes: dict[str, str], says: str
) -> None:
    async with machine(tmp_path, **sandbox) as here:
        code, said = await here.doctor(*arguments, settings=changes)
        assert (code, says in said) == (1, True), said
        assert (await here.ledger())["accepted"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--spend", ONE), "Say --yes as well."),
        (("--yes",), "go with --spend."),
        (("--probe-resend",), "go with --spend."),
        (("--spend", "0", "--yes"), "greater than or equal to 0.01"),
        (("--spend", "nan", "--yes"), "Invalid value for '--spend'"),
        (("--spend", "101", "--yes"), "less than or equal to 100"),
    ],
)
async def test_wrong_use_is_refused_before_anything_is_asked(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    code, said = await run_command("doctor", *arguments, cwd=tmp_path)
    assert (code, says in said) == (2, True), said


@pytest.mark.parametrize(("answer", "accepted"), [("n\n", 0), ("\n", 0), ("y\n", 1)])
async def test_on_a_terminal_it_asks_first(tmp_path: Path, answer: str, accepted: int) -> None:
    terminal, stdin = os.openpty()
    try:
        os.write(terminal, answer.encode())
        async with machine(tmp_path) as here:
            code, said = await here.doctor("--spend", ONE, "--probe-resend", stdin=stdin)
            ledger = await here.ledger()
    finally:
        os.close(terminal)
        os.close(stdin)
    assert "This makes one real clip of Veo 3.1 Lite, 4 s, 720p, silent, for about $0.12." in said
    assert "Its id is not sent again: $0.20 does not cover a second bill. Go on?" in said
    assert (code, ledger["accepted"]) == (0 if accepted else 1, accepted), said


async def test_running_service_takes_the_webhook_and_the_ledger_shows_it(tmp_path: Path) -> None:
    # The poller looks so seldom that only the webhook can settle the clip.
    async with machine(tmp_path) as here, running(here, POLL_INTERVAL_SECONDS="600"):
        code, said = await here.doctor("--spend", ONE, "--yes", settings={"POLL_INTERVAL_SECONDS": "600"})
        clip = await here.clip()
    assert (code, here.values["Webhook"]) == (0, "came"), said
    assert "Stop the service and run this again to see its form." in said
    assert clip.settled_by is SettledBy.WEBHOOK


async def test_running_service_that_polled_first_leaves_the_webhook_untold(tmp_path: Path) -> None:
    async with machine(tmp_path, webhook_drop_rate=1) as here, running(here):
        code, said = await here.doctor("--spend", ONE, "--yes")
    assert (code, here.values["Webhook"]) == (0, "untold"), said


async def test_service_with_another_database_is_found_before_anything_is_bought(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    async with machine(tmp_path) as here, running(here, DATABASE_PATH="elsewhere/clips.db"):
        code, said = await here.doctor("--spend", ONE, "--yes")
        assert (await here.ledger())["accepted"] == 0
    assert code == 1
    assert "has another database" in said


async def test_without_a_public_url_the_poller_settles_and_no_webhook_is_asked_for(tmp_path: Path) -> None:
    async with machine(tmp_path) as here:
        code, said = await here.doctor("--spend", ONE, "--yes", settings={"PUBLIC_URL": ""})
        clip = await here.clip()
    assert (code, here.values["Webhook"], here.values["Cost"]) == (0, "not asked", "poll"), said
    assert clip.settled_by is SettledBy.POLL


async def test_video_at_another_host_is_found_with_the_setting_to_change(tmp_path: Path) -> None:
    async with machine(tmp_path) as here:
        code, said = await here.doctor("--spend", ONE, "--yes", settings={"VIDEO_HOSTS": "*.runware.ai"})
        clip = await here.clip()
    assert (code, here.values["Clip"], here.values["Webhook"]) == (1, "refused", "flat")
    assert "set VIDEO_HOSTS=*.runware.ai,THAT-HOST" in said
    assert clip.status is ClipStatus.PENDING


async def test_clip_that_does_not_end_in_its_time_is_left_in_the_ledger(tmp_path: Path) -> None:
    async with machine(tmp_path, min_seconds=60, max_seconds=60) as here:
        code, said = await here.doctor("--spend", ONE, "--yes", settings={"CLIP_TIMEOUT_SECONDS": "2"})
        clip = await here.clip()
    assert (code, here.values["Clip"], clip.video_url) == (1, "pending", None), said


async def test_price_of_its_own_clips_counts_more_than_the_tables(tmp_path: Path) -> None:
    async with machine(tmp_path) as here:
        assert (await here.doctor("--spend", ONE, "--yes"))[0] == 0
        _, said = await here.doctor("--spend", ONE, "--yes")
        assert "(what such clips have cost here)" in said
        assert (await here.ledger())["accepted"] == 2


@asynccontextmanager
async def running(here: Machine, **changes: str) -> AsyncIterator[None]:
    """Run the service on the machine, by its own command."""
    variables = {**here.variables, **changes}
    service = ServiceProcess(here.sandbox_url, here.folder, **variables)
    service.url = variables["PUBLIC_URL"]
    async with service:
        yield
