"""Writes the notices about all telephone systems into one file of queue_log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callrouter.model.call_notices import OfferDecided
from callrouter.model.notices import CallNotice, Notice, Oddity, TableReloaded
from callrouter.model.routing_table import Table
from callrouter.queue_log.log_file import QueueLogFile
from callrouter.queue_log.log_lines import NO_CHANNELS, CallChannels, QueueLogLine
from callrouter.queue_log.translator import QueueLogTranslator


class FileListener:
    """Listens to every notice of the core, and adds its lines to a file.

    Each line has the time of its notice. So what a driver finds only after an outage has the time
    at which it was found, except a caller who was found waiting: that has the time of entry.
    """

    def __init__(
        self,
        file: QueueLogFile,
        table: Callable[[], Table],
        signed_in: Callable[[str], bool],
        channels: Callable[[str], CallChannels],
    ) -> None:
        """Write into `file`.

        Args:
            file: the file. Its owner starts and closes it.
            table: the routing table in force.
            signed_in: whether the agent with this id is signed in now.
            channels: the channels of a call, by its id.
        """
        self._file = file
        self._table = table
        self._used = table()
        self._channels = channels
        self._at = 0.0
        self._lines = QueueLogTranslator(self._add, signed_in, self._used)

    def listen(self, notice: Notice) -> None:
        """Take a notice."""
        if isinstance(notice, OfferDecided | Oddity):
            return
        self._at = notice.at
        if isinstance(notice, TableReloaded):
            before, self._used = self._used, self._table()
            self._lines.use(before, self._used)
            return
        channels = self._channels(notice.call) if isinstance(notice, CallNotice) else NO_CHANNELS
        self._lines.listen(notice, channels)

    def _add(self, line: QueueLogLine, at: float | None) -> None:
        self._file.add(line, self._at if at is None else at)

    def status(self) -> dict[str, Any]:
        """How the file fares, for ``/api/status`` and the metrics."""
        return {
            "file": str(self._file),
            "problem": self._file.problem or None,
            "waiting": self._file.waiting,
            "lost": self._file.lost,
        }
