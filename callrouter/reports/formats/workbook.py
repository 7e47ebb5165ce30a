"""A report as a workbook (XLSX), with real numbers, times and durations.

The first sheet has nothing but the table, so that it can be sorted, filtered and pivoted; the second
says what it is about. Texts from outside are written as texts: no formula, no link.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from callrouter.model.text import clean
from callrouter.reports.formats.local_times import local, period_text, zone_name
from callrouter.reports.report import Report, ReportColumn, Row, Shown, Value

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS: Final = 1_000_000
"""A sheet has 1,048,576 rows."""
_LONGEST: Final = 32_000
"""A cell holds 32,767 characters."""
_DAY: Final = 86_400.0
_FORMS: Final[Mapping[Shown, str]] = {
    Shown.TEXT: "@",
    Shown.COUNT: "#,##0",
    Shown.NUMBER: "#,##0.0##",
    Shown.DURATION: "[h]:mm:ss",
    Shown.SHARE: "0.0%",
    Shown.TIME: "yyyy-mm-dd hh:mm:ss",
    Shown.INTERVAL: "yyyy-mm-dd hh:mm",
    Shown.FLAG: "@",
}
_WIDTHS: Final[Mapping[Shown, int]] = {Shown.TIME: 20, Shown.INTERVAL: 17}
_WIDEST: Final = 60
_LOOKED_AT: Final = 1000
"""Rows by which the width of a column is chosen."""


class TooManyRowsError(ValueError):
    """The report has more rows than a sheet can hold."""


def to_xlsx(report: Report) -> bytes:
    """Return a report as a workbook; needs XlsxWriter (the extra ``reports``).

    Raises:
        TooManyRowsError: a sheet cannot hold it.
    """
    if len(report.rows) > MOST_ROWS:
        raise TooManyRowsError(
            f"the report has {len(report.rows):,} rows, and a sheet holds {MOST_ROWS:,}; choose a "
            "shorter period, or CSV"
        )
    import xlsxwriter  # noqa: PLC0415 - an extra

    content = io.BytesIO()
    texts_stay_texts = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "in_memory": True,
    }
    with xlsxwriter.Workbook(content, texts_stay_texts) as book:
        book.set_properties({"title": report.title, "comments": "made by callrouter"})
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        forms = {kind: book.add_format({"num_format": form}) for kind, form in _FORMS.items()}
        sums = {
            kind: book.add_format({"num_format": form, "bold": True, "top": 1})
            for kind, form in _FORMS.items()
        }
        sheet = book.add_worksheet(report.what[:31])
        _table(sheet, report, bold, forms, sums)
        _about(book.add_worksheet("about"), report, book.add_format({"text_wrap": True}))
    return content.getvalue()


def _table(
    sheet: Worksheet,
    report: Report,
    heading: Format,
    forms: Mapping[Shown, Format],
    sums: Mapping[Shown, Format],
) -> None:
    for place, column in enumerate(report.columns):
        sheet.write_string(0, place, column.title, heading)
        sheet.set_column(place, place, _width(column, report))
    sheet.freeze_panes(1, 1)
    if report.columns:
        sheet.autofilter(0, 0, max(1, len(report.rows)), len(report.columns) - 1)
    for number, row in enumerate(report.rows, 1):
        for place, value in _cells(row, report):
            sheet.write(number, place, value, forms[report.columns[place].shown])
    if report.total is not None:
        for place, value in _cells(report.total, report):
            below = len(report.rows) + 1
            sheet.write(below, place, value, sums[report.columns[place].shown])


def _cells(row: Row, report: Report) -> Iterator[tuple[int, Any]]:
    for place, column in enumerate(report.columns):
        value = row.get(column.name)
        if value is not None:
            yield place, _cell(value, column, report)


def _cell(value: Value, column: ReportColumn, report: Report) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) or value is None:
        return clean(value or "")[:_LONGEST]
    match column.shown:
        case Shown.DURATION:
            return value / _DAY
        case Shown.SHARE:
            return value / 100
        case Shown.TIME | Shown.INTERVAL:
            return local(value, report.zone).replace(tzinfo=None)  # a sheet knows no zones
        case _:
            return value


def _width(column: ReportColumn, report: Report) -> int:
    if column.shown in _WIDTHS:
        return _WIDTHS[column.shown]
    longest = max((len(word) for word in column.title.split()), default=0) + 3
    if column.shown is Shown.TEXT:
        texts = (str(row.get(column.name) or "") for row in report.rows[:_LOOKED_AT])
        longest = max(longest, max(map(len, texts), default=0) + 1)
    return min(_WIDEST, max(9, longest))


def _about(sheet: Worksheet, report: Report, wrapped: Format) -> None:
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, 1, 90)
    lines = [
        ("Report", report.title),
        ("Period", period_text(report)),
        ("Time zone", zone_name(report.zone)),
        *(("Intervals", report.by) for _ in range(bool(report.by))),
        *(("Note", note) for note in report.notes),
    ]
    for number, (name, text) in enumerate(lines):
        sheet.write_string(number, 0, name)
        sheet.write_string(number, 1, clean(text)[:_LONGEST], wrapped)
