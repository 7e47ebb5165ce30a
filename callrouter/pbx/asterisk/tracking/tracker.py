"""Tracks the callers and legs on one Asterisk, and translates AMI events into the core's events.

No I/O: messages in, calls of `TrackerOutput` out. The tracker is the only writer of what is known
about channels. A module that learns something in another way (a command that was just written, a
resync, the answer to a query) calls it.

Why this is right although events may come in any order, twice, or not at all: Asterisk's threads
write their events concurrently, the link may lose some, and a resync replays those that arrived
while the lists were read. Therefore

- no handler relies on another event having come first. It starts from what is known of its channel,
  and ignores a channel that is not known;
- every end is reported by removing the caller or leg from its table. So it is reported once,
  whichever of several events and answers comes first;
- a state is only changed by the event that proves it. Where the absence of an event would have to
  prove something (a caller left the bridge: hung up, transferred, or released?), the tracker asks
  Asterisk (`TrackerOutput.find_caller`) and does not guess;
- what an event or a command touches while lists are read is noted in `touched`. The lists may be
  older than that, so a resync leaves it alone. What was touched by nothing has not changed, so the
  lists are right about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    CallerTransferred,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    EndpointChanged,
    TransferKind,
)
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.tracking.arrival import (
    SAME_CLOCK_WITHIN,
    EntryClock,
    arrival,
    epoch_seconds,
)
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    CallIds,
    LegChannel,
    RouteChannel,
    TrackedChannels,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.leg_tracker import LegTracker
from callrouter.pbx.asterisk.tracking.phone_states import PhoneStates
from callrouter.pbx.asterisk.tracking.transfers import Transfers


def _no_phones(_agent: str) -> AbstractSet[str]:
    return frozenset()


class Tracker:
    """The callers, legs and phones of one Asterisk.

    Attributes:
        clock: the router's clock, for the times at which callers entered.
        clock_ahead: seconds by which Asterisk's clock is ahead of ours; 0 if that is negligible.
        phones: the phones of agents, and the channels on them that are not ours.
        leg_tracker: the part that tracks legs.
        unreadable: channels that exist, although the last list of channels has no readable row for
            them. Each of them was queried on its own.
    """

    def __init__(
        self,
        pbx: str,
        output: TrackerOutput,
        clock: EntryClock | None = None,
        own_phones: Callable[[str], AbstractSet[str]] = _no_phones,
    ) -> None:
        """Track nothing yet.

        Args:
            pbx: name of the PBX.
            output: receives what is found out.
            clock: the router's clock.
            own_phones: returns the phones on which an agent is rung, by whatever route.
        """
        self.pbx = pbx
        self.clock = clock
        self.clock_ahead = 0.0
        self.ids = CallIds(pbx)
        self.unreadable: frozenset[str] = frozenset()
        self._output = output
        self._channels = TrackedChannels(self.ids)
        self._comparing = False
        self.phones = PhoneStates(self._report_phone, self._now)
        self.leg_tracker = LegTracker(
            self._channels, self.phones, output, now=self._now, own_phones=own_phones
        )
        self._transfers = Transfers(self._channels, self.leg_tracker, output)
        self._handlers: Mapping[str, Callable[[AmiMessage], None]] = {
            **self.leg_tracker.handlers,
            **self._transfers.handlers,
            "HangupRequest": self._hangup_requested,
            "Hangup": self._hung_up,
            "UserEvent": self._dialplan_said,
            "BridgeEnter": self._bridge_entered,
            "BridgeLeave": self._bridge_left,
            "MusicOnHoldStop": self._music_stopped,
            "DeviceStateChange": self._device_state_changed,
        }

    @property
    def callers(self) -> Mapping[str, CallerChannel]:
        """The callers by uniqueid.

        The objects are the tracker's own. Do not change them; see the module.
        """
        return self._channels.callers

    @property
    def legs(self) -> Mapping[str, LegChannel]:
        """The legs by uniqueid.

        The objects are the tracker's own. Do not change them; see the module.
        """
        return self._channels.legs

    @property
    def routes(self) -> Mapping[str, RouteChannel]:
        """Channels on the routes of legs, by uniqueid. Do not change them; see the module."""
        return self._channels.routes

    @property
    def touched(self) -> AbstractSet[str]:
        """Uniqueids and endpoints that were touched since the resync requested its lists."""
        return self._channels.touched

    def handle(self, message: AmiMessage) -> None:
        """Handle one AMI event.

        Args:
            message: any event. Those that the tracker does not read are ignored.
        """
        handler = self._handlers.get(message.name)
        if handler is not None:
            if self._comparing:
                self._channels.touched.add(message.get("Uniqueid"))
            handler(message)

    def call_id(self, uid: str) -> str:
        """The global id of the call on a channel."""
        return self.ids.call(uid)

    def uid(self, call: str) -> str:
        """The channel of a call."""
        return self.ids.channel(call)

    def caller_of(self, call: str) -> CallerChannel | None:
        """The caller's channel of a call, if it is still ours."""
        return self.callers.get(self.uid(call))

    def is_connecting(self, caller: CallerChannel, leg: str) -> bool:
        """Whether a caller is still ours and still being connected to this leg's channel.

        Args:
            caller: the caller's channel as it was known when the connect was ordered.
            leg: the uniqueid of the leg.
        """
        known = self.callers.get(caller.uid) is caller
        return known and caller.state is CallerState.CONNECTING and caller.leg == leg

    def is_waiting(self, caller: CallerChannel) -> bool:
        """Whether a caller is still ours and waits."""
        known = self.callers.get(caller.uid) is caller
        return known and caller.state is CallerState.WAITING

    def measure_clock(self, theirs: str) -> None:
        """Take Asterisk's current time, as a message reports it.

        Args:
            theirs: epoch seconds with a fraction, as Asterisk writes them. An implausible text is ignored.
        """
        shown = epoch_seconds(theirs)
        if shown is not None and self.clock is not None:
            ahead = shown - self.clock.now()
            self.clock_ahead = ahead if abs(ahead) > SAME_CLOCK_WITHIN else 0.0

    def link_lost(self) -> None:
        """The link is down. Callers and legs with a channel go on without us."""
        self.leg_tracker.link_lost()

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

    def acknowledged(self, caller: CallerChannel) -> None:
        """A caller's channel is about to be marked as known to a router.

        See `CallerChannel.acknowledged`.
        """
        caller.acknowledged = True

    def entry_logged(self, call: str) -> bool:
        """Whether an earlier run of the router logged that this caller entered. True only once."""
        caller = self.caller_of(call)
        if caller is None:
            return False
        logged, caller.logged = caller.logged, False
        return logged

    def queue_changed(self, caller: CallerChannel, queue: str, queued_at: float | None) -> None:
        """A caller's channel is about to get another queue, or another time of entry into it.

        Args:
            caller: the caller's channel.
            queue: the queue, as the channel will have it.
            queued_at: when the caller entered it (epoch seconds); None if unknown.
        """
        caller.queue, caller.queued_at = queue, queued_at

    # ------------------------------------------------------------ resync

    def begin_comparison(self) -> None:
        """Lists are about to be requested: from now on, note what is touched."""
        self._channels.touched.clear()
        self.unreadable = frozenset()
        self._comparing = True

    def end_comparison(self) -> None:
        """No lists are being read any more."""
        self._comparing = False

    def keep(self, uids: Iterable[str]) -> None:
        """These channels exist, although a list has no readable row for them.

        They count as touched, so that the comparison leaves them as they are.
        """
        self.unreadable = frozenset(uids)
        self._channels.touched |= self.unreadable

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
        replaced = self.ids.channel(call) != uid
        self.ids.take_over(uid, call)
        return replaced

    # ------------------------------------------------------------ phones

    def _report_phone(self, endpoint: str, state: DeviceState) -> None:
        channel, since = self.phones.oldest_foreign_channel(endpoint)
        self._output.post(
            EndpointChanged(
                pbx=self.pbx, endpoint=endpoint, state=state, channel=channel, since=since
            )
        )

    def _now(self) -> float:
        return self.clock.now() if self.clock is not None else 0.0

    def _device_state_changed(self, message: AmiMessage) -> None:
        endpoint = message.get("Device")
        self._channels.touched.add(endpoint)
        self.phones.device_changed(endpoint, message.get("State"))

    def handle_phones_only(self, message: AmiMessage) -> None:
        """Update only the phones, from channels on them that are not legs of ours.

        Used for events that arrived while the lists were being read, so that the core does not ring
        an agent who is already taking another call.
        """
        uid = message.get("Uniqueid")
        if message.name == "DeviceStateChange":
            self._device_state_changed(message)
        elif uid not in self._channels.legs:
            if message.name == "Newchannel":
                self.leg_tracker.note_other_channel(message)
            elif message.name == "Hangup":
                self.phones.channel_ended(uid)

    # ------------------------------------------------------------ ends

    def _hangup_requested(self, message: AmiMessage) -> None:
        """The far end hung up. This comes before any Hangup, so it shows who hung up first."""
        uid = message.get("Uniqueid")
        leg = self._channels.legs.get(uid)
        if leg is not None:
            self.leg_tracker.hangup_requested(leg, message)
            return
        caller = self.callers.get(uid)
        if caller is None or not self._transfers.makes_way(caller):
            self._end_caller(uid, CallerEnd.HUNG_UP)

    def _hung_up(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        leg = self._channels.legs.get(uid)
        if leg is not None:
            self.leg_tracker.hung_up(leg, message)
            return
        if not self._transfers.optimised_away(uid):
            self._end_caller(uid, CallerEnd.HUNG_UP)
            self.ids.forget(uid)
        self.leg_tracker.other_channel_hung_up(message)

    def _end_caller(self, uid: str, how: CallerEnd) -> None:
        if self._channels.callers.pop(uid, None) is not None:
            self._output.post(CallerLeft(call=self.call_id(uid), how=how))

    # ------------------------------------------------------------ what the dialplan says

    def _dialplan_said(self, message: AmiMessage) -> None:
        name, uid = message.get("UserEvent"), message.get("Uniqueid")
        if name == "CallrouterCall":
            self._caller_entered(message)
        elif name in contract.LEG_EVENTS:
            self.leg_tracker.dialplan_said(name, message)
        elif name.startswith(contract.EVENT_PREFIX):
            caller = self.callers.get(uid)
            if caller is not None:
                self._caller_said(caller, name)
            elif name == "CallrouterUnheard":
                self._output.unknown_caller(uid)
            elif name == "CallrouterBack":
                self._output.back_from_fallback(uid)

    def _caller_entered(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        before = self._channels.callers.pop(uid, None)
        if before is not None and before.state in {CallerState.TALKING, CallerState.RELEASED}:
            # The agent transferred the caller to a queue, and the transfer event has not arrived
            # yet.
            to = f"{message.get('CallQueue')}@{contract.ENTRY}"
            self._transfers.report(before, TransferKind.BLIND, to)
        elif before is not None:
            self._output.post(CallerLeft(call=self.call_id(uid), how=CallerEnd.TAKEN))
        event = arrival(self.pbx, self.call_id(uid), message, _entry_values(message), self.clock)
        self.measure_clock(message.get("CallNow"))
        caller = self._channels.callers[uid] = CallerChannel(
            uid, contract.extension(event.queue), event, channel=message.get("Channel")
        )
        self._output.post(event)
        self._output.acknowledge(caller)

    def _caller_said(self, caller: CallerChannel, name: str) -> None:
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
            self._end_caller(caller.uid, CallerEnd.TAKEN)

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
            self._report_connected(caller, leg)

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

        If they were waiting, another program took them; if they were connected, it transferred them. Either
        way they are gone from this moment and never pulled back.
        """
        self._channels.touched.add(caller.uid)
        if caller.state in {CallerState.WAITING, CallerState.CONNECTING}:
            self._end_caller(caller.uid, CallerEnd.TAKEN)
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
            call = self.call_id(caller.uid)
            self._output.post(
                ConnectFailed(call=call, offer=caller.offer, why=ConnectFault.LEG_GONE)
            )

    def _report_connected(self, caller: CallerChannel, leg: LegChannel) -> None:
        caller.state = CallerState.TALKING
        self._output.post(ConnectSucceeded(call=self.call_id(caller.uid), offer=leg.offer))

    # ------------------------------------------------------------ bridges

    def _bridge_entered(self, message: AmiMessage) -> None:
        uid, bridge = message.get("Uniqueid"), message.get("BridgeUniqueid")
        if uid in self._channels.routes:
            self._channels.routes[uid].bridge = bridge
        leg, caller = self._channels.legs.get(uid), self.callers.get(uid)
        if leg is not None:
            leg.bridge = bridge
            caller = self.callers.get(leg.caller)
        elif caller is not None:
            caller.bridge = caller.was_in = bridge
            leg = self._channels.legs.get(caller.leg)
            if caller.state is CallerState.WAITING:
                self._output.find_caller(caller)
        else:
            self._transfers.bridge_entered(uid, message.get("Channel"), bridge)
        # The two BridgeEnter events arrive in either order. Whichever comes second completes the
        # connect, and the state CONNECTING makes sure that it is reported once.
        if (
            leg is not None
            and caller is not None
            and leg.bridge == caller.bridge == bridge
            and caller.state is CallerState.CONNECTING
        ):
            self._report_connected(caller, leg)

    def _bridge_left(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        if uid in self._channels.routes:
            self._channels.routes[uid].bridge = ""
        leg, caller = self._channels.legs.get(uid), self.callers.get(uid)
        if leg is not None:
            leg.bridge = ""
        if caller is not None:
            caller.bridge = ""
            # Leaving the bridge does not say why: a hangup, a transfer, or the end of the
            # conversation. The event that does usually follows, so the query waits for it.
            if caller.state is CallerState.TALKING:
                self._output.find_caller(caller)

    def _music_stopped(self, message: AmiMessage) -> None:
        caller = self.callers.get(message.get("Uniqueid"))
        if caller is not None and caller.state is CallerState.WAITING:
            self._output.find_caller(caller)


def _entry_values(message: AmiMessage) -> Callable[[str], str]:
    """The values in a `CallrouterCall` event.

    The caller is entering a queue, so it is queued now.
    """
    return lambda key: message.get("CallNow" if key == "Queued" else f"Call{key}")
