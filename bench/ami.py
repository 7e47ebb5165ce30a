"""Cost of one AMI event until the driver has it, and of one action until it is written.

    python -m bench.ami

No Asterisk and no socket: bytes as a busy Asterisk sends them (17 headers, 390 bytes, in pieces of
64 KiB) go into `AmiConnection.data_received`, and actions into `AmiConnection.submit` with a transport that drops
them. The figures are microseconds of CPU time for each, the smallest of several rounds, because
other programs use this machine. After that, an event and the action it triggers are measured over a
socket, with asyncio's loop and, if installed, with uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import json
import multiprocessing
import multiprocessing.connection
import socket
import time
from collections.abc import Callable
from typing import cast

from callrouter.model.commands import Ring
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiCounters, AmiMessage, AmiTiming
from callrouter.pbx.asterisk.ami.connection import AmiConnection
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.tracking.tracker import Tracker

EVENTS = 20_000
PIECE = 65_536

_CHANNEL = """\
Privilege: call,all\r
Channel: PJSIP/1001-0000{n:04x}\r
ChannelState: 6\r
ChannelStateDesc: Up\r
CallerIDNum: 441632960{n:03d}\r
CallerIDName: Jiří Novák\r
ConnectedLineNum: <unknown>\r
ConnectedLineName: <unknown>\r
Language: en\r
AccountCode: \r
Context: callrouter-hold\r
Exten: support\r
Priority: 3\r
Uniqueid: 1790000000.{n}\r
Linkedid: 1790000000.{n}\r
"""


def event(name: str, n: int, *more: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in more)
    return f"Event: {name}\r\n{_CHANNEL.format(n=n % 900)}{lines}\r\n".encode()


class Nowhere(asyncio.Transport):
    """A transport that accepts everything and keeps nothing."""

    def write(self, data: object) -> None: ...

    def get_extra_info(self, name: str, default: object = None) -> object:
        return socket.socket() if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None: ...


def connect(on_event: Callable[[AmiMessage], None], wanted: frozenset[str] | None) -> AmiConnection:
    link = AmiConnection(
        wanted=wanted,
        counters=AmiCounters(),
        on_event=on_event,
        on_lost=lambda _why, _live: None,
        timing=AmiTiming(),
        on_forged=lambda _name: None,
        user_events=contract.USER_EVENTS,
    )
    link.connection_made(Nowhere())
    link.data_received(b"Asterisk Call Manager/11.0.0\r\n")
    link.live = True
    return link


def least(work: Callable[[], None], count: int, rounds: int) -> float:
    """Return the CPU time of each of `count` items in the best round, in microseconds."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best / count * 1e6


def receiving(stream: bytes, on_event: Callable[[AmiMessage], None]) -> Callable[[], None]:
    link = connect(on_event, contract.EVENTS)
    pieces = [stream[at : at + PIECE] for at in range(0, len(stream), PIECE)]

    def work() -> None:
        for piece in pieces:
            link.data_received(piece)

    return work


def look_at(message: AmiMessage) -> None:
    """Read a few headers by name, as the driver does with most messages."""
    for key in ("Uniqueid", "Channel", "ChannelStateDesc", "UserEvent", "Cause", "Linkedid"):
        message.get(key)


class Owner:
    """The output of the tracker; does nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def sending(count: int) -> Callable[[], None]:
    link = connect(lambda _: None, None)
    rings = [
        Ring(
            pbx="office", offer=f"t-{n}", device="desk", agent=f"a{n}", call=f"office-1.{n}",
            queue="support", queue_name="", ring_for=20.0, endpoint=f"PJSIP/{1000 + n}", number="",
            caller_name="Jiří Novák", caller_number="441632960123", confirm=False,
        )
        for n in range(count)
    ]  # fmt: skip

    def work() -> None:
        for n in range(0, count, 10):
            link.submit([actions.originate(ring, "") for ring in rings[n : n + 10]], 5.0)
        for pending in list(link._pending.open.values()):
            pending.timer.cancel()
        link._pending.open.clear()

    return work


def _server(port: multiprocessing.connection.Connection, rounds: int) -> None:
    """Send an event, wait for the action it triggers, answer it; repeat."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port.send(listener.getsockname()[1])
        sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"Asterisk Call Manager/11.0.0\r\n")
    took = []
    for n in range(rounds):
        text = event("Newstate", n)
        began = time.perf_counter()
        sock.sendall(text)
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            got += sock.recv(65536)
        took.append(time.perf_counter() - began)
        action = got.rpartition(b"ActionID: ")[2].strip()
        sock.sendall(b"Response: Success\r\nActionID: " + action + b"\r\n\r\n")
    sock.close()
    port.send(took)


