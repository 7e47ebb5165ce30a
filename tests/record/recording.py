"""A recorder beside a router, with its rows as the database would have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from callrouter.core.router import Router
from callrouter.model.notices import Notice
from callrouter.record.call_steps import StoredStep, pack_steps, unpack_steps
from callrouter.record.recalled import RecalledCall
from callrouter.record.record_tables import (
    AGENT_STATES,
    CALLS,
    CONSULTATIONS,
    CONVERSATIONS,
    DECISIONS,
    HOLDS,
    OFFERS,
    STAYS,
)
from callrouter.record.recorder import Recorder
from callrouter.record.row_codec import column_names
from callrouter.record.rows import (
    AgentStateRow,
    CallRow,
    ConsultationRow,
    ConversationRow,
    HoldRow,
    OfferRow,
    StayRow,
)
from callrouter.store.tables import Key, RecordedTable

RowT = TypeVar("RowT")


def _row(table: RecordedTable[RowT], values: tuple[Any, ...]) -> RowT:
    return table.row(**dict(zip(column_names(table.row), values, strict=True)))


class Recording:
    """What a database would hold. `restart` forgets everything else, as a killed router does."""

    def __init__(self, router: Router) -> None:
        self.rows: dict[RecordedTable[Any], dict[Key, Any]] = {}
        self.first_serial = 1
        self.restart(router)

    def restart(self, router: Router) -> None:
        self.recorder = Recorder(router.board.queue_members, self.first_serial)
        self.first_serial += 1_000_000

    def hear(self, notices: Iterable[object]) -> None:
        for notice in notices:
            if isinstance(notice, Notice):
                self.recorder.listen(notice)

    def write(self) -> None:
        """Hand over what there is, and answer what is asked."""
        while True:
            for table, key, row in self.recorder.take(10_000):
                made = _row(table, row) if isinstance(row, tuple) else row
                self.rows.setdefault(table, {})[key] = made
            wanted = self.recorder.take_wanted()
            if not wanted:
                return
            for call in wanted:
                self.recorder.recall(call, self.recalled(call))

    def close_lost(self, at: float) -> int:
        """End what was live before a restart and was not found after it."""
        self.write()
        open_ = [row.call for row in self.all(CALLS) if row.ended_at is None]
        ended = self.recorder.close_lost(filter(None, map(self.recalled, open_)), at)
        self.write()
        return ended

    def recalled(self, call: str) -> RecalledCall | None:
        row = self.rows.get(CALLS, {}).get((call,))
        if row is None:
            return None
        offers = [item for item in self.of(OFFERS, call) if item.result is None]
        return RecalledCall(
            call=row,
            stay=max(self.of(STAYS, call), key=lambda item: item.n, default=None),
            conversation=max(self.of(CONVERSATIONS, call), key=lambda item: item.n, default=None),
            hold=max(self.of(HOLDS, call), key=lambda item: item.n, default=None),
            consultation=max(self.of(CONSULTATIONS, call), key=lambda item: item.n, default=None),
            offers=tuple(offers),
            parts=len([key for key in self.rows.get(DECISIONS, {}) if key[0] == call]),
        )

    def all(self, table: RecordedTable[RowT]) -> list[RowT]:
        return list(self.rows.get(table, {}).values())

    def of(self, table: RecordedTable[RowT], call: str) -> list[RowT]:
        found: list[Any] = [row for row in self.all(table) if getattr(row, "call", None) == call]
        return found

    def call(self, call: str) -> CallRow:
        self.write()
        found: CallRow = self.rows[CALLS][call,]
        return found

    def stays(self, call: str) -> list[StayRow]:
        self.write()
        return sorted(self.of(STAYS, call), key=lambda row: row.n)

    def offers(self, call: str) -> list[OfferRow]:
        self.write()
        return sorted(self.of(OFFERS, call), key=lambda row: row.made_at)

    def conversations(self, call: str) -> list[ConversationRow]:
        self.write()
        return sorted(self.of(CONVERSATIONS, call), key=lambda row: row.n)

    def holds(self, call: str) -> list[HoldRow]:
        self.write()
        return self.of(HOLDS, call)

    def consultations(self, call: str) -> list[ConsultationRow]:
        self.write()
        return sorted(self.of(CONSULTATIONS, call), key=lambda row: row.n)

    def states(self, agent: str) -> list[AgentStateRow]:
        self.write()
        found = [row for row in self.all(AGENT_STATES) if row.agent == agent]
        return sorted(found, key=lambda row: row.serial)

    def steps(self, call: str) -> list[StoredStep]:
        self.write()
        parts = sorted(
            (item for key, item in self.rows.get(DECISIONS, {}).items() if key[0] == call),
            key=lambda item: item.part,
        )
        return [step for part in parts for step in unpack_steps(pack_steps(part.items))]
