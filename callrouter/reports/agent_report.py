"""The reports ``agents`` and ``pauses``: what agents were offered, did, and how long they were away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from callrouter.model.agent_status import AgentState
from callrouter.model.text import phrase
from callrouter.record.rows import ConversationEnd, OfferResult
from callrouter.record.sql import CONVERSATIONS, OFFERS
from callrouter.reports.agent_times import PRIVATE, AgentTime, StateTimes
from callrouter.reports.intervals import Intervals
from callrouter.reports.queries import among, count_if, total, within_period
from callrouter.reports.queue_report import INTERVAL
from callrouter.reports.report import Report, ReportColumn, Row, Shown, Value
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.request import ReportError
from callrouter.reports.stay_figures import mean, seconds, share

MOST_AGENT_ROWS: Final = 100_000
"""The most rows of agents and intervals."""
RESULTS: Final[Mapping[str, frozenset[OfferResult]]] = {
    "answered": frozenset({OfferResult.ACCEPTED}),
    "missed": frozenset({OfferResult.NO_ANSWER}),
    "declined": frozenset({OfferResult.DECLINED, OfferResult.WRONG_KEY}),
    "not_accepted": frozenset({OfferResult.NOT_ACCEPTED, OfferResult.HUNG_UP}),
    "unreached": frozenset(
        {
            OfferResult.NO_REPLY,
            OfferResult.BUSY,
            OfferResult.UNAVAILABLE,
            OfferResult.UNREACHABLE,
            OfferResult.FAILED,
            OfferResult.NUMBER_REFUSED,
        }
    ),
    "lost": frozenset({OfferResult.LOST}),
    "not_connected": frozenset(
        {
            OfferResult.PASSED_ON,
            OfferResult.HUNG_UP_AT_ONCE,
            OfferResult.FAULTY_LINE,
            OfferResult.CONNECT_LEG_GONE,
            OfferResult.CONNECT_FAILED,
            OfferResult.NOT_BROUGHT_IN,
        }
    ),
}
"""Columns by the results that count in them. What is in none of them was withdrawn."""
TRANSFERS: Final = (
    ConversationEnd.BLIND_TRANSFER,
    ConversationEnd.ATTENDED_TRANSFER,
    ConversationEnd.PUT_THROUGH,
)


def _count(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, drop=drop)


def _duration(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.DURATION, unit="s", drop=drop)


_AGENT: Final = (
    ReportColumn(name="agent", title="Agent", shown=Shown.TEXT),
    ReportColumn(name="name", title="Name", shown=Shown.TEXT, drop=30),
)
WORK: Final = (
    _count("offers", "Offers", 0),
    _count("answered", "Answered", 0),
    _count("missed", "Missed", 2),
    _count("declined", "Declined", 3),
    _count("not_accepted", "Not accepted", 20),
    _count("unreached", "Unreached", 13),
    _count("lost", "Lost", 21),
    _count("withdrawn", "Withdrawn", 22),
    _count("not_connected", "Not connected", 23),
    _count("ringing", "Ringing now", 24),
    ReportColumn(name="answered_share", title="Answer rate", shown=Shown.SHARE, unit="%", drop=5),
    _count("conversations", "Conversations", 14),
    _duration("talk_s.total", "Talk", 0),
    _duration("talk_s.mean", "Mean talk", 6),
    _duration("talk_s.max", "Longest talk", 25),
    _duration("hold_s.total", "Hold", 15),
    _duration("wrap_up_s.total", "Wrap-up", 16),
    _duration("handle_s.mean", "Mean handling", 7),
    _count("transfers", "Transfers", 17),
)
TIMES: Final = (
    _duration("signed_in_s", "Signed in", 1),
    *(
        _duration(f"state_s.{state.value}", title, drop)
        for state, title, drop in (
            (AgentState.AVAILABLE, "Available", 9),
            (AgentState.RESERVED, "Reserved", 28),
            (AgentState.RINGING, "Time ringing", 18),
            (AgentState.ON_CALL, "On call", 10),
            (AgentState.WRAP_UP, "In wrap-up", 11),
            (AgentState.PAUSED, "Paused", 8),
            (AgentState.OFFLINE, "Offline", 27),
        )
    ),
    _duration("private_s", "Private calls", 26),
    ReportColumn(name="occupancy", title="Occupancy", shown=Shown.SHARE, unit="%", drop=4),
)
PAUSES: Final = (
    ReportColumn(name="reason", title="Reason", shown=Shown.TEXT),
    _count("pauses", "Pauses", 0),
    _duration("total_s", "Time", 0),
    _duration("longest_s", "Longest", 0),
    _count("by_others", "By others", 1),
)


def agent_columns(by: str) -> tuple[ReportColumn, ...]:
    """Return the columns of ``agents``."""
    return (*((INTERVAL,) if by else ()), *_AGENT, *WORK, *TIMES)


def pause_columns(by: str) -> tuple[ReportColumn, ...]:
    """Return the columns of ``pauses``."""
    return (*((INTERVAL,) if by else ()), *_AGENT, *PAUSES)


@dataclass(slots=True)
class AgentWork:
    """What an agent was offered and did. Durations are seconds."""

    offers: int = 0
    ringing: int = 0
    results: dict[str, int] = field(default_factory=dict)
    conversations: int = 0
    ended: int = 0
    transfers: int = 0
    talk_s: float = 0.0
    longest_s: float | None = None
    hold_s: float = 0.0
    wrap_up_s: float = 0.0

    def offered(self, result: OfferResult | None, count: int) -> None:
        """Add offers with the same result; None: they ring."""
        self.offers += count
        if result is None:
            self.ringing += count
            return
        name = next((name for name, known in RESULTS.items() if result in known), "withdrawn")
        self.results[name] = self.results.get(name, 0) + count

    def add(self, other: AgentWork) -> None:
        """Add what others were offered and did."""
        self.offers += other.offers
        self.ringing += other.ringing
        for name, count in other.results.items():
            self.results[name] = self.results.get(name, 0) + count
        self.conversations += other.conversations
        self.ended += other.ended
        self.transfers += other.transfers
        self.talk_s += other.talk_s
        if other.longest_s is not None:
            self.longest_s = max(self.longest_s or 0.0, other.longest_s)
        self.hold_s += other.hold_s
        self.wrap_up_s += other.wrap_up_s

    def row(self) -> dict[str, Value]:
        """Return the figures as cells."""
        counts = {name: self.results.get(name, 0) for name in (*RESULTS, "withdrawn")}
        taken = counts["answered"]
        own = taken + counts["missed"] + counts["declined"] + counts["not_accepted"]
        return {
            "offers": self.offers,
            **counts,
            "ringing": self.ringing,
            "answered_share": share(taken, own),
            "conversations": self.conversations,
            "talk_s.total": seconds(self.talk_s),
            "talk_s.mean": mean(self.talk_s, self.ended),
            "talk_s.max": seconds(self.longest_s),
            "hold_s.total": seconds(self.hold_s),
            "wrap_up_s.total": seconds(self.wrap_up_s),
            "handle_s.mean": mean(self.talk_s + self.wrap_up_s, self.ended),
            "transfers": self.transfers,
        }


def time_row(time: AgentTime) -> dict[str, Value]:
    """Return an agent's time as cells."""
    return {
        "signed_in_s": seconds(time.signed_in_s),
        **{
            f"state_s.{state.value}": seconds(time.state_s.get(state.value, 0.0))
            for state in AgentState
        },
        "private_s": seconds(time.status_s.get(PRIVATE, 0.0)),
        "occupancy": time.occupancy(),
    }


