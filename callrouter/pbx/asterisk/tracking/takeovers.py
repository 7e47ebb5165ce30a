"""Attended transfers to a waiting call: the transferred party takes over its place. No I/O.

Asterisk does this in two ways (measured on 22.10.1):

- With REFER and Replaces, the transferred party's channel is put into the dialplan where the
  waiting channel was, under its own id, and the waiting channel is hung up. The event
  AttendedTransfer comes before either.
- With the site's in-call code, a Local channel waits, and continues to wait. The transferred party
  is bridged with its near half. When an agent has accepted the call, Asterisk optimises the Local
  channel away: it moves the agent's leg to the bridge of the transferred party, or the transferred
  party to the bridge of the leg.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from callrouter.model.events import CallerReplaced
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.call_ids import CallIds
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    LegChannel,
    TrackerOutput,
)


class Takeovers:
    """Tracks which channel takes over which place in the queue."""

    def __init__(
        self,
        callers: Callable[[], dict[str, CallerChannel]],
        moved: Callable[[], set[str]],
        ids: CallIds,
        sink: TrackerOutput,
    ) -> None:
        self._callers = callers
        self._moved = moved
        self._ids = ids
        self._sink = sink
        self._persons: dict[str, CallerChannel] = {}
        """For whom a Local channel waits, by the person's channel."""

    def transferred(self, message: AmiMessage, giver: str, legs: Mapping[str, LegChannel]) -> None:
        """Handle an AttendedTransfer.

        Args:
            message: the event.
            giver: the agent on whose phone it was done; "" if it was not an agent's phone.
            legs: the agents' legs by channel.
        """
        person = message.get("TransfereeUniqueid")
        line = message.get("SecondTransfererUniqueid")
        waiting = self._callers().get(line)
        in_line = message.get("SecondTransfererContext") in contract.OURS
        if person and waiting is not None and self._has_a_place(waiting, in_line=in_line):
            # An agent may have accepted in this very moment: then the connect goes on with who is there now.
            self._moves_in(waiting, person, legs)
            self._sink.stepped_in(person)
            waiting.channel = message.get("TransfereeChannel")
        else:
            # The event does not always name the Local channel, but it always names the bridge.
            bridge = message.get("DestBridgeUniqueid")
            waiting = next((one for one in self._callers().values() if one.near_in == bridge), None)
            if person and not bridge and in_line and line not in self._callers():
                # The line was on its way out of the queue, and so is the person who has its place now.
                self._sink.leaves_instead(line, person)
            if waiting is None or not bridge or not person:
                return
            waiting.person = person
            self._persons[person] = waiting
        number = clean_number(message.get("TransfereeCallerIDNum").removeprefix("<unknown>"))
        name = clean_name(message.get("TransfereeCallerIDName").removeprefix("<unknown>"))
        waiting.arrived = replace(waiting.arrived, caller_number=number, caller_name=name)
        self._sink.post(
            CallerReplaced(
                call=waiting.arrived.call, caller_number=number, caller_name=name, agent=giver
            )
        )

    @staticmethod
    def _has_a_place(waiting: CallerChannel, *, in_line: bool) -> bool:
        """Whether a caller stands in the dialplan, alone, where another can step in."""
        connecting = waiting.where is CallerState.CONNECTING and in_line and not waiting.bridge
        return waiting.where is CallerState.WAITING or connecting

    @staticmethod
    def makes_way(caller: CallerChannel, legs: Mapping[str, LegChannel]) -> bool:
        """Whether the agent's leg has moved from a caller's channel to the person it waited for."""
        leg = legs.get(caller.leg)
        return (
            bool(caller.person)
            and caller.where in {CallerState.TALKING, CallerState.RELEASED}
            and leg is not None
            and leg.bridge != ""
            and (leg.bridge != caller.was_in or leg.bridge == caller.person_in)
        )

    def optimised_away(self, uid: str, legs: Mapping[str, LegChannel]) -> bool:
        """Whether a channel that is hung up has only made way for the person it waited for."""
        self._persons.pop(uid, None)
        caller = self._callers().get(uid)
        if caller is None or not self.makes_way(caller, legs):
            return False
        self._persons.pop(caller.person, None)
        self._moves_in(caller, caller.person, legs)
        caller.person, caller.bridge = "", legs[caller.leg].bridge
        caller.where = CallerState.TALKING
        return True

    def _moves_in(self, caller: CallerChannel, uid: str, legs: Mapping[str, LegChannel]) -> None:
        self._moved().update((caller.uid, uid))
        del self._callers()[caller.uid]
        self._ids.takes_over(uid, caller.arrived.call)
        caller.uid = uid
        leg = legs.get(caller.leg)
        if leg is not None:
            leg.caller = uid
        self._callers()[uid] = caller

    def entered(self, uid: str, channel: str, bridge: str) -> None:
        """Handle a channel that is neither a caller nor a leg and has entered a bridge."""
        if uid in self._persons:
            self._persons[uid].person_in = bridge
        if not (channel.startswith("Local/") and channel.endswith(";1")):
            return
        far = f"{channel[:-1]}2"
        for caller in self._callers().values():
            if caller.channel == far:
                caller.near_in = bridge
