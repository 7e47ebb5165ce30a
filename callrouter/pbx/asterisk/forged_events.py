"""Counts and reports events that were dropped because Asterisk does not write them like that."""

from __future__ import annotations

import asyncio
import logging

logger = logging.getLogger(__name__)

TELL_EVERY = 60.0
"""Minimum number of seconds between two warnings."""

COMPARE_AFTER = 0.1
"""Seconds from a dropped event to the resync with Asterisk."""

COMPARE_EVERY = 1.0
"""Minimum number of seconds between two such resyncs, however many events are dropped."""


class ForgedEvents:
    """Counts the dropped events of one Asterisk and logs warnings."""

    def __init__(self, pbx: str) -> None:
        self._pbx = pbx
        self._total = 0
        self._untold = 0
        self._told_at = float("-inf")
        self._compared_at = float("-inf")

    def counts(self) -> dict[str, int]:
        """The counter by name, for status and metrics. Empty while it is zero."""
        return {"forged events": self._total} if self._total else {}

    def seen(self, name: str) -> None:
        """Count a dropped event and warn, at most once per `TELL_EVERY`.

        Args:
            name: name of the event; empty if the message is not an event.
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
        """Seconds until the next resync caused by a dropped event may start."""
        now = asyncio.get_running_loop().time()
        pause = max(COMPARE_AFTER, self._compared_at + COMPARE_EVERY - now)
        self._compared_at = now + pause
        return pause
