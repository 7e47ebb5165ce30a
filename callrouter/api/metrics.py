"""What Prometheus reads: counters that grow with the records, and the floor as it is when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from callrouter import __version__
from callrouter.api import views
from callrouter.model.commands import Happened, Record, Told

if TYPE_CHECKING:
    from callrouter.api.backend import Backend

WAITS: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
"""Upper bounds, in seconds, of the classes that waits are counted in; service levels are among them."""


class Metrics:
    """Listens to the runtime and counts.

    Names follow Prometheus' own rules: base units, ``_total`` on what only grows. Labels are names from
    the configuration and fixed words, never numbers or names of callers.
    """

    def __init__(self) -> None:
        self.registry = made = CollectorRegistry()
        self._calls = Counter(
            "callrouter_calls", "Calls that entered a queue.", ["queue"], registry=made
        )
        self._ended = Counter(
            "callrouter_calls_ended", "Calls that ended, by how.", ["queue", "how"], registry=made
        )
        self._offers = Counter(
            "callrouter_offers_failed",
            "Offers that came to nothing, by why.",
            ["queue", "why"],
            registry=made,
        )
        self._wait = Histogram(
            "callrouter_answer_wait_seconds",
            "From first entry to connect.",
            ["queue"],
            buckets=WAITS,
            registry=made,
        )

    def listen(self, item: Told) -> None:
        """Take a record in."""
        if not isinstance(item, Record):
            return
        match item.kind:
            case Happened.ENTERED:
                self._calls.labels(item.queue).inc()
            case Happened.CONNECTED:
                self._wait.labels(item.queue).observe(float(item.detail[0]))
            case Happened.OFFER_ENDED:
                self._offers.labels(item.queue, str(item.detail[0])).inc()
            case Happened.LEFT:
                self._ended.labels(item.queue, str(item.detail[0])).inc()
            case Happened.ABANDONED | Happened.COMPLETED | Happened.TRANSFERRED | Happened.TAKEN:
                self._ended.labels(item.queue, item.kind.value).inc()
            case _:
                pass

    def watch(self, backend: Backend) -> None:
        """Tell of the floor, the PBXes and the store as well."""
        self.registry.register(_Now(backend))

    async def answer(self, _request: web.Request) -> web.Response:
        """``GET /metrics``."""
        body = generate_latest(self.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _Now(Collector):
    """The state at the moment of asking."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry need not collect in order to know the names."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Everything that is looked up when asked."""
        b = self._backend
        info = _gauge("info", "The version that runs; always 1.", ["version"])
        info.add_metric([__version__], 1)
        yield info
        yield _gauge("start_time_seconds", "When the daemon started.", value=b.started_at)
        faults = b.extra.get("faults")
        if faults is not None:
            yield _counter("faults", "Faults of the router's own, each logged.", value=faults())
        yield from self._pbxes()
        yield from self._floor()
        store = b.extra.get("store")
        if store is not None:
            yield from _store(store())

    def _pbxes(self) -> Iterable[Metric]:
        up = _gauge("pbx_up", "1 while a PBX is in step.", ["pbx"])
        drift = _counter("pbx_drift", "Differences found that nobody had announced.", ["pbx"])
        for name, health in self._backend.health().items():
            up.add_metric([name], self._backend.in_step(name, health))
            drift.add_metric([name], health.drift)
        return up, drift

    def _floor(self) -> Iterable[Metric]:
        b = self._backend
        waiting = _gauge("queue_waiting", "Calls that wait.", ["queue"])
        longest = _gauge("queue_longest_wait_seconds", "The longest wait of now.", ["queue"])
        present = _gauge("queue_agents", "Agents signed in and not paused.", ["queue"])
        now = b.clock.now()
        for queue in b.floor.queues.values():
            entries = [call.entered_at for call in queue.waiting.values()]
            waiting.add_metric([queue.id], len(entries))
            longest.add_metric([queue.id], max(0.0, now - min(entries, default=now)))
            present.add_metric([queue.id], queue.present)
        counts = views.counts(b.floor)
        agents = _gauge("agents", "Agents, by state.", ["state"])
        calls = _gauge("calls_now", "Calls that are on, by state.", ["state"])
        for family, by_state in ((agents, counts["agents"]), (calls, counts["calls"])):
            for state, count in by_state.items():
                family.add_metric([state], count)
        bad = len(b.config.problems)
        problems = _gauge("config_problems", "Mistakes in the files as they are now.", value=bad)
        return waiting, longest, present, agents, calls, problems


def _store(status: Mapping[str, Any]) -> Iterable[Metric]:
    yield _gauge(
        "store_up", "1 while the database can be written.", value=status["problem"] is None
    )
    yield _gauge("store_unsaved", "What waits to be written.", value=status["unsaved"])
    yield _counter("store_lost", "Rows given up since the database was away.", value=status["lost"])


def _gauge(
    name: str, text: str, labels: list[str] | None = None, *, value: float | None = None
) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"callrouter_{name}", text, value=value, labels=labels)


def _counter(
    name: str, text: str, labels: list[str] | None = None, *, value: float | None = None
) -> CounterMetricFamily:
    return CounterMetricFamily(f"callrouter_{name}", text, value=value, labels=labels)
