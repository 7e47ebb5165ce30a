"""A week as minutes from Monday 00:00: which of them some hours cover, and which not.

Clock changes do not matter: this is about the hours as written, not about a particular week.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from callrouter.model.hours import DAY, DAYS, Hours, Span
from callrouter.model.text import phrase
from callrouter.settings.schema import written_values

WEEK: Final = 7 * DAY

Parts: TypeAlias = list[tuple[int, int]]
"""Start and end in minutes of the week, sorted and disjoint."""

WHOLE: Final[Parts] = [(0, WEEK)]


def covered(hours: Hours) -> Parts:
    """Return the minutes of the week that hours cover.

    A part that passes Sunday midnight wraps to Monday.
    """
    found: Parts = []
    for span in hours.spans:
        begin, end = span.day * DAY + span.start, span.day * DAY + span.end
        found.append((begin, min(end, WEEK)))
        if end > WEEK:
            found.append((0, end - WEEK))
    return joined(found)


def joined(parts: Iterable[tuple[int, int]]) -> Parts:
    """Sort parts and merge those that touch.

    The result is sorted and disjoint, as `without` needs it.
    """
    found: Parts = []
    for begin, end in sorted(parts):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def without(parts: Parts, taken: Parts) -> Parts:
    """Return `parts` without `taken`.

    Both must be sorted and disjoint; so is the result.
    """
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
    """Describe the first part together with equal parts on other days: ``mon-fri 12:00-13:00``.

    `parts` must not be empty. A part longer than a day is described by its two ends.
    """
    if parts == WHOLE:
        return phrase("at-any-time", "at any time")
    wrapped = list(parts)
    if wrapped[0][0] == 0 and wrapped[-1][1] == WEEK:
        # Treat the night from Sunday to Monday as one part.
        (_, end), (begin, _) = wrapped.pop(0), wrapped.pop()
        wrapped.append((begin, WEEK + end))
    spans = [Span(begin // DAY, begin % DAY, end - begin // DAY * DAY) for begin, end in wrapped]
    first = spans[0]
    if first.end - first.start > DAY:
        return _long(first)
    alike = [span for span in spans if (span.start, span.end) == (first.start, first.end)]
    return f"{written_values.day_list(_days(alike))} {written_values.times(first.start, first.end)}"


def _days(spans: Sequence[Span]) -> list[int]:
    return sorted(span.day for span in spans)


def _long(span: Span) -> str:
    end = span.end
    # People think of midnight as the end of a day; 00:00 would look like the start of the next.
    day, minutes = divmod(end - 1, DAY)
    return phrase(
        "from-to",
        "from {begin} to {end}",
        begin=f"{DAYS[span.day]} {written_values.clock(span.start)}",
        end=f"{DAYS[(span.day + day) % 7]} {written_values.clock(minutes + 1)}",
    )
