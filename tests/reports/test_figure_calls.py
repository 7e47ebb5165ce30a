"""Every figure with a link: as many calls are listed as it counts, and its value follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import pytest
import sqlalchemy as sa

from callrouter.record.rows import OfferResult, StayOutcome
from callrouter.reports.catalog import make
from callrouter.reports.figure_calls import FIGURE_CALLS, has_calls
from callrouter.reports.periods import read_period
from callrouter.reports.report import Report, Row, Shown, Value
from callrouter.reports.request import ALL, ReportError, ReportRequest, Scope
from tests.reports.random_record import call_row, offer_row, put, random_record, stay_row
from tests.reports.site import LONDON, NOW, SITE, local

PERIOD = "2026-11-25..2026-11-27"


def made(
    link: sa.Connection, what: str, period: str = PERIOD, *, scope: Scope = ALL, most: int = 10_000,
    figure: str = "", by: str = "", queue: str = "", agent: str = "",
) -> Report:  # fmt: skip
    asked = ReportRequest(
        what=what, period=read_period(period, NOW, LONDON), most=most, figure=figure, by=by, queue=queue, agent=agent
    )  # fmt: skip
    return make(asked, SITE, scope, link)


def exact(from_: float, to: float) -> str:
    """A period with the offset of the zone, as the page writes it."""
    begin, end = (datetime.fromtimestamp(at, LONDON).isoformat() for at in (from_, to))
    return f"{begin}..{end}"


def total(rows: Sequence[Row], *columns: str) -> float:
    return sum(float(str(row[column] or 0.0)) for row in rows for column in columns)


def rank(waits: Sequence[float], part: float) -> float:
    """The nearest rank, to the tenth of a second, rounded down."""
    return math.floor(sorted(waits)[math.ceil(part * len(waits)) - 1] * 10 + 1e-6) / 10


def value_of(figure: str, shown: Shown, rows: Sequence[Row]) -> Value:
    """A figure, computed from the calls that are said to make it."""
    if shown is Shown.COUNT:
        return len(rows)
    if shown is Shown.SHARE:
        return 100 * sum(bool(row["good"]) for row in rows) / len(rows) if rows else None
    length, _, kind = figure.removeprefix("abandoned_").partition(".")
    if length == "handle_s":
        over = sum(row["talk_s"] is not None for row in rows)
        return total(rows, "talk_s", "wrap_up_s") / over if over else None
    if kind in {"", "total"}:
        return total(rows, length)
    if kind == "mean":
        own = [row for row in rows if "wait_s" not in row or length == "wait_s"]
        own = own or [row for row in rows if row["outcome"] == "answered"]
        return total(rows, length) / len(own) if own else None
    lengths = [float(str(row[length])) for row in rows]
    if not lengths:
        return None
    return max(lengths) if kind == "max" else rank(lengths, {"median": 0.5, "p90": 0.9}[kind])


def check(
    link: sa.Connection, report: Report, row: Row, period: str, *, queue: str = "", agent: str = ""
) -> int:
    """Compare every linked figure of a row with its calls. Returns how many calls were listed."""
    listed = 0
    for column in report.columns:
        if not has_calls(report.what, column.name):
            continue
        figure = f"{report.what}.{column.name}"
        found = made(link, "calls", period, figure=figure, queue=queue, agent=agent).rows
        listed += len(found)
        value, again = row.get(column.name), value_of(column.name, column.shown, found)
        where = (figure, period, queue, agent, row)
        if value is None or again is None:
            assert value == again, where
        else:
            assert float(value) == pytest.approx(float(again), abs=0.0011), where
    return listed


@pytest.mark.parametrize("seed", range(2))
def test_the_calls_of_every_figure_make_it(link: sa.Connection, seed: int) -> None:
    period = read_period(PERIOD, NOW, LONDON)
    random_record(seed, period.from_, period.to, calls=60).store(link)
    whole = exact(period.from_, period.to)
    listed = 0
    for what in ("queues", "agents", "fairness"):
        report = made(link, what)
        for row in report.rows:
            queue, agent = (str(row.get(key, "")) for key in ("queue", "agent"))
            listed += check(link, report, row, whole, queue=queue, agent=agent)
    for what in ("queues", "agents", "hours"):
        report = made(link, what, by="1d") if what == "hours" else made(link, what)
        assert report.total is not None
        listed += check(link, report, report.total, whole)
    assert listed > 1000


def test_the_calls_of_an_interval_of_a_queue_make_its_figures(link: sa.Connection) -> None:
    period = read_period(PERIOD, NOW, LONDON)
    random_record(3, period.from_, period.to, calls=60).store(link)
    for what in ("hours", "queues"):
        report = made(link, what, by="1d", queue="support")
        starts = [*(float(str(row["interval"])) for row in report.rows), period.to]
        for row, (begin, end) in zip(report.rows, pairwise(starts), strict=True):
            assert check(link, report, row, exact(begin, end), queue="support")


def test_every_linked_figure_is_one_of_its_report(sqlite_link: sa.Connection) -> None:
    for what, figures in FIGURE_CALLS.items():
        columns = {column.name for column in made(sqlite_link, what).columns}
        assert set(figures) <= columns
        assert not has_calls(what, "name")
    assert not has_calls("pauses", "pauses")


def test_a_long_list_says_how_many_there_are(sqlite_link: sa.Connection) -> None:
    at = local("2026-11-27 10:00")
    for number in range(5):
        call = f"1.{number}"
        put(sqlite_link, "calls", [call_row(call, at + number)])
        put(sqlite_link, "stays", [stay_row(call, at + number, outcome=StayOutcome.ANSWERED)])
    report = made(sqlite_link, "calls", figure="queues.answered", most=3)
    assert [row["call"] for row in report.rows] == ["1.4", "1.3", "1.2"]
    assert report.title == "Answered"
    assert report.notes[:2] == (
        "5 stays in queues.answered.",
        "The last 3 of them are listed. Choose a shorter period.",
    )


def test_wrong_figures_are_refused_with_the_nearest_right_one(sqlite_link: sa.Connection) -> None:
    for figure, said in (
        ("queues.answred", "no calls make the figure 'queues.answred'; did you mean 'queues.answered'?"),
        ("agents.signed_in_s", "no calls make the figure 'agents.signed_in_s'"),
        ("x", "queues.answered, for example, is right"),
    ):  # fmt: skip
        with pytest.raises(ReportError, match=said.replace("?", r"\?")):
            made(sqlite_link, "calls", figure=figure)
    with pytest.raises(ReportError, match="report queues has no --figure"):
        made(sqlite_link, "queues", figure="queues.answered")
    with pytest.raises(ReportError, match="report calls has no --by"):
        made(sqlite_link, "calls", figure="queues.answered", by="1h")


def test_agents_list_the_calls_of_their_own_figures(sqlite_link: sa.Connection) -> None:
    at = local("2026-11-27 10:00")
    put(
        sqlite_link,
        "calls",
        [call_row("1.1", at, caller_number="+442079460001", caller_name="Ann")],
    )
    put(
        sqlite_link,
        "offers",
        [
            offer_row(name, at, call="1.1", agent=name, result=OfferResult.NO_ANSWER)
            for name in ("alice", "bob")
        ],
    )
    own = Scope(frozenset({"support"}), frozenset({"alice"}), "alice", masked=True)
    [row] = made(sqlite_link, "calls", figure="agents.missed", scope=own).rows
    assert (row["agent"], row["number"], row["caller_name"]) == ("alice", "+44…001", None)
    with pytest.raises(ReportError, match="those of report agents"):
        made(sqlite_link, "calls", figure="queues.entered", scope=own)
    others = Scope(queues=frozenset({"sales"}))
    assert not made(sqlite_link, "calls", figure="agents.missed", scope=others).rows
