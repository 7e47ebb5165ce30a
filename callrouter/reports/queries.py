"""What reports ask of the database. Everything is counted there; no answer lists a month of calls.

A period is asked for piece by piece, so that a long report can tell how far it is, and no single
query holds up the database. Statements are the same for each piece and differ in their times only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from callrouter.record.rows import HowIn, StayOutcome
from callrouter.record.sql import STAYS
from callrouter.reports.request import Names
from callrouter.reports.service_level import Target
from callrouter.reports.stay_figures import BINS, REFUSED, StayGroup

Progress: TypeAlias = Callable[[float], None]
"""Is told which share of a report is done, from 0 to 1."""


FROM: Final = sa.bindparam("from_", type_=sa.Double)
TO: Final = sa.bindparam("to_", type_=sa.Double)
ELSEWHERE: Final = (HowIn.OVERFLOW, HowIn.TRANSFER, HowIn.MOVED)
"""How a call can come from another queue, or from an agent."""

DAY: Final = 86_400.0
"""Seconds."""
MONTH: Final = 31 * DAY + 3_600
"""Seconds: of the longest month, with an hour more where the clocks go back."""


def pieces(from_: float, to: float, longest: float) -> Iterator[tuple[float, float]]:
    """Yield an interval as equal pieces, none longer than `longest` seconds, to be asked for one by one."""
    count = max(1, math.ceil((to - from_) / longest))
    edges = [from_ + (to - from_) * number / count for number in range(count)]
    yield from zip(edges, (*edges[1:], to), strict=True)


def count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """Return how many rows of a group fulfil a condition."""
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def whole(value: sa.ColumnElement[Any], link: sa.Connection) -> sa.ColumnElement[int]:
    """Return a number that is not negative, rounded down, in this database's words."""
    if link.dialect.name == "sqlite":
        return sa.cast(value, sa.Integer)  # cuts off; a floor is not in every build
    return sa.cast(sa.func.floor(value), sa.BigInteger)


def total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
    """Return the sum of a column in seconds; 0 of nothing."""
    return sa.func.coalesce(sa.func.sum(column), 0.0)


def among(column: sa.ColumnElement[Any], ids: Iterable[str] | None) -> list[sa.ColumnElement[bool]]:
    """Return the condition that a column is one of these ids; None of them: no condition."""
    return [] if ids is None else [column.in_(sorted(ids))]


