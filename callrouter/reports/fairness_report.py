"""The report ``fairness``: offers and talk per agent against what the policy promises."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from callrouter.model.agent_status import AgentState
from callrouter.model.text import phrase, rough_duration
from callrouter.record.rows import OfferResult
from callrouter.record.sql import AGENT_STATES, CONVERSATIONS, OFFERS
from callrouter.reports.agent_times import last_states
from callrouter.reports.fairness import Expectation, verdict
from callrouter.reports.periods import shown_time
from callrouter.reports.queries import DAY, among, count_if, pieces, total, within_period
from callrouter.reports.report import Report, ReportColumn, Row, Shown
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.stay_figures import seconds, share

_AT_ONCE: Final = 5_000
_NO_SPELL: Final[tuple[float, float | None, str]] = (math.inf, None, "")
LONGEST_NAMED: Final = 3
"""How many absences of an agent are named."""
_AWAY: Final = frozenset({AgentState.OFFLINE.value, AgentState.PAUSED.value})


def _duration(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.DURATION, unit="s", drop=drop)


FAIRNESS_COLUMNS: Final = (
    ReportColumn(name="queue", title="Queue", shown=Shown.TEXT),
    ReportColumn(name="agent", title="Agent", shown=Shown.TEXT),
    ReportColumn(name="level", title="Level", drop=7),
    ReportColumn(name="offers", title="Offers"),
    ReportColumn(name="expected", title="Expected", shown=Shown.NUMBER),
    ReportColumn(name="difference", title="Difference", shown=Shown.SHARE, unit="%", drop=1),
    ReportColumn(name="answered", title="Answered", drop=2),
    _duration("talk_s", "Talk", 3),
    ReportColumn(name="talk_share", title="Of the talk", shown=Shown.SHARE, unit="%", drop=6),
    _duration("available_s", "Available", 4),
    _duration("away_s", "Away", 5),
    ReportColumn(name="away", title="Longest absences", shown=Shown.TEXT, drop=8),
)


@dataclass(slots=True)
class _Member:
    """An agent in a queue: the level they had last, and counts."""

    level: int
    offers: int = 0
    answered: int = 0
    talk_s: float = 0.0


def fairness(run: ReportRun) -> Report:
    """Return a row for each queue and agent who serves it or was offered its calls."""
    must_not(run, by=run.request.by)
    table = _members(run)
    policies = _policies(run)
    expectation = Expectation(
        {
            queue: {agent: one.level for agent, one in found.items()}
            for queue, found in table.items()
        },
        policies,
    )
    available = _follow(run, expectation)
    expected: dict[tuple[str, str], float] = defaultdict(float)
    hidden = phrase("one-agent", "one agent") if run.scope.masked else ""
    for group, shares in sorted(expectation.groups.items()):
        for agent, worth in shares.expected.items():
            expected[group.queue, agent] += worth
        if shares.made:
            run.notes.append(verdict(group, shares, hidden))
    rows = list(_rows(run, table, expected, available))
    run.note_limits()
    return run.report("Fairness", FAIRNESS_COLUMNS, rows)


def _members(run: ReportRun) -> dict[str, dict[str, _Member]]:
    """Return agents by queue: those configured, and those with offers or conversations."""
    chosen, site = run.queues(), run.site
    found: dict[str, dict[str, _Member]] = {
        queue: {agent: _Member(level) for agent, level in levels.items()}
        for queue, levels in site.members.items()
        if chosen is None or queue in chosen
    }
    offer, talk = OFFERS.c, CONVERSATIONS.c
    offered = (
        sa.select(
            offer.queue, offer.agent, sa.func.max(offer.level), sa.func.count(),
            count_if(offer.result == OfferResult.ACCEPTED.value),
        )
        .where(*within_period(offer.made_at), *among(offer.queue, chosen))
        .group_by(offer.queue, offer.agent)
    )  # fmt: skip
    times = {"from_": run.request.period.from_, "to_": run.request.period.to}
    for queue, agent, level, count, answered in run.link.execute(offered, times):
        one = _member(run, found, queue, agent, level)
        one.offers += count
        one.answered += int(answered)
    talked = (
        sa.select(talk.queue, talk.agent, total(talk.talk_s))
        .where(*within_period(talk.started_at), *among(talk.queue, chosen))
        .group_by(talk.queue, talk.agent)
    )
    for queue, agent, length in run.link.execute(talked, times):
        _member(run, found, queue, agent, 1).talk_s += length
    return found


def _member(
    run: ReportRun, found: dict[str, dict[str, _Member]], queue: str, agent: str, level: int
) -> _Member:
    agents = found.setdefault(run.site.queues.current(queue), {})
    return agents.setdefault(run.site.agents.current(agent), _Member(level))


def _policies(run: ReportRun) -> dict[str, frozenset[str]]:
    offer = OFFERS.c
    chosen = (
        sa.select(offer.queue, offer.policy)
        .where(*within_period(offer.made_at), *among(offer.queue, run.queues()))
        .distinct()
    )
    found: dict[str, set[str]] = defaultdict(set)
    times = {"from_": run.request.period.from_, "to_": run.request.period.to}
    for queue, policy in run.link.execute(chosen, times):
        found[run.site.queues.current(queue)].add(policy)
    return {queue: frozenset(policies) for queue, policies in found.items()}


# ---------------------------------------------------------------- what happened, in order of time


def _follow(run: ReportRun, expectation: Expectation) -> dict[str, float]:
    """Let the expectation see each offer, and who was available just before it.

    An agent who is offered a call stops being available at that very moment, so what happened at the
    same time as an offer comes after it.

    Returns:
        for how many seconds each agent was available.
    """
    available: dict[str, float] = defaultdict(float)
    with closing(_available(run, available)) as spells:
        _follow_spells(run, expectation, spells)
        for _ in spells:  # after the last offer, they only add up
            pass
    expectation.finish()
    return available


def _follow_spells(
    run: ReportRun, expectation: Expectation, spells: Iterator[tuple[float, float | None, str]]
) -> None:
    names, queues = run.site.agents.former, run.site.queues.former
    start, stop, offered = expectation.available, expectation.unavailable, expectation.offered
    begin, until, who = next(spells, _NO_SPELL)
    ends: list[tuple[float, str]] = []
    for at, queue, policy, level, agent in _offers(run):
        while begin < at:
            # What ended by then comes first; at the same moment an end comes before a beginning.
            while ends and ends[0][0] <= begin:
                stop(heapq.heappop(ends)[1])
            start(who)
            if until is not None:
                heapq.heappush(ends, (until, who))
            begin, until, who = next(spells, _NO_SPELL)
        while ends and ends[0][0] < at:
            stop(heapq.heappop(ends)[1])
        offered(queues.get(queue, queue), policy, level, names.get(agent, agent))


def _offers(run: ReportRun) -> Iterator[tuple[float, str, str, int, str]]:
    offer = OFFERS.c
    chosen = (
        sa.select(offer.made_at, offer.queue, offer.policy, offer.level, offer.agent)
        .where(*within_period(offer.made_at), *among(offer.queue, run.queues()))
        .order_by(offer.made_at, offer.offer)
    )
    for _, from_, to in run.pieces(run.intervals("")):
        yield from _stream(run, chosen, from_, to)


def _available(
    run: ReportRun, lengths: dict[str, float]
) -> Generator[tuple[float, float | None, str]]:
    """Yield when agents began to be available, until when, and who; None: they still are.

    The seconds of each in the period are added to `lengths`.
    """
    state, period, last = AGENT_STATES.c, run.request.period, run.until
    names = run.site.agents.former
    for row in last_states(run.link, period.from_, None):
        if row["state"] == AgentState.AVAILABLE.value:
            who, until = run.site.agents.current(row["agent"]), row["until"]
            lengths[who] += (last if until is None else min(until, last)) - period.from_
            yield -math.inf, until, who
    chosen = (
        sa.select(state.at, state.until, state.agent)
        .where(*within_period(state.at), state.state == AgentState.AVAILABLE.value)
        .where(sa.or_(state.until.is_(None), state.until > state.at))
        .order_by(state.at, state.serial)
    )
    for start, end in run.intervals("").bounds():
        for from_, to in pieces(start, end, DAY):
            for at, until, agent in _stream(run, chosen, from_, to):
                who = names.get(agent, agent)
                lengths[who] += (last if until is None or until > last else until) - at
                yield at, until, who


def _stream(run: ReportRun, chosen: sa.Select[Any], from_: float, to: float) -> Iterator[Any]:
    times = {"from_": from_, "to_": to}
    with run.link.execute(chosen.execution_options(yield_per=_AT_ONCE), times) as result:
        yield from result


@dataclass(slots=True)
class _Absences:
    """An agent's times away: seconds of all, and of the longest their seconds, beginning and why."""

    total_s: float = 0.0
    longest: list[tuple[float, float, str]] = field(default_factory=list)


