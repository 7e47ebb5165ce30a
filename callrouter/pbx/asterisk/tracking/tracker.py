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
    DeviceState,
    EndpointChanged,
    SeenOutside,
)
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.tracking.arrival import (
    SAME_CLOCK_WITHIN,
    EntryClock,
    epoch_seconds,
)
from callrouter.pbx.asterisk.tracking.caller_tracker import CallerTracker
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    CallIds,
    LegChannel,
    RouteChannel,
    TrackedChannels,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.leg_answers import LegAnswers
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
        leg_answers: the part that handles answers at the phones of legs.
        caller_tracker: the part that tracks callers.
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
        self.leg_answers = LegAnswers(self._channels, self.leg_tracker, self.phones, output)
        self._transfers = Transfers(self._channels, self.leg_tracker, output)
        self.caller_tracker = CallerTracker(self._channels, self._transfers, output, clock)
        self._handlers: Mapping[str, Callable[[AmiMessage], None]] = {
            **self.leg_tracker.handlers,
            **self._transfers.handlers,
            "HangupRequest": self._hangup_requested,
            "Hangup": self._hung_up,
            "UserEvent": self._dialplan_said,
            "BridgeEnter": self._bridge_entered,
            "BridgeLeave": self._bridge_left,
            "MusicOnHoldStop": self.caller_tracker.music_stopped,
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
    def outside(self) -> Mapping[str, SeenOutside]:
        """Who is with a number outside, by uniqueid."""
        return self._channels.outside

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

    def measure_clock(self, theirs: str) -> None:
        """Take Asterisk's current time, as a message reports it.

        Args:
            theirs: epoch seconds with a fraction, as Asterisk writes them. An implausible text is
                ignored.
        """
        shown = epoch_seconds(theirs)
        if shown is not None and self.clock is not None:
            ahead = shown - self.clock.now()
            self.clock_ahead = ahead if abs(ahead) > SAME_CLOCK_WITHIN else 0.0

    def link_lost(self) -> None:
        """The link is down. Callers and legs with a channel go on without us."""
        self.leg_tracker.link_lost()

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
            self.caller_tracker.end(uid, CallerEnd.HUNG_UP)

    def _hung_up(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        leg = self._channels.legs.get(uid)
        if leg is not None:
            self.leg_tracker.hung_up(leg, message)
            return
        if not self._transfers.optimised_away(uid):
            self.caller_tracker.end(uid, CallerEnd.HUNG_UP)
            if uid in self._channels.outside:
                self.caller_tracker.outside_over(uid)
            self.ids.forget(uid)
        self.leg_tracker.other_channel_hung_up(message)

    # ------------------------------------------------------------ what the dialplan says

    def _dialplan_said(self, message: AmiMessage) -> None:
        name, uid = message.get("UserEvent"), message.get("Uniqueid")
        if name == "CallrouterCall":
            self.measure_clock(message.get("CallNow"))
            self.caller_tracker.entered(message)
        elif name in contract.LEG_EVENTS:
            self.leg_answers.dialplan_said(name, message)
        elif name.startswith(contract.EVENT_PREFIX):
            caller = self.callers.get(uid)
            if caller is not None:
                self.caller_tracker.said(caller, name)
            elif uid in self._channels.outside and name == "CallrouterMovedAway":
                self.caller_tracker.outside_over(uid)
            elif name == "CallrouterUnheard":
                self._output.unknown_caller(uid)
            elif name == "CallrouterBack":
                self._output.back_from_fallback(uid)

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
            self.caller_tracker.connected(caller, leg)

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