def within_period(column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """Return the condition that a time lies in the piece asked for."""
    return [column >= FROM, column < TO]


def per_queue(
    site: Names, target: Callable[[str], Target], value: Callable[[Target], float]
) -> sa.ColumnElement[float]:
    """Return seconds that a stay's queue sets, each for its own stays.

    Args:
        site: the queues.
        target: what a queue aims at.
        value: which of its times.
    """
    usual = value(target(""))
    queues: dict[float, list[str]] = {}
    for queue in site.shown:
        if (own := value(target(queue))) != usual:
            queues.setdefault(own, []).append(queue)
    cases = [
        (STAYS.c.queue.in_(sorted(site.recorded(found))), sa.literal(own, sa.Double))
        for own, found in sorted(queues.items())
    ]
    other = sa.literal(usual, sa.Double)
    return sa.case(*cases, else_=other) if cases else other


_OUTCOMES: Final = {item.value: item for item in StayOutcome}


class StayCounts:
    """Counts the stays that entered queues in a time.

    The database puts the waits of a group into one text, a whole number of tenths of a second for each.
    That takes a third of the time of a row for each length of a wait, and medians are exact all the same.

    Args:
        link: the open database.
        names: the queues.
        target: what a queue aims at.
        queues: only these, as recorded; None: all.
    """

    def __init__(
        self,
        link: sa.Connection,
        names: Names,
        target: Callable[[str], Target],
        queues: Collection[str] | None,
    ) -> None:
        self._link = link
        self._names = names
        self._within = per_queue(names, target, lambda aim: aim.within)
        self._short = per_queue(names, target, lambda aim: aim.short)
        self._queues = queues
        self._known: dict[str | None, list[str]] = {}
        at = STAYS.c
        self._all = self._select(at.queue, at.outcome, *among(at.queue, queues)).group_by(
            at.queue, at.outcome, sa.text("refused")
        )

    def _select(
        self,
        queue: sa.ColumnElement[Any],
        outcome: sa.ColumnElement[Any],
        *which: sa.ColumnElement[bool],
    ) -> sa.Select[Any]:
        at = STAYS.c
        refused = sa.and_(at.first_position == 0, at.outcome.in_([item.value for item in REFUSED]))
        bin_ = whole(sa.func.coalesce(at.wait_s, 0.0) * sa.literal_column(f"{BINS}.0"), self._link)
        return sa.select(
            queue,
            outcome,
            sa.case((refused, 1), else_=0).label("refused"),
            sa.func.count(),
            count_if(at.how_in.in_([item.value for item in ELSEWHERE])),
            count_if(at.how_in == HowIn.RE_ENTRY.value),
            count_if(at.wait_s <= self._within),
            count_if(at.wait_s < self._short),
            total(at.wait_s),
            sa.func.coalesce(sa.func.max(at.wait_s), 0.0),
            total(at.talk_s),
            total(at.hold_s),
            sa.func.aggregate_strings(sa.cast(bin_, sa.Text), ","),
        ).where(*within_period(at.entered_at), *which)

    def _rows(self, from_: float, to: float) -> Iterator[Sequence[Any]]:
        """Yield rows of counts.

        Both databases would sort all stays of a long time by every key. Asked for one queue and outcome
        at a time, they go along an index that has all they need, in a third of the time.
        """
        times: dict[str, Any] = {"from_": from_, "to_": to}
        if to - from_ <= DAY / 4:
            yield from self._link.execute(self._all, times)
            return
        wanted = sa.bindparam("queue_", type_=sa.Text)
        for outcome, queues in self._kinds().items():
            ended = STAYS.c.outcome.is_(None) if outcome is None else STAYS.c.outcome == outcome
            one = self._select(
                sa.cast(wanted, sa.Text), sa.cast(outcome, sa.Text), STAYS.c.queue == wanted, ended
            )
            statement = one.group_by(sa.text("refused"))
            for queue in queues:
                yield from self._link.execute(statement, {**times, "queue_": queue})

    def _kinds(self) -> Mapping[str | None, Sequence[str]]:
        """Return the outcomes on record, each with the queues that have it; None: in any may wait."""
        if not self._known:
            found = distinct(self._link, STAYS.c.queue, STAYS)
            queues = [queue for queue in found if self._queues is None or queue in self._queues]
            self._known[None] = queues
            for queue in queues:
                for outcome in distinct(self._link, STAYS.c.outcome, STAYS, STAYS.c.queue == queue):
                    self._known.setdefault(outcome, []).append(queue)
        return self._known

    def between(self, from_: float, to: float) -> Iterator[StayGroup]:
        """Yield the groups of the stays that began from `from_` up to, without, `to`."""
        for row in self._rows(from_, to):
            queue, outcome, refused, count, elsewhere, again, within, short, *sums, waits = row
            yield StayGroup(
                self._names.current(queue),
                None if outcome is None else _OUTCOMES[outcome],
                bool(refused),
                Counter(map(int, waits.split(","))),
                count,
                int(elsewhere),
                int(again),
                int(within),
                int(short),
                *sums,
            )


def distinct(
    link: sa.Connection,
    column: sa.ColumnClause[Any],
    table: sa.TableClause,
    *which: sa.ColumnElement[bool],
) -> list[str]:
    """Return the different values of a column by jumping along an index.

    The index begins with the column, or with that of the condition `which` and then the column.
    """
    values = sa.select(sa.func.min(column).label("value")).select_from(table).where(*which)
    known = values.cte(recursive=True)
    larger = sa.select(sa.func.min(column)).select_from(table).where(column > known.c.value, *which)
    known = known.union_all(sa.select(larger.scalar_subquery()).where(known.c.value.is_not(None)))
    return list(link.scalars(sa.select(known.c.value).where(known.c.value.is_not(None))))


def rows_of(link: sa.Connection, statement: sa.Select[Any]) -> Sequence[sa.RowMapping]:
    """Return rows by the names of their columns."""
    return link.execute(statement).mappings().all()
