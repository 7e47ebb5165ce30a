"""Mobiles that agents register themselves, and what is kept of them: the rows, and who keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

HOUR = 3600.0
DAY = 24 * HOUR


class Approval(Enum):
    """Who has to say yes before a mobile that was proved by a call is rung for callers."""

    NONE = "none"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSettings:
    """What agents may register as a mobile, and how often calls are placed to prove one.

    Numbers written without ``+`` are those of `region`. Empty `countries` allow that of `region` alone
    (and nothing without one); empty `types` allow all that may be named. Verification calls:
    `calls_per_hour` for one agent and to one number (and four times as many in 24 hours),
    `calls_per_day` in all, `calls_per_country` to one country in 24 hours. `attempts_per_hour` are
    requests of one person, whatever came of them.
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
    """How far the registration of a mobile has come. The value is what people and the store read."""

    UNVERIFIED = "unverified"
    WAITING = "waiting"
    """Its owner has proved it; a supervisor has to approve it."""
    IN_USE = "in-use"


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileRow:
    """A registered mobile. `number` is E.164; `hours` as written in the configuration, empty: always.

    `place` orders an agent's mobiles; `state` is a value of `MobileState`. Times are epoch seconds.
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
    """A step of a registration: when, whose device, who asked and by which way, what, and the number.

    The number is masked. `what` is stable (scripts may look for it), `detail` is for people.
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
    """A verification call that was placed; those of the last 24 hours count against the limits."""

    at: float
    agent: str
    number: str
    country: str


class MobileStore(Protocol):
    """Where registered mobiles outlive the process. Nothing here blocks the loop.

    What is put is written behind the loop, in order, and kept within bounds while the database is away.
    """

    def put_mobile(self, row: MobileRow) -> None:
        """Keep a mobile, in place of the one of the same agent and device."""

    def forget_mobile(self, agent: str, device: str) -> None:
        """Keep it no longer."""

    def add_audit(self, row: AuditRow) -> None:
        """Add a step; none is ever changed."""

    def add_dialled(self, row: DialledRow) -> None:
        """Add a verification call."""

    async def load_mobiles(self, since: float) -> tuple[Sequence[MobileRow], Sequence[DialledRow]]:
        """Every mobile, and the calls since `since`; waits until they can be read."""

    async def read_audit(self, agent: str, most: int) -> Sequence[AuditRow]:
        """The last `most` steps, the newest first; of all agents if `agent` is empty.

        Raises:
            Exception: they can't be read now.
        """
