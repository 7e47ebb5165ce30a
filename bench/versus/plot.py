"""Plots the distributions: the share of calls served within a given time."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.versus import results
from bench.versus.report import COLUMNS
from bench.versus.results import Results

_COLOURS = {"app_queue": "#c0392b", "floor": "#7f8c8d", "callrouter": "#1f6fb2"}
_STYLES = {"app_queue": "-", "floor": "--", "callrouter": "-"}
_FROM_MS = {results.FREED: 1.0}
_WAIT_FROM_MS = 10.0


def can_plot() -> bool:
    """Return whether matplotlib is installed (the extra `bench`)."""
    return importlib.util.find_spec("matplotlib") is not None


def steps(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the empirical distribution: sorted values, and the share of values not above each."""
    ordered = sorted(values)
    return ordered, [(place + 1) / len(ordered) for place in range(len(ordered))]


def panels(found: Results, loads: Sequence[float]) -> list[tuple[str, str]]:
    """Return title and sample of each panel that has data."""
    wanted = [("agent hangs up → their next INVITE", results.FREED)]
    wanted += [(f"caller's wait, agents {load:.0%} busy", results.waited(load)) for load in loads]
    return [(label, name) for label, name in wanted if any(found.spread(s, name) for s in COLUMNS)]


def plot(found: Results, loads: Sequence[float], title: str, to: Path) -> None:
    """Draw (b), and (f) at each load, into a PNG; needs matplotlib."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    measured = panels(found, loads)
    if not measured:
        return
    wide = min(2, len(measured))
    high = -(-len(measured) // wide)
    figure, axes = plt.subplots(
        high, wide, figsize=(5.2 * wide, 3.4 * high), squeeze=False, layout="constrained"
    )
    for place, axis in enumerate(axes.flat):
        if place < len(measured):
            _panel(axis, found, *measured[place])
        else:
            axis.set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(to, dpi=100)
    plt.close(figure)


def _panel(axis: Any, found: Results, label: str, name: str) -> None:
    left = _FROM_MS.get(name, _WAIT_FROM_MS)
    for system, shown in COLUMNS.items():
        values = found.samples.get(system, {}).get(name)
        if values:
            across, up = steps(values)
            axis.step(
                [max(value, left) for value in across],
                [share * 100 for share in up],
                where="post",
                label=shown,
                color=_COLOURS[system],
                linestyle=_STYLES[system],
                linewidth=1.8,
            )
    axis.set_xscale("log")
    axis.set_xlim(left=left)
    axis.xaxis.set_major_formatter(lambda value, _place: _time(value))
    axis.set_ylim(0, 101)
    axis.set_title(label, fontsize=10)
    axis.set_ylabel("% of calls within", fontsize=9)
    axis.grid(visible=True, which="major", alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")


def _time(milliseconds: float) -> str:
    return f"{milliseconds / 1000:g} s" if milliseconds >= 1000 else f"{milliseconds:g} ms"
