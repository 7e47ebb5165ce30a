"""Legs: calls to phones, from the queue for the calls-per-second limit to their end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from callrouter.model.commands import Ring, StopReason, StopRing
from callrouter.model.events import LegEnd, LegEnded
from callrouter.pbx.twilio import hangup_causes
from callrouter.pbx.twilio.api_requests import Answer, Came, End, Place
from callrouter.pbx.twilio.calls_and_legs import Leg, LegState
from callrouter.pbx.twilio.ledger import Ledger, end_of
from callrouter.pbx.twilio.rate import Pace

logger = logging.getLogger(__name__)

WORTH_RINGING = 3.0
"""Minimum ring time in seconds that must remain after Twilio's own queueing.

A call that Twilio queues for longer is withdrawn.
"""
RINGS_OVER = 10.0
"""Seconds after the ring time within which a leg must have ended. Then we end it."""
ASKED_OVER = 15.0
"""Seconds beyond `accept_within` in which Twilio must report the result of asking for key 1."""
ALONE = 2.0
"""Seconds for which an agent may stay in a conference that the caller has left."""
TRIES = 5
"""How many times the end of a leg is requested."""
_BACK_OFF = 0.5


class Phones:
    """Rings and stops phones.

    Args:
        ledger: the state of the account.
        caller_id: the number that phones show.
        pace: the limit of calls per second.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self, ledger: Ledger, *, caller_id: str, pace: Pace, token: Callable[[], str]
    ) -> None:
        self._ledger = ledger
        self._caller_id = caller_id
        self._token = token
        self._pace = pace
        self._line: deque[Leg] = deque()
        self._pumping_at: float | None = None

    def ring(self, ring: Ring) -> None:
        """Queue a phone for ringing."""
        leg = self.book(ring)
        if leg is not None:
            self.in_line(leg)

    def book(self, ring: Ring) -> Leg | None:
        """Register a leg. Return None if it exists: the same offer never rings a device twice."""
        leg = Leg(ring, self._token(), self._ledger.now + ring.ring_for)
        if leg.key in self._ledger.legs:
            return None
        self._ledger.legs[leg.key] = leg
        self._ledger.by_token[leg.token] = leg
        return leg

    def in_line(self, leg: Leg) -> None:
        """Let a leg wait for its turn."""
        leg.state = LegState.IN_LINE
        self._line.append(leg)
        self._ledger.when(leg.turn_until, lambda: self._too_late(leg))
        self._pump()

    def stop(self, command: StopRing) -> None:
        """Stop a phone. `LegEnded` follows when Twilio has confirmed it."""
        leg = self._ledger.legs.get((command.offer, command.device))
        if leg is None:
            self._ledger.tell(
                LegEnded(offer=command.offer, device=command.device, why=LegEnd.HUNG_UP)
            )
            return
        leg.stopping = leg.stopping or command.why
        if leg.state is LegState.IN_LINE:
            self._ledger.over(leg)
        elif leg.sid:
            self.end(leg)
        elif leg.dialled:
            self._ledger.over(leg)  # a phone picked up now hears that the call is taken
        # Otherwise the answer to our request, or the first webhook, provides its SID.

    # ------------------------------------------------------------ placing calls

    def _pump(self) -> None:
        """Request the waiting calls, as fast as the limit allows."""
        while self._line:
            leg = self._line[0]
            if leg.state is not LegState.IN_LINE:
                self._line.popleft()
                continue
            allowed = self._pace.next(self._ledger.now)
            if allowed > self._ledger.now:
                if self._pumping_at is None or self._pumping_at <= self._ledger.now:
                    self._pumping_at = allowed
                    self._ledger.when(allowed, self._pump)
                return
            self._line.popleft()
            self._pace.take(self._ledger.now)
            self._place(leg)

    def _place(self, leg: Leg) -> None:
        self.placed(leg)
        ring = leg.ring
        place = Place(
            token=leg.token,
            to=ring.number or address(ring.endpoint),
            caller_id=self._caller_id,
            timeout=self.timeout(ring),
        )
        self._ledger.ask(place, partial(self._placed, leg))

    def placed(self, leg: Leg) -> None:
        """Mark a leg as requested, now or at once, and set its deadline."""
        leg.state = LegState.PLACED
        leg.until = self._ledger.now + leg.ring.ring_for
        self._ledger.when(leg.until + RINGS_OVER, lambda: self._overdue(leg))

    @staticmethod
    def timeout(ring: Ring) -> int:
        """The ring time to request, in seconds. Twilio adds up to 5 s."""
        return max(5, round(ring.ring_for) - 5)

    def _placed(self, leg: Leg, answer: Answer) -> None:
        if answer.came is Came.DONE:
            self.learn(leg, answer.sid)
            leg.until += answer.queue_time
            if answer.queue_time > leg.ring.ring_for - WORTH_RINGING:
                self._ledger.counts["queued too long by Twilio"] += 1
                leg.stopping = leg.stopping or StopReason.WITHDRAWN
                self.end(leg, LegEnd.FAILED)
        elif leg.sid or not leg.live:
            return  # a webhook has shown that the call was placed, or it has ended
        elif leg.stopping is not None:
            self._ledger.over(leg)
        elif answer.harmless and self._ledger.now + 1.0 < leg.turn_until:
            leg.state = LegState.IN_LINE
            self._ledger.after(1.0, lambda: self._again(leg))
        elif answer.came is not Came.UNKNOWN:
            self._ledger.counts["refused offers"] += 1
            logger.warning("%s: %s's phone is not called: %s", *self._of(leg), answer.detail)
            self._ledger.ended(leg, hangup_causes.of_refusal(answer.code))
        # Otherwise the outcome is unknown and the phone may be ringing. A second request could ring
        # it twice, so webhooks or the deadline must decide.

    def _of(self, leg: Leg) -> tuple[str, str]:
        return (self._ledger.name, leg.ring.agent)

    def _again(self, leg: Leg) -> None:
        if leg.state is LegState.IN_LINE:
            self._line.appendleft(leg)
            self._pump()

    def learn(self, leg: Leg, sid: str) -> bool:
        """Store a leg's CallSid. Return False if another call is using the leg's token."""
        if leg.sid or not sid:
            return leg.sid == sid
        leg.sid = sid
        if leg.stopping is not None or not leg.live:
            self.end(leg)
        return True

    def _too_late(self, leg: Leg) -> None:
        """A leg was never requested.

        The phone did not ring, so the agent has not missed anything.
        """
        if leg.state is LegState.IN_LINE:
            self._ledger.counts["no turn in time"] += 1
            self._ledger.ended(leg, LegEnd.FAILED)

    def _overdue(self, leg: Leg) -> None:
        """The end of a leg was not reported in time."""
        if not leg.live:
            return
        if self._ledger.now < leg.until + RINGS_OVER:  # Twilio queued it, or it was requested again
            self._ledger.when(leg.until + RINGS_OVER, lambda: self._overdue(leg))
        elif leg.state in {LegState.PLACED, LegState.RINGING}:
            self._ledger.counts["overdue legs"] += 1
            why = LegEnd.NO_ANSWER if leg.rang else LegEnd.FAILED
            self.end(leg, why)
            self._ledger.ended(leg, why)

    def asked_for_key(self, leg: Leg) -> None:
        """Start the time limit for pressing a key."""
        within = leg.ring.accept_within
        leg.asked_until = self._ledger.now + within
        self._ledger.after(within + ASKED_OVER, lambda: self._never_pressed(leg))

    def _never_pressed(self, leg: Leg) -> None:
        if leg.state is LegState.ANSWERED:
            self._ledger.counts["overdue legs"] += 1
            self.end(leg, LegEnd.NOT_ACCEPTED)
            self._ledger.ended(leg, LegEnd.NOT_ACCEPTED)

    def left_alone(self, leg: Leg) -> None:
        """A leg's caller has left. End the leg after a moment.

        Usually the conference ends with the caller. It does not if the agent entered it too late.
        """
        self._ledger.after(ALONE, lambda: self.end(leg) if leg.live else None)

    # ------------------------------------------------------------ ending

    def end(self, leg: Leg, why: LegEnd | None = None, attempt: int = 1) -> None:
        """Ask Twilio to end a leg, ringing or answered. When it is confirmed, the leg ends."""
        if not leg.sid or (leg.ending and attempt == 1):
            return
        leg.ending = True
        self._ledger.ask(End(sid=leg.sid), partial(self._end_came, leg, why, attempt))

    def _end_came(self, leg: Leg, why: LegEnd | None, attempt: int, answer: Answer) -> None:
        if answer.came is Came.DONE or answer.gone:
            self._ledger.ended(leg, why or end_of(leg))
        elif attempt < TRIES:  # ending a call twice is harmless
            self._ledger.after(_BACK_OFF * attempt, lambda: self.end(leg, why, attempt + 1))
        else:
            logger.error("%s: %s's phone could not be stopped: %s", *self._of(leg), answer.detail)
            leg.ending = False
            self._ledger.ended(leg, why or end_of(leg))


def address(endpoint: str) -> str:
    """Twilio's address of a phone: ``sip/alice@acme.sip.twilio.com`` becomes ``sip:alice@…``."""
    technology, _, name = endpoint.partition("/")
    return f"{technology}:{name}"
