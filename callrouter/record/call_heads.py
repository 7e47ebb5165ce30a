"""A call of the record in one line, as lists of calls show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from callrouter.model.frozen import frozen
from callrouter.record import record_tables as tables
from callrouter.record import sql
from callrouter.record.record_reader import CallFilter, CallStory, RecordReader
from callrouter.record.row_codec import row_reader
from callrouter.record.rows import (
    CallOutcome,
    CallRow,
    ConversationEnd,
    ConversationRow,
    StayOutcome,
    StayRow,
)
from callrouter.store.tables import RecordedTable

RowT = TypeVar("RowT")

_TRANSFERRED: Final = frozenset({ConversationEnd.BLIND_TRANSFER, ConversationEnd.ATTENDED_TRANSFER})
_STATES: Final = {
    CallOutcome.ANSWERED: "completed",
    CallOutcome.ABANDONED: "abandoned",
    CallOutcome.LEFT: "left",
    CallOutcome.MOVED_AWAY: "taken",
    CallOutcome.LOST: "lost",
}


@frozen
class CallHead:
    """A call with its last stay and its last conversation (None: it had none)."""

    row: CallRow
    stay: StayRow | None
    conversation: ConversationRow | None

    @property
    def state(self) -> str:
        """The kind of the notice that ended it, or ``lost``; ``waiting`` while it is live."""
        outcome, talk = self.row.outcome, self.conversation
        if outcome is CallOutcome.ANSWERED and talk is not None and talk.ended_by in _TRANSFERRED:
            return "transferred"
        return "waiting" if outcome is None else _STATES[outcome]

    @property
    def result(self) -> str:
        """Why it left its last queue, ``ended`` by a supervisor included; empty: it did not leave it."""
        ended = self.stay is not None and self.stay.outcome is StayOutcome.ENDED
        if ended and self.row.outcome is CallOutcome.LEFT:
            return StayOutcome.ENDED.value
        return self.row.result if self.row.outcome is CallOutcome.LEFT else ""

    @property
    def wait_s(self) -> float | None:
        """Seconds that it waited in its last queue; None: not known."""
        return None if self.stay is None else self.stay.wait_s

    @property
    def talk_s(self) -> float | None:
        """Seconds of its last conversation; None: it had none."""
        return None if self.conversation is None else self.conversation.talk_s


def head_of(story: CallStory) -> CallHead:
    """Return the head of a call of which everything was read."""
    return CallHead(
        row=story.call,
        stay=story.stays[-1] if story.stays else None,
        conversation=story.conversations[-1] if story.conversations else None,
    )


def latest_heads(reader: RecordReader, most: int) -> list[CallHead]:
    """Return the calls that ended last, the first to end first."""
    return _with_last(reader, reader.ended_calls(CallFilter(), most=most)[::-1])


def heads_of(reader: RecordReader, calls: Sequence[str]) -> list[CallHead]:
    """Return some calls by their ids, in the order in which they first entered."""
    columns = sql.CALLS.c
    chosen = sa.select(*columns).where(columns.call.in_(calls)).order_by(columns.entered_at)
    return _with_last(reader, _rows(reader, tables.CALLS, chosen))


def _with_last(reader: RecordReader, rows: Sequence[CallRow]) -> list[CallHead]:
    names = [row.call for row in rows]
    stays: dict[str, StayRow] = {}
    talks: dict[str, ConversationRow] = {}
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        stays.update({row.call: row for row in _rows(reader, tables.STAYS, _of(sql.STAYS, some))})
        chosen = _of(sql.CONVERSATIONS, some)
        talks.update({row.call: row for row in _rows(reader, tables.CONVERSATIONS, chosen)})
    return [
        CallHead(row=row, stay=stays.get(row.call), conversation=talks.get(row.call))
        for row in rows
    ]


def _of(table: sa.TableClause, calls: Sequence[str]) -> sa.Select[Any]:
    """Choose the rows of some calls, so that the last of each call comes after its others."""
    return sa.select(*table.c).where(table.c.call.in_(calls)).order_by(table.c.n)


def _rows(reader: RecordReader, table: RecordedTable[RowT], chosen: sa.Select[Any]) -> list[RowT]:
    read = row_reader(table.row)
    with reader.connection() as link:
        return [read(item) for item in link.execute(chosen)]
