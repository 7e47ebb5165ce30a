"""Conversations: hold, consultation with a colleague, and attended transfer.

All parties are in one conference. It ends when the caller leaves, or when the agent leaves who has
the caller. An agent who has put the caller on hold may leave without ending it, because a colleague
may stay.
"""

from __future__ import annotations

import logging
from functools import partial

from callrouter.model.commands import Consult, PutThrough, SetHold
from callrouter.model.events import ConnectFailed, ConnectFault, ConnectSucceeded
from callrouter.pbx.twilio.api_requests import Answer, Came, Seat
from callrouter.pbx.twilio.callers import TRIES, Callers
from callrouter.pbx.twilio.calls_and_legs import Caller, LegState, SeatKey, Stand
from callrouter.pbx.twilio.ledger import Ledger

logger = logging.getLogger(__name__)

_BACK_OFF = 0.5


class Talks:
    """Changes the participants of conferences.

    Args:
        ledger: the state of the account.
        callers: the callers.
    """

    def __init__(self, ledger: Ledger, callers: Callers) -> None:
        self._ledger = ledger
        self._callers = callers

    def set_hold(self, command: SetHold) -> None:
        """Put a caller on hold, or take them off hold."""
        caller = self._talking(command.call)
        if caller is None or caller.leg is None:
            return
        self._seat(caller, caller.sid, hold=command.on)
        self._seat(caller, caller.leg.sid, ends=not command.on)

    def consult(self, command: Consult) -> None:
        """Add a colleague to the conversation while the caller is on hold."""
        caller = self._talking(command.call)
        leg = self._ledger.legs.get((command.offer, command.device))
        if caller is None:
            self._failed(command, ConnectFault.CALLER_GONE)
        elif leg is None or leg.state is not LegState.ACCEPTED or leg.stopping is not None:
            self._failed(command, ConnectFault.LEG_GONE)
        else:
            caller.consult = leg
            self._ledger.tell(ConnectSucceeded(call=command.call, offer=command.offer))

    def put_through(self, command: PutThrough) -> None:
        """Complete a transfer: the colleague has the caller, who can hear them again."""
        caller = self._talking(command.call)
        leg = caller.consult if caller is not None else None
        if caller is None or leg is None or leg.ring.offer != command.offer:
            return
        caller.leg, caller.consult = leg, None
        self._seat(caller, leg.sid, ends=True)
        self._seat(caller, caller.sid, hold=False)

    def _talking(self, call: str) -> Caller | None:
        caller = self._callers.of(call)
        return caller if caller is not None and caller.stand is Stand.TALKING else None

    def _failed(self, command: Consult, why: ConnectFault) -> None:
        self._ledger.tell(ConnectFailed(call=command.call, offer=command.offer, why=why))

    def _seat(
        self, caller: Caller, sid: str, *, hold: bool | None = None, ends: bool | None = None
    ) -> None:
        """Request a property of a participant.

        The last wanted value wins, in whatever order the answers arrive: only one request per
        property is under way, and when it is answered, the wanted value is compared again.
        """
        key = (sid, "hold" if hold is not None else "ends")
        caller.seats[key] = bool(hold if hold is not None else ends)
        if key not in caller.asked:
            self._ask(caller, key, 1)

    def _ask(self, caller: Caller, key: SeatKey, attempt: int) -> None:
        caller.asked.add(key)
        sid, what = key
        value = caller.seats[key]
        seat = Seat(
            room=caller.room,
            conference=caller.conference,
            sid=sid,
            hold=value if what == "hold" else None,
            ends=value if what == "ends" else None,
        )
        self._ledger.ask(seat, partial(self._seated, caller, key, value, attempt))

    def _seated(
        self, caller: Caller, key: SeatKey, value: bool, attempt: int, answer: Answer
    ) -> None:
        """Handle the outcome.

        Repeating the request is harmless, and webhooks report who has left.
        """
        caller.asked.discard(key)
        if self._ledger.callers.get(caller.sid) is not caller or answer.gone:
            return
        if answer.came is not Came.DONE and attempt < TRIES:
            caller.asked.add(key)
            self._ledger.after(_BACK_OFF * attempt, lambda: self._ask(caller, key, attempt + 1))
        elif answer.came is not Came.DONE:
            logger.error("%s: hold or transfer failed: %s", self._ledger.name, answer.detail)
        elif caller.seats.get(key, value) is not value:
            self._ask(caller, key, 1)
