"""`python -m tests.fuzz DOOR --seconds 300 --seed N`: hostile bytes until the time is up; without DOOR at all of them.

The door `sip` makes real calls to a real Asterisk, ten thousand of them (`--calls`), however long that takes. What a
door fails on is printed and kept in the folder of `--found`; it belongs into `tests/fuzz/corpus/`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.doors import DOORS, REAL
from tests.fuzz.mutate import mutated

MOST = 5
"""Failures after which it ends: they are likely to be one and the same."""
TELL_EVERY = 10.0
"""Seconds between two lines about how far it is."""


async def through(name: str, asked: argparse.Namespace) -> int:
    """Try one door; returns how many inputs it failed on."""
    door = (DOORS | REAL)[name]
    rng, tried, bad = random.Random(asked.seed), 0, 0
    began = told = time.monotonic()
    calls = asked.calls if name in REAL else None
    async with door.opened() as knock:
        while bad < MOST:
            now = time.monotonic()
            if tried >= calls if calls is not None else now - began >= asked.seconds:
                break
            if now - told >= TELL_EVERY:
                told = now
                of = (
                    f"{calls}"
                    if calls is not None
                    else f"{now - began:.0f} s of {asked.seconds:g} s"
                )
                sys.stdout.write(f"{name}: {tried} tried, {of}, {bad} failed\n")
                sys.stdout.flush()
            data = mutated(door.seeds, rng)
            tried += 1
            try:
                await knock(data)
            except Exception:  # noqa: BLE001 - that is what is looked for
                bad += 1
                traceback.print_exc()
                found = f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.bin"
                (asked.found / found).write_bytes(data)
                sys.stdout.write(f"{asked.found / found}: {data!r}\n")
    took = time.monotonic() - began
    sys.stdout.write(
        f"{name}: {tried} tried with seed {asked.seed} in {took:.0f} s, {bad} failed\n"
    )
    sys.stdout.flush()
    return bad


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("door", nargs="?", choices=["all", *sorted(DOORS | REAL)], default="all")
    parser.add_argument("--seconds", type=float, default=300.0, help="for each door")
    parser.add_argument("--calls", type=int, default=10_000, help="at the door sip")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--found", type=Path, default=Path())
    asked = parser.parse_args()
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # what is refused is logged, and meant to be
    names = sorted(DOORS) + sorted(REAL) if asked.door == "all" else [asked.door]
    bad = 0
    for name in names:
        bad += await through(name, asked)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
