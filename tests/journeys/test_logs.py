"""What an operator reads in the log of a running service, by the commands that the guide gives."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from service.sandbox.server import Sandbox
from tests.guide import blocks
from tests.harness import World, running_service, running_world, sandbox_options
from tests.identities import SERVICE_TOKEN, bearer
from tests.missing import give_up
from tests.process import ServiceProcess, run_command
from tests.scrape import scrape

APP = "https://app.example"
FOLLOWED = "docker logs -f clips 2>&1"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running_world(tmp_path, allowed_origins=APP) as running:
        yield running


def requests(lines: list[Any]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "request"]


async def test_every_call_about_a_project_names_it_and_every_webhook_its_job(tmp_path: Path) -> None:
    # The stream's line comes when the service has ended it.
    with capture_logs() as lines:
        async with running_world(tmp_path) as world:
            project_id = await world.store(1)
            await world.generate(project_id)
            (job,) = await world.settled(project_id)
            await world.check(project_id)
            await world.retry(project_id)
            async with world.session.get(f"{world.url}/projects/{project_id}/events"):
                pass
            await world.get("/projects")
    seen = {(line["method"], line["path"]): line for line in requests(lines)}
    webhook, listing = seen.pop(("POST", "/webhooks/runware")), seen.pop(("GET", "/projects"))
    assert (webhook["job"], webhook.get("project")) == (job["task_uuid"], None)
    assert "project" not in listing
    assert {path.rpartition("/")[2] for _, path in seen} == {
        "projects",
        "generate-clips",
        "check-clips-status",
        "retry-clips",
        project_id,
        "events",
    }
    assert {line.get("project") for line in seen.values()} == {project_id}


async def test_call_that_is_refused_names_a_project_only_if_it_could_be_one(tmp_path: Path) -> None:
    async with running_world(tmp_path, service_token=SERVICE_TOKEN) as world:
        missing = "00000000-0000-4000-8000-000000000000"
        with capture_logs() as lines:
            for token in ("wrong", SERVICE_TOKEN):
                for body in ({"project_id": missing}, {"project_id": "no-uuid"}):
                    await world.post("/generate-clips", body, headers=bearer(token))
            async with world.session.get(
                f"{world.url}/projects/no-uuid", headers=bearer(SERVICE_TOKEN)
            ) as response:
                assert response.status == 404
            await world.post("/webhooks/runware?job=a-job&token=wrong", {})
        about = [(line["status"], line.get("project"), line.get("job")) for line in requests(lines)]
    strangers = [(401, None, None)] * 2
    callers = [(404, missing, None), (422, None, None), (404, None, None)]
    assert about == [*strangers, *callers, (401, None, None)]


async def ask(world: World, origin: str, method: str = "POST") -> int:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    async with world.session.options(f"{world.url}/generate-clips", headers=headers) as response:
        return response.status


async def test_refused_preflight_is_logged_with_its_origin_and_what_to_set_and_is_counted(
    world: World,
) -> None:
    with capture_logs() as lines:
        assert await ask(world, "https://other.example") == 400
        assert await ask(world, f"https://{'a' * 500}.example") == 400
        assert await ask(world, "https://bell\u00a0.example") == 400
        assert await ask(world, APP, "PUT") == 400
        assert await ask(world, APP) == 200
    *strange, other = [line for line in lines if line["event"].startswith("preflight")]
    assert {line["event"] for line in strange} == {"preflight refused: its origin is not in ALLOWED_ORIGINS"}
    assert {line["log_level"] for line in lines if line in strange} == {"warning"}
    first, long, unprintable = [line["origin"] for line in strange]
    assert first == "https://other.example"
    assert (len(long), long[:10]) == (100, "https://aa")
    assert unprintable.isprintable()
    assert (other["event"], other["origin"]) == ("preflight refused", APP)
    assert other["reason"] == "Disallowed CORS method"
    seen = await scrape(world)
    assert seen("preflights_refused_total", reason="origin") == 3
    assert seen("preflights_refused_total", reason="other") == 1


def warned(lines: list[Any]) -> list[str]:
    return [line["database"] for line in lines if line["event"].startswith("another process serves")]


async def test_second_service_on_a_database_file_is_warned_at_start_and_works(tmp_path: Path) -> None:
    async with running_world(tmp_path) as first:
        with capture_logs() as lines:
            async with running_service(first.sandbox_url, first.database) as second:
                project_id = await first.store(2)
                await second.generate(project_id)
                assert {job["status"] for job in await first.settled(project_id)} == {"succeeded"}
                assert (await first.ledger())["accepted"] == 2
        assert warned(lines) == [str(first.database)]
        (level,) = {line["log_level"] for line in lines if line["event"].startswith("another process")}
        assert level == "warning"
    with capture_logs() as lines:
        async with running_world(tmp_path):
            pass
    assert warned(lines) == []


async def test_killed_service_leaves_no_warning_to_the_next(tmp_path: Path) -> None:
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        ServiceProcess(sandbox_url, tmp_path) as service,
    ):
        code, output = await run_command("doctor", cwd=tmp_path, variables=service.variables)
        assert (code, "another process" in output) == (0, False), output
        await service.kill()
        await service.start()
        assert "another process" not in service.log


def documented_commands() -> list[str]:
    (block,) = (block for block in blocks("sh") if FOLLOWED in block)
    return block.splitlines()


async def shown(command: str, log: Path, followed: str) -> list[str]:
    """Run a documented command over a log that is there, for another project or job."""
    here = re.sub(UUID, followed, command.replace(FOLLOWED, f"cat {log}"))
    process = await asyncio.create_subprocess_shell(here, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, here
    return output.decode().splitlines()


async def test_documented_commands_follow_one_project_and_one_job_through_the_log(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        give_up("jq is missing: apt-get install jq")
    async with (
        Sandbox(sandbox_options(), files=tmp_path / "videos").serving() as sandbox_url,
        aiohttp.ClientSession() as session,
        ServiceProcess(sandbox_url, tmp_path) as service,
    ):
        world = service.world(session)
        good = {"description": "Good.", "duration": 4}
        bad = {"description": "Bad. [sandbox:fail]", "duration": 4}
        project_id, other = await world.store({"1": good, "2": bad}), await world.store(1)
        for one in (other, project_id):
            await world.generate(one)
            await world.settled(one)
        (job, _) = await world.jobs(project_id)
        (others,) = await world.jobs(other)
        await service.terminate()
    log = tmp_path / "service.log"
    with log.open("a") as more:
        more.write("a line that is no JSON\n")
    everything, clips, one_job = documented_commands()
    lines = [json.loads(line) for line in await shown(everything, log, project_id)]
    assert {"request", "clip submitted", "clip succeeded", "clip failed"} <= {line["event"] for line in lines}
    assert others["task_uuid"] not in str(lines)
    told = [json.loads(line) for line in await shown(clips, log, project_id)]
    events = [(event, scene) for _, event, scene, *_ in told]
    assert sorted(events) == [
        ("clip failed", "2"),
        ("clip submitted", "1"),
        ("clip submitted", "2"),
        ("clip succeeded", "1"),
    ]
    (cost,) = (cost for _, event, _, _, cost, _ in told if event == "clip succeeded")
    assert cost == job["cost_usd"]
    assert all(said for _, event, _, _, _, said in told if event == "clip failed")
    of_job = [json.loads(line) for line in await shown(one_job, log, job["task_uuid"])]
    assert {line["event"] for line in of_job} == {"clip submitted", "request", "clip succeeded"}
    assert {line.get("path", "/webhooks/runware") for line in of_job} == {"/webhooks/runware"}


async def page_lines(folder: Path, **variables: str) -> list[dict[str, Any]]:
    """Start the service by its command, and stop it; gives what its log says of the page."""
    service = ServiceProcess("http://127.0.0.1:9", folder, LOG_FORMAT="json", **variables)
    async with service:
        await service.terminate()
        lines = [json.loads(line) for line in service.log.splitlines()]
    return [line for line in lines if line["event"] == "the page is ready: open it in a browser"]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_start_names_the_address_of_the_page_once(tmp_path: Path, host: str) -> None:
    token = SERVICE_TOKEN if host == "0.0.0.0" else ""
    (line,) = await page_lines(tmp_path, PUBLIC_URL="", HOST=host, SERVICE_TOKEN=token)
    assert re.fullmatch(r"http://localhost:\d+", line["page"])
    assert (line["level"], line["sign_in"]) == ("info", "with the SERVICE_TOKEN" if token else "not needed")


async def test_start_names_the_public_address_of_the_page(tmp_path: Path) -> None:
    public = {"PUBLIC_URL": "https://clips.example.com", "SERVICE_TOKEN": SERVICE_TOKEN}
    (line,) = await page_lines(tmp_path, **public)
    assert (line["page"], line["sign_in"]) == ("https://clips.example.com", "with the SERVICE_TOKEN")


async def test_start_names_the_page_on_a_terminal_too(tmp_path: Path) -> None:
    async with ServiceProcess("http://127.0.0.1:9", tmp_path, LOG_FORMAT="console") as service:
        await service.terminate()
        (line,) = (line for line in service.log.splitlines() if "open it in a browser" in line)
    assert service.url in line
