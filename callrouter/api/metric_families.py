"""Families of Prometheus metrics, named and typed in one way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from callrouter.api.calllog.totals import WaitHistogram


class Families(Collector):
    """What collects some families of metrics."""

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registration does not collect just to learn the names."""
        return ()


def gauge(
    name: str, text: str, labels: list[str] | None = None, *, value: float | None = None
) -> GaugeMetricFamily:
    """Return a gauge.

    Args:
        name: its name without ``callrouter_``.
        text: its help.
        labels: the names of its labels; its samples are added to it.
        value: its value, if it has no labels.
    """
    return GaugeMetricFamily(f"callrouter_{name}", text, value=value, labels=labels)


def counter(
    name: str, text: str, labels: list[str] | None = None, *, value: float | None = None
) -> CounterMetricFamily:
    """Return a counter. Its name gets a ``_total``; otherwise as `gauge`."""
    return CounterMetricFamily(f"callrouter_{name}", text, value=value, labels=labels)


def histogram(name: str, text: str, by_queue: Mapping[str, WaitHistogram]) -> HistogramMetricFamily:
    """Return a histogram with a label for the queue."""
    family = HistogramMetricFamily(f"callrouter_{name}", text, labels=["queue"])
    for queue, seen in by_queue.items():
        bounds = [*(str(float(bound)) for bound in seen.bounds), "+Inf"]
        classes = list(zip(bounds, accumulate(seen.classes), strict=True))
        family.add_metric([queue], classes, seen.seconds)
    return family
