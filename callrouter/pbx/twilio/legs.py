"""Legs: calls to phones, from the queue for the calls-per-second limit to their end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from callrouter.model.commands import Ring, StopReason, StopRing
from callrouter.model.events import LegEnd, LegEnded
from callrouter.pbx.twilio import hangup_causes
from callrouter.pbx.twilio.account_state import AccountState, end_of_stopped_leg
from callrouter.pbx.twilio.calls_and_legs import TwilioLeg, TwilioLegState
from callrouter.pbx.twilio.rate import CallRate
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiResult, EndCall, PlaceCall

logger = logging.getLogger(__name__)

SHORTEST_RING = 3.0
"""Minimum ring time in seconds that must remain after Twilio's own queueing.

A call that Twilio queues for longer is withdrawn.
"""
REPORT_WITHIN = 10.0
"""Seconds after the ring time within which a leg must have ended. Then we end it."""
KEY_REPORT_WITHIN = 15.0
"""Seconds beyond `accept_within` in which Twilio must report the result of asking for key 1."""
ALONE_FOR = 2.0
"""Seconds for which an agent may stay in a conference that the caller has left."""
MOST_TRIES = 5
"""How many times the end of a leg is requested."""
_RETRY_AFTER = 0.5


def ring_timeout(seconds: float) -> int:
    """The ring time to request from Twilio, in whole seconds.

    Twilio adds up to 5 s to it, so that much is subtracted, down to the 5 s that it accepts.
    """
    return max(5, round(seconds) - 5)


class LegControl:
    """Rings and stops the phones of one account.

    Args:
        account: the state of the account.
        caller_id: the number that phones show.
        rate: the limit of calls per second.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self, account: AccountState, *, caller_id: str, rate: CallRate, token: Callable[[], str]
    ) -> None:
        self._account = account
        self._caller_id = caller_id
        self._token = token
        self._rate = rate
        self._queue: deque[TwilioLeg] = deque()
        self._next_pump_at: float | None = None

    def ring(self, ring: Ring) -> None:
        """Queue a phone for ringing. It rings as soon as the limit of calls per second allows."""
        leg = self.register(ring)
        if leg is not None:
            self.queue(leg)

    def register(self, ring: Ring) -> TwilioLeg | None:
        """Register a leg, without ringing it.

        Returns:
            The leg; None if it exists, because the same offer never rings a device twice.
        """
        leg = TwilioLeg(ring, self._token(), self._account.now + ring.ring_for)
        if leg.key in self._account.legs:
            return None
        self._account.legs[leg.key] = leg
        self._account.by_token[leg.token] = leg
        return leg

    def queue(self, leg: TwilioLeg) -> None:
        """Let a leg wait for its turn. If it does not come within the ring time, the leg ends."""
        leg.state = TwilioLegState.QUEUED
        self._queue.append(leg)
        self._account.call_at(leg.place_by, lambda: self._on_turn_missed(leg))
        self._place_queued()

    def stop(self, command: StopRing) -> None:
        """Stop a phone. `LegEnded` follows when Twilio has confirmed that it is quiet.

        A leg without a CallSid cannot be ended yet. The answer to our request, or the first
        webhook, provides it, and `set_call_sid` ends the leg then.
        """
        leg = self._account.legs.get((command.offer, command.device))
        if leg is None:
            self._account.post_event(
                LegEnded(offer=command.offer, device=command.device, why=LegEnd.HUNG_UP)
            )
            return
        leg.stop_reason = leg.stop_reason or command.why
        if leg.state is TwilioLegState.QUEUED:
            self._account.end_stopped_leg(leg)
        elif leg.sid:
            self.hang_up(leg)
        elif leg.in_group_dial:
            self._account.end_stopped_leg(leg)  # a phone picked up now hears that the call is taken

    # ------------------------------------------------------------ placing calls

    def _place_queued(self) -> None:
        """Request the waiting calls, as fast as the limit allows, in the order of the router.

        When the limit is reached, one timer is set for the time at which the next call may be
        placed, not one for each waiting call.
        """
        while self._queue:
            leg = self._queue[0]
            if leg.state is not TwilioLegState.QUEUED:
                self._queue.popleft()
                continue
            allowed = self._rate.next_at(self._account.now)
            if allowed > self._account.now:
                if self._next_pump_at is None or self._next_pump_at <= self._account.now:
                    self._next_pump_at = allowed
                    self._account.call_at(allowed, self._place_queued)
                return
            self._queue.popleft()
            self._rate.record(self._account.now)
            self._request_call(leg)

    def _request_call(self, leg: TwilioLeg) -> None:
        self.mark_placed(leg)
        ring = leg.ring
        place = PlaceCall(
            token=leg.token,
            to=ring.number or address(ring.endpoint),
            caller_id=self._caller_id,
            timeout=ring_timeout(ring.ring_for),
        )
        self._account.send_request(place, partial(self._on_call_requested, leg))

    def mark_placed(self, leg: TwilioLeg) -> None:
        """Mark a leg as requested and set its deadline.

        The ring time begins now and not when the leg was queued: the agent must be rung for as long
        as configured, however many others come first.
        """
        leg.state = TwilioLegState.PLACED
        leg.ring_until = self._account.now + leg.ring.ring_for
        self._account.call_at(leg.ring_until + REPORT_WITHIN, lambda: self._on_overdue(leg))

    def _on_call_requested(self, leg: TwilioLeg, result: ApiResult) -> None:
        """Handle the outcome of a request for a call.

        If it is unknown, nothing is done. The phone may be ringing, and a second request could ring
        it twice, so webhooks or the deadline must decide.
        """
        if result.outcome is ApiOutcome.DONE:
            self.set_call_sid(leg, result.sid)
            leg.ring_until += result.queue_time
            if result.queue_time > leg.ring.ring_for - SHORTEST_RING:
                self._account.counts["queued too long by Twilio"] += 1
                leg.stop_reason = leg.stop_reason or StopReason.WITHDRAWN
                self.hang_up(leg, LegEnd.FAILED)
        elif leg.sid or not leg.live:
            return  # a webhook has shown that the call was placed, or it has ended
        elif leg.stop_reason is not None:
            self._account.end_stopped_leg(leg)
        elif result.safe_to_repeat and self._account.now + 1.0 < leg.place_by:
            leg.state = TwilioLegState.QUEUED
            self._account.call_after(1.0, lambda: self._requeue(leg))
        elif result.outcome is not ApiOutcome.UNKNOWN:
            self._account.counts["refused offers"] += 1
            logger.warning("%s: %s's phone is not called: %s", *self._names(leg), result.detail)
            self._account.end_leg(leg, hangup_causes.of_refusal(result.code))

    def _names(self, leg: TwilioLeg) -> tuple[str, str]:
        return (self._account.name, leg.ring.agent)

    def _requeue(self, leg: TwilioLeg) -> None:
        if leg.state is TwilioLegState.QUEUED:
            self._queue.appendleft(leg)
            self._place_queued()

    def set_call_sid(self, leg: TwilioLeg, sid: str) -> bool:
        """Store a leg's CallSid, from whichever comes first: the answer to our request or a webhook.

        A leg that was stopped while its CallSid was unknown is ended now.

        Returns:
            False if another call is using the leg's token, which is good for one call only.
        """
        if leg.sid or not sid:
            return leg.sid == sid
        leg.sid = sid
        if leg.stop_reason is not None or not leg.live:
            self.hang_up(leg)
        return True

    def _on_turn_missed(self, leg: TwilioLeg) -> None:
        """A leg was never requested.

        The phone did not ring, so the agent has not missed anything.
        """
        if leg.state is TwilioLegState.QUEUED:
            self._account.counts["no turn in time"] += 1
            self._account.end_leg(leg, LegEnd.FAILED)

    def _on_overdue(self, leg: TwilioLeg) -> None:
        """The end of a leg was not reported in time.

        Its deadline moves if Twilio queued the call or it was requested again. Then this is called
        once more at the new time.
        """
        if not leg.live:
            return
        if (
            self._account.now < leg.ring_until + REPORT_WITHIN
        ):  # Twilio queued it, or it was requested again
            self._account.call_at(leg.ring_until + REPORT_WITHIN, lambda: self._on_overdue(leg))
        elif leg.state in {TwilioLegState.PLACED, TwilioLegState.RINGING}:
            self._account.counts["overdue legs"] += 1
            why = LegEnd.NO_ANSWER if leg.rang else LegEnd.FAILED
            self.hang_up(leg, why)
            self._account.end_leg(leg, why)

    def start_key_timeout(self, leg: TwilioLeg) -> None:
        """Start the time limit for pressing key 1, as ordered by the command."""
        within = leg.ring.accept_within
        leg.key_until = self._account.now + within
        self._account.call_after(within + KEY_REPORT_WITHIN, lambda: self._on_no_key(leg))

    def _on_no_key(self, leg: TwilioLeg) -> None:
        if leg.state is TwilioLegState.ANSWERED:
            self._account.counts["overdue legs"] += 1
            self.hang_up(leg, LegEnd.NOT_ACCEPTED)
            self._account.end_leg(leg, LegEnd.NOT_ACCEPTED)

    def hang_up_soon(self, leg: TwilioLeg) -> None:
        """A leg's caller has left. End the leg after a moment.

        Usually the conference ends with the caller. It does not if the agent entered it too late.
        """
        self._account.call_after(ALONE_FOR, lambda: self.hang_up(leg) if leg.live else None)

    # ------------------------------------------------------------ ending

    def hang_up(self, leg: TwilioLeg, why: LegEnd | None = None, attempt: int = 1) -> None:
        """Ask Twilio to end a leg, ringing or answered. When that is confirmed, the leg ends.

        Args:
            leg: the leg. Nothing happens if it was asked before or has no CallSid yet.
            why: its outcome; None derives it from how it was stopped.
            attempt: number of this attempt, from 1.
        """
        if not leg.sid or (leg.hang_up_requested and attempt == 1):
            return
        leg.hang_up_requested = True
        self._account.send_request(
            EndCall(sid=leg.sid), partial(self._on_hung_up, leg, why, attempt)
        )

    def _on_hung_up(
        self, leg: TwilioLeg, why: LegEnd | None, attempt: int, result: ApiResult
    ) -> None:
        if result.outcome is ApiOutcome.DONE or result.call_ended:
            self._account.end_leg(leg, why or end_of_stopped_leg(leg))
        elif attempt < MOST_TRIES:  # ending a call twice is harmless
            self._account.call_after(
                _RETRY_AFTER * attempt, lambda: self.hang_up(leg, why, attempt + 1)
            )
        else:
            logger.error(
                "%s: %s's phone could not be stopped: %s", *self._names(leg), result.detail
            )
            leg.hang_up_requested = False
            self._account.end_leg(leg, why or end_of_stopped_leg(leg))


def address(endpoint: str) -> str:
    """Twilio's address of a phone: ``sip/alice@acme.sip.twilio.com`` becomes ``sip:alice@…``."""
    technology, _, name = endpoint.partition("/")
    return f"{technology}:{name}"
