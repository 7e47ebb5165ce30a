"""Checks the invariants while calls are active.

A violation is a fault of ours. It is logged and counted, all agents are checked again and every PBX
is resynchronized. Calls and the daemon go on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from callrouter.runtime import Runtime

logger = logging.getLogger(__name__)

EVERY: Final = 0.25
"""Seconds between two slices."""
MOST: Final = 40
"""Calls, offers and agents per slice: below a millisecond."""
MEND_EVERY: Final = 10.0
"""Seconds between two repairs: a repair that does not help must not become a load."""
_LOGGED: Final = 5


class SelfCheck:
    """Audits the floor of a runtime.

    Attributes:
        breaches: number of violations found.
        last: the most recent one, in words.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.breaches = 0
        self.last = ""
        self._runtime = runtime
        self._audit = runtime.router.audit()
        self._faults = 0
        self._mended = float("-inf")

    def status(self) -> dict[str, Any]:
        """Return the figures for ``/api/status``.

        ``last_breach`` is None if no violation was found since the start.
        """
        return {
            "rounds": self._audit.rounds,
            "breaches": self.breaches,
            "last_breach": self.last or None,
        }

    async def run(self) -> None:
        """Check one slice four times a second until cancelled.

        It never returns. A fault in the checks is logged and does not end it.
        """
        while True:
            await asyncio.sleep(EVERY)
            self.step(asyncio.get_running_loop().time())

    def step(self, now: float) -> None:
        """Check one slice at `now` (the loop's time).

        Does nothing while the runtime is catching up. Repairs at most once in `MEND_EVERY` seconds;
        violations in between are only counted.
        """
        if self._runtime.catching_up:
            return
        if self._runtime.faults != self._faults:
            self._faults = self._runtime.faults
            self._audit.again()
        try:
            found = self._audit.check_next(MOST)
        except Exception:
            logger.exception("looking at ourselves failed; going on")
            return
        if not found:
            return
        self.breaches += len(found)
        self.last = found[-1]
        if now - self._mended < MEND_EVERY:
            return
        self._mended = now
        for text in found[:_LOGGED]:
            logger.error("what must always hold does not: %s; mending", text)
        self._runtime.mend("something that must always hold did not")
