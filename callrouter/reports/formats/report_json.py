"""A report as JSON, and back: the answer of the API, from which the command makes its formats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final, TypeAlias

from callrouter.model.text import Phrase, coded
from callrouter.reports.figure_calls import has_calls
from callrouter.reports.figure_meanings import meaning_of
from callrouter.reports.formats.local_times import iso, named_zone, zone_name
from callrouter.reports.report import Report, ReportColumn, Row, Shown, Value

Json: TypeAlias = dict[str, Any]

_TIMES: Final = frozenset({Shown.TIME, Shown.INTERVAL})
_DIGITS: Final = 3
"""Decimal places: durations are known to the millisecond."""


def to_json(report: Report) -> Json:
    """Return a report in its JSON form.

    A column with a dot in its name becomes a field of an object. Times are ISO 8601 with the offset of
    the site's zone, durations are seconds, shares percent. What has no figure is null.
    """
    return {**_head(report), "rows": [_row(row, report) for row in report.rows]}


def encode_report(report: Report) -> bytes:
    """Return a report as the API has it: JSON in UTF-8, with a line for each row.

    Sentences have codes beside them: `notes_phrases`, and `NAME_phrase` in a row.

    The rows are encoded one by one: encoding many at once would hold the interpreter's lock, and with
    it the daemon's loop.
    """
    notes = [coded(note) for note in report.notes]
    head = _encoded({**_head(report), "notes_phrases": notes})
    rows = ",\n".join(_encoded({**_row(row, report), **_phrases(row)}) for row in report.rows)
    return f'{head[:-1]}, "rows": [{rows}]}}'.encode("utf-8", "replace")


def _encoded(view: Json) -> str:
    return json.dumps(view, ensure_ascii=False, allow_nan=False)


def _head(report: Report) -> Json:
    return {
        "what": report.what,
        "title": report.title,
        "from": iso(report.from_, report.zone),
        "to": iso(report.to, report.zone),
        "timezone": zone_name(report.zone),
        "by": report.by,
        "edges": [iso(at, report.zone) for at in report.edges],
        "columns": [
            {
                "name": column.name,
                "title": column.title,
                "shown": column.shown.value,
                "unit": column.unit,
                "drop": column.drop,
                "counts_in": meaning.unit,
                "meaning": meaning.text,
                "has_calls": has_calls(report.what, column.name),
            }
            for column in report.columns
            for meaning in (meaning_of(report.what, column.name),)
        ],
        "total": None if report.total is None else _row(report.total, report),
        "notes": list(report.notes),
    }


def _row(row: Row, report: Report) -> Json:
    made: Json = {}
    for column in report.columns:
        owner, _, field = column.name.partition(".")
        place = made.setdefault(owner, {}) if field else made
        place[field or owner] = _value(row.get(column.name), column, report.zone)
    return made


def _phrases(row: Row) -> Json:
    """Return the codes of the sentences in a row."""
    return {
        f"{name}_phrase": coded(value) for name, value in row.items() if isinstance(value, Phrase)
    }


def _value(value: Value, column: ReportColumn, zone: tzinfo) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if column.shown in _TIMES:
        return iso(value, zone)
    # Adding 0 makes 0 of the -0.0 that a tiny negative number is rounded to.
    return round(value, _DIGITS) + 0.0 if isinstance(value, float) else value


def from_json(view: Mapping[str, Any]) -> Report:
    """Return the report of an answer of the API.

    Raises:
        ValueError: it is none.
    """
    try:
        zone = named_zone(view["timezone"], view["from"])
        columns = [
            ReportColumn(
                name=item["name"],
                title=item["title"],
                shown=Shown(item["shown"]),
                unit=item["unit"],
                drop=item["drop"],
            )
            for item in view["columns"]
        ]
        total = view["total"]
        return Report(
            what=view["what"],
            title=view["title"],
            from_=_epoch(view["from"]),
            to=_epoch(view["to"]),
            zone=zone,
            by=view["by"],
            edges=[_epoch(at) for at in view["edges"]],
            columns=columns,
            rows=[_flat(row, columns) for row in view["rows"]],
            total=None if total is None else _flat(total, columns),
            notes=list(view["notes"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no report ({error})") from error


def _flat(row: Mapping[str, Any], columns: Sequence[ReportColumn]) -> dict[str, Value]:
    made: dict[str, Value] = {}
    for column in columns:
        owner, _, field = column.name.partition(".")
        value = row[owner][field] if field else row[owner]
        if column.shown in _TIMES and value is not None:
            value = _epoch(value)
        made[column.name] = value
    return made


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
