"""The channels that concern us: callers, and the legs that we placed. Plain data, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from callrouter.core.failing import WORST_LAST
from callrouter.model.commands import StopReason
from callrouter.model.events import CallArrived, Event, LegEnd
from callrouter.pbx.asterisk.wire import AmiMessage


class Where(Enum):
    """Where a caller is in our part of the dialplan."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    TALKING = "talking"
    RELEASED = "released"
    """The talk is over as the dialplan sees it; who ended it, and how, is yet to be seen."""


@dataclass(slots=True, eq=False)
class Caller:
    """A caller's channel that is ours. `leg` is the one it is being connected with, or talks to."""

    uid: str
    queue: str
    arrived: CallArrived
    where: Where = Where.WAITING
    leg: str = ""
    offer: str = ""
    """The offer that `leg` belongs to."""
    bridge: str = ""
    channel: str = ""
    """The channel's name, where it was told."""
    person: str = ""
    """The channel of the person for whom this one waits: a Local one, after an attended transfer."""
    near_in: str = ""
    """The bridge in which the near half of a Local channel is."""
    was_in: str = ""
    """The bridge in which the channel was last."""
    queued_at: float | None = None
    """When it entered the queue it is in, as the channel has it."""
    taken: bool = False
    """Whether the channel is marked as taken in."""
    logged: bool = False
    """Whether an earlier run of the router has written down that the caller entered."""

    def __post_init__(self) -> None:
        self.queued_at = self.arrived.queued_at


@dataclass(slots=True, eq=False)
class LegChannel:
    """A leg that we placed. `channel` is empty until Asterisk has made it."""

    uid: str
    offer: str
    device: str
    agent: str = ""
    call: str = ""
    channel: str = ""
    rang: bool = False
    up: bool = False
    accepted: bool = False
    stop: StopReason | None = None
    refused: LegEnd | None = None
    reason: str = ""
    """Why Asterisk's Originate failed, in its own terms."""
    gone: AmiMessage | None = None
    """The end of its channel, while a colleague may yet turn out to have picked up."""
    caller: str = ""
    """The caller's channel it is being connected with, or talks to."""
    bridge: str = ""
    route: bool = False
    """It leads through the dialplan (``Local/…``): further channels belong to it."""
    far_end: tuple[str, str] = ("", "")
    """Cause and SIP status with which the last phone at the far end of a route ended."""
    outside: float | None = None
    """When it was ordered, by the router's clock, if it goes to an outside number."""
    again: Callable[[], None] | None = None
    """Rings it once more and shows the business's number, if it showed another."""
    next_trunk: Callable[[], None] | None = None
    """Rings it by the next trunk, if there is one."""
    trunk_failed: bool = False
    fork: Fork | None = None
    """The phones that are rung together with this one, being registered at the same endpoint."""


@dataclass(slots=True, eq=False)
class Far:
    """A channel that came to be on the way from a leg through the dialplan: its far half, a phone."""

    leg: LegChannel
    channel: str
    bridge: str = ""


@dataclass(slots=True, eq=False)
class Fork:
    """Several phones registered at one endpoint: one leg to the core, a channel for each here.

    Attributes:
        legs: those that are not over.
        taken: the one that was accepted.
    """

    legs: list[LegChannel] = field(default_factory=list)
    taken: LegChannel | None = None
    rang: bool = False
    answered: bool = False
    _ends: list[tuple[bool, LegEnd]] = field(default_factory=list)

    def add(self, leg: LegChannel) -> None:
        """Take in one more."""
        self.legs.append(leg)
        leg.fork = self

    def drop(self, leg: LegChannel) -> None:
        """A channel is not there any more, and nothing says why."""
        if leg in self.legs:
            self.legs.remove(leg)

    def silent(self) -> list[LegChannel]:
        """Those that are left, if none of them has rung yet and none was accepted."""
        if self.taken is not None or any(leg.rang or leg.up for leg in self.legs):
            return []
        return [leg for leg in self.legs if leg.stop is None]

    def over(self, leg: LegChannel, why: LegEnd) -> LegEnd | None:
        """One is over. Gives how all of them ended, if that is so now and was not before.

        What speaks is how phones ended that rang, or answered anything at all: one that was silent until it
        was stopped may be the registration of a phone that is not there any more.
        """
        self.drop(leg)
        if self.taken is not None:
            return why if leg is self.taken else None
        self._ends.append((leg.rang or leg.up or leg.stop is None, why))
        if self.legs:
            return None
        telling = [end for told, end in self._ends if told] or [end for _, end in self._ends]
        return max(telling, key=WORST_LAST.index)


class Sink(Protocol):
    """Where the mirror's findings go."""

    def post(self, event: Event) -> None:
        """Tell the core."""

    def taken(self, caller: Caller) -> None:
        """A new caller was told to the core: mark the channel as taken in."""

    def unheard(self, uid: str) -> None:
        """A caller waits, and nothing was heard of how that came to be."""

    def back(self, uid: str) -> None:
        """A caller whom no phone took in the fallback waits again."""

    def stop_now(self, leg: LegChannel) -> None:
        """The channel of a leg that is to be stopped has only now come to be."""

    def gone_unless_moved(self, leg: LegChannel) -> None:
        """The channel of a leg is gone: so is the leg, unless it turns up elsewhere in a moment."""

    def stop_silent(self, fork: Fork) -> None:
        """What is left of a fork has not rung: stop it, unless it does so within a moment."""

    def stray(self, uid: str) -> None:
        """A channel was picked up as if it were a leg of ours, and is none: end it."""

    def let_go(self, leg: LegChannel) -> None:
        """A leg's channel is on with something else, which is none of our business: forget it."""

    def forwarded(self, uid: str) -> None:
        """A channel may be what Asterisk makes of a leg that its phone sent elsewhere (302): end it."""

    def look_at(self, caller: Caller) -> None:
        """Something happened to a caller that nothing explained yet: look where they are."""
