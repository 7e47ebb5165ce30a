"""The facts of one call at one phone (states, times, audio heard), and waiting for them.

`Record` is the base of `leg.SipLeg`, which changes it; tests and the demo only read it and wait.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Literal

State = Literal["trying", "ringing", "early", "up", "ended"]
Side = Literal["us", "them"]
OnChange = Callable[[str], None]

_CAUSE = re.compile(r"\s*(SIP|Q\.850)\s*;(?:[^;]*;)*?\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)


class CallEndedError(Exception):
    """The call ended before the awaited event; `code` is its final SIP code, or 0."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the call ended first (SIP code {code or 'none'})")
        self.code = code


class Record:
    """The facts of one call. All times are `time.monotonic` seconds, None until they happen.

    A message of the other side counts from its arrival at the socket, not from when it was read.

    Attributes:
        direction: "in" if the other side called.
        called: the number that was dialled.
        peer_number: the other side's number (the caller's, or the one we dialled).
        peer_name: its display name.
        invite_at: arrival of the INVITE, or when ours was sent.
        ringing_at: first 180 or 183.
        answered_at: the 200 to the INVITE.
        acked_at: the ACK of our 200; only "in".
        final_code: code of the final response to the INVITE; 0 before it.
        reasons: raw Reason headers of the other side's CANCEL or BYE.
        heard_since: first packet per lab phone heard.
        heard_last: latest packet per lab phone heard.
        other_since: first packet of music or prompts.
        other_last: latest packet of music or prompts.
        digits: DTMF received, in order.
        on_hold: we hold them.
        held: they hold us.
    """

    def __init__(self, direction: Literal["in", "out"], call_id: str, on_change: OnChange) -> None:
        self.direction: Literal["in", "out"] = direction
        self.call_id = call_id
        self.called = self.peer_number = self.peer_name = ""
        self.state: State = "trying"
        self.invite_at = time.monotonic()
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.acked_at: float | None = None
        self.ended_at: float | None = None
        self.ended_by: Side | None = None
        self.final_code = 0
        self.reasons: tuple[str, ...] = ()
        self.heard_since: dict[str, float] = {}
        self.heard_last: dict[str, float] = {}
        self.other_since: float | None = None
        self.other_last: float | None = None
        self.digits = ""
        self.on_hold = False
        self.held = False
        self._on_change = on_change
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def heard(self) -> set[str]:
        """The names of the lab phones heard so far."""
        return set(self.heard_since)

    @property
    def heard_other_audio(self) -> bool:
        """Whether music or prompts have been heard so far."""
        return self.other_since is not None

    @property
    def causes(self) -> set[tuple[str, int]]:
        """The (protocol, cause) pairs of the Reason headers (RFC 3326).

        Reason headers that cannot be read are left out. Empty as well if the other side sent none.
        """
        found = (_CAUSE.match(reason) for reason in self.reasons)
        return {(match[1].upper(), int(match[2])) for match in found if match is not None}

    @property
    def answered_elsewhere(self) -> bool:
        """Whether the other side said that another phone answered the call.

        That is SIP cause 200 or Q.850 cause 26 in the Reason of its CANCEL or BYE.
        """
        return not {("SIP", 200), ("Q.850", 26)}.isdisjoint(self.causes)

    async def wait(self, done: Callable[[], bool], within: float) -> None:
        """Wait until `done()` is true; it is checked at each change and each packet heard.

        Raises:
            TimeoutError: not within `within` seconds.
            CallEndedError: the call ended and `done()` is still false.
        """
        async with asyncio.timeout(within):
            while not done():
                if self.state == "ended":
                    raise CallEndedError(self.final_code)
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(future)
                try:
                    await future
                finally:
                    self._waiting.discard(future)

    async def wait_ringing(self, within: float = 5.0) -> None:
        """Wait for the first 180 or 183; raises as `wait`.

        A call answered without ringing is not enough: this then raises when the call or
        `within` ends.
        """
        await self.wait(lambda: self.ringing_at is not None, within)

    async def wait_up(self, within: float = 5.0) -> None:
        """Wait for the answer; raises as `wait`."""
        await self.wait(lambda: self.answered_at is not None, within)

    async def wait_ended(self, within: float = 5.0) -> None:
        """Wait for the end; raises TimeoutError.

        Unlike the other waits, it never raises `CallEndedError`. Returns at once if the call has
        ended.
        """
        await self.wait(lambda: self.state == "ended", within)

    async def wait_heard(self, name: str, within: float = 5.0) -> None:
        """Wait until the lab phone `name` is heard ("": music or a prompt); raises as `wait`.

        Returns at once if it has been heard before, even if another party is connected by now.
        """
        await self.wait(lambda: self._last(name) > 0, within)

    async def wait_hears(self, name: str, within: float = 5.0) -> None:
        """Wait until `name` is heard from now on, as `wait_heard`: who is connected *now*.

        Packets count by their arrival at the socket. Raises as `wait`.
        """
        now = time.monotonic()
        await self.wait(lambda: self._last(name) > now, within)

    def _last(self, name: str) -> float:
        return self.heard_last.get(name, 0.0) if name else self.other_last or 0.0

    def _changed(self, what: str) -> None:
        self._wake()
        self._on_change(what)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _voice(self, name: str, at: float) -> None:
        if not name:
            self.other_last = at
            if self.other_since is None:
                self.other_since = at
                self._changed("music")
            else:
                self._wake()
            return
        self.heard_last[name] = at
        if name in self.heard_since:
            self._wake()
        else:
            self.heard_since[name] = at
            self._changed("heard")

    def _digit(self, digit: str) -> None:
        self.digits += digit
        self._changed("digit")

    def _rings(self, *, early: bool, at: float | None = None) -> None:
        state: State = "early" if early else "ringing"
        if self.state in {"up", "ended", state}:
            return
        self.state, self.ringing_at = state, self.ringing_at or at or time.monotonic()
        self._changed(state)

    def _is_up(self, at: float | None = None) -> None:
        self.state, self.answered_at, self.final_code = "up", at or time.monotonic(), 200
        self._changed("up")

    def _is_over(self, by: Side, *, code: int = 0, at: float | None = None) -> bool:
        """Note the end; False if the call had already ended."""
        if self.state == "ended":
            return False
        self.state, self.ended_at, self.ended_by = "ended", at or time.monotonic(), by
        self.final_code = self.final_code or code
        self._changed("ended")
        return True
