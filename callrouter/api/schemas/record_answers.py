"""Answers about what is on record: ended calls and reports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment, PhraseJson

LocalMoment = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-27T09:00:00+00:00"])
]
"""A point in time: ISO 8601 with the offset of the site's time zone."""


class RecordedCallJson(TypedDict):
    """An ended call as it is on record."""

    id: str
    pbx: str
    entered_at: Moment
    """Its first entry into any queue."""
    ended_at: Moment
    caller_number: Annotated[str, Field(examples=["+441632960961"])]
    """Empty: withheld, or not kept any more. Masked for an agent's token."""
    caller_name: str
    called_number: str
    tag: str
    priority: int
    """1 is first, 100 is last."""
    queue: str
    """The first queue."""
    last_queue: str
    outcome: Literal["answered", "abandoned", "left", "moved-away", "lost"]
    result: str
    """As in ``CALLROUTER_RESULT``: ``answered``, ``timeout``, ``full`` …"""
    agent: str | None
    """Who had the caller last."""
    wait_s: float
    """Seconds it waited, in all its queues together."""
    talk_s: float
    """Seconds of all its conversations, holds included."""
    hold_s: float
    offers: int
    transfers: int
    ended_by: str
    """``caller``, ``agent``, ``rule`` …; empty: not known."""


class RecordedCallsJson(TypedDict):
    """A page of ended calls, the last to end first."""

    calls: list[RecordedCallJson]
    next: str | None
    """The `cursor` of the next page; null: these are the last."""


class ReportColumnJson(TypedDict):
    """A column of a report."""

    name: str
    """Its field in a row; with a dot, the field of an object in it."""
    title: str
    """Its heading for people."""
    shown: Literal["text", "count", "number", "duration", "share", "time", "interval", "flag"]
    """What its values are. Durations are seconds, shares percent."""
    unit: str
    drop: int
    """In a narrow table, the column with the highest number is left out first; 0: none."""
    counts_in: Annotated[str, Field(examples=["stays"])]
    """What its figures count: ``stays``, ``offers``, ``s`` …; empty: nothing."""
    meaning: str
    """Its definition, in Markdown."""
    has_calls: bool
    """Whether the report ``calls`` lists the calls of a figure of it: ``figure=WHAT.NAME``."""


ReportJson = TypedDict(
    "ReportJson",
    {
        "what": str,
        "title": str,
        "from": LocalMoment,
        "to": LocalMoment,
        "timezone": str,
        "by": str,
        "edges": list[LocalMoment],
        "columns": list[ReportColumnJson],
        "rows": list[dict[str, Any]],
        "total": dict[str, Any] | None,
        "notes": list[str],
        "notes_phrases": list[PhraseJson],
    },
)
