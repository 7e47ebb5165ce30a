"""One run of a report: what was asked for, checked against what there is, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from callrouter.model.text import phrase
from callrouter.record.rows import GapKind
from callrouter.record.sql import AGENT_STATES, CALLS, RECORD_GAPS, STAYS
from callrouter.reports.intervals import Intervals, divide
from callrouter.reports.periods import shown_time
from callrouter.reports.queries import DAY, Progress, distinct, pieces, rows_of
from callrouter.reports.report import Report, ReportColumn, Row
from callrouter.reports.request import Names, ReportError, ReportRequest, Scope, Site

MOST_GAPS = 5
"""How many gaps are named one by one."""


@dataclass(kw_only=True)
class ReportRun:
    """Everything that the making of a report needs.

    Attributes:
        request: what was asked for.
        site: the configuration's part, and the time.
        scope: what the asker may see.
        link: the open database, which is only read.
        progress: is told how much is done.
        notes: sentences for the reader, in the order in which they were found.
    """

    request: ReportRequest
    site: Site
    scope: Scope
    link: sa.Connection
    progress: Progress
    notes: list[str] = field(default_factory=list)

    def queues(self) -> frozenset[str] | None:
        """Return the ids, as recorded, of the queues that the report is about; None: all.

        Raises:
            ReportError: there is no such queue, or the asker may not see it.
        """
        names = self.site.queues
        return self._chosen(names, self.request.queue, self.scope.queues, self.known_queues)

    def agents(self) -> frozenset[str] | None:
        """Return the ids, as recorded, of the agents that the report is about; None: all.

        Raises:
            ReportError: there is no such agent, or the asker may not see them.
        """
        names = self.site.agents
        return self._chosen(names, self.request.agent, self.scope.agents, self.known_agents)

    def known_queues(self) -> set[str]:
        """Return the present ids of all queues: configured ones, and others on record."""
        found = distinct(self.link, STAYS.c.queue, STAYS)
        return {self.site.queues.current(id_) for id_ in found} | set(self.site.queues.shown)

    def known_agents(self) -> set[str]:
        """Return the present ids of all agents: configured ones, and others on record."""
        found = distinct(self.link, AGENT_STATES.c.agent, AGENT_STATES)
        return {self.site.agents.current(id_) for id_ in found} | set(self.site.agents.shown)

    @staticmethod
    def _chosen(
        names: Names, asked: str, visible: frozenset[str] | None, known: object
    ) -> frozenset[str] | None:
        if not asked:
            return None if visible is None else names.recorded(visible)
        current = names.current(asked)
        if current not in names.shown or (visible is not None and current not in visible):
            there = known() if callable(known) else set()
            if visible is not None:
                there &= visible
            if current not in there:
                raise names.unknown(asked, sorted(there))
        return names.recorded({current})

    # ------------------------------------------------------------ time

    @property
    def until(self) -> float:
        """Up to where something can have happened, in epoch seconds."""
        return self.request.period.until(self.site.now)

    def intervals(self, by: str) -> Intervals:
        """Return the period's intervals, without those that have not begun yet.

        Raises:
            PeriodError: they cannot be, or would be too many.
        """
        found = divide(self.request.period, by, self.site.zone)
        begun = [start for start in found.starts if start <= self.site.now]
        return Intervals(
            begun, found.starts[len(begun)] if len(begun) < len(found.starts) else found.to
        )

    def pieces(
        self, intervals: Intervals, longest: float = DAY
    ) -> Iterator[tuple[float, float, float]]:
        """Yield an interval's beginning and the pieces to ask for, and tell the progress.

        Args:
            intervals: those that have begun.
            longest: seconds of a piece.
        """
        span = max(intervals.to - intervals.starts[0], 1.0)
        for start, end in intervals.bounds():
            for from_, to in pieces(start, end, longest):
                yield start, from_, to
                self.progress(min(1.0, (to - intervals.starts[0]) / span))

    # ------------------------------------------------------------ notes

    def note_limits(self) -> None:
        """Note what the reader must know of the period: that it goes on, and what is missing."""
        period, zone = self.request.period, self.site.zone
        if period.to > self.site.now:
            now = shown_time(self.site.now, zone)
            text = "The period is not over: figures up to {now}."
            self.notes.append(phrase("note-period-goes-on", text, now=now))
        first = self.link.scalar(sa.select(sa.func.min(CALLS.c.entered_at)))
        if first is not None and first > period.from_:
            begins = shown_time(first, zone)
            text = "The record begins at {begins}."
            self.notes.append(phrase("note-record-begins", text, begins=begins))
        self._note_gaps()

    def _note_gaps(self) -> None:
        period, zone = self.request.period, self.site.zone
        gaps = rows_of(
            self.link,
            sa.select(*RECORD_GAPS.c)
            .where(RECORD_GAPS.c.began_at < period.to, RECORD_GAPS.c.ended_at > period.from_)
            .order_by(RECORD_GAPS.c.began_at),
        )
        for gap in gaps[:MOST_GAPS]:
            begin, end = (shown_time(gap[name], zone) for name in ("began_at", "ended_at"))
            if gap["kind"] == GapKind.ROUTER_DOWN.value:
                text = (
                    "The router was down from {begin} to {end}: nothing is on record for that time."
                )
                self.notes.append(phrase("note-router-down", text, begin=begin, end=end))
                continue
            self.notes.append(
                phrase(
                    "note-database-away",
                    "The database was away from {begin} to {end}: {count_many} row of {table} was lost.",
                    "The database was away from {begin} to {end}: {count_many} rows of {table} were lost.",
                    begin=begin,
                    end=end,
                    count=gap["rows_lost"],
                    count_many=gap["rows_lost"],
                    table=gap["table_name"],
                )
            )
        if len(gaps) > MOST_GAPS:
            one = "{count} more gap in the period is not named here."
            many = "{count} more gaps in the period are not named here."
            self.notes.append(phrase("note-more-gaps", one, many, count=len(gaps) - MOST_GAPS))

    # ------------------------------------------------------------ the result

    def report(
        self,
        title: str,
        columns: Sequence[ReportColumn],
        rows: Sequence[Row],
        *,
        by: str = "",
        total: Row | None = None,
        span: tuple[float, float] | None = None,
    ) -> Report:
        """Return the report, with the notes. `span` is its time, if that is not the period's."""
        from_, to = span or (self.request.period.from_, self.request.period.to)
        return Report(
            what=self.request.what,
            title=title,
            from_=from_,
            to=to,
            zone=self.site.zone,
            by=by,
            edges=self.intervals(by).starts if by else (),
            columns=columns,
            rows=rows,
            total=total,
            notes=tuple(self.notes),
        )


def must_not(run: ReportRun, **given: str) -> None:
    """Refuse options that a kind of report does not have.

    Raises:
        ReportError: one of them was given.
    """
    for name, value in given.items():
        if value:
            text = "report {report} has no --{option}; leave it out"
            raise ReportError(
                phrase("report-without-option", text, report=run.request.what, option=name)
            )
