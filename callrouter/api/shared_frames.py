"""Messages for many WebSockets at once: encoded, compressed and framed only once.

With twenty pages on the feed, compressing each message for each of them was most of the feed's work,
and the pages waited for it in turn.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Final, Self

from aiohttp import web

_TEXT: Final = 0x81
"""The first byte of an unfragmented text message (RFC 6455, 5.2)."""
_COMPRESSED: Final = 0x40
"""RSV1: the message is compressed (RFC 7692, 7.2.3.1)."""
_TAIL: Final = b"\x00\x00\xff\xff"
"""What ends compressed data and is not sent (RFC 7692, 7.2.1)."""
_WORTH_IT: Final = 200
"""Bytes from which on a message is compressed."""
_MOST_UNSENT: Final = 64 << 10
"""Bytes that may wait for a client to read before its next message is held back."""
_LOOK_EVERY: Final = 0.02
"""Seconds between two looks whether a client has read them."""


class SharedMessage(str):
    """A text for any number of clients. Its frame is made when the first of them needs it."""

    __slots__ = ("_frames",)
    _frames: dict[int, bytes]

    def __new__(cls, text: str) -> Self:
        """Take the text."""
        made = super().__new__(cls, text)
        made._frames = {}
        return made

    def frame(self, window: int) -> bytes:
        """Return the message as it is on the wire.

        Args:
            window: the bits of the window for compression that the client negotiated; 0: none.
        """
        frame = self._frames.get(window)
        if frame is None:
            frame = self._frames[window] = _framed(self.encode(), window)
        return frame


def _framed(payload: bytes, window: int) -> bytes:
    first = _TEXT
    if window and len(payload) >= _WORTH_IT:
        # A compressor of its own refers to nothing before this message, so the frame is right for
        # every client, whatever else it was sent.
        packer = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, -window)
        packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
        payload, first = packed.removesuffix(_TAIL), _TEXT | _COMPRESSED
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def _is_behind(transport: asyncio.Transport) -> bool:
    return transport.get_write_buffer_size() > _MOST_UNSENT and not transport.is_closing()


async def send_shared(
    ws: web.WebSocketResponse, transport: asyncio.Transport | None, message: SharedMessage
) -> None:
    """Send a shared message, and wait while the client has too much unread.

    After the first, nothing else with text may be sent through `ws` itself: aiohttp's compressor
    refers to what it sent before, and the client's has seen more.

    Raises:
        ConnectionResetError: the connection is closed.
    """
    if ws.closed or transport is None or transport.is_closing():
        raise ConnectionResetError("the live view is closed")
    transport.write(message.frame(int(ws.compress)))
    while _is_behind(transport):  # noqa: ASYNC110 - a transport tells only its protocol
        await asyncio.sleep(_LOOK_EVERY)
