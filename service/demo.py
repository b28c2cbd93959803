"""The whole product on one machine: service, sandbox, a sample project, and its clips arriving."""

import asyncio
import io
import math
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import av
from rich.console import Console

from service.app import build_app
from service.logs import configure_logs
from service.sandbox.options import SandboxOptions
from service.sandbox.server import Sandbox
from service.serving import listen, run_until_signal, serving
from service.settings import IsolatedSettings
from service.terminal.client import ServiceClient
from service.terminal.reports import ExitCode, Report, SceneReport
from service.terminal.running import watched
from service.terminal.views import view_for

# Far beyond the sandbox's slowest job; whoever reaches it has found a fault.
_GIVE_UP_AFTER_S = 120
# The sandbox is quicker than Runware. One clip is made after the others, so they take 3 to 6 seconds each.
_LONGEST_JOB_S = 6
# Time for a person to see the failed clip on the page.
_PAUSE_S = 3
_DURATION_TOLERANCE_S = 0.25

_SCENES: dict[str, dict[str, Any]] = {
    "1": {"scene_id": 1, "description": "The sun rises over a quiet bay.", "duration": 4},
    "2": {
        "scene_id": 2,
        "visual_action": "A small boat leaves the harbour",
        "camera_motion": "slow pan to the right",
        "emotion": "calm",
        "setting": "early morning",
        "duration": "5",
    },
    # The one clip that fails, so that a person sees what becomes of it.
    "3": {
        "scene_id": 3,
        "description": "Night falls, and the lighthouse comes on. [sandbox:fail-once]",
        "duration": "4s",
    },
}


@dataclass(frozen=True, slots=True)
class _Running:
    service_url: str
    sandbox_url: str
    log_file: Path


def run_demo(*, once: bool) -> int:
    """Run the demo; gives the exit code: 0 if every clip is a playable MP4, 1 if not, 130 if stopped."""
    console = Console(highlight=False, soft_wrap=True)
    scratch = Path(tempfile.mkdtemp(prefix="clips-demo-"))
    code = run_until_signal(_demo(scratch, console, once=once))
    if code == 1 and once:
        console.print(f"The logs and clips are kept in {scratch}")
        return code
    shutil.rmtree(scratch)
    if code is None:
        console.print("\nStopped before all clips had ended. The temporary files are removed.")
        return ExitCode.STOPPED
    if not once:
        console.print("\nStopped. The temporary files are removed.")
    return code


def playable(video: bytes, duration_s: int) -> bool:
    """Whether `video` is an MP4 whose every frame decodes, `duration_s` seconds long."""
    try:
        with av.open(io.BytesIO(video), "r") as container:
            seconds = float(container.duration or 0) / av.time_base
            frames = 0
            for _ in container.decode(video=0):
                frames += 1
            return (
                "mp4" in container.format.name
                and frames > 0
                and math.isclose(seconds, duration_s, abs_tol=_DURATION_TOLERANCE_S)
            )
    except av.FFmpegError:
        return False


async def _demo(scratch: Path, console: Console, *, once: bool) -> int:
    async with _running(scratch) as running, aiohttp.ClientSession() as session:
        project_id = await _store_project(session, running)
        console.print(f"Watch it in a browser: {running.service_url}/#/projects/{project_id}")
        console.print("Nothing is spent: the sandbox makes the clips, and the prices are the sandbox's.")
        console.print("One clip fails on purpose, and is retried.\n")
        console.print(f"Service  {running.service_url}")
        console.print(f"Sandbox  {running.sandbox_url}/v1  (stands in for Runware's API)")
        console.print(f"Project  {project_id}  ({len(_SCENES)} scenes, 9:16)\n")
        async with ServiceClient.connecting(running.service_url, token=None) as client:
            await client.generate(project_id)
            report = await _watch(client, project_id, console, pause_s=0 if once else _PAUSE_S)
        good = await _report(session, report.scenes, console)
        code = 0 if good else 1
        if not once:
            _tell_where_to_look(running, project_id, console)
            # Being stopped is the way this ends; the verdict is there.
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return code


