"""Types that many answers of the API share: names of states, moments, counts, and errors."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

AgentStateName: TypeAlias = Literal[
    "offline", "available", "reserved", "ringing", "on-call", "wrap-up", "paused"
]
"""What an agent is doing: the values of `callrouter.model.agent_status.AgentState`."""

CallStateName: TypeAlias = Literal[
    "waiting",
    "ringing",
    "connecting",
    "talking",
    "completed",
    "abandoned",
    "left",
    "taken",
    "transferred",
    "lost",
]
"""What is happening to an active call, or how an ended call ended. One that was gone after a time
without a router is ``lost``.
"""

DeviceStateName: TypeAlias = Literal["idle", "in-use", "busy", "unreachable"]
DeviceKind: TypeAlias = Literal["endpoint", "number"]
UpOrDown: TypeAlias = Literal["up", "down"]

Moment: TypeAlias = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-21T21:53:07.123Z"])
]
"""A point in time: ISO 8601 in UTC, to the millisecond."""

Counts: TypeAlias = dict[str, int]


class PhraseJson(TypedDict):
    """A sentence as a code with values, for pages in other languages."""

    code: str
    """A stable word such as ``paused``; empty: the sentence has none."""
    values: dict[str, PhraseValueJson]
    """Names as they are, durations in seconds in keys that end in ``_s``, shares of 1 in keys that
    end in ``_share``, and parts of the sentence that have codes of their own."""
    text: NotRequired[str]
    """The words of a part of a sentence, in English. A whole sentence stands beside its code."""


PhraseValueJson: TypeAlias = str | float | list[str] | PhraseJson


class ProblemJson(TypedDict):
    """An error (RFC 9457)."""

    type: str
    """A stable identifier for scripts, such as ``urn:callrouter:problem:unknown-agent``."""
    title: str
    """The name of the HTTP status."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong and what would be right, in words."""
    detail_phrase: NotRequired[PhraseJson]
    """The same as a code with values, for a page that shows it: one whose requests have an
    ``Accept-Language`` that is not English."""
