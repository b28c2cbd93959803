"""A reader of a project's event stream, for tests and benchmarks."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

_FOREVER = aiohttp.ClientTimeout(total=None)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event: its id is the project's sequence number."""

    id: int
    kind: str
    data: Mapping[str, Any]

    @property
    def statuses(self) -> dict[str, str]:
        return {job["scene"]: job["status"] for job in self.data["jobs"]}


@asynccontextmanager
async def event_stream(
    session: aiohttp.ClientSession, url: str, project_id: str, **headers: str
) -> AsyncIterator[AsyncIterator[StreamEvent]]:
    """Open a project's event stream; its end ends the iteration."""
    address = f"{url}/projects/{project_id}/events"
    async with session.get(address, headers=headers, timeout=_FOREVER) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield _events(response.content)


async def _events(lines: aiohttp.StreamReader) -> AsyncIterator[StreamEvent]:
    fields: dict[str, str] = {}
    async for line in lines:
        text = line.decode().rstrip("\r\n")
        if text:
            name, _, value = text.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield StreamEvent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}
