"""What is stored of an act: a person's or a program's request to change something, and its outcome."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import sqlalchemy as sa

from callrouter.model.frozen import frozen
from callrouter.record.retention_steps import RetentionStep, Taken
from callrouter.record.row_codec import column_names, row_packer
from callrouter.store.tables import RecordedTable

PHRASES: Final = "phrases"
"""The entry of an act's details that has the codes of its other values, by their names."""


class ActVia(Enum):
    """How a request came in. The values are stored, and shown by the API."""

    PAGE = "page"
    TOKEN = "token"  # noqa: S105 - a word for people
    SOCKET = "socket"
    """The command line, over the daemon's Unix socket."""
    PHONE = "phone"
    """A feature code, on any PBX: from Twilio it comes as a webhook."""
    FILE = "file"
    """The files of the configuration were changed in their folder."""
    UNKNOWN = "unknown"
    """Who it was is not known: a wrong password or token."""


class ActOutcome(Enum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    """By a fault of ours. Whether it had an effect is not known."""


@frozen
class ActRow:
    """An act. The key is `serial`, which grows with time.

    Attributes:
        serial: see `ActLog`.
        at: epoch seconds.
        who: id of the user or agent, name of the API token, or local user; empty: not known.
        role: what `who` may do.
        via: how the request came in.
        source: from where: an address, ``socket uid 0``, or the phone.
        act: a stable word for what was asked for, such as ``agents.pause``.
        agent: the agent that it is about; empty: none. Likewise `queue` and `call`.
        target: another object that it is about: a file, a user, a session.
        details: the values that matter, as a JSON object of texts, and their codes in `PHRASES`. Never
            a secret.
        outcome: what became of it.
        kind: why it was refused, as the end of a problem's `type`.
    """

    serial: int
    at: float
    who: str
    role: str
    via: ActVia
    source: str
    act: str
    agent: str
    queue: str
    call: str
    target: str
    details: str
    outcome: ActOutcome
    kind: str


ACTS: Final = RecordedTable("acts", ActRow, ("serial",), row_packer(ActRow))
ACTS_SQL: Final = sa.table(ACTS.table, *map(sa.column, column_names(ActRow)))


class DeleteActs(RetentionStep):
    """Deletes acts from before a time."""

    what = "acts"

    def __init__(self, before: float) -> None:
        self._before = before

    def take(self, link: sa.Connection, most: int) -> Taken:
        """See `RetentionStep.take`."""
        at, serial = ACTS_SQL.c.at, ACTS_SQL.c.serial
        chosen: sa.Select[Any] = sa.select(serial).where(at < self._before).order_by(at)
        found = list(link.execute(chosen.limit(most * 4)).scalars())  # they are small
        if found:
            link.execute(sa.delete(ACTS_SQL).where(serial.in_(found)))
        return Taken(len(found), done=len(found) < most * 4)
