"""A proxy that hands requests on and loses answers: what was asked for is done, and nobody hears of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

_CHUNK: Final = 1 << 16


class LossyProxy:
    """Stands before a server; a share of the answers breaks off with its connection, unread."""

    def __init__(self, url: str, loss_rate: float) -> None:
        self._port = urlsplit(url).port
        self.loss_rate = loss_rate
        self.lost = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a free port; gives the address."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
            asking = asyncio.create_task(_pass_on(reader, upstream_writer))
            await self._answer(upstream_reader, writer)
            asking.cancel()
            upstream_writer.close()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            if random.random() < self.loss_rate:
                self.lost += 1
                writer.transport.abort()
                return
            writer.write(chunk)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
