"""The reports ``queues`` and ``hours``: what entered queues, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import sqlalchemy as sa

from callrouter.model.text import phrase
from callrouter.record.rows import StayOutcome
from callrouter.record.sql import STAYS
from callrouter.reports.agent_times import PresenceTimes
from callrouter.reports.queries import MONTH, StayCounts
from callrouter.reports.report import Report, ReportColumn, Row, Shown
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.service_level import Target, differences
from callrouter.reports.stay_figures import LEFT_BY, StayFigures

HOURS_BY: Final = "1h"
"""The intervals of ``hours``, unless others are asked for."""
NAMED: Final = 5
"""How many of the calls that make a difference are named."""


def _duration(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.DURATION, unit="s", drop=drop)


def _share(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.SHARE, unit="%", drop=drop)


INTERVAL: Final = ReportColumn(name="interval", title="Interval", shown=Shown.INTERVAL)
_QUEUE: Final = (
    ReportColumn(name="queue", title="Queue", shown=Shown.TEXT),
    ReportColumn(name="name", title="Name", shown=Shown.TEXT, drop=30),
)
FIGURES: Final = (
    ReportColumn(name="entered", title="Entered"),
    ReportColumn(name="answered", title="Answered"),
    ReportColumn(name="abandoned", title="Abandoned"),
    ReportColumn(name="left", title="Left", drop=2),
    ReportColumn(name="waiting", title="Waiting", drop=12),
    ReportColumn(name="refused", title="Refused", drop=11),
    _share("service_level.strict", "Service level", 0),
    _share("service_level.abandons_ignored", "SL abandons ignored", 22),
    _share("service_level.abandons_positive", "SL abandons positive", 23),
    _share("service_level.answered_only", "SL answered only", 24),
    _share("service_level.short_credit", "SL short credit", 25),
    _duration("service_level.within_s", "Within", 8),
    _share("service_level.target", "Target", 7),
    ReportColumn(name="service_level.met", title="Met", shown=Shown.FLAG, drop=9),
    _duration("wait_s.mean", "Mean wait", 0),
    _duration("wait_s.median", "Median wait", 5),
    _duration("wait_s.p90", "90 % wait", 4),
    _duration("wait_s.max", "Longest wait", 3),
    _duration("abandoned_wait_s.mean", "Mean wait, abandoned", 26),
    _duration("abandoned_wait_s.median", "Median wait, abandoned", 27),
    _duration("abandoned_wait_s.p90", "90 % wait, abandoned", 28),
    _duration("abandoned_wait_s.max", "Longest wait, abandoned", 29),
    _share("abandoned_share", "Abandon rate", 6),
    ReportColumn(name="abandoned_within", title="Abandoned in time", drop=20),
    ReportColumn(name="abandoned_short", title="Short", drop=13),
    ReportColumn(name="from_elsewhere", title="From elsewhere", drop=19),
    ReportColumn(name="re_entries", title="Re-entries", drop=21),
    *(
        ReportColumn(name=f"left_by.{item.value}", title=f"Left: {item.value}", drop=40)
        for item in LEFT_BY
    ),
    _duration("talk_s.mean", "Mean talk", 10),
    _duration("talk_s.total", "Talk", 14),
    _duration("hold_s.mean", "Mean hold", 18),
)
STAFFED: Final = ReportColumn(name="agents", title="Agents", shown=Shown.NUMBER, drop=1)


def queue_columns(by: str) -> tuple[ReportColumn, ...]:
    """Return the columns of ``queues``."""
    return (*((INTERVAL,) if by else ()), *_QUEUE, *FIGURES)


def hour_columns() -> tuple[ReportColumn, ...]:
    """Return the columns of ``hours``."""
    return (INTERVAL, *FIGURES, STAFFED)


def queues(run: ReportRun) -> Report:
    """Return a row for each queue, or for each interval and queue with calls.

    Without intervals, a configured queue has a row even if nothing happened.
    """
    must_not(run, agent=run.request.agent)
    by = run.request.by
    total = StayFigures()
    rows: list[Row] = []
    for start, found in _by_interval(run, by):
        if not by:
            _add_idle(run, found)
        for queue in sorted(found):
            total.add(found[queue])
            figures = found[queue].row(run.site.target(queue))
            named = {"queue": queue, "name": run.site.queues.name(queue)}
            rows.append({**({"interval": start} if by else {}), **named, **figures})
    only = _only_queue(run)
    _note_definitions(run, total, only)
    run.note_limits()
    title = f"Queue {only}" if only else "Queues"
    summed = {"queue": "all", **total.row(None if only is None else run.site.target(only))}
    return run.report(title, queue_columns(by), rows, by=by, total=summed)


def hours(run: ReportRun) -> Report:
    """Return a row for each interval, over all queues asked for, even if nothing happened in it."""
    must_not(run, agent=run.request.agent)
    by = run.request.by or HOURS_BY
    only = _only_queue(run)
    target = None if only is None else run.site.target(only)
    total = StayFigures()
    rows: list[Row] = []
    staff = _staff(run, by, only)
    for start, found in _by_interval(run, by, staff.between):
        figures = StayFigures()
        for each in found.values():
            figures.add(each)
        total.add(figures)
        rows.append({"interval": start, **figures.row(target), "agents": staff.mean(start)})
    _note_definitions(run, total, only)
    run.note_limits()
    title = f"Queue {only} by interval" if only else "All queues by interval"
    return run.report(title, hour_columns(), rows, by=by, total=total.row(target))


def _staff(run: ReportRun, by: str, queue: str | None) -> PresenceTimes:
    """Return how many agents were there on average: of one queue, those who may serve it."""
    agents = run.agents()
    if queue is not None:
        members = run.site.agents.recorded(run.site.members.get(queue, {}))
        agents = members if agents is None else agents & members
    return PresenceTimes(run, run.intervals(by), agents)


def _by_interval(
    run: ReportRun, by: str, also: Callable[[float, float, float], None] | None = None
) -> Iterator[tuple[float, dict[str, StayFigures]]]:
    """Yield each interval's beginning, and its figures by queue. `also` is told each piece of it."""
    intervals = run.intervals(by)
    counts = StayCounts(run.link, run.site.queues, run.site.target, run.queues())
    found: dict[str, StayFigures] = {}
    current = intervals.starts[0]
    for start, from_, to in run.pieces(intervals, MONTH):
        if start != current:
            yield current, found
            current, found = start, {}
        for group in counts.between(from_, to):
            found.setdefault(group.queue, StayFigures()).put(group)
        if also is not None:
            also(start, from_, to)
    yield current, found


