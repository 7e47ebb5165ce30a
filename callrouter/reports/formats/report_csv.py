"""A report as CSV: a line of names, then a line for each row.

Callers and their telephone companies choose names and numbers. A text that a spreadsheet would take
for a formula is therefore written with an apostrophe before it (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from callrouter.model.text import clean
from callrouter.reports.formats.local_times import iso
from callrouter.reports.report import Report, ReportColumn, Shown, Value

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms of the first four, which spreadsheets take for them."""
_PHONE_NUMBER: Final = re.compile(r"\+[0-9…]+")
"""Complete or masked. It begins with a sign of a formula and is none: a number at most."""
_DIGITS: Final = 3
_BLOCK: Final = 500
"""Rows in one piece."""


def to_csv(report: Report) -> str:
    """Return a report as CSV (RFC 4180, lines end with a line feed alone).

    The columns have the names of the JSON form. Times are ISO 8601 with the offset of the site's zone,
    durations are seconds, shares percent; a cell without a figure is empty. The total and the notes
    are not part of it.
    """
    return "".join(csv_blocks(report))


def csv_blocks(report: Report) -> Iterator[str]:
    """Yield `to_csv` in pieces of some hundred lines."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in report.columns])
    for number, row in enumerate(report.rows, 1):
        writer.writerow([_cell(row.get(item.name), item, report.zone) for item in report.columns])
        if number % _BLOCK == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _cell(value: Value, column: ReportColumn, zone: tzinfo) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return guarded(value)
    if column.shown in {Shown.TIME, Shown.INTERVAL}:
        return iso(value, zone)
    return round(value, _DIGITS) if isinstance(value, float) else value


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, on one line.

    A phone number in international form stays as it is.
    """
    if text.lstrip(" ").startswith(_FORMULA) and not _PHONE_NUMBER.fullmatch(text):
        return "'" + clean(text)
    return clean(text)
