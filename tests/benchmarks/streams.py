"""1,000 open event streams on one copy of the service: what they cost, and how soon all hear of a change.

The service is a process of its own; all readers share this one.
"""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median, quantiles

import aiohttp

from service.sandbox.server import Sandbox
from tests.events import StreamEvent, event_stream
from tests.harness import sandbox_options
from tests.process import ServiceProcess

STREAMS, PROJECTS, SCENES = 1000, 50, 5
ROUNDS = 5
IDLE_SECONDS = 20


async def measure(folder: Path) -> None:
    """Print the service's memory and processor time, and the delay of changes that another process writes."""
    async with (
        Sandbox(sandbox_options(), files=folder / "videos").serving() as sandbox_url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ServiceProcess(sandbox_url, folder) as service,
        AsyncExitStack() as stack,
    ):
        world = service.world(session)
        projects = [await world.store(SCENES) for _ in range(PROJECTS)]
        memory = memory_mib(service.pid)
        started = time.perf_counter()
        streams = [
            await stack.enter_async_context(event_stream(session, world.url, projects[n % PROJECTS]))
            for n in range(STREAMS)
        ]
        await asyncio.gather(*(anext(events) for events in streams))
        print(f"{STREAMS} streams opened in {time.perf_counter() - started:.1f} s")
        print(f"memory: {memory:.0f} MiB before, {memory_mib(service.pid):.0f} MiB with them")
        busy = processor_seconds(service.pid)
        await asyncio.sleep(IDLE_SECONDS)
        share = (processor_seconds(service.pid) - busy) / IDLE_SECONDS
        print(f"nothing happens: {100 * share:.1f} % of a core")
        for number in range(ROUNDS):
            stored_at = time.perf_counter()
            for project_id in projects:
                world.rewrite(project_id, scenes={"1": {"description": f"Edit {number}.", "duration": 4}})
            delays = await arrivals(streams, stored_at)
            print(
                f"round {number + 1}: {PROJECTS} edits by another process reach {STREAMS} streams after "
                f"{median(delays):.2f} s (median), {quantiles(delays, n=100)[98]:.2f} s (99th percentile), "
                f"{max(delays):.2f} s (last)"
            )


async def arrivals(streams: Sequence[AsyncIterator[StreamEvent]], stored_at: float) -> Sequence[float]:
    """Give for each stream how long after `stored_at` its next event came, in seconds."""

    async def delay(events: AsyncIterator[StreamEvent]) -> float:
        await anext(events)
        return time.perf_counter() - stored_at

    return await asyncio.gather(*map(delay, streams))


def memory_mib(pid: int) -> float:
    """Give a process's resident memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else 0.0


def processor_seconds(pid: int) -> float:
    """Give the processor time that a process has taken, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(Path(scratch)))
