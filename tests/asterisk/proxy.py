"""A small TCP proxy in front of the manager, whose links can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards to a port of this machine.

    Attributes:
        opened: how many connections have come so far.
        sent: everything that clients sent, over all connections.
        spoil: what becomes of a response of Asterisk's: when it is passed on, in seconds; may be never,
            or more than once. Events pass as they come.
        late: by how many seconds an event of Asterisk's comes late.
        held: what clients have sent since `hold`, and Asterisk has not got yet.
        swallow: which actions of clients are answered with Success and never reach Asterisk.
    """

    def __init__(self, target: int) -> None:
        self.opened = 0
        self.sent = bytearray()
        self.shut = False
        self.spoil: Callable[[bytes], Sequence[float]] | None = None
        self.late: Callable[[bytes], float] | None = None
        self.swallow: Callable[[bytes], bool] | None = None
        self.held: list[tuple[asyncio.StreamWriter, bytes]] | None = None
        self._target = target
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """From now on keep what clients send, as a network may."""
        self.held = []

    def deliver(self) -> None:
        """Pass on what was held, and hold nothing more."""
        held, self.held = self.held or [], None
        for out, data in held:
            out.write(data)

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._pairs)

    def cut(self) -> None:
        """Reset every connection."""
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    async def flood(self, chunk: bytes, *, every_s: float, times: int) -> None:
        """Put whole messages among those of Asterisk, as fast as they are read but not faster."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for _ in range(times):
            for writer, _ in list(self._pairs):
                writer.write(chunk)
                await writer.drain()
            due = max(due + every_s, loop.time() - 1.0)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.shut:
            writer.transport.abort()
            return
        self.opened += 1
        there, out = await asyncio.open_connection("127.0.0.1", self._target)
        pair = (writer, out)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._forth(reader, writer, out), self._back(there, writer))
        finally:
            self._pairs.discard(pair)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            writer.write(await reader.readline())  # the banner
            while message := await reader.readuntil(b"\r\n\r\n"):
                response = message.startswith(b"Response:")
                if self.late is not None and not response and (late := self.late(message)):
                    asyncio.get_running_loop().call_later(late, writer.write, message)
                    continue
                if self.spoil is None or not response:
                    writer.write(message)
                    continue
                for after in self.spoil(message):
                    asyncio.get_running_loop().call_later(after, writer.write, message)
        writer.transport.abort()

    async def _forth(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, out: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                self.sent += data
                if self.held is not None:
                    self.held.append((out, data))
                    continue
                out.write(data if self.swallow is None else self._without(data, client))
                await out.drain()
        out.transport.abort()

    def _without(self, data: bytes, client: asyncio.StreamWriter) -> bytes:
        """What is passed on of whole actions; a client writes no halves unless it writes very much."""
        kept = []
        for action in data.split(b"\r\n\r\n"):
            if action and self.swallow is not None and self.swallow(action):
                own = [line for line in action.split(b"\r\n") if line.startswith(b"ActionID:")]
                client.write(b"\r\n".join([b"Response: Success", *own, b"", b""]))
            else:
                kept.append(action)
        return b"\r\n\r\n".join(kept)


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
