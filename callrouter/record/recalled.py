"""What the record has of calls and runs of before: read by the writing thread, for the recorder."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from callrouter.model.frozen import frozen
from callrouter.record import record_tables, sql
from callrouter.record.live_rows import (
    LiveCall,
    LiveConsultation,
    LiveConversation,
    LiveHold,
    LiveOffer,
    LiveStay,
    revive,
)
from callrouter.record.row_codec import row_reader
from callrouter.record.rows import (
    CallRow,
    ConsultationRow,
    ConversationRow,
    HoldRow,
    OfferRow,
    RunRow,
    StayRow,
)
from callrouter.store.tables import RecordedTable

RowT = TypeVar("RowT")
T = TypeVar("T")
AT_ONCE: Final = 500
"""Keys looked up together: SQLite takes 32,766 values in a statement at most, older ones 999."""


@frozen
class RecalledCall:
    """The rows of a call, as far as the recorder needs them to go on.

    Attributes:
        stay: its last stay.
        conversation: its last conversation.
        hold: its last hold; `consultation` likewise.
        offers: those that have not ended.
        parts: number of parts of its steps.
    """

    call: CallRow
    stay: StayRow | None
    conversation: ConversationRow | None
    hold: HoldRow | None
    consultation: ConsultationRow | None
    offers: tuple[OfferRow, ...]
    parts: int


def live_again(found: RecalledCall) -> LiveCall:
    """Return the call as the recorder keeps it. What has ended is only counted."""
    call = revive(LiveCall, found.call)
    call.over = found.call.ended_at is not None
    call.part = found.parts
    if found.stay is not None:
        stay = call.stay = revive(LiveStay, found.stay)
        call.stays = stay.n + 1
    if found.conversation is not None:
        call.conversation = revive(LiveConversation, found.conversation)
        call.talks = found.conversation.n + 1
    if found.hold is not None:
        call.held = found.hold.n + 1
        call.hold = revive(LiveHold, found.hold) if found.hold.ended_at is None else None
    if found.consultation is not None:
        call.consulted = found.consultation.n + 1
        if found.consultation.ended_at is None:
            call.consultation = revive(LiveConsultation, found.consultation)
    call.open_offers = {row.offer: revive(LiveOffer, row) for row in found.offers}
    return call


@frozen
class Before:
    """What the record knows of earlier runs.

    Attributes:
        run: the last of them; None: there was none.
        serial: the highest serial number.
        known_until: the last time at which something is on record of it; 0: there was none.
    """

    run: RunRow | None
    serial: int
    known_until: float


def take_over(link: sa.Connection, run: str, first_serial: int, started_at: float) -> Before:
    """Return what is known of earlier runs, and end the states of agents that they left open.

    Nothing is known of agents from the end of the last run on.

    Args:
        link: the database, in a transaction.
        run: the present run.
        first_serial: its first serial number.
        started_at: when it began, in epoch seconds.
    """
    runs, states = sql.RUNS, sql.AGENT_STATES
    chosen = sa.select(*runs.c).where(runs.c.run != run).order_by(runs.c.alive_at.desc()).limit(1)
    last = _rows(link, record_tables.RUNS, chosen)
    highest = link.execute(sa.select(sa.func.max(states.c.serial))).scalar_one() or 0
    end = 0.0
    if last:
        end = last[0].stopped_at or max(last[0].alive_at, _last_event(link, started_at))
        until = sa.case((states.c.at > end, states.c.at), else_=end)
        _, lasts = sql.last_states(states.c.serial < first_serial)
        for serials in _portions(list(link.execute(lasts).scalars())):
            open_ = (states.c.serial.in_(serials), states.c.until.is_(None))
            link.execute(sa.update(states).where(*open_).values(until=until))
    return Before(run=last[0] if last else None, serial=highest, known_until=end)


def _last_event(link: sa.Connection, before: float) -> float:
    """Return when the last thing happened that is on record; 0: nothing did."""
    columns = (
        sql.AGENT_STATES.c.at,
        sql.CALLS.c.entered_at,
        sql.CALLS.c.ended_at,
        sql.OFFERS.c.made_at,
        sql.CONVERSATIONS.c.started_at,
    )
    times = (
        link.execute(sa.select(sa.func.max(column)).where(column < before)).scalar_one()
        for column in columns
    )
    return max((time for time in times if time is not None), default=0.0)


def open_calls(link: sa.Connection, before: float, pbxes: Collection[str]) -> list[str]:
    """Return the calls on some PBXes that entered before a time and have no end."""
    calls = sql.CALLS
    chosen = sa.select(calls.c.call).where(
        calls.c.ended_at.is_(None), calls.c.entered_at < before, calls.c.pbx.in_(sorted(pbxes))
    )
    return list(link.execute(chosen).scalars())


def recall(link: sa.Connection, calls: Sequence[str]) -> dict[str, RecalledCall]:
    """Return what the record has of calls, by call. Those that it does not have are not in it."""
    found: dict[str, RecalledCall] = {}
    for some in _portions(calls):
        found.update(_recall(link, some))
    return found


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def _recall(link: sa.Connection, calls: Sequence[str]) -> dict[str, RecalledCall]:
    known = {row.call: row for row in _of(link, record_tables.CALLS, calls)}
    if not known:
        return {}
    names = list(known)
    last: dict[RecordedTable[Any], dict[str, Any]] = {}
    for table in (
        record_tables.STAYS,
        record_tables.CONVERSATIONS,
        record_tables.HOLDS,
        record_tables.CONSULTATIONS,
    ):
        rows: list[Any] = _of(link, table, names)
        last[table] = {row.call: row for row in sorted(rows, key=lambda row: row.n)}
    offers = [row for row in _of(link, record_tables.OFFERS, names) if row.result is None]
    decisions = sql.DECISIONS
    counted = (
        sa.select(decisions.c.call, sa.func.max(decisions.c.part) + 1)
        .where(decisions.c.call.in_(names))
        .group_by(decisions.c.call)
    )
    parts = {row[0]: row[1] for row in link.execute(counted)}
    return {
        call: RecalledCall(
            call=row,
            stay=last[record_tables.STAYS].get(call),
            conversation=last[record_tables.CONVERSATIONS].get(call),
            hold=last[record_tables.HOLDS].get(call),
            consultation=last[record_tables.CONSULTATIONS].get(call),
            offers=tuple(offer for offer in offers if offer.call == call),
            parts=parts.get(call, 0),
        )
        for call, row in known.items()
    }


def _of(link: sa.Connection, table: RecordedTable[RowT], calls: Sequence[str]) -> list[RowT]:
    columns = sql.SQL_TABLES[table].c
    return _rows(link, table, sa.select(*columns).where(columns.call.in_(calls)))


def _rows(link: sa.Connection, table: RecordedTable[RowT], chosen: sa.Select[Any]) -> list[RowT]:
    return list(map(row_reader(table.row), link.execute(chosen)))
