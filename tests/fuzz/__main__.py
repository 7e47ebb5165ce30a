"""`python -m tests.fuzz DOOR --seconds 300 --seed N`: hostile bytes until the time is up.

What a door fails on is printed and kept in the folder of `--found`; it belongs into `tests/fuzz/corpus/`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.doors import DOORS
from tests.fuzz.mutate import mutated

MOST = 5
"""Failures after which it ends: they are likely to be one and the same."""


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("door", choices=sorted(DOORS))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--found", type=Path, default=Path())
    asked = parser.parse_args()
    door, dice, tried, bad = DOORS[asked.door], random.Random(asked.seed), 0, 0
    until = time.monotonic() + asked.seconds
    async with door.opened() as knock:
        while time.monotonic() < until and bad < MOST:
            data = mutated(door.seeds, dice)
            tried += 1
            try:
                await knock(data)
            except Exception:  # noqa: BLE001 - that is what is looked for
                bad += 1
                traceback.print_exc()
                name = f"{asked.door}-{hashlib.sha256(data).hexdigest()[:8]}.bin"
                (asked.found / name).write_bytes(data)
                sys.stdout.write(f"{asked.found / name}: {data!r}\n")
    sys.stdout.write(f"{asked.door}: {tried} tried with seed {asked.seed}, {bad} failed\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
