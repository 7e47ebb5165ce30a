"""Calls to outside numbers, to verify that they belong to their owners."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from callrouter.model.events import LegEnd
from callrouter.model.ivr import CallNumber
from callrouter.model.phone_numbers import E164
from callrouter.pbx.twilio import hangup_causes, twiml
from callrouter.pbx.twilio.account_state import TOKEN_KEPT_FOR, AccountState
from callrouter.pbx.twilio.legs import ring_timeout
from callrouter.pbx.twilio.phone_dialogues import PhoneDialogues
from callrouter.pbx.twilio.rate import CallRate
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiResult,
    EndCall,
    PlaceCall,
)
from callrouter.pbx.twilio.webhook import Webhook

logger = logging.getLogger(__name__)

REPORT_WITHIN: Final = 15.0
"""Seconds that Twilio gets, after the ring time, to report how a call ended."""


@dataclass(slots=True, eq=False)
class NumberCall:
    """A number that is being called to verify it.

    Attributes:
        ref: the router's name for the call.
        number: the number (E.164).
        token: the one-shot token of its URLs.
        ring_until: end of its ring time, in epoch seconds.
        sid: its CallSid; "" if not known yet.
        rang: whether the phone has rung.
        answered: whether it was picked up.
    """

    ref: str
    number: str
    token: str
    ring_until: float
    sid: str = ""
    rang: bool = False
    answered: bool = False


class NumberCalls:
    """Calls numbers, and begins a dialogue with the person who picks up.

    Args:
        account: the state of the account.
        dialogues: carries the dialogue and reports the outcomes.
        caller_id: the number that phones show.
        rate: the limit of calls per second.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self,
        account: AccountState,
        dialogues: PhoneDialogues,
        *,
        caller_id: str,
        rate: CallRate,
        token: Callable[[], str],
    ) -> None:
        self.by_token: dict[str, NumberCall] = {}
        self._account = account
        self._dialogues = dialogues
        self._events = dialogues.events
        self._caller_id = caller_id
        self._rate = rate
        self._token = token

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number. Exactly one of `NumberAnswered` and `NumberFailed` follows."""
        if any(call.ref == command.ref for call in self.by_token.values()):
            return  # a duplicate command
        account = self._account
        ring_until = account.now + command.ring_for
        call = NumberCall(command.ref, command.number, self._token(), ring_until)
        self.by_token[call.token] = call
        self._events.number_called(call.ref)
        account.call_after(command.ring_for + REPORT_WITHIN, lambda: self._on_overdue(call))
        account.call_after(command.ring_for + TOKEN_KEPT_FOR, lambda: self._forget(call))
        if E164.fullmatch(command.number):
            account.call_at(self._rate.next_at(account.now), lambda: self._request_call(call))
        else:
            account.call_after(0.0, lambda: self._events.number_failed(call.ref, LegEnd.FAILED))

    def _request_call(self, call: NumberCall) -> None:
        now = self._account.now
        if not self._events.awaits(call.ref) or now >= call.ring_until:
            self._events.number_failed(call.ref, LegEnd.FAILED)
        elif self._rate.next_at(now) > now:
            self._account.call_at(self._rate.next_at(now), lambda: self._request_call(call))
        else:
            self._rate.record(now)
            request = PlaceCall(
                token=call.token,
                to=call.number,
                caller_id=self._caller_id,
                timeout=ring_timeout(call.ring_until - now),
            )
            self._account.send_request(request, partial(self._on_call_requested, call))

    def _on_call_requested(self, call: NumberCall, result: ApiResult) -> None:
        if result.outcome is ApiOutcome.DONE:
            call.sid = call.sid or result.sid
        elif result.outcome is not ApiOutcome.UNKNOWN and not call.sid:
            logger.warning("%s: a number is not called: %s", self._account.name, result.detail)
            self._events.number_failed(call.ref, hangup_causes.of_refusal(result.code))
        # Otherwise the outcome is unknown and the phone may be ringing; webhooks or the deadline
        # decide. A second request could ring it twice.

    # ------------------------------------------------------------ webhooks

    def on_picked_up(self, webhook: Webhook, call: NumberCall) -> str:
        """The number was picked up, by a person or a machine."""
        if not self._set_call_sid(webhook, call):
            return twiml.goodbye(twiml.NOTHING_HERE)
        if call.answered and self._dialogues.has(call.sid):
            return self._dialogues.document(call.sid)  # the same request again
        if not self._events.awaits(call.ref):
            return twiml.goodbye()
        call.answered = True
        report = partial(self._events.number_answered, call.ref, call.sid)
        return self._dialogues.begin(call.sid, report)

    def on_status(self, webhook: Webhook, call: NumberCall) -> str:
        """Twilio reports the progress of the call."""
        if not self._set_call_sid(webhook, call):
            return twiml.goodbye(twiml.NOTHING_HERE)
        status = webhook.params.get("CallStatus", "")
        call.rang = call.rang or status in {"ringing", "in-progress"}
        if not webhook.call_is_over:
            if not call.answered and not self._events.awaits(call.ref):
                # one that we had given up is ringing after all
                self._hang_up(call)
        elif call.answered:
            self._dialogues.end(call.sid)
        else:
            sip = webhook.params.get("SipResponseCode", "")
            why = hangup_causes.of_status(status, sip, picked_up=False, rang=call.rang)
            self._events.number_failed(call.ref, why)
        return twiml.nothing()

    def _set_call_sid(self, webhook: Webhook, call: NumberCall) -> bool:
        """Store the CallSid. Return False if another call is using this call's token."""
        if call.sid not in {"", webhook.sid}:
            self._account.counts["token of another call"] += 1
            return False
        call.sid = webhook.sid
        return True

    # ------------------------------------------------------------ the end

    def _on_overdue(self, call: NumberCall) -> None:
        if self._events.awaits(call.ref):
            if call.sid:
                self._hang_up(call)
            self._events.number_failed(call.ref, LegEnd.NO_ANSWER if call.rang else LegEnd.FAILED)

    def _hang_up(self, call: NumberCall) -> None:
        self._account.send_request(EndCall(sid=call.sid), lambda _result: None)

    def _forget(self, call: NumberCall) -> None:
        self.by_token.pop(call.token, None)
