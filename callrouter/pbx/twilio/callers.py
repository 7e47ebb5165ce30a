"""Callers: where they wait, how they are brought together with an agent, where they are let out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from callrouter.model.commands import Announce, Connect, Hold, Leave, Result
from callrouter.model.events import CallerListens, ConnectFailed, ConnectFault
from callrouter.model.table import HangUp, ToDialplan
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.asks import Answer, Came, Move
from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.links import Links
from callrouter.pbx.twilio.parties import Caller, Leg, LegState, Stand, place_of, turn_of
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

TRIES = 5
"""Times that the move of a caller who waits or leaves is asked for."""
_BACK_OFF = 0.5


class Callers:
    """Moves callers about.

    Args:
        ledger: the books.
        settings: where callers are sent.
        links: what Twilio is told to ask.
    """

    def __init__(self, ledger: Ledger, settings: TwilioSettings, links: Links) -> None:
        self._ledger = ledger
        self._settings = settings
        self._links = links
        self._answering: Caller | None = None

    @contextmanager
    def answering(self, caller: Caller) -> Iterator[None]:
        """Meanwhile this caller is moved by the answer that is being made, and not by a request."""
        self._answering = caller
        try:
            yield
        finally:
            self._answering = None

    def answers(self, caller: Caller) -> bool:
        """Whether an answer to this caller is being made."""
        return self._answering is caller

    def arrive(self, caller: Caller) -> None:
        """Someone calls, or is found waiting."""
        self._ledger.callers[caller.sid] = caller
        caller.first = caller.arrived.entered_at or self._ledger.now
        caller.queued = caller.arrived.queued_at or self._ledger.now
        self._ledger.tell(caller.arrived)

    def of(self, call: str) -> Caller | None:
        """The caller of a call."""
        return self._ledger.callers.get(call.removeprefix(f"{self._ledger.name}-"))

    def connect(self, command: Connect) -> None:
        """Bring a caller and an accepted leg together."""
        caller = self.of(command.call)
        leg = self._ledger.legs.get((command.offer, command.device))
        if caller is None or caller.stand is Stand.LEAVING:
            self._connect_failed(command.call, command.offer, ConnectFault.CALLER_GONE)
        elif leg is None or leg.state is not LegState.ACCEPTED or leg.stopping is not None:
            self._connect_failed(command.call, command.offer, ConnectFault.LEG_GONE)
        else:
            caller.to_talk(leg)
            if leg.dialled:  # it is connected by the answer that is being made
                caller.room = ""
                self._ledger.connected(caller)
            else:
                self._into_the_room(caller, leg)

    def _into_the_room(self, caller: Caller, leg: Leg) -> None:
        self._ledger.ask(
            Move(sid=caller.sid, twiml=twiml.talk(self._links, caller.room)),
            partial(self._moved, caller, leg),
        )

    def _connect_failed(self, call: str, offer: str, why: ConnectFault) -> None:
        self._ledger.tell(ConnectFailed(call=call, offer=offer, why=why))

    def hold(self, command: Hold) -> None:
        """Let a caller wait again."""
        caller = self.of(command.call)
        if caller is None or caller.stand is Stand.LEAVING:
            return
        caller.alone(Stand.WAITING)
        caller.since = self._ledger.now
        caller.news = None
        if command.queued_at is not None:
            caller.queued = command.queued_at
        if self._answering is not caller:
            self._move_surely(caller, self.waiting_room(caller), 1)

    def announce(self, command: Announce) -> None:
        """Keep what a caller is to be told until their music pauses."""
        caller = self.of(command.call)
        if caller is not None and caller.stand is Stand.WAITING:
            caller.news = command

    def news(self, caller: Caller) -> Announce | None:
        """What a caller is to hear now. It may have been kept for a while: the router says it anew."""
        if caller.news is None:
            return None
        caller.news = None
        self._ledger.tell(CallerListens(call=caller.arrived.call))
        news, caller.news = caller.news, None
        return news

    def follow(self, call: str, queue: str, priority: int, queued_at: float | None = None) -> None:
        """A waiting call stands elsewhere now: Twilio is to have it there too, for a restarted daemon.

        A `priority` of 0 is as it was; so is the entry into the queue if `queued_at` is None.
        """
        caller = self.of(call)
        if caller is None:
            return
        before = caller.arrived
        after = replace(before, queue=queue, priority=priority or before.priority)
        if queued_at is not None:
            caller.queued = queued_at
        if after == before:
            return
        caller.arrived = after
        waits = caller.stand is Stand.WAITING and not caller.dials
        if waits and not caller.moves and not self.answers(caller):
            self._move_surely(caller, self.waiting_room(caller), 1)

    def leave(self, command: Leave) -> None:
        """Let a caller out."""
        caller = self.of(command.call)
        if caller is None:
            return
        caller.alone(Stand.LEAVING)
        caller.way_out = self._way_out(command)
        if self._answering is not caller:
            self._move_surely(caller, caller.way_out, 1)

    def waiting_room(self, caller: Caller) -> str:
        """The document that lets a caller wait, or rings phones for them meanwhile."""
        return caller.document or twiml.wait_here(
            self._links,
            place_of(caller.arrived),
            turn_of(caller.arrived, caller.first, caller.queued),
        )

    def _way_out(self, command: Leave) -> str:
        """Where a caller is sent: the place that a target's context names, else the fallback."""
        match command.target:
            case HangUp():
                return twiml.goodbye()
            case ToDialplan(context):
                number = self._settings.places.get(context, "")
            case _ if command.result is Result.ANSWERED:
                return twiml.goodbye()
            case _:
                number = ""
        return self.fallback(number)

    def fallback(self, number: str = "") -> str:
        """Send a caller to a number (empty: the fallback's), or say sorry if there is none."""
        number = number or self._settings.fallback
        if number:
            return twiml.send_to(number, self._settings.caller_id)
        return twiml.goodbye(twiml.NOT_NOW)

    def _moved(self, caller: Caller, leg: Leg, answer: Answer) -> None:
        """What came of sending a caller into a conference."""
        if caller.leg is not leg or caller.stand is not Stand.MOVING:
            return  # known by other ways already, or not wanted any more
        if answer.came is Came.DONE:
            self._ledger.connected(caller)
        elif answer.harmless:
            self._ledger.after(_BACK_OFF, lambda: self._again(caller, leg))
        elif answer.gone:
            self._ledger.forget(caller.sid)
            call = caller.arrived.call
            self._connect_failed(call, leg.ring.offer, ConnectFault.CALLER_GONE)
        elif answer.came is not Came.UNKNOWN:
            logger.warning("%s: a caller cannot be connected: %s", self._ledger.name, answer.detail)
            self._connect_failed(caller.arrived.call, leg.ring.offer, ConnectFault.FAILED)
        # Else it may have been done, and to do it twice would tear the talk apart. The conference tells,
        # or the router's own limit on a connect puts the caller back in line.

    def _again(self, caller: Caller, leg: Leg) -> None:
        if caller.leg is leg and caller.stand is Stand.MOVING and leg.live:
            self._into_the_room(caller, leg)

    def _move_surely(self, caller: Caller, document: str, attempt: int) -> None:
        """Send a caller back to the waiting room, or out: as often as it takes."""
        caller.moves = True
        self._ledger.ask(
            Move(sid=caller.sid, twiml=document),
            partial(self._moved_surely, caller, caller.stand, document, attempt),
        )

    def _moved_surely(
        self, caller: Caller, stand: Stand, document: str, attempt: int, answer: Answer
    ) -> None:
        caller.moves = False
        if answer.gone:
            self._ledger.caller_gone(caller.sid)
        elif answer.came is Came.DONE:
            if caller.stand is stand is Stand.WAITING and not caller.dials:
                now = self.waiting_room(caller)
                if now != document:  # they were moved on meanwhile
                    self._move_surely(caller, now, 1)
        elif caller.stand is stand and caller.leg is None:
            if attempt < TRIES:
                self._ledger.after(
                    _BACK_OFF * attempt,
                    lambda: self._move_again(caller, stand, document, attempt + 1),
                )
            else:
                logger.error("%s: a caller cannot be moved: %s", self._ledger.name, answer.detail)

    def _move_again(self, caller: Caller, stand: Stand, document: str, attempt: int) -> None:
        if (
            self._ledger.callers.get(caller.sid) is caller
            and caller.stand is stand
            and caller.leg is None
        ):
            self._move_surely(caller, document, attempt)
