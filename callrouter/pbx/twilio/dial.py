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
from callrouter.pbx.twilio.api_requests import Answer, Came, Move
from callrouter.pbx.twilio.callers import Callers
from callrouter.pbx.twilio.calls_and_legs import Caller, Dialling, Leg, LegState, Stand
from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.legs import Phones, address
from callrouter.pbx.twilio.urls import Links

logger = logging.getLogger(__name__)

MOST = 10
"""Maximum number of phones in one `<Dial>`, according to Twilio's documentation."""


class Dials:
    """Rings several phones together.

    Args:
        ledger: the state of the account.
        phones: rings the phones that cannot be rung together.
        callers: the callers, whose calls dial.
        links: the URLs that Twilio is given.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self,
        ledger: Ledger,
        phones: Phones,
        callers: Callers,
        *,
        links: Links,
        token: Callable[[], str],
    ) -> None:
        self._ledger = ledger
        self._phones = phones
        self._callers = callers
        self._links = links
        self._token = token

    def ring(self, call: str, rings: Sequence[Ring]) -> None:
        """Ring the phones for a call, together where possible."""
        fit = [ring for ring in rings if not ring.confirm][:MOST]
        caller = self._callers.of(call)
        free = caller is not None and caller.stand is Stand.WAITING and not caller.dials
        if caller is None or not free or len(fit) < 2:
            fit = []
        for ring in rings:
            if ring not in fit:
                self._phones.ring(ring)
        if caller is not None and fit:
            self._dial(caller, fit)

    def _dial(self, caller: Caller, rings: Sequence[Ring]) -> None:
        legs = [leg for ring in rings if (leg := self._phones.book(ring)) is not None]
        for leg in legs:
            leg.dialled = True
            self._phones.placed(leg)
        phones = [(address(leg.ring.endpoint), leg.token) for leg in legs]
        token = self._token()
        seconds = self._phones.timeout(rings[0])
        document = twiml.ring_together(self._links, token, phones, seconds)
        caller.dial = Dialling(token=token, legs=tuple(legs), document=document)
        if not self._callers.answers(caller):
            self._move(caller, caller.dial, 1)

    def _move(self, caller: Caller, dial: Dialling, attempt: int) -> None:
        dial.asked = True
        self._ledger.ask(
            Move(sid=caller.sid, twiml=dial.document), partial(self._moved, caller, dial, attempt)
        )

    def _moved(self, caller: Caller, dial: Dialling, attempt: int, answer: Answer) -> None:
        if answer.gone:
            self._ledger.caller_gone(caller.sid)
        elif answer.came in {Came.DONE, Came.UNKNOWN} or caller.dial is not dial:
            dial.asked = False  # if it was not done, the next turn of music does it
        elif answer.harmless and attempt < 3:
            self._ledger.after(0.5, lambda: self._again(caller, dial, attempt + 1))
        else:
            logger.warning("%s: phones cannot be dialled: %s", self._ledger.name, answer.detail)
            caller.dial = None
            for leg in dial.legs:
                if leg.live and leg.stopping is None:
                    leg.dialled = False
                    self._phones.in_line(leg)

    def _again(self, caller: Caller, dial: Dialling, attempt: int) -> None:
        if caller.dial is dial and caller.stand is Stand.WAITING and caller.dials:
            self._move(caller, dial, attempt)

    def over(self, caller: Caller, token: str, status: str) -> None:
        """A `<Dial>` has ended with `DialCallStatus`. The end of an earlier one is ignored."""
        dial = caller.dial
        if dial is None or dial.token != token:
            return
        caller.dial = None
        for leg in dial.legs:
            if leg is caller.leg and caller.stand is Stand.TALKING:
                self._ledger.ended(leg, LegEnd.HUNG_UP)
            elif leg.stopping is not None:
                self._ledger.over(leg)
            else:
                self._ledger.ended(leg, _end(leg, status))


def _end(leg: Leg, status: str) -> LegEnd:
    """The outcome for one phone, derived from the outcome of the whole `<Dial>`."""
    if leg.state is LegState.ANSWERED:
        return LegEnd.HUNG_UP
    return hangup_causes.of_status(status, "", picked_up=False, rang=leg.rang)
