"""Forty hostile clients, and an honest one that watches ``/healthz``, as separate processes.

``python -m bench.hostileclients PORT`` attacks until told to stop. With ``--watch`` it requests
``/healthz`` twenty times a second and, at the end, prints how long each answer took (ms, a JSON
list).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

SUPERVISOR: Final = "bench-supervisor-token-1"
READER: Final = "bench-agent-token-000001"
WEBHOOK: Final = "/twilio/cloud/voice"
PAUSE: Final = 0.05
"""Seconds between two attempts of one client: they share two processors with the phones."""
WATCH_EVERY: Final = 0.05
WITHIN: Final = 30.0
"""Seconds to wait for an answer; a closed connection counts as one."""

_SIGNED: Final = "X-Twilio-Signature: RSOYDt4T1cUTdK1PDd93/VVr8B8="
_FORM: Final = "Content-Type: application/x-www-form-urlencoded"

Attack = Callable[[int, random.Random, Counter[str]], Awaitable[None]]


def head(line: str, *headers: str) -> bytes:
    """Return the head of a request."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


async def say(port: int, *pieces: bytes, every: float = 0.0) -> str:
    """Send pieces, one each `every` seconds, and return the status of the answer.

    Returns an empty string if there was none.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(WITHIN):
            answer = asyncio.ensure_future(reader.readline())
            try:
                for piece in pieces:
                    writer.write(piece)
                    if every and (await asyncio.wait({answer}, timeout=every))[0]:
                        break
                return (await answer).decode("latin-1")[9:12]
            finally:
                answer.cancel()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def forged(port: int, rng: random.Random, seen: Counter[str]) -> None:
    """Send a webhook with a wrong signature or none, of maximum size, in some charset."""
    charset = rng.choice(("", "; charset=punycode", "; charset=utf-7", "; charset=idna"))
    body = rng.choice((b"a" * 60_000, b"&".join(b"f%d=%%41" % n for n in range(150)), b"%zz" * 99))
    headers = [f"{_FORM}{charset}", f"Content-Length: {len(body)}"]
    headers += [_SIGNED] * rng.randrange(2)
    headers += ["Content-Encoding: gzip"] * (rng.random() < 0.2)
    seen[f"forged webhook: {await say(port, head(f'POST {WEBHOOK}', *headers), body)}"] += 1


async def dripping(port: int, _rng: random.Random, seen: Counter[str]) -> None:
    """Send a webhook whose body arrives one byte at a time."""
    first = head(f"POST {WEBHOOK}", _FORM, "Content-Length: 5000", _SIGNED)
    said = await say(port, first, *itertools.repeat(b"a", 100), every=0.3)
    seen[f"dripping webhook: {said}"] += 1


async def wrong(port: int, rng: random.Random, seen: Counter[str]) -> None:
    """Send a request with an invalid token."""
    token = f"Authorization: Bearer {rng.randbytes(16).hex()}"
    body = b"{" + b" " * 50_000
    if rng.random() < 0.5:
        pieces = [head("GET /api/agents", token)]
    else:
        pieces = [head("POST /api/config/reload", token, f"Content-Length: {len(body)}"), body]
    seen[f"wrong token: {await say(port, *pieces)}"] += 1


async def diffs(port: int, rng: random.Random, seen: Counter[str]) -> None:
    """Request diffs and lists, with tokens that may read them and tokens that may not."""
    token = rng.choice((SUPERVISOR, READER))
    path = rng.choice(("config/diff", "config/diff", "agents", "calls", "queues"))
    line = f"GET /api/{path}"
    said = await say(port, head(line, f"Authorization: Bearer {token}", "Connection: close"))
    seen[f"{path} by {'a supervisor' if token == SUPERVISOR else 'an agent'}: {said}"] += 1


async def slow(port: int, _rng: random.Random, seen: Counter[str]) -> None:
    """Send a head that arrives one byte at a time and never ends."""
    pieces = itertools.chain([b"GET /healthz HTTP/1.1\r\nX: "], itertools.repeat(b"a", 200))
    seen[f"slow head: {await say(port, *pieces, every=0.3)}"] += 1


CLIENTS: Final[tuple[tuple[Attack, int], ...]] = (
    (forged, 10),
    (dripping, 8),
    (wrong, 8),
    (diffs, 8),
    (slow, 6),
)
"""Forty in total."""


async def attack(port: int, until: asyncio.Event) -> Counter[str]:
    """Run all of them until told to stop; returns the answers they got."""
    seen: Counter[str] = Counter()

    async def client(what: Attack, number: int) -> None:
        rng = random.Random(f"{what.__name__} {number}")
        while True:
            try:
                await what(port, rng, seen)
            except (OSError, TimeoutError):
                seen[f"{what.__name__}: closed"] += 1
            await asyncio.sleep(rng.uniform(0.5, 1.5) * PAUSE)

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client(what, number))
            for what, count in CLIENTS
            for number in range(count)
        ]
        await until.wait()
        for task in tasks:
            task.cancel()
    return seen


async def watch(port: int, until: asyncio.Event) -> list[float]:
    """Return the milliseconds from each health request to its answer."""
    took: list[float] = []
    while not until.is_set():
        began = time.perf_counter()
        with suppress(OSError, TimeoutError):
            await say(port, head("GET /healthz", "Connection: close"))
        took.append((time.perf_counter() - began) * 1000)
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), WATCH_EVERY)
    return took


async def main(port: int, *, watches: bool) -> None:
    """Run until SIGTERM; prints the figures to stdout as JSON."""
    until = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, until.set)
    if not watches:
        # Real attackers use other machines; only what they cost the daemon is measured.
        os.nice(10)
    print("ready", flush=True)
    found = await (watch(port, until) if watches else attack(port, until))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.hostileclients")
    parser.add_argument("port", type=int)
    parser.add_argument("--watch", action="store_true")
    asked = parser.parse_args()
    asyncio.run(main(asked.port, watches=asked.watch))
