"""A report as a table for a terminal: figures as people read them, in as many columns as fit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from rich.text import Text

from callrouter.cli.tables import layout
from callrouter.cli.tables.layout import Column
from callrouter.model.text import clean, clock_duration
from callrouter.reports.formats.local_times import (
    interval_labels,
    local,
    period_text,
    zone_name,
)
from callrouter.reports.report import NO_FIGURE, Report, ReportColumn, Row, Shown, Value

_LEFT: Final = frozenset({Shown.TEXT, Shown.TIME, Shown.INTERVAL, Shown.FLAG})
_WHOLE: Final = frozenset({"call", "offer", "number", "caller_number"})
"""Texts that are of no use when cut."""
_BELOW: Final = "detail"
"""The column of a story whose texts stand below their rows, as long as they are."""
_INDENT: Final = 10
_LEAST: Final = 12
_LONG: Final = 72 * 3600.0
"""Seconds from which `clock_duration` would give days."""
_DAY: Final = 90_000.0


def lines(report: Report, width: int) -> list[Text]:
    """Return the lines of a report: what it is, its table, and the total below.

    Columns that matter less are left out where the terminal is too narrow, and the last line says so.
    The notes are not among the lines.

    Args:
        report: the report.
        width: columns of the terminal.
    """
    about = f"{period_text(report)} ({zone_name(report.zone)})"
    head = [Text(clean(report.title), style="bold"), Text(about, style="dim")]
    if not report.rows:
        return [*head, Text(""), Text("nothing on record")]
    if any(column.name == _BELOW for column in report.columns):
        return [*head, Text(""), *_story(report, width)]
    return [*head, Text(""), *_table(report, width)]


def _table(report: Report, width: int) -> list[Text]:
    columns = [_column(column) for column in report.columns]
    starts = {row.get("interval") for row in report.rows}
    labels = interval_labels(
        report, sorted(start for start in starts if isinstance(start, int | float))
    )
    rows = [_cells(row, report, labels) for row in report.rows]
    if report.total is not None:
        rows.append(_total(report.total, report))
    made = layout.table(columns, rows, width)
    if report.total is not None:
        made[-1].stylize("bold")
    return [*made, *_left_out(columns, rows, width)]


def _story(report: Report, width: int) -> list[Text]:
    """Return a table whose details stand below each row, wrapped between words."""
    columns = [column for column in report.columns if column.name not in {_BELOW, "offer"}]
    heading, *rows = _table(replace(report, columns=columns), width)
    made = [heading]
    for line, row in zip(rows, report.rows, strict=False):
        detail = clean(str(row.get(_BELOW) or ""))
        indent = " " * _INDENT
        text = textwrap.fill(
            detail, max(30, width), initial_indent=indent, subsequent_indent=indent
        )
        made += [line, *(Text(part, style="dim") for part in text.split("\n") if part.strip())]
    return [*made, *rows[len(report.rows) :]]


def _column(column: ReportColumn) -> Column:
    text = column.shown is Shown.TEXT and column.name not in _WHOLE
    return Column(
        _heading(column),
        right=column.shown not in _LEFT,
        flexible=1 if text else 0,
        drop=0 if column.name == "call" else column.drop,
        least=_LEAST,
    )


def _heading(column: ReportColumn) -> str:
    """Return a heading in two lines of about the same length, so that columns of figures are narrow."""
    words = column.title.split()
    if len(words) < 2 or column.shown is Shown.TEXT:
        return column.title
    cuts = [(" ".join(words[:cut]), " ".join(words[cut:])) for cut in range(1, len(words))]
    return "\n".join(min(cuts, key=lambda cut: max(map(len, cut))))


def _cells(row: Row, report: Report, labels: Mapping[float, str]) -> list[Text]:
    made = []
    for column in report.columns:
        value = row.get(column.name)
        if column.shown is Shown.INTERVAL and isinstance(value, int | float):
            made.append(Text(labels.get(value, "")))
        else:
            made.append(_cell(value, column, report))
    return made


def _total(row: Row, report: Report) -> list[Text]:
    """Return the cells of the total; what it has no value for stays empty, not a dash."""
    made = [
        Text("") if row.get(column.name) is None and column.shown in _LEFT else cell
        for column, cell in zip(report.columns, _cells(row, report, {}), strict=True)
    ]
    if made and not made[0].plain:
        made[0] = Text("total")
    return made


def _cell(value: Value, column: ReportColumn, report: Report) -> Text:
    if value is None:
        return Text(NO_FIGURE, style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, str):
        return Text(clean(value))
    return Text(_figure(value, column.shown, report))


def _figure(value: float, shown: Shown, report: Report) -> str:
    match shown:
        case Shown.DURATION:
            return duration(value)
        case Shown.SHARE:
            return f"{value:.1f} %"
        case Shown.NUMBER:
            return f"{value:,.1f}"
        case Shown.TIME | Shown.INTERVAL:
            when = local(value, report.zone)
            if report.to - report.from_ <= _DAY:
                return f"{when:%H:%M:%S}"
            return f"{when:%Y-%m-%d %H:%M:%S}"
        case _:
            return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Return a duration for a column: ``7 s``, ``2:05``, ``1:02:03``, ``160:12:05``; never in days."""
    if seconds < _LONG:
        return clock_duration(seconds)
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _left_out(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[Text]:
    hidden = layout.left_out(columns, rows, width)
    if not hidden:
        return []
    text = f"{len(hidden)} more columns in a wider terminal, with --json, --csv or --xlsx"
    return [
        Text(""),
        Text(text if len(hidden) > 1 else text.replace("columns", "column"), style="dim"),
    ]
