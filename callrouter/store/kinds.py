"""What is kept, and of what shape: things of which the latest counts, and journals only added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from callrouter.model.locks import LockRow
from callrouter.model.registered import AuditRow, DialledRow, MobileRow
from callrouter.model.remembered import OverRow
from callrouter.store.row import Row

Key: TypeAlias = tuple[str, ...]
"""What tells the rows of a table apart."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A table of which only the latest row of each key matters."""

    table: str
    row: type[Any]
    key: tuple[str, ...]

    def key_of(self, row: Any) -> Key:
        """The key of a row."""
        return tuple(getattr(row, name) for name in self.key)


@dataclass(frozen=True, slots=True)
class Journal:
    """A table that is only added to.

    `most` rows wait at most while the database is away, then the oldest are given up; rows older than
    `days` are deleted. If `telling`, the loss is noted in the journal itself.
    """

    table: str
    row: type[Any]
    most: int
    days: int
    telling: bool = False


AGENTS: Final = Kept("agents", Row, ("agent",))
MOBILES: Final = Kept("mobiles", MobileRow, ("agent", "device"))
LOCKS: Final = Kept("lockouts", LockRow, ("key",))
AUDIT: Final = Journal("audit", AuditRow, most=10_000, days=366, telling=True)
DIALLED: Final = Journal("dialled", DialledRow, most=10_000, days=2)

CALLS_OVER: Final = Journal("calls_over", OverRow, most=10_000, days=2)

KEPT: Final = (AGENTS, MOBILES, LOCKS)
JOURNALS: Final = (AUDIT, DIALLED, CALLS_OVER)
