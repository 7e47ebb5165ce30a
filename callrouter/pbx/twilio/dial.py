"""`ring_all: dial`: one `<Dial>` on the caller's call rings several phones together.

This takes one request instead of one per phone, no calls-per-second limit applies, and Twilio stops
the other phones when one is picked up. It has a price. While phones ring, the caller hears ringing
instead of music. The conversation runs over that `<Dial>` and not in a conference, so there is no
hold and no consultation. Phones that must press 1 are left out, because a voicemail that picks up
would stop all others; they are called one by one.

The winner is still decided in memory: a phone that is picked up requests ``agent`` before Twilio
connects it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from callrouter.model.commands import Ring
from callrouter.model.events import LegEnd
from callrouter.pbx.twilio import hangup_causes, twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.calls_and_legs import (
    GroupDial,
    TwilioCaller,
    TwilioCallerState,
    TwilioLeg,
    TwilioLegState,
)
from callrouter.pbx.twilio.legs import LegControl, address, ring_timeout
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiResult, RedirectCall
from callrouter.pbx.twilio.webhook import WebhookReply, WebhookUrls

logger = logging.getLogger(__name__)

MOST_PHONES = 10
"""Maximum number of phones in one `<Dial>`, according to Twilio's documentation."""


class GroupDialler:
    """Rings several phones together.

    Args:
        account: the state of the account.
        leg_control: rings the phones that cannot be rung together.
        reply: the answer that is being built for a webhook.
        urls: the URLs that Twilio is given.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self,
        account: AccountState,
        leg_control: LegControl,
        reply: WebhookReply,
        *,
        urls: WebhookUrls,
        token: Callable[[], str],
    ) -> None:
        self._account = account
        self._leg_control = leg_control
        self._reply = reply
        self._urls = urls
        self._token = token

    def ring(self, call: str, rings: Sequence[Ring]) -> None:
        """Ring the phones for a call, together where possible.

        Phones that must press 1 are called one by one. So are all of them if fewer than two are
        left, if the caller does not wait, or if their call is ringing phones already.

        Args:
            call: the call, by the router's id.
            rings: the commands of one escalation step. At most `MOST_PHONES` are rung together.
        """
        fit = [ring for ring in rings if not ring.confirm][:MOST_PHONES]
        caller = self._account.caller_of(call)
        free = (
            caller is not None
            and caller.state is TwilioCallerState.WAITING
            and not caller.rings_phones
        )
        if caller is None or not free or len(fit) < 2:
            fit = []
        for ring in rings:
            if ring not in fit:
                self._leg_control.ring(ring)
        if caller is not None and fit:
            self._dial(caller, fit)

    def _dial(self, caller: TwilioCaller, rings: Sequence[Ring]) -> None:
        legs = [leg for ring in rings if (leg := self._leg_control.register(ring)) is not None]
        for leg in legs:
            leg.in_group_dial = True
            self._leg_control.mark_placed(leg)
        phones = [(address(leg.ring.endpoint), leg.token) for leg in legs]
        token = self._token()
        seconds = ring_timeout(rings[0].ring_for)
        document = twiml.ring_together(self._urls, token, phones, seconds)
        caller.group_dial = GroupDial(token=token, legs=tuple(legs), document=document)
        self._reply.deliver(
            caller.sid, partial(self._redirect_caller, caller, caller.group_dial, 1)
        )

    def _redirect_caller(self, caller: TwilioCaller, dial: GroupDial, attempt: int) -> None:
        dial.redirect_pending = True
        self._account.send_request(
            RedirectCall(sid=caller.sid, twiml=dial.document),
            partial(self._on_redirected, caller, dial, attempt),
        )

    def _on_redirected(
        self, caller: TwilioCaller, dial: GroupDial, attempt: int, result: ApiResult
    ) -> None:
        if result.call_ended:
            self._account.caller_left(caller.sid)
        elif (
            result.outcome in {ApiOutcome.DONE, ApiOutcome.UNKNOWN} or caller.group_dial is not dial
        ):
            dial.redirect_pending = False  # if it was not done, the next turn of music does it
        elif result.safe_to_repeat and attempt < 3:
            self._account.call_after(0.5, lambda: self._retry(caller, dial, attempt + 1))
        else:
            logger.warning("%s: phones cannot be dialled: %s", self._account.name, result.detail)
            caller.group_dial = None
            for leg in dial.legs:
                if leg.wanted:
                    leg.in_group_dial = False
                    self._leg_control.queue(leg)

    def _retry(self, caller: TwilioCaller, dial: GroupDial, attempt: int) -> None:
        if (
            caller.group_dial is dial
            and caller.state is TwilioCallerState.WAITING
            and caller.rings_phones
        ):
            self._redirect_caller(caller, dial, attempt)

    def on_dial_ended(self, caller: TwilioCaller, token: str, status: str) -> None:
        """A `<Dial>` has ended, so all its legs have.

        Args:
            caller: whose call ran it.
            token: its token. The end of an earlier one is ignored.
            status: Twilio's `DialCallStatus`.
        """
        dial = caller.group_dial
        if dial is None or dial.token != token:
            return
        caller.group_dial = None
        for leg in dial.legs:
            if leg is caller.leg and caller.state is TwilioCallerState.TALKING:
                self._account.end_leg(leg, LegEnd.HUNG_UP)
            elif leg.stop_reason is not None:
                self._account.end_stopped_leg(leg)
            else:
                self._account.end_leg(leg, _end(leg, status))


def _end(leg: TwilioLeg, status: str) -> LegEnd:
    """The outcome for one phone, derived from the outcome of the whole `<Dial>`."""
    if leg.state is TwilioLegState.ANSWERED:
        return LegEnd.HUNG_UP
    return hangup_causes.of_status(status, "", picked_up=False, rang=leg.rang)
