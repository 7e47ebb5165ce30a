"""The report ``call ID``: the whole story of a call, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from callrouter.model.outcomes import NAMES
from callrouter.model.text import in_quotes, phrase
from callrouter.record.row_codec import row_reader
from callrouter.record.rows import (
    CallOutcome,
    CallRow,
    ConsultationRow,
    ConversationEnd,
    ConversationKind,
    ConversationRow,
    HoldRow,
    HowIn,
    OfferResult,
    OfferRow,
    StayOutcome,
    StayRow,
)
from callrouter.record.sql import (
    CALLS,
    CONSULTATIONS,
    CONVERSATIONS,
    DECISIONS,
    HOLDS,
    OFFERS,
    STAYS,
)
from callrouter.reports.call_report import no_such_call
from callrouter.reports.queries import MONTH, pieces, within_period
from callrouter.reports.report import Report, ReportColumn, Shown
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.request import ReportError

RowT = TypeVar("RowT")

STORY_COLUMNS: Final = (
    ReportColumn(name="at", title="When", shown=Shown.TIME),
    ReportColumn(name="what", title="What", shown=Shown.TEXT),
    ReportColumn(name="queue", title="Queue", shown=Shown.TEXT, drop=1),
    ReportColumn(name="agent", title="Agent", shown=Shown.TEXT),
    ReportColumn(name="after_s", title="After", shown=Shown.DURATION, unit="s", drop=2),
    ReportColumn(name="detail", title="Detail", shown=Shown.TEXT),
    ReportColumn(name="offer", title="Offer", shown=Shown.TEXT, drop=3),
)
_FEW: Final = 5
"""How many of several calls that fit are named."""
_HOW_IN: Final = {
    HowIn.NEW: phrase("in-new", "a new call"),
    HowIn.OVERFLOW: phrase("in-overflow", "sent here by a rule of the queue before"),
    HowIn.TRANSFER: phrase("in-transfer", "transferred by an agent"),
    HowIn.MOVED: phrase("in-moved", "moved here by a supervisor"),
    HowIn.RE_ENTRY: phrase("in-again", "came back after its call was over"),
    HowIn.FOUND: phrase("in-found", "found after a gap"),
}
_WHY_OUT: Final[Mapping[StayOutcome, str]] = {
    StayOutcome.ABANDONED: phrase("caller-hung-up", "the caller hung up"),
    StayOutcome.TIMEOUT: phrase("out-timeout", "max_wait was over"),
    StayOutcome.FULL: phrase("out-full", "the queue was full"),
    StayOutcome.CLOSED: phrase("out-closed", "the queue was closed"),
    StayOutcome.NOBODY: phrase("out-unstaffed", "no agent was there"),
    StayOutcome.ENDED: phrase("out-ended", "ended by a supervisor"),
    StayOutcome.MOVED: phrase("out-moved", "moved to another queue"),
    StayOutcome.MOVED_AWAY: phrase("out-moved-away", "another program took the caller"),
    StayOutcome.LOST: phrase("out-lost", "gone after a time without a router"),
}
_OFFER_ENDS: Final = {str(name).replace(" ", "-"): name for name in NAMES.values()}
"""How an offer ended, by the word for it on record."""
_KINDS: Final[Mapping[ConversationKind, str]] = {
    ConversationKind.FIRST: "",
    ConversationKind.PUT_THROUGH: phrase("talk-put-through", "put through"),
    ConversationKind.FOUND: phrase("talk-found", "found"),
}
_TALK_ENDS: Final[Mapping[ConversationEnd, str]] = {
    ConversationEnd.AGENT: phrase("talk-by-agent", "by agent"),
    ConversationEnd.CALLER: phrase("talk-by-caller", "by caller"),
    ConversationEnd.SUPERVISOR: phrase("talk-by-supervisor", "by supervisor"),
    ConversationEnd.BLIND_TRANSFER: phrase("talk-transferred", "blind transfer"),
    ConversationEnd.ATTENDED_TRANSFER: phrase("talk-transferred-attended", "attended transfer"),
    ConversationEnd.PUT_THROUGH: phrase("talk-put-through", "put through"),
    ConversationEnd.REQUEUED: phrase("talk-requeued", "requeued"),
    ConversationEnd.LOST: phrase("end-lost", "lost"),
}
_CALL_OUTCOMES: Final[Mapping[CallOutcome, str]] = {
    CallOutcome.ANSWERED: phrase("call-answered", "answered"),
    CallOutcome.ABANDONED: phrase("call-abandoned", "abandoned"),
    CallOutcome.LEFT: phrase("call-left", "left"),
    CallOutcome.MOVED_AWAY: phrase("call-moved-away", "moved away"),
    CallOutcome.LOST: phrase("end-lost", "lost"),
}


def _named_by(text: str, by: str) -> str:
    """Add to a step who brought it about, if that is on record."""
    return phrase("step-by", "{step}, by {by}", step=text, by=by) if by else text


def _with_target(text: str, target: str) -> str:
    """Add to a step where the caller went, if that is on record."""
    return phrase("step-to", "{step}, to {target}", step=text, target=target) if target else text


def story(run: ReportRun) -> Report:
    """Return a row for each thing that happened to a call, in order of time.

    Raises:
        ReportError: there is no such call, or the asker may not see it.
    """
    must_not(run, by=run.request.by, queue=run.request.queue, agent=run.request.agent)
    teller = _Teller(run, _found(run))
    # Sorting is stable: what happened at the same time keeps its order.
    steps = sorted(teller.steps(), key=lambda step: step["at"])
    teller.note()
    return run.report(f"Call {teller.call.call}", STORY_COLUMNS, steps, span=teller.span)


def _found(run: ReportRun) -> str:
    """Return the id of the call that is meant: a whole id, its beginning or its end, or ``last``."""
    asked, at = run.request.call, CALLS.c
    latest = sa.select(at.call).order_by(at.entered_at.desc())
    if asked == "last":
        return run.link.scalar(latest.limit(1)) or ""
    if not asked or run.link.scalar(latest.where(at.call == asked)) is not None:
        return asked
    several = _matching(run, asked)
    if len(several) > 1 and run.scope.queues is None and not run.scope.masked:
        more = " and others" if len(several) > _FEW else ""
        raise ReportError(
            f"several calls fit {in_quotes(asked)}: {', '.join(several[:_FEW])}{more}; "
            "give more of the id"
        )
    return several[0] if len(several) == 1 else asked


def _matching(run: ReportRun, asked: str) -> list[str]:
    """Return the calls whose id begins or ends with a text, the latest first, and only the first few.

    No index finds the end of an id, so the record is read month by month, which can be told and stopped.
    """
    at = CALLS.c
    first, last = run.link.execute(
        sa.select(sa.func.min(at.entered_at), sa.func.max(at.entered_at))
    ).one()
    if first is None:
        return []
    matches = sa.or_(
        at.call.startswith(asked, autoescape=True), at.call.endswith(asked, autoescape=True)
    )
    chosen = sa.select(at.call).where(*within_period(at.entered_at), matches)
    chosen = chosen.order_by(at.entered_at.desc())
    found: list[str] = []
    months = list(pieces(first, math.nextafter(last, math.inf), MONTH))
    for number, (from_, to) in enumerate(reversed(months), 1):
        times = {"from_": from_, "to_": to}
        found += run.link.scalars(chosen.limit(_FEW + 1 - len(found)), times)
        if len(found) > _FEW:
            break
        run.progress(number / len(months))
    return found


class _Teller:
    """Tells the story of the call that was asked for."""

    def __init__(self, run: ReportRun, call: str) -> None:
        self._run = run
        self._id = call
        found = self._rows(CALLS, CallRow)
        if not found:
            raise no_such_call(run.request.call)
        self.call = found[0]
        self._stays = self._rows(STAYS, StayRow)
        self._talks = self._rows(CONVERSATIONS, ConversationRow)
        if not self._visible():
            raise no_such_call(run.request.call)

    def _rows(self, table: sa.TableClause, row: type[RowT]) -> list[RowT]:
        read: Callable[[Any], RowT] = row_reader(row)
        chosen = sa.select(*table.c).where(table.c.call == self._id)
        if "n" in table.c:
            chosen = chosen.order_by(table.c.n)
        return [read(item) for item in self._run.link.execute(chosen)]

    def _visible(self) -> bool:
        scope, site = self._run.scope, self._run.site
        if scope.masked:
            return any(site.agents.current(talk.agent) == scope.agent != "" for talk in self._talks)
        if scope.queues is None:
            return True
        return any(site.queues.current(stay.queue) in scope.queues for stay in self._stays)

    @property
    def span(self) -> tuple[float, float]:
        """From the call's entry to its end, or to now, in epoch seconds."""
        ended = self._run.site.now if self.call.ended_at is None else self.call.ended_at
        return self.call.entered_at, ended

    # ------------------------------------------------------------ the steps

    def steps(self) -> Iterator[dict[str, Any]]:
        """Yield the rows. Those at the same time are in the order in which they happened."""
        for stay in self._stays:
            yield self._step(stay.entered_at, "entered", stay.queue, detail=self._entry(stay))
            if stay.left_at is not None and stay.outcome is not StayOutcome.ANSWERED:
                yield self._leaves(stay)
        for offer in sorted(self._rows(OFFERS, OfferRow), key=lambda each: each.made_at):
            yield from self._offer(offer)
        for talk in self._talks:
            yield from self._talk(talk)
        for hold in self._rows(HOLDS, HoldRow):
            by = phrase("by-name", "by {by}", by=hold.by) if hold.by else ""
            yield self._step(hold.began_at, "held", agent=hold.agent, detail=by)
            if hold.ended_at is not None:
                length = hold.ended_at - hold.began_at
                yield self._step(hold.ended_at, "retrieved", agent=hold.agent, after=length)
        for asked in self._rows(CONSULTATIONS, ConsultationRow):
            yield from self._consultation(asked)

    def _step(
        self,
        at: float,
        what: str,
        queue: str = "",
        *,
        agent: str = "",
        after: float | None = None,
        detail: str = "",
        offer: str = "",
    ) -> dict[str, Any]:
        site = self._run.site
        return {
            "at": at,
            "what": what,
            "queue": site.queues.current(queue) or None,
            "agent": self._run.scope.person(site.agents.current(agent)),
            "after_s": None if after is None else round(after, 3),
            "detail": detail or None,
            "offer": offer or None,
        }

    def _named(self, id_: str) -> str:
        """Return an agent or a place for a sentence, with agents as the asker may see them."""
        names = self._run.site.agents
        if names.current(id_) not in names.shown:
            return id_
        return self._run.scope.person(names.current(id_)) or phrase("a-colleague", "a colleague")

    @staticmethod
    def _entry(stay: StayRow) -> str:
        how, priority = _HOW_IN[stay.how_in], stay.priority
        if not stay.first_position:
            text = "{how}; not let in, priority {priority}"
            return phrase("step-not-let-in", text, how=how, priority=priority)
        return phrase(
            "step-entered",
            "{how}; position {position}, priority {priority}",
            how=how,
            position=stay.first_position,
            priority=priority,
        )

    def _leaves(self, stay: StayRow) -> dict[str, Any]:
        outcome = stay.outcome or StayOutcome.LOST
        detail = _WHY_OUT.get(outcome, outcome.value)
        if stay.position:
            text = "{why}, position {position}"
            detail = phrase("step-left-position", text, why=detail, position=stay.position)
        detail = _named_by(_with_target(detail, stay.target), stay.by)
        what = "abandoned" if outcome is StayOutcome.ABANDONED else "left"
        return self._step(stay.left_at or 0.0, what, stay.queue, after=stay.wait_s, detail=detail)

    def _offer(self, offer: OfferRow) -> Iterator[dict[str, Any]]:
        text, rank = "by {policy}, level {level}, idle {idle_s}", offer.level
        detail = phrase(
            "step-offered", text, policy=offer.policy, level=rank, idle_s=max(0.0, offer.idle_s)
        )
        yield self._step(
            offer.made_at,
            "offered",
            offer.queue,
            agent=offer.agent,
            detail=detail,
            offer=offer.offer,
        )
        after = offer.made_at
        if offer.rang_at is not None:
            yield self._step(
                offer.rang_at, "rang", offer.queue, agent=offer.agent, after=offer.rang_at - after,
                offer=offer.offer,
            )  # fmt: skip
        if offer.accepted_at is not None:
            yield self._step(
                offer.accepted_at, "accepted", offer.queue, agent=offer.taker or offer.agent,
                after=offer.accepted_at - after, detail=offer.device and phrase("on-phone", "on {device}", device=offer.device),
                offer=offer.offer,
            )  # fmt: skip
        if offer.ended_at is not None and offer.result is not OfferResult.ACCEPTED:
            result = "" if offer.result is None else offer.result.value
            yield self._step(
                offer.ended_at, "offer ended", offer.queue, agent=offer.agent, after=offer.rang_s,
                detail=_OFFER_ENDS.get(result, result.replace("-", " ")), offer=offer.offer,
            )  # fmt: skip

    def _talk(self, talk: ConversationRow) -> Iterator[dict[str, Any]]:
        stay = next((each for each in self._stays if each.n == talk.stay), None)
        first = talk.kind is ConversationKind.FIRST
        detail = _KINDS[talk.kind]
        yield self._step(
            talk.started_at, "connected", talk.queue, agent=talk.agent, detail=detail,
            after=stay.wait_s if first and stay is not None else None, offer=talk.offer,
        )  # fmt: skip
        if talk.ended_at is None:
            return
        detail = self._talk_end(talk)
        yield self._step(
            talk.ended_at, "conversation ended", talk.queue, agent=talk.agent, after=talk.talk_s,
            detail=detail,
        )  # fmt: skip
        if talk.wrap_up_s is not None:
            yield self._step(
                talk.ended_at + talk.wrap_up_s, "wrap-up ended", talk.queue, agent=talk.agent,
                after=talk.wrap_up_s,
            )  # fmt: skip

    def _talk_end(self, talk: ConversationRow) -> str:
        to = talk.to and self._named(talk.to)
        by = talk.by and self._named(talk.by)
        if talk.ended_by is not None:
            return _named_by(_with_target(_TALK_ENDS[talk.ended_by], to), by)
        if to:
            return _named_by(phrase("to-target", "to {target}", target=to), by)
        return phrase("by-name", "by {by}", by=by) if by else ""

    def _consultation(self, asked: ConsultationRow) -> Iterator[dict[str, Any]]:
        colleague = self._named(asked.colleague)
        yield self._step(
            asked.asked_at, "asked a colleague", asked.queue, agent=asked.agent, detail=colleague
        )
        if asked.talked_at is not None:
            yield self._step(
                asked.talked_at, "talks to the colleague", asked.queue, agent=asked.agent,
                after=asked.talked_at - asked.asked_at, detail=colleague,
            )  # fmt: skip
        if asked.ended_at is not None:
            outcome = _OFFER_ENDS.get(asked.outcome, asked.outcome.replace("-", " "))
            text = "{colleague}: {outcome}"
            told = phrase("colleague-outcome", text, colleague=colleague, outcome=outcome)
            yield self._step(
                asked.ended_at, "consultation ended", asked.queue, agent=asked.agent,
                after=asked.ended_at - asked.asked_at, detail=told,
            )  # fmt: skip

    # ------------------------------------------------------------ notes

    def note(self) -> None:
        """Note who called, what became of it, and where the reasons of decisions are."""
        call, run = self.call, self._run
        caller = " ".join(filter(None, (run.scope.number(call.caller_number), call.caller_name)))
        goes_on = phrase("call-goes-on", "it goes on")
        run.notes.append(
            phrase(
                "note-call",
                "Caller {caller} on {pbx}; {outcome}; waited {waited_s}, talked {talked_s}.",
                caller=caller or phrase("caller-unknown", "unknown"),
                pbx=call.pbx,
                outcome=goes_on if call.outcome is None else _CALL_OUTCOMES[call.outcome],
                waited_s=call.wait_s,
                talked_s=call.talk_s,
            )
        )
        kept = run.link.scalar(
            sa.select(sa.func.count()).select_from(DECISIONS).where(DECISIONS.c.call == call.call)
        )
        text = "Why each agent was chosen: `callrouter why {call}`."
        gone = "The decisions behind it are not on record (any more); see history: decisions."
        run.notes.append(
            phrase("note-why", text, call=call.call) if kept else phrase("note-no-decisions", gone)
        )
