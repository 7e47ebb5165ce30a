"""Maps calls to channels. No I/O.

A call is named after the channel with which it entered. After an attended transfer to a call that
waits in a queue, another channel takes over its place in the dialplan under a different uniqueid,
and the call continues on that channel.
"""

from __future__ import annotations


class CallIds:
    """The ids of the calls on one Asterisk, and their channels."""

    def __init__(self, pbx: str) -> None:
        self.pbx = pbx
        self._call_of: dict[str, str] = {}
        """Call ids of channels that have taken over from another channel."""
        self._channel_of: dict[str, str] = {}

    def call(self, uid: str) -> str:
        """The global id of the call on this channel."""
        return self._call_of.get(uid) or f"{self.pbx}-{uid}"

    def channel(self, call: str) -> str:
        """The channel that currently carries a call."""
        return self._channel_of.get(call) or self.entered_as(call)

    def entered_as(self, call: str) -> str:
        """The channel with which a call entered. Reports use it to name the call."""
        return call.removeprefix(f"{self.pbx}-")

    def takes_over(self, uid: str, call: str) -> None:
        """Record that a channel now carries this call."""
        self.gone(self.channel(call))
        if call != f"{self.pbx}-{uid}":
            self._call_of[uid], self._channel_of[call] = call, uid

    def gone(self, uid: str) -> None:
        """Forget a channel that has ended."""
        call = self._call_of.pop(uid, None)
        if call is not None:
            self._channel_of.pop(call, None)
