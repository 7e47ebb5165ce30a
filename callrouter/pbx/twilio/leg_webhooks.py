"""Webhooks about legs: a phone rings, is picked up, accepts or declines, and ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from callrouter.model.events import LegAccepted, LegAnswered, LegEnd, LegRang
from callrouter.pbx.twilio import hangup_causes, twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.calls_and_legs import (
    TwilioCallerState,
    TwilioLeg,
    TwilioLegState,
    encode_label,
)
from callrouter.pbx.twilio.legs import LegControl
from callrouter.pbx.twilio.webhook import Webhook, WebhookUrls

_ENDS_BY_KEY: Final[Mapping[str, LegEnd]] = {"": LegEnd.NOT_ACCEPTED, "2": LegEnd.DECLINED}
"""The outcome for each key except 1. Any key not listed is a wrong key."""


class LegWebhooks:
    """Handles the webhooks about the legs of one account.

    Each method takes a webhook and its leg, and returns the document that the agent's call must
    run next.

    Args:
        account: the state of the account.
        leg_control: ends legs.
        urls: the URLs that Twilio is given.
    """

    def __init__(self, account: AccountState, leg_control: LegControl, urls: WebhookUrls) -> None:
        self._account = account
        self._leg_control = leg_control
        self._urls = urls

    def on_picked_up(self, _webhook: Webhook, leg: TwilioLeg) -> str:
        """A phone was picked up. Ask for key 1 if the device must confirm, else accept."""
        leg.picked_up = True
        if not leg.wanted:
            return self._too_late(leg)
        if leg.state is TwilioLegState.ACCEPTED:
            return self._conversation_document(leg)
        if not leg.ring.confirm:
            return self._accept(leg)
        if leg.state is not TwilioLegState.ANSWERED:
            leg.state = TwilioLegState.ANSWERED
            self._leg_control.start_key_timeout(leg)
            self._account.post_event(LegAnswered(offer=leg.ring.offer, device=leg.ring.device))
        return twiml.ask_for_key_1(self._urls, leg.token, leg.ring.queue_name)

    def on_key(self, webhook: Webhook, leg: TwilioLeg) -> str:
        """A key was pressed (``Digits``), or none in time."""
        leg.picked_up = True
        if not leg.wanted:
            return self._too_late(leg)
        if leg.state is TwilioLegState.ACCEPTED:
            return self._conversation_document(leg)
        key = webhook.params.get("Digits", "")
        if key == "1":
            return self._accept(leg)
        if not key and self._account.now < leg.key_until:  # the router ends it when its time is up
            return twiml.ask_for_key_1(self._urls, leg.token, leg.ring.queue_name)
        self._account.end_leg(leg, _ENDS_BY_KEY.get(key, LegEnd.WRONG_KEY))
        return twiml.goodbye()

    def _accept(self, leg: TwilioLeg) -> str:
        """Report the acceptance.

        By the time `post_event` returns, the router has ordered a connect or not, so the answer
        to this very webhook can put the agent into the conversation.
        """
        leg.state = TwilioLegState.ACCEPTED
        self._account.post_event(LegAccepted(offer=leg.ring.offer, device=leg.ring.device))
        return self._conversation_document(leg)

    def _conversation_document(self, leg: TwilioLeg) -> str:
        """The document that connects an accepted leg, or tells the agent that it is too late."""
        caller = self._account.caller_of(leg.ring.call)
        if leg.wanted and caller is not None:
            name, label = caller.conference_name, encode_label(leg)
            if caller.leg is leg and leg.in_group_dial:
                return twiml.nothing()  # Twilio connects it with the caller
            if caller.leg is leg:
                return twiml.join_conference(self._urls, name, label, leg.token)
            if caller.consulted_leg is leg:
                return twiml.join_conference(self._urls, name, label, leg.token, ends=False)
        return self._too_late(leg)

    def _too_late(self, leg: TwilioLeg) -> str:
        """Tell a late agent why there is no call for them. The leg ends with that."""
        self._account.counts["answered too late"] += 1
        self._account.end_stopped_leg(leg)
        gone = self._account.caller_of(leg.ring.call) is None
        return twiml.goodbye(twiml.GONE if gone else twiml.TAKEN)

    def on_agent_done(self, webhook: Webhook, leg: TwilioLeg) -> str:
        """An agent has left the conference: they hung up, or were left alone in it.

        If the agent's call goes on although the conference has ended for it, the agent cannot have
        hung up. So the caller has left.
        """
        caller = self._account.caller_of(leg.ring.call)
        talked = (
            caller is not None and caller.leg is leg and caller.state is TwilioCallerState.TALKING
        )
        if caller is not None and talked and not webhook.call_is_over:
            self._account.caller_left(caller.sid)
        self._account.end_leg(leg, LegEnd.HUNG_UP)
        return twiml.goodbye()

    def on_status(self, webhook: Webhook, leg: TwilioLeg) -> str:
        """Twilio reports the progress of the call to a phone."""
        status = webhook.params.get("CallStatus", "")
        if not leg.live:
            if not webhook.call_is_over:
                self._leg_control.hang_up(leg)  # a leg we had given up is ringing after all
            return twiml.nothing()
        if webhook.call_is_over:
            self._end(leg, status, webhook.params.get("SipResponseCode", ""))
        elif status == "in-progress":
            leg.picked_up = True
        elif status == "ringing" and not leg.rang:
            leg.rang = True
            if leg.state is TwilioLegState.PLACED:
                leg.state = TwilioLegState.RINGING
                self._account.post_event(LegRang(offer=leg.ring.offer, device=leg.ring.device))
        return twiml.nothing()

    def _end(self, leg: TwilioLeg, status: str, sip: str) -> None:
        """End a leg whose call is over.

        Args:
            leg: the leg.
            status: Twilio's `CallStatus`.
            sip: the SIP response code; "" if there is none.
        """
        if leg.stop_reason is not None:
            self._account.end_stopped_leg(leg)
        elif leg.state is TwilioLegState.ACCEPTED:
            self._account.end_leg(leg, LegEnd.HUNG_UP)
        else:
            asked = leg.picked_up and leg.ring.confirm
            rang = leg.rang or leg.picked_up
            why = hangup_causes.of_status(status, sip, picked_up=asked, rang=rang)
            self._account.end_leg(leg, why)
