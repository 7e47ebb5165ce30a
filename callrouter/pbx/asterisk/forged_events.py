"""Counts and reports events that were dropped because Asterisk does not write them like that.

What really happened is not known then, so the router resyncs with Asterisk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

WARN_EVERY: Final = 60.0
"""Minimum number of seconds between two warnings."""

COMPARE_AFTER: Final = 0.1
"""Seconds from a dropped event to the resync with Asterisk."""

COMPARE_EVERY: Final = 1.0
"""Minimum number of seconds between two such resyncs, however many events are dropped."""

_WITHOUT_RESYNC: Final = frozenset({"Status", "UserEvent"})
"""Unreadable rows of a resync do not cause another one, and neither do other programs' events."""


class ForgedEvents:
    """Counts the dropped events of one Asterisk, warns of them, and has the router resync."""

    def __init__(self, pbx: str, resync: Callable[[str], None]) -> None:
        self._pbx = pbx
        self._resync = resync
        self._total = 0
        self._unreported = 0
        self._warned_at = float("-inf")
        self._compared_at = float("-inf")
        self._scheduled = False
        """Whether a resync is already scheduled because an event was dropped."""

    def counts(self) -> dict[str, int]:
        """The counter by name, for status and metrics. Empty while it is zero."""
        return {"forged events": self._total} if self._total else {}

    def dropped(self, name: str) -> None:
        """An event was dropped. Warn, at most once per `WARN_EVERY`, and schedule a resync.

        Args:
            name: name of the event; empty if the message is not an event.
        """
        self._total += 1
        self._unreported += 1
        self._warn(name)
        if name not in _WITHOUT_RESYNC and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._pause(), self._compare)

    def _warn(self, name: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._warned_at < WARN_EVERY:
            return
        shown = name if name.isalnum() else "none"
        logger.warning(
            "%s: %d events were not as Asterisk writes them and did nothing (the last: %s): a "
            "caller's number holds line ends, or another program imitates the router's events; see "
            "docs/security.md",
            self._pbx,
            self._unreported,
            shown,
        )
        self._warned_at, self._unreported = now, 0

    def _pause(self) -> float:
        """Seconds until the next resync caused by a dropped event may start."""
        now = asyncio.get_running_loop().time()
        pause = max(COMPARE_AFTER, self._compared_at + COMPARE_EVERY - now)
        self._compared_at = now + pause
        return pause

    def _compare(self) -> None:
        self._scheduled = False
        self._resync("an event was not as Asterisk writes it")
