"""Takes the readings of the alarms once a second, and tells what they come to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

from callrouter.alerting.alert_rows import AlertRow
from callrouter.alerting.alert_rules import AlertRule, Measure, Watched
from callrouter.alerting.evaluator import AlertChange, Evaluator, Reading
from callrouter.alerting.recent_answers import RecentAnswers
from callrouter.api.views.watched_views import WatchedViews
from callrouter.clock import Clock
from callrouter.cluster_views import ClusterPool
from callrouter.daemon.alert_texts import alert_status, sentence
from callrouter.model.notices import Notice
from callrouter.settings import Settings
from callrouter.store.location import StoreError
from callrouter.store.repositories import StateRepository

logger = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two readings."""
AGENTS_EVERY: Final = 5
"""Agents are looked at once in so many readings."""
AGENTS_AT_ONCE: Final = 200
"""Agents looked at in one go: less than a millisecond."""
SETTLE: Final = 60.0
"""Seconds from the start for which what a PBX has not shown yet is not known."""
REFUSED_WITHIN: Final = 600.0
"""Seconds for which a refused login counts."""
_LOAD_WITHIN: Final = 10.0
"""Seconds to wait for the alarms of before. Then watching begins without, since the database being
away is one of the alarms."""
_TELL_AFTER: Final = 60.0
"""Seconds from the start for which an alarm waits to be told while those of before cannot be read: it
may have been told. After that it is told once more rather than not at all."""
_AT_ONCE: Final = frozenset(Measure) - {Measure.DATABASE_AWAY}
"""Measures whose alarms wait so."""

_UNKNOWN: Final = Reading(None)
_NONE: Final = Reading(0.0)


