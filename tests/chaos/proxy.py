"""A link to the manager that fails in every way a link can: between the router and Asterisk."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.asterisk.genuine import genuine
from tests.asterisk.proxy import Proxy

_END = b"\r\n\r\n"
_LIMIT = 4096
"""Bytes from the router that are read ahead."""


_BRIDGE = (
    "BridgeUniqueid: flood",
    "BridgeType: basic",
    "BridgeTechnology: simple_bridge",
    "BridgeCreator: <unknown>",
    "BridgeName: <unknown>",
    "BridgeNumChannels: 1",
    "BridgeVideoSourceMode: none",
)
_DEVICE = b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/outside%x\r\nState: NOT_INUSE\r\n\r\n"


def foreign(number: int) -> bytes:
    """An event of a call that is none of the router's: one in the life of a channel after the other."""
    n, kind = divmod(number, 8)
    uid, channel = f"flood.{n}", f"PJSIP/outside-{n:08x}"
    match kind:
        case 0:
            return genuine("Newchannel", uid, channel)
        case 1:
            return genuine("VarSet", uid, channel, "Variable: A", "Value: 1")
        case 2:
            return genuine("Newstate", uid, channel)
        case 3:
            return genuine(
                "Newexten", uid, channel, "Extension: s", "Application: Wait", "AppData: "
            )
        case 4:
            return genuine("RTCPSent", uid, channel, "PT: 200")
        case 5:
            return _DEVICE % n
        case 6:
            return genuine("BridgeEnter", uid, channel, before=_BRIDGE)
        case _:
            return genuine("Hangup", uid, channel, "Cause: 16", "Cause-txt: Normal Clearing")


HELD_BACK = 0.5
"""Seconds on the way after which an order counts as held back."""


class BadLink(Proxy):
    """A proxy whose faults are switched on and off.

    Attributes:
        frozen: nothing passes, either way, and nobody is told (a half-open link).
        deaf: nothing is read any more from the router, whose buffers fill up.
        slow: bytes pass one at a time, with a pause of `pause` seconds every 400.
        drop, double: the share of Asterisk's events that are lost, or come twice.
        shuffle: the share of events that come after the one behind them.
        tear: the next message from Asterisk is cut in its middle, and the link with it.
        released: when orders that had been held back were passed on after all (`time.monotonic`).
        dropped, doubled, shuffled: how many events that was true of so far.
    """

    def __init__(self, target: int, rng: random.Random) -> None:
        super().__init__(target)
        self.frozen = self.deaf = self.slow = self.tear = False
        self.pause = 2.0
        self.drop = self.double = self.shuffle = 0.0
        self.dropped = self.doubled = self.shuffled = 0
        self.released: list[float] = []
        self._rng = rng

    def well(self) -> None:
        """End every fault."""
        self.frozen = self.deaf = self.slow = self.tear = False
        self.drop = self.double = self.shuffle = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.shut:
            writer.transport.abort()
            return
        self.opened += 1
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # Asterisk is away
            writer.transport.abort()
            return
        pair = (writer, out)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._orders(reader, out, writer), self._events(there, writer))
        finally:
            self._pairs.discard(pair)

    async def _orders(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        router: asyncio.StreamWriter,
    ) -> None:
        """From the router to Asterisk. What is on its way when the router resets the link is gone."""
        with suppress(OSError):
            while data := await self._heard(reader):
                self.sent += data
                began = time.monotonic()
                await self._pass(writer, data, router)
                if (now := time.monotonic()) - began > HELD_BACK:
                    self.released.append(now)
        writer.transport.abort()

    async def _heard(self, reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(65536)
        held = self.deaf and bool(data)
        while self.deaf:  # what has come is not passed on, and no more is read
            await asyncio.sleep(0.05)
        if held:
            self.released.append(time.monotonic())
        return data

    async def _events(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From Asterisk to the router, message by message."""
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._pass(writer, await reader.readuntil(b"\r\n"))  # the greeting
            rest = b""
            while data := await reader.read(65536):
                *messages, rest = (rest + data).split(_END)
                if messages and not await self._messages(writer, messages):
                    break
        writer.transport.abort()

    async def _messages(self, writer: asyncio.StreamWriter, messages: list[bytes]) -> bool:
        """Pass them on, each with its chance; False: the link is to be cut."""
        out: list[bytes] = []
        late: bytes | None = None
        for message in messages:
            if self.tear and len(message) > 40:
                self.tear = False
                await self._pass(writer, b"".join(out) + message[: len(message) // 2])
                await asyncio.sleep(0.05)
                return False
            whole = message + _END
            if message.startswith(b"Event:") and b"\r\nActionID:" not in message:
                chance = self._rng.random()
                if chance < self.drop:
                    self.dropped += 1
                    continue
                if chance < self.double:
                    self.doubled += 1
                    out.append(whole)
                elif chance < self.shuffle and late is None:
                    self.shuffled += 1
                    late = whole
                    continue
            out.append(whole)
            if late is not None:
                out.append(late)
                late = None
        if late is not None:
            out.append(late)
        await self._pass(writer, b"".join(out))
        return True

    async def storm(self, rate: int, seconds: float) -> tuple[int, float]:
        """Send the router events beside Asterisk's own; how many there were, and in what time."""
        loop, share = asyncio.get_running_loop(), rate // 100
        began, sent = loop.time(), 0
        while (now := loop.time()) < began + seconds:
            due = min(int((now - began) * rate) + share - sent, 10 * share)
            for router, _ in list(self._pairs):
                router.write(b"".join(foreign(sent + n) for n in range(due)))
                with suppress(OSError):
                    await router.drain()
            sent += due
            await asyncio.sleep(0.01)
        return sent, loop.time() - began

    async def _pass(
        self, writer: asyncio.StreamWriter, data: bytes, source: asyncio.StreamWriter | None = None
    ) -> None:
        while self.frozen:
            await asyncio.sleep(0.05)
        while self.slow and data:
            if source is not None and source.transport.is_closing():
                return
            for n in range(min(400, len(data))):
                writer.write(data[n : n + 1])
                await asyncio.sleep(0)
            data = data[400:]
            await asyncio.sleep(self.pause)
        if data:
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def bad_link(target: int, rng: random.Random) -> AsyncIterator[tuple[BadLink, int]]:
    """A link and the port at which the router finds it."""
    made = BadLink(target, rng)
    # Small buffers, which a router that is not listened to fills within seconds.
    door = socket.create_server(("127.0.0.1", 0))
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server = await asyncio.start_server(made.serve, sock=door, limit=_LIMIT)
    try:
        yield made, door.getsockname()[1]
    finally:
        made.well()
        made.cut()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.1)  # the handlers see their end of file
