"""The tables: states, of which only the latest row counts, and append-only journals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow
from callrouter.model.agent_row import AgentRow
from callrouter.model.ended_calls import OverRow
from callrouter.model.lockouts import LockRow

Key: TypeAlias = tuple[str, ...]
"""The key columns of a row."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A table in which only the latest row of each key matters."""

    table: str
    row: type[Any]
    key: tuple[str, ...]

    def key_of(self, row: Any) -> Key:
        """Return the key of a row."""
        return tuple(getattr(row, name) for name in self.key)


@dataclass(frozen=True, slots=True)
class Journal:
    """An append-only table.

    While the database is unavailable, at most `most` rows wait; beyond that the oldest are dropped.
    Rows older than `days` are deleted. If `telling`, the journal itself records the loss.
    """

    table: str
    row: type[Any]
    most: int
    days: int
    telling: bool = False


AGENTS: Final = Kept("agents", AgentRow, ("agent",))
MOBILES: Final = Kept("mobiles", MobileRow, ("agent", "device"))
LOCKS: Final = Kept("lockouts", LockRow, ("key",))
AUDIT: Final = Journal("audit", AuditRow, most=10_000, days=366, telling=True)
DIALLED: Final = Journal("dialled", DialledRow, most=10_000, days=2)

CALLS_OVER: Final = Journal("calls_over", OverRow, most=10_000, days=2)

KEPT: Final = (AGENTS, MOBILES, LOCKS)
JOURNALS: Final = (AUDIT, DIALLED, CALLS_OVER)
