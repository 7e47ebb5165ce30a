"""Reads the record: ended calls, everything of a period, and everything about one call.

Blocks, so the daemon uses it through `callrouter.record.reading_threads`; the command line uses it
directly when no daemon is running. It has its own connection, which writes nothing.

A period is given as epoch seconds, from `begin` up to but not including `end`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from callrouter.record import record_tables, sql
from callrouter.record.row_codec import row_reader
from callrouter.record.rows import (
    AgentStateRow,
    CallOutcome,
    CallRow,
    ConsultationRow,
    ConversationRow,
    DecisionRow,
    GapRow,
    HoldRow,
    OfferRow,
    StayRow,
)
from callrouter.store.location import Place, StoreError
from callrouter.store.reading import reading_engine
from callrouter.store.tables import RecordedTable

RowT = TypeVar("RowT")
_AT_ONCE: Final = 2000
"""Rows fetched together."""
_NAMES_AT_ONCE: Final = 500
"""Names in one condition: SQLite takes 32,766 values at most, older ones 999."""


class Cursor(NamedTuple):
    """A place in the list of ended calls: that of the last call shown."""

    ended_at: float
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which ended calls are wanted. None or empty: any.

    Attributes:
        begin: first entry at this time or later.
        end: first entry before this time.
        queues: calls that had a stay in one of them.
        agent: who had a conversation with the caller, or was rung.
        last_agent: who had the caller last.
        numbers: the caller's number, in any of these forms.
        number_key: the caller's number when it is no longer kept as such. With `numbers`: either.
    """

    begin: float | None = None
    end: float | None = None
    queues: Collection[str] | None = None
    agent: str = ""
    last_agent: str = ""
    numbers: Collection[str] = ()
    number_key: str = ""
    outcome: CallOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStory:
    """Everything that the record has about a call, each in the order in which it happened."""

    call: CallRow
    stays: list[StayRow]
    offers: list[OfferRow]
    conversations: list[ConversationRow]
    holds: list[HoldRow]
    consultations: list[ConsultationRow]
    decisions: list[DecisionRow]


