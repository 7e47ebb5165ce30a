"""Tracks the callers and legs on one Asterisk, and translates AMI events into the core's events.

No I/O: messages in, calls of `TrackerOutput` out. It tracks callers, our legs, and through `Phones` the
other channels on agents' phones.

The handlers must not depend on the order in which independent facts arrive. Asterisk's threads
write their events concurrently, an event may be lost, and events are replayed after a snapshot. So
every handler starts from what is known about its channel, and ending a leg or a caller removes it
from its table, so that the end is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from callrouter.model.commands import StopReason
from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    CallerTransferred,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    EndpointChanged,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    LegPickedUpElsewhere,
    LegRang,
    NumberRefused,
    TransferKind,
)
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.call_ids import CallIds
from callrouter.pbx.asterisk.entry_time import SAME_CLOCK_WITHIN, EntryClock, seconds
from callrouter.pbx.asterisk.tracking.arrival import arrival
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    ContactFork,
    LegChannel,
    RouteChannel,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.phone_states import PhoneStates
from callrouter.pbx.asterisk.tracking.takeovers import Takeovers

_SAYS_NOTHING = frozenset({"", "0", "16"})
"""Causes with which a route's own channel ends, whatever happened to the phone at its far end."""


class Tracker:
    """The callers, legs and phones of one Asterisk.

    Attributes:
        clock: the router's clock, for the times at which callers entered.
        own_phones: returns the phones on which an agent is rung, by whatever route.
        moved: uniqueids and endpoints that events have touched since the resync began. For these
            the tracker is newer than the lists.
    """

    def __init__(
        self,
        pbx: str,
        sink: TrackerOutput,
        clock: EntryClock | None = None,
        *,
        own_phones: Callable[[str], AbstractSet[str]],
    ) -> None:
        self.pbx = pbx
        self.sink = sink
        self.clock = clock
        self.callers: dict[str, CallerChannel] = {}
        self.legs: dict[str, LegChannel] = {}
        self.far: dict[str, RouteChannel] = {}
        """Channels between a leg and its phone on a route through the dialplan, by uniqueid."""
        self.own_phones = own_phones
        self.moved: set[str] = set()
        self.ahead = 0.0
        """Seconds by which Asterisk's clock is ahead of ours; 0 if the difference is negligible."""
        self.ids = CallIds(pbx)
        self._places = Takeovers(lambda: self.callers, lambda: self.moved, self.ids, sink)
        self.unreadable: frozenset[str] = frozenset()
        """Channels that exist, although the list of channels has no readable row for them.

        Each of them was queried on its own.
        """
        self.comparing = False
        """Whether a resync is reading lists. Only then are channels recorded in `moved`."""
        self._sent_on: set[str] = set()
        """Legs that have ended because their phone redirected the call (302), until their channel
        is gone.
        """
        self.phones = PhoneStates(self._phone, self._time)
        self._handlers: Mapping[str, Callable[[AmiMessage], None]] = {
            "Newchannel": self._new_channel,
            "Newstate": self._new_state,
            "DialState": self._dialled,
            "Rename": self._renamed,
            "HangupRequest": self._hanging_up,
            "Hangup": self._hung_up,
            "OriginateResponse": self._originated,
            "UserEvent": self._user_event,
            "BridgeEnter": self._entered,
            "BridgeLeave": self._left,
            "BlindTransfer": self._blind,
            "AttendedTransfer": self._attended,
            "MusicOnHoldStop": self._music_stopped,
            "DeviceStateChange": self._device,
        }

    def handle(self, message: AmiMessage) -> None:
        """Handle one AMI event."""
        handler = self._handlers.get(message.name)
        if handler is not None:
            if self.comparing:
                self.moved.add(message.get("Uniqueid"))
            handler(message)

    def call_id(self, uid: str) -> str:
        """The global id of the call on a channel."""
        return self.ids.call(uid)

    def uid(self, call: str) -> str:
        """The channel of a call."""
        return self.ids.channel(call)

    def heard_time(self, theirs: str) -> None:
        """Take Asterisk's current time, as a message reports it."""
        shown = seconds(theirs)
        if shown is not None and self.clock is not None:
            ahead = shown - self.clock.now()
            self.ahead = ahead if abs(ahead) > SAME_CLOCK_WITHIN else 0.0

    def lost(self) -> None:
        """The link is down.

        Forget legs without a channel: their Originate may never have been executed.
        """
        for leg in list(self.legs.values()):
            if not leg.channel:
                self.forget(leg)
        self._sent_on.clear()

    def forget(self, leg: LegChannel) -> None:
        """Drop a leg that is not there.

        How it ended is unknown; the next snapshot tells the core.
        """
        self.legs.pop(leg.uid, None)
        if leg.fork is not None:
            leg.fork.drop(leg)

    # ------------------------------------------------------------ phones

    def _phone(self, endpoint: str, state: DeviceState) -> None:
        channel, since = self.phones.private(endpoint)
        self.sink.post(
            EndpointChanged(
                pbx=self.pbx, endpoint=endpoint, state=state, channel=channel, since=since
            )
        )

    def _time(self) -> float:
        return self.clock.now() if self.clock is not None else 0.0

    def _device(self, message: AmiMessage) -> None:
        endpoint = message.get("Device")
        self.moved.add(endpoint)
        self.phones.device(endpoint, message.get("State"))

    def phone_moved(self, message: AmiMessage) -> None:
        """Update only the phones that are not legs of ours.

        Used for events that arrived while the lists were being read, so that the core does not ring
        an agent who is already taking another call.
        """
        uid = message.get("Uniqueid")
        if message.name == "DeviceStateChange":
            self._device(message)
        elif uid not in self.legs:
            if message.name == "Newchannel":
                self._foreign(message)
            elif message.name == "Hangup":
                self.phones.went(uid)

    # ------------------------------------------------------------ channels

    def _new_channel(self, message: AmiMessage) -> None:
        uid, channel = message.get("Uniqueid"), message.get("Channel")
        leg = self.legs.get(uid)
        if leg is None:
            if self._foreign(message):
                return
            if uid.startswith(contract.LEG):
                if not contract.is_far_half(uid):  # the far half ends with the near half
                    self.sink.stray(uid)  # an Originate from before a gap, executed after it
            elif contract.may_be_forwarded(channel) and self._may_forward():
                self.sink.forwarded(uid)
            return
        leg.channel = channel
        if leg.stop is not None:
            self.sink.stop_now(leg)

    def _foreign(self, message: AmiMessage) -> bool:
        """Track a channel that is not a leg. Return whether it is on the route of a leg.

        Asterisk links every channel on such a route to the channel that it started from. A phone of
        the leg's own agent is ringing for us in that case. Any other phone is in a call that has
        nothing to do with its own agent's offers, so it counts as in use.
        """
        uid, channel = message.get("Uniqueid"), message.get("Channel")
        leg = self.legs.get(message.get("Linkedid"))
        on_the_way = leg is not None and leg.route
        if leg is not None and on_the_way:
            self.far[uid] = RouteChannel(leg, channel)
            if contract.endpoint_of(channel) in self.own_phones(leg.agent):
                return True
        self.phones.came(uid, channel)
        return on_the_way

    def _may_forward(self) -> bool:
        """Whether one of our phones may just have redirected its call.

        Asterisk does not always report it. If it rings the new destination before it has processed
        the end of the phone's session, there is no HangupRequest at all (measured on 22.10, one 302
        in fifteen).
        """
        return bool(self._sent_on) or any(not leg.up for leg in self.legs.values())

    def _new_state(self, message: AmiMessage) -> None:
        leg = self.legs.get(message.get("Uniqueid"))
        if leg is None:
            return
        state = message.get("ChannelStateDesc")
        if state == "Up":
            leg.up = True
        elif state == "Ringing":
            self._rings(leg)

    def _dialled(self, message: AmiMessage) -> None:
        """Take the progress of a dial.

        Only this event reports a 183, and many mobile networks signal ringing in no other way. A
        Local channel has no ringing state either.
        """
        leg = self.legs.get(message.get("DestUniqueid"))
        if leg is not None and message.get("DialStatus") in contract.RINGS:
            self._rings(leg)

    def _rings(self, leg: LegChannel) -> None:
        if not leg.rang:
            leg.rang = True
            if leg.fork is not None:
                if leg.fork.rang:
                    return
                leg.fork.rang = True
            self.sink.post(LegRang(offer=leg.offer, device=leg.device))

    def _renamed(self, message: AmiMessage) -> None:
        """A masquerade: a colleague's phone may have picked up the call that rang on this leg."""
        uid, channel = message.get("Uniqueid"), message.get("Newname")
        if "<" in channel:  # <MASQ> and <ZOMBIE> are intermediate names
            return
        leg = self.legs.get(uid)
        if leg is None:
            if uid in self.far:
                self.far[uid].channel = channel
                return
            self.phones.went(uid)
            self.phones.came(uid, channel)
            return
        before, leg.channel = contract.endpoint_of(leg.channel), channel
        after = contract.endpoint_of(channel)
        if before != after and not leg.up:
            endpoint = self.phones.endpoint_at(after)
            self.sink.post(
                LegPickedUpElsewhere(offer=leg.offer, device=leg.device, endpoint=endpoint)
            )

    def _hanging_up(self, message: AmiMessage) -> None:
        """The far end hung up. This comes before any Hangup, so it shows who hung up first.

        A leg whose phone redirects the call (302) ends now, although Asterisk keeps its channel for
        as long as it rings the new destination. What answers there must not be connected.
        """
        uid = message.get("Uniqueid")
        leg = self.legs.get(uid)
        if leg is None:
            caller = self.callers.get(uid)
            if caller is None or not self._places.makes_way(caller, self.legs):
                self._caller_gone(uid, CallerEnd.HUNG_UP)
        elif contract.redirected(message.get("TechCause")) and not leg.up:
            self._sent_on.add(uid)
            self.leg_gone(leg, self._why(leg, message))

    def _hung_up(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        leg = self.legs.get(uid)
        if leg is None:
            self._sent_on.discard(uid)
            if not self._places.optimised_away(uid, self.legs):
                self._caller_gone(uid, CallerEnd.HUNG_UP)
                self.ids.gone(uid)
            self.phones.went(uid)
            far = self.far.pop(uid, None)
            if far is not None and not far.leg.up and not far.channel.startswith("Local/"):
                far.leg.far_end = message.get("Cause"), message.get("TechCause")
        elif leg.route and (heir := self._heir(leg)):
            self._lives_on(leg, heir)
        elif message.get("TechCause") or leg.up or leg.stop is not None or leg.refused is not None:
            self.leg_gone(leg, self._why(leg, message))
        else:
            # No refusal and no stop: a colleague may have picked up the call that rang here, and
            # the event that says so may arrive after the end of this channel. Reporting the end at
            # once would make the core offer the call again although it has been answered.
            leg.gone = message
            self.sink.gone_unless_moved(leg)

    def _caller_gone(self, uid: str, how: CallerEnd) -> None:
        if self.callers.pop(uid, None) is not None:
            self.sink.post(CallerLeft(call=self.call_id(uid), how=how))

    def _why(self, leg: LegChannel, message: AmiMessage) -> LegEnd:
        if leg.refused is not None:
            return leg.refused
        if leg.stop is StopReason.TIME_UP:
            return LegEnd.NOT_ACCEPTED if leg.up else LegEnd.NO_ANSWER
        if leg.up or leg.stop is not None:
            return LegEnd.HUNG_UP
        cause, tech_cause = message.get("Cause"), message.get("TechCause")
        if not tech_cause and cause in _SAYS_NOTHING and leg.far_end != ("", ""):
            cause, tech_cause = leg.far_end
        if leg.outside is not None and not leg.rang:
            now = self.clock.now() if self.clock is not None else leg.outside
            if contract.carrier_refused(cause, tech_cause, after=now - leg.outside):
                return LegEnd.NUMBER_REFUSED
            leg.trunk_failed = contract.trunk_failed(cause, tech_cause)
        return contract.leg_end(cause, tech_cause, leg.reason)

    def leg_gone(self, leg: LegChannel, why: LegEnd) -> None:
        """Remove a leg and report its end, once."""
        self.moved.add(leg.uid)
        if self.legs.pop(leg.uid, None) is None:
            return
        if leg.route:
            self.far = {uid: far for uid, far in self.far.items() if far.leg is not leg}
        if leg.trunk_failed and leg.next_trunk is not None and leg.stop is None:
            leg.next_trunk()
            return
        if why is LegEnd.NUMBER_REFUSED:
            again = leg.again is not None and leg.stop is None
            self.sink.post(NumberRefused(offer=leg.offer, device=leg.device, again=again))
            if again and leg.again is not None:
                leg.again()
                return
        ended: LegEnd | None = why
        if leg.fork is not None:
            ended = leg.fork.over(leg, why)
            if ended is None and leg.fork.silent():
                self.sink.stop_silent(leg.fork)
        if ended is not None:
            self.sink.post(LegEnded(offer=leg.offer, device=leg.device, why=ended))

    # ------------------------------------------------------------ routes through the dialplan

    def _heir(self, leg: LegChannel) -> str:
        """The channel on which a leg continues when its own channel is optimised away; "" if none.

        Once caller and phone are both in bridges, Asterisk removes the two halves of a Local
        channel between them (unless dialled with ``/n``). The far channel that is then in the
        caller's bridge is the leg.
        """
        caller = self.callers.get(leg.caller)
        if caller is None or not caller.bridge:
            return ""
        return next(
            (
                uid
                for uid, far in self.far.items()
                if far.leg is leg and far.bridge == caller.bridge
            ),
            "",
        )

    def _lives_on(self, leg: LegChannel, uid: str) -> None:
        far = self.far.pop(uid)
        del self.legs[leg.uid]
        self.moved |= {leg.uid, uid}
        self.phones.went(uid)
        leg.uid, leg.channel, leg.bridge = uid, far.channel, far.bridge
        self.legs[uid] = leg
        self.callers[leg.caller].leg = uid
        if leg.stop is not None:
            self.sink.stop_now(leg)

    def _originated(self, message: AmiMessage) -> None:
        """Asterisk could not create a channel: no such phone, or it is not registered."""
        leg = self.legs.get(message.get("ActionID"))
        if leg is None or message.get("Response") != "Failure":
            return
        leg.reason = message.get("Reason")
        if leg.gone is not None:
            self.not_moved(leg)
        elif not leg.channel:
            leg.trunk_failed = leg.outside is not None
            self.leg_gone(leg, LegEnd.UNREACHABLE if leg.stop is None else LegEnd.HUNG_UP)

    def not_moved(self, leg: LegChannel) -> None:
        """A leg whose channel has ended did not turn up elsewhere: the leg has ended."""
        if leg.gone is not None:
            self.leg_gone(leg, self._why(leg, leg.gone))

    # ------------------------------------------------------------ our dialplan

    def _user_event(self, message: AmiMessage) -> None:
        name, uid = message.get("UserEvent"), message.get("Uniqueid")
        if name == "CallrouterCall":
            self._arrived(message)
        elif name in contract.LEG_EVENTS:
            leg = self.legs.get(uid) or self._picked_up(message)
            if leg is not None:
                self._leg_said(leg, name, message)
            elif name != "CallrouterRefused":
                self.sink.stray(uid)
        elif name.startswith("Callrouter"):
            caller = self.callers.get(uid)
            if caller is not None:
                self._caller_said(caller, name)
            elif name == "CallrouterUnheard":
                self.sink.unheard(uid)
            elif name == "CallrouterBack":
                self.sink.back(uid)

    def _arrived(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        before = self.callers.pop(uid, None)
        if before is not None and before.where in {CallerState.TALKING, CallerState.RELEASED}:
            # The agent transferred the caller to a queue, and the transfer event has not arrived
            # yet.
            to = f"{message.get('CallQueue')}@{contract.ENTRY}"
            self._passed_on(before, TransferKind.BLIND, to)
        elif before is not None:
            self.sink.post(CallerLeft(call=self.call_id(uid), how=CallerEnd.TAKEN))
        event = arrival(self.pbx, self.call_id(uid), message, _of_call(message), self.clock)
        self.heard_time(message.get("CallNow"))
        caller = self.callers[uid] = CallerChannel(uid, contract.extension(event.queue), event)
        caller.channel = message.get("Channel")
        self.sink.post(event)
        self.sink.taken(caller)

    def _picked_up(self, message: AmiMessage) -> LegChannel | None:
        """A colleague's phone picked up what rang on a leg: its channel becomes the leg.

        Asterisk moves the leg's variables to the colleague's channel, which keeps its own uniqueid.
        """
        leg = self.leg(message.get("Offer"), message.get("Device"))
        if leg is None or leg.up:
            return None
        if leg.fork is not None:
            # No event tells which of the endpoint's phones the call was taken from. All of them stop.
            fork = leg.fork
            leg = LegChannel("", leg.offer, leg.device, agent=leg.agent, call=leg.call)
            fork.add(leg)
            if message.get("UserEvent") == "CallrouterAccepted":
                fork.taken = leg  # the core connects as soon as it hears of the move
        else:
            del self.legs[leg.uid]
        leg.gone = None
        leg.uid, leg.channel = message.get("Uniqueid"), message.get("Channel")
        self.legs[leg.uid] = leg
        self.phones.went(leg.uid)
        endpoint = self.phones.endpoint_at(contract.endpoint_of(leg.channel))
        self.sink.post(LegPickedUpElsewhere(offer=leg.offer, device=leg.device, endpoint=endpoint))
        return leg

    def leg(self, offer: str, device: str) -> LegChannel | None:
        """The leg of an offer and device. Usually its channel id can be computed.

        If several phones ring at one endpoint, it is the accepted one, or else any of them.
        """
        found = self.legs.get(contract.leg_id(offer, device))
        if found is not None:
            taken = found.fork.taken if found.fork is not None else None
            return taken or found
        same = (leg for leg in self.legs.values() if (leg.offer, leg.device) == (offer, device))
        found = next(same, None)
        taken = found.fork.taken if found is not None and found.fork is not None else None
        return taken or found

    def _leg_said(self, leg: LegChannel, name: str, message: AmiMessage) -> None:
        leg.up = True
        fork = leg.fork
        if name == "CallrouterAccepted":
            leg.accepted = True
            if fork is not None:
                if fork.taken not in {None, leg}:
                    self._stop(leg)  # two phones at one endpoint were both picked up
                    return
                fork.taken = leg
                self._stop_others(leg)
            self.sink.post(LegAccepted(offer=leg.offer, device=leg.device))
        elif name == "CallrouterAnswered":
            if fork is not None:
                if fork.answered:
                    return
                fork.answered = True
            self.sink.post(LegAnswered(offer=leg.offer, device=leg.device))
        else:
            leg.refused = contract.mobile_refusal(message.get("Why"), message.get("Key"))
            if (
                leg.refused is not LegEnd.NOT_ACCEPTED
            ):  # the person declined, which applies to all of the agent's phones
                self._stop_others(leg)

    def stop_silent(self, fork: ContactFork) -> None:
        """Stop the silent phones of an endpoint whose other phones have refused."""
        for leg in fork.silent():
            self._stop(leg)

    def _stop_others(self, leg: LegChannel) -> None:
        for other in list(leg.fork.legs) if leg.fork is not None else ():
            if other is not leg and other.stop is None:
                self._stop(other)

    def _stop(self, leg: LegChannel) -> None:
        leg.stop = StopReason.ANSWERED_ELSEWHERE
        self.sink.stop_now(leg)

    def _caller_said(self, caller: CallerChannel, name: str) -> None:
        if name == "CallrouterUnbridged":
            self.unbridged(caller)
        elif name == "CallrouterReleased":
            # A caller who waits was called back already. A channel that makes way for the person it
            # stands for leaves its bridge as well, and the conversation goes on.
            if caller.where is not CallerState.WAITING and not self._places.makes_way(
                caller, self.legs
            ):
                caller.where = CallerState.RELEASED
                self.sink.look_at(caller)
        elif name == "CallrouterUnheard":
            self.sink.taken(caller)  # again: the first time was lost
        elif name == "CallrouterMovedAway":
            self.gone_elsewhere(caller)
        elif name == "CallrouterFallback":
            self._caller_gone(caller.uid, CallerEnd.TAKEN)

    def bridged(self, caller: CallerChannel, bridge: str) -> None:
        """A query has shown caller and leg in one bridge, and no event reported it."""
        leg = self.legs.get(caller.leg)
        if leg is not None and caller.where is CallerState.CONNECTING:
            caller.bridge = leg.bridge = bridge
            caller.where = CallerState.TALKING
            self.sink.post(ConnectSucceeded(call=self.call_id(caller.uid), offer=leg.offer))

    def unbridged(self, caller: CallerChannel) -> None:
        """The connect found no leg, and the dialplan has put the caller back in the queue."""
        was, caller.where, caller.leg = caller.where, CallerState.WAITING, ""
        if was is CallerState.CONNECTING:
            self._leg_was_gone(caller)
        # an event since then was lost: the caller counted as connected
        elif was is not CallerState.WAITING:
            self.sink.unheard(caller.uid)

    def hardly_bridged(self, caller: CallerChannel) -> None:
        """A query has shown that the leg was gone at once, and the caller awaits our command."""
        caller.where = CallerState.RELEASED
        self._leg_was_gone(caller)

    def _leg_was_gone(self, caller: CallerChannel) -> None:
        if caller.offer:
            call = self.call_id(caller.uid)
            self.sink.post(ConnectFailed(call=call, offer=caller.offer, why=ConnectFault.LEG_GONE))

    # ------------------------------------------------------------ bridges and transfers

    def _entered(self, message: AmiMessage) -> None:
        uid, bridge = message.get("Uniqueid"), message.get("BridgeUniqueid")
        if uid in self.far:
            self.far[uid].bridge = bridge
        leg, caller = self.legs.get(uid), self.callers.get(uid)
        if leg is not None:
            leg.bridge = bridge
            caller = self.callers.get(leg.caller)
        elif caller is not None:
            caller.bridge = caller.was_in = bridge
            leg = self.legs.get(caller.leg)
            if caller.where is CallerState.WAITING:
                self.sink.look_at(caller)
        else:
            self._places.entered(uid, message.get("Channel"), bridge)
        # The two BridgeEnter events arrive in either order. Whichever comes second completes the
        # connect, and the state CONNECTING makes sure that it is reported once.
        if (
            leg is not None
            and caller is not None
            and leg.bridge == caller.bridge == bridge
            and caller.where is CallerState.CONNECTING
        ):
            caller.where = CallerState.TALKING
            self.sink.post(ConnectSucceeded(call=self.call_id(caller.uid), offer=leg.offer))

    def _left(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        if uid in self.far:
            self.far[uid].bridge = ""
        leg, caller = self.legs.get(uid), self.callers.get(uid)
        if leg is not None:
            leg.bridge = ""
        if caller is not None:
            caller.bridge = ""
            # Leaving the bridge does not say why: a hangup, a transfer, or the end of the
            # conversation. The event that does usually follows, so the query waits for it.
            if caller.where is CallerState.TALKING:
                self.sink.look_at(caller)

    def _blind(self, message: AmiMessage) -> None:
        if message.get("Result", "Success") == "Success":
            to = f"{message.get('Extension')}@{message.get('Context')}"
            self._passed_by(message.get("TransfererUniqueid"), TransferKind.BLIND, to)

    def _attended(self, message: AmiMessage) -> None:
        if message.get("Result", "Success") != "Success":
            return
        leg = self.legs.get(message.get("OrigTransfererUniqueid"))
        to = message.get("SecondTransfererConnectedLineNum").removeprefix("<unknown>")
        if not to:
            to = f"{message.get('SecondTransfererExten')}@{message.get('SecondTransfererContext')}"
        for header in ("OrigTransfererUniqueid", "SecondTransfererUniqueid"):
            self._passed_by(message.get(header), TransferKind.ATTENDED, to)
        giver = leg.agent if leg is not None else ""
        self._places.transferred(message, giver, self.legs)

    def _passed_by(self, transferer: str, kind: TransferKind, to: str) -> None:
        """If an agent transferred their caller, that caller is no longer ours."""
        far = self.far.get(transferer)
        leg = far.leg if far is not None else self.legs.get(transferer)
        caller = self.callers.get(leg.caller) if leg is not None else None
        if leg is not None and caller is not None and caller.leg == leg.uid:
            del self.callers[caller.uid]
            self._passed_on(caller, kind, to)
            if far is not None:
                # The leg's channel remains, between the caller and the party they were transferred
                # to.
                self.sink.let_go(leg)
                self.leg_gone(leg, LegEnd.HUNG_UP)

    def _passed_on(self, caller: CallerChannel, kind: TransferKind, to: str) -> None:
        """Report a transfer. The agent's own leg ends separately."""
        self.moved.add(caller.uid)
        self.sink.post(CallerTransferred(call=self.call_id(caller.uid), kind=kind, to=to))

    def _music_stopped(self, message: AmiMessage) -> None:
        caller = self.callers.get(message.get("Uniqueid"))
        if caller is not None and caller.where is CallerState.WAITING:
            self.sink.look_at(caller)

    def gone_elsewhere(self, caller: CallerChannel) -> None:
        """A query has shown that a caller has left our part of the dialplan."""
        self.moved.add(caller.uid)
        if caller.where in {CallerState.WAITING, CallerState.CONNECTING}:
            self._caller_gone(caller.uid, CallerEnd.TAKEN)
        elif self.callers.pop(caller.uid, None) is not None:
            self._passed_on(caller, TransferKind.BLIND, "elsewhere")


def _of_call(message: AmiMessage) -> Callable[[str], str]:
    """The values in a `CallrouterCall` event.

    The caller is entering a queue, so it is queued now.
    """
    return lambda key: message.get("CallNow" if key == "Queued" else f"Call{key}")
