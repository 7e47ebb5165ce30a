"""Formats values as they are written in the files, for ``diff`` and other messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Final

from callrouter.model.hours import DAY, DAYS, DayOff, Hours, Span
from callrouter.model.phone_numbers import WITHHELD
from callrouter.model.routing_table import (
    ALL_AT_ONCE,
    AnnounceSpec,
    HangUp,
    KeepWaiting,
    NumberPattern,
    Target,
    ToDialplan,
    ToQueue,
)
from callrouter.model.text import mask, phrase
from callrouter.settings.schema.durations import format_duration

EXTENSION: Final = 4
"""A number with this few digits is not a person's but an extension or a prefix."""

NONE: Final = phrase("value-none", "none")
ALL: Final = phrase("value-all", "all")
NOTHING: Final = phrase("value-nothing", "nothing")

# ---------------------------------------------------------------- plain values


def or_none(value: object) -> str:
    """Return a value as text; ``none`` for one that is not given.

    None, an empty text and an empty tuple are not given; 0 is.
    """
    return NONE if value in {None, "", ()} else str(value)


def names_or_all(values: Iterable[object]) -> str:
    """Return names in a row; ``all`` for none, where an empty list is no limit."""
    return ", ".join(map(str, values)) or ALL


def names_or_none(values: Iterable[object]) -> str:
    """Return ``a, b``, or ``none``."""
    return ", ".join(map(str, values)) or NONE


def or_site(timezone: str) -> str:
    """Return the name of a time zone; empty: that of the site."""
    return timezone or phrase("zone-of-site", "that of the site")


def yes_or_no(value: bool) -> str:
    """Return ``true`` or ``false``."""
    return "true" if value else "false"


def enum_value(value: Enum) -> str:
    """Return the word of an enum, which is the one in the files."""
    return str(value.value)


def duration_or(absent: str) -> Callable[[float | None], str]:
    """Return a formatter of durations that says `absent` for None."""
    return lambda seconds: absent if seconds is None else format_duration(seconds)


def at_once(count: int | None) -> str:
    """Return a number, or ``all``.

    None is ``all``, and so is `ALL_AT_ONCE`.
    """
    return "all" if count in (None, ALL_AT_ONCE) else str(count)


def target(place: Target | None) -> str:
    """Return ``queue:sales``, ``dialplan:a,b,1``, ``hangup``, ``wait`` or ``none``."""
    match place:
        case None:
            return "none"
        case ToQueue():
            return f"queue:{place.queue}"
        case ToDialplan():
            return f"dialplan:{place.context},{place.extension},{place.priority}"
        case HangUp():
            return "hangup"
        case KeepWaiting():
            return "wait"


def skills(levels: Mapping[str, int]) -> str:
    """Return ``french 3, german 1``, or ``none``."""
    return ", ".join(f"{name} {level}" for name, level in levels.items()) or NONE


def announcement(spec: AnnounceSpec | None) -> str:
    """Return ``position and estimate every 45s``, or ``nothing``."""
    if spec is None:
        return NOTHING
    what = [word for word in ("position", "estimate") if getattr(spec, word)]
    text, every = "{what_and} every {every}", format_duration(spec.every)
    return phrase("announced-every", text, what_and=what, every=every)


# ---------------------------------------------------------------- phone numbers


def masked(number: str) -> str:
    """Mask a number, but not an extension."""
    return mask(number, whole=EXTENSION)


def pattern(wanted: NumberPattern) -> str:
    """Return a masked number, a prefix with ``*``, or ``withheld``."""
    if not wanted.digits and not wanted.prefix:
        return WITHHELD
    return masked(wanted.digits) + ("*" if wanted.prefix else "")


# ---------------------------------------------------------------- days and times


def opening_hours(value: Hours | None) -> str:
    """Return hours as `hours` does; None is ``always``."""
    return phrase("value-always", "always") if value is None else hours(value.spans)


def hours(spans: Iterable[Span]) -> str:
    """Return ``mon-fri 09:00-17:30; sat 10:00-14:00``, which `parse_spans` reads.

    Days with the same times are put together, in the order of the spans.
    """
    days: dict[tuple[int, int], list[int]] = {}
    for span in spans:
        days.setdefault((span.start, span.end), []).append(span.day)
    parts: dict[tuple[int, ...], list[str]] = {}
    for (start, end), found in days.items():
        parts.setdefault(tuple(sorted(found)), []).append(times(start, end))
    return "; ".join(f"{day_list(days_)} {', '.join(texts)}" for days_, texts in parts.items())


def day_off(day: date | DayOff) -> str:
    """Return a day as written in the files: ``2026-12-25``, ``12-24..01-01``, ``12-24 13:00-``."""
    if not isinstance(day, DayOff):
        return str(day)
    first, last = (f"{d:%m-%d}" if day.yearly else str(d) for d in (day.first, day.last))
    days = first if day.first == day.last else f"{first}..{last}"
    if (day.start, day.end) == (0, DAY):
        return days
    start = clock(day.start) if day.start else ""
    return f"{days} {start}-{clock(day.end) if day.end < DAY else ''}"


def times(start: int, end: int) -> str:
    """Return ``09:00-17:30``; an end on the next day is written as the time of that day."""
    return f"{clock(start)}-{clock(end if end <= DAY else end - DAY)}"


def day_list(days: Sequence[int]) -> str:
    """Return ``mon-fri``, ``mon,wed,fri`` or ``daily``; `days` are sorted, from 0 (Monday)."""
    if len(days) == len(DAYS):
        return "daily"
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_run([DAYS[day] for day in run]) for run in runs)


def _run(names: Sequence[str]) -> str:
    return f"{names[0]}-{names[-1]}" if len(names) > 1 else names[0]


def clock(minutes: int) -> str:
    """Return ``09:05``; the end of a day is ``24:00``."""
    return f"{minutes // 60:02}:{minutes % 60:02}"
