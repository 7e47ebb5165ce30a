"""The formats of a report, read back: JSON, CSV, a workbook, and the times in all of them."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from callrouter.reports.formats.local_times import interval_labels, period_text
from callrouter.reports.formats.report_csv import guarded, to_csv
from callrouter.reports.formats.report_json import from_json, to_json
from callrouter.reports.formats.workbook import MOST_ROWS, TooManyRowsError, to_xlsx
from callrouter.reports.report import Report, ReportColumn, Shown
from tests.reports import samples

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
HOSTILE = ("=HYPERLINK(1)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\uff1d1", " =1")


def told(*texts: str | None) -> Report:
    """A report of texts and a figure for each."""
    return Report(
        what="calls",
        title="Calls",
        from_=samples.FRIDAY,
        to=samples.FRIDAY + samples.DAY,
        zone=samples.LONDON,
        columns=[
            ReportColumn(name="caller_name", title="Name", shown=Shown.TEXT),
            ReportColumn(name="ended_at", title="Ended", shown=Shown.TIME),
            ReportColumn(name="wait_s.mean", title="Wait", shown=Shown.DURATION, unit="s"),
            ReportColumn(name="level", title="Level", shown=Shown.SHARE, unit="%"),
            ReportColumn(name="met", title="Met", shown=Shown.FLAG),
        ],
        rows=[
            {
                "caller_name": text,
                "ended_at": samples.FRIDAY + 9 * 3600 + 0.25,
                "wait_s.mean": 65.4321,
                "level": 83.33333,
                "met": True,
            }
            for text in texts
        ],
        notes=["One note."],
    )


# ---------------------------------------------------------------- JSON


def test_a_dot_in_a_name_makes_an_object_and_times_have_the_sites_offset() -> None:
    view = to_json(told("Ann"))
    assert view["rows"] == [
        {
            "caller_name": "Ann",
            "ended_at": "2026-11-27T09:00:00.250+00:00",
            "wait_s": {"mean": 65.432},
            "level": 83.333,
            "met": True,
        }
    ]
    assert (view["from"], view["to"]) == ("2026-11-27T00:00:00+00:00", "2026-11-28T00:00:00+00:00")
    assert view["timezone"] == "Europe/London"


@pytest.mark.parametrize(
    "report",
    [
        samples.hours(samples.DayOfCalls()),
        samples.queues(("sales", "support")),
        samples.queues(("sales", "support"), 3600.0),
        samples.agents(list(samples.NAMES)),
        told("Ann", None, ""),
    ],
    ids=lambda report: f"{report.what}-{report.by}",
)
def test_a_report_comes_back_from_its_json(report: Report) -> None:
    view = json.loads(json.dumps(to_json(report), allow_nan=False))
    back = from_json(view)
    assert to_json(back) == view
    assert (back.what, back.by, back.from_, back.to) == (
        report.what,
        report.by,
        report.from_,
        report.to,
    )
    assert len(back.rows) == len(report.rows)
    assert [dict(row) for row in back.rows] == [
        {
            column.name: pytest.approx(value, abs=0.0006)
            if isinstance(value := row.get(column.name), float)
            else value
            for column in report.columns
        }
        for row in report.rows
    ]


def test_a_zone_that_this_machine_does_not_know_keeps_its_offset() -> None:
    view = {
        **to_json(told("Ann")),
        "timezone": "Europe/Nowhere",
        "from": "2026-07-01T00:00:00+01:00",
    }
    assert to_json(from_json(view))["from"] == "2026-07-01T00:00:00+01:00"


@pytest.mark.parametrize("view", [{}, {"timezone": 3}, {**to_json(told("x")), "rows": [{}]}])
def test_what_is_no_report_is_refused(view: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no report"):
        from_json(view)


# ---------------------------------------------------------------- CSV


def test_csv_has_names_and_plain_values() -> None:
    found = list(csv.reader(io.StringIO(to_csv(told("Ann, of York", None)))))
    assert found == [
        ["caller_name", "ended_at", "wait_s.mean", "level", "met"],
        ["Ann, of York", "2026-11-27T09:00:00.250+00:00", "65.432", "83.333", "yes"],
        ["", "2026-11-27T09:00:00.250+00:00", "65.432", "83.333", "yes"],
    ]


def test_csv_of_many_rows_is_whole() -> None:
    report = samples.queues(tuple(f"q{number}" for number in range(30)), 1800.0)
    found = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert len(found) == 30 * 48
    assert sum(int(row["entered"]) for row in found) == sum(
        int(str(row["entered"])) for row in report.rows
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_formula_is_a_text_in_csv(text: str) -> None:
    [_, row] = csv.reader(io.StringIO(to_csv(told(text))))
    assert row[0].startswith("'")
    assert "\t" not in row[0]


@pytest.mark.parametrize("text", ["+441632960961", "+44…961", "Ann", "", "a=b", "12"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert guarded(text) == text


def test_a_text_has_one_line_in_csv() -> None:
    assert to_csv(told("Ann\r\n\x1b[2J\u202e")).count("\n") == 2
    assert "\x1b" not in to_csv(told("Ann\x1b[2J"))


# ---------------------------------------------------------------- XLSX


def sheet(content: bytes, number: int = 1) -> dict[str, str]:
    """The cells of a sheet by their place, with the kind of each before it."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert parts.testzip() is None
        shared = [
            "".join(text.text or "" for text in item.iter(f"{SHEET}t"))
            for item in ET.fromstring(parts.read("xl/sharedStrings.xml"))
        ]
        tree = ET.fromstring(parts.read(f"xl/worksheets/sheet{number}.xml"))
    cells = {}
    for cell in tree.iter(f"{SHEET}c"):
        assert cell.find(f"{SHEET}f") is None, "a formula"
        value = cell.findtext(f"{SHEET}v")
        if cell.get("t") == "s" and value is not None:
            value = shared[int(value)]
        if value is not None:
            cells[cell.get("r") or ""] = f"{cell.get('t') or 'n'}:{value}"
    assert tree.find(f"{SHEET}hyperlinks") is None
    return cells


