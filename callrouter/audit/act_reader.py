"""Reads the audit, the last acts first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from callrouter.audit.act_rows import ACTS_SQL, ActRow
from callrouter.record.row_codec import row_reader

_NAMES_AT_ONCE: Final = 500
"""Names in one condition: older versions of SQLite take 999 values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFilter:
    """Which acts are wanted. None or empty: any.

    Attributes:
        begin: at this time or later, in epoch seconds.
        end: before this time.
        who: who acted.
        target: an agent, a queue, a call, or another object that it is about.
        everything: every act, whatever it is about. If not: those on `agents`, on `queues`, and `own`.
        agents: None: all agents.
        queues: None: all queues.
        own: the person at the page whose own acts are shown as well.
        before: the serial number of the last act that was seen.
    """

    begin: float | None = None
    end: float | None = None
    who: str = ""
    target: str = ""
    everything: bool = False
    agents: Collection[str] | None = ()
    queues: Collection[str] | None = ()
    own: str = ""
    before: int | None = None


def read_acts(link: sa.Connection, wanted: ActFilter, most: int) -> list[ActRow]:
    """Return acts, the last first.

    Args:
        link: a connection in a transaction.
        wanted: which acts.
        most: number of acts.
    """
    columns = ACTS_SQL.c
    chosen = sa.select(*columns).where(*_conditions(wanted))
    chosen = chosen.order_by(columns.serial.desc()).limit(most)
    read = row_reader(ActRow)
    return [read(row) for row in link.execute(chosen)]


def _conditions(wanted: ActFilter) -> list[sa.ColumnElement[bool]]:
    columns = ACTS_SQL.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.begin is not None:
        found.append(columns.at >= wanted.begin)
    if wanted.end is not None:
        found.append(columns.at < wanted.end)
    if wanted.before is not None:
        found.append(columns.serial < wanted.before)
    if wanted.who:
        found.append(columns.who == wanted.who)
    if wanted.target:
        about = (columns.agent, columns.queue, columns.call, columns.target)
        found.append(sa.or_(*(column == wanted.target for column in about)))
    if not wanted.everything:
        seen = [*_one_of(columns.agent, wanted.agents), *_one_of(columns.queue, wanted.queues)]
        if wanted.own:
            seen.append(sa.and_(columns.who == wanted.own, columns.via == "page"))
        found.append(sa.or_(*seen) if seen else sa.false())
    return found


def _one_of(
    column: sa.ColumnElement[str], names: Collection[str] | None
) -> list[sa.ColumnElement[bool]]:
    if names is None:
        return [column != ""]
    ordered = sorted(name for name in names if name)
    return [
        column.in_(ordered[start : start + _NAMES_AT_ONCE])
        for start in range(0, len(ordered), _NAMES_AT_ONCE)
    ]
