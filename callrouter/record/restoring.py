"""What the record knows of earlier runs that a new run needs: read, and made into one event.

Queries are small: each goes by an index and has a limit. What they find is turned into the event by
functions that know no database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from callrouter.model.frozen import frozen
from callrouter.model.restored_history import LastTalk, QueueHistory, TalkingBefore, TriedBefore
from callrouter.record import record_tables as tables
from callrouter.record import sql
from callrouter.record.row_codec import row_reader
from callrouter.record.rows import (
    CallRow,
    ConversationRow,
    HowIn,
    OfferResult,
    OfferRow,
    StayOutcome,
    StayRow,
)
from callrouter.store.tables import RecordedTable

RowT = TypeVar("RowT")

DAY: Final = 86_400.0
ADVANCES: Final = 20
"""Intervals of a queue that the core keeps; see `callrouter.core.state.ADVANCES`."""
_STAYS: Final = 200
"""Latest stays of a queue in which intervals are looked for."""
_OFFERS: Final = 2000
"""Latest offers of a queue in which each agent's turn is looked for."""
_TALKS: Final = 20_000
"""Latest conversations of a queue in which each caller's last agent is looked for."""
_HOUR: Final = 3600.0

_FAILED: Final = frozenset(
    {
        OfferResult.NO_ANSWER, OfferResult.NO_REPLY, OfferResult.DECLINED, OfferResult.WRONG_KEY,
        OfferResult.NOT_ACCEPTED, OfferResult.HUNG_UP, OfferResult.BUSY, OfferResult.UNAVAILABLE,
        OfferResult.UNREACHABLE, OfferResult.FAILED, OfferResult.NUMBER_REFUSED,
    }
)  # fmt: skip
"""The agent's phones did not take the call: it was their turn, and they are tried last again."""
_GIVEN_BACK: Final = frozenset(
    {
        OfferResult.PASSED_ON, OfferResult.HUNG_UP_AT_ONCE, OfferResult.FAULTY_LINE,
        OfferResult.CONNECT_LEG_GONE, OfferResult.CONNECT_FAILED, OfferResult.CONNECT_CALLER_GONE,
    }
)  # fmt: skip
"""The agent accepted, and the caller waits again."""
_TURNS: Final = _FAILED | _GIVEN_BACK | {OfferResult.ACCEPTED}


class QueueNeeds(NamedTuple):
    """What is needed of a queue.

    Attributes:
        last_agent: seconds for which a caller's last agent is preferred; None: it is not.
        turns: whether agents are ranked by their turns.
    """

    last_agent: float | None
    turns: bool


@frozen
class DayCounts:
    """What a queue counted since midnight; see `callrouter.api.calllog.totals.DayTotals`."""

    entered: int = 0
    answered: int = 0
    in_time: int = 0
    abandoned: int = 0
    left: int = 0
    longest_wait: float = 0.0


# ---------------------------------------------------------------- before the first offer


def read_tried(link: sa.Connection) -> tuple[TriedBefore, ...]:
    """Return who was tried for each call that had not ended."""
    calls = _rows(link, tables.CALLS, sql.CALLS.c.ended_at.is_(None))
    offers: dict[str, list[OfferRow]] = defaultdict(list)
    stays: dict[str, list[StayRow]] = defaultdict(list)
    talks: dict[str, list[ConversationRow]] = defaultdict(list)
    for names in _portions([call.call for call in calls]):
        for offer in _rows(link, tables.OFFERS, sql.OFFERS.c.call.in_(names)):
            offers[offer.call].append(offer)
        for stay in _rows(link, tables.STAYS, sql.STAYS.c.call.in_(names)):
            stays[stay.call].append(stay)
        for talk in _rows(link, tables.CONVERSATIONS, sql.CONVERSATIONS.c.call.in_(names)):
            talks[talk.call].append(talk)
    found = (
        tried_before(call, stays[call.call], offers[call.call], talks[call.call]) for call in calls
    )
    return tuple(item for item in found if item is not None)


def read_talking(link: sa.Connection) -> tuple[TalkingBefore, ...]:
    """Return the conversations that had not ended."""
    calls, talks = sql.CALLS.c, sql.CONVERSATIONS.c
    chosen = (
        sa.select(talks.call, talks.agent, talks.started_at)
        .join_from(sql.CALLS, sql.CONVERSATIONS, calls.call == talks.call)
        .where(calls.ended_at.is_(None), talks.ended_at.is_(None))
        .order_by(talks.call, talks.n)
    )
    found = link.execute(chosen).all()
    return tuple(TalkingBefore(call=call, agent=agent, since=at) for call, agent, at in found)


