"""Attended transfers to a waiting call: the transferred party takes over its place. No I/O.

Asterisk does this in two ways (measured on 22.10.1):

- With REFER and Replaces, the transferred party's channel is put into the dialplan where the
  waiting channel was, under its own id, and the waiting channel is hung up. The event
  AttendedTransfer comes before either.
- With the site's in-call code, a Local channel waits, and continues to wait. The transferred party
  is bridged with its near half. When an agent has accepted the call, Asterisk optimises the Local
  channel away and moves the agent's leg to the bridge of the transferred party.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from callrouter.model.events import CallerReplaced
from callrouter.pbx.asterisk.channels import Caller, LegChannel, Sink, Where
from callrouter.pbx.asterisk.identity import Identity
from callrouter.pbx.asterisk.text import clean_name, clean_number
from callrouter.pbx.asterisk.wire import AmiMessage


class TakenPlaces:
    """Tracks which channel takes over which place in the queue."""

    def __init__(
        self,
        callers: Callable[[], dict[str, Caller]],
        moved: Callable[[], set[str]],
        ids: Identity,
        sink: Sink,
    ) -> None:
        self._callers = callers
        self._moved = moved
        self._ids = ids
        self._sink = sink

    def transferred(self, message: AmiMessage, giver: str) -> None:
        """Handle an AttendedTransfer.

        Args:
            message: the event.
            giver: the agent on whose phone it was done; "" if it was not an agent's phone.
        """
        person = message.get("TransfereeUniqueid")
        waiting = self._callers().get(message.get("SecondTransfererUniqueid"))
        if person and waiting is not None and waiting.where is Where.WAITING:
            self._moves_in(waiting, person)
            waiting.channel = message.get("TransfereeChannel")
        else:
            # The event does not always name the Local channel, but it always names the bridge.
            bridge = message.get("DestBridgeUniqueid")
            waiting = next((one for one in self._callers().values() if one.near_in == bridge), None)
            if waiting is None or not bridge or not person:
                return
            waiting.person = person
        number = clean_number(message.get("TransfereeCallerIDNum").removeprefix("<unknown>"))
        name = clean_name(message.get("TransfereeCallerIDName").removeprefix("<unknown>"))
        waiting.arrived = replace(waiting.arrived, caller_number=number, caller_name=name)
        self._sink.post(
            CallerReplaced(
                call=waiting.arrived.call, caller_number=number, caller_name=name, agent=giver
            )
        )

    @staticmethod
    def makes_way(caller: Caller, legs: Mapping[str, LegChannel]) -> bool:
        """Whether the agent's leg has moved from a caller's channel to the person it waited for."""
        leg = legs.get(caller.leg)
        return (
            bool(caller.person)
            and caller.where is Where.TALKING
            and leg is not None
            and leg.bridge not in {"", caller.was_in}
        )

    def optimised_away(self, uid: str, legs: Mapping[str, LegChannel]) -> bool:
        """Whether a channel that is hung up has only made way for the person it waited for."""
        caller = self._callers().get(uid)
        if caller is None or not self.makes_way(caller, legs):
            return False
        self._moves_in(caller, caller.person)
        caller.person = ""
        return True

    def _moves_in(self, caller: Caller, uid: str) -> None:
        self._moved().update((caller.uid, uid))
        del self._callers()[caller.uid]
        self._ids.takes_over(uid, caller.arrived.call)
        caller.uid = uid
        self._callers()[uid] = caller

    def entered(self, channel: str, bridge: str) -> None:
        """Handle a channel that is neither a caller nor a leg and has entered a bridge."""
        if not (channel.startswith("Local/") and channel.endswith(";1")):
            return
        far = f"{channel[:-1]}2"
        for caller in self._callers().values():
            if caller.channel == far:
                caller.near_in = bridge
