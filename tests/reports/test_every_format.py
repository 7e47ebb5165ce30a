"""Every report of a day on record, in every format: nothing is lost on the way, and a terminal can hold it."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest

from callrouter.cli.commands.report_command import WHATS as WORDS
from callrouter.cli.tables import report_table
from callrouter.record.record_reader import RecordReader
from callrouter.record.rows import CallRow
from callrouter.reports.catalog import WHATS, make
from callrouter.reports.formats.plot import to_png
from callrouter.reports.formats.report_csv import to_csv
from callrouter.reports.formats.report_json import encode_report, from_json, to_json
from callrouter.reports.formats.workbook import to_xlsx
from callrouter.reports.periods import read_period
from callrouter.reports.report import Report
from callrouter.reports.request import ALL, ReportRequest, Site
from callrouter.settings import load
from callrouter.store.location import File
from tests.daemon.process import Place
from tests.record.rows import fill
from tests.reports.played_day import AGENTS, CONFIG, PlayedDay
from tests.reports.samples import DAY, FRIDAY, LONDON


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Every report of the day, by its name."""
    place = Place(tmp_path_factory.mktemp("day"))
    place.replace("callrouter", "http:", "timezone: Europe/London\nhttp:")
    for name, text in CONFIG.items():
        place.write(name, text)
    day = PlayedDay()
    database = File(place.config / "callrouter.db")
    fill(database, *day.rows)
    call = next(row.call for row in day.rows if isinstance(row, CallRow) and row.offers == 2)
    now = FRIDAY + DAY
    site = Site.of(load(place.config, environ={}), now)
    period = read_period("2026-11-27", now, LONDON)
    reader = RecordReader(database)
    with reader.connection() as link:
        made = {
            what: make(
                ReportRequest(what=what, period=period, call=call if what == "call" else ""),
                site,
                ALL,
                link,
            )
            for what in WHATS
        }
    reader.close()
    return made


def test_the_command_knows_every_report() -> None:
    assert set(WORDS) == set(WHATS)


@pytest.mark.parametrize("what", WHATS)
def test_a_report_in_every_format(reports: dict[str, Report], what: str) -> None:
    report = reports[what]
    assert report.rows
    view = json.loads(encode_report(report))
    assert len(view["notes_phrases"]) == len(report.notes)
    plain = {name: value for name, value in view.items() if name != "notes_phrases"}
    plain["rows"] = [
        {name: value for name, value in row.items() if not name.endswith("_phrase")}
        for row in view["rows"]
    ]
    assert plain == json.loads(json.dumps(to_json(report)))
    assert to_json(from_json(view)) == to_json(report)
    names = [column.name for column in report.columns]
    assert len(set(names)) == len(names)
    assert all(set(row) <= set(names) for row in report.rows)
    found = list(csv.reader(io.StringIO(to_csv(report))))
    assert found[0] == names
    assert len(found) == len(report.rows) + 1
    with zipfile.ZipFile(io.BytesIO(to_xlsx(report))) as parts:
        assert parts.testzip() is None
        assert parts.read("xl/worksheets/sheet1.xml").count(b"<row ") == (
            len(report.rows) + 1 + (report.total is not None)
        )


@pytest.mark.parametrize("what", WHATS)
def test_a_terminal_of_80_columns_holds_every_report(reports: dict[str, Report], what: str) -> None:
    lines = report_table.lines(reports[what], 80)
    assert max(line.cell_len for line in lines) <= 80
    assert "…" not in "".join(line.plain for line in lines)


def test_ids_and_numbers_stay_whole(reports: dict[str, Report]) -> None:
    for what, column in (("calls", "call"), ("abandoned", "call"), ("abandoned", "number")):
        said = "\n".join(line.plain for line in report_table.lines(reports[what], 80))
        assert all(str(row[column]) in said for row in reports[what].rows)


def test_a_story_has_its_details_below_its_rows(reports: dict[str, Report]) -> None:
    report = reports["call"]
    said = [line.plain for line in report_table.lines(report, 80)]
    details = [str(row["detail"]) for row in report.rows if row["detail"]]
    joined = " ".join(line.strip() for line in said)
    assert details
    assert all(detail in joined for detail in details)
    assert "missed" in joined or "no answer" in joined


@pytest.mark.parametrize("what", ["queues", "hours", "agents"])
def test_a_plot_of_the_day(reports: dict[str, Report], what: str) -> None:
    assert to_png(reports[what]).startswith(b"\x89PNG")


def test_the_day_is_whole(reports: dict[str, Report]) -> None:
    """What the reports say of it agrees among them, and with what was played."""
    calls = [row for row in PlayedDay().rows if isinstance(row, CallRow)]
    abandoned = sum(row.outcome is not None and row.outcome.value == "abandoned" for row in calls)
    for what in ("queues", "hours"):
        total = reports[what].total or {}
        assert (total["entered"], total["abandoned"]) == (len(calls), abandoned)
    assert len(reports["calls"].rows) == len(calls)
    assert len(reports["abandoned"].rows) == abandoned
    assert {row["agent"] for row in reports["agents"].rows} == set(AGENTS)
