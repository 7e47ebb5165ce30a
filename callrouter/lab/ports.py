"""Port blocks for parallel Asterisks: each instance holds one block by a name in the abstract space.

So test runs, demos and benchmarks may run side by side. A name of the abstract Unix address space
(unix(7)) belongs to a network namespace, as ports do. So it excludes every program that could take the
same ports, whatever their TMPDIR or root folder is. It ends with its process, even after SIGKILL.
"""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Below the ephemeral range (32768 on Linux), from which the phones take their ports.
_FIRST_PORT = 16_000
_BLOCK = 1_000
_BLOCKS = 16


class NoFreePortsError(RuntimeError):
    """Every block is in use by another instance."""


@dataclass(slots=True)
class Slot:
    """A block of ports of 127.0.0.1 and a private folder, held until `release` or the process ends.

    Attributes:
        folder: an empty or stale folder with a short path, for this holder only.
    """

    folder: Path
    sip: int
    ami: int
    rtp_first: int
    rtp_last: int
    _lock: socket.socket

    def release(self) -> None:
        """Release the block for another instance. A second call does nothing."""
        self._lock.close()


def take_slot() -> Slot:
    """Lock the first free block whose SIP and AMI ports are free too.

    Raises:
        NoFreePortsError: there is none.
    """
    home = Path(tempfile.gettempdir()) / f"callrouter-lab-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise NoFreePortsError(f"{home} belongs to another user; remove it or set TMPDIR")
    for number in range(_BLOCKS):
        base = _FIRST_PORT + number * _BLOCK
        # Python's sockets are close-on-exec, so an Asterisk never inherits the lock.
        lock = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            lock.bind(f"\0callrouter-lab-{number}")
            if _is_free(base, socket.SOCK_DGRAM) and _is_free(base + 1, socket.SOCK_STREAM):
                return Slot(
                    folder=home / str(number),
                    sip=base,
                    ami=base + 1,
                    rtp_first=base + 10,
                    rtp_last=base + _BLOCK - 1,
                    _lock=lock,
                )
        lock.close()
    raise NoFreePortsError(f"all {_BLOCKS} port blocks are taken; is something left running?")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # As Asterisk does: connections of an earlier instance may still be in TIME_WAIT.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
