"""Tables that fit a terminal: no word is broken, and what is left out shows that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text

GAP: Final = 2
"""Blanks between two columns."""
LEAST: Final = 6
"""Columns to which a cell may be shortened where no other column is left to leave out."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `right`: holds numbers. `flexible`: its cells may be shortened, which a final ``…`` shows; those of the
    highest number first; 0: never. `least`: to so many columns, as long as another column can be left out instead.
    `drop`: left out where there is no room, the highest first; 0: never.
    """

    name: str
    right: bool = False
    flexible: int = 0
    drop: int = 0
    least: int = LEAST


def table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[Text]:
    """The lines of a table: its head and one line a row, none wider than `width` if that can be."""
    kept = list(range(len(columns)))
    while True:
        optional = [n for n in kept if columns[n].drop]
        shown = [columns[n] for n in kept]
        widths = _fitted(shown, _natural(columns, rows, kept), width, hard=not optional)
        if sum(widths) + GAP * (len(kept) - 1) <= width or not optional:
            break
        kept.remove(max(optional, key=lambda n: columns[n].drop))
    head = [Text(columns[n].name, style="bold") for n in kept]
    lines = [[row[n] for n in kept] for row in rows]
    right = [columns[n].right for n in kept]
    return [_line(cells, widths, right) for cells in (head, *lines)]


def _natural(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], kept: Sequence[int]
) -> list[int]:
    return [max(cell_len(columns[n].name), *(row[n].cell_len for row in rows), 0) for n in kept]


def _fitted(columns: Sequence[Column], widths: list[int], width: int, *, hard: bool) -> list[int]:
    """Take from the widest flexible column until all fit, or none can give any more."""
    over = sum(widths) + GAP * (len(widths) - 1) - width
    while over > 0:
        givers = [
            n
            for n, column in enumerate(columns)
            if column.flexible
            and widths[n] > max(LEAST if hard else column.least, cell_len(column.name))
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
    """Short texts side by side, read down and then across."""
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
    """The first lines that fit; the last one says how many more there are of `what`."""
    if len(lines) <= height or height < 1:
        return list(lines)
    hidden = len(lines) - height + 1
    return [*lines[: height - 1], Text(f"… and {hidden} more {what}", style="dim")]