class AlertWatch:
    """Watches by the rules in force.

    Args:
        settings: returns the settings in force.
        floor: answers about queues and agents.
        pbxes: returns which PBXes are in step, by id.
        store_trouble: returns why the database can't be written; empty if it can.
        refused: returns how many logins were refused since the start.
        pool: returns the pool of the cluster with its nodes; None: not known, or there is no cluster.
        store: keeps alarms that are on.
        tell: sends an alarm, or its end.
        clock: the time.
        spawn: starts a task with a name.
    """

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        floor: WatchedViews,
        pbxes: Callable[[], Mapping[str, bool]],
        store_trouble: Callable[[], str],
        refused: Callable[[], int],
        pool: Callable[[], ClusterPool | None] = lambda: None,
        store: StateRepository[AlertRow],
        tell: Callable[[AlertChange], None],
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._settings = settings
        self._floor = floor
        self._pbxes = pbxes
        self._store_trouble = store_trouble
        self._refused = refused
        self._pool = pool
        self._store = store
        self._tell = tell
        self._clock = clock
        self._spawn = spawn
        self._recent = RecentAnswers()
        self._evaluator = Evaluator()
        self._rules: tuple[AlertRule, ...] = ()
        self._stored: dict[tuple[str, str], AlertRow] = {}
        self._began = clock.now()
        self._away_since: dict[tuple[Measure, str], float] = {}
        self._refusals: deque[tuple[float, int]] = deque()
        """When logins were refused, and how many."""
        self._refused_before = 0
        self._settled = False
        self._turns = 0
        self._are_known = True
        """Whether the alarms of an earlier run are."""
        self._before: list[AlertRow] | None = None
        """These, once they are read and until the next look."""

    def listen(self, notice: Notice) -> None:
        """Note a call whose wait is over, for the service level of now."""
        self._recent.listen(notice)

    def status(self) -> list[dict[str, Any]]:
        """Return the alarms that are on, for ``/api/status``."""
        return [dict(alert_status(alert)) for alert in self._evaluator.active()]

    async def run(self) -> None:
        """Watch until cancelled. A fault in a reading is logged and does not end it."""
        await asyncio.wait({self.begin_recall()}, timeout=_LOAD_WITHIN)
        while True:
            try:
                await self.look()
            except Exception:
                logger.exception("looking after the alarms failed; going on")
            await asyncio.sleep(EVERY)

    def begin_recall(self) -> asyncio.Task[None]:
        """Begin to read the alarms of an earlier run. The first look after the answer takes them over.

        Until then nothing is stored, or it would take their place.
        """
        self._are_known = False
        return self._spawn(self._read(), "alarms of before")

    async def _read(self) -> None:
        with contextlib.suppress(StoreError):  # the daemon is stopping
            self._before = await self._store.load()

    def _recall(self) -> None:
        """Take over the alarms of an earlier run, once they are read."""
        if self._before is not None:
            rows, self._before, self._are_known = self._before, None, True
            self._take_over(rows)
        waits = not self._are_known and self._clock.now() - self._began < _TELL_AFTER
        self._evaluator.held = _AT_ONCE if waits else ()

    def _take_over(self, rows: Sequence[AlertRow]) -> None:
        """Take over the alarms of an earlier run. Trouble of then that goes on began then."""
        self._stored = {(row.alert, row.subject): row for row in rows}
        self._evaluator.restore(rows)
        rules = {rule.name: rule for rule in self._settings().alerts}
        for row in rows:
            rule = rules.get(row.alert)
            if rule is not None and row.raised:
                self._away_since[rule.measure, row.subject] = row.began

    async def look(self) -> None:
        """Take all readings once."""
        self._recall()
        rules = self._settings().alerts
        if rules != self._rules:
            self._rules = rules
            self._evaluator.use(rules)
        with_agents = self._turns % AGENTS_EVERY == 0
        self._turns += 1
        changes: list[AlertChange] = []
        for rule in rules:
            now = self._clock.now()
            if rule.measure.watched is not Watched.AGENT:
                changes += self._evaluator.read(rule, self._readings(rule, now), now)
            elif with_agents:
                there: set[str] = set()
                async for readings in self._agents(rule, now):
                    changes += self._evaluator.read_part(rule, readings, now)
                    there.update(readings)
                changes += self._evaluator.end_gone(rule, there, now)
            await asyncio.sleep(0)
        for change in changes:
            self._log(change)
        with self._store.together():  # so that a restart knows exactly what was told
            if self._are_known:
                self._keep()
            for change in changes:
                self._tell(change)

    def _readings(self, rule: AlertRule, now: float) -> dict[str, Reading]:
        match rule.measure.watched:
            case Watched.QUEUE:
                there = self._floor.queues()
                wanted = set(rule.queues or there)
                return {name: self._queue(rule, name, now) for name in there if name in wanted}
            case Watched.PBX:
                return {
                    name: self._away(rule, name, away=not up, now=now)
                    for name, up in self._pbxes().items()
                }
            case Watched.NODE:
                return {
                    name: self._away(rule, name, away=away, now=now)
                    for name, away in self._nodes(rule.measure).items()
                }
            case _ if rule.measure is Measure.NO_STANDBY:
                pool = self._pool()
                if pool is None:
                    return {"": _UNKNOWN}
                return {"": self._away(rule, "", away=not pool.standbys, now=now)}
            case _ if rule.measure is Measure.DATABASE_AWAY:
                trouble = self._store_trouble()
                return {"": self._away(rule, "", away=bool(trouble), now=now, why=trouble)}
            case _:
                return {"": self._refused_logins(rule, now)}

    def _nodes(self, measure: Measure) -> dict[str, bool]:
        """Return what a measure says of each node but the active one, which is this one."""
        pool = self._pool()
        if pool is None:
            return {}
        others = [node for node in pool.nodes if node.name != pool.holder]
        match measure:
            case Measure.CONFIG_DIFFERS:
                return {node.name: pool.differs(node) for node in others}
            case Measure.NODE_AWAY:
                return {node.name: node.away or bool(node.problem) for node in others}
            case _:
                return {}

    def _queue(self, rule: AlertRule, queue: str, now: float) -> Reading:
        measure = rule.measure
        if measure is Measure.SIGNED_IN:
            return Reading(self._floor.signed_in(queue))
        if measure is Measure.PRESENT:
            return Reading(self._floor.present(queue))
        if not self._calls_are_known(now):
            return _UNKNOWN
        waits = self._floor.waits(queue, now)
        if measure is Measure.WAITING:
            return Reading(len(waits))
        if measure is Measure.LONGEST_WAIT:
            return Reading(max(waits, default=0.0))
        level = self._settings().service_levels.get(queue)
        if level is None:
            return _UNKNOWN
        overdue = sum(wait > level.within for wait in waits)
        return Reading(self._recent.level(queue, level.within, overdue, now))

    def _calls_are_known(self, now: float) -> bool:
        """Whether every PBX has shown its calls since the start, or had long enough."""
        if not self._settled:
            self._settled = all(self._pbxes().values()) or now - self._began >= SETTLE
        return self._settled

    def _away(
        self, rule: AlertRule, subject: str, *, away: bool, now: float, why: str = ""
    ) -> Reading:
        key = (rule.measure, subject)
        if not away:
            self._away_since.pop(key, None)
            return Reading(0.0)
        return Reading(now - self._away_since.setdefault(key, now), why)

    def _refused_logins(self, rule: AlertRule, now: float) -> Reading:
        """Return the refusals of the last `REFUSED_WITHIN` seconds.

        For so long after the start they may be more, since those of before are not known.
        """
        total = self._refused()
        if total > self._refused_before:
            self._refusals.append((now, total - self._refused_before))
            self._refused_before = total
        while self._refusals and self._refusals[0][0] < now - REFUSED_WITHIN:
            self._refusals.popleft()
        count = sum(number for _, number in self._refusals)
        known = now - self._began >= REFUSED_WITHIN or rule.when.holds(count)
        return Reading(count) if known else _UNKNOWN

    async def _agents(self, rule: AlertRule, now: float) -> AsyncIterator[dict[str, Reading]]:
        """Yield the readings of the agents, a part of them at a time, with a pause for calls between."""
        known, start = self._calls_are_known(now), 0
        while names := self._floor.agents(start, AGENTS_AT_ONCE):
            yield {
                name: self._agent(rule, name, now, known=known)
                for name in names
                if not rule.queues or self._floor.is_member_of(name, rule.queues)
            }
            start += AGENTS_AT_ONCE
            await asyncio.sleep(0)

    def _agent(self, rule: AlertRule, agent: str, now: float, *, known: bool) -> Reading:
        if rule.measure is Measure.PAUSE:
            pause = self._floor.pause(agent, now)
            return _NONE if pause is None else Reading(*pause)
        if not known:
            return _UNKNOWN
        phones = self._floor.unreachable_phones(agent)
        return Reading(len(phones), ", ".join(phones)) if phones else _NONE

    def _log(self, change: AlertChange) -> None:
        words = sentence(change.rule, change.subject, change.reading, over=not change.raised)
        if change.raised:
            logger.warning("alarm %s", words)
        else:
            logger.info("alarm over: %s", words)

    def _keep(self) -> None:
        """Store the alarms that have changed."""
        rows = self._evaluator.rows()
        for key, row in rows.items():
            if self._stored.get(key) != row:
                self._store.put(row)
        _forget(self._store, self._stored.keys() - rows.keys())
        self._stored = rows


def _forget(store: StateRepository[AlertRow], keys: Iterable[tuple[str, str]]) -> None:
    for key in keys:
        store.forget_key(key)