class WorkCounts:
    """Counts what agents were offered and did.

    Args:
        run: the report.
        agents: ids as recorded; None: all.
    """

    def __init__(self, run: ReportRun, agents: frozenset[str] | None) -> None:
        self._run = run
        self._agents = agents
        offer, talk, queues = OFFERS.c, CONVERSATIONS.c, run.queues()
        self._offers = (
            sa.select(offer.agent, offer.result, sa.func.count())
            .where(
                *within_period(offer.made_at),
                *among(offer.agent, agents),
                *among(offer.queue, queues),
            )
            .group_by(offer.agent, offer.result)
        )
        self._talks = (
            sa.select(
                talk.agent,
                sa.func.count(),
                sa.func.count(talk.talk_s),
                count_if(talk.ended_by.in_([item.value for item in TRANSFERS])),
                total(talk.talk_s),
                sa.func.max(talk.talk_s),
                total(talk.hold_s),
                total(talk.wrap_up_s),
            )
            .where(
                *within_period(talk.started_at),
                *among(talk.agent, agents),
                *among(talk.queue, queues),
            )
            .group_by(talk.agent)
        )

    def between(self, found: dict[str, AgentWork], from_: float, to: float) -> None:
        """Add to `found` the work that began from `from_` up to, without, `to`."""
        times = {"from_": from_, "to_": to}
        for agent, result, count in self._run.link.execute(self._offers, times):
            work = self._work(found, agent)
            work.offered(None if result is None else OfferResult(result), count)
        for row in self._run.link.execute(self._talks, times):
            agent, count, ended, transfers, talk, longest, hold, wrap_up = row
            work = self._work(found, agent)
            work.add(
                AgentWork(
                    conversations=count,
                    ended=ended,
                    transfers=int(transfers),
                    talk_s=talk,
                    longest_s=longest,
                    hold_s=hold,
                    wrap_up_s=wrap_up,
                )
            )

    def _work(self, found: dict[str, AgentWork], agent: str) -> AgentWork:
        if self._agents is not None and agent not in self._agents:
            return AgentWork()
        return found.setdefault(self._run.site.agents.current(agent), AgentWork())


