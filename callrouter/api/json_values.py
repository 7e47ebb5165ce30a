"""Times and durations as the API writes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias, overload

from callrouter.api.schemas.vocabulary import PhraseJson
from callrouter.model.text import coded

Json: TypeAlias = dict[str, Any]


@overload
def moment(at: float) -> str: ...


@overload
def moment(at: float | None) -> str | None: ...


def moment(at: float | None) -> str | None:
    """Return epoch seconds as ISO 8601 in UTC, to the millisecond: ``2026-11-21T21:53:07.123Z``.

    None stays None: what has not happened has no time.
    """
    if at is None:
        return None
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def seconds(value: float) -> float:
    """Return a duration for the API: never negative, to the millisecond.

    What is overdue, such as a wrap-up that is about to be ended, is shown as 0.
    """
    return max(0.0, round(value, 3))


def phrases_json(lines: Iterable[str]) -> list[PhraseJson]:
    """Return sentences as codes with values."""
    return [phrase_json(line) for line in lines]


def phrase_json(line: str) -> PhraseJson:
    """Return a sentence as a code with values; one without a code has none."""
    found = coded(line)
    return {"code": found["code"], "values": found["values"]}
