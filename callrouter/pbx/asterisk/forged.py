"""What was dropped since Asterisk does not write it like that: counted, and told now and then."""

from __future__ import annotations

import asyncio
import logging

logger = logging.getLogger(__name__)

TELL_EVERY = 60.0
"""Seconds between two warnings."""

COMPARE_AFTER = 0.1
"""Seconds from an event that was dropped to the comparison with Asterisk."""

COMPARE_EVERY = 1.0
"""Seconds between two such comparisons, however many events are dropped."""


class Forged:
    """Counts dropped events of one Asterisk, and warns of them."""

    def __init__(self, pbx: str) -> None:
        self._pbx = pbx
        self._total = 0
        self._untold = 0
        self._told_at = float("-inf")
        self._compared_at = float("-inf")

    def counts(self) -> dict[str, int]:
        """The counter by name, for status and metrics; empty while nothing was dropped."""
        return {"forged events": self._total} if self._total else {}

    def seen(self, name: str) -> None:
        """An event was dropped.

        Args:
            name: of the event; empty for what is no event at all.
        """
        self._total += 1
        self._untold += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TELL_EVERY:
            shown = name if name.isalnum() else "none"
            logger.warning(
                "%s: %d events were not as Asterisk writes them and did nothing (the last: %s): a caller's number "
                "holds line ends, or another program imitates the router's events; see docs/security.md",
                self._pbx,
                self._untold,
                shown,
            )
            self._told_at, self._untold = now, 0

    def pause(self) -> float:
        """Seconds until the next comparison may begin that such an event leads to."""
        now = asyncio.get_running_loop().time()
        pause = max(COMPARE_AFTER, self._compared_at + COMPARE_EVERY - now)
        self._compared_at = now + pause
        return pause
