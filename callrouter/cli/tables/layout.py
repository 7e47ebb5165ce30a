"""Tables for a terminal: cells with texts from outside and states in their colours, and their layout.

Words are not broken, and omissions are visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from callrouter.model.text import clean, clock_duration

# ---------------------------------------------------------------- cells

STYLES: Mapping[str, str] = {
    "available": "green",
    "reserved": "yellow",
    "ringing": "yellow",
    "on-call": "cyan",
    "wrap-up": "blue",
    "paused": "magenta",
    "offline": "dim",
    "waiting": "yellow",
    "connecting": "cyan",
    "talking": "cyan",
    "up": "green",
    "down": "bold red",
    "good": "green",
    "bad": "bold red",
    "abandoned": "red",
}

_NAME = 40
"""Maximum number of characters shown of a caller's name or number."""


def plain(text: object) -> Text:
    """Return a text from outside, without markup or control characters."""
    return Text(clean(str(text or "")))


def state(word: str, note: str = "") -> Text:
    """Return a state in its colour, followed by a note.

    The colour is from `STYLES`; a word that is not there has none. Both texts are cleaned of
    control characters, and the note is dim.
    """
    made = Text(clean(word), style=STYLES.get(word, ""))
    if note:
        made.append(f" {clean(note)}", style="dim")
    return made


def caller(view: Mapping[str, object], *, named: bool) -> Text:
    """Return the caller's number as received; `named`: followed by the name.

    Each is cut after 40 characters. Without a number, it is the name alone, or ``withheld``.
    """
    number, name = str(view.get("caller_number") or ""), str(view.get("caller_name") or "")
    if not number:
        return Text(clean(name)[:_NAME] or "withheld")
    made = Text(clean(number)[:_NAME])
    if named and name and name != number:
        made.append(f" {clean(name)[:_NAME]}", style="dim")
    return made


# ---------------------------------------------------------------- durations, times and lines


def since(moment: str | None, now: datetime) -> str:
    """Return how long ago a time of the API was.

    It is empty without a time. A time in the future, by clocks that differ, counts as now.
    """
    if not moment:
        return ""
    return clock_duration(max(0.0, (now - parse(moment)).total_seconds()))


def clock_time(moment: str | None) -> str:
    """Return a time of the API as the reader's local time of day.

    The form is ``HH:MM:SS``; empty without a time.
    """
    return parse(moment).astimezone().strftime("%H:%M:%S") if moment else ""


def parse(moment: str) -> datetime:
    """Parse a time of the API.

    The API writes ISO 8601. The result is in UTC.

    Raises:
        ValueError: it is not such a time.
    """
    return datetime.fromisoformat(moment).astimezone(UTC)


GAP: Final = 2
"""Spaces between two columns."""
LEAST: Final = 6
"""Minimum width of a shortened cell once no more columns can be left out."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `right`: right-aligned, for numbers. `flexible`: cells may be shortened, marked with a final
    ``…``; the highest number goes first, 0 means never. `least`: minimum width as long as another
    column can be left out instead. `drop`: left out if there is no room; the highest goes first, 0
    means never. A `name` may have several lines.
    """

    name: str
    right: bool = False
    flexible: int = 0
    drop: int = 0
    least: int = LEAST


def table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[Text]:
    """Return the lines of a table: heading and rows.

    Columns give way in the order of their `drop`, and flexible ones are shortened with a sign, until
    the table fits.

    Args:
        columns: what each column is, and how it gives way.
        rows: a cell for each column.
        width: columns of the terminal. If even that is too little, lines are longer.
    """
    kept, widths = _chosen(columns, rows, width)
    lines = [[row[n] for n in kept] for row in rows]
    right = [columns[n].right for n in kept]
    heads = _headings([columns[n].name for n in kept])
    return [_line(cells, widths, right) for cells in (*heads, *lines)]


