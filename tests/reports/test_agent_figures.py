"""Every figure of `agents` and `pauses` a second time, by brute force over random rows: no difference."""

from __future__ import annotations

import math

import pytest
import sqlalchemy as sa

from callrouter.record.rows import AgentStateRow, ConversationRow, OfferRow
from callrouter.record.sql import RECORD_GAPS
from callrouter.reports.catalog import make
from callrouter.reports.periods import Period, read_period
from callrouter.reports.report import Report, Row, Value
from callrouter.reports.request import ALL, ReportError, ReportRequest
from tests.reports.random_record import RandomRecord, put, random_record, state_row
from tests.reports.site import LONDON, NOW, SITE, local

FORMER = {"robert": "bob"}
CASES = [
    ("2026-10-25", ""), ("2026-10-25", "1h"), ("2026-10-25T00:40..2026-10-25T03:10", "15m"),
    ("2026-10-20..2026-11-10", "1w"), ("2026-11-28", "1h"),
]  # fmt: skip
SORTED = {
    "answered": {"accepted"}, "missed": {"no-answer"}, "declined": {"declined", "wrong-key"},
    "not_accepted": {"not-accepted", "hung-up"}, "lost": {"lost"},
    "unreached": {"no-reply", "busy", "unavailable", "unreachable", "failed", "number-refused"},
    "not_connected": {"passed-on", "hung-up-at-once", "faulty-line", "connect-leg-gone", "connect-failed", "not-brought-in"},
    "withdrawn": {"withdrawn", "caller-gone", "found-talking", "found-waiting", "found-with-another", "connect-caller-gone", "router-down"},
}  # fmt: skip


def work(offers: list[OfferRow], talks: list[ConversationRow]) -> dict[str, Value]:
    """The figures of an agent's work, from their definitions in docs/figures.md."""
    results = [None if o.result is None else o.result.value for o in offers]
    found: dict[str, Value] = {
        name: sum(r in known for r in results) for name, known in SORTED.items()
    }
    own = sum(
        r in {"accepted", "no-answer", "declined", "not-accepted", "wrong-key", "hung-up"}
        for r in results
    )
    ended = [t for t in talks if t.talk_s is not None]
    talk = math.fsum(t.talk_s or 0.0 for t in ended)
    wrap_up = math.fsum(t.wrap_up_s or 0.0 for t in talks)
    return found | {
        "offers": len(offers), "ringing": results.count(None),
        "answered_share": 100 * results.count("accepted") / own if own else None,
        "conversations": len(talks), "talk_s.total": talk,
        "talk_s.mean": talk / len(ended) if ended else None,
        "talk_s.max": max((t.talk_s or 0.0 for t in ended), default=None),
        "hold_s.total": math.fsum(t.hold_s for t in talks), "wrap_up_s.total": wrap_up,
        "handle_s.mean": (talk + wrap_up) / len(ended) if ended else None,
        "transfers": sum(t.ended_by is not None and t.ended_by.value in {"blind-transfer", "attended-transfer", "put-through"} for t in talks),
    }  # fmt: skip


def overlap(row: AgentStateRow, start: float, end: float) -> float:
    return max(0.0, min(NOW if row.until is None else row.until, end, NOW) - max(row.at, start))


def times(states: list[AgentStateRow], start: float, end: float) -> dict[str, Value]:
    def of(*wanted: str, field: str = "state") -> float:
        return math.fsum(overlap(s, start, end) for s in states if getattr(s, field) in wanted)

    busy = of("on-call") - of("private-call", field="status") + of("wrap-up")
    every = ("available", "reserved", "ringing", "on-call", "wrap-up", "paused", "offline")
    return {
        **{f"state_s.{state}": of(state) for state in every},
        "signed_in_s": of(*every) - of("signed-out", field="status"),
        "private_s": of("private-call", field="status"),
        "occupancy": 100 * busy / (busy + of("available"))
        if busy + of("available") > 1e-9
        else None,
    }


def same(row: Row, expected: dict[str, Value], where: str) -> None:
    for name, value in expected.items():
        if isinstance(value, float):
            assert row[name] == pytest.approx(value, abs=0.0011), (where, name)
        else:
            assert row[name] == value, (where, name)
    assert set(row) - {"interval", "agent", "name"} == set(expected), where


