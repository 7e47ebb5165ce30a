"""What the dialplan says of a leg: answered, accepted, refused, or picked up by a colleague. No I/O.

Several phones at one endpoint are one leg for the core. So the first acceptance among them decides,
and the others are stopped here, without the core.
"""

from __future__ import annotations

from callrouter.model.commands import StopReason
from callrouter.model.events import LegAccepted, LegAnswered, LegEnd
from callrouter.pbx.asterisk import contract, leg_ends
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.tracking.channels import (
    ContactFork,
    LegChannel,
    TrackedChannels,
    TrackerOutput,
)
from callrouter.pbx.asterisk.tracking.leg_tracker import LegTracker
from callrouter.pbx.asterisk.tracking.phone_states import PhoneStates


class LegAnswers:
    """Handles the events of [callrouter-offer]."""

    def __init__(
        self,
        channels: TrackedChannels,
        leg_tracker: LegTracker,
        phones: PhoneStates,
        output: TrackerOutput,
    ) -> None:
        self._legs = channels.legs
        self._leg_tracker = leg_tracker
        self._phones = phones
        self._output = output

    def dialplan_said(self, name: str, message: AmiMessage) -> None:
        """Handle an event of [callrouter-offer].

        Args:
            name: one of `contract.LEG_EVENTS`.
            message: the event. Its channel may be a colleague's phone that picked up what rang on a
                leg.
        """
        uid = message.get("Uniqueid")
        leg = self._legs.get(uid) or self._picked_up_elsewhere(message)
        if leg is None:
            if name != "CallrouterRefused":
                self._output.hang_up_stray(uid)
            return
        leg.up = True
        if name == "CallrouterAccepted":
            self._accepted(leg)
        elif name == "CallrouterAnswered":
            self._answered(leg)
        else:
            leg.refused = leg_ends.mobile_refusal(message.get("Why"), message.get("Key"))
            # The person declined, which applies to all of the agent's phones.
            if leg.refused is not LegEnd.NOT_ACCEPTED:
                self._stop_others(leg)

    def _accepted(self, leg: LegChannel) -> None:
        leg.accepted = True
        fork = leg.fork
        if fork is not None:
            if fork.accepted_leg not in {None, leg}:
                self._stop_now(leg)  # two phones at one endpoint were both picked up
                return
            fork.accepted_leg = leg
            self._stop_others(leg)
        self._output.post(LegAccepted(offer=leg.offer, device=leg.device))

    def _answered(self, leg: LegChannel) -> None:
        if leg.fork is not None:
            if leg.fork.answered:
                return
            leg.fork.answered = True
        self._output.post(LegAnswered(offer=leg.offer, device=leg.device))

    def _picked_up_elsewhere(self, message: AmiMessage) -> LegChannel | None:
        """A colleague's phone picked up what rang on a leg: its channel becomes the leg.

        Asterisk moves the leg's variables to the colleague's channel, which keeps its own uniqueid.
        """
        leg = self._leg_tracker.find(message.get("Offer"), message.get("Device"))
        if leg is None or leg.up:
            return None
        if leg.fork is not None:
            # No event tells which of the endpoint's phones the call was taken from. All of them
            # stop.
            fork = leg.fork
            leg = LegChannel("", leg.offer, leg.device, agent=leg.agent, call=leg.call)
            fork.add(leg)
            if message.get("UserEvent") == "CallrouterAccepted":
                fork.accepted_leg = leg  # the core connects as soon as it hears of the move
        else:
            del self._legs[leg.uid]
        leg.hangup = None
        leg.uid, leg.channel = message.get("Uniqueid"), message.get("Channel")
        self._legs[leg.uid] = leg
        self._phones.channel_ended(leg.uid)
        self._leg_tracker.report_moved(leg, contract.endpoint_of(leg.channel))
        return leg

    def stop_silent(self, fork: ContactFork) -> None:
        """Stop the silent phones of an endpoint whose other phones have refused."""
        for leg in fork.silent_legs():
            self._stop_now(leg)

    def _stop_others(self, leg: LegChannel) -> None:
        for other in list(leg.fork.legs) if leg.fork is not None else ():
            if other is not leg and other.stop is None:
                self._stop_now(other)

    def _stop_now(self, leg: LegChannel) -> None:
        leg.stop = StopReason.ANSWERED_ELSEWHERE
        self._output.stop_leg(leg)
