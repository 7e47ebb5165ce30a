"""Prometheus metrics: counters fed by notices, and gauges read from the floor on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from callrouter import __version__
from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.totals import MISTAKES
from callrouter.api.metric_families import Families, counter, gauge, histogram
from callrouter.api.queue_metrics import ServiceMetrics, StaffMetrics
from callrouter.api.shared_answers import LISTS

if TYPE_CHECKING:
    from callrouter.api.context import Backend


class Metrics:
    """The answer to ``GET /metrics``.

    Names follow the conventions of Prometheus: base units, and ``_total`` for counters. Labels are
    names from the configuration and fixed words, never numbers or names of callers.
    """

    def __init__(self, backend: Backend) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Counted(backend.call_log))
        self._registry.register(ServiceMetrics(backend.service_totals, backend.views))
        self._registry.register(_Now(backend))
        self._registry.register(StaffMetrics(backend.views))

    async def answer(self, request: web.Request) -> web.Response:
        """``GET /metrics``.

        Made like a list, so scrapes at the same time share one answer. It is made on the event
        loop.
        """
        body = await request.app[LISTS].answer("metrics", self._make)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _make(self) -> bytes:
        return generate_latest(self._registry)


class _Counted(Families):
    """Counters since the start.

    A queue appears once it has had a call.
    """

    def __init__(self, log: CallLog) -> None:
        self._log = log

    def collect(self) -> Iterable[Metric]:
        """Return all counters."""
        totals = self._log.totals()
        calls = counter("calls", "Calls that entered a queue.", ["queue"])
        for queue, count in totals.calls.items():
            calls.add_metric([queue], count)
        ended = counter("calls_ended", "Calls that ended, by how.", ["queue", "how"])
        offers = counter("offers_failed", "Offers that came to nothing, by why.", ["queue", "why"])
        for family, by_what in ((ended, totals.ended), (offers, totals.offers)):
            for labels, count in by_what.items():
                family.add_metric(list(labels), count)
        waits = histogram(
            "answer_wait_seconds", "From entry into the queue to connect.", totals.waits
        )
        text = "Calls that came in wrongly: queues that do not exist, values that were not used."
        mistakes = counter("entry_mistakes", text, ["what"])
        for what in MISTAKES:
            mistakes.add_metric([what], totals.mistakes[what])
        return calls, ended, offers, waits, mistakes


class _Now(Families):
    """The current state.

    What the daemon does not have (tests, the simulation) is left out: faults, the store, mobiles.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterable[Metric]:
        """Return all gauges."""
        b = self._backend
        info = gauge("info", "The version that runs; always 1.", ["version"])
        info.add_metric([__version__], 1)
        yield info
        yield gauge("start_time_seconds", "When the daemon started.", value=b.started_at)
        faults = b.extra.get("faults")
        if faults is not None:
            yield counter("faults", "Faults of the router's own, each logged.", value=faults())
        yield from self._http()
        yield from self._cluster()
        yield from self._pbxes()
        yield from self._floor()
        store = b.extra.get("store")
        if store is not None:
            yield from _store(store())
        yield from self._record()
        queue_log = b.extra.get("queue_log")
        if queue_log is not None:
            yield from _queue_log(queue_log())
        if (alerts := b.extra.get("alerts")) is not None:
            yield _alerts(alerts())
        if (outbox := b.extra.get("outbox")) is not None:
            yield from _outbox(outbox())
        mobiles, reception = b.extra.get("mobiles"), b.extra.get("reception")
        if mobiles is not None and reception is not None:
            yield from _fraud(mobiles(), reception())

    def _record(self) -> Iterable[Metric]:
        extra = self._backend.extra
        if (deleted := extra.get("deleted")) is not None:
            text = "What was deleted from the record as `history` says, by what it is."
            rows = counter("record_deleted", text, ["what"])
            for what, count in deleted().items():
                rows.add_metric([what], count)
            yield rows
        if (record := extra.get("record")) is not None:
            status = record()
            text = "Rows of the record of calls that wait to be written."
            yield gauge("record_unsaved", text, value=status["waiting"])
            text = "Rows of the record given up while the database was away."
            yield counter("record_lost", text, value=status["lost"])

    def _http(self) -> Iterable[Metric]:
        refusals = self._backend.refusals
        refused = counter("http_refused", "Requests refused, by kind of problem.", ["kind"])
        for kind, count in refusals.counts.items():
            refused.add_metric([kind], count)
        yield refused
        delayed = counter("http_delayed", "Answers that were delayed, by why.", ["why"])
        for why, count in refusals.delayed.items():
            delayed.add_metric([why], count)
        yield delayed

    def _cluster(self) -> Iterable[Metric]:
        cluster = self._backend.cluster
        if cluster is None:
            return
        known = cluster.known()
        node = gauge("cluster_node_info", "This node; always 1.", ["node", "pool"])
        node.add_metric([cluster.node, cluster.pool], 1)
        yield node
        text = "1 while this node serves its pool, 0 while it is a standby."
        yield gauge("cluster_active", text, value=cluster.active)
        if known is not None:
            text = "How many times a node has taken the pool over."
            yield gauge("cluster_epoch", text, value=known.epoch)
            text = "Nodes of the pool that could take over now."
            yield gauge("cluster_standbys", text, value=len(known.standbys))
        text = "Requests that came while this node was a standby, by what became of them."
        forwarded = counter("cluster_forwarded", text, ["result"])
        for result, count in self._backend.forwarded.items():
            forwarded.add_metric([result], count)
        yield forwarded

    def _pbxes(self) -> Iterable[Metric]:
        up = gauge("pbx_up", "1 while a PBX is in step.", ["pbx"])
        text = "What a PBX lacks for callers to be served, such as contexts of its dialplan."
        missing = gauge("pbx_missing", text, ["pbx"])
        drift = counter("pbx_drift", "Differences found that nobody had announced.", ["pbx"])
        text = "What a PBX did that was odd and harmless, such as requests that were refused."
        odd = counter("pbx_odd", text, ["pbx", "what"])
        text = "Messages of a PBX that the router failed to handle, each logged."
        faults = counter("pbx_faults", text, ["pbx"])
        link: dict[str, CounterMetricFamily] = {}
        for name, health in self._backend.health().items():
            up.add_metric([name], self._backend.in_step(name, health))
            faults.add_metric([name], health.faults)
            for one in health.link:
                family = link.get(one.name) or counter(one.name, one.meaning, ["pbx"])
                link[one.name] = family
                family.add_metric([name], one.value)
            missing.add_metric([name], len(health.missing))
            drift.add_metric([name], health.drift)
            for what, count in health.counts.items():
                odd.add_metric([name, what], count)
        return up, missing, drift, odd, faults, *link.values()

    def _floor(self) -> Iterable[Metric]:
        b = self._backend
        waiting = gauge("queue_waiting", "Calls that wait.", ["queue"])
        longest = gauge("queue_longest_wait_seconds", "The longest wait of now.", ["queue"])
        present = gauge("queue_agents", "Agents signed in and not paused.", ["queue"])
        for load in b.views.queue_loads():
            waiting.add_metric([load.queue], load.waiting)
            longest.add_metric([load.queue], load.longest_wait)
            present.add_metric([load.queue], load.present)
        totals = b.views.totals()
        agents = gauge("agents", "Agents, by state.", ["state"])
        calls = gauge("calls_now", "Calls that are on, by state.", ["state"])
        for state, count in totals["agents"].items():
            agents.add_metric([state], count)
        for call_state, count in totals["calls"].items():
            calls.add_metric([call_state], count)
        bad = len(b.config.problems)
        problems = gauge("config_problems", "Mistakes in the files as they are now.", value=bad)
        text = "What the files have lost and what waits for a second sign."
        held = gauge("config_held", text, value=len(b.config.held))
        text = "1 while the daemon runs with the last good configuration since its start."
        good = gauge("config_last_good", text, value=b.config.last_good)
        return waiting, longest, present, agents, calls, problems, held, good


