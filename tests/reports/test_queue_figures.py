"""Every figure of `queues` and `hours` a second time, by brute force over random rows: no difference."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from callrouter.record.rows import HowIn, StayOutcome, StayRow
from callrouter.reports.catalog import make
from callrouter.reports.periods import read_period
from callrouter.reports.report import Report, Row, Value
from callrouter.reports.request import ALL, ReportRequest
from tests.reports.random_record import RandomRecord, random_record
from tests.reports.site import LONDON, NOW, SITE

LEFT = {"timeout", "full", "closed", "nobody", "ended", "moved", "moved-away", "lost"}
FORMER = {"helpdesk": "support"}
TARGETS = {"support": (20.0, 5.0, 80), "sales": (10.0, 2.5, 90)}


def second(
    stays: Sequence[StayRow], targets: dict[str, tuple[float, float, int | None]], one: str | None
) -> dict[str, Value]:
    """The figures of stays, computed from their definitions in docs/figures.md."""
    let_in = [
        s
        for s in stays
        if not (
            s.first_position == 0
            and s.outcome is not None
            and s.outcome.value in {"full", "closed", "nobody"}
        )
    ]
    answered = [s for s in let_in if s.outcome is StayOutcome.ANSWERED]
    abandoned = [s for s in let_in if s.outcome is StayOutcome.ABANDONED]
    in_time = late = short = 0
    for s in answered:
        in_time += s.wait_s <= targets[s.queue][0]  # type: ignore[operator]
    for s in abandoned:
        late += s.wait_s <= targets[s.queue][0]  # type: ignore[operator]
        short += s.wait_s < targets[s.queue][1]  # type: ignore[operator]
    a, b = len(answered), len(abandoned)

    def percent(good: int, of: int) -> float | None:
        return None if of == 0 else 100 * good / of

    strict = percent(in_time, a + b)
    aim = targets[one][2] if one else None
    found: dict[str, Value] = {
        "entered": len(let_in), "answered": a, "abandoned": b,
        "left": sum(s.outcome is not None and s.outcome.value in LEFT for s in let_in),
        "waiting": sum(s.outcome is None for s in let_in), "refused": len(stays) - len(let_in),
        "service_level.strict": strict,
        "service_level.abandons_ignored": percent(in_time, a + b - late),
        "service_level.abandons_positive": percent(in_time + late, a + b),
        "service_level.answered_only": percent(in_time, a),
        "service_level.short_credit": percent(in_time + short, a + b),
        "service_level.within_s": targets[one][0] if one else None,
        "service_level.target": aim,
        "service_level.met": None if aim is None or strict is None else strict >= aim,
        "abandoned_share": percent(b, len(let_in)), "abandoned_within": late, "abandoned_short": short,
        "from_elsewhere": sum(s.how_in in {HowIn.OVERFLOW, HowIn.TRANSFER, HowIn.MOVED} for s in let_in),
        "re_entries": sum(s.how_in is HowIn.RE_ENTRY for s in let_in),
        "talk_s.total": round(math.fsum(s.talk_s for s in let_in), 3),
        "talk_s.mean": round(math.fsum(s.talk_s for s in let_in) / a, 3) if a else None,
        "hold_s.mean": round(math.fsum(s.hold_s for s in let_in) / a, 3) if a else None,
    }  # fmt: skip
    for outcome in LEFT:
        found[f"left_by.{outcome}"] = sum(
            s.outcome is not None and s.outcome.value == outcome for s in let_in
        )
    for name, group in (("wait_s", answered), ("abandoned_wait_s", abandoned)):
        waits = sorted(s.wait_s for s in group if s.wait_s is not None)
        found[f"{name}.mean"] = round(math.fsum(waits) / len(waits), 3) if waits else None
        found[f"{name}.max"] = round(waits[-1], 3) if waits else None
        for part, share in (("median", 0.5), ("p90", 0.9)):
            place = next((i for i in range(len(waits)) if (i + 1) >= share * len(waits)), None)
            found[f"{name}.{part}"] = None if place is None else math.floor(waits[place] * 10) / 10
    return found


def renamed(record: RandomRecord) -> list[StayRow]:
    return [replace(s, queue=FORMER.get(s.queue, s.queue)) for s in record.stays]


def targets() -> dict[str, tuple[float, float, int | None]]:
    known: dict[str, tuple[float, float, int | None]] = defaultdict(lambda: (20.0, 5.0, None))
    known.update(TARGETS)
    return known


def same(row: Row, expected: dict[str, Value], where: str) -> None:
    for name, value in expected.items():
        found = row.get(name)
        if (
            isinstance(value, float)
            and isinstance(found, float)
            and name.endswith(("mean", "total"))
        ):
            assert found == pytest.approx(value, abs=0.0011), (
                where,
                name,
            )  # rounded to the millisecond
        else:
            assert found == value, (where, name, found, value)
    assert {name for name in row if name not in {"interval", "queue", "name", "agents"}} == set(
        expected
    )


def made(link: sa.Connection, what: str, period: str, by: str, queue: str = "") -> Report:
    asked = ReportRequest(what=what, period=read_period(period, NOW, LONDON), by=by, queue=queue)
    return make(asked, SITE, ALL, link)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("period", "by"),
    [
        ("2026-10-25", ""), ("2026-10-25", "1h"), ("2026-10-25T00:40..2026-10-25T03:10", "15m"),
        ("2026-10-24..2026-10-26", "1d"), ("2026-10-20..2026-11-10", "1w"), ("2026-09-28..2026-11-10", "1mo"),
        ("2026-03-29", "30m"), ("2026-10-20..2026-11-10", ""),
    ],
)  # fmt: skip
def test_no_figure_differs(link: sa.Connection, seed: int, period: str, by: str) -> None:
    asked = read_period(period, NOW, LONDON)
    record = random_record(seed, asked.from_, asked.to)
    record.store(link)
    stays = [s for s in renamed(record) if asked.from_ <= s.entered_at < asked.to]
    report = made(link, "queues", period, by)
    assert report.total is not None
    same(
        {k: v for k, v in report.total.items() if k != "queue"},
        second(stays, targets(), None),
        "total",
    )
    starts = sorted({float(str(row["interval"])) for row in report.rows}) if by else [asked.from_]
    seen = 0
    for row in report.rows:
        start = row["interval"] if by else asked.from_
        later = [s for s in starts if s > float(str(start))]
        own = [
            s for s in stays
            if s.queue == row["queue"] and float(str(start)) <= s.entered_at and not any(s.entered_at >= x for x in later)
        ]  # fmt: skip
        seen += len(own)
        same(row, second(own, targets(), str(row["queue"])), f"{row['queue']} {start}")
    assert seen == len(stays)
    hours = made(link, "hours", period, by or "1d", "support")
    assert hours.by == (by or "1d")
    edges = [float(str(row["interval"])) for row in hours.rows] + [asked.to]
    for row, start, end in zip(hours.rows, edges, edges[1:], strict=False):
        own = [s for s in stays if s.queue == "support" and start <= s.entered_at < end]
        same(row, second(own, targets(), "support"), f"hours {start}")
        there = math.fsum(
            max(0.0, min(s.until or NOW, end, NOW) - max(s.at, start))
            for s in record.agent_states
            if s.agent in {"alice", "bob", "robert", "carol"} and s.state != "offline"
        )
        assert row["agents"] == pytest.approx(there / (end - start), abs=0.0011)