def agents(run: ReportRun) -> Report:
    """Return a row for each agent, or for each interval and agent who was there or had work.

    Without intervals, a configured agent has a row even if nothing happened.
    """
    by, chosen = run.request.by, run.agents()
    intervals = _not_too_many(run, by)
    times, counts = StateTimes(run, intervals, chosen), WorkCounts(run, chosen)
    times.before()
    work: dict[float, dict[str, AgentWork]] = {start: {} for start in intervals.starts}
    for start, from_, to in run.pieces(intervals):
        times.between(start, from_, to)
        counts.between(work[start], from_, to)
    total_work = AgentWork()
    rows: list[Row] = []
    for start in intervals.starts:
        for agent in _names(run, by, (*times.of(start), *work[start]), chosen):
            done = work[start].get(agent, AgentWork())
            time = times.of(start).get(agent, AgentTime())
            total_work.add(done)
            if by and not done.offers and not done.conversations and not time.signed_in_s:
                continue
            named = {"agent": agent, "name": run.site.agents.name(agent)}
            cells = {**named, **done.row(), **time_row(time)}
            rows.append({"interval": start, **cells} if by else cells)
    if run.request.queue:
        text = "Time by state is that of the agent, not of one queue."
        run.notes.append(phrase("note-time-by-state", text))
    run.note_limits()
    summed = {"agent": "all", **total_work.row()}
    return run.report("Agents", agent_columns(by), rows, by=by, total=summed)


def _not_too_many(run: ReportRun, by: str) -> Intervals:
    """Return the intervals.

    Raises:
        ReportError: with so many agents the report would have too many rows.
    """
    intervals = run.intervals(by)
    agents = 1 if run.request.agent else len(run.known_agents())
    rows = len(intervals.starts) * agents
    if by and rows > MOST_AGENT_ROWS:
        raise ReportError(
            phrase(
                "too-many-agent-rows",
                "{agents_many} agents by {by} would be up to {rows_many} rows; there can be "
                "{most_many}, so choose longer intervals, a shorter period or one --agent",
                agents_many=agents,
                by=by,
                rows_many=rows,
                most_many=MOST_AGENT_ROWS,
            )
        )
    return intervals


def _names(
    run: ReportRun, by: str, found: Iterable[str], chosen: frozenset[str] | None
) -> list[str]:
    configured: Iterable[str] = () if by else run.site.agents.shown
    return sorted({*found, *(id_ for id_ in configured if chosen is None or id_ in chosen)})


def pauses(run: ReportRun) -> Report:
    """Return a row for each agent and reason of a pause, and interval, in which there was one."""
    by, chosen = run.request.by, run.agents()
    must_not(run, queue=run.request.queue)
    intervals = _not_too_many(run, by)
    times = StateTimes(run, intervals, chosen, state=AgentState.PAUSED)
    times.before()
    for start, from_, to in run.pieces(intervals):
        times.between(start, from_, to)
    rows: list[Row] = []
    totals: dict[str, Any] = {"pauses": 0, "total_s": 0.0, "by_others": 0}
    for start in intervals.starts:
        for agent, time in sorted(times.of(start).items()):
            for reason, pause in sorted(time.pauses.items()):
                cells: dict[str, Value] = {
                    "agent": agent,
                    "name": run.site.agents.name(agent),
                    "reason": reason,
                    "pauses": pause.begun,
                    "total_s": seconds(pause.total_s),
                    "longest_s": seconds(pause.longest_s),
                    "by_others": pause.by_others,
                }
                totals["pauses"] += pause.begun
                totals["total_s"] += pause.total_s
                totals["by_others"] += pause.by_others
                rows.append({"interval": start, **cells} if by else cells)
    run.note_limits()
    summed = {"agent": "all", **totals, "total_s": seconds(totals["total_s"])}
    return run.report("Pauses", pause_columns(by), rows, by=by, total=summed)
