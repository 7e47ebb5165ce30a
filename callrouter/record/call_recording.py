"""What each notice about a call changes in the record of that call.

Pure. `callrouter.record.recorder` calls `follow` with every notice and writes what was touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    CallPutThrough,
    CallRequeued,
    ConsultationChanged,
    ConversationStarted,
    ConversationTransferred,
    HoldChanged,
    OfferAccepted,
    OfferEnded,
    OfferMade,
    OfferRang,
    PlaceHandedOver,
    WaitingCallMoved,
)
from callrouter.model.commands import Result
from callrouter.model.events import TransferKind
from callrouter.model.notices import CallNotice, OfferNotice
from callrouter.model.outcomes import (
    EndedBy,
)
from callrouter.model.routing_table import ToQueue, target_text
from callrouter.record import record_tables
from callrouter.record.live_rows import (
    LiveCall,
    LiveOffer,
    LiveStay,
    Touched,
)
from callrouter.record.offer_results import OFFER_RESULTS
from callrouter.record.rows import (
    CallOutcome,
    ConversationEnd,
    ConversationKind,
    HowIn,
    OfferResult,
    StayOutcome,
)
from callrouter.record.talk_recording import TalkRecording

RULE: Final = "rule"
"""`CallRow.ended_by` of a call that left by a rule of its queue."""


class CallRecording:
    """Follows calls.

    Args:
        touch: is told everything that has changed.
    """

    def __init__(self, touch: Touched) -> None:
        self._touch = touch
        self._talks = TalkRecording(touch)

    def follow(self, call: LiveCall, notice: CallNotice) -> None:
        """Take over what a notice says of a call. Kinds that are only steps change nothing."""
        change = _CHANGES.get(type(notice))
        if change is not None:
            change(self, call, notice)
            self._touch(record_tables.CALLS, (call.call,), call)

    # ------------------------------------------------------------ stays

    def entered(self, call: LiveCall, notice: CallEntered) -> None:
        """Begin a stay, or go on with the one that the record knows from before a restart."""
        found = notice.waited_s is not None and notice.refused is None
        facts = notice.facts
        call.caller_number, call.caller_name = notice.caller_number, notice.caller_name
        call.last_queue = notice.queue
        if facts is not None:
            call.priority = facts.priority
        if found and self._goes_on(call, notice):
            return
        how = HowIn.NEW if call.stay is None else HowIn.RE_ENTRY
        if found:
            how = HowIn.FOUND
        elif call.over and call.ended_at == notice.at:
            how = call.how_next
        since = facts.queued_at if found and facts is not None else notice.at
        self._leave_behind(call, since)
        self._reopen(call)
        self._begin_stay(call, notice.queue, since, how, notice.position)

    def _goes_on(self, call: LiveCall, notice: CallEntered) -> bool:
        """Whether a call found after a gap is still in the stay that the record has of it."""
        stay = call.stay
        if stay is None or stay.queue != notice.queue:
            return False
        if stay.outcome is StayOutcome.LOST:
            call.wait_s -= stay.wait_s or 0.0
            stay.outcome = stay.left_at = stay.wait_s = None
            self._touch_stay(stay)
        elif stay.outcome is not None and call.talking is None:
            return False
        self._reopen(call)
        return True

    def _leave_behind(self, call: LiveCall, at: float) -> None:
        """End what a call that was found elsewhere after a gap had before."""
        self._talks.end(call, at, ConversationEnd.LOST)
        stay = call.stay
        if stay is not None and stay.outcome is None:
            wait = max(0.0, at - stay.entered_at - stay.talked_s)
            self._stop_waiting(call, at, StayOutcome.LOST, wait)

    def _reopen(self, call: LiveCall) -> None:
        call.over = False
        call.ended_at = call.outcome = None
        call.result = call.ended_by = call.ended_by_name = ""

    def _begin_stay(
        self, call: LiveCall, queue: str, at: float, how: HowIn, position: int
    ) -> LiveStay:
        stay = call.stay = LiveStay(
            call=call.call, n=call.stays, queue=queue, entered_at=at, priority=call.priority,
            how_in=how, first_position=position,
        )  # fmt: skip
        call.stays += 1
        call.last_queue = queue
        self._touch_stay(stay)
        return stay

    def _touch_stay(self, stay: LiveStay) -> None:
        self._touch(record_tables.STAYS, (stay.call, str(stay.n)), stay)

    def _stop_waiting(
        self, call: LiveCall, at: float, outcome: StayOutcome, wait_s: float, position: int = 0
    ) -> LiveStay | None:
        stay = call.stay
        if stay is None or stay.outcome is not None:
            return None
        stay.outcome, stay.left_at, stay.wait_s, stay.position = outcome, at, wait_s, position
        call.wait_s += wait_s
        self._touch_stay(stay)
        return stay

    def _end(self, call: LiveCall, at: float, outcome: CallOutcome, result: str) -> None:
        call.over, call.ended_at, call.outcome, call.result = True, at, outcome, result
        call.how_next = HowIn.RE_ENTRY
        for offer in list(call.open_offers.values()):
            self._end_offer(call, offer, at, OfferResult.ROUTER_DOWN)

    def _no_longer_talking(self, call: LiveCall, at: float) -> None:
        """End a conversation from before a gap whose caller proves to be waiting."""
        if call.talking is None:
            return
        self._talks.end(call, at, ConversationEnd.LOST)
        self._begin_stay(call, call.last_queue, at, HowIn.FOUND, 0)

    def abandoned(self, call: LiveCall, notice: CallAbandoned) -> None:
        """The caller hung up."""
        self._no_longer_talking(call, notice.at)
        self._stop_waiting(call, notice.at, StayOutcome.ABANDONED, notice.wait_s, notice.position)
        self._end(call, notice.at, CallOutcome.ABANDONED, Result.ABANDONED.value)
        call.ended_by = EndedBy.CALLER.value

    def moved_away(self, call: LiveCall, notice: CallMovedAway) -> None:
        """Another program took the caller."""
        self._no_longer_talking(call, notice.at)
        self._stop_waiting(call, notice.at, StayOutcome.MOVED_AWAY, notice.wait_s, notice.position)
        self._end(call, notice.at, CallOutcome.MOVED_AWAY, "")

    def left(self, call: LiveCall, notice: CallLeftQueue) -> None:
        """A rule or a supervisor sent it away. If to another queue, its entry there follows."""
        self._no_longer_talking(call, notice.at)
        outcome = StayOutcome.ENDED if notice.by else StayOutcome(notice.result.value)
        stay = self._stop_waiting(call, notice.at, outcome, notice.wait_s, notice.position)
        if stay is not None:
            stay.target, stay.by = target_text(notice.target), notice.by
        self._end(call, notice.at, CallOutcome.LEFT, notice.result.value)
        call.ended_by = EndedBy.SUPERVISOR.value if notice.by else RULE
        call.ended_by_name = notice.by
        if isinstance(notice.target, ToQueue):
            call.how_next = HowIn.OVERFLOW

    def moved(self, call: LiveCall, notice: WaitingCallMoved) -> None:
        """A supervisor moved it to another queue, or changed its priority."""
        stay = call.stay
        if notice.to_priority:
            call.priority = notice.to_priority
        if stay is None:
            return
        if notice.to_queue and notice.to_queue != stay.queue:
            wait = max(0.0, notice.at - stay.entered_at - stay.talked_s)
            self._stop_waiting(call, notice.at, StayOutcome.MOVED, wait)
            stay.target, stay.by = f"queue:{notice.to_queue}", notice.by
            self._begin_stay(call, notice.to_queue, notice.at, HowIn.MOVED, 0)
        else:
            stay.priority = call.priority
            self._touch_stay(stay)

    def handed_over(self, call: LiveCall, notice: PlaceHandedOver) -> None:
        """Another caller has its place."""
        call.caller_number, call.caller_name = notice.caller_number, notice.caller_name
        call.transfers += 1

    # ------------------------------------------------------------ offers

    def offered(self, call: LiveCall, notice: OfferMade) -> None:
        """An agent is rung."""
        self._no_longer_talking(call, notice.at)
        offer = self._new_offer(call, notice, notice.at)
        offer.policy, offer.level = ",".join(notice.policy), notice.priority
        offer.idle_s = notice.idle_s

    def _new_offer(self, call: LiveCall, notice: OfferNotice, made_at: float) -> LiveOffer:
        stay = call.stay
        offer = call.open_offers[notice.offer] = LiveOffer(
            offer=notice.offer, call=call.call, stay=0 if stay is None else stay.n,
            queue=notice.queue, agent=notice.agent, made_at=made_at,
        )  # fmt: skip
        call.offers += 1
        if stay is not None:
            stay.offers += 1
            self._touch_stay(stay)
        self._touch(record_tables.OFFERS, (offer.offer,), offer)
        return offer

    def _offer(self, call: LiveCall, notice: OfferNotice, made_at: float) -> LiveOffer:
        """Return the offer of a notice; one that rang before a restart begins where it is known."""
        offer = call.open_offers.get(notice.offer)
        if offer is None:
            offer = self._new_offer(call, notice, made_at)
        self._touch(record_tables.OFFERS, (offer.offer,), offer)
        return offer

    def rang(self, call: LiveCall, notice: OfferRang) -> None:
        """Its first phone rings."""
        offer = self._offer(call, notice, notice.at)
        if offer.rang_at is None:
            offer.rang_at = notice.at

    def accepted(self, call: LiveCall, notice: OfferAccepted) -> None:
        """The agent took it."""
        self._no_longer_talking(call, notice.at)
        offer = self._offer(call, notice, notice.at)
        offer.accepted_at, offer.taker, offer.device = notice.at, notice.agent, notice.device

    def offer_ended(self, call: LiveCall, notice: OfferEnded) -> None:
        """It came to nothing."""
        offer, accepted = call.open_offers.get(notice.offer), call.accepted
        talking = call.talking
        if accepted is not None and accepted.offer == notice.offer:
            # The caller of a conversation waits again; `requeued` follows.
            accepted.result = OFFER_RESULTS[notice.outcome]
            self._touch(record_tables.OFFERS, (accepted.offer,), accepted)
            return
        if offer is None and (call.over or (talking and talking.agent == notice.agent)):
            return
        if offer is None:
            offer = self._new_offer(call, notice, notice.at - notice.rang_s)
        self._end_offer(call, offer, notice.at, OFFER_RESULTS[notice.outcome])

    def _end_offer(self, call: LiveCall, offer: LiveOffer, at: float, result: OfferResult) -> None:
        offer.ended_at, offer.result = at, result
        offer.rang_s = max(0.0, at - offer.made_at)
        call.open_offers.pop(offer.offer, None)
        self._touch(record_tables.OFFERS, (offer.offer,), offer)

    # ------------------------------------------------------------ conversations

    def connected(self, call: LiveCall, notice: ConversationStarted) -> None:
        """Both hear each other: the wait is over."""
        self._no_longer_talking(call, notice.at)
        offer = self._offer(call, notice, notice.at - notice.rang_s)
        self._end_offer(call, offer, notice.at, OfferResult.ACCEPTED)
        call.accepted = offer
        self._answer(call, notice.at, notice.wait_s, notice.agent)
        self._talks.begin(call, notice, notice.at, ConversationKind.FIRST)

    def _answer(self, call: LiveCall, at: float, wait_s: float, agent: str) -> None:
        stay = self._stop_waiting(call, at, StayOutcome.ANSWERED, wait_s)
        if stay is not None:
            stay.answered_at, stay.agent = at, agent

    def requeued(self, call: LiveCall, notice: CallRequeued) -> None:
        """It waits again, in the same stay, as if it had not been answered."""
        talk, stay = call.talking, call.stay
        if stay is not None:
            stay.requeues += 1
            if talk is not None:
                stay.talked_s += max(0.0, notice.at - talk.started_at)
            if stay.outcome is StayOutcome.ANSWERED:
                call.wait_s -= stay.wait_s or 0.0
                stay.outcome = stay.left_at = stay.wait_s = stay.answered_at = None
            self._touch_stay(stay)
        if talk is not None:
            self._talks.end(call, notice.at, ConversationEnd.REQUEUED)
            call.conversations -= 1
            call.agent = ""
        call.accepted = None

    def _over(
        self,
        call: LiveCall,
        notice: CallCompleted | ConversationTransferred,
        by: ConversationEnd,
        *,
        to: str = "",
        name: str = "",
    ) -> None:
        """End a conversation and the call; one that was found talking began when it was found."""
        if call.talking is None:
            began = notice.at - notice.talk_s
            self._answer(call, began, notice.wait_s, notice.agent)
            self._talks.begin(call, notice, began, ConversationKind.FOUND)
        self._talks.end(call, notice.at, by, to=to, name=name)
        self._end(call, notice.at, CallOutcome.ANSWERED, Result.ANSWERED.value)
        call.ended_by, call.ended_by_name = by.value, name

    def completed(self, call: LiveCall, notice: CallCompleted) -> None:
        """One side hung up."""
        self._over(call, notice, ConversationEnd(notice.by.value), name=notice.ended_by)

    def transferred(self, call: LiveCall, notice: ConversationTransferred) -> None:
        """The agent gave the caller away. If to a queue, its entry there follows."""
        blind = notice.transfer is TransferKind.BLIND
        by = ConversationEnd.BLIND_TRANSFER if blind else ConversationEnd.ATTENDED_TRANSFER
        self._over(call, notice, by, to=notice.to, name=notice.by)
        call.transfers += 1
        call.how_next = HowIn.TRANSFER

    def put_through(self, call: LiveCall, notice: CallPutThrough) -> None:
        """The colleague who was asked has the caller."""
        consultation = call.consultation
        if consultation is not None:
            self._talks.end_consultation(call, consultation, notice.at, "put-through")
        end = ConversationEnd.PUT_THROUGH
        self._talks.end(call, notice.at, end, to=notice.to, name=notice.by)
        talk = self._talks.begin(call, notice, notice.at, ConversationKind.PUT_THROUGH)
        talk.agent, talk.offer = notice.to, ""
        call.agent = notice.to
        call.transfers += 1

    def held(self, call: LiveCall, notice: HoldChanged) -> None:
        """The caller was put on hold, or taken off it."""
        self._talks.held(call, notice)

    def consulted(self, call: LiveCall, notice: ConsultationChanged) -> None:
        """A colleague is asked, talks, or has gone."""
        self._talks.consulted(call, notice)

    # ------------------------------------------------------------ gone in a gap

    def lost(self, call: LiveCall, at: float) -> None:
        """End a call that was live before a time without a router and was not found after it.

        Args:
            call: the call.
            at: the end of what is known of it, in epoch seconds.
        """
        answered = call.talking is not None
        if call.consultation is not None:
            self._talks.end_consultation(call, call.consultation, at, "")
        self._leave_behind(call, at)
        self._end(call, at, CallOutcome.ANSWERED if answered else CallOutcome.LOST, "")
        self._touch(record_tables.CALLS, (call.call,), call)


_CHANGES: Final[Mapping[type[CallNotice], Callable[[CallRecording, LiveCall, Any], None]]] = {
    CallEntered: CallRecording.entered,
    CallAbandoned: CallRecording.abandoned,
    CallMovedAway: CallRecording.moved_away,
    CallLeftQueue: CallRecording.left,
    WaitingCallMoved: CallRecording.moved,
    PlaceHandedOver: CallRecording.handed_over,
    OfferMade: CallRecording.offered,
    OfferRang: CallRecording.rang,
    OfferAccepted: CallRecording.accepted,
    OfferEnded: CallRecording.offer_ended,
    ConversationStarted: CallRecording.connected,
    CallRequeued: CallRecording.requeued,
    CallCompleted: CallRecording.completed,
    ConversationTransferred: CallRecording.transferred,
    CallPutThrough: CallRecording.put_through,
    HoldChanged: CallRecording.held,
    ConsultationChanged: CallRecording.consulted,
}