@asynccontextmanager
async def _running(scratch: Path) -> AsyncIterator[_Running]:
    sandbox_key = secrets.token_hex(16)
    sandbox = Sandbox(SandboxOptions(api_key=sandbox_key, max_seconds=_LONGEST_JOB_S), files=scratch)
    log_file = scratch / "service.log"
    listening, service_url = listen()
    with log_file.open("w", encoding="utf-8") as log_stream:
        async with sandbox.serving(host="127.0.0.1", port=0) as sandbox_url:
            settings = IsolatedSettings(
                runware_api_key=sandbox_key,
                runware_api_url=f"{sandbox_url}/v1",
                public_url=service_url,
                webhook_secret=secrets.token_hex(16),
                video_hosts="127.0.0.1",
                database_path=scratch / "clips.db",
            )
            configure_logs("json", settings.secrets, log_stream)
            async with serving(build_app(settings), listening):
                yield _Running(service_url, sandbox_url, log_file)


async def _store_project(session: aiohttp.ClientSession, running: _Running) -> UUID:
    frames = {
        scene: {
            f"{end}_frame": f"{running.sandbox_url}/frames/{scene}/{end}.png" for end in ("first", "last")
        }
        for scene in _SCENES
    }
    body = {"frames": frames, "scenes": _SCENES}
    async with session.post(f"{running.service_url}/projects", json=body, raise_for_status=True) as response:
        return UUID((await response.json())["id"])


async def _watch(client: ServiceClient, project_id: UUID, console: Console, *, pause_s: float) -> Report:
    """Show the clips until they have ended; what fails first is retried, after a pause."""

    async def read() -> Report:
        jobs = (await client.project(project_id)).jobs
        return Report.of(project_id, jobs, usual_seconds=_LONGEST_JOB_S)

    with view_for(console, client.now) as view:
        try:
            async with asyncio.timeout(_GIVE_UP_AFTER_S):
                report = await watched(read, view, until=lambda report: report.ended or bool(_failed(report)))
                if failed := _failed(report):
                    console.print(_retry_sentence(failed))
                    await asyncio.sleep(pause_s)
                    await client.retry(project_id, failed)
                return await watched(read, view)
        except TimeoutError:
            return await read()


def _failed(report: Report) -> Sequence[str]:
    return [scene.scene for scene in report.scenes if scene.status == "failed"]


def _retry_sentence(failed: Sequence[str]) -> str:
    return (
        f"Scene {', '.join(failed)} failed, which cost nothing. "
        "The demo retries it, as Retry on the page and clips retry do."
    )


async def _report(session: aiohttp.ClientSession, scenes: Sequence[SceneReport], console: Console) -> bool:
    verdicts: list[bool] = []
    for scene in scenes:
        if scene.video_url is None or scene.duration_s is None:
            console.print(f"Scene {scene.scene}: {scene.status}: {scene.error or 'no end in time'}")
            verdicts.append(False)
            continue
        async with session.get(scene.video_url) as response:
            video = await response.read()
        good = await asyncio.to_thread(playable, video, scene.duration_s)
        verdict = f"a playable MP4 of {scene.duration_s} s" if good else "NOT a playable MP4"
        console.print(f"Scene {scene.scene}: {verdict}, {len(video) // 1024} KiB, ${scene.cost_usd or 0:.2f}")
        console.print(f"  {scene.video_url}")
        verdicts.append(good)
    return all(verdicts) and len(verdicts) == len(_SCENES)


def _tell_where_to_look(running: _Running, project_id: UUID, console: Console) -> None:
    console.print(f"\nThe page: {running.service_url}/#/projects/{project_id}\n\nWhere else to look:")
    for what, where in (
        ("the project, with its jobs", f"{running.service_url}/projects/{project_id}"),
        ("the calls", f"{running.service_url}/openapi.json"),
        ("what the sandbox took and billed", f"{running.sandbox_url}/ledger"),
        ("the service's log", str(running.log_file)),
    ):
        console.print(f"  {what}: {where}")
    console.print("\nServing until Ctrl-C.")
