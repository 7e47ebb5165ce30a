"""`python -m tests.chaos`: break everything for ten minutes, and count the callers."""

from __future__ import annotations

import argparse
import asyncio
import random

from callrouter.lab import find_asterisk
from tests.chaos.faults import ALL
from tests.chaos.run import chaos


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", action="append", default=[], choices=sorted(ALL))
    asked = parser.parse_args()

    async def run() -> list[str]:
        install = await find_asterisk(print)
        _, bad = await chaos(install, asked.seconds, asked.seed, asked.only)
        return bad

    return 1 if asyncio.run(run()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
