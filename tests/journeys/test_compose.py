"""The two containers of the compose file's sandbox, as processes that share this machine's network."""

import asyncio
import json
import re
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from service.demo import playable
from service.sandbox.samples import draw_sample
from service.serving import listen
from tests.compose import DEPLOY, compose
from tests.harness import PATIENCE_S
from tests.process import COMMAND, environment

DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")


@asynccontextmanager
async def container(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], url: str
) -> AsyncIterator[None]:
    """Run a container's command until it is alive, with /data being a folder."""
    assert command[0] == "clips"
    arguments = [argument.replace("/data", str(folder)) for argument in command[1:]]
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, cwd=folder, env=environment(**variables), stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            while not await is_alive(session, url, process):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def is_alive(session: aiohttp.ClientSession, url: str, process: Process) -> bool:
    assert process.returncode is None
    try:
        async with session.get(f"{url}/healthz") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


def free_port() -> str:
    listening, url = listen()
    listening.close()
    return url.rpartition(":")[2]


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """The service of the sandbox's profile, on ports that are free here."""
    service_port, sandbox_port = free_port(), free_port()
    for name in ("sandbox", "trial"):
        (tmp_path / name).mkdir()
    text = json.dumps(compose()["services"])
    services = json.loads(text.replace("8000", service_port).replace("8001", sandbox_port))
    found = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    variables = {"PORT": service_port, **services["trial"]["environment"]}
    url, token = f"http://localhost:{service_port}", variables["SERVICE_TOKEN"]
    async with (
        container(
            services["sandbox"]["command"], tmp_path / "sandbox", {}, f"http://127.0.0.1:{sandbox_port}"
        ),
        container(json.loads(found[1]), tmp_path / "trial", variables, url),
        aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as session,
    ):
        yield session


async def test_frames_that_are_uploaded_become_a_clip_that_the_service_gives_as_a_file(
    trial: aiohttp.ClientSession,
) -> None:
    pair = {}
    for end in ("first", "last"):
        image = draw_sample("1", end, (304, 540))
        async with trial.post("/uploads", data=image, headers={"content-type": "image/png"}) as response:
            pair[f"{end}_frame"] = (await response.json())["url"]
    project = {"frames": {"1": pair}, "scenes": {"1": {"description": "The sun rises.", "duration": 4}}}
    async with trial.post("/projects", json=project) as response:
        project_id = (await response.json())["id"]
    async with trial.post("/functions/v1/generate-clips", json={"project_id": project_id}) as response:
        assert response.status == 200, await response.text()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with trial.get(f"/projects/{project_id}") as response:
                (job,) = (await response.json())["jobs"]
            if job["status"] in ("succeeded", "failed"):
                break
            await asyncio.sleep(0.1)
    assert (job["status"], job["settled_by"]) == ("succeeded", "poll"), job["error"]
    async with trial.get(f"/projects/{project_id}/clips/1.mp4") as response:
        assert response.status == 200
        assert playable(await response.read(), 4)
