"""Formats durations, counts and texts for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from callrouter.model.text import clock_duration


def since(moment: str | None, now: datetime) -> str:
    """Return how long ago a time of the API was."""
    if not moment:
        return ""
    return clock_duration(max(0.0, (now - parse(moment)).total_seconds()))


def clock_time(moment: str | None) -> str:
    """Return a time of the API as the reader's local time of day."""
    return parse(moment).astimezone().strftime("%H:%M:%S") if moment else ""


def parse(moment: str) -> datetime:
    """Parse a time of the API."""
    return datetime.fromisoformat(moment).astimezone(UTC)


def excerpt(line: str, column: int) -> str:
    """Return a line without its indentation; of a long one, the part around `column` (from 1)."""
    most = 100
    start = max(0, column - 1 - most // 2) if len(line.strip()) > most else 0
    part = line[start : start + most].strip()
    return ("…" if start else "") + part + ("…" if len(line.rstrip()) > start + most else "")
