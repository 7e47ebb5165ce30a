"""What stands between the page and the daemon: a TCP proxy that can be shut, or hold everything back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Gate:
    """Forwards to a port of this machine, unless it is told otherwise.

    Attributes:
        url: the page's address through it.
    """

    def __init__(self, target: int) -> None:
        self.url = ""
        self._target = target
        self._shut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def shut(self) -> None:
        """Reset every connection, and every new one."""
        self._shut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through. Connections stay, as when a cable is pulled; what was sent comes later."""
        self._flows.clear()

    def open(self) -> None:
        """Let everything through again."""
        self._shut = False
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if self._shut:
            writer.transport.abort()
            return
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, out}
        try:
            await asyncio.gather(self._carry(reader, out), self._carry(there, writer))
        finally:
            self._writers -= {writer, out}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()


@asynccontextmanager
async def gate(target: int) -> AsyncIterator[Gate]:
    """A gate before a port."""
    made = Gate(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield made
    finally:
        made.open()
        made.shut()
        server.close()
        await asyncio.sleep(0.05)  # the handlers see their end of file
