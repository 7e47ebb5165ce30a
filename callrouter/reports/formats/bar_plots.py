"""Plots with a bar for each queue or agent: calls and waits of queues, time by state of agents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from callrouter.reports.formats.interval_plot import level_column, level_text
from callrouter.reports.formats.plot_style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    OUTCOMES,
    PURPLE,
    SKY,
    clock_axis,
    count_of,
    figure_of,
    finish,
    largest,
    legend,
    new_figure,
    short,
)
from callrouter.reports.report import Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR: Final = 0.27
"""Inches for each bar."""
_MOST_BARS: Final = 200
_STATES: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "on-call": ("on a call", ("on-call",), BLUE),
    "wrap-up": ("wrap-up", ("wrap-up",), SKY),
    "ringing": ("ringing", ("reserved", "ringing"), ORANGE),
    "available": ("available", ("available",), GREEN),
    "paused": ("paused", ("paused",), PURPLE),
}
"""What a part of an agent's bar is called, the states it is the time of, and its colour."""


def draw_agents(report: Report) -> bytes:
    """Return a plot of agents' time by state: a bar for each agent who was signed in."""
    sums: dict[str, dict[str, float]] = {}
    for row in report.rows:
        name = str(row.get("name") or row.get("agent") or "")
        mine = sums.setdefault(name, dict.fromkeys(_STATES, 0.0))
        for part, (_, states, _) in _STATES.items():
            mine[part] += sum(count_of(row, f"state_s.{state}") for state in states)
    present = {name: parts for name, parts in sums.items() if sum(parts.values()) > 0}
    names = list(present)[:_MOST_BARS]
    figure = new_figure(1.75 + _BAR * max(2, len(names)))
    axes = figure.subplots()
    left = [0.0] * len(names)
    for part, (label, _, colour) in _STATES.items():
        widths = [present[name][part] for name in names]
        axes.barh(range(len(names)), widths, height=0.74, left=left, color=colour, label=label)
        left = [low + wide for low, wide in zip(left, widths, strict=True)]
    longest = max(left, default=0.0)
    for place, whole in enumerate(left):
        text = f"{whole / 3600:.1f} h" if longest >= 3600 else f"{whole / 60:.0f} min"
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        axes.annotate(
            text,
            (whole, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            bbox=paper,
        )
    _name_bars(axes, names)
    axes.set_xlim(0, max(60.0, longest) * 1.07)
    clock_axis(axes.xaxis, max(60.0, longest))
    axes.set_xlabel("Time signed in")
    legend(axes)
    away = len(sums) - len(present)
    foot = f"Not signed in at all: {away}." if away else ""
    if len(present) > len(names):
        foot = f"The first {len(names)} of {len(present)} agents. {foot}".strip()
    return finish(figure, report, "Agents: time by state", foot)


def draw_queues(report: Report) -> bytes:
    """Return a plot of queues that are not divided by intervals: a bar for each, in three panels."""
    rows = [row for row in report.rows if row.get("queue")][:_MOST_BARS]
    names = [str(row.get("name") or row.get("queue")) for row in rows]
    figure = new_figure(1.9 + 0.36 * max(2, len(rows)))
    calls, waits, levels = figure.subplots(
        1, 3, sharey=True, gridspec_kw={"width_ratios": (1.5, 1, 1)}
    )
    figure.get_layout_engine().set(wspace=0.07)
    left = [0.0] * len(rows)
    for column, (label, colour) in OUTCOMES.items():
        widths = [count_of(row, column) for row in rows]
        if any(widths) or column == "answered":
            calls.barh(range(len(rows)), widths, height=0.7, left=left, color=colour, label=label)
        left = [low + wide for low, wide in zip(left, widths, strict=True)]
    _name_bars(calls, names)
    calls.set_xlabel("Calls")
    calls.set_xlim(0, max(1.0, max(left, default=0.0)) * 1.05)
    calls.xaxis.get_major_locator().set_params(integer=True)
    _draw_spread(waits, rows)
    level = level_column(report)
    _draw_level_bars(levels, rows, level)
    for axes in (calls, waits):
        legend(axes)
    title = "Queues: calls, waits and service level"
    return finish(figure, report, title, level_text(report, level))


def _draw_spread(axes: Axes, rows: Sequence[Row]) -> None:
    places = range(len(rows))
    long = [figure_of(row, "wait_s.p90") for row in rows]
    middle = [figure_of(row, "wait_s.median") for row in rows]
    axes.hlines(places, middle, long, color=BLUE, linewidth=2.0)
    axes.plot(middle, places, "o", color=BLACK, markersize=5, label="median")
    axes.plot(long, places, "D", color=BLUE, markersize=5, label="90 %")
    longest = largest(long)
    axes.set_xlim(0, max(5.0, longest) * 1.08)
    clock_axis(axes.xaxis, max(5.0, longest) * 1.3)
    axes.set_xlabel("Wait of answered calls")
    axes.tick_params(axis="y", length=0)


def _draw_level_bars(axes: Axes, rows: Sequence[Row], column: str) -> None:
    for place, row in enumerate(rows):
        level = figure_of(row, column)
        axes.barh(place, level, height=0.7, color=SKY)
        text = "no calls" if math.isnan(level) else f"{level:.0f} %"
        axes.text(2, place, text, va="center", fontsize=8.8)
        if row.get("service_level.target") is not None:
            target = figure_of(row, "service_level.target")
            axes.vlines(target, place - 0.45, place + 0.45, color=BLACK, linewidth=1.6)
    axes.set_xlim(0, 104)
    axes.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
    axes.set_xlabel("Service level (line: target)")
    axes.tick_params(axis="y", length=0)


def _name_bars(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(max(1, len(names) - 1) + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
