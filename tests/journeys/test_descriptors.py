"""More connections than a process may have descriptors: it lives, serves whom it has, and says so once."""

import asyncio
import resource
from pathlib import Path

import aiohttp

from tests.harness import PATIENCE_S
from tests.process import COMMAND, ServiceProcess

# What is refused beyond its limit of descriptors costs the service nothing but a line.
HARD_LIMIT = 160
FLOOD = 300


def with_few_descriptors(folder: Path) -> ServiceProcess:
    service = ServiceProcess("http://127.0.0.1:9", folder)
    limits = f'ulimit -S -n 64 && ulimit -H -n {HARD_LIMIT} && exec "$@"'
    service.command = ["/bin/sh", "-c", limits, "sh", *COMMAND]
    return service


async def open_idle(url: str) -> asyncio.StreamWriter | None:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return None
    return writer


async def until_answered(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with session.get(f"{url}/healthz") as response:
                    # To the end, so that the connection is kept.
                    assert (response.status, await response.json()) == (200, {"status": "ok"})
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def test_flood_of_connections_leaves_those_before_it_served_and_one_line_in_the_log(
    tmp_path: Path,
) -> None:
    async with with_few_descriptors(tmp_path) as service, aiohttp.ClientSession() as early:
        assert resource.prlimit(service.pid, resource.RLIMIT_NOFILE) == (HARD_LIMIT, HARD_LIMIT)
        await until_answered(early, service.url)
        flood: list[asyncio.StreamWriter | None] = []
        # Asked again and again, since a connection that is idle for some seconds is closed by the service.
        while len(flood) < FLOOD:
            flood += [await open_idle(service.url) for _ in range(10)]
            async with early.get(f"{service.url}/readyz") as response:
                assert (response.status, (await response.json())["ready"]) == (200, True)
        for writer in flood:
            if writer is not None:
                writer.close()
        async with aiohttp.ClientSession() as late:
            await until_answered(late, service.url)
        assert service.log.count("connections are refused") == 1
        assert "Traceback" not in service.log
        assert len(service.log) < 20_000
