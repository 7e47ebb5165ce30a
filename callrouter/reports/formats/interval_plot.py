"""Calls, waits and the service level of queues, by interval: three panels, one above the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callrouter.model.text import counted, rough_duration
from callrouter.reports.formats.local_times import SHORTER_THAN_A_DAY, interval_labels
from callrouter.reports.formats.plot_style import (
    BLACK,
    BLUE,
    GREY,
    LINES,
    OUTCOMES,
    clock_axis,
    count_of,
    figure_of,
    finish,
    label_intervals,
    largest,
    legend,
    new_figure,
    short,
)
from callrouter.reports.report import Report, Row, Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LINES: Final = len(LINES)
_HEIGHT: Final = 7.6
_DAY: Final = 90_000.0
"""Seconds of the longest day, on which the clocks go back."""
_MARKED: Final = 40
"""Up to so many intervals, the marks of points are large."""
_MARKS: Final = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True, slots=True)
class _PlotLine:
    """The figures of a queue by interval; None where there is no row."""

    name: str
    rows: Sequence[Row | None]
    colour: str
    mark: str

    def values(self, column: str) -> list[float]:
        return [float("nan") if row is None else figure_of(row, column) for row in self.rows]


def draw_intervals(report: Report) -> bytes:
    """Return a plot of a report whose rows have intervals, and queues or not."""
    every = _starts(report)
    starts = _busy(report, every)
    lines = _lines(report, starts)
    shown = lines[:_MOST_LINES]
    several = len(shown) > 1
    figure = new_figure(_HEIGHT + 0.3 * several)
    calls, waits, levels = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": (1.15, 1, 1)}
    )
    _draw_calls(calls, report, starts)
    if several:
        _draw_waits_of_queues(waits, shown)
    else:
        _draw_waits(waits, shown[0] if shown else None)
    level = level_column(report)
    _draw_levels(levels, report, shown, level)
    labels = [" ".join(text.split()) for text in interval_labels(report, starts).values()]
    for axes in (calls, waits, levels):
        label_intervals(axes, labels)
    figure.align_ylabels()
    title = _of_one(report, lines) or report.title.removesuffix(" by interval")
    title += ": calls, waits and service level"
    foot = level_text(report, level)
    if len(starts) < len(every):
        foot += " No calls came before and after the hours shown."
    if len(lines) > _MOST_LINES:
        foot += (
            f" Lines: the {_MOST_LINES} queues with the most calls; "
            f"{counted(len(lines) - _MOST_LINES, 'other')} in the bars alone."
        )
    return finish(figure, report, title, foot.strip())


def _of_one(report: Report, lines: Sequence[_PlotLine]) -> str:
    return lines[0].name if len(lines) == 1 and _has(report, "queue") else ""


def _has(report: Report, name: str) -> bool:
    return any(column.name == name for column in report.columns)


def _starts(report: Report) -> list[float]:
    found = {row.get("interval") for row in report.rows}
    return sorted(start for start in found if isinstance(start, int | float))


def _busy(report: Report, starts: list[float]) -> list[float]:
    """Return the intervals from the first with calls to the last, with one more at either end.

    All of them, if they are no hours of a single day: a week begins with its Monday.
    """
    if report.by not in SHORTER_THAN_A_DAY or report.to - report.from_ > _DAY:
        return starts
    calls = {row.get("interval") for row in report.rows if count_of(row, "entered")}
    places = [number for number, start in enumerate(starts) if start in calls]
    return starts[max(0, places[0] - 1) : places[-1] + 2] if places else starts


def _lines(report: Report, starts: Sequence[float]) -> list[_PlotLine]:
    """Return a line for each queue, that with the most calls first."""
    by_queue: dict[str, dict[object, Row]] = {}
    for row in report.rows:
        by_queue.setdefault(str(row.get("queue") or ""), {})[row.get("interval")] = row

    def calls(rows: Mapping[object, Row]) -> float:
        return sum(count_of(row, "entered") for row in rows.values())

    ordered = sorted(by_queue.items(), key=lambda item: (-calls(item[1]), item[0]))
    return [
        _PlotLine(
            name=short(name),
            rows=[rows.get(start) for start in starts],
            colour=LINES[place % _MOST_LINES],
            mark=_MARKS[place % _MOST_LINES],
        )
        for place, (name, rows) in enumerate(ordered)
    ]


def _draw_calls(axes: Axes, report: Report, starts: Sequence[float]) -> None:
    """Draw bars as high as the calls that came, divided by how they ended."""
    place = {start: number for number, start in enumerate(starts)}
    below = [0.0] * len(starts)
    for column, (name, colour) in OUTCOMES.items():
        heights = [0.0] * len(starts)
        for row in report.rows:
            start = row.get("interval")
            if isinstance(start, int | float) and start in place:
                heights[place[start]] += count_of(row, column)
        if any(heights) or column == "answered":
            middles = [number + 0.5 for number in range(len(starts))]
            axes.bar(
                middles,
                heights,
                width=0.86,
                bottom=below,
                color=colour,
                label=f"{name} ({sum(heights):,.0f})",
            )
        below = [low + high for low, high in zip(below, heights, strict=True)]
    axes.set_ylabel("Calls")
    axes.set_ylim(0, max(1.0, max(below, default=0.0)) * 1.06)
    axes.yaxis.get_major_locator().set_params(integer=True)
    if any(below):
        legend(axes)
    else:
        axes.text(
            0.5, 0.5, "no calls", transform=axes.transAxes, ha="center", va="center", fontsize=12
        )


def _draw_waits(axes: Axes, line: _PlotLine | None) -> None:
    longest = 0.0
    looks: dict[str, tuple[str, str, dict[str, Any]]] = {
        "wait_s.max": ("longest", GREY, {"linestyle": ":", "linewidth": 1.2}),
        "wait_s.p90": ("90 % waited no longer", BLUE, {"linestyle": "--", "marker": "D"}),
        "wait_s.median": ("median", BLACK, {}),
    }
    for column, (name, colour, look) in looks.items():
        values = [] if line is None else line.values(column)
        longest = largest((longest, *values))
        _plot(axes, values, name, colour, **look)
    _finish_waits(axes, longest, "Wait of answered calls")


def _draw_waits_of_queues(axes: Axes, lines: Sequence[_PlotLine]) -> None:
    longest = 0.0
    for line in lines:
        values = line.values("wait_s.p90")
        longest = largest((longest, *values))
        _plot(axes, values, line.name, line.colour, marker=line.mark)
    _finish_waits(axes, longest, "90 % waited\nno longer than")


def _finish_waits(axes: Axes, longest: float, label: str) -> None:
    axes.set_ylim(0, max(5.0, longest) * 1.06)
    clock_axis(axes.yaxis, max(5.0, longest))
    axes.set_ylabel(label)
    if longest:
        legend(axes)


def _plot(axes: Axes, values: Sequence[float], label: str, colour: str, **look: Any) -> None:
    """Draw a line with a mark at each point: one between two gaps is nothing but its mark."""
    middles = [number + 0.5 for number in range(len(values))]
    look = {"marker": "o", "linewidth": 1.8, **look}
    size = 3.4 if len(values) <= _MARKED else 1.8
    axes.plot(middles, values, color=colour, label=label, markersize=size, clip_on=False, **look)


def _draw_levels(axes: Axes, report: Report, lines: Sequence[_PlotLine], column: str) -> None:
    for line in lines:
        name = line.name if len(lines) > 1 else "service level"
        _plot(axes, line.values(column), name, line.colour, marker=line.mark)
    targets = {row.get("service_level.target") for row in report.rows} - {None}
    if len(targets) == 1:
        target = float(str(targets.pop()))
        axes.axhline(target, color=BLACK, linewidth=1.1, linestyle=(0, (5, 3)))
        axes.annotate(
            f"target {target:g} %",
            (1, target),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8},
        )
    axes.set_ylim(0, 105)
    axes.set_yticks(range(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)])
    axes.set_ylabel("Service level")


def level_column(report: Report) -> str:
    """Return the name of the queue's own service level: the first of them."""
    for column in report.columns:
        own = column.name.startswith("service_level.") and column.name != "service_level.target"
        if own and column.shown is Shown.SHARE:
            return column.name
    return "service_level"


def level_text(report: Report, column: str) -> str:
    """Return what the service level in a plot means, in a sentence."""
    times = {row.get("service_level.within_s") for row in report.rows} - {None}
    within = "the time of each queue"
    if len(times) == 1:
        within = rough_duration(float(str(times.pop())))
    kind = column.rpartition(".")[2].replace("_", " ")
    if kind == "strict":
        return f"Service level: answered within {within}, of all that were answered or abandoned."
    return f"Service level ({kind}): answered within {within}."
