"""The steps of a pass over the record that deletes what is too old, too large, or a number too long."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

import sqlalchemy as sa

from callrouter.record import sql
from callrouter.record.call_steps import digests_of, with_other_numbers
from callrouter.record.number_fates import NumberChange, StoredNumber
from callrouter.record.own_values import make_number_secret, read_value, write_value
from callrouter.record.record_size import record_size
from callrouter.settings.loaded import NumberFate

_CHILDREN: Final = (
    sql.STAYS,
    sql.OFFERS,
    sql.CONVERSATIONS,
    sql.HOLDS,
    sql.CONSULTATIONS,
    sql.DECISIONS,
)
_ROOM: Final = 0.97
"""Part of the largest size down to which is deleted, so that the next call need not wait for it."""
_FREE: Final = 0.05
"""Part of a SQLite file that stays free for new rows …"""
_LATE: Final = 7 * 86_400.0
"""Seconds by which steps may be written late: the database was away."""
_LIST_NOTES: Final = "member-lists"
_PAGES: Final = 256
"""… and as many pages at least. Pages beyond are given back to the disk."""


class Taken(NamedTuple):
    """What a step has done: how many rows it handled, and whether there is nothing more to do."""

    handled: int
    done: bool


class RetentionStep(ABC):
    """A part of a pass, taken in portions. `what` is the name under which its rows are counted."""

    what: ClassVar[str]

    @abstractmethod
    def take(self, link: sa.Connection, most: int) -> Taken:
        """Handle `most` calls or rows at most, in the transaction of the caller."""


def _names(link: sa.Connection, chosen: sa.Select[Any]) -> list[Any]:
    return list(link.execute(chosen).scalars())


def _delete_calls(link: sa.Connection, calls: Sequence[str]) -> None:
    for table in _CHILDREN:
        link.execute(sa.delete(table).where(table.c.call.in_(calls)))
    link.execute(sa.delete(sql.CALLS).where(sql.CALLS.c.call.in_(calls)))


class DeleteCalls(RetentionStep):
    """Deletes calls that ended before a time, and calls whose end is missing and that began before it."""

    what = "calls"

    def __init__(self, before: float) -> None:
        self._before = before
        self._ended = False

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        calls = sql.CALLS
        at = calls.c.entered_at if self._ended else calls.c.ended_at
        chosen = sa.select(calls.c.call).where(at < self._before)
        if self._ended:
            chosen = chosen.where(calls.c.ended_at.is_(None))
        found = _names(link, chosen.order_by(at).limit(most))
        if found:
            _delete_calls(link, found)
        if len(found) == most:
            return Taken(len(found), done=False)
        done, self._ended = self._ended, True
        return Taken(len(found), done)


class DeleteBySize(RetentionStep):
    """Deletes the calls that ended first, until the record is no larger than allowed.

    How many is computed once for each pass, from the size and the number of calls: the size itself
    is an estimate on PostgreSQL, and follows late.

    Attributes:
        deleted_up_to: end of the last call deleted; 0.0: none was.
    """

    what = "calls-by-size"

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._left: int | None = None
        self.deleted_up_to = 0.0

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        if self._left is None:
            self._left = self._too_many(link)
        if not self._left:
            return Taken(0, done=True)
        calls = sql.CALLS
        chosen = sa.select(calls.c.call, calls.c.ended_at).where(calls.c.ended_at.is_not(None))
        found = link.execute(chosen.order_by(calls.c.ended_at).limit(min(most, self._left))).all()
        if not found:
            return Taken(0, done=True)
        _delete_calls(link, [call for call, _ in found])
        self.deleted_up_to = found[-1][1]
        self._left -= len(found)
        return Taken(len(found), done=not self._left)

    def _too_many(self, link: sa.Connection) -> int:
        size = record_size(link)
        if size <= self._largest:
            return 0
        count = link.execute(sa.select(sa.func.count()).select_from(sql.CALLS)).scalar_one()
        return math.ceil(count * (1 - self._largest * _ROOM / size))


class DeleteStates(RetentionStep):
    """Deletes states of agents that were over before a time.

    `before` is asked at each step: a step before this one may have deleted calls by size, and
    states older than every call explain none.
    """

    what = "states"

    def __init__(self, before: Callable[[], float]) -> None:
        self._before = before

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        states, before = sql.AGENT_STATES, self._before()
        chosen = sa.select(states.c.serial).where(states.c.at < before, states.c.until < before)
        most *= 4  # they are small
        found = _names(link, chosen.order_by(states.c.at).limit(most))
        if found:
            link.execute(sa.delete(states).where(states.c.serial.in_(found)))
        return Taken(len(found), done=len(found) < most)


class DeleteGaps(RetentionStep):
    """Deletes what is said to be missing from a time that is not kept, and runs that were over."""

    what = "gaps"

    def __init__(self, before: float) -> None:
        self._before = before

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`. They are few, so all go at once."""
        gaps, runs = sql.RECORD_GAPS, sql.RUNS
        gone = link.execute(sa.delete(gaps).where(gaps.c.ended_at < self._before)).rowcount
        link.execute(sa.delete(runs).where(runs.c.alive_at < self._before))
        return Taken(gone, done=True)


