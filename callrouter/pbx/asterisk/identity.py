"""Which channel a call is. No I/O.

A call is named after the channel with which it entered. By an attended transfer onto a call that waits in a
queue another channel takes over its place in the dialplan, under an id of its own, and the call goes on.
"""

from __future__ import annotations


class Identity:
    """The ids of one Asterisk's calls, and of their channels."""

    def __init__(self, pbx: str) -> None:
        self.pbx = pbx
        self._call_of: dict[str, str] = {}
        """Calls of channels that have taken over another's place."""
        self._channel_of: dict[str, str] = {}

    def call(self, uid: str) -> str:
        """The global id of the call that a channel is."""
        return self._call_of.get(uid) or f"{self.pbx}-{uid}"

    def channel(self, call: str) -> str:
        """The channel that a call is now."""
        return self._channel_of.get(call) or self.entered_as(call)

    def entered_as(self, call: str) -> str:
        """The channel with which a call entered: what reports know it by."""
        return call.removeprefix(f"{self.pbx}-")

    def takes_over(self, uid: str, call: str) -> None:
        """A channel is from now on the call of another."""
        self.gone(self.channel(call))
        if call != f"{self.pbx}-{uid}":
            self._call_of[uid], self._channel_of[call] = call, uid

    def gone(self, uid: str) -> None:
        """A channel has ended."""
        call = self._call_of.pop(uid, None)
        if call is not None:
            self._channel_of.pop(call, None)