def tried_before(
    call: CallRow,
    stays: Iterable[StayRow],
    offers: Iterable[OfferRow],
    talks: Iterable[ConversationRow],
) -> TriedBefore | None:
    """Return who was tried for a call in the last round of its present stay; None: no agent.

    A round is over when an agent is rung again who was tried in it. The agent who sent the caller
    back to a queue counts as tried there.
    """
    stay = max(stays, key=lambda item: item.n, default=None)
    if stay is None:
        return None
    tried: dict[str, float] = {}
    if stay.how_in is HowIn.TRANSFER:
        given = [talk for talk in talks if talk.stay < stay.n and talk.ended_at is not None]
        if given:
            giver = max(given, key=lambda talk: talk.n)
            tried[giver.agent] = giver.ended_at or 0.0
    for offer in sorted(offers, key=lambda item: item.made_at):
        if offer.stay != stay.n:
            continue
        if offer.agent in tried:
            tried.clear()
        if offer.result in _FAILED or offer.result in _GIVEN_BACK:
            tried[offer.taker or offer.agent] = offer.ended_at or offer.made_at
    if not tried:
        return None
    return TriedBefore(
        call=call.call, queue=stay.queue, agents=tuple(tried), failed_at=max(tried.values())
    )


# ---------------------------------------------------------------- queues


def read_queue(link: sa.Connection, queue: str, needs: QueueNeeds, now: float) -> QueueHistory:
    """Return what a queue's estimates and turns are based on, of the last day."""
    stays, offers = sql.STAYS.c, sql.OFFERS.c
    recent = _rows(
        link, tables.STAYS, stays.queue == queue, stays.entered_at >= now - DAY,
        last=stays.entered_at, most=_STAYS,
    )  # fmt: skip
    turns: tuple[str, ...] = ()
    if needs.turns:
        made = _rows(
            link, tables.OFFERS, offers.queue == queue, offers.made_at >= now - 30 * DAY,
            last=offers.made_at, most=_OFFERS,
        )  # fmt: skip
        turns = turns_of(made)
    return QueueHistory(queue=queue, advances=advances_of(recent), turns=turns)


def advances_of(stays: Iterable[StayRow]) -> tuple[float, ...]:
    """Return the intervals between two callers taken while the queue was never empty, oldest first.

    Args:
        stays: of one queue, in any order. Those that were not let in do not count.
    """
    changes: list[tuple[float, int, bool]] = []
    for stay in stays:
        if not stay.first_position:
            continue
        changes.append((stay.entered_at, 1, False))
        if stay.left_at is not None:
            changes.append((stay.left_at, -1, stay.outcome is StayOutcome.ANSWERED))
    waiting = 0
    last: float | None = None
    found: list[float] = []
    for at, change, taken in sorted(changes, key=lambda item: (item[0], -item[1])):
        if taken:
            if last is not None:
                found.append(at - last)
            last = at
        waiting += change
        if not waiting:
            last = None
    return tuple(found[-ADVANCES:])


def turns_of(offers: Iterable[OfferRow]) -> tuple[str, ...]:
    """Return the agents whose turn it has been, the latest last. A lost race is no turn."""
    turns: dict[str, None] = {}
    for offer in sorted(offers, key=lambda item: item.made_at):
        if offer.result in _TURNS:
            agent = offer.taker or offer.agent
            turns.pop(agent, None)
            turns[agent] = None
    return tuple(turns)


def read_last_talks(link: sa.Connection, queue: str, within: float, now: float) -> list[LastTalk]:
    """Return the last conversations of a queue's callers, whose numbers are kept, oldest first."""
    talks, calls = sql.CONVERSATIONS.c, sql.CALLS.c
    chosen = (
        sa.select(calls.caller_number, talks.agent, talks.ended_at)
        .join_from(sql.CONVERSATIONS, sql.CALLS, calls.call == talks.call)
        .where(
            talks.queue == queue,
            talks.started_at >= now - within - DAY,
            talks.ended_at >= now - within,
            calls.caller_number != "",
        )
        .order_by(talks.started_at.desc())
        .limit(_TALKS)
    )
    found = link.execute(chosen).all()
    return [
        LastTalk(queue=queue, number=number, agent=agent, at=at)
        for number, agent, at in reversed(found)
    ]


