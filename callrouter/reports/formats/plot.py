"""A report as a picture (PNG): which reports can be drawn, and how."""

from __future__ import annotations

from callrouter.reports.formats.bar_plots import draw_agents, draw_queues
from callrouter.reports.formats.interval_plot import draw_intervals
from callrouter.reports.formats.plot_style import NoPlotError, style
from callrouter.reports.report import Report


def to_png(report: Report) -> bytes:
    """Return a report as a picture; needs matplotlib (the extra ``reports``).

    It is made without a display and shares nothing with other plots, but is not cheap: half a second
    of the processor, and more the first time.

    Raises:
        NoPlotError: there is nothing to draw in this kind of report.
    """
    names = {column.name for column in report.columns}
    with style():
        if "interval" in names and "entered" in names:
            return draw_intervals(report)
        if any(name.startswith("state_s.") for name in names):
            return draw_agents(report)
        if {"queue", "entered"} <= names:
            return draw_queues(report)
    raise NoPlotError(
        f"the report '{report.what}' has no plot; queues, hours and agents have one, and every report "
        "can be had as CSV or a workbook"
    )
