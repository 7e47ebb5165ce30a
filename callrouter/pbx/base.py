"""What every driver of a telephone system is to the rest of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from callrouter.core.state import Floor
from callrouter.model.commands import PbxCommand, Told
from callrouter.model.events import Event
from callrouter.model.phoning import CallNumber, PhoneEvent, Say
from callrouter.model.table import Table

if TYPE_CHECKING:
    from aiohttp.web import RouteDef  # takes its time, and few drivers have any

Post: TypeAlias = Callable[[Event], None]
"""How a driver hands an event to the runtime; never blocks, may be called at any time on the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxHealth:
    """How a driver is doing, for people and for `/healthz`."""

    up: bool
    detail: str = ""
    """What is wrong, or what it is connected to, in words."""
    drift: int = 0
    """Differences found by comparing that nobody had announced, since the start."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was odd and harmless, by name: webhooks refused and why, late answers, legs overdue …"""
    missing: tuple[str, ...] = ()
    """What the PBX lacks for callers to be served, such as contexts of the dialplan."""
    faults: int = 0
    """Messages of the PBX that the driver failed on: faults of ours, each logged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `doctor` looked at: fine (`ok` True), wrong (False), or worth knowing (None)."""

    ok: bool | None
    what: str
    advice: str = ""
    reached: bool = True
    """False where the PBX did not even answer."""


class Pbx(Protocol):
    """One telephone system.

    A driver owns the truth about its side. It gives every leg it was told to ring exactly one
    `LegEnded`, never repeats an order whose outcome it does not know, posts `PbxSnapshot` when it is
    in step and `PbxLost` when it no longer is.
    """

    name: str

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Carry out the commands of one event, together. Never blocks, never raises.

        While the link is down they are dropped: the next snapshot puts the difference right.
        """

    def use(self, table: Table) -> None:
        """Another routing table applies from now on."""

    def resync(self, why: str) -> None:
        """Compare everything with the PBX anew, as after a gap."""

    def health(self) -> PbxHealth:
        """How it is doing."""


@runtime_checkable
class HasRoutes(Protocol):
    """A driver whose PBX calls us over HTTP.

    The routes are served beside the API and without its rights: the driver checks by itself who asks.
    """

    def routes(self) -> Sequence[RouteDef]:
        """What it serves; each path is its own alone, and has no variable part."""


@runtime_checkable
class KeepsRecords(Protocol):
    """A driver whose PBX keeps something of its own: a log of queues, what to do without a router."""

    def listen(self, item: Told) -> None:
        """Hear what became true. Never blocks, never raises."""

    def devices_from(self, floor: Callable[[], Floor]) -> None:
        """Tell the PBX from now on which devices are available, as `floor()` has it."""


@runtime_checkable
class RemembersCalls(Protocol):
    """A driver that must know which calls are over, though it was started since."""

    def remember(self, keep: Callable[[str, float], None]) -> None:
        """Tell `keep` of each call that is over, and when (epoch seconds). Never blocks."""

    def recall(self, over: Iterable[tuple[str, float]]) -> None:
        """Know again which calls were over, and when, the first to end first."""


@runtime_checkable
class TalksToPeople(Protocol):
    """A driver whose phones can dial codes, be asked for digits, and call a number to prove it."""

    def people(self, heard: Callable[[PhoneEvent], None]) -> None:
        """Tell `heard` of every code that is dialled and all that follows."""

    def say(self, command: Say) -> None:
        """Play sounds, and read digits or hang up. Never blocks, never raises."""

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number. Never blocks, never raises."""
