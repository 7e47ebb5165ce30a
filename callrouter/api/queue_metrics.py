"""Metrics of queues: service levels, waits, and what their agents do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric

from callrouter.api.calllog.service_totals import ServiceTotals
from callrouter.api.metric_families import Families, counter, gauge, histogram
from callrouter.api.views.floor_views import FloorViews
from callrouter.model.agent_status import AgentState

OTHER: Final = "other"
"""Stands for every pause whose reason is not in the configuration: agents may enter any text."""


class ServiceMetrics(Families):
    """Waits that ended, as service levels count them.

    There are at most six series of calls for each queue.
    """

    def __init__(self, totals: ServiceTotals, views: FloorViews) -> None:
        self._totals = totals
        self._views = views

    def collect(self) -> Iterable[Metric]:
        """Return all counters, and what the queues aim at."""
        calls = counter(
            "service_calls",
            "Waits that ended, by how, whether in time, and whether too short to count.",
            ["queue", "end", "in_time", "short"],
        )
        for kind, count in self._totals.calls.items():
            calls.add_metric(
                [kind.queue, kind.end.value, _word(kind.in_time), _word(kind.short)], count
            )
        yield calls
        within = gauge(
            "queue_service_within_seconds",
            "Wait within which a call is answered in time.",
            ["queue"],
        )
        target = gauge(
            "queue_service_target_ratio", "Share of calls that the queue aims at.", ["queue"]
        )
        for load in self._views.queue_loads():
            aim = self._totals.target(load.queue)
            within.add_metric([load.queue], aim.within)
            if aim.percent is not None:
                target.add_metric([load.queue], aim.percent / 100)
        yield from (within, target)
        yield histogram(
            "abandon_wait_seconds",
            "From entry into the queue to the caller's hanging up.",
            self._totals.abandoned,
        )
        yield histogram("talk_seconds", "From connect to the end of the call.", self._totals.talks)


class StaffMetrics(Families):
    """What the agents of each queue do now.

    An agent counts in each of their queues. For each queue there is a series for each state and
    for each configured reason of a pause, and one for all other reasons.
    """

    def __init__(self, views: FloorViews) -> None:
        self._views = views

    def collect(self) -> Iterable[Metric]:
        """Return both gauges."""
        states = gauge("queue_agents_state", "Agents of a queue, by state.", ["queue", "state"])
        pauses = gauge(
            "queue_agents_paused", "Paused agents of a queue, by reason.", ["queue", "reason"]
        )
        reasons = [pause["reason"] for pause in self._views.pauses()]
        for staff in self._views.queue_staff():
            for state in AgentState:
                states.add_metric([staff.queue, state.value], staff.states[state])
            for reason in reasons:
                pauses.add_metric([staff.queue, reason], staff.pauses[reason])
            known = sum(staff.pauses[reason] for reason in reasons)
            pauses.add_metric([staff.queue, OTHER], staff.pauses.total() - known)
        return states, pauses


def _word(true: bool) -> str:
    return "yes" if true else "no"
