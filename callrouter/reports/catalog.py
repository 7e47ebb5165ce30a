"""All kinds of reports, by the names that commands and the API use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import sqlalchemy as sa

from callrouter.reports import (
    agent_report,
    call_report,
    call_story,
    fairness_report,
    figure_calls,
    queue_report,
)
from callrouter.reports.queries import Progress
from callrouter.reports.report import Report
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.request import ReportError, ReportRequest, Scope, Site


def _calls(run: ReportRun) -> Report:
    """Return the calls of a period, or those that make a figure."""
    return figure_calls.calls_of_figure(run) if run.request.figure else call_report.calls(run)


_MAKERS: Final[Mapping[str, Callable[[ReportRun], Report]]] = {
    "queues": queue_report.queues,
    "agents": agent_report.agents,
    "calls": _calls,
    "abandoned": call_report.abandoned,
    "pauses": agent_report.pauses,
    "hours": queue_report.hours,
    "fairness": fairness_report.fairness,
    "call": call_story.story,
}
WHATS: Final = tuple(_MAKERS)
"""The kinds of reports."""


def _silent(_done: float) -> None:
    """Progress that is not wanted."""


def make(
    request: ReportRequest,
    site: Site,
    scope: Scope,
    link: sa.Connection,
    progress: Progress = _silent,
) -> Report:
    """Return a report. Blocks; for the thread that reads the record.

    Args:
        request: what is asked for.
        site: the configuration's part, and the time.
        scope: what the asker may see.
        link: the open database. It is only read.
        progress: is told which share is done, from 0 to 1, in the same thread.

    Raises:
        ReportError: there is no such report, queue, agent or call, or it has no such option.
        PeriodError: the intervals cannot be.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
    """
    maker = _MAKERS.get(request.what)
    if maker is None:
        raise ReportError(f"there is no report {request.what!r}; there are {', '.join(WHATS)}")
    run = ReportRun(request=request, site=site, scope=scope, link=link, progress=progress)
    if request.what != "calls":
        must_not(run, figure=request.figure)
    return maker(run)
