"""What agents were doing, and for how long: time by state, split at the edges of intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from callrouter.model.agent_status import AgentState
from callrouter.record.rows import GapKind
from callrouter.record.sql import AGENT_STATES, RECORD_GAPS
from callrouter.reports.intervals import Intervals
from callrouter.reports.queries import (
    among,
    count_if,
    distinct,
    rows_of,
    total,
    within_period,
)
from callrouter.reports.report_run import ReportRun

PRIVATE: Final = "private-call"
FOUND_WITHIN: Final = 60.0
"""Seconds after its start within which a new router finds what agents are doing."""
SIGNED_OUT: Final = "signed-out"
_AT_ONCE: Final = 500
"""Serial numbers in one condition."""


@dataclass(slots=True)
class PauseTime:
    """Pauses of an agent for one reason in an interval.

    Attributes:
        begun: how many began in it.
        by_others: how many of those another person began.
        total_s: seconds of pause in it, also of pauses that began before.
        longest_s: seconds of the longest in it.
    """

    begun: int = 0
    by_others: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0


@dataclass(slots=True)
class AgentTime:
    """An agent's time in an interval, in seconds: by state, by status, and in pauses by reason."""

    state_s: dict[str, float] = field(default_factory=dict)
    status_s: dict[str, float] = field(default_factory=dict)
    pauses: dict[str, PauseTime] = field(default_factory=dict)

    @property
    def signed_in_s(self) -> float:
        """Seconds signed in, also without a phone that could ring."""
        return sum(self.status_s.values()) - self.status_s.get(SIGNED_OUT, 0.0)

    def occupancy(self) -> float | None:
        """Return the share of working time with callers, in percent; None: there was none.

        That is conversations and wrap-up, of these and being available. Ringing, pauses and private
        calls count for neither.
        """
        talking = self.state_s.get(AgentState.ON_CALL.value, 0.0) - self.status_s.get(PRIVATE, 0.0)
        busy = talking + self.state_s.get(AgentState.WRAP_UP.value, 0.0)
        working = busy + self.state_s.get(AgentState.AVAILABLE.value, 0.0)
        return 100 * busy / working if working > 0 else None


class StateTimes:
    """Adds up what agents were doing in each interval of a report.

    Args:
        run: the report.
        intervals: those that have begun.
        agents: ids as recorded; None: all.
        state: only the time in this state; None: all.
    """

    def __init__(
        self,
        run: ReportRun,
        intervals: Intervals,
        agents: frozenset[str] | None,
        *,
        state: AgentState | None = None,
    ) -> None:
        self._run = run
        self._intervals = intervals
        self._agents = agents
        self._state = None if state is None else state.value
        self._ends = {start: min(end, run.until) for start, end in intervals.bounds()}
        self._found: dict[float, dict[str, AgentTime]] = {start: {} for start in intervals.starts}
        at = AGENT_STATES.c
        began = [*within_period(at.at), *among(at.agent, agents)]
        began += [] if state is None else [at.state == state.value]
        inside = at.until <= sa.bindparam("end_", type_=sa.Double)
        keys = (at.agent, at.state, at.status, at.reason)
        length = at.until - at.at
        self._grouped = (
            sa.select(
                *keys, sa.func.count(), count_if(at.by != ""), total(length), sa.func.max(length)
            )
            .where(*began, inside)
            .group_by(*keys)
        )
        self._crossing = sa.select(at.agent, *keys[1:], at.by, at.at, at.until).where(
            *began, sa.or_(at.until.is_(None), sa.not_(inside))
        )

    def before(self) -> None:
        """Add what began before the first interval and went on in it."""
        start = self._intervals.starts[0]
        for row in last_states(self._run.link, start, self._agents):
            if self._state in {None, row["state"]}:
                self._split(dict(row), begun=False)
        for row in self._continued():
            at = self._intervals.starts[self._intervals.number_of(row["at"])]
            self._begin(at, row["agent"], row["reason"], -1, -int(row["by"] != ""))

    def _continued(self) -> Iterator[sa.RowMapping]:
        """Yield the pauses that a new router found, and that had begun before the last one ended."""
        columns, gap = AGENT_STATES.c, RECORD_GAPS.c
        first, last = self._intervals.starts[0], self._run.until
        ended = sa.select(gap.began_at, gap.ended_at).where(
            gap.kind == GapKind.ROUTER_DOWN.value, gap.ended_at >= first, gap.ended_at < last
        )
        for began_at, ended_at in self._run.link.execute(ended).all():
            paused = sa.select(*columns).where(
                columns.state == AgentState.PAUSED.value,
                columns.at >= max(began_at, first),
                columns.at < min(ended_at + FOUND_WITHIN, last),
                *among(columns.agent, self._agents),
            )
            for row in rows_of(self._run.link, paused):
                earlier = (
                    sa.select(columns.state, columns.reason, columns.at)
                    .where(columns.agent == row["agent"], columns.at <= row["at"])
                    .where(columns.serial < row["serial"])
                    .order_by(columns.at.desc(), columns.serial.desc())
                    .limit(1)
                )
                for state, reason, at in self._run.link.execute(earlier):
                    if (state, reason) == (row["state"], row["reason"]) and at <= began_at:
                        yield row

    def between(self, start: float, from_: float, to: float) -> None:
        """Add what began from `from_` up to, without, `to`, in the interval that begins at `start`."""
        times = {"from_": from_, "to_": to, "end_": min(self._ends[start], self._run.until)}
        for row in self._run.link.execute(self._grouped, times):
            agent, state, status, reason, count, by_others, seconds, longest = row
            if self._time(start, agent) is not None:
                self._put(start, (agent, state, status, reason), seconds, longest)
                if state == AgentState.PAUSED.value:
                    self._begin(start, agent, reason, count, int(by_others))
        for each in self._run.link.execute(self._crossing, times).mappings():
            self._split(dict(each), begun=True)

    def of(self, start: float) -> dict[str, AgentTime]:
        """Return the agents' time in the interval that begins at `start`, by present id."""
        return self._found[start]

    def _time(self, start: float, agent: str) -> AgentTime | None:
        """Return an agent's time in an interval; None: the report is not about this agent."""
        if self._agents is not None and agent not in self._agents:
            return None
        current = self._run.site.agents.current(agent)
        return self._found[start].setdefault(current, AgentTime())

    def _split(self, row: dict[str, Any], *, begun: bool) -> None:
        """Add a state that lasts longer than its interval, or is not over, part by part."""
        agent, state, reason = row["agent"], row["state"], row["reason"]
        until = self._run.until if row["until"] is None else min(row["until"], self._run.until)
        first = max(row["at"], self._intervals.starts[0])
        number = self._intervals.number_of(first)
        for start in self._intervals.starts[number:]:
            begins, ends = max(first, start), min(until, self._ends[start])
            if (ends <= begins and start > first) or self._time(start, agent) is None:
                break
            length = max(0.0, ends - begins)
            self._put(start, (agent, state, row["status"], reason), length, length)
        if begun and state == AgentState.PAUSED.value:
            self._begin(self._intervals.starts[number], agent, reason, 1, int(row["by"] != ""))

    def _put(
        self, start: float, what: tuple[str, str, str, str], seconds: float, longest: float
    ) -> None:
        agent, state, status, reason = what
        time = self._time(start, agent)
        if time is None:
            return
        time.state_s[state] = time.state_s.get(state, 0.0) + seconds
        time.status_s[status] = time.status_s.get(status, 0.0) + seconds
        if state == AgentState.PAUSED.value:
            pause = time.pauses.setdefault(reason, PauseTime())
            pause.total_s += seconds
            pause.longest_s = max(pause.longest_s, longest)

    def _begin(self, start: float, agent: str, reason: str, count: int, by_others: int) -> None:
        time = self._time(start, agent)
        if time is not None:
            pause = time.pauses.setdefault(reason, PauseTime())
            pause.begun += count
            pause.by_others += by_others


