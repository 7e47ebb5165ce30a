"""Conversations of a call on record, with holds and consultations. Pure."""

from __future__ import annotations

from callrouter.model.call_notices import ConsultationChanged, HoldChanged
from callrouter.model.notices import OfferNotice
from callrouter.model.outcomes import ConsultationStep
from callrouter.record import record_tables
from callrouter.record.live_rows import (
    LiveCall,
    LiveConsultation,
    LiveConversation,
    LiveHold,
    LiveStay,
    Touched,
)
from callrouter.record.offer_results import in_one_word
from callrouter.record.rows import ConversationEnd, ConversationKind


class TalkRecording:
    """Begins and ends conversations.

    Args:
        touch: is told everything that has changed.
    """

    def __init__(self, touch: Touched) -> None:
        self._touch = touch

    def _touch_stay(self, stay: LiveStay) -> None:
        self._touch(record_tables.STAYS, (stay.call, str(stay.n)), stay)

    def begin(
        self, call: LiveCall, notice: OfferNotice, at: float, kind: ConversationKind
    ) -> LiveConversation:
        """Begin a conversation with the agent of the notice, and return it."""
        stay, call.before = call.stay, call.conversation
        talk = call.conversation = LiveConversation(
            call=call.call, n=call.talks, stay=0 if stay is None else stay.n, queue=notice.queue,
            agent=notice.agent, offer=notice.offer, kind=kind, started_at=at,
        )  # fmt: skip
        call.talks += 1
        call.conversations += 1
        call.agent = notice.agent
        self._touch(record_tables.CONVERSATIONS, (call.call, str(talk.n)), talk)
        return talk

    def end(
        self, call: LiveCall, at: float, by: ConversationEnd, *, to: str = "", name: str = ""
    ) -> None:
        """End the conversation that goes on, and a hold with it. Nothing is done if there is none.

        `to` is where the caller was transferred, `name` the person who ended or transferred it.
        """
        talk, stay = call.talking, call.stay
        if talk is None:
            return
        self._end_hold(call, at)
        talk.ended_at, talk.ended_by, talk.to, talk.by = at, by, to, name
        talk.talk_s = max(0.0, at - talk.started_at)
        call.talk_s += talk.talk_s
        if stay is not None:
            stay.talk_s += talk.talk_s
            stay.agent = talk.agent or stay.agent
            self._touch_stay(stay)
        self._touch(record_tables.CONVERSATIONS, (call.call, str(talk.n)), talk)

    def held(self, call: LiveCall, notice: HoldChanged) -> None:
        """The caller was put on hold, or taken off it."""
        self._end_hold(call, notice.at)
        if notice.on:
            hold = call.hold = LiveHold(
                call=call.call, n=call.held, conversation=max(0, call.talks - 1),
                agent=notice.agent, began_at=notice.at, by=notice.by,
            )  # fmt: skip
            call.held += 1
            self._touch(record_tables.HOLDS, (call.call, str(hold.n)), hold)

    def _end_hold(self, call: LiveCall, at: float) -> None:
        hold, call.hold = call.hold, None
        if hold is None:
            return
        hold.ended_at = at
        seconds = max(0.0, at - hold.began_at)
        call.hold_s += seconds
        if call.stay is not None:
            call.stay.hold_s += seconds
            self._touch_stay(call.stay)
        if call.conversation is not None:
            call.conversation.hold_s += seconds
            self._touch(
                record_tables.CONVERSATIONS,
                (call.call, str(call.conversation.n)),
                call.conversation,
            )
        self._touch(record_tables.HOLDS, (call.call, str(hold.n)), hold)

    def consulted(self, call: LiveCall, notice: ConsultationChanged) -> None:
        """A colleague is asked, talks, or has gone."""
        asked = call.consultation
        if notice.what in {ConsultationStep.ASKED, ConsultationStep.NO_PHONE} or asked is None:
            asked = call.consultation = LiveConsultation(
                call=call.call, n=call.consulted, conversation=max(0, call.talks - 1),
                queue=notice.queue, agent=notice.agent, colleague=notice.colleague,
                asked_at=notice.at,
            )  # fmt: skip
            call.consulted += 1
            self._touch(record_tables.CONSULTATIONS, (call.call, str(asked.n)), asked)
        if notice.what is ConsultationStep.TALKING:
            asked.talked_at = notice.at
            self._touch(record_tables.CONSULTATIONS, (call.call, str(asked.n)), asked)
        elif notice.what is not ConsultationStep.ASKED:
            self.end_consultation(call, asked, notice.at, in_one_word(notice.what))

    def end_consultation(
        self, call: LiveCall, asked: LiveConsultation, at: float, outcome: str
    ) -> None:
        """End a consultation, with what came of it."""
        asked.ended_at, asked.outcome = at, outcome
        call.consultation = None
        self._touch(record_tables.CONSULTATIONS, (call.call, str(asked.n)), asked)
