"""What goes on in Asterisk, as far as it concerns us, and its translation into the core's events.

No I/O: messages in, calls of `Sink` out. It remembers callers that are ours and legs that are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from callrouter.model.commands import StopReason
from callrouter.model.events import (
    CallConnected,
    CallerEnd,
    CallerLeft,
    CallTransferred,
    ConnectFailed,
    ConnectFault,
    EndpointChanged,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    LegMoved,
    LegRang,
    NumberRefused,
    Reached,
    TransferKind,
)
from callrouter.pbx.asterisk import words
from callrouter.pbx.asterisk.arrival import arrival
from callrouter.pbx.asterisk.channels import Caller, Far, Fork, LegChannel, Sink, Where
from callrouter.pbx.asterisk.entry import APART, Moments, seconds
from callrouter.pbx.asterisk.identity import Identity
from callrouter.pbx.asterisk.phones import Phones
from callrouter.pbx.asterisk.transfers import TakenPlaces
from callrouter.pbx.asterisk.wire import AmiMessage

_SAYS_NOTHING = frozenset({"", "0", "16"})
"""Causes with which a route's own channel ends, whatever became of the phone at its far end."""


class Mirror:
    """Callers, legs and phones of one Asterisk.

    Attributes:
        clock: the router's, for when callers entered.
        moved: channels, and endpoints, of which something was heard since a comparison began.
    """

    def __init__(self, pbx: str, sink: Sink, clock: Moments | None = None) -> None:
        self.pbx = pbx
        self.sink = sink
        self.clock = clock
        self.callers: dict[str, Caller] = {}
        self.legs: dict[str, LegChannel] = {}
        self.far: dict[str, Far] = {}
        """Channels on the way from a leg through the dialplan, by uniqueid."""
        self.own_phones: Callable[[str], AbstractSet[str]] = lambda _agent: frozenset()
        """The phones on which an agent is rung by our legs, by whatever way."""
        self.moved: set[str] = set()
        self.ahead = 0.0
        """Seconds that Asterisk's clock is ahead of ours; 0 where they count as one."""
        self.ids = Identity(pbx)
        self._places = TakenPlaces(lambda: self.callers, lambda: self.moved, self.ids, sink)
        self.unreadable: frozenset[str] = frozenset()
        """Channels that are there, by their own answer, though the list of channels has no readable row of them."""
        self.comparing = False
        """Lists are on their way: only then is it remembered what events were about."""
        self._sent_on: set[str] = set()
        """Legs that are over since their phone sent the call elsewhere (302), till their channel goes."""
        self.phones = Phones(self._phone, self._time)
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
        """Take one AMI event."""
        handler = self._handlers.get(message.name)
        if handler is not None:
            if self.comparing:
                self.moved.add(message.get("Uniqueid"))
            handler(message)

    def call_id(self, uid: str) -> str:
        """The global id of a caller's channel."""
        return self.ids.call(uid)

    def uid(self, call: str) -> str:
        """The channel of a call id."""
        return self.ids.channel(call)

    def heard_time(self, theirs: str) -> None:
        """Asterisk has told what its clock shows now."""
        shown = seconds(theirs)
        if shown is not None and self.clock is not None:
            ahead = shown - self.clock.now()
            self.ahead = ahead if abs(ahead) > APART else 0.0

    def lost(self) -> None:
        """The link is down. What was ordered and never seen may never have been done."""
        for leg in list(self.legs.values()):
            if not leg.channel:
                self.forget(leg)
        self._sent_on.clear()

    def forget(self, leg: LegChannel) -> None:
        """A leg is not there, and nothing says how it ended: the next snapshot does."""
        self.legs.pop(leg.uid, None)
        if leg.fork is not None:
            leg.fork.drop(leg)

    # ------------------------------------------------------------ phones

    def _phone(self, endpoint: str, state: Reached) -> None:
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
        """Take from an event only what it says of phones that are none of our legs.

        For those that came while the lists were on their way: nobody is rung whom others ring by now.
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
            if uid.startswith(words.LEG):
                if not words.far_half(uid):  # that one ends with the near half
                    self.sink.stray(uid)  # ordered before a gap, carried out after it
            elif words.may_be_forwarded(channel) and self._may_forward():
                self.sink.forwarded(uid)
            return
        leg.channel = channel
        if leg.stop is not None:
            self.sink.stop_now(leg)

    def _foreign(self, message: AmiMessage) -> bool:
        """A channel that is no leg; whether it lies on the way from one through the dialplan.

        What Asterisk makes on such a way is linked to the channel that it began with. A phone of the leg's
        own agent rings for us then; any other phone is in a call that is none of its own agent's.
        """
        uid, channel = message.get("Uniqueid"), message.get("Channel")
        leg = self.legs.get(message.get("Linkedid"))
        on_the_way = leg is not None and leg.route
        if leg is not None and on_the_way:
            self.far[uid] = Far(leg, channel)
            if words.endpoint_of(channel) in self.own_phones(leg.agent):
                return True
        self.phones.came(uid, channel)
        return on_the_way

    def _may_forward(self) -> bool:
        """Whether a phone of ours may just have sent its call elsewhere.

        Asterisk does not always say so: when it is quicker to ring elsewhere than to hear of the end
        of the phone's session, no HangupRequest comes at all (measured on 22.10, one 302 in fifteen).
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
        """How dialling goes. Only this event tells of a 183: many a mobile network rings in no other way.

        Nor has a Local channel any state of ringing.
        """
        leg = self.legs.get(message.get("DestUniqueid"))
        if leg is not None and message.get("DialStatus") in words.RINGS:
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
        """A masquerade: a colleague's phone may have picked up what rang on this leg."""
        uid, channel = message.get("Uniqueid"), message.get("Newname")
        if "<" in channel:  # <MASQ> and <ZOMBIE> are only on the way to the name that stays
            return
        leg = self.legs.get(uid)
        if leg is None:
            if uid in self.far:
                self.far[uid].channel = channel
                return
            self.phones.went(uid)
            self.phones.came(uid, channel)
            return
        before, leg.channel = words.endpoint_of(leg.channel), channel
        after = words.endpoint_of(channel)
        if before != after and not leg.up:
            self.sink.post(LegMoved(offer=leg.offer, device=leg.device, endpoint=after))

    def _hanging_up(self, message: AmiMessage) -> None:
        """The far end hung up. It comes before any Hangup, and so tells who was first.

        A leg whose phone sends the call elsewhere (302) is over now, though its channel is kept for
        as long as Asterisk rings elsewhere; what it makes of it is not ours to connect.
        """
        uid = message.get("Uniqueid")
        leg = self.legs.get(uid)
        if leg is None:
            caller = self.callers.get(uid)
            if caller is None or not self._places.makes_way(caller, self.legs):
                self._caller_gone(uid, CallerEnd.HUNG_UP)
        elif words.passed_on(message.get("TechCause")) and not leg.up:
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
            # Nobody said no, and nobody stopped it: a colleague may have picked up what rang here,
            # and the word of that may come after the end of this channel.
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
            if words.carrier_refused(cause, tech_cause, after=now - leg.outside):
                return LegEnd.NUMBER_REFUSED
            leg.trunk_failed = words.trunk_failed(cause, tech_cause)
        return words.leg_end(cause, tech_cause, leg.reason)

    def leg_gone(self, leg: LegChannel, why: LegEnd) -> None:
        """A leg is over: say so, once."""
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

    # ------------------------------------------------------------ ways through the dialplan

    def _heir(self, leg: LegChannel) -> str:
        """The channel that a leg through the dialplan goes on in, when its own is optimised away.

        Where caller and phone are both in bridges, Asterisk takes the two halves of a Local channel out from
        between them (without ``/n``). What the caller is in a bridge with then is the leg.
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
        """Asterisk could not even make a channel: no such phone, or not registered."""
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
        """A leg whose channel is gone has not turned up elsewhere: it is over."""
        if leg.gone is not None:
            self.leg_gone(leg, self._why(leg, leg.gone))

    # ------------------------------------------------------------ our dialplan

    def _user_event(self, message: AmiMessage) -> None:
        name, uid = message.get("UserEvent"), message.get("Uniqueid")
        if name == "CallrouterCall":
            self._arrived(message)
        elif name in words.LEG_SAYS:
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
        if before is not None and before.where in {Where.TALKING, Where.RELEASED}:
            # The agent passed the caller on to a queue, and we have not heard of the transfer yet.
            to = f"{message.get('CallQueue')}@{words.ENTRY}"
            self._passed_on(before, TransferKind.BLIND, to)
        elif before is not None:
            self.sink.post(CallerLeft(call=self.call_id(uid), how=CallerEnd.TAKEN))
        event = arrival(self.pbx, self.call_id(uid), message, _of_call(message), self.clock)
        self.heard_time(message.get("CallNow"))
        caller = self.callers[uid] = Caller(uid, words.extension(event.queue), event)
        caller.channel = message.get("Channel")
        self.sink.post(event)
        self.sink.taken(caller)

    def _picked_up(self, message: AmiMessage) -> LegChannel | None:
        """A colleague's phone took over what rang on a leg: their channel is the leg from now on.

        Asterisk moves the leg's variables to the colleague's channel, whose own id stays.
        """
        leg = self.leg(message.get("Offer"), message.get("Device"))
        if leg is None or leg.up:
            return None
        del self.legs[leg.uid]
        leg.gone = None
        leg.uid, leg.channel = message.get("Uniqueid"), message.get("Channel")
        self.legs[leg.uid] = leg
        self.phones.went(leg.uid)
        endpoint = words.endpoint_of(leg.channel)
        self.sink.post(LegMoved(offer=leg.offer, device=leg.device, endpoint=endpoint))
        return leg

    def leg(self, offer: str, device: str) -> LegChannel | None:
        """A leg by what it is for. Nearly always that is its channel's id.

        Of several phones at one endpoint it is the one that was accepted, or else any.
        """
        found = self.legs.get(words.leg_id(offer, device))
        if found is not None:
            taken = found.fork.taken if found.fork is not None else None
            return taken or found
        same = (leg for leg in self.legs.values() if (leg.offer, leg.device) == (offer, device))
        return next(same, None)

    def _leg_said(self, leg: LegChannel, name: str, message: AmiMessage) -> None:
        leg.up = True
        fork = leg.fork
        if name == "CallrouterAccepted":
            leg.accepted = True
            if fork is not None:
                if fork.taken not in {None, leg}:
                    self._stop(leg)  # two people picked up two phones of one endpoint
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
            leg.refused = words.not_one(message.get("Why"), message.get("Key"))
            if (
                leg.refused is not LegEnd.NOT_ACCEPTED
            ):  # a person said no, and means all their phones
                self._stop_others(leg)

    def stop_silent(self, fork: Fork) -> None:
        """Of the phones at one endpoint those that answer have said no, and the others nothing at all."""
        for leg in fork.silent():
            self._stop(leg)

    def _stop_others(self, leg: LegChannel) -> None:
        for other in list(leg.fork.legs) if leg.fork is not None else ():
            if other is not leg and other.stop is None:
                self._stop(other)

    def _stop(self, leg: LegChannel) -> None:
        leg.stop = StopReason.ANSWERED_ELSEWHERE
        self.sink.stop_now(leg)

    def _caller_said(self, caller: Caller, name: str) -> None:
        if name == "CallrouterUnbridged":
            self.unbridged(caller)
        elif name == "CallrouterReleased":
            if caller.where is not Where.WAITING:  # else it was called back already
                caller.where = Where.RELEASED
                self.sink.look_at(caller)
        elif name == "CallrouterUnheard":
            self.sink.taken(caller)  # again: the first time was lost
        elif name == "CallrouterMovedAway":
            self.gone_elsewhere(caller)
        elif name == "CallrouterFallback":
            self._caller_gone(caller.uid, CallerEnd.TAKEN)

    def bridged(self, caller: Caller, bridge: str) -> None:
        """A look has shown caller and leg in one bridge, and nobody has told."""
        leg = self.legs.get(caller.leg)
        if leg is not None and caller.where is Where.CONNECTING:
            caller.bridge = leg.bridge = bridge
            caller.where = Where.TALKING
            self.sink.post(CallConnected(call=self.call_id(caller.uid), offer=leg.offer))

    def unbridged(self, caller: Caller) -> None:
        """The connect found nobody; the dialplan has put the caller back into the waiting room."""
        was, caller.where, caller.leg = caller.where, Where.WAITING, ""
        if was is Where.CONNECTING:
            self._leg_was_gone(caller)
        elif was is not Where.WAITING:  # we took them for talking: what happened since was lost
            self.sink.unheard(caller.uid)

    def hardly_bridged(self, caller: Caller) -> None:
        """A look has shown that the agent's leg was gone at once, and the caller waits for our word."""
        caller.where = Where.RELEASED
        self._leg_was_gone(caller)

    def _leg_was_gone(self, caller: Caller) -> None:
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
            if caller.where is Where.WAITING:
                self.sink.look_at(caller)
        else:
            self._places.entered(message.get("Channel"), bridge)
        if (
            leg is not None
            and caller is not None
            and leg.bridge == caller.bridge == bridge
            and caller.where is Where.CONNECTING
        ):
            caller.where = Where.TALKING
            self.sink.post(CallConnected(call=self.call_id(caller.uid), offer=leg.offer))

    def _left(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        if uid in self.far:
            self.far[uid].bridge = ""
        leg, caller = self.legs.get(uid), self.callers.get(uid)
        if leg is not None:
            leg.bridge = ""
        if caller is not None:
            caller.bridge = ""
            if caller.where is Where.TALKING:
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
        self._places.transferred(message, leg.agent if leg is not None else "")

    def _passed_by(self, transferer: str, kind: TransferKind, to: str) -> None:
        """If it was an agent of ours who passed on their caller, that caller is ours no more."""
        far = self.far.get(transferer)
        leg = far.leg if far is not None else self.legs.get(transferer)
        caller = self.callers.get(leg.caller) if leg is not None else None
        if leg is not None and caller is not None and caller.leg == leg.uid:
            del self.callers[caller.uid]
            self._passed_on(caller, kind, to)
            if far is not None:
                # Between the caller and whoever they were passed to, the channel of the leg stays.
                self.sink.let_go(leg)
                self.leg_gone(leg, LegEnd.HUNG_UP)

    def _passed_on(self, caller: Caller, kind: TransferKind, to: str) -> None:
        """The agent's own leg still ends on its own."""
        self.moved.add(caller.uid)
        self.sink.post(CallTransferred(call=self.call_id(caller.uid), kind=kind, to=to))

    def _music_stopped(self, message: AmiMessage) -> None:
        caller = self.callers.get(message.get("Uniqueid"))
        if caller is not None and caller.where is Where.WAITING:
            self.sink.look_at(caller)

    def gone_elsewhere(self, caller: Caller) -> None:
        """A look has shown that a caller is no longer in our part of the dialplan."""
        self.moved.add(caller.uid)
        if caller.where in {Where.WAITING, Where.CONNECTING}:
            self._caller_gone(caller.uid, CallerEnd.TAKEN)
        elif self.callers.pop(caller.uid, None) is not None:
            self._passed_on(caller, TransferKind.BLIND, "elsewhere")


def _of_call(message: AmiMessage) -> Callable[[str], str]:
    """What the dialplan says of a caller who enters a queue, which they do now."""
    return lambda key: message.get("CallNow" if key == "Queued" else f"Call{key}")