def _store(status: Mapping[str, Any]) -> Iterable[Metric]:
    yield gauge("store_up", "1 while the database can be written.", value=status["problem"] is None)
    yield gauge("store_unsaved", "What waits to be written.", value=status["unsaved"])
    yield counter("store_lost", "Rows given up since the database was away.", value=status["lost"])


def _queue_log(status: Mapping[str, Any]) -> Iterable[Metric]:
    yield gauge(
        "queue_log_up",
        "1 while the file of queue_log can be written.",
        value=status["problem"] is None,
    )
    yield gauge("queue_log_unsaved", "Lines that wait to be written.", value=status["waiting"])
    yield counter("queue_log_lost", "Lines of queue_log given up.", value=status["lost"])


def _alerts(active: Sequence[Mapping[str, Any]]) -> Metric:
    """Return how many alarms of each name are on. One that is not on has no sample."""
    firing = gauge("alerts_firing", "Alarms that are on, by name.", ["alert"])
    for name, count in Counter(alert["alert"] for alert in active).items():
        firing.add_metric([name], count)
    return firing


def _outbox(status: Mapping[str, Any]) -> Iterable[Metric]:
    waiting = gauge("outbox_waiting", "Events that are not delivered yet.", ["destination"])
    text = "Age of the oldest event that is not delivered yet."
    oldest = gauge("outbox_oldest_seconds", text, ["destination"])
    delivered = counter("outbox_delivered", "Events that were delivered.", ["destination"])
    failed = counter("outbox_failed_attempts", "Attempts that failed.", ["destination"])
    text = "Events that were given up, each logged."
    given_up = counter("outbox_given_up", text, ["destination"])
    for name, line in status["destinations"].items():
        waiting.add_metric([name], line["waiting"])
        oldest.add_metric([name], line["oldest_s"] or 0.0)
        delivered.add_metric([name], line["delivered"])
        failed.add_metric([name], line["failed_attempts"])
        given_up.add_metric([name], line["given_up"])
    return waiting, oldest, delivered, failed, given_up


def _fraud(mobiles: Mapping[str, Any], reception: Mapping[str, Any]) -> Iterable[Metric]:
    """Return signs of attempted toll fraud: calls placed at our cost."""
    calls = mobiles["calls_today"]
    yield gauge("verification_calls_24h", "Placed within the last 24 hours.", value=calls)
    refused = counter("mobiles_refused", "Requests and codes that were refused, by why.", ["why"])
    for why, count in mobiles["refused"].items():
        refused.add_metric([why], count)
    yield refused
    yield counter("wrong_pins", "Wrong PINs at phones.", value=reception["wrong_pins"])
    yield counter("lockouts", "Locks after wrong PINs.", value=reception["lockouts"])
    closed = float(reception.get("outside_closed_s", 0) > 0)
    yield gauge("pins_outside_closed", "1 while no PIN is taken from outside.", value=closed)
