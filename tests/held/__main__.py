"""``python -m tests.held [DOOR …]``: try every door that has held, in full, and print the counts.

It takes some minutes. ``make fuzz DOOR=sip CALLS=400``, ``make chaos`` and the tests try those that need
an Asterisk or another user.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping

from tests.held import inside, strangers
from tests.held.count import Count

DOORS: Mapping[str, Callable[[], Awaitable[Count]]] = {
    name.replace("_", "-"): getattr(module, name)
    for module in (strangers, inside)
    for name in module.DOORS
}


async def main(wanted: list[str]) -> int:
    """Try the doors; returns how many did not hold."""
    unknown = [name for name in wanted if name not in DOORS]
    if unknown:
        sys.stderr.write(f"no such door: {', '.join(unknown)}; there are {', '.join(DOORS)}\n")
        return 2
    broken = 0
    for name in wanted or DOORS:
        count = await DOORS[name]()
        broken += bool(count.wrong)
        sys.stdout.write(count.line(name) + "\n")
        sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1:])))
