"""How fast webhooks are taken in, against a Starlette endpoint that stores nothing.

Both run as processes of their own and get the same requests over the same connections, in turns. The
service verifies, stores and syncs each result to disk before it answers.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import shuffle
from statistics import median
from typing import Any

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.clips.models import TaskUUID
from service.runware.callbacks import WEBHOOK_PATH, CallbackURLs
from service.sandbox.server import Sandbox
from service.serving import listen
from tests.harness import WEBHOOK_SECRET, sandbox_options
from tests.process import ServiceProcess, environment

PROJECTS, SCENES = 100, 20
CONNECTIONS = 50
ROUNDS = 3


async def take(request: Request) -> Response:
    """Read the body and forget it."""
    await request.body()
    return Response(b'{"success":true}', media_type="application/json")


def serve_bare(descriptor: int) -> None:
    """Serve the endpoint that stores nothing on a socket that is listening."""
    app = Starlette(routes=[Route(WEBHOOK_PATH, take, methods=["POST"])])
    config = uvicorn.Config(app, access_log=False, log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


async def rate(url: str, calls: Sequence[tuple[str, dict[str, Any]]]) -> float:
    """Send all calls, CONNECTIONS at a time; gives calls a second."""
    todo = iter(calls)

    async def send(session: aiohttp.ClientSession) -> None:
        for path, body in todo:
            async with session.post(url + path, json=body) as response:
                assert response.status == 200, await response.text()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(send(session) for _ in range(CONNECTIONS)))
        return len(calls) / (time.perf_counter() - started)


async def measure(folder: Path) -> None:
    """Print both rates of each round, and their ratio."""
    callbacks = CallbackURLs("http://service", [WEBHOOK_SECRET])
    stuck = sandbox_options(slow_rate=1, slow_seconds=3600)
    listening, bare_url = listen()
    with listening:
        listening.set_inheritable(True)
        descriptor = str(listening.fileno())
        bare = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __spec__.name, descriptor, env=environment(), pass_fds=[listening.fileno()]
        )
    try:
        async with (
            Sandbox(stuck, files=folder / "videos").serving() as sandbox_url,
            aiohttp.ClientSession() as session,
            ServiceProcess(sandbox_url, folder, POLL_INTERVAL_SECONDS="600") as service,
        ):
            world = service.world(session)
            ratios: list[float] = []
            for number in range(ROUNDS):
                projects = [await world.store(SCENES) for _ in range(PROJECTS)]
                answers = [await world.generate(project_id) for project_id in projects]
                calls = [
                    (_path(callbacks, task_uuid), _success(task_uuid))
                    for answer in answers
                    for task_uuid in answer["clips"]
                ]
                shuffle(calls)
                bare_rate, service_rate = await rate(bare_url, calls), await rate(world.url, calls)
                ratios.append(service_rate / bare_rate)
                print(
                    f"round {number + 1}: bare {bare_rate:6.0f}/s, service {service_rate:6.0f}/s, "
                    f"ratio {ratios[-1]:.2f}"
                )
            print(f"median ratio {median(ratios):.2f} ({len(calls)} webhooks, {CONNECTIONS} connections)")
    finally:
        bare.terminate()
        await bare.wait()


def _path(callbacks: CallbackURLs, task_uuid: str) -> str:
    return (callbacks.url(TaskUUID(task_uuid)) or "").removeprefix("http://service")


def _success(task_uuid: str) -> dict[str, Any]:
    url = "http://127.0.0.1:1/1.mp4"
    return {"taskType": "videoInference", "taskUUID": task_uuid, "videoURL": url, "cost": 0.8}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_bare(int(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            asyncio.run(measure(Path(scratch)))