class RecordReader:
    """A reading connection to the record.

    Args:
        place: the database. Nothing is opened before the first question.

    Every method raises `StoreError` if the database cannot be read; the next question tries again.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._engine = reading_engine(place)
        self._link: sa.Connection | None = None

    def close(self) -> None:
        """Close the connection. A later question opens a new one."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                link.close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """Yield the connection, in a transaction that sees one state of the database.

        For queries that are not here, such as those of a report.

        Raises:
            StoreError: the database cannot be read.
        """
        try:
            if self._link is None:
                self._link = self._engine.connect()
            with self._link.begin():
                yield self._link
        except sa.exc.SQLAlchemyError as error:
            self.close()
            text = " ".join(str(getattr(error, "orig", None) or error).split())
            if "no such table" in text or "does not exist" in text:
                text = "callrouter has not made its tables there yet; start it once"
            raise StoreError(f"{self._place} cannot be read: {text}") from error

    # ------------------------------------------------------------ calls

    def ended_calls(
        self, wanted: CallFilter, after: Cursor | None = None, most: int = 100
    ) -> list[CallRow]:
        """Return ended calls, the last to end first.

        Args:
            wanted: which calls.
            after: where to go on: the `Cursor` of the last call of the answer before.
            most: number of calls.
        """
        calls = sql.CALLS
        chosen = self._select(record_tables.CALLS).where(calls.c.ended_at.is_not(None))
        chosen = chosen.where(*_conditions(wanted))
        if after is not None:
            earlier = sa.tuple_(calls.c.ended_at, calls.c.call)
            chosen = chosen.where(
                earlier < sa.tuple_(sa.literal(after.ended_at), sa.literal(after.call))
            )
        chosen = chosen.order_by(calls.c.ended_at.desc(), calls.c.call.desc()).limit(most)
        return self._rows(record_tables.CALLS, chosen)

    def calls(self, begin: float, end: float) -> list[CallRow]:
        """Return the calls that first entered in a period, live ones too, in order of entry."""
        at = sql.CALLS.c.entered_at
        return self._rows(
            record_tables.CALLS,
            self._select(record_tables.CALLS).where(at >= begin, at < end).order_by(at),
        )

    def find(self, part: str, most: int = 6) -> list[str]:
        """Return the ids of calls whose id is `part`, or starts or ends with it, latest first.

        An exact match comes alone. ``last`` is the latest call.
        """
        if "\0" in part:  # no text of PostgreSQL has it, not even one to compare with
            return []
        calls = sql.CALLS
        latest = sa.select(calls.c.call).order_by(calls.c.entered_at.desc())
        with self.connection() as link:
            if part == "last":
                return list(link.execute(latest.limit(1)).scalars())
            exact = list(link.execute(latest.where(calls.c.call == part)).scalars())
            if exact or not part:
                return exact
            text = calls.c.call
            matches = sa.or_(
                text.startswith(part, autoescape=True), text.endswith(part, autoescape=True)
            )
            return list(link.execute(latest.where(matches).limit(most)).scalars())

    def story(self, call: str) -> CallStory | None:
        """Return everything about a call; None: the record has no such call."""
        if "\0" in call:
            return None
        with self.connection():
            found = self._of_call(record_tables.CALLS, call)
            if not found:
                return None
            offers = self._of_call(record_tables.OFFERS, call)
            return CallStory(
                call=found[0],
                stays=self._of_call(record_tables.STAYS, call),
                offers=sorted(offers, key=lambda offer: offer.made_at),
                conversations=self._of_call(record_tables.CONVERSATIONS, call),
                holds=self._of_call(record_tables.HOLDS, call),
                consultations=self._of_call(record_tables.CONSULTATIONS, call),
                decisions=self._of_call(record_tables.DECISIONS, call),
            )

    def member_lists(self, digests: Collection[str]) -> dict[str, str]:
        """Return the lists of members with these digests, as JSON by digest."""
        table = sql.MEMBER_LISTS
        chosen = sa.select(table.c.digest, table.c.members)
        found: dict[str, str] = {}
        with self.connection() as link:
            for names in _portions(digests):
                rows = link.execute(chosen.where(table.c.digest.in_(names)))
                found.update((digest, members) for digest, members in rows)
        return found

    # ------------------------------------------------------------ a period

    def stays(
        self, begin: float, end: float, queues: Collection[str] | None = None
    ) -> list[StayRow]:
        """Return the stays that began in a period, in order; of some queues only, if named."""
        return self._of_period(record_tables.STAYS, "entered_at", (begin, end), "queue", queues)

    def offers(
        self, begin: float, end: float, agents: Collection[str] | None = None
    ) -> list[OfferRow]:
        """Return the offers made in a period, in order; to some agents only, if named."""
        return self._of_period(record_tables.OFFERS, "made_at", (begin, end), "agent", agents)

    def conversations(
        self, begin: float, end: float, agents: Collection[str] | None = None
    ) -> list[ConversationRow]:
        """Return the conversations that began in a period, in order; of some agents only, if named."""
        return self._of_period(
            record_tables.CONVERSATIONS, "started_at", (begin, end), "agent", agents
        )

    def agent_states(
        self, begin: float, end: float, agents: Collection[str] | None = None
    ) -> list[AgentStateRow]:
        """Return what agents were doing in a period, in order, also what began before it.

        Args:
            begin: epoch seconds.
            end: epoch seconds.
            agents: some agents only; None: all.
        """
        inside = self._of_period(record_tables.AGENT_STATES, "at", (begin, end), "agent", agents)
        before = self.states_at(begin, agents=agents)
        lasting = [row for row in before.values() if row.until is None or row.until > begin]
        return sorted([*lasting, *inside], key=lambda row: row.serial)

    def states_at(
        self, at: float, *, serial: int | None = None, agents: Collection[str] | None = None
    ) -> dict[str, AgentStateRow]:
        """Return the last state of each agent that began before a moment, by agent.

        Args:
            at: epoch seconds.
            serial: if given, what began at `at` counts as well, if its serial is lower.
            agents: some agents only; None: all of whom anything is known.
        """
        states = sql.AGENT_STATES
        early = states.c.at < at
        if serial is not None:
            early = sa.or_(early, sa.and_(states.c.at == at, states.c.serial < serial))
        known, lasts = sql.last_states(early)
        found: dict[str, AgentStateRow] = {}
        with self.connection():
            for names in [None] if agents is None else _portions(agents):
                some = lasts if names is None else lasts.where(known.c.agent.in_(names))
                chosen = self._select(record_tables.AGENT_STATES).where(states.c.serial.in_(some))
                found.update(
                    {row.agent: row for row in self._rows(record_tables.AGENT_STATES, chosen)}
                )
        return found

    def gaps(self, begin: float, end: float) -> list[GapRow]:
        """Return what is missing from the record in a period, in order."""
        gaps = sql.RECORD_GAPS
        chosen = self._select(record_tables.RECORD_GAPS).where(
            gaps.c.began_at < end, gaps.c.ended_at > begin
        )
        return self._rows(record_tables.RECORD_GAPS, chosen.order_by(gaps.c.began_at, gaps.c.n))

    # ------------------------------------------------------------ how

    @staticmethod
    def _select(table: RecordedTable[Any]) -> sa.Select[Any]:
        return sa.select(*sql.SQL_TABLES[table].c)

    def _of_call(self, table: RecordedTable[RowT], call: str) -> list[RowT]:
        columns = sql.SQL_TABLES[table].c
        chosen = self._select(table).where(columns.call == call)
        return self._rows(table, chosen.order_by(*(columns[name] for name in table.key)))

    def _of_period(
        self,
        table: RecordedTable[RowT],
        time: str,
        period: tuple[float, float],
        subject: str,
        names: Collection[str] | None,
    ) -> list[RowT]:
        columns = sql.SQL_TABLES[table].c
        at = columns[time]
        chosen = self._select(table).where(at >= period[0], at < period[1])
        if names is not None and len(names) <= _NAMES_AT_ONCE:
            chosen = chosen.where(columns[subject].in_(sorted(names)))
        rows = self._rows(table, chosen.order_by(at, *(columns[name] for name in table.key)))
        if names is not None and len(names) > _NAMES_AT_ONCE:
            wanted = frozenset(names)
            rows = [row for row in rows if getattr(row, subject) in wanted]
        return rows

    def _rows(self, table: RecordedTable[RowT], chosen: sa.Select[Any]) -> list[RowT]:
        read = row_reader(table.row)
        with self._joined() as link:
            result = link.execution_options(yield_per=_AT_ONCE).execute(chosen)
            return [read(item) for item in result]

    @contextlib.contextmanager
    def _joined(self) -> Iterator[sa.Connection]:
        """Yield the connection, in the transaction that is open, or in one of its own."""
        if self._link is not None and self._link.in_transaction():
            yield self._link
        else:
            with self.connection() as link:
                yield link


def _conditions(wanted: CallFilter) -> list[sa.ColumnElement[bool]]:
    calls, stays, offers = sql.CALLS, sql.STAYS, sql.OFFERS
    found: list[sa.ColumnElement[bool]] = []
    if wanted.begin is not None:
        found.append(calls.c.entered_at >= wanted.begin)
    if wanted.end is not None:
        found.append(calls.c.entered_at < wanted.end)
    if wanted.queues is not None:
        names = sorted(wanted.queues)
        inside = sa.select(1).where(stays.c.call == calls.c.call, stays.c.queue.in_(names))
        found.append(sa.exists(inside))
    if wanted.agent:
        rung = sa.select(1).where(offers.c.call == calls.c.call, offers.c.agent == wanted.agent)
        found.append(sa.or_(calls.c.agent == wanted.agent, sa.exists(rung)))
    if wanted.last_agent:
        found.append(calls.c.agent == wanted.last_agent)
    callers: list[sa.ColumnElement[bool]] = []
    if wanted.numbers:
        callers.append(calls.c.caller_number.in_(sorted(wanted.numbers)))
    if wanted.number_key:
        callers.append(calls.c.number_key == wanted.number_key)
    if callers:
        found.append(sa.or_(*callers))
    if wanted.outcome is not None:
        found.append(calls.c.outcome == wanted.outcome.value)
    return found


def _portions(names: Collection[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), _NAMES_AT_ONCE):
        yield ordered[start : start + _NAMES_AT_ONCE]
