"""The service as it runs in production: a process that is stopped, and one that is killed."""

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from service.clips.models import TaskUUID
from service.runware.callbacks import CallbackURLs
from service.sandbox.server import Sandbox
from service.serving import listen
from tests.harness import SANDBOX_KEY, WEBHOOK_SECRET, World, sandbox_options
from tests.process import COMMAND, ServiceProcess, environment, run_command

TOKEN = "token-of-the-service"


async def until_accepted(world: World, count: int) -> None:
    async with asyncio.timeout(30):
        while (await world.ledger())["accepted"] < count:  # noqa: ASYNC110 - the ledger is another process's
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("accepted_before", [0, 1, 7, 19])
async def test_kill_in_the_middle_of_a_submission_loses_nothing_and_pays_once(
    tmp_path: Path, accepted_before: int
) -> None:
    """Twenty clips, two at a time; some are acknowledged by the kill, some taken unheard, some not sent."""
    slow = sandbox_options(answer_delay_seconds=0.2, webhook_drop_rate=0.5, max_seconds=1)
    one_by_one = {"RUNWARE_BATCH_SIZE": "1", "RUNWARE_CONCURRENCY": "2", "SUBMISSION_GRACE_SECONDS": "2"}
    async with (
        Sandbox(slow, files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession() as session,
        ServiceProcess(sandbox_url, tmp_path, **one_by_one) as service,
    ):
        world = service.world(session)
        project_id = await world.store(20)
        call = asyncio.create_task(world.generate(project_id))
        await world.until(project_id, lambda jobs: len(jobs) == 20)
        await until_accepted(world, accepted_before)
        await service.kill()
        with pytest.raises(aiohttp.ClientError):
            await call
        taken = (await world.ledger())["accepted"]
        assert accepted_before <= taken <= 20

        await service.start()
        jobs = await world.settled(project_id)
        assert [job["status"] for job in jobs] == ["succeeded"] * 20
        ledger = await world.ledger()
        assert (ledger["accepted"], ledger["billed"], ledger["seen_twice"]) == (20, 20, [])
        assert set(ledger["tasks"]) == {job["task_uuid"] for job in jobs}
        assert set((await world.project(project_id))["clips"]) == set(ledger["tasks"])
        print(  # noqa: T201 - the numbers, for who reads them with -rP
            f"killed at {taken} of 20 accepted; after the restart: accepted {ledger['accepted']}, "
            f"billed {ledger['billed']}, sent twice {len(ledger['seen_twice'])}, succeeded {len(jobs)}"
        )


async def test_sigterm_finishes_what_is_in_flight(tmp_path: Path) -> None:
    slow = sandbox_options(answer_delay_seconds=1)
    async with (
        Sandbox(slow, files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession() as session,
        ServiceProcess(sandbox_url, tmp_path) as service,
    ):
        world = service.world(session)
        project_id = await world.store(3)
        call = asyncio.create_task(world.generate(project_id))
        await until_accepted(world, 3)
        code = await service.terminate()
        assert (await call)["failed"] == 0
        assert code in (0, -15)
        assert "stopping" in service.log
        assert "Traceback" not in service.log


async def test_stop_during_a_back_off_ends_soon_and_the_next_start_goes_on(tmp_path: Path) -> None:
    busy = sandbox_options(burst_rate=1, burst_length=10_000, burst_status=503)
    async with (
        Sandbox(busy, files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession() as session,
        ServiceProcess(sandbox_url, tmp_path, SUBMISSION_GRACE_SECONDS="5") as service,
    ):
        world = service.world(session)
        project_id = await world.store(3)
        call = asyncio.create_task(world.generate(project_id))
        await world.until(project_id, lambda jobs: len(jobs) == 3)
        await service.terminate()
        assert (await call)["pending"] == 3
        await world.set_faults()
        await service.start()
        jobs = await world.settled(project_id)
        assert {job["status"] for job in jobs} == {"succeeded"}
        assert (await world.ledger())["accepted"] == 3


async def test_log_has_a_line_for_each_outcome_and_no_secret(tmp_path: Path) -> None:
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
        ServiceProcess(sandbox_url, tmp_path, SERVICE_TOKEN=TOKEN, POLL_INTERVAL_SECONDS="600") as service,
    ):
        world = service.world(session)
        scenes = {"1": {"description": "Fine."}, "2": {"description": "[sandbox:fail]"}}
        project_id = await world.store(scenes)
        await world.generate(project_id)
        one, two = await world.settled(project_id)
        await world.post("/webhooks/runware?job=1&token=guessed-token", {})
        await service.terminate()

        lines = [json.loads(line) for line in service.log.splitlines()]
        good = next(line for line in lines if line["event"] == "clip succeeded")
        assert good["level"] == "info"
        assert {
            name: good[name] for name in ("project", "scene", "job", "attempt", "settled_by", "cost_usd")
        } == {
            "project": project_id,
            "scene": "1",
            "job": one["task_uuid"],
            "attempt": 1,
            "settled_by": "webhook",
            "cost_usd": 0.8,
        }
        assert 0 <= good["seconds"] < 60
        bad = next(line for line in lines if line["event"] == "clip failed")
        assert (bad["scene"], bad["code"], bad["kind"]) == ("2", "inferenceError", "provider")
        assert any(line.get("path") == "/webhooks/runware" and line["status"] == 200 for line in lines)

        url = CallbackURLs("http://x", [WEBHOOK_SECRET]).url(TaskUUID(two["task_uuid"]))
        (token,) = parse_qs(urlsplit(url or "").query)["token"]
        for secret in (SANDBOX_KEY, WEBHOOK_SECRET, TOKEN, token, "guessed-token"):
            assert secret not in service.log


async def test_demo_names_the_page_first_retries_what_fails_and_ends_with_every_clip(tmp_path: Path) -> None:
    code, output = await run_command("demo", "--once", cwd=tmp_path)
    assert code == 0, output
    first, second, *_ = output.splitlines()
    assert re.fullmatch(r"Watch it in a browser: http://127\.0\.0\.1:\d+/#/projects/[0-9a-f-]{36}", first)
    assert second.startswith("Nothing is spent")
    steps = ("Scene 3: failed", "Scene 3 failed, which cost nothing", "Scene 3: done")
    assert [output.index(step) for step in steps] == sorted(output.index(step) for step in steps)
    assert output.count("a playable MP4") == 3
    assert len(set(re.findall(r"\S+/videos/\S+", output))) == 3


async def test_interrupted_demo_is_no_success_and_leaves_nothing_behind(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "demo", "--once", cwd=tmp_path, env=environment(TMPDIR=str(tmp_path)), stdout=PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while not (await process.stdout.readline()).startswith(b"Project"):
            pass
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    output = await process.stdout.read()
    assert await process.wait() == 130
    assert b"Stopped before all clips had ended" in output
    assert b"Traceback" not in output
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


@pytest.mark.parametrize(
    ("database", "reason"),
    [
        ("nowhere/clips.db", "nowhere is missing. Make it (mkdir -p "),
        (".", "write the path of a file, such as /data/clips.db, not of a folder"),
        ("text", "text is not a database, and was left as it is. Name another file."),
        ("text/clips.db", "text is a file, not a folder. Name a file in a folder."),
        ("/proc/clips.db", "/proc/clips.db can't be written."),
    ],
)
async def test_database_that_can_not_be_used_is_refused_at_start(
    tmp_path: Path, database: str, reason: str
) -> None:
    (tmp_path / "text").write_text("This is no database. " * 100)
    variables = {"RUNWARE_API_KEY": "k", "DATABASE_PATH": database}
    code, output = await run_command("serve", cwd=tmp_path, variables=variables)
    assert code == 2
    assert output.startswith("DATABASE_PATH is wrong")
    assert reason in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["serve", "sandbox"])
async def test_port_in_use_is_told_in_a_sentence(tmp_path: Path, command: str) -> None:
    listening, url = listen()
    with listening:
        port = url.rpartition(":")[2]
        variables = {"RUNWARE_API_KEY": "k"}
        code, output = await run_command(command, "--port", port, cwd=tmp_path, variables=variables)
    assert code == 2
    assert f"can't listen on 127.0.0.1, port {port}" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "RUNWARE_API_KEY is not set."),
        ({"RUNWARE_API_KEY": "k", "HOST": "0.0.0.0"}, "SERVICE_TOKEN"),
        ({"RUNWARE_API_KEY": "k", "PUBLIC_URL": "http://localhost:8000"}, "WEBHOOK_SECRET"),
    ],
)
async def test_wrong_settings_are_refused_at_start_with_the_remedy(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    code, output = await run_command("serve", cwd=tmp_path, variables=variables)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output


async def test_options_win_over_environment_and_that_over_dot_env(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RUNWARE_API_KEY=k\nPORT=bad-in-file\nPOLL_INTERVAL_SECONDS=0\n")
    options = ["--poll-interval-seconds", "-1"]
    code, output = await run_command("serve", *options, cwd=tmp_path, variables={"PORT": "bad-in-env"})
    assert code == 2
    assert "PORT is wrong" in output
    assert "POLL_INTERVAL_SECONDS is wrong" in output
    options = ["--port", "0", "--poll-interval-seconds", "5", "--host", "203.0.113.1"]
    code, output = await run_command("serve", *options, cwd=tmp_path, variables={"PORT": "bad"})
    assert code == 2
    assert "PORT is wrong" not in output
    assert "HOST is 203.0.113.1" in output
