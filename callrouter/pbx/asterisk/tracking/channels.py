"""The channels that concern the router: callers, and the legs it placed. Data, and who changes it.

Only the tracker (`tracker` and its parts) changes these objects. Others read them,
and call the tracker when a command or a query has changed what is true of a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from callrouter.model.commands import StopReason
from callrouter.model.events import LEG_ENDS_WORST_LAST, CallArrived, Event, LegEnd, SeenOutside
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
    """A caller's channel.

    Attributes:
        uid: its uniqueid, which changes if another channel takes over its place.
        queue: the queue as the channel has it.
        arrived: the event that announced the call to the core.
        state: where the caller is.
        leg: the leg it is being connected to or talking to; "" if none.
        offer: the offer that `leg` belongs to.
        bridge: the bridge it is in; "" if none.
        channel: the channel's name, if known.
        person: the channel of the person this one waits for. After an attended transfer the waiting
            channel may be a Local channel.
        person_in: the bridge that this person has entered since.
        near_in: the bridge that the near half of a Local channel is in.
        was_in: the bridge that the channel was last in.
        queued_at: when it entered its current queue (epoch seconds), according to the channel.
        acknowledged: whether the channel is marked as known to a router, and so tolerates a longer
            silence of the router.
        replaced: whether the channel was found in another one's place, and no event had said so.
        logged: whether an earlier run of the router has already logged that the caller entered.
    """

    uid: str
    queue: str
    arrived: CallArrived
    state: CallerState = CallerState.WAITING
    leg: str = ""
    offer: str = ""
    bridge: str = ""
    channel: str = ""
    person: str = ""
    person_in: str = ""
    near_in: str = ""
    was_in: str = ""
    queued_at: float | None = None
    acknowledged: bool = False
    replaced: bool = False
    logged: bool = False

    def __post_init__(self) -> None:
        self.queued_at = self.arrived.queued_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideCall:
    """What is needed to try an outside number by another way.

    Attributes:
        since: when the number was called (epoch seconds).
        ring_with_own_number: rings it again, showing the business's number. None if that number was
            shown already.
        ring_by_next_trunk: rings it through the next trunk. None if there is none.
    """

    since: float
    ring_with_own_number: Callable[[], None] | None = None
    ring_by_next_trunk: Callable[[], None] | None = None


@dataclass(slots=True, eq=False)
class LegChannel:
    """A leg that we placed.

    Attributes:
        uid: the channel's id. We choose it, so it is known before the channel exists.
        channel: the channel's name; "" until Asterisk has created it.
        rang: whether the phone has signalled that it rings.
        up: whether it was picked up.
        accepted: whether the agent has accepted the call on it.
        stop: why it was told to stop; None if it was not.
        refused: how the dialplan said that the agent refused; None if it did not.
        reason: why Asterisk's Originate failed, in Asterisk's terms.
        hangup: the Hangup of its channel, kept while a colleague may still turn out to have picked
            up the call.
        caller: the caller's channel that it is being connected to or talking to.
        bridge: the bridge it is in; "" if none.
        route: whether it leads through the dialplan (``Local/…``), so that further channels belong
            to it.
        far_end: cause and SIP status with which the last phone at the far end of a route ended.
        outside: how else it can be tried, if it goes to an outside number.
        trunk_failed: whether it ended because its trunk failed.
        fork: the phones rung together with this one, registered at the same endpoint.
    """

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
    hangup: AmiMessage | None = None
    caller: str = ""
    bridge: str = ""
    route: bool = False
    far_end: tuple[str, str] = ("", "")
    outside: OutsideCall | None = None
    trunk_failed: bool = False
    fork: ContactFork | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLeg:
    """What a list of Asterisk's says of a leg's channel. See `LegChannel`."""

    uid: str
    offer: str
    device: str
    agent: str
    call: str
    channel: str
    route: bool
    rings: bool
    up: bool
    accepted: bool
    bridge: str


@dataclass(slots=True, eq=False)
class RouteChannel:
    """A channel on the route of a leg through the dialplan: a far half or a phone.

    Attributes:
        leg: the leg.
        channel: the channel's name.
        bridge: the bridge it is in; "" if none.
    """

    leg: LegChannel
    channel: str
    bridge: str = ""


@dataclass(slots=True, eq=False)
class ContactFork:
    """Several phones registered at one endpoint: one leg for the core, one channel each here.

    Attributes:
        legs: those that have not ended.
        accepted_leg: the one on which the offer was accepted.
        rang: whether any of them has rung.
        answered: whether any of them was picked up by an agent who must press a key.
    """

    legs: list[LegChannel] = field(default_factory=list)
    accepted_leg: LegChannel | None = None
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

    def silent_legs(self) -> list[LegChannel]:
        """The remaining legs, if none has rung and none was accepted; otherwise an empty list."""
        if self.accepted_leg is not None or any(leg.rang or leg.up for leg in self.legs):
            return []
        return [leg for leg in self.legs if leg.stop is None]

    def leg_ended(self, leg: LegChannel, why: LegEnd) -> LegEnd | None:
        """Record that a leg has ended. Return how the whole fork ended, once that is known.

        The outcome is taken from the legs that rang, or that answered at all. A leg that stayed
        silent until it was stopped may be a stale registration of a phone that is no longer there,
        so it counts only if there is no other.
        """
        self.drop(leg)
        if self.accepted_leg is not None:
            return why if leg is self.accepted_leg else None
        self._ends.append((leg.rang or leg.up or leg.stop is None, why))
        if self.legs:
            return None
        telling = [end for tells, end in self._ends if tells] or [end for _, end in self._ends]
        return max(telling, key=LEG_ENDS_WORST_LAST.index)


class CallIds:
    """The ids of the calls on one Asterisk, and the channels that carry them.

    A call is named after the channel with which it entered. After an attended transfer to a call
    that waits in a queue, another channel takes over its place in the dialplan under a different
    uniqueid, and the call continues on that channel.
    """

    def __init__(self, pbx: str) -> None:
        self.pbx = pbx
        self._call_of: dict[str, str] = {}
        """Call ids of channels that have taken over from another channel."""
        self._channel_of: dict[str, str] = {}

    def call(self, uid: str) -> str:
        """The global id of the call on this channel."""
        return self._call_of.get(uid) or f"{self.pbx}-{uid}"

    def channel(self, call: str) -> str:
        """The channel that currently carries a call."""
        return self._channel_of.get(call) or self.entered_as(call)

    def entered_as(self, call: str) -> str:
        """The channel with which a call entered. Reports use it to name the call."""
        return call.removeprefix(f"{self.pbx}-")

    def take_over(self, uid: str, call: str) -> None:
        """Record that a channel now carries this call.

        Args:
            uid: the channel.
            call: the call's global id. The channel that carried it before is forgotten.
        """
        self.forget(self.channel(call))
        if call != f"{self.pbx}-{uid}":
            self._call_of[uid], self._channel_of[call] = call, uid

    def forget(self, uid: str) -> None:
        """Forget a channel that has ended."""
        call = self._call_of.pop(uid, None)
        if call is not None:
            self._channel_of.pop(call, None)


@dataclass(slots=True, eq=False)
class TrackedChannels:
    """What the parts of the tracker share.

    Attributes:
        callers: by uniqueid.
        legs: by uniqueid.
        routes: channels between a leg and its phone on a route through the dialplan, by uniqueid.
        outside: who is with a number outside, by uniqueid.
        ids: which call each caller's channel carries.
        touched: uniqueids and endpoints that an event or a command has touched since the resync
            requested its lists. For these the tracker is newer than the lists.
    """

    ids: CallIds
    callers: dict[str, CallerChannel] = field(default_factory=dict)
    legs: dict[str, LegChannel] = field(default_factory=dict)
    routes: dict[str, RouteChannel] = field(default_factory=dict)
    outside: dict[str, SeenOutside] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)


class TrackerOutput(Protocol):
    """Receives what the tracker finds out, and does what follows from it on Asterisk.

    The methods are called while an event is handled. They write actions or schedule queries, and
    return at once.
    """

    def post(self, event: Event) -> None:
        """Pass an event to the core."""

    def acknowledge(self, caller: CallerChannel) -> None:
        """The core has been told of a new caller: mark the channel.

        A channel that is marked tolerates a longer silence of the router. Called again if the
        caller says that the mark has not arrived.
        """

    def unknown_caller(self, uid: str) -> None:
        """A caller is waiting, but the event that announced them was lost.

        Args:
            uid: the channel, which the tracker does not know.
        """

    def back_from_fallback(self, uid: str) -> None:
        """A caller is waiting again because no phone answered in the fallback.

        Args:
            uid: the channel. The call ended for the core when it went to the fallback.
        """

    def expect_in_dialplan(self, person: str) -> None:
        """A person has been given the place of a waiting channel and may not stand there yet.

        Args:
            person: the person's channel. Asterisk reports the transfer before it moves the channel.
        """

    def leave_instead(self, left: str, person: str) -> None:
        """A person was put into the place of a channel that may just have been told to leave.

        Args:
            left: the channel that had the place.
            person: the channel that has it now, and must leave in the same way.
        """

    def stop_leg(self, leg: LegChannel) -> None:
        """Hang up the channel of a leg that is to be stopped."""

    def end_leg_unless_picked_up(self, leg: LegChannel) -> None:
        """A leg's channel has ended.

        So has the leg, unless it turns up on another phone shortly.
        """

    def end_leg_unless_created(self, leg: LegChannel) -> None:
        """Wait briefly in case the channel of a failed Originate turns up, then report the end."""

    def stop_silent_legs(self, fork: ContactFork) -> None:
        """The remaining legs of a fork have not rung: stop them unless one rings shortly."""

    def release_leg(self, leg: LegChannel) -> None:
        """A leg's channel now serves a call that is not ours: mark it as no leg."""

    def hang_up_stray(self, uid: str) -> None:
        """A channel was picked up as if it were one of our legs, but is not: hang it up.

        Args:
            uid: the channel.
        """

    def hang_up_if_forwarded(self, uid: str) -> None:
        """A channel may have been created for a leg that its phone redirected (302): hang it up.

        Args:
            uid: the channel. Whether it is such a one is known a moment after it appears.
        """

    def find_caller(self, caller: CallerChannel) -> None:
        """Something unexplained happened to a caller: ask Asterisk where they are.

        The event that explains it may follow, so there is no hurry. The answer comes back as a call
        of `CallerTracker.moved_away` or another of the tracker's methods, or not at all.
        """