def _absences(run: ReportRun) -> dict[str, _Absences]:
    """Return the times away of each agent."""
    state, period = AGENT_STATES.c, run.request.period
    chosen = sa.select(state.agent, state.at, state.until, state.reason, state.status).where(
        state.at >= period.from_, state.at < period.to, state.state.in_(sorted(_AWAY))
    )
    lasting = (row for row in last_states(run.link, period.from_, None) if row["state"] in _AWAY)
    found: dict[str, _Absences] = defaultdict(_Absences)
    streamed = run.link.execute(chosen.execution_options(yield_per=_AT_ONCE)).mappings()
    for row in itertools.chain(lasting, streamed):
        until = run.until if row["until"] is None else min(row["until"], run.until)
        at = max(row["at"], period.from_)
        if until > at:
            why = row["reason"] or row["status"].replace("-", " ")
            one = found[run.site.agents.current(row["agent"])]
            one.total_s += until - at
            heapq.heappush(one.longest, (until - at, at, why))
            if len(one.longest) > LONGEST_NAMED:
                heapq.heappop(one.longest)
    return found


def _rows(
    run: ReportRun,
    table: dict[str, dict[str, _Member]],
    expected: dict[tuple[str, str], float],
    available: dict[str, float],
) -> Iterator[Row]:
    absences = _absences(run)
    chosen = run.agents()
    for queue in sorted(table):
        whole = sum(one.talk_s for one in table[queue].values())
        for agent, one in sorted(table[queue].items()):
            if chosen is not None and agent not in chosen:
                continue
            away = absences.get(agent, _Absences())
            due = expected.get((queue, agent), 0.0)
            yield {
                "queue": queue,
                "agent": agent,
                "level": one.level,
                "offers": one.offers,
                "expected": round(due, 1),
                "difference": share(one.offers - due, due),
                "answered": one.answered,
                "talk_s": seconds(one.talk_s),
                "talk_share": share(one.talk_s, whole),
                "available_s": seconds(available.get(agent, 0.0)),
                "away_s": seconds(away.total_s),
                "away": _told(run, away.longest),
            }


def _told(run: ReportRun, found: list[tuple[float, float, str]]) -> str | None:
    """Return absences in words, the earliest first."""
    told = [
        f"{shown_time(at, run.site.zone)} {rough_duration(length)} ({why})"
        for length, at, why in sorted(found, key=lambda item: item[1])
    ]
    return "; ".join(told) or None
