"""Whether the load speaks as a real Asterisk does: `python -m bench.scale.comparison`.

The same calls go through a real Asterisk and through a `LoadAsterisk`, each with a router of its own, and what passes
between them is noted. The router must send the same actions with the same headers, and must be sent the same events and
answers with the same headers in the same order, the same number of times. Left out is what depends on the time: the tick,
the check of the dialplan, lamps.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.scale.load_asterisk import SECRET, LoadAsterisk, Manner, Tally
from bench.versus.stage import Size, stage
from bench.versus.work import Call
from callrouter.demo.child import DaemonProcess
from callrouter.demo.demo_config import free_port
from callrouter.lab import Answer, Install, RingOnly, find_asterisk

SCENES: Final = {
    "the agent hangs up": Manner(rings=0.3, talks=1.2),
    "the caller hangs up": Manner(rings=0.3, talks=1.2, caller_ends=True),
    "no one answers": Manner(rings=None, patience=4.0),
}
SETTLED: Final = 1.0
"""Seconds after a call until nothing more is said about it."""
RING_FOR: Final = 2.0
_PHONE: Final = "1001"
_CONFIG: Final = """\
pbx: {{office: {{driver: asterisk, port: {port}, username: callrouter, secret: {secret}}}}}
http: {{listen: 127.0.0.1:{http}}}
agents: {{a1: {{sign_in: always, devices: {{desk: PJSIP/1001}}}}}}
queues: {{bench: {{ring_for: {ring_for}s, retry_after: 60s, auto_pause: 0, on_nobody: wait, agents: [a1]}}}}
"""
_TIMED: Final = (
    "CALLROUTER_TICK",
    "DIALPLAN_EXISTS(",
    "DEVICE_STATE(",
    "Custom:callrouter",
    "Queue:",
)

Heard = dict[str, Counter[str]]
"""What was said in each scene, in its shape, and how often."""


@dataclass
class Tap:
    """A connection that is listened to.

    Attributes:
        said: the shapes of all messages since it was emptied.
    """

    said: Counter[str] = field(default_factory=Counter)
    _timed: set[str] = field(default_factory=set)

    def note(self, message: str) -> None:
        """Note a message, unless it or its answer depends on the time."""
        lines = [line.partition(":")[::2] for line in message.split("\r\n") if line]
        own = next((value for name, value in lines if name == "ActionID"), "")
        if any(word in message for word in _TIMED):
            self._timed.add(own)
        elif not own or own not in self._timed:
            self.said[shape(lines)] += 1

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy one direction, message by message."""
        rest = ""
        while data := await reader.read(65536):
            writer.write(data)
            *messages, rest = (rest + data.decode("utf-8", "replace")).split("\r\n\r\n")
            for message in messages:
                self.note(message)
        writer.close()


def shape(lines: list[tuple[str, str]]) -> str:
    """Return what kind of message this is: its first line, and the names of its headers."""
    first, *rest = lines
    kind = f"{first[0]}:{first[1]}"
    for name, value in rest:
        if name in {"UserEvent", "Variable"} and "=" not in value:
            kind += f" {value.strip()}"
    return f"{kind} ({', '.join(name for name, _ in rest)})"


@asynccontextmanager
async def tapped(port: int, secret: str, folder: Path) -> AsyncIterator[Tap]:
    """A router whose connection to an Asterisk is listened to."""
    tap = Tap()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            tap.pass_on(reader, out), tap.pass_on(there, writer), return_exceptions=True
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    config = folder / "config"
    config.mkdir()
    text = _CONFIG.format(
        port=server.sockets[0].getsockname()[1], secret=secret, http=free_port(), ring_for=RING_FOR
    )
    (config / "callrouter.yaml").write_text(text)
    daemon = DaemonProcess(config, folder / "log")
    try:
        await daemon.start()
        yield tap
    finally:
        await daemon.stop()
        server.close()
        await asyncio.sleep(0.1)  # both ends of the connection see its end


async def heard(tap: Tap, play: Callable[[Manner], Awaitable[None]]) -> Heard:
    """Play every scene and return what was said."""
    found: Heard = {}
    for name, manner in SCENES.items():
        await asyncio.sleep(SETTLED)
        tap.said.clear()
        await play(manner)
        await asyncio.sleep(SETTLED)
        found[name] = Counter(tap.said)
    return found


def seconds(manner: Manner) -> float:
    """Return how long a call takes."""
    return manner.patience if manner.rings is None else manner.rings + manner.talks


async def real(install: Install) -> Heard:
    """Play the scenes on a real Asterisk."""
    async with stage(install, Size(1, ())) as here:

        async def play(manner: Manner) -> None:
            talk = None if manner.caller_ends else manner.talks
            answering = Answer(after=manner.rings or 0.0, talk=talk)
            here.everybody(RingOnly() if manner.rings is None else answering)
            caller = await here.call("callrouter", Call(0.0, 0.0))
            await asyncio.sleep(seconds(manner))
            if manner.caller_ends or manner.rings is None:
                await caller.bye()

        async with tapped(here.asterisk.ami_port, here.secret, here.folder) as tap:
            return await heard(tap, play)


async def simulated() -> Heard:
    """Play the scenes on the load."""
    asterisk = LoadAsterisk([f"PJSIP/{_PHONE}"], Tally())
    server = await asyncio.get_running_loop().create_server(asterisk.serve, "127.0.0.1", 0)

    async def play(manner: Manner) -> None:
        asterisk.call("bench", manner)
        await asyncio.sleep(seconds(manner))

    with tempfile.TemporaryDirectory(prefix="cr-scale-") as place:
        port = server.sockets[0].getsockname()[1]
        async with tapped(port, SECRET, Path(place)) as tap:
            found = await heard(tap, play)
    server.close()
    return found


def differences(one: Heard, other: Heard) -> list[str]:
    """Return what was said more often on a real Asterisk (+) or by the load (-)."""
    found = []
    for name in SCENES:
        for text, count in sorted(((one[name] - other[name]) | Counter()).items()):
            found.append(f"{name}: + {count} × {text}")  # noqa: RUF001 - the sign for it
        for text, count in sorted((other[name] - one[name]).items()):
            found.append(f"{name}: - {count} × {text}")  # noqa: RUF001
    return found


async def compared() -> list[str]:
    """Play every scene on both and return the differences."""
    install = await find_asterisk()
    return differences(await real(install), await simulated())


if __name__ == "__main__":
    unlike = asyncio.run(compared())
    print("\n".join(unlike) or "the load speaks as Asterisk does")
    sys.exit(bool(unlike))
