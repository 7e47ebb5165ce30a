"""Fairness: what was to be expected is what a slow computation finds, and unfairness is noticed."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
import sqlalchemy as sa

from callrouter.record.rows import OfferResult
from callrouter.reports.catalog import make
from callrouter.reports.fairness import Group, Promise, Shares, promise_of, verdict
from callrouter.reports.periods import read_period
from callrouter.reports.report import Report
from callrouter.reports.request import ALL, ReportRequest
from tests.reports.random_record import conversation_row, offer_row, put, random_record, state_row
from tests.reports.site import LONDON, NOW, SITE, local

DAY = "2026-11-27"


def made(link: sa.Connection, queue: str = "", agent: str = "") -> Report:
    period = read_period(DAY, NOW, LONDON)
    return make(
        ReportRequest(what="fairness", period=period, queue=queue, agent=agent), SITE, ALL, link
    )


@pytest.mark.parametrize("seed", range(3))
def test_what_was_to_be_expected_is_found_a_second_time_offer_by_offer(
    link: sa.Connection, seed: int
) -> None:
    period = read_period(DAY, NOW, LONDON)
    record = random_record(seed, period.from_, period.to, calls=150)
    record.store(link)
    now = {"robert": "bob", "helpdesk": "support"}
    members: dict[str, dict[str, int]] = {
        queue: dict(levels) for queue, levels in SITE.members.items()
    }
    offers = [o for o in record.offers if period.from_ <= o.made_at < period.to]
    top: dict[tuple[str, str], int] = {}
    for o in offers:
        top[o.queue, o.agent] = max(top.get((o.queue, o.agent), 0), o.level)
    for t in record.conversations:
        if period.from_ <= t.started_at < period.to:
            top.setdefault((t.queue, t.agent), 1)
    for (queue, agent), level in sorted(top.items()):
        members.setdefault(now.get(queue, queue), {}).setdefault(now.get(agent, agent), level)
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for o in offers:
        queue, agent = now.get(o.queue, o.queue), now.get(o.agent, o.agent)
        there = {agent}
        for name in members[queue]:
            # Available just before the offer, under whichever id the agent had.
            if any(
                now.get(s.agent, s.agent) == name and s.state == "available"
                and s.at < o.made_at <= (NOW if s.until is None else s.until)
                for s in record.agent_states
            ):  # fmt: skip
                there.add(name)
        levels = o.policy.startswith("priority")
        same = {
            name for name in there if name == agent or not levels or members[queue][name] == o.level
        }
        for name in same:
            expected[queue, name] += 1 / len(same)
    report = made(link)
    assert sum(float(str(row["offers"])) for row in report.rows) == len(offers)
    for row in report.rows:
        if row["agent"] != "bob":  # who has two rows of states at a time here
            assert row["expected"] == pytest.approx(
                expected[str(row["queue"]), str(row["agent"])], abs=0.3
            ), row
    assert sum(float(str(row["expected"])) for row in report.rows) == pytest.approx(
        len(offers), abs=1.5
    )


def shift(link: sa.Connection, agent: str, begins: float, ends: float, serial: int) -> None:
    put(
        link,
        "agent_states",
        [
            state_row(serial, agent, local(DAY + " 00:00"), begins, "signed-out"),
            state_row(serial + 1, agent, begins, ends, "available"),
            state_row(serial + 2, agent, ends, None, "paused", reason="lunch"),
        ],
    )


def test_an_agent_who_was_away_is_not_expected_to_be_offered_as_much(link: sa.Connection) -> None:
    shift(link, "alice", local(DAY + " 09:00"), local(DAY + " 17:00"), 1)
    shift(link, "bob", local(DAY + " 09:00"), local(DAY + " 13:00"), 11)
    for number in range(800):
        at = local(DAY + " 09:00") + 36 * number + 1
        agent = "bob" if number % 2 and number < 400 else "alice"
        put(
            link,
            "offers",
            [
                offer_row(
                    f"o{number}", at, agent=agent, result=OfferResult.ACCEPTED, policy="round-robin"
                )
            ],
        )
    put(
        link,
        "conversations",
        [conversation_row("c", local(DAY + " 10:00"), agent="bob", talk_s=60.0)],
    )
    report = made(link, "support")
    rows = {row["agent"]: row for row in report.rows}
    assert [rows[agent]["offers"] for agent in ("alice", "bob", "carol")] == [600, 200, 0]
    assert [rows[agent]["expected"] for agent in ("alice", "bob", "carol")] == [600.0, 200.0, 0.0]
    assert rows["bob"]["difference"] == 0
    assert rows["carol"]["difference"] is None
    assert rows["bob"]["talk_share"] == 100
    assert rows["bob"]["away"] == f"{DAY} 00:00 9 h (signed out); {DAY} 13:00 11 h (lunch)"
    assert rows["bob"]["away_s"] == 20 * 3600
    assert rows["alice"]["available_s"] == 8 * 3600
    assert report.notes[0] == (
        "support (round-robin): 800 offers to 2 agents. They differ no more than chance explains "
        "(chi-square 0.0 with 1 degree of freedom, p = 1)."
    )
    assert [row["agent"] for row in made(link, "support", "robert").rows] == ["bob"]


def test_an_agent_who_is_left_out_is_noticed(sqlite_link: sa.Connection) -> None:
    for serial, agent in ((1, "alice"), (11, "bob"), (21, "carol")):
        shift(sqlite_link, agent, local(DAY + " 09:00"), local(DAY + " 17:00"), serial)
    chance = random.Random(5)
    agents = [chance.choice(("alice", "alice", "bob")) for _ in range(300)]
    put(
        sqlite_link,
        "offers",
        [
            offer_row(f"o{n}", local(DAY + " 09:00") + 60 * n + 1, agent=a)
            for n, a in enumerate(agents)
        ],
    )
    report = made(sqlite_link, "support")
    assert report.notes[0].startswith(
        "support (longest-idle): 300 offers to 3 agents. They differ more than chance explains"
    )
    assert "p = less than 0.0001): " in report.notes[0]
    assert (
        "had 0 where 100 were to be expected" in report.notes[0] or "alice had 2" in report.notes[0]
    )


def test_random_draws_pass_and_weights_are_considered() -> None:
    """Of 200 fair series, about two fail at one percent; a policy that draws by level is held to it."""
    chance = random.Random(3)
    failed = 0
    for _ in range(200):
        shares = Shares(expected=dict.fromkeys("abcd", 50.0))
        for _ in range(200):
            agent = chance.choice("abcd")
            shares.made[agent] = shares.made.get(agent, 0) + 1
        failed += "more than chance" in verdict(Group("q", "random", 0), shares).replace(
            "no more than chance", ""
        )
    assert 0 <= failed <= 8
    assert promise_of("weighted-random") == (Promise.WEIGHTED, False)
    assert promise_of("priority") == (Promise.EVEN, True)
    assert promise_of("priority,round-robin") == (Promise.EVEN, True)
    assert promise_of("") == (Promise.EVEN, False)
    assert promise_of("linear")[0] is promise_of("skills,longest-idle")[0] is Promise.PREFERENCE


def test_weights_decide_what_is_expected(sqlite_link: sa.Connection) -> None:
    for serial, agent in ((1, "alice"), (11, "carol")):  # of levels 1 and 2: 100 and 99 chances
        shift(sqlite_link, agent, local(DAY + " 09:00"), local(DAY + " 17:00"), serial)
    put(
        sqlite_link,
        "offers",
        [
            offer_row(f"o{n}", local(DAY + " 10:00") + n, policy="weighted-random")
            for n in range(199)
        ],
    )
    rows = {row["agent"]: row["expected"] for row in made(sqlite_link, "support").rows}
    assert rows == {"alice": 100.0, "bob": 0.0, "carol": 99.0}


@pytest.mark.parametrize(
    ("policy", "made_", "told"),
    [
        ("linear", {"a": 90, "b": 10}, "Not tested: some agents come before others"),
        ("fewest-calls", {"a": 90, "b": 10}, "Not tested: the calls of a day become even"),
        ("random", {"a": 3, "b": 2}, "Too few to test"),
        ("random", {"a": 1}, "1 offer to 1 agent. Too few to test"),
    ],
)
def test_what_cannot_be_tested_says_why(policy: str, made_: dict[str, int], told: str) -> None:
    whole = sum(made_.values())
    shares = Shares(made=made_, expected=dict.fromkeys(made_, whole / len(made_)))
    assert told in verdict(Group("q", policy, 0), shares)