def left_out(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[str]:
    """Return the names of the columns that `table` leaves out because they do not fit."""
    kept, _ = _chosen(columns, rows, width)
    return [columns[n].name for n in _filled(columns, rows) if n not in kept]


def _headings(names: Sequence[str]) -> list[list[Text]]:
    """Return the lines of the headings; shorter ones stand at the bottom."""
    parts = [name.split("\n") for name in names]
    high = max(map(len, parts), default=1)
    padded = [[""] * (high - len(part)) + part for part in parts]
    return [[Text(part[line], style="bold") for part in padded] for line in range(high)]


def _filled(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[int]:
    """Return the columns with anything in them, and those that are always shown."""
    return [
        n
        for n, column in enumerate(columns)
        if not (column.drop and rows) or any(row[n].cell_len for row in rows)
    ]


def _chosen(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> tuple[list[int], list[int]]:
    """Return the columns that fit, and their widths."""
    kept = _filled(columns, rows)
    while True:
        optional = [n for n in kept if columns[n].drop]
        shown = [columns[n] for n in kept]
        widths = _fitted(shown, _natural(columns, rows, kept), width, hard=not optional)
        if sum(widths) + GAP * (len(kept) - 1) <= width or not optional:
            return kept, widths
        kept.remove(max(optional, key=lambda n: columns[n].drop))


def _natural(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], kept: Sequence[int]
) -> list[int]:
    return [max(_heading_width(columns[n]), *(row[n].cell_len for row in rows), 0) for n in kept]


def _heading_width(column: Column) -> int:
    return max(map(cell_len, column.name.split("\n")))


def _fitted(columns: Sequence[Column], widths: list[int], width: int, *, hard: bool) -> list[int]:
    """Shrink the widest flexible column until all fit or none can shrink further.

    Of several, the highest `flexible` gives way first. None gets narrower than its heading or its
    `least`; with `hard`, `LEAST` takes the place of that. `widths` is changed in place.
    """
    over = sum(widths) + GAP * (len(widths) - 1) - width
    while over > 0:
        givers = [
            n
            for n, column in enumerate(columns)
            if column.flexible
            and widths[n] > max(LEAST if hard else column.least, _heading_width(column))
        ]
        if not givers:
            break
        widest = max(givers, key=lambda n: (columns[n].flexible, widths[n]))
        widths[widest] -= 1
        over -= 1
    return widths


def _line(cells: Sequence[Text], widths: Sequence[int], right: Sequence[bool]) -> Text:
    made = Text()
    for n, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        shown = cell.copy()
        if shown.cell_len > width:
            shown.truncate(width, overflow="ellipsis")
        blanks = " " * (width - shown.cell_len)
        made.append(" " * GAP if n else "")
        made.append_text(Text(blanks).append_text(shown) if right[n] else shown.append(blanks))
    made.rstrip()
    return made


def grid(cells: Sequence[Text], width: int) -> list[Text]:
    """Arrange short texts in columns, read downwards first.

    All columns are as wide as the widest text, but no wider than `width` (columns of the terminal);
    a longer text is shortened with ``…``.
    """
    if not cells:
        return []
    widest = min(max(cell.cell_len for cell in cells), width)
    across = max(1, (width + GAP) // (widest + GAP))
    down = -(-len(cells) // across)
    lines = []
    for row in range(down):
        part = [cells[n] for n in range(row, len(cells), down)]
        lines.append(_line(part, [widest] * len(part), [False] * len(part)))
    return lines


def fit(lines: Sequence[Text], height: int, what: str) -> list[Text]:
    """Return the first lines that fit; the last one says how many more there are.

    Args:
        lines: all lines.
        height: lines of the terminal.
        what: what a line is about, in the plural, such as ``calls``.
    """
    if len(lines) <= height or height < 1:
        return list(lines)
    hidden = len(lines) - height + 1
    return [*lines[: height - 1], Text(f"… and {hidden} more {what}", style="dim")]
