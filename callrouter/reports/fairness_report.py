"""The report ``fairness``: offers and talk per agent against what the policy promises."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from callrouter.model.agent_status import AgentState
from callrouter.model.text import rough_duration
from callrouter.record.rows import OfferResult
from callrouter.record.sql import AGENT_STATES, CONVERSATIONS, OFFERS
from callrouter.reports.agent_times import AgentTime, StateTimes, last_states
from callrouter.reports.fairness import Expectation, verdict
from callrouter.reports.periods import shown_time
from callrouter.reports.queries import among, count_if, total, within_period
from callrouter.reports.report import Report, ReportColumn, Row, Shown
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.stay_figures import seconds, share

_AT_ONCE: Final = 5_000
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


@dataclass(slots=True)
class _Absences:
    """The longest times away of each agent: seconds, beginning, and why."""

    longest: dict[str, list[tuple[float, float, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, agent: str, length: float, at: float, why: str) -> None:
        """Add one that lasted `length` seconds."""
        kept = self.longest[agent]
        heapq.heappush(kept, (length, at, why))
        if len(kept) > LONGEST_NAMED:
            heapq.heappop(kept)


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
    absences = _Absences()
    _follow(run, expectation, absences)
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for group, shares in sorted(expectation.groups.items()):
        for agent, worth in shares.expected.items():
            expected[group.queue, agent] += worth
        if shares.made:
            run.notes.append(verdict(group, shares))
    rows = list(_rows(run, table, expected, absences))
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


def _follow(run: ReportRun, expectation: Expectation, absences: _Absences) -> None:
    """Let the expectation and the absences see everything that happened."""
    names, period = run.site.agents, run.request.period
    for lasting in last_states(run.link, period.from_, None):
        _state(run, expectation, absences, dict(lasting))
    for what, row in _happenings(run):
        if what == _STATE:
            _state(run, expectation, absences, row)
        else:
            queue, agent = run.site.queues.current(row["queue"]), names.current(row["agent"])
            expectation.offered(queue, row["policy"], row["level"], agent)
    expectation.finish()


_OFFER: Final = 0
_STATE: Final = 1


def _happenings(run: ReportRun) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield offers and changes of state by time; at the same time, offers first.

    An agent who is offered a call stops being available at that very moment.
    """
    offer, state = OFFERS.c, AGENT_STATES.c
    offers = (
        sa.select(offer.made_at.label("at"), offer.queue, offer.policy, offer.level, offer.agent)
        .where(*within_period(offer.made_at), *among(offer.queue, run.queues()))
        .order_by(offer.made_at, offer.offer)
    )
    states = (
        sa.select(state.at, state.until, state.agent, state.state, state.reason, state.status)
        .where(*within_period(state.at))
        .order_by(state.at, state.serial)
    )
    for _, from_, to in run.pieces(run.intervals("")):
        times = {"from_": from_, "to_": to}
        streams = (_stream(run, _OFFER, offers, times), _stream(run, _STATE, states, times))
        yield from heapq.merge(*streams, key=lambda item: (item[1]["at"], item[0]))


def _stream(
    run: ReportRun, kind: int, chosen: sa.Select[Any], times: dict[str, float]
) -> Iterator[tuple[int, dict[str, Any]]]:
    found = run.link.execute(chosen.execution_options(yield_per=_AT_ONCE), times)
    yield from ((kind, dict(row)) for row in found.mappings())


def _state(
    run: ReportRun, expectation: Expectation, absences: _Absences, row: dict[str, Any]
) -> None:
    agent, period = run.site.agents.current(row["agent"]), run.request.period
    if row["state"] == AgentState.AVAILABLE.value:
        expectation.available(agent)
    else:
        expectation.unavailable(agent)
    if row["state"] in _AWAY:
        until = run.until if row["until"] is None else min(row["until"], run.until)
        at = max(row["at"], period.from_)
        why = row["reason"] or row["status"].replace("-", " ")
        if until > at:
            absences.add(agent, until - at, at, why)


def _rows(
    run: ReportRun,
    table: dict[str, dict[str, _Member]],
    expected: dict[tuple[str, str], float],
    absences: _Absences,
) -> Iterator[Row]:
    intervals = run.intervals("")
    times = StateTimes(run, intervals, None)
    times.before()
    for start, from_, to in run.pieces(intervals):
        times.between(start, from_, to)
    by_agent = times.of(intervals.starts[0])
    chosen = run.agents()
    for queue in sorted(table):
        whole = sum(one.talk_s for one in table[queue].values())
        for agent, one in sorted(table[queue].items()):
            if chosen is not None and agent not in chosen:
                continue
            time = by_agent.get(agent, AgentTime())
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
                "available_s": seconds(time.state_s.get(AgentState.AVAILABLE.value, 0.0)),
                "away_s": seconds(sum(time.state_s.get(state, 0.0) for state in _AWAY)),
                "away": _told(run, absences.longest.get(agent, [])),
            }


def _told(run: ReportRun, found: list[tuple[float, float, str]]) -> str | None:
    """Return absences in words, the earliest first."""
    told = [
        f"{shown_time(at, run.site.zone)} {rough_duration(length)} ({why})"
        for length, at, why in sorted(found, key=lambda item: item[1])
    ]
    return "; ".join(told) or None