def made(link: sa.Connection, what: str, period: Period, by: str, agent: str = "") -> Report:
    return make(ReportRequest(what=what, period=period, by=by, agent=agent), SITE, ALL, link)


def edges(report: Report, period: Period, by: str) -> dict[float, float]:
    """The end of each interval that has a row."""
    starts = sorted({float(str(row["interval"])) for row in report.rows}) if by else [period.from_]
    spans = {"1h": 3600.0, "15m": 900.0, "1w": 7 * 86400.0}
    found = {}
    for start in starts:
        end = (
            period.to
            if not by
            else start - start % spans[by] + spans[by]
            if by != "1w"
            else period.to
        )
        later = [s for s in starts if s > start]
        found[start] = min(end, period.to, *later)
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("text", "by"), CASES)
def test_no_figure_differs(link: sa.Connection, seed: int, text: str, by: str) -> None:
    period = read_period(text, NOW, LONDON)
    record = random_record(seed, period.from_, period.to, calls=200)
    record.offers = [o for o in record.offers if o.made_at < NOW]
    record.conversations = [t for t in record.conversations if t.started_at < NOW]
    record.store(link)
    report = made(link, "agents", period, by)
    for row in report.rows:
        start = float(str(row["interval"])) if by else period.from_
        end = edges(report, period, by)[start]
        agent = row["agent"]
        offers = [
            o
            for o in record.offers
            if FORMER.get(o.agent, o.agent) == agent and start <= o.made_at < end
        ]
        talks = [
            t
            for t in record.conversations
            if FORMER.get(t.agent, t.agent) == agent and start <= t.started_at < end
        ]
        states = [s for s in record.agent_states if FORMER.get(s.agent, s.agent) == agent]
        same(row, work(offers, talks) | times(states, start, end), f"{agent} {start}")
    offers = [o for o in record.offers if period.from_ <= o.made_at < period.to]
    talks = [t for t in record.conversations if period.from_ <= t.started_at < period.to]
    assert report.total is not None
    same({k: v for k, v in report.total.items() if k != "agent"}, work(offers, talks), "total")
    if not by:
        assert {row["agent"] for row in report.rows} == {"alice", "bob", "carol", "dave"}
    _pauses(link, record, period, by)


def _pauses(link: sa.Connection, record: RandomRecord, period: Period, by: str) -> None:
    report = made(link, "pauses", period, by)
    found = {(row.get("interval"), row["agent"], row["reason"]): row for row in report.rows}
    assert len(found) == len(report.rows)
    ends = edges(report, period, by)
    expected: dict[tuple[Value, Value, Value], list[AgentStateRow]] = {}
    for start, end in ends.items():
        for s in record.agent_states:
            if s.state == "paused" and (
                start <= s.at < min(end, NOW) or overlap(s, start, end) > 0
            ):
                key: tuple[Value, Value, Value] = (
                    start if by else None,
                    FORMER.get(s.agent, s.agent),
                    s.reason,
                )
                expected.setdefault(key, []).append(s)
    assert set(found) == set(expected)
    for named, row in found.items():
        start = period.from_ if named[0] is None else float(str(named[0]))
        parts = [overlap(s, start, ends[start]) for s in expected[named]]
        begun = [s for s in expected[named] if start <= s.at < ends[start]]
        assert row["pauses"] == len(begun)
        assert row["by_others"] == sum(s.by != "" for s in begun)
        assert row["total_s"] == pytest.approx(math.fsum(parts), abs=0.0011)
        assert row["longest_s"] == pytest.approx(max(parts), abs=0.0011)