def _add_idle(run: ReportRun, found: dict[str, StayFigures]) -> None:
    """Add the configured queues in which nothing happened."""
    chosen = run.queues()
    for queue in run.site.queues.shown:
        if chosen is None or queue in chosen:
            found.setdefault(queue, StayFigures())


def _only_queue(run: ReportRun) -> str | None:
    """Return the queue, if the report is about one."""
    return run.site.queues.current(run.request.queue) if run.request.queue else None


def _note_definitions(run: ReportRun, total: StayFigures, only: str | None) -> None:
    """Note by which calls the definitions of the service level differ."""
    found = differences(total.level)
    if not found:
        return
    if only is None:
        run.notes.append(
            phrase(
                "note-levels-differ",
                "The definitions of the service level differ by the abandoned calls alone; "
                "`report abandoned` names them, and `report queues --queue NAME` says what each does.",
            )
        )
        return
    run.notes += [phrase("note", "{sentence}.", sentence=sentence) for sentence in found]
    run.notes += _abandoned_calls(run, run.site.target(only))


def _abandoned_calls(run: ReportRun, target: Target) -> Iterator[str]:
    """Yield which calls make the difference: a description and their ids, the first few of each."""
    period, at = run.request.period, STAYS.c
    short, within = target.short, target.within
    conditions = (
        (
            phrase("note-short", "Short (less than {short})", short=f"{short:g} s"),
            at.wait_s < short,
        ),
        (
            phrase(
                "note-abandoned-within",
                "Abandoned within {within}, not short",
                within=f"{within:g} s",
            ),
            sa.and_(at.wait_s >= short, at.wait_s <= within),
        ),
        (
            phrase("note-abandoned-after", "Abandoned after {within}", within=f"{within:g} s"),
            at.wait_s > within,
        ),
    )
    for which, condition in conditions:
        chosen = (
            sa.select(at.call)
            .where(
                at.queue.in_(sorted(run.queues() or ())),
                at.entered_at >= period.from_,
                at.entered_at < period.to,
                at.outcome == StayOutcome.ABANDONED.value,
                condition,
            )
            .order_by(at.entered_at)
        )
        found = run.link.scalars(chosen.limit(NAMED + 1)).all()
        calls = found[:NAMED]
        if len(found) > NAMED:
            text = "{which}: {calls} and others (`report abandoned` names all)."
            yield phrase("note-abandoned-first", text, which=which, calls=calls)
        elif found:
            yield phrase("note-abandoned-these", "{which}: {calls}.", which=which, calls=calls)
