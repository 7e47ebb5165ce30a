"""Reports our state to systemd (sd_notify(3)): ready, alive, stopping. No-op without systemd."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Systemd:
    """The service manager, if there is one.

    Attributes:
        watchdog: seconds without a sign of life after which systemd kills us; None: never.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog = _watchdog(environ)

    def ready(self, status: str) -> None:
        """Report that calls are served.

        Called once, when the first PBX is in sync. ``systemctl status`` shows `status`.
        """
        self._tell(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def alive(self) -> None:
        """Report that the event loop runs.

        Called twice within `watchdog` seconds, from the loop itself: a blocked loop is not alive.
        """
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that we are stopping.

        Called at the start of the shutdown, before any part is closed.
        """
        self._tell("STOPPING=1\nSTATUS=stopping")

    def _tell(self, text: str) -> None:
        """Send a datagram. Never blocks; a missing service manager must not affect calls."""
        if not self._address:
            return
        # An address in the abstract namespace is written with @ instead of NUL.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), address)


def _watchdog(environ: Mapping[str, str]) -> float | None:
    pid = environ.get("WATCHDOG_PID", "")
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1_000_000
