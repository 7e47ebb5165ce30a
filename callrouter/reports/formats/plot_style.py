"""What all plots have in common: their size, title, colours and axes of time. Needs matplotlib."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from callrouter.model.text import clean
from callrouter.reports.formats.local_times import period_text, zone_name
from callrouter.reports.report import Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
RED: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
BLACK: Final = "#333333"
GREY: Final = "#A6A6A6"
"""The colours of Okabe and Ito, which people with any kind of colour vision tell apart."""
LINES: Final = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
"""Colours of several lines in one panel."""
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "answered": ("answered", BLUE),
    "abandoned": ("abandoned", RED),
    "left": ("left the queue", GREY),
}
"""How calls ended: name and colour by column."""

WIDTH: Final = 10.0
"""Inches of every plot."""
DPI: Final = 130
_MUTED: Final = "#666666"
_SETTINGS: Final[dict[str, Any]] = {
    "font.size": 9.5,
    "font.family": ["DejaVu Sans"],
    # An agent's name may have a $ in it, which is no formula.
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": BLACK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "text.color": BLACK,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "figure.facecolor": "white",
}


class NoPlotError(ValueError):
    """The report cannot be drawn. The text says why, and what can."""


def style() -> AbstractContextManager[None]:
    """Return a context in which plots look alike."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    settings: AbstractContextManager[None] = mpl.rc_context(_SETTINGS)
    return settings


def new_figure(height: float) -> Figure:
    """Return an empty figure of the usual width, `height` inches high; drawn in memory alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure, report: Report, title: str, foot: str = "") -> bytes:
    """Put a heading above a figure and a line below it, and return it as PNG.

    Args:
        figure: the figure with its panels.
        report: says the period and the time zone.
        title: what it shows.
        foot: what a reader must know to read it; empty: nothing.
    """
    height = figure.get_figheight()
    intervals = f", by {_INTERVALS[report.by]}" if report.by in _INTERVALS else ""
    head, base = 0.62 / height, (0.28 / height if foot else 0.0)
    figure.get_layout_engine().set(rect=(0.005, base, 0.985, 1 - head - base))
    figure.text(0.012, 1 - 0.13 / height, short(title, 90), fontsize=13, weight="bold", va="top")
    about = f"{period_text(report)}{intervals} ({zone_name(report.zone)})"
    figure.text(0.012, 1 - 0.37 / height, about, fontsize=10, color=_MUTED, va="top")
    if foot:
        figure.text(0.012, 0.08 / height, clean(foot), fontsize=8.5, color=_MUTED, va="bottom")
    content = io.BytesIO()
    with warnings.catch_warnings():
        # A character that no font has is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(content, format="png", metadata={"Software": "callrouter"})
    return content.getvalue()


_INTERVALS: Final = {
    "15m": "15 minutes",
    "30m": "30 minutes",
    "1h": "hour",
    "1d": "day",
    "1w": "week",
    "1mo": "month",
}


def short(text: str, most: int = 28) -> str:
    """Return a text for a label, cut to `most` characters."""
    text = clean(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def figure_of(row: Row, name: str) -> float:
    """Return a figure of a row; not a number, which is not drawn, where there is none."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def count_of(row: Row, name: str) -> float:
    """Return a count of a row; 0 where there is none."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def largest(values: Iterable[float]) -> float:
    """Return the largest of some figures, leaving out what is not a number; 0 of none."""
    return max((value for value in values if not math.isnan(value)), default=0.0)


def clock_axis(axis: Any, longest: float) -> None:
    """Show seconds on an axis as minutes and seconds, or hours and minutes.

    Args:
        axis: the axis of a panel, beginning at 0.
        longest: seconds of the largest value on it.
    """
    from matplotlib.ticker import FuncFormatter, MultipleLocator  # noqa: PLC0415 - an extra

    axis.set_major_locator(MultipleLocator(tick_step(longest)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: clock_text(value, longest)))


def tick_step(longest: float, most: int = 6) -> float:
    """Return the distance of ticks in seconds: a round one, so that there are `most` at most."""
    steps = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400)
    for step in steps:
        if longest / step <= most:
            return float(step)
    return 28_800.0 * max(1, -(-longest // (28_800 * most)))


def clock_text(seconds: float, longest: float) -> str:
    """Return a duration for a tick: ``45 s``, ``2:30``, ``1:15 h``; 0 is ``0``."""
    whole = round(seconds)
    if whole == 0:
        return "0"
    if longest < 60:
        return f"{whole} s"
    if longest < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    minutes = whole % 3600 // 60
    return f"{whole // 3600}:{minutes:02} h" if minutes else f"{whole // 3600} h"


def label_intervals(axes: Axes, labels: Sequence[str], most: int = 13) -> None:
    """Name the intervals below a panel, each where it begins, and leave some out if they are many.

    Args:
        axes: the panel, in which each interval has a width of 1, the first from 0 to 1.
        labels: the names of all intervals.
        most: how many are named at most.
    """
    longest = max(map(len, labels), default=0)
    if longest > 6:
        most = max(3, round(most * 7 / longest))
    step = _step(len(labels), most)
    # Whole hours are named rather than half ones.
    first = next((n for n, label in enumerate(labels[:step]) if label.endswith(":00")), 0)
    places = list(range(first, len(labels), step))
    axes.set_xlim(0, max(1, len(labels)))
    middle = 0.0 if longest <= 5 else 0.5
    axes.set_xticks([place + middle for place in places], [labels[place] for place in places])
    axes.tick_params(axis="x", length=3)
    axes.grid(visible=False, axis="x")


def _step(count: int, most: int) -> int:
    rounds = (1, 2, 3, 4, 6, 8, 12, 24, 48)
    return next((step for step in rounds if count / step <= most), -(-count // most))


def legend(axes: Axes) -> None:
    """Put the legend above a panel, in a line, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=6, fontsize=9, borderaxespad=0.2)
