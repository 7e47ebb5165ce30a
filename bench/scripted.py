"""A scripted AMI server with any number of phones and waiting callers, which times each request.

It is not a telephone system: it answers what a router requests at its start from prepared texts and
records the time. Other benchmarks measure what a real Asterisk does with so many channels.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from callrouter.pbx.asterisk import contract

USER = "callrouter"
SECRET = "change-me"
_CHALLENGE = "123456789"
_GREETING = b"Asterisk Call Manager/11.0.0\r\n"
_BOOTED = (
    b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\nUptime: 86400\r\n"
    b"LastReload: 86400\r\n\r\n"
)


def text(*headers: str) -> bytes:
    return "".join(f"{header}\r\n" for header in (*headers, "")).encode()


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU time a process has used (proc(5), fields 14 and 15 of stat)."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Marks:
    """Times of events (`time.monotonic`); the first time of each unless stated otherwise."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.count: dict[str, int] = {}
        self.cpu: dict[str, float] = {}
        """Seconds of CPU time that the client had used by then, if `pid` is known."""
        self.pid = 0
        self._grew = asyncio.Event()

    def mark(self, what: str) -> None:
        now = time.monotonic()
        if what not in self.first:
            self.first[what] = now
            self.cpu[what] = cpu_of(self.pid)
        self.last[what] = now
        self.count[what] = self.count.get(what, 0) + 1
        self._grew.set()

    async def until(self, what: str, count: int, within: float = 60.0) -> None:
        """Wait until an event has happened `count` times."""
        async with asyncio.timeout(within):
            while self.count.get(what, 0) < count:
                self._grew.clear()
                await self._grew.wait()


class Exchange:
    """The state of the server: phones and waiting callers, with their names."""

    def __init__(self, phones: int, waiting: int, queues: int) -> None:
        self.phones, self.waiting = phones, waiting
        self.queues = [f"q{n}" for n in range(queues)]
        self.marks = Marks()
        self._channels = b"".join(self._waiting_channels())
        self._devices = b"".join(
            text(
                "Event: DeviceStateChange",
                "ActionID: %s",
                f"Device: PJSIP/{1000 + n}",
                "State: NOT_INUSE",
            )
            for n in range(phones)
        )

    def _waiting_channels(self) -> Iterator[bytes]:
        # As if they had arrived while no router was running: each is marked once it is adopted.
        entered = time.time() - 60.0
        for n in range(self.waiting):
            queue = self.queues[n % len(self.queues)]
            own = {
                "CALLROUTER_STATE": "waiting",
                "CALLROUTER_QUEUE": queue,
                "CALLROUTER_ENTERED": f"{entered + n * 0.1:.3f}",
                contract.ASTERISKS_TIME: f"{time.time():.3f}",
            }
            names = (*contract.CALL_VARIABLES, *contract.LEG_VARIABLES, contract.ASTERISKS_TIME)
            yield text(
                "Event: Status",
                "Privilege: Call",
                f"Channel: PJSIP/carrier-{n:08x}",
                "ChannelState: 6",
                "ChannelStateDesc: Up",
                f"CallerIDNum: 44163296{n:04d}",
                f"CallerIDName: Caller {n}",
                "ConnectedLineNum: <unknown>",
                "ConnectedLineName: <unknown>",
                "Language: en",
                "AccountCode: ",
                "Context: callrouter-hold",
                f"Exten: {queue}",
                "Priority: 3",
                f"Uniqueid: 1790000000.{n}",
                f"Linkedid: 1790000000.{n}",
                "Type: PJSIP",
                "DNID: 1000",
                "EffectiveConnectedLineNum: <unknown>",
                "EffectiveConnectedLineName: <unknown>",
                "TimeToHangup: 0",
                "BridgeID: ",
                "Application: Wait",
                "Data: 2.5",
                "Nativeformats: (ulaw)",
                "Readformat: slin",
                "Readtrans: Yes (ulaw@8000)->(slin@8000)",
                "Writeformat: slin",
                "Writetrans: Yes (slin@8000)->(ulaw@8000)",
                "Callgroup: 0",
                "Pickupgroup: 0",
                "Seconds: 60",
                *(f"Variable: {name}={own.get(name, '(null)')}" for name in names),
                "ActionID: %s",
            )

    # ------------------------------------------------------------ answers

    def answer(self, action: dict[str, str]) -> bytes:
        """Return the answer to one action."""
        name, own = action.get("action", ""), action.get("actionid", "")
        self.marks.mark(name)
        ok = ("Response: Success", f"ActionID: {own}")
        match name:
            case "Challenge":
                return text(*ok, f"Challenge: {_CHALLENGE}")
            case "Login":
                return self._login(action, ok)
            case "Status" | "DeviceStateList":
                return self._list(name, action, ok)
            case "Ping":
                return text(*ok, "Ping: Pong", f"Timestamp: {time.time():.6f}")
            case "ListCommands":
                return text(*ok, *(f"{name}: does it" for name in (*contract.NEEDS, "Getvar")))
            case "Getvar":
                return text(*ok, f"Variable: {action.get('variable')}", "Value: 1")
            case "Originate":
                return text(*ok, "Message: Originate successfully queued")
            case "Setvar" if action.get("variable") == "CALLROUTER_CALL":
                self.marks.mark("taken up")
        return text(*ok)

    def _login(self, action: dict[str, str], ok: tuple[str, str]) -> bytes:
        key = hashlib.md5((_CHALLENGE + SECRET).encode()).hexdigest()
        if action.get("key") != key:
            return text("Response: Error", ok[1], "Message: Authentication failed")
        self.marks.mark("logged in")
        return text(*ok, "Message: Authentication accepted") + _BOOTED

    def _list(self, name: str, action: dict[str, str], ok: tuple[str, str]) -> bytes:
        if "channel" in action:
            return text("Response: Error", ok[1], "Message: No such channel")
        channels = name == "Status"
        body = (self._channels if channels else self._devices).replace(
            b"ActionID: %s", ok[1].encode()
        )
        items = self.waiting if channels else self.phones
        return (
            text(*ok, "EventList: start", "Message: a list will follow")
            + body
            + text(f"Event: {name}Complete", ok[1], "EventList: Complete", f"ListItems: {items}")
        )


class Connection(asyncio.Protocol):
    """One client connection, read line by line as Asterisk does."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._rest = b""
        self._action: dict[str, str] = {}
        self._out: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast("asyncio.Transport", transport)
        self._exchange.marks.mark("connected")
        self._out.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        assert self._out is not None
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        answers = []
        for line in lines:
            if line:
                key, _, value = line.decode().partition(": ")
                self._action.setdefault(key.lower(), value)
            elif self._action:
                answers.append(self._exchange.answer(self._action))
                self._action = {}
        self._out.write(b"".join(answers))


@asynccontextmanager
async def serving(exchange: Exchange) -> AsyncIterator[int]:
    """Serve on loopback; yields the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(exchange), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
