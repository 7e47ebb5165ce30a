"""Draws what was measured, and from there on the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.scale.cost_model import CostModel, Point

_UP_TO = 100


def plot(
    points: Sequence[Point], model: CostModel, rate: float, shares: Mapping[str, float], to: Path
) -> None:
    """Draw the work of a router's loop at up to a hundred Asterisks, and what it consists of.

    Args:
        points: what was measured.
        model: what was fitted to it.
        rate: calls a second at each Asterisk.
        shares: milliseconds of the loop for a call, by part.
        to: the PNG.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(3, 2))
    sizes = list(range(1, _UP_TO + 1))
    left.plot(sizes, [model.work(n, n * rate) * 100 for n in sizes], "--", color="#7f8c8d",
              label="from the measurements on paper")  # fmt: skip
    busy = [one for one in points if one.calls / one.asterisks / rate < 1.5 and one.calls]
    left.plot([one.asterisks for one in busy], [one.work * 100 for one in busy], "o",
              color="#1f6fb2", label="measured")  # fmt: skip
    left.axhline(100, color="#c0392b", linewidth=1, label="a whole processor")
    left.set_xlabel(f"Asterisks with {rate * 60:.0f} calls a minute each, at one router")
    left.set_ylabel("the router's loop, % of a processor")
    left.set_ylim(0, 110)
    left.legend(loc="center left")
    names = sorted(shares, key=lambda name: shares[name])
    right.barh(names, [shares[name] for name in names], color="#1f6fb2")
    right.set_xlabel("ms of the loop for a call, 20 Asterisks")
    figure.tight_layout()
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, dpi=110)
    plt.close(figure)
