"""Transfers: of a caller by their agent, and of any call to one that waits in a queue. No I/O.

If an agent transfers their caller, the caller is no longer ours.

In an attended transfer to a waiting call, the transferred party takes over its place. Asterisk does
this in two ways (measured on 22.10.1):

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

from callrouter.model.events import CallerReplaced, CallerTransferred, LegEnd, TransferKind
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    TrackedChannels,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.leg_tracker import LegTracker


class Transfers:
    """Tracks transfers, and which channel takes over which place in the queue."""

    def __init__(
        self, channels: TrackedChannels, leg_tracker: LegTracker, output: TrackerOutput
    ) -> None:
        self._channels = channels
        self._leg_tracker = leg_tracker
        self._output = output
        self._waiting_for: dict[str, CallerChannel] = {}
        """The Local channel that waits for a person, by the person's channel."""
        self.handlers: Mapping[str, Callable[[AmiMessage], None]] = {
            "BlindTransfer": self._blind_transfer,
            "AttendedTransfer": self._attended_transfer,
        }

    # ------------------------------------------------------------ by an agent

    def _blind_transfer(self, message: AmiMessage) -> None:
        if message.get("Result", "Success") == "Success":
            to = f"{message.get('Extension')}@{message.get('Context')}"
            self._agent_transferred(message.get("TransfererUniqueid"), TransferKind.BLIND, to)

    def _attended_transfer(self, message: AmiMessage) -> None:
        if message.get("Result", "Success") != "Success":
            return
        leg = self._channels.legs.get(message.get("OrigTransfererUniqueid"))
        to = message.get("SecondTransfererConnectedLineNum").removeprefix("<unknown>")
        if not to:
            to = f"{message.get('SecondTransfererExten')}@{message.get('SecondTransfererContext')}"
        for header in ("OrigTransfererUniqueid", "SecondTransfererUniqueid"):
            self._agent_transferred(message.get(header), TransferKind.ATTENDED, to)
        self._take_over(message, transferred_by=leg.agent if leg is not None else "")

    def _agent_transferred(self, transferer: str, kind: TransferKind, to: str) -> None:
        leg = self._leg_tracker.of_channel(transferer)
        caller = self._channels.callers.get(leg.caller) if leg is not None else None
        if leg is not None and caller is not None and caller.leg == leg.uid:
            del self._channels.callers[caller.uid]
            self.report(caller, kind, to)
            if transferer in self._channels.routes:
                # The leg's channel remains, between the caller and the party they were transferred
                # to.
                self._output.release_leg(leg)
                self._leg_tracker.ended(leg, LegEnd.HUNG_UP)

    def report(self, caller: CallerChannel, kind: TransferKind, to: str) -> None:
        """Report that a caller was transferred. The agent's own leg ends separately.

        Args:
            caller: the channel.
            kind: blind or attended.
            to: where to, for people: ``extension@context`` or a number.
        """
        self._channels.touched.add(caller.uid)
        call = self._channels.ids.call(caller.uid)
        self._output.post(CallerTransferred(call=call, kind=kind, to=to))

    # ------------------------------------------------------------ to a waiting call

    def _take_over(self, message: AmiMessage, *, transferred_by: str) -> None:
        """If an attended transfer led to a waiting call, continue that call for who has its place.

        `transferred_by` is the agent on whose phone it was done; "" if it was not an agent's phone.
        """
        waiting = self._place_taken(message)
        if waiting is None:
            return
        number = clean_number(message.get("TransfereeCallerIDNum").removeprefix("<unknown>"))
        name = clean_name(message.get("TransfereeCallerIDName").removeprefix("<unknown>"))
        waiting.arrived = replace(waiting.arrived, caller_number=number, caller_name=name)
        self._output.post(
            CallerReplaced(
                call=waiting.arrived.call,
                caller_number=number,
                caller_name=name,
                agent=transferred_by,
            )
        )

    def _place_taken(self, message: AmiMessage) -> CallerChannel | None:
        """The caller whose place the transferred party takes; None if it is not one of ours."""
        person = message.get("TransfereeUniqueid")
        line = message.get("SecondTransfererUniqueid")
        callers = self._channels.callers
        waiting = callers.get(line)
        in_line = message.get("SecondTransfererContext") in contract.OURS
        if person and waiting is not None and self._can_be_replaced(waiting, in_line=in_line):
            # An agent may have accepted in this very moment. The connect then goes on with the
            # channel that has the place now.
            self._replace(waiting, person)
            self._output.expect_in_dialplan(person)
            waiting.channel = message.get("TransfereeChannel")
            return waiting
        # The event does not always name the Local channel, but it always names the bridge.
        bridge = message.get("DestBridgeUniqueid")
        if person and not bridge and in_line and line not in callers:
            # The channel was on its way out of the queue, and so is the person who replaces it.
            self._output.leave_instead(line, person)
        waiting = next((one for one in callers.values() if one.near_in == bridge), None)
        if waiting is None or not bridge or not person:
            return None
        waiting.person = person
        self._waiting_for[person] = waiting
        return waiting

    @staticmethod
    def _can_be_replaced(waiting: CallerChannel, *, in_line: bool) -> bool:
        """Whether a caller stands in the dialplan, alone, where another channel can step in."""
        connecting = waiting.state is CallerState.CONNECTING and in_line and not waiting.bridge
        return waiting.state is CallerState.WAITING or connecting

    def makes_way(self, caller: CallerChannel) -> bool:
        """Whether the agent's leg has moved from a caller's channel to the person it waited for.

        The conversation goes on then, and the end of the caller's own channel is no hangup.
        """
        leg = self._channels.legs.get(caller.leg)
        return (
            bool(caller.person)
            and caller.state in {CallerState.TALKING, CallerState.RELEASED}
            and leg is not None
            and leg.bridge != ""
            and (leg.bridge != caller.was_in or leg.bridge == caller.person_in)
        )

    def optimised_away(self, uid: str) -> bool:
        """Whether a channel that is hung up has only made way for the person it waited for.

        If so, the call continues on the person's channel.
        """
        self._waiting_for.pop(uid, None)
        caller = self._channels.callers.get(uid)
        if caller is None or not self.makes_way(caller):
            return False
        self._waiting_for.pop(caller.person, None)
        self._replace(caller, caller.person)
        caller.person, caller.bridge = "", self._channels.legs[caller.leg].bridge
        caller.state = CallerState.TALKING
        return True

    def _replace(self, caller: CallerChannel, uid: str) -> None:
        """From now on the call is on the channel `uid`."""
        self._channels.touched.update((caller.uid, uid))
        del self._channels.callers[caller.uid]
        self._channels.ids.take_over(uid, caller.arrived.call)
        caller.uid = uid
        leg = self._channels.legs.get(caller.leg)
        if leg is not None:
            leg.caller = uid
        self._channels.callers[uid] = caller

    def bridge_entered(self, uid: str, channel: str, bridge: str) -> None:
        """Handle a channel that is neither a caller nor a leg and has entered a bridge.

        It may be a person that a Local channel waits for, or the near half of such a Local channel.
        """
        if uid in self._waiting_for:
            self._waiting_for[uid].person_in = bridge
        if not (channel.startswith("Local/") and channel.endswith(";1")):
            return
        far = f"{channel[:-1]}2"
        for caller in self._channels.callers.values():
            if caller.channel == far:
                caller.near_in = bridge
