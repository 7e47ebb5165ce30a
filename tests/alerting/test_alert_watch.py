"""What each measure reads, on a floor with a virtual clock."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from callrouter.alerting.alert_rows import AlertRow
from callrouter.alerting.alert_rules import AlertRule, Limit, Measure
from callrouter.alerting.evaluator import Reading
from callrouter.api.views.watched_views import WatchedViews
from callrouter.cluster_views import ClusterPool
from callrouter.daemon.alert_texts import sentence
from callrouter.daemon.alert_watch import REFUSED_WITHIN, SETTLE, AlertWatch
from callrouter.model.events import DeviceState
from callrouter.model.notices import Notice
from callrouter.settings import ServiceLevel
from callrouter.settings.schema.condition_parsing import parse_condition
from callrouter.tasks import Tasks
from tests.api.forwarding.pair import node, pool
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

START = 1_000_000.0


class FakeStore:
    """What the database holds."""

    def __init__(self, rows: list[AlertRow] | None = None) -> None:
        self.rows = {(row.alert, row.subject): row for row in rows or []}

    def put(self, row: AlertRow) -> None:
        self.rows[row.alert, row.subject] = row

    def forget_key(self, key: tuple[str, str]) -> None:
        self.rows.pop(key, None)

    away: asyncio.Event | None = None

    async def load(self) -> list[AlertRow]:
        if self.away is not None:
            await self.away.wait()
        return list(self.rows.values())

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()


def alarm(
    when: str, *, queues: tuple[str, ...] = (), clear: str = "", for_s: float = 0.0
) -> AlertRule:
    measure, limit = parse_condition(when)
    over = parse_condition(f"{measure.word} {clear}")[1] if clear else limit.opposite()
    return AlertRule(
        name="a", measure=measure, when=limit, clear=over, queues=queues, for_s=for_s, to=("ops",)
    )


@dataclass
class Site:
    """A floor, and a watch over it by one rule."""

    rule: AlertRule
    play: Play = field(default_factory=lambda: Play(table(queue("support", "alice bob"), queue("sales", "carol")), now=START))  # fmt: skip
    store: FakeStore = field(default_factory=FakeStore)
    trouble: str = ""
    refused: int = 0
    told: list[tuple[float, str, bool]] = field(default_factory=list)
    pbxes: dict[str, bool] = field(default_factory=lambda: {"office": True})
    pool: ClusterPool | None = None
    tasks: Tasks = field(default_factory=Tasks)

    def __post_init__(self) -> None:
        self.seen = len(self.play.log)
        self.watch = self.made()

    def made(self) -> AlertWatch:
        settings = SimpleNamespace(
            alerts=(self.rule,),
            service_levels={"support": ServiceLevel(within=20.0, target=80)},
        )
        store: Any = self.store
        return AlertWatch(
            settings=lambda: settings,  # type: ignore[arg-type,return-value]
            floor=WatchedViews(self.play.router.floor),
            pbxes=lambda: self.pbxes,
            store_trouble=lambda: self.trouble,
            refused=lambda: self.refused,
            pool=lambda: self.pool,
            store=store,
            tell=lambda change: self.told.append(
                (self.play.now - START, change.subject, change.raised)
            ),
            clock=SimpleNamespace(now=lambda: self.play.now),
            spawn=self.tasks.spawn,
        )

    async def until(self, at: float) -> None:
        """Let time pass, and look once a second."""
        while self.play.now < START + at:
            self.play.until(min(self.play.now + 1.0, START + at))
            for _, item in self.play.log[self.seen :]:
                if isinstance(item, Notice):
                    self.watch.listen(item)
            self.seen = len(self.play.log)
            await self.watch.look()

    async def restarted(self) -> None:
        self.watch = self.made()
        await self.watch.begin_recall()


def lets_ring(play: Play) -> None:
    for phone in play.everyone():
        phone.lets_it_ring()


async def test_waiting_and_longest_wait() -> None:
    for when, at in (("waiting > 1", 6.0), ("longest_wait > 10s", 11.0)):
        site = Site(alarm(when))
        lets_ring(site.play)
        site.play.call("c1", "support")
        await site.until(5)
        site.play.call("c2", "support")
        site.play.call("c3", "sales")
        await site.until(20)
        assert site.told[0] == (at, "support", True)
        expected = [("support", True)] if when.startswith("waiting") else [("support", True), ("sales", True)]  # fmt: skip
        assert [(subject, raised) for _, subject, raised in site.told] == expected
        for call in ("c1", "c2", "c3"):
            site.play.caller_hangs_up(call)
        await site.until(25)
        assert sum(not raised for _, _, raised in site.told) == len(expected)


async def test_only_the_queues_that_are_named() -> None:
    site = Site(alarm("waiting > 0", queues=("sales",)))
    lets_ring(site.play)
    site.play.call("c1", "support")
    await site.until(5)
    assert site.told == []
    site.play.call("c2", "sales")
    await site.until(6)
    assert site.told == [(6.0, "sales", True)]


async def test_signed_in_and_present() -> None:
    for when in ("signed_in < 1", "present < 1"):
        site = Site(alarm(when, queues=("sales",)))
        await site.until(2)
        assert site.told == []
        site.play.pause("carol")
        await site.until(4)
        assert bool(site.told) is when.startswith("present")
        site.play.sign_out("carol")
        await site.until(6)
        assert [raised for _, _, raised in site.told] == [True]
        site.play.sign_in("carol")
        await site.until(8)
        assert [raised for _, _, raised in site.told] == [True, False]


async def test_service_level_now() -> None:
    site = Site(alarm("service_level < 80", clear=">= 90"))
    for phone in site.play.everyone():
        phone.picks_up(after=1)
    for n in range(6):
        site.play.call(f"c{n}", "support")
        await site.until(5 * n + 3)
        site.play.caller_hangs_up(f"c{n}")
        site.play.ready("alice")
        site.play.ready("bob")
    assert site.told == []
    lets_ring(site.play)
    site.play.call("d1", "support")
    site.play.call("d2", "support")
    await site.until(60)
    # Both wait for longer than 20 s: 6 of 8.
    (first,) = site.told
    assert first[1:] == ("support", True)
    assert 28 + 20 < first[0] < 28 + 24
    site.play.caller_hangs_up("d1")
    site.play.caller_hangs_up("d2")
    await site.until(28 + 1800)
    assert site.told == [first]  # what was answered is older than what was not


async def test_pauses_of_each_agent() -> None:
    site = Site(alarm("pause > 30s", queues=("support",)))
    site.play.pause("alice")
    site.play.pause("carol")
    await site.until(60)
    assert [(subject, raised) for _, subject, raised in site.told] == [("alice", True)]
    assert 30 <= site.told[0][0] <= 36
    site.play.resume("alice")
    await site.until(70)
    assert [(subject, raised) for _, subject, raised in site.told] == [("alice", True), ("alice", False)]  # fmt: skip


async def test_phones_that_cannot_be_reached() -> None:
    floor = table(
        queue("support", "alice bob carol"),
        agent("alice", desk("alice"), desk("alice", id="second", endpoint="PJSIP/alice2")),
        agent("bob", mobile("bob")),
        agent("carol", desk("carol", enabled=False), mobile("carol")),
    )
    site = Site(alarm("unreachable_phones > 0"), play=Play(floor, now=START))
    await site.until(6)
    assert site.told == []
    site.play.phone_is("alice2", DeviceState.UNREACHABLE)
    site.play.phone_is("carol", DeviceState.UNREACHABLE)  # switched off anyway
    await site.until(12)
    assert [(subject, raised) for _, subject, raised in site.told] == [("alice", True)]
    assert site.watch.status()[0]["text"].startswith("a: the number of phones of agent alice that cannot be reached is 1 (second); ")  # fmt: skip
    site.play.sign_out("alice")
    await site.until(18)
    assert [raised for _, _, raised in site.told] == [True, False]


async def test_a_pbx_that_is_away_makes_no_phone_unreachable() -> None:
    site = Site(alarm("unreachable_phones > 0"))
    await site.until(6)
    site.play.lose()
    await site.until(40)
    assert site.told == []


async def test_pbx_and_database_away() -> None:
    for when, subject in (("pbx_away > 10s", "office"), ("database_away > 10s", "")):
        site = Site(alarm(when))
        await site.until(5)
        site.pbxes["office"], site.trouble = False, "it is locked"
        await site.until(30)
        assert site.told == [(17.0, subject, True)]
        site.play.now += 0.5
        await site.restarted()
        await site.until(60)
        assert len(site.told) == 1  # the same trouble
        site.pbxes["office"], site.trouble = True, ""
        await site.until(61)
        assert [raised for _, _, raised in site.told] == [True, False]


async def test_a_cluster_without_a_standby_and_its_nodes() -> None:
    def now(**changes: Any) -> ClusterPool:
        return pool("north-1", node("north-1"), node("north-2", **changes))

    for when, subject, changes in (
        ("no_standby > 10s", "", {"seen_s": 60.0}),
        ("no_standby > 10s", "", {"problem": "pbx office: no route"}),
        ("node_away > 10s", "north-2", {"seen_s": 60.0}),
        ("node_away > 10s", "north-2", {"problem": "pbx office: no route"}),
        ("config_differs > 10s", "north-2", {"config_digest": "other"}),
    ):
        site = Site(alarm(when))
        await site.until(20)
        site.pool = now()
        await site.until(40)
        assert site.told == []
        site.pool = now(**changes)
        await site.until(60)
        assert site.told == [(52.0, subject, True)]
        site.pool = now()
        await site.until(61)
        assert [raised for _, _, raised in site.told] == [True, False]


async def test_a_node_that_was_stopped_in_order_is_no_node_any_more() -> None:
    site = Site(alarm("node_away > 10s"))
    site.pool = pool("north-1", node("north-1"), node("north-2", seen_s=60.0))
    await site.until(20)
    site.pool = pool("north-1", node("north-1"))
    await site.until(21)
    assert [(subject, raised) for _, subject, raised in site.told] == [
        ("north-2", True),
        ("north-2", False),
    ]


def raised(alert: str = "a", *, told: bool = True) -> AlertRow:
    return AlertRow(
        alert=alert, subject="support", since=START - 50, raised=True, began=START - 50, told=told
    )


@pytest.mark.parametrize("back_at", [0, 5, 55])
async def test_what_was_told_before_is_not_told_again_if_the_database_is_back_in_time(
    back_at: int,
) -> None:
    """It is away at the start, so it is not known yet what was told."""
    site = Site(alarm("signed_in < 3", queues=("support",)), store=FakeStore([raised()]))
    await away_until(site, back_at)
    assert site.store.rows["a", "support"] == raised()  # nothing has taken its place
    await site.until(back_at + 30)
    assert site.told == []


@pytest.mark.parametrize("back_at", [5, 100])
async def test_what_ended_while_the_database_was_away_is_told_when_that_is_known(
    back_at: int,
) -> None:
    site = Site(alarm("signed_in < 2", queues=("support",)), store=FakeStore([raised()]))
    await away_until(site, back_at)
    assert site.told == []
    await site.until(back_at + 2)
    assert [raised for _, _, raised in site.told] == [False]


async def test_a_new_alarm_waits_a_minute_for_the_database_and_no_longer() -> None:
    site = Site(alarm("signed_in < 3", queues=("support",)), store=FakeStore([raised(told=False)]))
    await away_until(site, 100)
    assert site.told == [(60.0, "support", True)]
    await site.until(130)
    assert len(site.told) == 1
    assert all(row.told for row in site.store.rows.values())


async def test_that_the_database_is_away_does_not_wait_for_the_database() -> None:
    site = Site(alarm("database_away > 10s"))
    site.trouble = "it is locked"
    await away_until(site, 30)
    assert [at for at, _, _ in site.told] == [12.0]


async def away_until(site: Site, at: float) -> None:
    """Start a watch while the database is away, and let it be back at that time."""
    site.store.away = asyncio.Event()
    loading = site.watch.begin_recall()
    await asyncio.sleep(0)
    await site.until(at)
    site.store.away.set()
    await loading


async def test_refused_logins_of_ten_minutes() -> None:
    site = Site(alarm("refused_logins > 5"))
    for n in range(1, 60):
        site.refused = n // 20 * 3  # 3 in 20 s at most
        await site.until(n)
    assert [raised for _, _, raised in site.told] == [True]
    await site.until(REFUSED_WITHIN)
    assert len(site.told) == 1
    await site.until(REFUSED_WITHIN + 70)
    assert [raised for _, _, raised in site.told] == [True, False]


async def test_after_a_restart_refusals_of_before_may_still_count() -> None:
    site = Site(alarm("refused_logins > 5"))
    site.refused = 10
    await site.until(5)
    site.refused = 0  # a new process
    await site.restarted()
    await site.until(300)
    assert [raised for _, _, raised in site.told] == [True]
    await site.until(5 + REFUSED_WITHIN + 5)
    assert [raised for _, _, raised in site.told] == [True, False]


@pytest.mark.parametrize("comes_back", [True, False])
async def test_what_is_not_shown_yet_is_not_known(comes_back: bool) -> None:
    site = Site(alarm("waiting > 0"))
    lets_ring(site.play)
    site.play.call("c1", "support")
    await site.until(3)
    empty = Site(site.rule, store=site.store, play=Play(table(queue("support", "alice bob"), queue("sales", "carol")), now=START + 3, up=False))  # fmt: skip
    empty.pbxes["office"] = False
    await empty.restarted()
    await empty.until(SETTLE - 5)
    assert empty.told == []
    if comes_back:
        empty.pbxes["office"] = True
        await empty.until(SETTLE - 3)
    else:
        await empty.until(SETTLE + 10)
    assert [raised for _, _, raised in empty.told] == [False]


async def test_a_limit_of_another_kind() -> None:
    assert Limit("!=", 3).holds(4)
    assert not Limit("!=", 3).holds(3)


def test_every_alarm_is_a_sentence() -> None:
    """It names the alarm, what is watched, the value, and the limit that was met."""
    over, under = Limit(">", 120), Limit("<", 60)
    rules = {
        measure: AlertRule(name="a", measure=measure, when=over, clear=under, to=("ops",))
        for measure in Measure
    }
    told = {
        measure.word: sentence(rule, "x" if measure.watched.value else "", Reading(130.0))
        for measure, rule in rules.items()
    }
    assert told["longest_wait"] == (
        "a: the longest wait in queue x is 2 min 10 s; raised when longest_wait > 2m"
    )
    assert told["pbx_away"] == "a: the time without PBX x is 2 min 10 s; raised when pbx_away > 2m"
    assert told["database_away"].startswith("a: the time without the database is 2 min 10 s; ")
    assert not any("{" in text or "  " in text for text in told.values())
    rule = rules[Measure.UNREACHABLE_PHONES]
    assert sentence(rule, "bob", Reading(2, "desk, home"), over=True) == (
        "a: the number of phones of agent bob that cannot be reached is 2 (desk, home); "
        "over when unreachable_phones < 60"
    )
