"""Tracks the legs that we placed, and the channels on their routes. No I/O.

`tracker` passes the events that concern legs to this module, and the commands that ring, stop and
connect them. A leg is entered when its Originate is written, under a channel id that we chose. So
an event about its channel never comes before the leg is known, in whatever order events arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from callrouter.model.commands import StopReason
from callrouter.model.events import (
    LegEnd,
    LegEnded,
    LegPickedUpElsewhere,
    LegRang,
    NumberRefused,
)
from callrouter.pbx.asterisk import contract, leg_ends
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.tracking.channels import (
    ContactFork,
    FoundLeg,
    LegChannel,
    RouteChannel,
    TrackedChannels,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.phone_states import PhoneStates

_UNTELLING_CAUSES = frozenset({"", "0", "16"})
"""Causes with which a route's own channel ends, whatever happened to the phone at its far end."""


class LegTracker:
    """The legs of one Asterisk.

    Attributes:
        own_phones: returns the phones on which an agent is rung, by whatever route.
    """

    def __init__(
        self,
        channels: TrackedChannels,
        phones: PhoneStates,
        output: TrackerOutput,
        *,
        now: Callable[[], float],
        own_phones: Callable[[str], AbstractSet[str]],
    ) -> None:
        """Track the legs in `channels`. `now` is the router's clock (epoch seconds)."""
        self.own_phones = own_phones
        self._channels = channels
        self._legs = channels.legs
        self._routes = channels.routes
        self._phones = phones
        self._output = output
        self._now = now
        self.strays = 0
        """Channels with a leg's id that no order of this run explains. Each was hung up."""
        self._redirected: set[str] = set()
        """Legs that have ended because their phone redirected the call (302), until their channel
        is gone.
        """
        self.handlers: Mapping[str, Callable[[AmiMessage], None]] = {
            "Newchannel": self._channel_created,
            "Newstate": self._state_changed,
            "DialState": self._dial_progressed,
            "Rename": self._channel_renamed,
            "OriginateResponse": self._originate_failed,
        }

    def find(self, offer: str, device: str) -> LegChannel | None:
        """The leg of an offer and device. Usually its channel id can be computed.

        If several phones ring at one endpoint, it is the accepted one, or else any of them.
        """
        found = self._legs.get(contract.leg_id(offer, device))
        if found is None:
            same = (
                leg for leg in self._legs.values() if (leg.offer, leg.device) == (offer, device)
            )
            found = next(same, None)
        accepted = found.fork.accepted_leg if found is not None and found.fork is not None else None
        return accepted or found

    def of_channel(self, uid: str) -> LegChannel | None:
        """The leg whose phone is on this channel, on its route or directly.

        Returns:
            The leg; None if the channel belongs to none.
        """
        route = self._routes.get(uid)
        return route.leg if route is not None else self._legs.get(uid)

    # ------------------------------------------------------------ commands and resyncs

    def add(self, leg: LegChannel) -> None:
        """Track a leg that has just been ordered.

        It counts as touched: lists that were requested before cannot contain it.
        """
        self._legs[leg.uid] = leg
        self._channels.touched.add(leg.uid)

    def stop(self, offer: str, device: str, why: StopReason) -> list[LegChannel]:
        """Note that a leg is told to stop. Return its channels, one or several.

        A leg that is not known is stopped all the same: it may belong to an earlier run.
        """
        leg = self.find(offer, device)
        leg = leg or LegChannel(contract.leg_id(offer, device), offer, device)
        stopped = [leg] if leg.fork is None else list(leg.fork.legs)
        for one in stopped:
            one.stop = why if one.fork is None else one.stop or why
        return stopped

    def found_in_list(self, found: FoundLeg) -> None:
        """Track a leg that a list shows, or update what is known of it.

        A leg of an earlier run may be one of several channels for phones at one endpoint.
        """
        leg = self._legs.get(found.uid)
        if leg is None:
            leg = LegChannel(found.uid, found.offer, found.device)
            other = self.find(leg.offer, leg.device)
            if other is not None:
                fork = other.fork or ContactFork()
                if other.fork is None:
                    fork.add(other)
                fork.add(leg)
            self._legs[found.uid] = leg
        leg.route = leg.route or found.route
        leg.agent, leg.call, leg.channel = found.agent, found.call, found.channel
        leg.rang, leg.up = leg.rang or found.rings, found.up
        leg.accepted, leg.bridge = found.accepted, found.bridge

    def replace_routes(self, routes: Mapping[str, RouteChannel]) -> None:
        """Track these channels on the routes of legs, and no others."""
        self._routes.clear()
        self._routes.update(routes)

    def forget(self, leg: LegChannel) -> None:
        """Drop a leg that is not there.

        How it ended is unknown; the next snapshot tells the core.
        """
        self._legs.pop(leg.uid, None)
        if leg.fork is not None:
            leg.fork.drop(leg)

    def link_lost(self) -> None:
        """Forget legs without a channel: their Originate may never have been executed."""
        for leg in list(self._legs.values()):
            if not leg.channel:
                self.forget(leg)
        self._redirected.clear()

    # ------------------------------------------------------------ new channels

    def _channel_created(self, message: AmiMessage) -> None:
        uid, channel = message.get("Uniqueid"), message.get("Channel")
        leg = self._legs.get(uid)
        if leg is not None:
            leg.channel = channel
            if leg.stop is not None:
                self._output.stop_leg(leg)
            return
        if self.note_other_channel(message):
            return
        if uid.startswith(contract.LEG):
            if not contract.is_far_half(uid):  # the far half ends with the near half
                self.strays += 1
                self._output.hang_up_stray(uid)  # an Originate from before a gap, executed after it
        elif contract.may_be_forwarded(channel) and self._may_forward():
            self._output.hang_up_if_forwarded(uid)

    def note_other_channel(self, message: AmiMessage) -> bool:
        """Track a channel that is not a leg. Return whether it is on the route of a leg.

        Asterisk links every channel on such a route to the channel that it started from. A phone of
        the leg's own agent is ringing for us in that case. Any other phone is in a call that has
        nothing to do with its own agent's offers, so it counts as in use.
        """
        uid, channel = message.get("Uniqueid"), message.get("Channel")
        leg = self._legs.get(message.get("Linkedid"))
        on_route = leg is not None and leg.route
        if leg is not None and on_route:
            self._routes[uid] = RouteChannel(leg, channel)
            if contract.endpoint_of(channel) in self.own_phones(leg.agent):
                return True
        self._phones.channel_began(uid, channel)
        return on_route

    def _may_forward(self) -> bool:
        """Whether one of our phones may just have redirected its call.

        Asterisk does not always report it. If it rings the new destination before it has processed
        the end of the phone's session, there is no HangupRequest at all (measured on 22.10, one 302
        in fifteen).
        """
        return bool(self._redirected) or any(not leg.up for leg in self._legs.values())

    # ------------------------------------------------------------ ringing

    def _state_changed(self, message: AmiMessage) -> None:
        leg = self._legs.get(message.get("Uniqueid"))
        if leg is None:
            return
        state = message.get("ChannelStateDesc")
        if state == "Up":
            leg.up = True
        elif state == "Ringing":
            self._report_ringing(leg)

    def _dial_progressed(self, message: AmiMessage) -> None:
        """Take the progress of a dial.

        Only this event reports a 183, and many mobile networks signal ringing in no other way. A
        Local channel has no ringing state either.
        """
        leg = self._legs.get(message.get("DestUniqueid"))
        if leg is not None and message.get("DialStatus") in contract.RINGS:
            self._report_ringing(leg)

    def _report_ringing(self, leg: LegChannel) -> None:
        if leg.rang:
            return
        leg.rang = True
        if leg.fork is not None:
            if leg.fork.rang:
                return
            leg.fork.rang = True
        self._output.post(LegRang(offer=leg.offer, device=leg.device))

    def _channel_renamed(self, message: AmiMessage) -> None:
        """A masquerade: a colleague's phone may have picked up the call that rang on this leg."""
        uid, channel = message.get("Uniqueid"), message.get("Newname")
        if "<" in channel:  # <MASQ> and <ZOMBIE> are intermediate names
            return
        leg = self._legs.get(uid)
        if leg is None:
            if uid in self._routes:
                self._routes[uid].channel = channel
                return
            self._phones.channel_ended(uid)
            self._phones.channel_began(uid, channel)
            return
        before, leg.channel = contract.endpoint_of(leg.channel), channel
        after = contract.endpoint_of(channel)
        if before != after and not leg.up:
            self.report_moved(leg, after)

    def report_moved(self, leg: LegChannel, phone: str) -> None:
        """Report that a leg is on another phone now: a colleague picked up what rang."""
        endpoint = self._phones.endpoint_at(phone)
        self._output.post(
            LegPickedUpElsewhere(offer=leg.offer, device=leg.device, endpoint=endpoint)
        )

    # ------------------------------------------------------------ ends

    def hangup_requested(self, leg: LegChannel, message: AmiMessage) -> None:
        """Handle a HangupRequest on a leg.

        A leg whose phone redirects the call (302) ends now, although Asterisk keeps its channel for
        as long as it rings the new destination. What answers there must not be connected.
        """
        if leg_ends.redirected(message.get("TechCause")) and not leg.up:
            self._redirected.add(leg.uid)
            self.ended(leg, self._why(leg, message))

    def hung_up(self, leg: LegChannel, message: AmiMessage) -> None:
        """Handle the Hangup of a leg's channel.

        The leg goes on if another channel is its heir, and may go on if a colleague picked up the
        call.
        """
        if leg.route and (heir := self._heir(leg)):
            self._continue_on(leg, heir)
        elif message.get("TechCause") or leg.up or leg.stop is not None or leg.refused is not None:
            self.ended(leg, self._why(leg, message))
        else:
            # No refusal and no stop: a colleague may have picked up the call that rang here, and
            # the event that says so may arrive after the end of this channel. Reporting the end at
            # once would make the core offer the call again although it has been answered.
            leg.hangup = message
            self._output.end_leg_unless_picked_up(leg)

    def other_channel_hung_up(self, message: AmiMessage) -> None:
        """Handle the Hangup of a channel that is not a leg. It may be on the route of one."""
        uid = message.get("Uniqueid")
        self._redirected.discard(uid)
        self._phones.channel_ended(uid)
        route = self._routes.pop(uid, None)
        if route is not None and not route.leg.up and not route.channel.startswith("Local/"):
            route.leg.far_end = message.get("Cause"), message.get("TechCause")

    def not_picked_up(self, leg: LegChannel) -> None:
        """A leg whose channel has ended did not turn up elsewhere: the leg has ended.

        Nothing happens if a colleague's phone has become the leg since.
        """
        if leg.hangup is not None:
            self.ended(leg, self._why(leg, leg.hangup))

    def _originate_failed(self, message: AmiMessage) -> None:
        """Handle the report that an Originate failed.

        Either Asterisk could not create a channel, because there is no such phone or it is not
        registered, or the phone refused. The report looks the same in both cases, and on a busy
        machine it may overtake the events of the channel (measured on 22.10 with refusals within a
        few milliseconds, about one in ten). These say why, so they are given a moment.
        """
        leg = self._legs.get(message.get("ActionID"))
        if leg is None or message.get("Response") != "Failure":
            return
        leg.reason = message.get("Reason")
        if leg.hangup is not None:
            self.not_picked_up(leg)
        elif not leg.channel:
            self._output.end_leg_unless_created(leg)

    def not_created(self, leg: LegChannel) -> None:
        """The channel of a failed Originate has not appeared: the leg has ended.

        Nothing happens if it has; its Hangup ends the leg.
        """
        if not leg.channel and self._legs.get(leg.uid) is leg:
            leg.trunk_failed = leg.outside is not None
            self.ended(leg, LegEnd.UNREACHABLE if leg.stop is None else LegEnd.HUNG_UP)

    def _why(self, leg: LegChannel, message: AmiMessage) -> LegEnd:
        if leg.refused is not None:
            return leg.refused
        if leg.stop is StopReason.TIME_UP:
            return LegEnd.NOT_ACCEPTED if leg.up else LegEnd.NO_ANSWER
        if leg.up or leg.stop is not None:
            return LegEnd.HUNG_UP
        cause, tech_cause = message.get("Cause"), message.get("TechCause")
        if not tech_cause and cause in _UNTELLING_CAUSES and leg.far_end != ("", ""):
            cause, tech_cause = leg.far_end
        if leg.outside is not None and not leg.rang:
            after = self._now() - leg.outside.since
            if leg_ends.carrier_refused(cause, tech_cause, after=after):
                return LegEnd.NUMBER_REFUSED
            leg.trunk_failed = leg_ends.trunk_failed(cause, tech_cause)
        return leg_ends.leg_end(cause, tech_cause, leg.reason)

    def ended(self, leg: LegChannel, why: LegEnd) -> None:
        """Remove a leg and report its end.

        Removing it is what makes the report unique: whichever of Hangup, OriginateResponse, a
        refused action and a resync comes first finds the leg in the table, and the others do not.
        """
        self._channels.touched.add(leg.uid)
        if self._legs.pop(leg.uid, None) is None:
            return
        if leg.route:
            for uid in [uid for uid, route in self._routes.items() if route.leg is leg]:
                del self._routes[uid]
        if self._rings_again(leg, why):
            return
        ended: LegEnd | None = why
        if leg.fork is not None:
            ended = leg.fork.leg_ended(leg, why)
            if ended is None and leg.fork.silent_legs():
                self._output.stop_silent_legs(leg.fork)
        if ended is not None:
            self._output.post(LegEnded(offer=leg.offer, device=leg.device, why=ended))

    def _rings_again(self, leg: LegChannel, why: LegEnd) -> bool:
        """Ring an outside number by another way, if this one failed before it rang.

        The core is told nothing of a trunk that failed, and of a refused number only that it
        happened: for the core, the leg goes on.
        """
        wanted = leg.outside if leg.stop is None else None
        by_next = wanted.ring_by_next_trunk if wanted is not None and leg.trunk_failed else None
        if by_next is not None:
            by_next()
            return True
        if why is not LegEnd.NUMBER_REFUSED:
            return False
        again = wanted.ring_with_own_number if wanted is not None else None
        self._output.post(
            NumberRefused(offer=leg.offer, device=leg.device, again=again is not None)
        )
        if again is None:
            return False
        again()
        return True

    # ------------------------------------------------------------ routes through the dialplan

    def _heir(self, leg: LegChannel) -> str:
        """The channel on which a leg continues when its own channel is optimised away; "" if none.

        Once caller and phone are both in bridges, Asterisk removes the two halves of a Local
        channel between them (unless dialled with ``/n``). The far channel that is then in the
        caller's bridge is the leg.
        """
        caller = self._channels.callers.get(leg.caller)
        if caller is None or not caller.bridge:
            return ""
        return next(
            (
                uid
                for uid, route in self._routes.items()
                if route.leg is leg and route.bridge == caller.bridge
            ),
            "",
        )

    def _continue_on(self, leg: LegChannel, uid: str) -> None:
        route = self._routes.pop(uid)
        del self._legs[leg.uid]
        self._channels.touched |= {leg.uid, uid}
        self._phones.channel_ended(uid)
        leg.uid, leg.channel, leg.bridge = uid, route.channel, route.bridge
        self._legs[uid] = leg
        self._channels.callers[leg.caller].leg = uid
        if leg.stop is not None:
            self._output.stop_leg(leg)
