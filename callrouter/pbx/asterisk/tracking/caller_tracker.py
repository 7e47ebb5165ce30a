"""Tracks the callers on one Asterisk. No I/O.

`tracker` passes the events that concern callers to this module. Commands, resyncs and queries call
it directly. A caller is entered when the dialplan or a list shows the channel, and leaves the table
when the call has ended for us: hung up, transferred, taken by another program, or sent away by the
core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    CallerTransferred,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    OutsideCallEnded,
    SeenOutside,
    TransferKind,
)
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.tracking.arrival import EntryClock, arrival
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    LegChannel,
    TrackedChannels,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.transfers import Transfers


class CallerTracker:
    """The callers of one Asterisk."""

    def __init__(
        self,
        channels: TrackedChannels,
        transfers: Transfers,
        output: TrackerOutput,
        clock: EntryClock | None,
    ) -> None:
        """Track the callers in `channels`. `clock` is the router's, for the times of entry."""
        self._channels = channels
        self._ids = channels.ids
        self._transfers = transfers
        self._output = output
        self._clock = clock

    def caller_of(self, call: str) -> CallerChannel | None:
        """The caller's channel of a call, if it is still ours."""
        return self._channels.callers.get(self._ids.channel(call))

    def is_connecting(self, caller: CallerChannel, leg: str) -> bool:
        """Whether a caller is still ours and still being connected to this leg's channel.

        Args:
            caller: the caller's channel as it was known when the connect was ordered.
            leg: the uniqueid of the leg.
        """
        known = self._channels.callers.get(caller.uid) is caller
        return known and caller.state is CallerState.CONNECTING and caller.leg == leg

    def is_waiting(self, caller: CallerChannel) -> bool:
        """Whether a caller is still ours and waits."""
        known = self._channels.callers.get(caller.uid) is caller
        return known and caller.state is CallerState.WAITING

    # ------------------------------------------------------------ commands

    def connect_ordered(self, caller: CallerChannel, leg: LegChannel) -> None:
        """A caller is about to be connected to a leg.

        Both count as touched. Whichever BridgeEnter comes second completes the connect.
        """
        self._channels.touched |= {caller.uid, leg.uid}
        caller.state, caller.leg, leg.caller = CallerState.CONNECTING, leg.uid, caller.uid
        caller.offer = leg.offer

    def requeue_ordered(self, caller: CallerChannel) -> None:
        """A caller is about to be put back in the queue."""
        self._channels.touched.add(caller.uid)
        caller.state, caller.leg = CallerState.WAITING, ""

    def leave_ordered(self, uid: str) -> CallerChannel | None:
        """A caller is about to leave. Return their channel, if it is known.

        They are forgotten before Asterisk confirms the move: whatever they do from now on is no
        news for the core, which has finished with the call.
        """
        self._channels.touched.add(uid)
        return self._channels.callers.pop(uid, None)

    def outside_ordered(self, uid: str, seen: SeenOutside) -> CallerChannel | None:
        """A caller is about to be connected with a number outside.

        Args:
            uid: the caller's channel.
            seen: the call as a snapshot shows it from now on.

        Returns:
            The caller's channel; None if it is not known.
        """
        caller = self.leave_ordered(uid)
        self._channels.outside[uid] = seen
        return caller

    def outside_over(self, uid: str, *, returns: bool = False) -> None:
        """A caller is no longer with a number outside. Ignored for any other channel.

        Args:
            uid: the caller's channel.
            returns: whether the number was not reached, so that the caller enters a queue again.
        """
        self._channels.touched.add(uid)
        seen = self._channels.outside.pop(uid, None)
        if seen is not None:
            self._output.post(OutsideCallEnded(call=seen.call, returns=returns))

    def found_outside(self, found: Mapping[str, SeenOutside]) -> None:
        """A list shows who is with a number outside, by channel. What was touched since stays."""
        known = {
            uid: seen
            for uid, seen in self._channels.outside.items()
            if uid in self._channels.touched
        }
        untouched = {uid: seen for uid, seen in found.items() if uid not in self._channels.touched}
        self._channels.outside = {**untouched, **known}

    def acknowledged(self, caller: CallerChannel) -> None:
        """A caller's channel is about to be marked as known to a router.

        See `CallerChannel.acknowledged`.
        """
        caller.acknowledged = True

    def entry_is_logged(self, call: str) -> None:
        """This run has seen the caller enter, so an earlier one's log no longer matters."""
        caller = self.caller_of(call)
        if caller is not None:
            caller.logged = False

    def queue_changed(self, caller: CallerChannel, queue: str, queued_at: float | None) -> None:
        """A caller's channel is about to get another queue, or another time of entry into it.

        Args:
            caller: the caller's channel.
            queue: the queue, as the channel will have it.
            queued_at: when the caller entered it (epoch seconds); None if unknown.
        """
        caller.queue, caller.queued_at = queue, queued_at

    # ------------------------------------------------------------ found in a list

    def forget_caller(self, uid: str) -> None:
        """Drop a caller who is not there any more. The next snapshot tells the core."""
        self._channels.callers.pop(uid, None)

    def adopt_caller(self, caller: CallerChannel) -> None:
        """Track a caller who was found in a list."""
        self._channels.callers[caller.uid] = caller
        leg = self._channels.legs.get(caller.leg)
        if leg is not None:
            leg.caller = caller.uid

    def carries_call(self, uid: str, call: str) -> bool:
        """A channel that was found in a list carries this call.

        Returns:
            Whether that is news: another channel carried the call before.
        """
        replaced = self._ids.channel(call) != uid
        self._ids.take_over(uid, call)
        return replaced

    # ------------------------------------------------------------ what the dialplan says

    def entered(self, message: AmiMessage) -> None:
        """A caller has entered a queue, for the first time or again."""
        uid = message.get("Uniqueid")
        if uid in self._channels.outside:
            self.outside_over(uid, returns=True)
        before = self._channels.callers.pop(uid, None)
        if before is not None and before.state in {CallerState.TALKING, CallerState.RELEASED}:
            # The agent transferred the caller to a queue, and the transfer event has not arrived
            # yet.
            to = f"{message.get('CallQueue')}@{contract.ENTRY}"
            self._transfers.report(before, TransferKind.BLIND, to)
        elif before is not None:
            self._output.post(CallerLeft(call=self._ids.call(uid), how=CallerEnd.MOVED_AWAY))
        event = arrival(
            self._ids.pbx, self._ids.call(uid), message, _entry_values(message), self._clock
        )
        caller = self._channels.callers[uid] = CallerChannel(
            uid, contract.extension(event.queue), event, channel=message.get("Channel")
        )
        self._output.post(event)
        self._output.acknowledge(caller)

    def said(self, caller: CallerChannel, name: str) -> None:
        """Handle an event of the dialplan about a caller.

        Args:
            caller: the channel.
            name: the event's own name, such as ``CallrouterReleased``.
        """
        if name == "CallrouterUnbridged":
            self.connect_failed(caller)
        elif name == "CallrouterReleased":
            # A caller who waits was called back already. A channel that makes way for the person it
            # stands for leaves its bridge as well, and the conversation goes on.
            waits = caller.state is CallerState.WAITING
            if not waits and not self._transfers.makes_way(caller):
                caller.state = CallerState.RELEASED
                self._output.find_caller(caller)
        elif name == "CallrouterUnheard":
            self._output.acknowledge(caller)  # again: the first time was lost
        elif name == "CallrouterMovedAway":
            self.moved_away(caller)
        elif name == "CallrouterFallback":
            self.end(caller.uid, CallerEnd.MOVED_AWAY)

    # ------------------------------------------------------------ what a query has shown

    def found_connected(self, caller: CallerChannel, bridge: str) -> None:
        """Caller and leg are in one bridge, and no event reported it.

        Args:
            caller: the caller's channel. Nothing happens unless it is being connected.
            bridge: the bridge's id.
        """
        leg = self._channels.legs.get(caller.leg)
        if leg is not None and caller.state is CallerState.CONNECTING:
            caller.bridge = leg.bridge = bridge
            self.connected(caller, leg)

    def connect_failed(self, caller: CallerChannel) -> None:
        """The connect found no leg, and the dialplan has put the caller back in the queue."""
        before, caller.state, caller.leg = caller.state, CallerState.WAITING, ""
        if before is CallerState.CONNECTING:
            self._report_leg_gone(caller)
        elif before is not CallerState.WAITING:
            # An event since then was lost: the caller counted as connected.
            self._output.unknown_caller(caller.uid)

    def released_at_once(self, caller: CallerChannel) -> None:
        """The leg was gone as soon as it was connected, and the caller awaits our command."""
        caller.state = CallerState.RELEASED
        self._report_leg_gone(caller)

    def back_in_queue(self, caller: CallerChannel) -> None:
        """A caller who counted as connected waits, and no event said so."""
        caller.state, caller.leg, caller.bridge = CallerState.WAITING, "", ""

    def moved_away(self, caller: CallerChannel) -> None:
        """A caller has left our part of the dialplan.

        If they were waiting, another program took them; if they were connected, it transferred
        them. Either way they are gone from this moment and never pulled back.
        """
        self._channels.touched.add(caller.uid)
        if caller.state in {CallerState.WAITING, CallerState.CONNECTING}:
            self.end(caller.uid, CallerEnd.MOVED_AWAY)
        elif self._channels.callers.pop(caller.uid, None) is not None:
            self._transfers.report(caller, TransferKind.BLIND, "elsewhere")

    def transferred_here(self, caller: CallerChannel, before: str) -> None:
        """A channel that carried the call `before` has the place of another call in a queue.

        An attended transfer ended the call `before`.
        """
        to = f"{caller.queue}@{contract.ENTRY}"
        self._output.post(CallerTransferred(call=before, kind=TransferKind.ATTENDED, to=to))

    def _report_leg_gone(self, caller: CallerChannel) -> None:
        if caller.offer:
            call = self._ids.call(caller.uid)
            self._output.post(
                ConnectFailed(call=call, offer=caller.offer, why=ConnectFault.LEG_GONE)
            )

    def connected(self, caller: CallerChannel, leg: LegChannel) -> None:
        """Caller and leg are in one bridge: report that the connect succeeded."""
        caller.state = CallerState.TALKING
        self._output.post(ConnectSucceeded(call=self._ids.call(caller.uid), offer=leg.offer))

    def end(self, uid: str, how: CallerEnd) -> None:
        """Remove a caller and report how the call ended for us. Ignored for any other channel."""
        if self._channels.callers.pop(uid, None) is not None:
            self._output.post(CallerLeft(call=self._ids.call(uid), how=how))

    def music_stopped(self, message: AmiMessage) -> None:
        """The music of a caller who waits has stopped, which only another program causes unseen."""
        caller = self._channels.callers.get(message.get("Uniqueid"))
        if caller is not None and caller.state is CallerState.WAITING:
            self._output.find_caller(caller)


def _entry_values(message: AmiMessage) -> Callable[[str], str]:
    """The values in a `CallrouterCall` event.

    The caller is entering a queue, so it is queued now.
    """
    return lambda key: message.get("CallNow" if key == "Queued" else f"Call{key}")
