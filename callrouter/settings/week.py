"""A week as minutes from Monday 00:00: which of them some hours cover, and which they leave out.

Clock changes do not matter here: this is about what is written, not about any particular week.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from callrouter.model.hours import DAY, DAYS, Hours, Span
from callrouter.settings import wording

WEEK: Final = 7 * DAY

Parts: TypeAlias = list[tuple[int, int]]
"""Begin and end in minutes of the week, in order, apart from each other."""

WHOLE: Final[Parts] = [(0, WEEK)]


def covered(hours: Hours) -> Parts:
    """Give the minutes of the week that hours cover; what passes Sunday's midnight is Monday's."""
    found: Parts = []
    for span in hours.spans:
        begin, end = span.day * DAY + span.start, span.day * DAY + span.end
        found.append((begin, min(end, WEEK)))
        if end > WEEK:
            found.append((0, end - WEEK))
    return joined(found)


def joined(parts: Iterable[tuple[int, int]]) -> Parts:
    """Put parts in order and those that touch together."""
    found: Parts = []
    for begin, end in sorted(parts):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def without(parts: Parts, taken: Parts) -> Parts:
    """Give what of `parts` is not in `taken`."""
    found: Parts = []
    for begin, end in parts:
        at = begin
        for first, last in taken:
            if at < end and last > at:
                if first > at:
                    found.append((at, min(first, end)))
                at = max(at, last)
        if at < end:
            found.append((at, end))
    return found


def first_in_words(parts: Parts) -> str:
    """Name the first part, together with those like it on other days: ``mon-fri 12:00-13:00``."""
    if parts == WHOLE:
        return "at any time"
    wrapped = list(parts)
    if wrapped[0][0] == 0 and wrapped[-1][1] == WEEK:
        # The night from Sunday to Monday is one.
        (_, end), (begin, _) = wrapped.pop(0), wrapped.pop()
        wrapped.append((begin, WEEK + end))
    spans = [Span(begin // DAY, begin % DAY, end - begin // DAY * DAY) for begin, end in wrapped]
    first = spans[0]
    if first.end - first.start > DAY:
        return _long(first)
    alike = [span for span in spans if (span.start, span.end) == (first.start, first.end)]
    return f"{wording.day_list(_days(alike))} {wording.times(first.start, first.end)}"


def _days(spans: Sequence[Span]) -> list[int]:
    return sorted(span.day for span in spans)


def _long(span: Span) -> str:
    end = span.end
    # Midnight is the end of a day for people, and 00:00 the beginning of the next for nobody.
    day, minutes = divmod(end - 1, DAY)
    return (
        f"from {DAYS[span.day]} {wording.clock(span.start)} "
        f"to {DAYS[(span.day + day) % 7]} {wording.clock(minutes + 1)}"
    )