def read_work(link: sa.Connection, now: float) -> Mapping[str, tuple[tuple[float, float], ...]]:
    """Return the conversations that ended within the last hour, by agent: from, to."""
    talks = sql.CONVERSATIONS.c
    chosen = sa.select(talks.agent, talks.started_at, talks.ended_at).where(
        talks.started_at >= now - DAY, talks.ended_at >= now - _HOUR
    )
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for agent, begin, end in link.execute(chosen.order_by(talks.ended_at)):
        found[agent].append((begin, end))
    return {agent: tuple(intervals) for agent, intervals in found.items()}


# ---------------------------------------------------------------- the day


def read_day(
    link: sa.Connection, midnight: float, within: Mapping[str, float]
) -> dict[str, DayCounts]:
    """Return what each queue has counted since midnight.

    Args:
        link: a connection that reads.
        midnight: epoch seconds.
        within: for each queue that is served, the seconds within which a call should be answered.
    """
    stays, talks = sql.STAYS.c, sql.CONVERSATIONS.c
    entered = link.execute(
        sa.select(stays.queue, sa.func.count())
        .where(stays.entered_at >= midnight, stays.how_in != HowIn.MOVED.value)
        .group_by(stays.queue)
    ).all()
    answered = link.execute(
        sa.select(talks.queue, sa.func.count())
        .where(talks.started_at >= midnight, talks.kind == "first")
        .group_by(talks.queue)
    ).all()
    # A stay of before midnight may end today; none waits for longer than a day.
    ended = link.execute(
        sa.select(stays.queue, stays.outcome, sa.func.count(), sa.func.max(stays.wait_s))
        .where(stays.entered_at >= midnight - DAY, stays.left_at >= midnight)
        .group_by(stays.queue, stays.outcome)
    ).all()
    in_time = _answered_in_time(link, midnight, within) if within else {}
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for queue, count in in_time.items():
        found[queue]["in_time"] = count
    for queue, count in entered:
        found[queue]["entered"] = count
    for queue, count in answered:
        found[queue]["answered"] = count
    for queue, outcome, count, longest in ended:
        what = _COUNTED_AS.get(outcome)
        if what is None:
            continue
        day = found[queue]
        day["longest_wait"] = max(day.get("longest_wait", 0.0), longest or 0.0)
        if what != "answered":
            day[what] = day.get(what, 0) + count
    return {queue: DayCounts(**counts) for queue, counts in found.items()}


def _answered_in_time(
    link: sa.Connection, midnight: float, within: Mapping[str, float]
) -> dict[str, int]:
    stays = sql.STAYS.c
    chosen = sa.select(stays.queue, sa.func.count()).where(
        stays.entered_at >= midnight - DAY,
        stays.left_at >= midnight,
        stays.outcome == StayOutcome.ANSWERED.value,
        stays.wait_s <= sa.case(dict(within), value=stays.queue, else_=-1.0),
    )
    return {row[0]: row[1] for row in link.execute(chosen.group_by(stays.queue))}


_COUNTED_AS: Final = {
    StayOutcome.ANSWERED.value: "answered",
    StayOutcome.ABANDONED.value: "abandoned",
    StayOutcome.TIMEOUT.value: "left",
    StayOutcome.FULL.value: "left",
    StayOutcome.CLOSED.value: "left",
    StayOutcome.NOBODY.value: "left",
    StayOutcome.ENDED.value: "left",
}


def read_live(link: sa.Connection) -> frozenset[str]:
    """Return the calls that have not ended, or had not when the last run ended."""
    chosen = sa.select(sql.CALLS.c.call).where(sql.CALLS.c.ended_at.is_(None))
    return frozenset(link.execute(chosen).scalars())


# ---------------------------------------------------------------- how


def _rows(
    link: sa.Connection,
    table: RecordedTable[RowT],
    *where: sa.ColumnElement[bool],
    last: sa.ColumnElement[Any] | None = None,
    most: int | None = None,
) -> list[RowT]:
    chosen = sa.select(*sql.SQL_TABLES[table].c).where(*where)
    if last is not None:
        chosen = chosen.order_by(last.desc())
    if most is not None:
        chosen = chosen.limit(most)
    read = row_reader(table.row)
    return [read(item) for item in link.execute(chosen)]


def _portions(names: Collection[str]) -> Iterable[Sequence[str]]:
    ordered = list(names)
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]
