"""The contents of table cells: texts from outside, and states in their colours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.text import Text

from callrouter.model.text import clean, clock_duration

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
