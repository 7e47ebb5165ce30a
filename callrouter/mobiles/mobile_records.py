"""Mobiles that agents register themselves: their settings, their rows, and the store interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

HOUR = 3600.0
DAY = 24 * HOUR


class Approval(Enum):
    """Who must approve a mobile that was verified by a call before it is rung for callers."""

    NONE = "none"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSettings:
    """Which numbers agents may register as a mobile, and how many verification calls are placed.

    Numbers written without ``+`` belong to `region`. Empty `countries` allow only that of `region`
    (and nothing without a region). Empty `types` allow every type.

    Limits on verification calls: `calls_per_hour` per agent and per number (and four times as many
    in 24 hours), `calls_per_day` in total, `calls_per_country` to one country in 24 hours.
    `attempts_per_hour` limits the requests of one person, whatever their outcome.
    """

    region: str = ""
    countries: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    approval: Approval = Approval.NONE
    devices_per_agent: int = 3
    attempts_per_hour: int = 20
    calls_per_hour: int = 5
    calls_per_day: int = 100
    calls_per_country: int = 50

    @property
    def allowed(self) -> tuple[str, ...]:
        """The countries whose numbers may be registered."""
        return self.countries or ((self.region,) if self.region else ())


class MobileState(Enum):
    """The progress of a registration. The values are used in the store and shown to people."""

    UNVERIFIED = "unverified"
    WAITING = "waiting"
    """Verified by its owner; awaits approval by a supervisor."""
    IN_USE = "in-use"


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileRow:
    """A registered mobile.

    `number` is E.164. `hours` is as written in the configuration; empty: always. `place` orders an
    agent's mobiles. `state` is a value of `MobileState`. Times are epoch seconds.
    """

    agent: str
    device: str
    number: str
    state: str = MobileState.UNVERIFIED.value
    ring_after: float = 0.0
    hours: str = ""
    place: int = 0
    added_at: float
    added_by: str
    via: str
    verified_at: float | None = None
    approved_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A step of a registration: when, whose device, who asked and how, what was done, the number.

    The number is masked. `what` is stable, so scripts may search for it. `detail` is for people.
    """

    at: float
    agent: str
    device: str
    who: str
    via: str
    what: str
    number: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialledRow:
    """A verification call that was placed. Calls of the last 24 hours count against the limits."""

    at: float
    agent: str
    number: str
    country: str


class MobileStore(Protocol):
    """Stores registered mobiles beyond the life of the process. No method blocks the event loop.

    Writes are queued, in order, and the queue is bounded while the database is away.
    """

    def put_mobile(self, row: MobileRow) -> None:
        """Store a mobile, replacing the one with the same agent and device."""

    def forget_mobile(self, agent: str, device: str) -> None:
        """Delete a mobile."""

    def add_audit(self, row: AuditRow) -> None:
        """Append an audit step. Steps are never changed."""

    def add_dialled(self, row: DialledRow) -> None:
        """Append a verification call."""

    async def load_mobiles(self, since: float) -> tuple[Sequence[MobileRow], Sequence[DialledRow]]:
        """All mobiles, and the calls since `since`. Waits until they are readable."""

    async def read_audit(self, agent: str, most: int) -> Sequence[AuditRow]:
        """The last `most` steps, newest first; of all agents if `agent` is empty.

        Raises:
            Exception: the store is not readable now.
        """
