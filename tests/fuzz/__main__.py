"""`python -m tests.fuzz ami|http --seconds 300 --seed N`: hostile bytes until the time is up.

What a door fails on is printed and belongs into `tests/fuzz/corpus/`.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
import traceback

from aiohttp.test_utils import TestServer

from tests.api.world import World
from tests.fuzz.doors import AMI_SEEDS, HTTP_SEEDS, ami, http, mutated


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("door", choices=("ami", "http"))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    dice, until, tried, bad = random.Random(asked.seed), time.monotonic() + asked.seconds, 0, 0
    world = World()
    async with TestServer(world.app) as server:
        while time.monotonic() < until and bad < 5:
            data = mutated(AMI_SEEDS if asked.door == "ami" else HTTP_SEEDS, dice)
            tried += 1
            try:
                if asked.door == "ami":
                    ami(data)
                else:
                    await http(data, server.port or 0)
            except Exception:  # noqa: BLE001 - that is what is looked for
                bad += 1
                traceback.print_exc()
                sys.stdout.write(f"{data!r}\n")
    world.close()
    sys.stdout.write(f"{asked.door}: {tried} tried with seed {asked.seed}, {bad} failed\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
