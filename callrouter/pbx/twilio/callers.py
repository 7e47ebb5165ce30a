"""Moves callers: into the waiting room, into a conference with an agent, and out.

A caller can be moved in two ways. If Twilio is asking what to do with the call, the answer moves
it; otherwise a request does. Both must not happen at once, since the later document would cut the
earlier one off. `answering` tells which way applies.

A request may take effect although its answer is lost. Repeating it is safe if the caller waits or
leaves, because running the same document twice changes nothing. So these moves are repeated until
they succeed. A move into a conference is not: joining twice would interrupt a conversation that has
already begun.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from callrouter.model.commands import Announce, Connect, Leave, Requeue, Result
from callrouter.model.events import CallerListens, ConnectFailed, ConnectFault
from callrouter.model.routing_table import HangUp, ToDialplan
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.api_requests import Answer, Came, Move
from callrouter.pbx.twilio.calls_and_legs import Caller, Leg, LegState, Stand, place_of, turn_of
from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.urls import Links
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

TRIES = 5
"""How many times a waiting or leaving caller's move is requested."""
_BACK_OFF = 0.5


class Callers:
    """Moves the callers of one account.

    Args:
        ledger: the state of the account.
        settings: where callers are sent.
        links: the URLs that Twilio is given.
    """

    def __init__(self, ledger: Ledger, settings: TwilioSettings, links: Links) -> None:
        self._ledger = ledger
        self._settings = settings
        self._links = links
        self._answering: Caller | None = None

    @contextmanager
    def answering(self, caller: Caller) -> Iterator[None]:
        """While this is active, the answer being built moves the caller, and no request is sent."""
        self._answering = caller
        try:
            yield
        finally:
            self._answering = None

    def answers(self, caller: Caller) -> bool:
        """Whether an answer for this caller is being built."""
        return self._answering is caller

    def arrive(self, caller: Caller) -> None:
        """Register a caller who has called or was found waiting, and tell the router."""
        self._ledger.callers[caller.sid] = caller
        caller.first = caller.arrived.entered_at or self._ledger.now
        caller.queued = caller.arrived.queued_at or self._ledger.now
        self._ledger.tell(caller.arrived)

    def of(self, call: str) -> Caller | None:
        """The caller of a call."""
        return self._ledger.callers.get(call.removeprefix(f"{self._ledger.name}-"))

    def connect(self, command: Connect) -> None:
        """Connect a caller with an accepted leg."""
        caller = self.of(command.call)
        leg = self._ledger.legs.get((command.offer, command.device))
        if caller is None or caller.stand is Stand.LEAVING:
            self._connect_failed(command.call, command.offer, ConnectFault.CALLER_GONE)
        elif leg is None or leg.state is not LegState.ACCEPTED or leg.stopping is not None:
            self._connect_failed(command.call, command.offer, ConnectFault.LEG_GONE)
        else:
            caller.to_talk(leg)
            if leg.dialled:  # the answer being built connects it
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

    def requeue(self, command: Requeue) -> None:
        """Put a caller back in the queue."""
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
        """Store an announcement until the caller's music pauses."""
        caller = self.of(command.call)
        if caller is not None and caller.stand is Stand.WAITING:
            caller.news = command

    def news(self, caller: Caller) -> Announce | None:
        """Return the announcement that the caller must hear now, if there is one.

        It may have been stored for a while, so `CallerListens` makes the router announce the
        current position.
        """
        if caller.news is None:
            return None
        caller.news = None
        self._ledger.tell(CallerListens(call=caller.arrived.call))
        news, caller.news = caller.news, None
        return news

    def follow(self, call: str, queue: str, priority: int, queued_at: float | None = None) -> None:
        """Move a waiting call to its new queue in Twilio, so that a restart finds it there.

        Args:
            call: the call's id.
            queue: its queue.
            priority: its priority; 0 leaves it unchanged.
            queued_at: when it entered the queue (epoch seconds); None leaves it unchanged.
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
        """Let a caller leave."""
        caller = self.of(command.call)
        if caller is None:
            return
        caller.alone(Stand.LEAVING)
        caller.way_out = self._way_out(command)
        if self._answering is not caller:
            self._move_surely(caller, caller.way_out, 1)

    def waiting_room(self, caller: Caller) -> str:
        """The document with which a caller waits, or with which their call rings phones."""
        return caller.document or twiml.wait_here(
            self._links,
            place_of(caller.arrived),
            turn_of(caller.arrived, caller.first, caller.queued),
        )

    def _way_out(self, command: Leave) -> str:
        """The document for leaving: the place set for the target's context, or the fallback."""
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
        """Send a caller to a number ("": the fallback's), or apologise if there is none."""
        number = number or self._settings.fallback
        if number:
            return twiml.send_to(number, self._settings.caller_id)
        return twiml.goodbye(twiml.NOT_NOW)

    def _moved(self, caller: Caller, leg: Leg, answer: Answer) -> None:
        """Handle the outcome of moving a caller into a conference."""
        if caller.leg is not leg or caller.stand is not Stand.MOVING:
            return  # already known from elsewhere, or not wanted any more
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
        # Otherwise the outcome is unknown. A second move would interrupt the conversation if the
        # first one succeeded. The conference will report it, or the router's time limit for a
        # connect puts the caller back in the queue.

    def _again(self, caller: Caller, leg: Leg) -> None:
        if caller.leg is leg and caller.stand is Stand.MOVING and leg.live:
            self._into_the_room(caller, leg)

    def _move_surely(self, caller: Caller, document: str, attempt: int) -> None:
        """Move a caller to the waiting room or out, repeating the request until it succeeds."""
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
                if now != document:  # the caller has been moved on since
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
