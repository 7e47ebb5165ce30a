"""Passes the core's notices to the telephone systems that store data for us.

With twenty of them, most notices are about a call that nineteen do not have.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from callrouter.model.notices import CallNotice, Notice
from callrouter.pbx.interface import KeepsRecords

logger = logging.getLogger(__name__)


class NoticeRouting:
    """A listener of the runtime for all these drivers.

    A notice about a call of one of them is for that one; the others only learn that something
    happened elsewhere. Notices about calls of other telephone systems, and about anything else, are
    for all.
    """

    def __init__(self, drivers: Mapping[str, KeepsRecords]) -> None:
        """Pass notices to drivers, given by the name of their telephone system."""
        self._drivers = dict(drivers)
        self._longest_first = sorted(drivers, key=len, reverse=True)

    def listen(self, notice: Notice) -> None:
        """Pass a notice on. Every driver gets it, also if one fails, which is logged."""
        owner = self._owner(notice.call) if isinstance(notice, CallNotice) else ""
        for name, driver in self._drivers.items():
            try:
                if not owner or name == owner:
                    driver.listen(notice)
                else:
                    driver.listen_elsewhere(notice)
            except Exception:
                logger.exception("the driver of %s failed on %s", name, notice)

    def _owner(self, call: str) -> str:
        """The telephone system whose name a call's id begins with; empty if it is none of these."""
        name = call.rpartition("-")[0]
        if name in self._drivers:
            return name
        return next((name for name in self._longest_first if call.startswith(f"{name}-")), "")
