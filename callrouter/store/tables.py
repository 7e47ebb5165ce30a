"""The tables: states, of which only the latest row counts, and append-only journals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from callrouter.alerting.alert_rows import AlertRow
from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow
from callrouter.model.access_rows import LockRow, SessionRow, WallScreenRow
from callrouter.model.agent_row import AgentRow
from callrouter.model.ended_calls import OverRow
from callrouter.outbox.outbox_rows import OpenCallRow, OutboxRow

Key: TypeAlias = tuple[str, ...]
"""The key columns of a row."""


class TimedRow(Protocol):
    """A row with the time of what it records."""

    @property
    def at(self) -> float:
        """Epoch seconds."""


RowT = TypeVar("RowT")
TimedRowT = TypeVar("TimedRowT", bound=TimedRow)


@dataclass(frozen=True, slots=True)
class StateTable(Generic[RowT]):
    """A table in which only the latest row of each key matters.

    Attributes:
        table: its name in the database.
        row: the type of its rows.
        key: the names of the columns that identify a row.
    """

    table: str
    row: type[RowT]
    key: tuple[str, ...]

    def key_of(self, row: RowT) -> Key:
        """Return the key of a row.

        It is a tuple, even if the key is a single column.
        """
        return tuple(getattr(row, name) for name in self.key)


@dataclass(frozen=True, slots=True)
class JournalTable(Generic[TimedRowT]):
    """An append-only table.

    Attributes:
        table: its name.
        row: the type of its rows.
        most: number of rows that wait while the database is unavailable; beyond that the oldest
            are dropped.
        days: age at which rows are deleted.
        records_losses: whether a row of the journal itself says that rows were dropped.
    """

    table: str
    row: type[TimedRowT]
    most: int
    days: int
    records_losses: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTable(Generic[RowT]):
    """A table of which any row may change until it is complete, and that is not held in memory.

    Attributes:
        table: its name in the database.
        row: the type of its rows.
        key: the names of the columns that identify a row.
        values: makes the values of a row, in the order of its fields, of what is queued for it. Called
            in the thread, so it may take its time.
        keep: its rows are never dropped, as they are few.
    """

    table: str
    row: type[RowT]
    key: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    keep: bool = False


@dataclass(slots=True)
class Loss:
    """Number of dropped rows of a journal, with the times of the earliest and the latest.

    Times are epoch seconds. They mean nothing while `count` is 0.
    """

    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self, at: float) -> None:
        """Count one more dropped row, of time `at`.

        Rows may come in any order.
        """
        self.first = min(self.first, at) if self.count else at
        self.last = max(self.last, at) if self.count else at
        self.count += 1


AnyTable: TypeAlias = "StateTable[Any] | JournalTable[Any]"

AGENTS: Final = StateTable("agents", AgentRow, ("agent",))
MOBILES: Final = StateTable("mobiles", MobileRow, ("agent", "device"))
LOCKOUTS: Final = StateTable("lockouts", LockRow, ("key",))
OUTBOX: Final = StateTable("outbox", OutboxRow, ("event", "destination"))
OPEN_CALLS: Final = StateTable("open_calls", OpenCallRow, ("call",))
ALERTS: Final = StateTable("alerts", AlertRow, ("alert", "subject"))
SESSIONS: Final = StateTable("sessions", SessionRow, ("id",))
WALL_SCREENS: Final = StateTable("wall_screens", WallScreenRow, ("id",))
AUDIT: Final = JournalTable("audit", AuditRow, most=10_000, days=366, records_losses=True)
DIALLED: Final = JournalTable("dialled", DialledRow, most=10_000, days=2)
ENDED_CALLS: Final = JournalTable("calls_over", OverRow, most=10_000, days=2)

STATE_TABLES: Final[tuple[StateTable[Any], ...]] = (
    AGENTS,
    MOBILES,
    LOCKOUTS,
    OUTBOX,
    OPEN_CALLS,
    ALERTS,
    SESSIONS,
    WALL_SCREENS,
)
JOURNAL_TABLES: Final[tuple[JournalTable[Any], ...]] = (AUDIT, DIALLED, ENDED_CALLS)


class StateRows:
    """Every row of every state table, as read from the database."""

    def __init__(self, found: dict[StateTable[Any], list[Any]]) -> None:
        self._found = found

    def of(self, table: StateTable[RowT]) -> list[RowT]:
        """Return the rows of a table.

        They are in no particular order. Do not modify the list: it is not a copy.
        """
        return self._found[table]
