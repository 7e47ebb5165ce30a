"""A small TCP proxy in front of the manager, whose links can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards to a port of this machine.

    Attributes:
        opened: how many connections have come so far.
        sent: everything that clients sent, over all connections.
    """

    def __init__(self, target: int) -> None:
        self.opened = 0
        self.sent = bytearray()
        self.shut = False
        self._target = target
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._pairs)

    def cut(self) -> None:
        """Reset every connection."""
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.shut:
            writer.transport.abort()
            return
        self.opened += 1
        there, out = await asyncio.open_connection("127.0.0.1", self._target)
        pair = (writer, out)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(reader, out, self.sent), self._pump(there, writer, None)
            )
        finally:
            self._pairs.discard(pair)

    @staticmethod
    async def _pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bytearray | None
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if keep is not None:
                    keep += data
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[tuple[Proxy, int]]:
    """A proxy and its port."""
    made = Proxy(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    try:
        yield made, server.sockets[0].getsockname()[1]
    finally:
        made.cut()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)  # the handlers see their end of file
