"""Rate limits: on requests by a person, and on verification calls, which cost money."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from callrouter.mobiles.mobile_records import DAY, HOUR, DialledRow, NumberSettings
from callrouter.model.text import phrase

T = TypeVar("T")

WRITTEN: Final = 10
"""Refusals of one kind per hour and asker that get an audit row each."""
COUNTED_EVERY: Final = 60.0
"""Seconds after which the refusals beyond that are written as one row with their number."""

_DAY_FOR_HOUR: Final = 4
"""Limit per 24 hours for one agent, and for one number, as a multiple of the limit per hour."""

AHEAD: Final = 60.0
"""Seconds by which a recorded call may lie in the future. Beyond that the clock was wrong then."""


class VerificationCallLog:
    """The verification calls of the last 24 hours, oldest first.

    It survives a restart (`restore`), because a limit that can be reset by a crash limits nothing.
    """

    def __init__(self) -> None:
        self._rows: deque[DialledRow] = deque()

    def restore(self, rows: Iterable[DialledRow]) -> None:
        """Add the calls of an earlier run, which may have been read after the first new ones."""
        self._rows = deque(sorted([*rows, *self._rows], key=lambda row: row.at))

    def add(self, row: DialledRow) -> None:
        """Record a call that is being placed."""
        self._rows.append(row)

    def placed(self, now: float) -> int:
        """Return how many calls were placed in the 24 hours before `now` (epoch seconds)."""
        self._forget(now)
        return len(self._rows)

    def limit_reached(
        self, agent: str, number: str, country: str, settings: NumberSettings, now: float
    ) -> str:
        """Why no further call may be placed now.

        Args:
            agent: the agent whose mobile would be called.
            number: the number (E.164).
            country: its country, two letters.
            settings: the limits.
            now: the time, in epoch seconds.

        Returns:
            The first limit that is reached, and when it allows the next call, in words for people;
            empty if a call may be placed.
        """
        self._forget(now)
        an_hour, a_day = settings.calls_per_hour, settings.calls_per_hour * _DAY_FOR_HOUR
        limits: tuple[tuple[str, int, float, Callable[[DialledRow], bool]], ...] = (
            (
                phrase("for-agent-hourly", "for {agent} in an hour", agent=agent),
                *(an_hour, HOUR),
                lambda row: row.agent == agent,
            ),
            (
                phrase("to-number-hourly", "to this number in an hour"),
                *(an_hour, HOUR),
                lambda row: row.number == number,
            ),
            (
                phrase("for-agent-daily", "for {agent} in a day", agent=agent),
                *(a_day, DAY),
                lambda row: row.agent == agent,
            ),
            (
                phrase("to-number-daily", "to this number in a day"),
                *(a_day, DAY),
                lambda row: row.number == number,
            ),
            (
                phrase("to-country-daily", "to {country} in a day", country=country),
                *(settings.calls_per_country, DAY),
                lambda row: row.country == country,
            ),
            (phrase("daily", "in a day"), settings.calls_per_day, DAY, lambda _: True),
        )
        for words, most, within, counts in limits:
            times = [row.at for row in self._rows if row.at > now - within and counts(row)]
            if len(times) >= most:
                text = "no more than {most} verification calls {limit}"
                no = phrase("most-verifications", text, most=most, limit=words)
                return _when_again(no, times[-most] + within - now) if most else no
        return ""

    def _forget(self, now: float) -> None:
        """Drop calls older than a day.

        A call recorded by a clock that was ahead counts as placed now.
        """
        rows = self._rows
        ahead = []
        while rows and rows[-1].at > now + AHEAD:
            ahead.append(replace(rows.pop(), at=now))
        rows.extend(ahead)
        while rows and rows[0].at <= now - DAY:
            rows.popleft()


def _when_again(no: str, seconds: float) -> str:
    """Add to a refusal when it ends."""
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return phrase("no-again-minutes", "{no}; again in {minutes} min", no=no, minutes=minutes)
    hours = round(minutes / 60)
    return phrase("no-again-hours", "{no}; again in {hours} h", no=no, hours=hours)


class RequestCounter:
    """Counts the requests of each person in the last hour."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def add(self, who: str, most: int, now: float) -> int:
        """Count a request.

        Args:
            who: the person.
            most: how many requests they may make within an hour.
            now: the time, in epoch seconds.

        Returns:
            By how many the limit is exceeded; 0 if it is not.
        """
        times = self._times.setdefault(who, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        times.append(now)
        over = max(0, len(times) - most)
        if over > 1:  # record only the first excess one: the wait must end some time
            times.pop()
        return over


@dataclass(slots=True)
class _Flood(Generic[T]):
    """Refusals of one kind for one asker in the last hour.

    `written` were written one by one. `held` are still to be written as one row, together with
    `last`.
    """

    began: float
    written: int = 0
    held: int = 0
    held_since: float = 0.0
    last: T | None = None


class RefusalFloods(Generic[T]):
    """Decides which refusals are written to the audit.

    The first ones of a kind in an hour get a row each. After that, a single row gives their number.
    """

    def __init__(self) -> None:
        self._floods: dict[tuple[str, str], _Flood[T]] = {}

    def record(self, key: tuple[str, str], what: T, now: float) -> bool:
        """Record a refusal.

        Args:
            key: who asked, and the kind of refusal. Another kind is a flood of its own, so that
                one flood cannot hide what else a person tries.
            what: what would be written.
            now: the time, in epoch seconds.

        Returns:
            Whether it is to be written by itself.
        """
        flood = self._floods.get(key)
        if flood is None or (now - flood.began > HOUR and not flood.held):
            flood = self._floods[key] = _Flood(began=now)
        if flood.written < WRITTEN:
            flood.written += 1
            return True
        if not flood.held:
            flood.held_since = now
        flood.held += 1
        flood.last = what
        return False

    def due(self, now: float) -> Iterator[tuple[T, int]]:
        """The last refusal and the count of each flood whose row is due."""
        for key, flood in list(self._floods.items()):
            if flood.last is not None and now - flood.held_since >= COUNTED_EVERY:
                yield flood.last, flood.held
                flood.held, flood.last = 0, None
            elif not flood.held and now - flood.began > HOUR:
                del self._floods[key]

    def deadline(self) -> float | None:
        """When the next row is due, in epoch seconds; None if there is none."""
        times = (f.held_since + COUNTED_EVERY for f in self._floods.values() if f.held)
        return min(times, default=None)
