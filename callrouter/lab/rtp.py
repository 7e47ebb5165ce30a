"""The voice of a laboratory phone: ulaw packets that name their sender, and their recognition.

A lab phone's audio is its own name, repeated to fill the 160 bytes of each packet. Asterisk passes
ulaw between two such phones unchanged, so the receiver knows *which* phone it hears. Anything else
that is not silence is music or a prompt.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from callrouter.lab.sdp import Sdp
from callrouter.lab.udp import Wire

_HEADER = struct.Struct("!BBHII")
_NAME = re.compile(rb"<lab:([!-;=?-~]{1,40})>")
_SILENCE = frozenset(b"\xff\x7f\xfe\x7e")
_READ_REST_S = 0.05
DIGITS = "0123456789*#ABCD"
"""The event codes 0 to 15 of RFC 4733, in order."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a phone speaks: `first` packets 20 ms apart, then one every `every_s` seconds.

    The first packets come quickly, so that the other side knows soon with which phone it talks.
    Later ones are few, to save CPU time with many phones.
    """

    first: int = 5
    every_s: float = 0.2


class Media:
    """One RTP stream, both ways.

    Args:
        name: what this phone says.
        pace: how often it says it.
        on_voice: called for each packet that is not silence, with the name heard (empty for music
            and prompts) and the arrival time.
        on_digit: called with each digit that arrives as an RFC 4733 event.

    Raises:
        ValueError: the name is empty, longer than 40 characters, or has a character that is not
            visible ASCII or is one of ``<`` and ``>``.
    """

    def __init__(
        self,
        name: str,
        pace: Pace,
        on_voice: Callable[[str, float], None],
        on_digit: Callable[[str], None],
    ) -> None:
        self.speaking = True
        once = b"<lab:" + name.encode() + b">"
        if _NAME.fullmatch(once) is None:
            raise ValueError(f"not a name for a phone (1 to 40 ASCII characters): {name!r}")
        self._payload = (once * 160)[:160]
        self._pace, self._on_voice, self._on_digit = pace, on_voice, on_digit
        self._loop = asyncio.get_running_loop()
        self._wire = Wire(self._hear, rest_s=_READ_REST_S)
        self._ssrc, self._sequence = secrets.randbits(32), secrets.randbits(15)
        self._began, self._stamp = time.monotonic(), 0
        self._remote: Sdp | None = None
        self._next: asyncio.TimerHandle | None = None
        self._sent = 0
        self._pressing = False
        self._last_event = -1

    @property
    def port(self) -> int:
        """The port this phone listens on."""
        return self._wire.port

    def aim(self, remote: Sdp) -> None:
        """Speak to `remote` from now on; the first packet leaves at once.

        Whether it speaks depends on the direction of `remote`: only if the other side wants to
        receive. With port 0 nothing is sent.
        """
        self._remote = remote
        self.speaking = remote.direction in {"sendrecv", "recvonly"}
        if self._next is None:
            self._speak()

    def close(self) -> None:
        """Stop speaking and release the port."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._wire.close()

    async def press(self, digit: str, *, duration_s: float = 0.1) -> None:
        """Send one digit as an RFC 4733 event, with three end packets (RFC 4733, 2.5.1.4).

        Raises:
            ValueError: not a digit, or the other side does not accept events.
        """
        remote = self._remote
        if digit not in DIGITS or remote is None or remote.dtmf is None:
            raise ValueError(f"cannot send {digit!r} as an RFC 4733 event here")
        self._pressing = True
        stamp, mark, steps = self._now(), 0x80, max(2, round(duration_s / 0.02))
        for step in range(1, steps + 3):
            end = 0x80 if step >= steps else 0
            length = min(step, steps) * 160
            event = struct.pack("!BBH", DIGITS.index(digit), end | 10, length)
            self._packet(mark | remote.dtmf, stamp, event)
            mark = 0
            if not end:
                await asyncio.sleep(0.02)
        self._pressing = False

    def _speak(self) -> None:
        if self.speaking and not self._pressing:
            self._packet(0x80 if self._sent == 0 else 0, self._now(), self._payload)
        self._sent += 1
        wait = 0.02 if self._sent < self._pace.first else self._pace.every_s
        self._next = self._loop.call_later(wait, self._speak)

    def _now(self) -> int:
        """Return the RTP time in whole packets, never the same value twice."""
        elapsed = int((time.monotonic() - self._began) * 50) * 160
        self._stamp = max(self._stamp + 160, elapsed)
        return self._stamp

    def _packet(self, kind: int, stamp: int, payload: bytes) -> None:
        if self._remote is None or self._remote.address[1] == 0:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        head = _HEADER.pack(0x80, kind, self._sequence, stamp & 0xFFFFFFFF, self._ssrc)
        self._wire.send(head + payload, self._remote.address)

    def _hear(self, data: bytes, _sender: tuple[str, int], at: float) -> None:
        if len(data) < 13 or data[0] != 0x80:
            return  # no RTP, or RTP with extensions, which Asterisk does not send to us
        kind = data[1] & 0x7F
        if kind == 0:
            found = _NAME.search(data, 12)
            if found is not None:
                self._on_voice(found[1].decode(), at)
            elif not _SILENCE.issuperset(data[12:]):
                self._on_voice("", at)
        elif self._remote is not None and kind == self._remote.dtmf and len(data) >= 16:
            self._hear_event(data)

    def _hear_event(self, data: bytes) -> None:
        stamp = int.from_bytes(data[4:8], "big")
        if data[13] & 0x80 and stamp != self._last_event and data[12] < len(DIGITS):
            self._last_event = stamp
            self._on_digit(DIGITS[data[12]])
