"""What a report is: columns, rows and notes, before any format.

Pure. A module for each kind of report makes one, and the formats show it: a table for a terminal, JSON,
CSV, a workbook, a plot. A value is never text that was rounded or formatted for people; that is left
to the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum
from typing import Final, TypeAlias

Value: TypeAlias = str | int | float | bool | None
"""A cell. None: there is no figure, because nothing happened; shown as a dash, never as 0."""
Row: TypeAlias = Mapping[str, Value]
"""Values by the names of the columns. A column that is missing has None."""

NO_FIGURE: Final = "\N{EN DASH}"
"""Shown for a cell without a figure."""


class Shown(Enum):
    """How the values of a column are meant and shown. The comment says what a value is."""

    TEXT = "text"
    """Text; possibly from outside, so no format trusts it."""
    COUNT = "count"
    """A whole number of things."""
    NUMBER = "number"
    """A number with decimal places, such as a ratio."""
    DURATION = "duration"
    """Seconds."""
    SHARE = "share"
    """Percent: 0 to 100."""
    TIME = "time"
    """Epoch seconds; shown as date and time of the site's zone."""
    INTERVAL = "interval"
    """Epoch seconds at which an interval begins; shown by date or time of day, as the intervals need it."""
    FLAG = "flag"
    """Whether or not."""

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportColumn:
    """A column of a report.

    Attributes:
        name: its name in JSON, CSV and workbooks. A dot makes an object in JSON: ``wait_s.mean`` and
            ``wait_s.max`` are the fields of ``wait_s``. Names of seconds end in ``_s``, or their
            object's name does.
        title: its heading for people, short: ``Mean wait``.
        shown: what its values are.
        unit: the unit of its values for headings, such as ``s`` or ``%``; empty: none.
        drop: in a terminal that is too narrow the column with the highest goes first; 0: never.
    """

    name: str
    title: str
    shown: Shown = Shown.COUNT
    unit: str = ""
    drop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as it was made; the formats of `callrouter.reports.formats` show it.

    Plots find their figures by the names of the columns: ``interval``, ``entered``, ``answered``,
    ``abandoned``, ``left``, ``wait_s.…`` and ``service_level.…`` (the first of these is that of the queue;
    ``service_level.target`` is what it should be) and, for agents, ``agent`` and ``state_s.STATE``.

    Attributes:
        what: the kind of report, as in ``callrouter report WHAT``.
        title: what it shows, as a heading: ``Queues by hour``.
        from_: epoch seconds of the beginning of its period.
        to: epoch seconds of the end, which is not part of it.
        zone: the site's time zone, in which its times are shown.
        by: the length of its intervals, such as ``1h``; empty: it is not divided.
        edges: epoch seconds at which its intervals begin, also those without rows; none: it is not divided.
        columns: what each row has, in order.
        rows: the figures.
        total: the figures over all rows, where they can be said; not part of `rows`.
        notes: sentences for the reader, such as what is missing and why.
    """

    what: str
    title: str
    from_: float
    to: float
    zone: tzinfo
    by: str = ""
    edges: Sequence[float] = ()
    columns: Sequence[ReportColumn]
    rows: Sequence[Row]
    total: Row | None = None
    notes: Sequence[str] = ()

    def lines(self) -> Iterator[Row]:
        """Yield the rows and then the total, if there is one."""
        yield from self.rows
        if self.total is not None:
            yield self.total