class DeleteDecisions(RetentionStep):
    """Deletes the steps of calls whose last step was before a time. The calls themselves stay."""

    what = "decisions"

    def __init__(self, before: float) -> None:
        self._before = before

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        steps = sql.DECISIONS
        old = steps.c.ended_at < self._before
        chosen = sa.select(steps.c.call).where(old).order_by(steps.c.ended_at).limit(most)
        found = _names(link, chosen)
        if found:
            link.execute(sa.delete(steps).where(steps.c.call.in_(found), old))
        return Taken(len(set(found)), done=len(found) < most)


class DeleteMemberLists(RetentionStep):
    """Deletes lists of members that no step names any more.

    Which step names which list stands in the packed steps alone. So each pass notes the lists of the
    steps that are new, and when they were used last; a list whose last use was before a time goes. A
    list that was made before any pass noted uses counts as used by the first pass that finds it.
    One object serves all passes of a run.
    """

    what = "member-lists"

    def __init__(self) -> None:
        self._before = self._now = 0.0
        self._notes: dict[str, Any] | None = None
        self._place: tuple[float, str, int] = (0.0, "", 0)

    def of(self, before: float, now: float) -> DeleteMemberLists:
        """Return this step for another pass: lists go whose last use was before a time."""
        self._before, self._now = before - _LATE, now
        return self

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`. The lists are few, so all that are not used go at once."""
        if self._notes is None:
            self._notes = _read_notes(link, self._now)
            self._place = (self._notes["seen"], "", 0)
        used: dict[str, float] = self._notes["used"]
        steps = sql.DECISIONS.c
        place = sa.tuple_(*map(sa.literal, self._place))
        new = link.execute(
            sa.select(steps.ended_at, steps.call, steps.part, steps.steps)
            .where(steps.ended_at >= self._place[0])
            .where(sa.tuple_(steps.ended_at, steps.call, steps.part) > place)
            .order_by(steps.ended_at, steps.call, steps.part)
            .limit(most)
        ).all()
        for ended_at, _, _, packed in new:
            for digest in digests_of(bytes(packed)):
                used[digest] = max(used.get(digest, 0.0), ended_at)
        if new:
            self._place = (new[-1][0], new[-1][1], new[-1][2])
        if len(new) == most:
            return Taken(0, done=False)
        lists = sql.MEMBER_LISTS
        there = set(_names(link, sa.select(lists.c.digest)))
        for digest in there:
            used.setdefault(digest, self._now)
        old = {digest for digest, at in used.items() if at < self._before}
        if old:
            link.execute(sa.delete(lists).where(lists.c.digest.in_(sorted(old))))
        self._notes["used"] = {name: used[name] for name in there - old}
        self._notes["seen"] = self._place[0]
        write_value(link, _LIST_NOTES, json.dumps(self._notes, sort_keys=True))
        return Taken(len(there & old), done=True)


def _read_notes(link: sa.Connection, now: float) -> dict[str, Any]:
    """Return when each list was used last, and up to when steps have been looked at."""
    try:
        found = json.loads(read_value(link, _LIST_NOTES) or "{}")
        return {
            "seen": float(found["seen"]),
            "used": {str(name): float(at) for name, at in found["used"].items()},
        }
    except (ValueError, KeyError, TypeError, AttributeError):  # none yet, or written by hand
        return {"seen": now, "used": {}}


class ReplaceNumbers(RetentionStep):
    """Replaces callers' numbers, and deletes their names, in calls that ended before a time.

    One object serves all passes of a run: it remembers the last call that it has looked at.
    """

    what = "numbers"

    def __init__(self) -> None:
        self._then: NumberFate = "mask"
        self._before = 0.0
        self._seen: tuple[float, str] = (0.0, "")

    def of(self, then: NumberFate, before: float) -> ReplaceNumbers:
        """Return this step for another pass. Another `then` looks at every call again."""
        if then != self._then:
            self._then, self._seen = then, (0.0, "")
        self._before = before
        return self

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        calls = sql.CALLS
        later = sa.tuple_(calls.c.ended_at, calls.c.call) > sa.tuple_(*map(sa.literal, self._seen))
        columns = (calls.c[name] for name in _NUMBER_COLUMNS)
        found = link.execute(
            sa.select(calls.c.ended_at, calls.c.call, *columns)
            .where(calls.c.ended_at >= self._seen[0], calls.c.ended_at < self._before, later)
            .order_by(calls.c.ended_at, calls.c.call)
            .limit(most)
        ).all()
        if not found:
            return Taken(0, done=True)
        change = NumberChange(self._then, make_number_secret(link))
        changed: list[dict[str, str]] = []
        for _, call, number, name, key in found:
            new = change.replaced(StoredNumber(number, key))
            if (new.number, new.key) != (number, key) or name:
                values = dict(zip(_NUMBER_COLUMNS, (new.number, "", new.key), strict=True))
                changed.append({"of_call": call, **values})
        if changed:
            names: dict[str, Any] = {name: sa.bindparam(name) for name in _NUMBER_COLUMNS}
            link.execute(
                sa.update(calls).where(calls.c.call == sa.bindparam("of_call")).values(names),
                changed,
            )
            _replace_in_steps(link, [values["of_call"] for values in changed], change)
        self._seen = (found[-1][0], found[-1][1])
        return Taken(len(changed), done=len(found) < most)


_NUMBER_COLUMNS: Final = ("caller_number", "caller_name", "number_key")


def _replace_in_steps(link: sa.Connection, calls: Sequence[str], change: NumberChange) -> None:
    steps = sql.DECISIONS
    chosen = sa.select(steps.c.call, steps.c.part, steps.c.steps).where(steps.c.call.in_(calls))
    changed = [
        {"of_call": call, "of_part": part, "steps": new}
        for call, part, packed in link.execute(chosen)
        if (new := with_other_numbers(bytes(packed), change.text)) != bytes(packed)
    ]
    if changed:
        mine = (
            steps.c.call == sa.bindparam("of_call"),
            steps.c.part == sa.bindparam("of_part"),
        )
        link.execute(sa.update(steps).where(*mine).values(steps=sa.bindparam("steps")), changed)


class GiveBackSpace(RetentionStep):
    """Gives pages that are free in a SQLite file back to the disk, but for some for new rows.

    PostgreSQL's autovacuum makes the space of deleted rows free for new ones by itself.
    """

    what = "pages"

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        if link.dialect.name != "sqlite":
            return Taken(0, done=True)
        pages, free = (
            link.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count")
        )
        surplus = free - max(_PAGES, int(pages * _FREE))
        if surplus <= 0:
            return Taken(0, done=True)
        for _ in range(min(most, surplus)):
            # Python's driver ends this statement after its first page, whatever number is asked for.
            link.exec_driver_sql("PRAGMA incremental_vacuum(1)").close()
        left = link.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        return Taken(free - left, done=left == free or surplus <= most)
