"""UDP sockets on loopback whose datagrams carry the kernel's arrival time.

A busy event loop reads late. Measurements must not depend on that, so the socket asks the kernel
for the time of arrival (`SO_TIMESTAMPNS`, socket(7)) instead of reading the clock when the datagram
is read.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from contextvars import ContextVar

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the same on x86_64 and aarch64
_TIMESPEC = struct.Struct("@ll")
_MOST_IN_A_ROW = 64  # then the loop gets its turn

OnDatagram = Callable[[bytes, tuple[str, int], float], None]


def _here(kind: socket.SocketKind) -> socket.socket:
    return socket.socket(socket.AF_INET, kind)


OPENER: ContextVar[Callable[[socket.SocketKind], socket.socket]] = ContextVar(
    "opener", default=_here
)
"""Opens an IPv4 socket of a kind, not bound: in this process's network, unless the context says otherwise.

A test that gives each Asterisk a network namespace of its own sets it in the context in which it starts the
phones. Callbacks and tasks of a loop inherit the context, so what a phone opens later is opened there too.
"""


class Wire:
    """One UDP socket on 127.0.0.1, read by the running event loop.

    Args:
        on_datagram: called with the data, the sender and the arrival in `time.monotonic` seconds.
        rest_s: seconds without reading after each read. A stream of RTP then costs one wake-up per
            rest instead of one per packet, while arrival times stay exact.
    """

    def __init__(self, on_datagram: OnDatagram, *, rest_s: float = 0.0) -> None:
        self._on_datagram = on_datagram
        self._rest_s = rest_s
        self._loop = asyncio.get_running_loop()
        self._rest: asyncio.TimerHandle | None = None
        self._socket = OPENER.get()(socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket, self._read)

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send one datagram. If the kernel refuses it, it is lost, as on any network.

        After `close`, nothing is sent.
        """
        if self._socket.fileno() < 0:
            return
        try:
            self._socket.sendto(data, to)
        except OSError:
            return

    def deafen(self) -> None:
        """Stop reading but keep the port, so that datagrams vanish without an ICMP error."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)

    def close(self) -> None:
        """Release the port. A second call does nothing."""
        self.deafen()
        self._socket.close()

    def _read(self) -> None:
        if self._rest_s:
            self._loop.remove_reader(self._socket)
            self._rest = self._loop.call_later(self._rest_s, self._listen)
        for _ in range(_MOST_IN_A_ROW):
            if self._socket.fileno() < 0:
                return
            try:
                data, extra, _, sender = self._socket.recvmsg(65_535, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error caused by an earlier send
            self._on_datagram(data, sender, _arrival(extra))

    def _listen(self) -> None:
        self._rest = None
        self._loop.add_reader(self._socket, self._read)


def _arrival(extra: list[tuple[int, int, bytes]]) -> float:
    now = time.monotonic()
    for level, kind, value in extra:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(value) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            age = time.time() - (seconds + nanoseconds / 1e9)
            # A change of the system clock between arrival and reading must not distort the result.
            return now - age if 0 <= age < 5 else now
    return now
