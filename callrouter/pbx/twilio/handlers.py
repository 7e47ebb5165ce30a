"""Answers Twilio's webhooks from memory: one table from each endpoint to its handler.

The sender was authenticated before (`callrouter.pbx.twilio.webhooks`). Twilio repeats a request
that was not answered, and an attacker who has seen a request can replay it. So every handler is
idempotent: the same request gets the same answer, and nothing happens twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.caller_webhooks import CallerWebhooks
from callrouter.pbx.twilio.calls_and_legs import TwilioLeg
from callrouter.pbx.twilio.epochs import epoch_of
from callrouter.pbx.twilio.leg_webhooks import LegWebhooks
from callrouter.pbx.twilio.legs import LegControl
from callrouter.pbx.twilio.number_calls import NumberCall, NumberCalls
from callrouter.pbx.twilio.phone_dialogues import PhoneDialogues
from callrouter.pbx.twilio.rest.api_requests import EndCall
from callrouter.pbx.twilio.webhook import Handler, MalformedWebhook, Webhook

_SID: Final = re.compile(r"CA[0-9a-f]{32}")
_ABOUT_NO_CALL: Final = frozenset({"conference", "hold"})
"""Endpoints whose requests are answered without a `CallSid`."""


class WebhookHandlers:
    """Answers the webhooks of one account.

    Args:
        account: the state of the account.
        leg_control: learns the CallSid of a leg.
        callers: handles webhooks about callers.
        legs: handles webhooks about legs.
        dialogues: handles webhooks about phone dialogues.
        number_calls: handles webhooks about numbers that are called to verify them.
        on_epoch: receives the epoch that the token of an unknown leg names.
    """

    def __init__(
        self,
        account: AccountState,
        leg_control: LegControl,
        *,
        callers: CallerWebhooks,
        legs: LegWebhooks,
        dialogues: PhoneDialogues,
        number_calls: NumberCalls,
        on_epoch: Callable[[int], None] = lambda _epoch: None,
    ) -> None:
        self._on_epoch = on_epoch
        self._account = account
        self._leg_control = leg_control
        self._callers = callers
        self._dialogues = dialogues
        self._number_calls = number_calls
        self.table: Mapping[str, Handler] = {
            "voice": self._on_voice,
            "wait": callers.on_wait,
            "left": callers.on_left,
            "caller-done": callers.on_caller_done,
            "dial-done": callers.on_dial_done,
            "caller-status": self._on_call_status,
            "agent": self._by_token(legs.on_picked_up, number_calls.on_picked_up),
            "accept": self._by_token(legs.on_key),
            "agent-done": self._by_token(legs.on_agent_done),
            "offer": self._by_token(legs.on_status, number_calls.on_status),
            "conference": callers.on_conference,
            "hold": callers.on_hold,
            "code": dialogues.on_code,
            "keyed": dialogues.on_keys,
        }
        """The handler of each of `webhook.PARTS`."""

    def answer(self, part: str, token: str, params: Mapping[str, str], now: float) -> str:
        """The document that answers a request.

        Args:
            part: which of `webhook.PARTS` was requested.
            token: what the URL contained; "" if nothing.
            params: the parameters sent by Twilio.
            now: the time, in epoch seconds.

        Raises:
            MalformedWebhook: a parameter is missing that every Twilio request has.
        """
        self._account.set_time(now)
        sid = params.get("CallSid", "")
        if part not in _ABOUT_NO_CALL and not _SID.fullmatch(sid):
            raise MalformedWebhook(f"{part}: no CallSid")
        return self.table[part](Webhook(part, token, sid, params))

    def _on_voice(self, webhook: Webhook) -> str:
        """One of our numbers was called: the number for feature codes, or a queue's."""
        if self._dialogues.is_for_codes(webhook):
            return self._dialogues.on_code(webhook)
        return self._callers.on_voice(webhook)

    def _on_call_status(self, webhook: Webhook) -> str:
        """Twilio reports the state of a call to one of our numbers."""
        if self._dialogues.has(webhook.sid):
            return self._dialogues.on_status(webhook)
        return self._callers.on_caller_status(webhook)

    def _by_token(
        self,
        of_leg: Callable[[Webhook, TwilioLeg], str],
        of_number: Callable[[Webhook, NumberCall], str] | None = None,
    ) -> Handler:
        """A handler for an endpoint whose token identifies a call that we placed.

        The token is known to Twilio alone, and the first call that uses it is the only one that
        may.

        Args:
            of_leg: handles the request if the call rings an agent for an offer.
            of_number: the same if it calls a number to verify it; None if that cannot be.
        """

        def handle(webhook: Webhook) -> str:
            number_call = self._number_calls.by_token.get(webhook.token)
            if of_number is not None and number_call is not None:
                return of_number(webhook, number_call)
            leg = self._account.by_token.get(webhook.token)
            if leg is None and (epoch := epoch_of(webhook.token)):
                return self._answer_earlier(webhook, epoch, of_leg)
            if leg is None:
                self._account.counts["unknown token"] += 1
                return twiml.goodbye(twiml.NOTHING_HERE)
            if not self._leg_control.set_call_sid(leg, webhook.sid):
                self._account.counts["token of another call"] += 1
                return twiml.goodbye(twiml.NOTHING_HERE)
            return of_leg(webhook, leg)

        return handle

    def _answer_earlier(
        self, webhook: Webhook, epoch: int, of_leg: Callable[[Webhook, TwilioLeg], str]
    ) -> str:
        """Answer for a leg that a router of another epoch rang.

        If it was adopted, its conversation goes on, and this is news of it. Otherwise this router
        cannot know what it rang for: the phone is stopped, or its user hears that the call is taken.
        """
        self._account.counts["webhooks for an earlier router"] += 1
        self._on_epoch(epoch)
        for leg in self._account.legs.values():
            if leg.sid == webhook.sid:
                return of_leg(webhook, leg)
        if not webhook.call_is_over:
            self._account.send_request(EndCall(sid=webhook.sid), lambda _result: None)
        return twiml.goodbye(twiml.TAKEN)
