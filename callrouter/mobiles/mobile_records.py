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

    Attributes:
        region: the country (two letters) of numbers that are written without ``+``.
        countries: the countries whose numbers may be registered; empty allows only that of
            `region`, and nothing without a region.
        types: the types that may be registered, ``mobile`` and ``fixed-line``; empty allows both.
        approval: who must approve a verified mobile.
        devices_per_agent: how many mobiles an agent may register.
        attempts_per_hour: how many requests one person may make, whatever their outcome.
        calls_per_hour: verification calls for one agent, and to one number. In 24 hours there may
            be four times as many.
        calls_per_day: verification calls in 24 hours in total.
        calls_per_country: verification calls in 24 hours to one country.
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
    """A registered mobile, as it is stored. Times are epoch seconds.

    Attributes:
        agent: whose it is.
        device: its name among the agent's devices.
        number: E.164.
        state: a value of `MobileState`.
        ring_after: seconds after the first devices before it rings.
        hours: when it rings, as written in the configuration; empty means always.
        place: its place among the agent's mobiles, from 0.
        added_at: when it was registered.
        added_by: who registered it.
        via: how, such as ``phone``.
        verified_at: when its owner proved it by a call; None if that has not happened.
        approved_by: the supervisor who approved it or answers for it; empty if none.
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
    """A step of a registration.

    Attributes:
        at: when it happened, in epoch seconds.
        agent: whose devices it is about.
        device: the device; empty if it is about none.
        who: who asked for it.
        via: how, such as ``api`` or ``verification call``.
        what: what was done, as a stable word that scripts may search for.
        number: the number, masked.
        detail: more, for people.
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
    """A verification call that was placed. Calls of the last 24 hours count against the limits.

    Attributes:
        at: when, in epoch seconds.
        agent: for whose mobile.
        number: the number (E.164).
        country: its country, two letters; empty if it has none.
    """

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
