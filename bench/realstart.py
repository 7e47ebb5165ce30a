"""The start of a router beside a real Asterisk: for `bench.startup --real`.

Phones are endpoints with a fixed contact, all on one socket of ours that records each INVITE and
lets it ring. Callers are Local channels waiting in the queue.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from callrouter import resources
from callrouter.lab import Asterisk, find_asterisk

_AWAY = 3.0
"""Seconds between the end of one router and the start of the next."""
_HEADERS = re.compile(rb"^(Via|From|To|Call-ID|CSeq)\s*:.*$", re.IGNORECASE | re.MULTILINE)

Router = Callable[[Path], AbstractContextManager[tuple[Any, float]]]


@dataclass(frozen=True)
class RealFigures:
    """One start beside Asterisk.

    Seconds count from the start of the process, except for the last attribute.

    Attributes:
        session_up: the router logged that it is logged in.
        in_step: it logged that it has compared.
        first_invite, last_invite: the first offers' INVITEs at the phones.
        step_after_login: from `session_up` to `in_step`.
    """

    session_up: float
    in_step: float
    first_invite: float
    last_invite: float
    step_after_login: float


class Sink(asyncio.DatagramProtocol):
    """All phones at once: every INVITE rings, none is answered."""

    def __init__(self) -> None:
        self.invites: dict[bytes, tuple[float, bytes, Any]] = {}
        """By Call-ID: its first arrival, the response to send, and the address to send it to."""
        self._out: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert self._out is not None
        head = data.replace(b"\r\n", b"\n")
        found = b"\r\n".join(match.group(0).strip() for match in _HEADERS.finditer(head))
        call = re.search(rb"Call-ID:\s*(\S+)", head, re.IGNORECASE)
        if call is None:
            return
        if data.startswith(b"INVITE"):
            tagged = re.sub(rb"(?m)^(To:.*?)\r?$", rb"\1;tag=" + call[1][:8], found, count=1)
            if call[1] not in self.invites:
                self.invites[call[1]] = (time.monotonic(), tagged, addr)
            self._out.sendto(_answer(b"180 Ringing", tagged), addr)
        elif not data.startswith((b"ACK", b"SIP/2.0")):
            self._out.sendto(_answer(b"200 OK", found), addr)
            if data.startswith(b"CANCEL") and call[1] in self.invites:
                self._refuse(call[1], b"487 Request Terminated")

    def _refuse(self, call: bytes, why: bytes) -> None:
        assert self._out is not None
        _, headers, addr = self.invites.pop(call)
        self._out.sendto(_answer(why, headers), addr)

    def refuse_all(self) -> None:
        """Refuse all ringing calls and drop them."""
        for call in list(self.invites):
            self._refuse(call, b"480 Temporarily Unavailable")


def _answer(status: bytes, headers: bytes) -> bytes:
    return b"SIP/2.0 " + status + b"\r\n" + headers + b"\r\nContent-Length: 0\r\n\r\n"


def pjsip(sip: int, port: int, phones: int) -> str:
    parts = [
        "[global]\ntype=global\nkeep_alive_interval=0\n",
        f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{sip}\n",
    ]
    parts += [
        f"[{name}]\ntype=endpoint\ncontext=nowhere\ntransport=udp\ndisallow=all\nallow=ulaw\n"
        f"aors={name}\n[{name}]\ntype=aor\ncontact=sip:{name}@127.0.0.1:{port}\n"
        for name in range(1000, 1000 + phones)
    ]
    return "\n".join(parts)


async def callers(ami: int, count: int, queues: int) -> None:
    """Let `count` callers enter, spread over the queues."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ami)
    writer.write(b"Action: Login\r\nUsername: caller\r\nSecret: caller\r\nEvents: off\r\n\r\n")
    for n in range(count):
        writer.write(
            b"Action: Originate\r\nChannel: Local/s@bench-caller\r\nContext: callrouter\r\n"
            b"Exten: q%d\r\nPriority: 1\r\nAsync: true\r\n\r\n" % (n % queues)
        )
        if n % 20 == 19:
            await writer.drain()
            await asyncio.sleep(0.1)
    queued = 0
    while queued < count:
        queued += b"successfully queued" in await reader.readline()
    writer.close()


async def until(
    true: Callable[[], Awaitable[bool]], within: float, what: Callable[[], str]
) -> None:
    end = time.monotonic() + within
    while not await true():
        if time.monotonic() > end:
            raise SystemExit(f"within {within:.0f} s it did not happen that {what()}")
        await asyncio.sleep(0.05)


def moment(log: str, text: str) -> float | None:
    """Return when a line of the log was written, in epoch seconds; None: it is missing."""
    for line in log.splitlines():
        if text in line:
            # The log is in local time, and so is this process.
            return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S.%f").timestamp()  # noqa: DTZ007
    return None


async def real(
    write: Callable[[Path, int], None],
    router: Router,
    *,
    phones: int,
    waiting: int,
    queues: int,
    rounds: int,
) -> list[RealFigures]:
    """Measure starts beside one Asterisk, each after a kill.

    `write` writes a configuration for a port.
    """
    install = await find_asterisk(print)
    loop = asyncio.get_running_loop()
    out, sink = await loop.create_datagram_endpoint(Sink, local_addr=("127.0.0.1", 0))
    port = out.get_extra_info("sockname")[1]
    parts = resources.folder("dialplan")
    dialplan = (parts / "extensions_callrouter.conf").read_text() + (
        "\n[bench-caller]\nexten => s,1,Answer()\n same => n,Wait(3600)\n"
    )
    manager = (parts / "manager_callrouter.conf").read_text() + (
        "\n[caller]\nsecret = caller\npermit = 127.0.0.1/255.255.255.255\nwrite = originate\n"
    )
    asterisk = await Asterisk.start(install, dialplan=dialplan, manager=manager, music=False)
    figures: list[RealFigures] = []
    try:
        asterisk.write_config("pjsip.conf", pjsip(asterisk.sip_port, port, phones))
        # Each ringing phone needs two ports, more than a laboratory's own block contains.
        asterisk.write_config("rtp.conf", "[general]\nrtpstart=34000\nrtpend=59998\n")
        await asterisk.restart()
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "config"
            folder.mkdir()
            write(folder, asterisk.ami_port)
            log = folder.parent / "log"
            for n in range(rounds + 1):
                log.write_text("")
                with router(folder) as (_, began):
                    epoch = datetime.now(UTC).timestamp() - (time.monotonic() - began)
                    if n == 0:

                        async def up() -> bool:
                            return moment(log.read_text(), "in step:") is not None

                        await until(up, 60, lambda: "the router is in step")
                        await callers(asterisk.ami_port, waiting, queues)

                    async def all_ring() -> bool:
                        return len(sink.invites) >= min(waiting, phones)

                    await until(
                        all_ring,
                        120,
                        lambda: f"every caller rings a phone, but {len(sink.invites)}",
                    )
                    if n:
                        figures.append(_figures(log.read_text(), sink, began, epoch))
                    await asyncio.sleep(1.0)
                sink.refuse_all()
                await asyncio.sleep(_AWAY)
    finally:
        out.close()
        await asterisk.stop()
    return figures


def _figures(log: str, sink: Sink, began: float, epoch: float) -> RealFigures:
    up, step = moment(log, "AMI session with"), moment(log, "in step:")
    assert up is not None
    assert step is not None
    times = sorted(at for at, _, _ in sink.invites.values())
    return RealFigures(
        session_up=up - epoch,
        in_step=step - epoch,
        first_invite=times[0] - began,
        last_invite=times[-1] - began,
        step_after_login=step - up,
    )