class PresenceTimes:
    """Adds up for how long agents were there in each interval, all together: not offline.

    The rows are read once: the few that do not end in their interval are looked up by their numbers.

    Args:
        run: the report.
        intervals: those that have begun.
        agents: ids as recorded; None: all.
    """

    def __init__(self, run: ReportRun, intervals: Intervals, agents: frozenset[str] | None) -> None:
        self._run = run
        self._intervals = intervals
        self._ends = {start: min(end, run.until) for start, end in intervals.bounds()}
        self._found = dict.fromkeys(intervals.starts, 0.0)
        at, end = AGENT_STATES.c, sa.bindparam("end_", type_=sa.Double)
        which = (
            *within_period(at.at),
            *among(at.agent, agents),
            at.state != AgentState.OFFLINE.value,
        )
        crosses = sa.or_(at.until.is_(None), at.until > end)
        self._counted = sa.select(
            sa.func.sum(sa.case((sa.not_(crosses), at.until - at.at))),
            sa.func.aggregate_strings(sa.cast(sa.case((crosses, at.serial)), sa.Text), ","),
        ).where(*which)
        for row in last_states(run.link, intervals.starts[0], agents):
            if row["state"] != AgentState.OFFLINE.value:
                self._split(row["at"], row["until"])

    def between(self, start: float, from_: float, to: float) -> None:
        """Add what began from `from_` up to, without, `to`, in the interval that begins at `start`."""
        times = {"from_": from_, "to_": to, "end_": self._ends[start]}
        inside, crossing = self._run.link.execute(self._counted, times).one()
        self._found[start] += inside or 0.0
        serials = [int(serial) for serial in crossing.split(",")] if crossing else []
        at = AGENT_STATES.c
        for first in range(0, len(serials), _AT_ONCE):
            some = at.serial.in_(serials[first : first + _AT_ONCE])
            for begun, until in self._run.link.execute(sa.select(at.at, at.until).where(some)):
                self._split(begun, until)

    def _split(self, at: float, until: float | None) -> None:
        """Add a time that ends in a later interval than it began, or goes on, part by part."""
        until = self._run.until if until is None else min(until, self._run.until)
        first = max(at, self._intervals.starts[0])
        for start in self._intervals.starts[self._intervals.number_of(first) :]:
            begins, ends = max(first, start), min(until, self._ends[start])
            if ends <= begins and start > first:
                break
            self._found[start] += max(0.0, ends - begins)

    def mean(self, start: float) -> float | None:
        """Return the mean number of agents in an interval; None: it has only just begun."""
        length = self._ends[start] - start
        return None if length <= 0 else round(self._found[start] / length, 3)


def last_states(
    link: sa.Connection, at: float, agents: Iterable[str] | None
) -> Iterator[sa.RowMapping]:
    """Yield the state of each agent that went on at a moment.

    Args:
        link: the open database.
        at: epoch seconds.
        agents: ids as recorded; None: all.
    """
    columns = AGENT_STATES.c
    wanted = None if agents is None else frozenset(agents)
    last = (
        sa.select(*columns)
        .where(columns.agent == sa.bindparam("agent_"), columns.at < sa.bindparam("at_"))
        .order_by(columns.at.desc(), columns.serial.desc())
        .limit(1)
    )
    for agent in distinct(link, columns.agent, AGENT_STATES):
        if wanted is None or agent in wanted:
            for row in rows_of(link, last.params(agent_=agent, at_=at)):
                if row["until"] is None or row["until"] > at:
                    yield row