def test_an_agent_signed_in_across_the_edges_counts_inside_only(sqlite_link: sa.Connection) -> None:
    put(
        sqlite_link,
        "agent_states",
        [
            state_row(1, "alice", local("2026-11-26 20:00"), local("2026-11-27 10:00"), "available"),
            state_row(2, "alice", local("2026-11-27 10:00"), local("2026-11-27 10:30"), "paused", reason="lunch", by="sam"),
            state_row(3, "alice", local("2026-11-27 10:30"), None, "on-call"),
        ],
    )  # fmt: skip
    day = read_period("2026-11-27", NOW, LONDON)
    (row,) = made(sqlite_link, "agents", day, "", "alice").rows
    hour = 3600.0
    assert row["signed_in_s"] == 24 * hour
    assert (row["state_s.available"], row["state_s.paused"], row["state_s.on-call"]) == (
        10 * hour,
        hour / 2,
        13.5 * hour,
    )
    assert row["occupancy"] == pytest.approx(100 * 13.5 / 23.5)
    today = made(sqlite_link, "agents", read_period("today", NOW, LONDON), "", "alice")
    assert today.rows[0]["state_s.on-call"] == NOW - local("2026-11-28 00:00")
    assert "The period is not over: figures up to 2026-11-28 14:35." in today.notes
    (pause,) = made(sqlite_link, "pauses", day, "").rows
    assert dict(pause) == {
        "agent": "alice", "name": "Alice", "reason": "lunch", "pauses": 1, "total_s": hour / 2,
        "longest_s": hour / 2, "by_others": 1,
    }  # fmt: skip
    split = made(
        sqlite_link, "pauses", read_period("2026-11-27T10:20..2026-11-27T10:40", NOW, LONDON), "15m"
    ).rows
    assert [(row["pauses"], row["total_s"]) for row in split] == [(0, 600.0)]


def test_a_pause_over_a_restart_of_the_router_is_one(sqlite_link: sa.Connection) -> None:
    ten = local("2026-11-27 10:00")
    gap = {
        "run": "r2", "n": 1, "kind": "router-down", "began_at": ten + 600, "ended_at": ten + 620,
        "table_name": "", "rows_lost": 0,
    }  # fmt: skip
    sqlite_link.execute(sa.insert(RECORD_GAPS).values(gap))
    put(
        sqlite_link,
        "agent_states",
        [
            state_row(1, "alice", ten, ten + 600, "paused", reason="lunch", by="sam"),
            state_row(2, "alice", ten + 621, ten + 900, "paused", reason="lunch"),
            state_row(3, "bob", ten, ten + 600, "available"),
            state_row(4, "bob", ten + 621, ten + 622, "available"),
            state_row(5, "bob", ten + 622, ten + 900, "paused", reason="tea", by="sam"),
            state_row(6, "carol", ten, ten + 600, "paused", reason="tea"),
            state_row(7, "carol", ten + 621, ten + 900, "paused", reason="lunch", by="sam"),
        ],
    )
    for by in ("", "15m"):
        rows = made(sqlite_link, "pauses", read_period("2026-11-27", NOW, LONDON), by).rows
        assert [(row["agent"], row["reason"], row["pauses"], row["by_others"]) for row in rows] == [
            ("alice", "lunch", 1, 1),
            ("bob", "tea", 1, 1),
            ("carol", "lunch", 1, 1),
            ("carol", "tea", 1, 0),
        ]
        assert rows[0]["total_s"] == 879.0


def test_where_nothing_happened_there_is_no_figure(sqlite_link: sa.Connection) -> None:
    report = made(sqlite_link, "agents", read_period("yesterday", NOW, LONDON), "")
    assert [row["agent"] for row in report.rows] == ["alice", "bob", "carol"]
    for row in report.rows:
        assert row["offers"] == 0
        for name in ("answered_share", "talk_s.mean", "talk_s.max", "handle_s.mean", "occupancy"):
            assert row[name] is None


def test_an_unknown_agent_is_told_the_nearest(sqlite_link: sa.Connection) -> None:
    day = read_period("yesterday", NOW, LONDON)
    with pytest.raises(ReportError, match=r"there is no agent 'alcie'; did you mean 'alice'\?"):
        made(sqlite_link, "agents", day, "", "alcie")
    with pytest.raises(ReportError, match="there is no agent 'zzz'; there are alice, bob, carol"):
        made(sqlite_link, "pauses", day, "", "zzz")
    assert [row["agent"] for row in made(sqlite_link, "agents", day, "", "robert").rows] == ["bob"]
    with pytest.raises(ReportError, match="report pauses has no --queue"):
        make(ReportRequest(what="pauses", period=day, queue="support"), SITE, ALL, sqlite_link)
