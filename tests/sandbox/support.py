"""A caller of the sandbox and a receiver of webhooks: all doubles of these tests."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from aiohttp import web

from service.sandbox.options import SandboxOptions
from service.sandbox.server import Sandbox
from service.sandbox.usage import Clock, utc_now

KEY = "sandbox-key"
Json = dict[str, Any]


def video_task(**changes: object) -> Json:
    """A task that follows every rule; a change to None takes a parameter away."""
    frames = [{"image": f"http://127.0.0.1/{place}.png", "frame": place} for place in ("first", "last")]
    task: Json = {
        "taskType": "videoInference",
        "taskUUID": str(uuid4()),
        "model": "google:3@2",
        "positivePrompt": "A sunrise over the hills",
        "duration": 4,
        "inputs": {"frameImages": frames},
    }
    return {name: value for name, value in (task | changes).items() if value is not None}


@dataclass(frozen=True)
class Caller:
    """Talks to one sandbox."""

    url: str
    session: aiohttp.ClientSession

    def task(self, **changes: object) -> Json:
        """A task whose frames the sandbox itself serves, 9:16 and tiny."""
        return video_task(**{"inputs": {"frameImages": self.frames()}, **changes})

    def frames(self) -> list[Json]:
        return [
            {"image": f"{self.url}/frames/1/{place}.png?size=304x540", "frame": place}
            for place in ("first", "last")
        ]

    async def post(self, *tasks: Json, fault: str = "", key: str = KEY) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {key}", "X-Sandbox-Fault": fault}
        body = io.BytesIO(json.dumps(tasks).encode())  # aiohttp warns of large bodies that are no files
        async with self.session.post(f"{self.url}/v1", data=body, headers=headers) as response:
            return response.status, await response.json()

    async def look_up(self, *tasks: Json) -> tuple[int, Json]:
        return await self.post(*({"taskType": "getResponse", "taskUUID": task["taskUUID"]} for task in tasks))

    async def details(self, task: Json) -> tuple[int, Json]:
        return await self.post({"taskType": "getTaskDetails", "taskUUID": task["taskUUID"]})

    async def set_faults(self, **faults: object) -> tuple[int, Json]:
        async with self.session.put(f"{self.url}/faults", json=faults) as response:
            return response.status, await response.json()

    async def account(self, **question: object) -> tuple[int, Json]:
        """Ask the account, for its details unless the question says otherwise."""
        task = {"taskType": "accountManagement", "operation": "getDetails", **question}
        status, answer = await self.post(task)
        told: Json = (answer.get("data") or answer["errors"])[0]
        return status, told

    async def result(self, task: Json) -> Json:
        """Poll until the job has ended, and return what is said of it, in data or in errors."""
        while True:
            _, answer = await self.look_up(task)
            for told in (*answer.get("data", []), *answer.get("errors", [])):
                result: Json = told
                if result["status"] != "processing":
                    return result
            await asyncio.sleep(0.02)

    async def run(self, **changes: object) -> Json:
        """Submit a task and return its result."""
        task = self.task(**changes)
        status, answer = await self.post(task)
        assert status == 200, answer
        return await self.result(task)

    @asynccontextmanager
    async def connection(self, *, fault: str = "") -> AsyncIterator["Connection"]:
        """A websocket over which nothing was sent yet."""
        headers = {"X-Sandbox-Fault": fault}
        async with self.session.ws_connect(f"{self.url}/v1", headers=headers) as websocket:
            yield Connection(websocket)

    @asynccontextmanager
    async def admitted(self, session_uuid: str | None = None) -> AsyncIterator["Connection"]:
        """A websocket that has shown the key, and taken up a session if there is one to take up."""
        async with self.connection() as connection:
            await connection.greet(session_uuid=session_uuid)
            yield connection

    async def ledger(self) -> Json:
        async with self.session.get(f"{self.url}/ledger") as response:
            ledger: Json = await response.json()
            return ledger


@dataclass
class Connection:
    """A caller's end of a websocket."""

    websocket: aiohttp.ClientWebSocketResponse
    session_uuid: str = ""

    async def send(self, *tasks: Json) -> None:
        await self.websocket.send_str(json.dumps(tasks))

    async def receive(self) -> Json:
        frame: Json = json.loads(await self.websocket.receive_str(timeout=15))
        return frame

    async def call(self, *tasks: Json) -> Json:
        """Send tasks, and return the next frame that comes."""
        await self.send(*tasks)
        return await self.receive()

    async def greet(self, key: str = KEY, session_uuid: str | None = None) -> Json:
        greeting = {"taskType": "authentication", "apiKey": key}
        if session_uuid is not None:
            greeting["connectionSessionUUID"] = session_uuid
        answer = await self.call(greeting)
        if "data" in answer:
            self.session_uuid = answer["data"][0]["connectionSessionUUID"]
        return answer

    async def ended(self) -> int | None:
        """Wait until the other end has closed or broken the connection, and return the code."""
        message = await self.websocket.receive(timeout=15)
        assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        return self.websocket.close_code


@asynccontextmanager
async def serve(files: Path, *, clock: Clock = utc_now, **options: Any) -> AsyncIterator[Caller]:
    """Serve a sandbox whose jobs take no time and whose clips are tiny, unless the options say otherwise."""
    quick: Json = {"min_seconds": 0, "max_seconds": 0, "max_long_side": 64}
    sandbox = Sandbox(SandboxOptions(**(quick | options)), files=files, clock=clock)
    async with aiohttp.ClientSession() as session, sandbox.serving() as url:
        yield Caller(url, session)


@dataclass
class Receiver:
    """Receives webhooks and uploads: answers the statuses in `answers` one after the other, then 200."""

    answers: list[int] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    url: str = ""
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(15):
            async with self._came:
                await self._came.wait_for(lambda: len(self.bodies) >= count)

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator["Receiver"]:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/hook", self._take)
        app.router.add_put("/hook", self._take_upload)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        self.url = f"http://{host}:{port}/hook?token=secret-token"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        assert request.query["token"] == "secret-token"
        body = await request.json()
        async with self._came:
            self.bodies.append(body)
            self.at.append(asyncio.get_running_loop().time())
            self._came.notify_all()
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": "/hook"} if status // 100 == 3 else None)

    async def _take_upload(self, request: web.Request) -> web.Response:
        self.uploads.append(await request.read())
        return web.Response(status=self.answers.pop(0) if self.answers else 200)
