"""The whole service and the sandbox, really served, in the test's own event loop."""

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from service.app import build_app, utc_now
from service.sandbox.options import SandboxOptions
from service.sandbox.server import Sandbox
from service.serving import listen, serving
from service.settings import IsolatedSettings
from service.workflow.ports import Clock
from tests.postgrest import Supabase

SANDBOX_KEY = "key-of-the-sandbox"
WEBHOOK_SECRET = "secret-of-the-webhooks"
# Far beyond what any wait here takes, even on a busy machine.
PATIENCE_S = 60

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """What a test sees: the service's and the sandbox's addresses, and calls to both."""

    url: str
    sandbox_url: str
    session: aiohttp.ClientSession
    database: Path

    async def post(self, path: str, body: object, **options: Any) -> tuple[int, Answer]:
        async with self.session.post(self.url + path, json=body, **options) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> Answer:
        async with self.session.get(self.url + path) as response:
            answer: Answer = await response.json()
            assert response.ok, answer
            return answer

    async def store(self, scenes: int | Mapping[str, Any], frames: Mapping[str, Any] | None = None) -> str:
        """Store a project of so many scenes, or of these; they share the sandbox's sample frames."""
        if isinstance(scenes, int):
            scenes = {str(n): {"description": f"Scene {n}.", "duration": 4} for n in range(1, scenes + 1)}
        pair = {
            f"{end}_frame": f"{self.sandbox_url}/frames/1/{end}.png?size=304x540" for end in ("first", "last")
        }
        body = {"scenes": scenes, "frames": dict.fromkeys(scenes, pair) if frames is None else frames}
        status, answer = await self.post("/projects", body)
        assert status == 201, answer
        return str(answer["id"])

    async def generate(self, project_id: str) -> Answer:
        """Have clips made; they may all have failed before the call is answered."""
        status, answer = await self.post("/functions/v1/generate-clips", {"project_id": project_id})
        assert status == (422 if answer.get("code") == "nothing_made" else 200), answer
        return answer

    async def check(self, project_id: str) -> Answer:
        """Check a project whose clips were asked for; also where every one of them has failed."""
        status, answer = await self.post("/functions/v1/check-clips-status", {"project_id": project_id})
        assert status == (422 if answer.get("code") == "nothing_made" else 200), answer
        return answer

    async def retry(self, project_id: str, **body: object) -> Answer:
        status, answer = await self.post("/functions/v1/retry-clips", {"project_id": project_id, **body})
        assert status == 200, answer
        return answer

    async def project(self, project_id: str) -> Answer:
        return await self.get(f"/projects/{project_id}")

    async def jobs(self, project_id: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = (await self.project(project_id))["jobs"]
        return jobs

    async def settled(self, project_id: str) -> list[dict[str, Any]]:
        """Wait until every clip has ended."""
        return await self.until(project_id, lambda jobs: all(job["settled_at"] for job in jobs))

    async def until(
        self, project_id: str, reached: Callable[[list[dict[str, Any]]], bool]
    ) -> list[dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            jobs = await self.jobs(project_id)
            if reached(jobs):
                return jobs
            assert time.monotonic() < deadline, f"not reached in {PATIENCE_S} s: {jobs}"
            await asyncio.sleep(0.05)

    async def submit_elsewhere(self, prompt: str = "A boat leaves.") -> str:
        """Have the sandbox make a clip of which the service knows nothing; gives its task UUID."""
        task_uuid = str(uuid.uuid4())
        frames = [
            {"image": f"{self.sandbox_url}/frames/1/{end}.png", "frame": end} for end in ("first", "last")
        ]
        task = {
            "taskType": "videoInference",
            "taskUUID": task_uuid,
            "model": "google:3@2",
            "positivePrompt": prompt,
            "duration": 4,
            "deliveryMethod": "async",
            "inputs": {"frameImages": frames},
        }
        headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
        async with self.session.post(f"{self.sandbox_url}/v1", json=[task], headers=headers) as response:
            assert response.ok, await response.text()
        return task_uuid

    def rewrite(self, project_id: str, **columns: object) -> None:
        """Write columns of a project's row, as the web application does behind the service's back."""
        with closing(sqlite3.connect(self.database)) as db, db:
            for name, value in columns.items():
                db.execute(f"UPDATE projects SET {name} = ? WHERE id = ?", [json.dumps(value), project_id])

    def break_database(self) -> None:
        """Take the tables away, as a lost disk would."""
        with closing(sqlite3.connect(self.database)) as db, db:
            db.executescript(
                "PRAGMA foreign_keys = OFF; DROP VIEW clip_places; DROP TABLE clips; DROP TABLE projects;"
            )

    async def ledger(self) -> Answer:
        async with self.session.get(f"{self.sandbox_url}/ledger") as response:
            ledger: Answer = await response.json()
            return ledger

    async def set_faults(self, **faults: object) -> None:
        """Replace the sandbox's faults; those not named end."""
        async with self.session.put(f"{self.sandbox_url}/faults", json=faults) as response:
            assert response.ok, await response.text()


def sandbox_options(**changes: Any) -> SandboxOptions:
    """A sandbox of tiny clips that are done at once."""
    quick = {"api_key": SANDBOX_KEY, "min_seconds": 0, "max_seconds": 0.05, "max_long_side": 64}
    return SandboxOptions(**{**quick, **changes})


def service_settings(sandbox_url: str, database: Path, **changes: Any) -> IsolatedSettings:
    """Settings that fit the sandbox, with a poller that a test does not wait for."""
    return IsolatedSettings(
        **{
            "runware_api_key": SANDBOX_KEY,
            "runware_api_url": f"{sandbox_url}/v1",
            "webhook_secret": WEBHOOK_SECRET,
            "video_hosts": "127.0.0.1",
            "database_path": database,
            "poll_interval_seconds": 0.2,
            **changes,
        }
    )


def on_supabase(supabase: Supabase) -> dict[str, Any]:
    """Options that keep the state in a Supabase project, and have the test call as its operator."""
    return {
        "supabase_url": supabase.url,
        "supabase_service_role_key": supabase.service_role_key,
        "supabase_jwt_secret": supabase.jwt_secret,
        "supabase_anon_key": supabase.anon_key,
        "headers": {"Authorization": f"Bearer {supabase.service_role_key}"},
    }


@asynccontextmanager
async def running_service(
    sandbox_url: str,
    database: Path,
    *,
    clock: Clock = utc_now,
    webhooks: bool = True,
    headers: Mapping[str, str] | None = None,
    **changes: Any,
) -> AsyncIterator[World]:
    """Run the service against a sandbox; `changes` are settings, `headers` go with each call of the test."""
    listening, url = listen()
    settings = service_settings(sandbox_url, database, public_url=url if webhooks else None, **changes)
    async with (
        serving(build_app(settings, clock), listening),
        aiohttp.ClientSession(headers=headers) as session,
    ):
        yield World(url, sandbox_url, session, database)


@asynccontextmanager
async def running_world(
    tmp_path: Path, *, sandbox: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[World]:
    """Run both; `sandbox` are its options, the others are those of `running_service`."""
    serving_sandbox = Sandbox(sandbox_options(**(sandbox or {})), files=tmp_path / "videos")
    async with (
        serving_sandbox.serving() as sandbox_url,
        running_service(sandbox_url, tmp_path / "clips.db", **options) as world,
    ):
        yield world