async def there_and_back(rounds: int) -> tuple[list[float], float]:
    """Return the seconds from event to action (wall clock), and our CPU time for one."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_server, args=(there, rounds))
    process.start()
    port = await asyncio.to_thread(here.recv)
    lost = asyncio.get_running_loop().create_future()
    link: AmiConnection

    def answer(message: AmiMessage) -> None:
        link.submit([actions.setvar(message.get("Uniqueid"), "CALLROUTER_CALL", "x")], 5.0)

    def protocol() -> AmiConnection:
        nonlocal link
        link = AmiConnection(
            wanted=contract.EVENTS,
            counters=AmiCounters(),
            on_event=answer,
            on_lost=lambda _why, _live: lost.set_result(None),
            timing=AmiTiming(),
        )
        link.live = True
        return link

    began = time.process_time()
    await asyncio.get_running_loop().create_connection(protocol, "127.0.0.1", port)
    await lost
    used = time.process_time() - began
    took = await asyncio.to_thread(here.recv)
    process.join()
    return sorted(took), used / rounds


def loops(rounds: int) -> dict[str, float]:
    """Measure the same over a socket, with asyncio's loop and, if installed, with uvloop."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"asyncio": None}
    with contextlib.suppress(ImportError):
        factories["uvloop"] = importlib.import_module("uvloop").new_event_loop
    figures = {}
    for name, factory in factories.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            took, used = runner.run(there_and_back(rounds))
        figures[f"{name}: event to action, median"] = took[len(took) // 2] * 1e6
        figures[f"{name}: event to action, p99"] = took[len(took) * 99 // 100] * 1e6
        figures[f"{name}: processor, event and action"] = used * 1e6
    return figures


async def measured(rounds: int) -> dict[str, float]:
    tracker = Tracker("office", cast("object", Owner()), own_phones=lambda _agent: frozenset())  # type: ignore[arg-type]
    unwanted = b"".join(event("VarSet", n, "Variable: X", "Value: y") for n in range(EVENTS))
    states = b"".join(event("Newstate", n) for n in range(EVENTS))
    channels = b"".join(
        event(
            ("Newchannel", "Newstate", "Newstate", "Hangup")[n % 4],
            n // 4,
            "Cause: 16",
            "Cause-txt: Normal Clearing",
        )
        for n in range(EVENTS)
    )
    whole = [raw for raw in states.split(b"\r\n\r\n") if raw]

    def parsing() -> None:
        for raw in whole:
            parse(raw)

    cases: dict[str, tuple[Callable[[], None], int]] = {
        "skipped by its name": (receiving(unwanted, lambda _: None), EVENTS),
        "parsed, nobody looks": (receiving(states, lambda _: None), EVENTS),
        "parsed, six headers looked at": (receiving(states, look_at), EVENTS),
        "taken in by the mirror": (receiving(channels, tracker.handle), EVENTS),
        "parse alone": (parsing, EVENTS),
        "an Originate, ten in a write": (sending(2_000), 2_000),
    }
    return {name: least(work, count, rounds) for name, (work, count) in cases.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    wanted = parser.parse_args()
    figures = asyncio.run(measured(wanted.rounds)) | loops(5_000)
    if wanted.json:
        print(json.dumps(figures, indent=1))
        return
    print("microseconds each")
    for name, figure in figures.items():
        print(f"  {name:40} {figure:8.2f}")


if __name__ == "__main__":
    main()
