"""What counts where: transfers, overflow, re-entries, edges of time, running calls, gaps, renamed queues."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from callrouter.record.rows import GapKind, GapRow, HowIn, StayOutcome
from callrouter.reports.catalog import make
from callrouter.reports.periods import PeriodError, read_period
from callrouter.reports.report import Report, Row
from callrouter.reports.report_run import MOST_GAPS
from callrouter.reports.request import ALL, ReportError, ReportRequest, Scope
from tests.reports.random_record import call_row, put, stay_row
from tests.reports.site import LONDON, NOW, SITE, local

DAY = "2026-11-27"
AT = local(DAY + " 10:00")
ANSWERED, ABANDONED = StayOutcome.ANSWERED, StayOutcome.ABANDONED


def made(
    link: sa.Connection, what: str = "queues", period: str = DAY, *, by: str = "", queue: str = "", scope: Scope = ALL
) -> Report:  # fmt: skip
    asked = ReportRequest(what=what, period=read_period(period, NOW, LONDON), by=by, queue=queue)
    return make(asked, SITE, scope, link)


def by_queue(report: Report) -> dict[str, Row]:
    return {str(row["queue"]): row for row in report.rows}


def entered(
    link: sa.Connection,
    call: str,
    at: float,
    outcome: StayOutcome | None,
    wait: float | None,
    **given: object,
) -> None:
    left = None if wait is None else at + wait
    put(link, "stays", [stay_row(call, at, outcome=outcome, wait_s=wait, left_at=left, **given)])


def test_a_transferred_call_is_answered_in_both_queues(link: sa.Connection) -> None:
    entered(link, "1", AT, ANSWERED, 10.0, talk_s=60.0)
    entered(
        link, "1", AT + 70, ANSWERED, 15.0, n=1, queue="sales", how_in=HowIn.TRANSFER, talk_s=30.0
    )
    rows = by_queue(made(link))
    for queue, talk, elsewhere, level in (("support", 60.0, 0, 100.0), ("sales", 30.0, 1, 0.0)):
        row = rows[queue]
        assert (row["entered"], row["answered"], row["from_elsewhere"]) == (1, 1, elsewhere)
        assert (row["talk_s.total"], row["service_level.strict"]) == (
            talk,
            level,
        )  # sales wants 10 s


def test_overflow_a_move_and_a_re_entry_are_stays_of_their_own(link: sa.Connection) -> None:
    entered(link, "1", AT, StayOutcome.TIMEOUT, 300.0, target="queue:sales")
    entered(link, "1", AT + 300, StayOutcome.MOVED, 20.0, n=1, queue="sales", how_in=HowIn.OVERFLOW)
    entered(link, "1", AT + 320, ABANDONED, 5.0, n=2, how_in=HowIn.MOVED)
    entered(link, "1", AT + 400, ANSWERED, 1.0, n=3, how_in=HowIn.RE_ENTRY)
    rows = by_queue(made(link))
    support, sales = rows["support"], rows["sales"]
    assert [support[name] for name in ("entered", "answered", "abandoned", "left", "waiting")] == [
        3,
        1,
        1,
        1,
        0,
    ]
    assert (support["left_by.timeout"], support["from_elsewhere"], support["re_entries"]) == (
        1,
        1,
        1,
    )
    assert (sales["entered"], sales["left"], sales["left_by.moved"], sales["from_elsewhere"]) == (
        1,
        1,
        1,
        1,
    )
    assert sales["service_level.strict"] is None  # no call of it was answered or abandoned
    assert support["abandoned_share"] == pytest.approx(100 / 3)


def test_a_refused_call_has_not_entered_and_one_sent_away_later_has(link: sa.Connection) -> None:
    entered(link, "1", AT, StayOutcome.FULL, 0.0, first_position=0)
    entered(link, "2", AT, StayOutcome.NOBODY, 0.0, first_position=0)
    entered(link, "3", AT, StayOutcome.NOBODY, 12.0, first_position=1)
    row = by_queue(made(link))["support"]
    assert [
        row[name] for name in ("entered", "refused", "left", "left_by.nobody", "left_by.full")
    ] == [1, 2, 1, 1, 0]


def test_a_short_abandon_is_shorter_than_the_limit_and_in_time_is_up_to_it(
    link: sa.Connection,
) -> None:
    for number, wait in enumerate((0.0, 4.999, 5.0, 20.0, 20.001)):
        entered(link, f"b{number}", AT + number, ABANDONED, wait)
    for number, wait in enumerate((20.0, 20.001)):
        entered(link, f"a{number}", AT + number, ANSWERED, wait)
    report = made(link, queue="support")
    row = by_queue(report)["support"]
    assert (row["abandoned"], row["abandoned_short"], row["abandoned_within"]) == (5, 2, 4)
    assert row["service_level.strict"] == pytest.approx(100 / 7)
    assert row["service_level.abandons_ignored"] == pytest.approx(100 / 3)
    assert row["service_level.abandons_positive"] == pytest.approx(500 / 7)
    assert row["service_level.answered_only"] == 50
    assert row["service_level.short_credit"] == pytest.approx(300 / 7)
    assert (row["service_level.target"], row["service_level.met"]) == (80, False)
    assert [note for note in report.notes if note[0] in "SA" and "b" in note] == [
        "Short (less than 5 s): b0, b1.",
        "Abandoned within 20 s, not short: b2, b3.",
        "Abandoned after 20 s: b4.",
    ]
    assert (
        "abandons_ignored (33.3 %) leaves out the 4 calls abandoned within the time"
        in report.notes[0]
    )
    assert "`report abandoned` names them" in made(link).notes[0]


def test_of_many_calls_that_make_the_difference_the_first_are_named(
    sqlite_link: sa.Connection,
) -> None:
    for number in range(9):
        entered(sqlite_link, f"b{number}", AT + number, ABANDONED, 1.0)
    notes = made(sqlite_link, queue="support").notes
    assert (
        "Short (less than 5 s): b0, b1, b2, b3, b4 and others (`report abandoned` names all)."
        in notes
    )


def test_a_call_counts_where_it_entered_across_midnight_and_other_edges(
    link: sa.Connection,
) -> None:
    midnight = local("2026-11-28 00:00")
    entered(link, "1", midnight - 10, ANSWERED, 30.0, talk_s=600.0)
    entered(link, "2", midnight, ANSWERED, 5.0)
    entered(link, "3", local(DAY + " 00:00"), ANSWERED, 5.0)
    friday, saturday = (
        by_queue(made(link))["support"],
        by_queue(made(link, period="2026-11-28"))["support"],
    )
    assert (friday["entered"], friday["wait_s.max"], friday["talk_s.total"]) == (2, 30.0, 600.0)
    assert (saturday["entered"], saturday["wait_s.max"]) == (1, 5.0)
    both = made(link, "hours", "2026-11-27..2026-11-28", by="1d")
    assert [row["entered"] for row in both.rows] == [2, 1]
    assert both.total is not None
    assert both.total["entered"] == 3


def test_an_hour_that_is_repeated_is_two_intervals(link: sa.Connection) -> None:
    begin = local("2026-10-25 00:00")
    for number, hours in enumerate((1.5, 2.5, 3.5)):  # 01:30 twice, then 02:30
        entered(link, str(number), begin + hours * 3600, ANSWERED, 1.0)
    report = made(link, "hours", "2026-10-25")
    assert len(report.rows) == 25
    assert [row["entered"] for row in report.rows[:5]] == [0, 1, 1, 1, 0]
    assert report.rows[0]["wait_s.mean"] is None


def test_calls_that_wait_count_in_no_level_and_intervals_to_come_have_no_row(
    link: sa.Connection,
) -> None:
    entered(link, "1", NOW - 60, None, None)
    entered(link, "2", NOW - 90, ANSWERED, 2.0)
    report = made(link, "hours", "today", queue="support")
    assert len(report.rows) == 15
    last = report.rows[-1]
    assert [last[name] for name in ("entered", "answered", "waiting", "service_level.strict")] == [
        2,
        1,
        1,
        100.0,
    ]
    assert "The period is not over: figures up to 2026-11-28 14:35." in report.notes
    week = made(link, "hours", "this week", by="1d")
    assert len(week.rows) == 6


def test_a_renamed_queue_is_one_and_a_removed_one_keeps_its_figures(link: sa.Connection) -> None:
    entered(link, "1", AT, ANSWERED, 1.0, queue="helpdesk")
    entered(link, "2", AT, ANSWERED, 2.0)
    entered(link, "3", AT, ANSWERED, 3.0, queue="gone")
    rows = by_queue(made(link))
    assert {queue: row["answered"] for queue, row in rows.items()} == {
        "support": 2,
        "sales": 0,
        "gone": 1,
    }
    assert rows["support"]["name"] == "Customer support"
    for asked in ("support", "helpdesk"):
        assert [row["answered"] for row in made(link, queue=asked).rows] == [2]
    assert [row["answered"] for row in made(link, queue="gone").rows] == [1]


def test_an_unknown_queue_is_told_the_nearest_and_a_hidden_one_is_unknown(
    sqlite_link: sa.Connection,
) -> None:
    with pytest.raises(ReportError, match=r"there is no queue 'suport'; did you mean 'support'\?"):
        made(sqlite_link, queue="suport")
    with pytest.raises(
        ReportError, match=r"there is no queue '\\x1b\[31m'; there are sales, support"
    ):
        made(sqlite_link, queue="\x1b[31m")
    own = Scope(queues=frozenset({"sales"}))
    with pytest.raises(ReportError, match=r"there is no queue 'support'; there are sales"):
        made(sqlite_link, queue="support", scope=own)
    entered(sqlite_link, "1", AT, ANSWERED, 1.0)
    assert [row["queue"] for row in made(sqlite_link, scope=own).rows] == ["sales"]
    with pytest.raises(PeriodError, match="'1y' is not an interval"):
        made(sqlite_link, by="1y")
    with pytest.raises(ReportError, match="report hours has no --agent"):
        make(
            ReportRequest(what="hours", period=read_period(DAY, NOW, LONDON), agent="alice"),
            SITE,
            ALL,
            sqlite_link,
        )


def test_where_nothing_happened_there_is_no_figure(link: sa.Connection) -> None:
    report = made(link)
    assert [row["queue"] for row in report.rows] == ["sales", "support"]
    assert report.total is not None
    for row in (*report.rows, report.total):
        assert row["entered"] == 0
        for name in row:
            if name.endswith(
                (
                    ".mean",
                    ".median",
                    ".p90",
                    ".max",
                    "_share",
                    ".met",
                    ".strict",
                    "_only",
                    "_credit",
                )
            ):
                assert row[name] is None, name


def test_gaps_and_the_beginning_of_the_record_are_noted(link: sa.Connection) -> None:
    put(link, "calls", [call_row("1", AT)])
    gaps = [
        GapRow(run="r", n=0, kind=GapKind.ROUTER_DOWN, began_at=AT, ended_at=AT + 300, table_name="", rows_lost=0),
        GapRow(run="r", n=1, kind=GapKind.ROWS_LOST, began_at=AT + 600, ended_at=AT + 900, table_name="stays", rows_lost=1200),
        GapRow(run="r", n=2, kind=GapKind.ROUTER_DOWN, began_at=AT - 90_000, ended_at=AT - 86_400, table_name="", rows_lost=0),
    ]  # fmt: skip
    put(link, "record_gaps", gaps)
    assert made(link).notes == (
        "The record begins at 2026-11-27 10:00.",
        "The router was down from 2026-11-27 10:00 to 2026-11-27 10:05: nothing is on record for that time.",
        "The database was away from 2026-11-27 10:10 to 2026-11-27 10:15: 1,200 rows of stays were lost.",
    )
    many = [
        GapRow(
            run="s",
            n=n,
            kind=GapKind.ROUTER_DOWN,
            began_at=AT + n,
            ended_at=AT + n + 0.5,
            table_name="",
            rows_lost=0,
        )
        for n in range(20)
    ]
    put(link, "record_gaps", many)
    assert made(link).notes[-1] == "17 more gaps in the period are not named here."


def test_one_row_and_one_gap_are_said_in_the_singular(link: sa.Connection) -> None:
    lost: dict[str, Any] = {
        "run": "r",
        "kind": GapKind.ROWS_LOST,
        "table_name": "stays",
        "rows_lost": 1,
    }
    gaps = [
        GapRow(**lost, n=n, began_at=AT + n, ended_at=AT + n + 0.5) for n in range(MOST_GAPS + 1)
    ]
    put(link, "record_gaps", gaps)
    notes = made(link).notes
    assert notes[0].endswith(": 1 row of stays was lost.")
    assert notes[-1] == "1 more gap in the period is not named here."


def test_a_long_report_tells_how_far_it_is(sqlite_link: sa.Connection) -> None:
    told: list[float] = []
    asked = ReportRequest(what="agents", period=read_period("last month", NOW, LONDON))
    make(asked, SITE, ALL, sqlite_link, told.append)
    assert told == sorted(told)
    assert len(told) > 20
    assert told[-1] == 1.0