def test_a_workbook_has_numbers_times_and_durations() -> None:
    cells = sheet(to_xlsx(told("Ann", None)))
    assert [cells[f"{letter}1"] for letter in "ABCDE"] == [
        *("s:Name", "s:Ended", "s:Wait", "s:Level", "s:Met"),
    ]
    assert (cells["A2"], cells["E2"]) == ("s:Ann", "s:yes")
    assert "A3" not in cells
    # Days since 1899-12-30, of the wall clock.
    assert float(cells["B2"][2:]) == pytest.approx(46353 + 9 / 24, abs=1e-5)
    assert float(cells["C2"][2:]) == pytest.approx(65.4321 / 86_400)
    assert float(cells["D2"][2:]) == pytest.approx(0.8333333)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "https://evil.example", "mailto:x", "x" * 40_000, "\x00\x01"]
)
def test_a_text_from_outside_is_a_text_in_a_workbook(text: str) -> None:
    assert sheet(to_xlsx(told(text)))["A2"].startswith("s:")


def test_a_workbook_has_a_total_and_says_what_it_is_about() -> None:
    report = samples.hours(samples.DayOfCalls())
    content = to_xlsx(report)
    cells = sheet(content)
    total = report.total or {}
    assert cells["B50"] == f"n:{total['entered']}"
    about = sheet(content, 2)
    assert about["B1"] == "s:All queues by half hour"
    assert about["B2"] == "s:Friday 27 November 2026"
    assert report.notes[0] in about["B5"]


def test_a_sheet_does_not_hold_everything() -> None:
    with pytest.raises(TooManyRowsError, match="1,000,001 rows"):
        to_xlsx(replace(told(), rows=[{}] * (MOST_ROWS + 1)))


# ---------------------------------------------------------------- times


def period(first: datetime, last: datetime, by: str = "") -> Report:
    return replace(told(), from_=first.timestamp(), to=last.timestamp(), by=by)


def at(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=samples.LONDON, fold=fold)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (at(2026, 11, 27), at(2026, 11, 28), "Friday 27 November 2026"),
        (at(2026, 11, 1), at(2026, 12, 1), "1 to 30 November 2026"),
        (at(2026, 10, 26), at(2026, 11, 2), "26 October to 1 November 2026"),
        (at(2025, 12, 29), at(2026, 1, 5), "29 December 2025 to 4 January 2026"),
        (at(2026, 11, 27, 9), at(2026, 11, 27, 12), "27 November 2026, 09:00 to 12:00"),
        (
            at(2026, 11, 26, 9),
            at(2026, 11, 27, 12),
            "26 November 2026 09:00 to 27 November 2026 12:00",
        ),
        (at(2026, 10, 25), at(2026, 10, 26), "Sunday 25 October 2026"),
    ],
)
def test_a_period_is_said_as_people_say_it(first: datetime, last: datetime, said: str) -> None:
    assert period_text(period(first, last)) == said


def test_an_hour_that_the_clocks_repeat_has_its_offset() -> None:
    report = period(at(2026, 10, 25), at(2026, 10, 26), "1h")
    starts = [report.from_ + 3600 * number for number in range(25)]
    labels = list(interval_labels(report, starts).values())
    assert labels[:4] == ["00:00", "01:00 +0100", "01:00 +0000", "02:00"]
    assert len(set(labels)) == 25


@pytest.mark.parametrize(
    ("by", "days", "form"),
    [
        ("1h", 7, r"Fri 27 Nov 00:00"),
        ("1d", 30, r"Fri 27 Nov"),
        ("1w", 60, r"Fri 27 Nov 2026"),
        ("1mo", 90, r"Nov 2026"),
    ],
)
def test_intervals_are_named_by_their_length(by: str, days: int, form: str) -> None:
    report = replace(told(), by=by, to=samples.FRIDAY + days * samples.DAY)
    assert interval_labels(report, [samples.FRIDAY])[samples.FRIDAY] == form


def test_times_out_of_range_are_no_error() -> None:
    report = replace(told(), zone=ZoneInfo("Asia/Tokyo"), rows=[{"ended_at": 1e18}])
    assert re.search("9999", to_csv(report))
    assert to_xlsx(report)
