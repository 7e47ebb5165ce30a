"""The channels that concern the router: callers and the legs it placed. Data and the `TrackerOutput`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from callrouter.model.commands import StopReason
from callrouter.model.events import LEG_ENDS_WORST_LAST, CallArrived, Event, LegEnd
from callrouter.pbx.asterisk.ami import AmiMessage


class CallerState(Enum):
    """Where a caller is in our part of the dialplan."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    TALKING = "talking"
    RELEASED = "released"
    """The conversation is over for the dialplan. Who ended it, and how, is not known yet."""


@dataclass(slots=True, eq=False)
class CallerChannel:
    """A caller's channel. `leg` is the leg it is being connected to or talking to."""

    uid: str
    queue: str
    arrived: CallArrived
    where: CallerState = CallerState.WAITING
    leg: str = ""
    offer: str = ""
    """The offer that `leg` belongs to."""
    bridge: str = ""
    channel: str = ""
    """The channel's name, if known."""
    person: str = ""
    """The channel of the person this one waits for.

    After an attended transfer the waiting channel may be a Local channel.
    """
    person_in: str = ""
    """The bridge that this person has entered since."""
    near_in: str = ""
    """The bridge that the near half of a Local channel is in."""
    was_in: str = ""
    """The bridge that the channel was last in."""
    queued_at: float | None = None
    """When it entered its current queue, according to the channel."""
    taken: bool = False
    """Whether the channel is marked as accepted by the router."""
    replaced: bool = False
    """Whether the channel was found in another one's place, and no event had reported that."""
    logged: bool = False
    """Whether an earlier run of the router has already logged that the caller entered."""

    def __post_init__(self) -> None:
        self.queued_at = self.arrived.queued_at


@dataclass(slots=True, eq=False)
class LegChannel:
    """A leg that we placed. `channel` is empty until Asterisk has created it."""

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
    """Why Asterisk's Originate failed, in Asterisk's terms."""
    gone: AmiMessage | None = None
    """The Hangup of its channel, kept while a colleague may still turn out to have picked up."""
    caller: str = ""
    """The caller's channel that it is being connected to or talking to."""
    bridge: str = ""
    route: bool = False
    """Whether it leads through the dialplan (``Local/…``), so that further channels belong to it.
    """
    far_end: tuple[str, str] = ("", "")
    """Cause and SIP status with which the last phone at the far end of a route ended."""
    outside: float | None = None
    """When it was ordered, by the router's clock, if it goes to an outside number."""
    again: Callable[[], None] | None = None
    """Rings it again showing the business's number. None if that number was shown already."""
    next_trunk: Callable[[], None] | None = None
    """Rings it through the next trunk. None if there is none."""
    trunk_failed: bool = False
    fork: ContactFork | None = None
    """The phones rung together with this one because they are registered at the same endpoint."""


@dataclass(slots=True, eq=False)
class RouteChannel:
    """A channel on the route of a leg through the dialplan: a far half or a phone."""

    leg: LegChannel
    channel: str
    bridge: str = ""


@dataclass(slots=True, eq=False)
class ContactFork:
    """Several phones registered at one endpoint: one leg for the core, one channel each here.

    Attributes:
        legs: those that have not ended.
        taken: the one on which the offer was accepted.
    """

    legs: list[LegChannel] = field(default_factory=list)
    taken: LegChannel | None = None
    rang: bool = False
    answered: bool = False
    _ends: list[tuple[bool, LegEnd]] = field(default_factory=list)

    def add(self, leg: LegChannel) -> None:
        """Add a leg."""
        self.legs.append(leg)
        leg.fork = self

    def drop(self, leg: LegChannel) -> None:
        """Remove a leg whose channel has disappeared without an explanation."""
        if leg in self.legs:
            self.legs.remove(leg)

    def silent(self) -> list[LegChannel]:
        """The remaining legs, if none has rung and none was accepted; otherwise an empty list."""
        if self.taken is not None or any(leg.rang or leg.up for leg in self.legs):
            return []
        return [leg for leg in self.legs if leg.stop is None]

    def over(self, leg: LegChannel, why: LegEnd) -> LegEnd | None:
        """Record that a leg has ended. Return how the whole fork ended, once that is known.

        The outcome is taken from the legs that rang, or that answered at all. A leg that stayed
        silent until it was stopped may be a stale registration of a phone that is no longer there,
        so it counts only if there is no other.
        """
        self.drop(leg)
        if self.taken is not None:
            return why if leg is self.taken else None
        self._ends.append((leg.rang or leg.up or leg.stop is None, why))
        if self.legs:
            return None
        telling = [end for told, end in self._ends if told] or [end for _, end in self._ends]
        return max(telling, key=LEG_ENDS_WORST_LAST.index)


class TrackerOutput(Protocol):
    """Receives what the tracker finds out."""

    def post(self, event: Event) -> None:
        """Pass an event to the core."""

    def taken(self, caller: CallerChannel) -> None:
        """The core has been told of a new caller: mark the channel as accepted."""

    def unheard(self, uid: str) -> None:
        """A caller is waiting, but the event that announced them was lost."""

    def stepped_in(self, person: str) -> None:
        """A person has been given the place of a waiting channel and may not stand there yet."""

    def leaves_instead(self, line: str, person: str) -> None:
        """A person was put into the place of a channel that may just have been told to leave."""

    def back(self, uid: str) -> None:
        """A caller is waiting again because no phone answered in the fallback."""

    def stop_now(self, leg: LegChannel) -> None:
        """The channel of a leg that is to be stopped has just been created."""

    def gone_unless_moved(self, leg: LegChannel) -> None:
        """A leg's channel has ended.

        So has the leg, unless it turns up on another phone shortly.
        """

    def stop_silent(self, fork: ContactFork) -> None:
        """The remaining legs of a fork have not rung: stop them unless one rings shortly."""

    def stray(self, uid: str) -> None:
        """A channel was picked up as if it were one of our legs, but is not: hang it up."""

    def let_go(self, leg: LegChannel) -> None:
        """A leg's channel now serves a call that is not ours: stop treating it as a leg."""

    def forwarded(self, uid: str) -> None:
        """A channel may have been created for a leg that its phone redirected (302): hang it up."""

    def look_at(self, caller: CallerChannel) -> None:
        """Something unexplained happened to a caller: ask Asterisk where they are."""
