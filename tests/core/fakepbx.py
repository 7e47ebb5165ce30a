"""A telephone system in memory: it does what it is told, and says what became of it.

It knows the truth (who waits, what rings, who talks), whether or not anyone is told; a snapshot is made
of that. Nothing here knows the core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from callrouter.model.commands import (
    Announce,
    Connect,
    Consult,
    DialOutside,
    Disregard,
    Leave,
    PbxCommand,
    PutThrough,
    Requeue,
    Ring,
    SetHold,
    StopRing,
)
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    CallerTransferred,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    EndpointChanged,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    LegPickedUpElsewhere,
    LegRang,
    OutsideCallEnded,
    PbxSnapshot,
    SeenCall,
    SeenLeg,
    SeenOutside,
    TransferKind,
)

LegId = tuple[str, str]


@dataclass(eq=False)
class Leg:
    """A channel to a phone."""

    ring: Ring
    answered: bool = False
    accepted: bool = False
    talks_to: str = ""
    """The call it is bridged with; ``?``: someone who is no caller of ours (any more)."""
    deaf: bool = False
    """Does not stop when told to."""

    @property
    def id(self) -> LegId:
        return self.ring.offer, self.ring.device


@dataclass(eq=False)
class Caller:
    """A caller's channel."""

    arrived: CallArrived
    talks_to: LegId | None = None
    held: bool = False


@dataclass
class FakePbx:
    """The telephone system. `say` is told every event, as it happens."""

    name: str
    say: Callable[[Event], None]
    endpoints: dict[str, DeviceState] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)
    legs: dict[LegId, Leg] = field(default_factory=dict)
    left: dict[str, Leave] = field(default_factory=dict)
    placed: set[LegId] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    """Addresses of phones that don't stop ringing when told to."""
    can_hold: bool = False
    """Holds callers, and brings colleagues in, when told to."""
    dials: bool = False
    """Connects callers with numbers outside, when told to."""
    outside: dict[str, tuple[Caller, DialOutside]] = field(default_factory=dict)
    consults: bool = True
    """False: brings no colleague in, and does not say so."""
    connects: bool = True
    """False: connects nobody, and does not say so."""

    # ------------------------------------------------------------ orders

    def execute(self, order: PbxCommand) -> None:
        assert order.pbx == self.name, f"{order} went to {self.name}"
        match order:
            case Ring():
                self._ring(order)
            case StopRing():
                leg = self.legs.get((order.offer, order.device))
                if leg is not None and not leg.deaf:
                    self.end_leg(leg, LegEnd.HUNG_UP)
            case Connect():
                if self.connects:
                    self._connect(order)
            case Requeue():
                caller = self.callers.get(order.call)
                if caller is not None and caller.talks_to is not None:
                    self._part(caller)
            case Disregard():
                self.phone_is(order.endpoint, DeviceState.IDLE)
                self.say(
                    EndpointChanged(pbx=self.name, endpoint=order.endpoint, state=DeviceState.IDLE)
                )
            case SetHold():
                caller = self.callers.get(order.call)
                if caller is not None and caller.talks_to is not None:
                    caller.held = order.on
            case Consult():
                if self.consults:
                    self._consult(order)
            case PutThrough():
                self._put_through(order)
            case Announce():
                caller = self.callers.get(order.call)
                assert caller is None or caller.talks_to is None, "told in the midst of a talk"
                assert order.position or order.minutes, order
            case DialOutside():
                assert self.dials, "told to dial a number and has said that it can't"
                caller = self.callers.pop(order.call, None)
                if caller is not None:
                    self.outside[order.call] = caller, order
                    self._part(caller)
            case Leave():
                caller = self.callers.pop(order.call, None)
                if caller is not None:
                    self.left[order.call] = order
                    self._hang_up_partner(caller)

    def _ring(self, order: Ring) -> None:
        leg = Leg(order, deaf=(order.endpoint or order.number) in self.deaf)
        assert leg.id not in self.placed, f"offer {leg.id} was placed twice"
        assert bool(order.endpoint) != bool(order.number), order
        assert order.ring_for > 0, order
        self.placed.add(leg.id)
        self.legs[leg.id] = leg

    def _connect(self, order: Connect) -> None:
        caller = self.callers.get(order.call)
        leg = self.legs.get((order.offer, order.device))
        if caller is None:
            why = ConnectFault.CALLER_GONE
        elif leg is None:
            why = ConnectFault.LEG_GONE
        else:
            assert caller.talks_to is None, f"{order.call} was connected while in a talk"
            assert leg.accepted, f"{order.call} was connected to a phone nobody accepted on"
            caller.talks_to, leg.talks_to = leg.id, order.call
            self.say(ConnectSucceeded(call=order.call, offer=order.offer))
            return
        self.say(ConnectFailed(call=order.call, offer=order.offer, why=why))

    def _consult(self, order: Consult) -> None:
        """The colleague comes to the agent who asks; the caller hears music."""
        caller = self.callers.get(order.call)
        leg = self.legs.get((order.offer, order.device))
        if caller is None or leg is None or caller.talks_to is None:
            why = ConnectFault.LEG_GONE if leg is None else ConnectFault.CALLER_GONE
            self.say(ConnectFailed(call=order.call, offer=order.offer, why=why))
            return
        assert caller.held, f"{order.call} hears what two agents say about it"
        assert leg.accepted
        leg.talks_to = "?"
        self.say(ConnectSucceeded(call=order.call, offer=order.offer))

    def _put_through(self, order: PutThrough) -> None:
        caller = self.callers.get(order.call)
        if caller is None:
            return
        self._part(caller)
        caller.held = False
        leg = next((leg for leg in self.legs.values() if leg.ring.offer == order.offer), None)
        if leg is not None:
            caller.talks_to, leg.talks_to = leg.id, order.call

    # ------------------------------------------------------------ what phones do

    def ring(self, leg: Leg) -> None:
        self.say(LegRang(offer=leg.ring.offer, device=leg.ring.device))

    def pick_up(self, leg: Leg) -> None:
        """Off-hook; on a desk phone that is acceptance."""
        leg.answered = True
        if leg.ring.confirm:
            self.say(LegAnswered(offer=leg.ring.offer, device=leg.ring.device))
        else:
            self.press_1(leg)

    def press_1(self, leg: Leg) -> None:
        leg.answered = leg.accepted = True
        self.say(LegAccepted(offer=leg.ring.offer, device=leg.ring.device))

    def picked_up_at(self, leg: Leg, endpoint: str) -> None:
        """A colleague's phone takes what rings here."""
        leg.answered = leg.accepted = True
        self.say(
            LegPickedUpElsewhere(offer=leg.ring.offer, device=leg.ring.device, endpoint=endpoint)
        )

    def end_leg(self, leg: Leg, why: LegEnd) -> None:
        del self.legs[leg.id]
        caller = self.callers.get(leg.talks_to)
        if caller is not None:
            caller.talks_to = None
        self.say(LegEnded(offer=leg.ring.offer, device=leg.ring.device, why=why))

    # ------------------------------------------------------------ what callers do

    def arrive(self, event: CallArrived) -> None:
        self.callers[event.call] = Caller(event)
        self.say(event)

    def hang_up(self, call: str) -> None:
        caller = self.callers.pop(call)
        self.say(CallerLeft(call=call))
        self._hang_up_partner(caller)

    def transfer(self, call: str, kind: TransferKind, to: str) -> None:
        """The agent passes the caller on; attended, the agent's phone may stay in a talk."""
        caller = self.callers.pop(call)
        leg = self.legs.get(caller.talks_to) if caller.talks_to else None
        self.say(CallerTransferred(call=call, kind=kind, to=to))
        if leg is not None:
            leg.talks_to = "?"
            if kind is TransferKind.BLIND:
                self.end_leg(leg, LegEnd.HUNG_UP)

    def number_ends(self, call: str, *, reached: bool) -> None:
        """A number outside hangs up, or is not reached, and the caller comes back."""
        caller, order = self.outside.pop(call)
        self.say(OutsideCallEnded(call=call, returns=not reached))
        if not reached:
            self.arrive(replace(caller.arrived, agent=order.agent))

    def _part(self, caller: Caller) -> None:
        leg = self.legs.get(caller.talks_to) if caller.talks_to else None
        caller.talks_to, caller.held = None, False
        if leg is not None:
            leg.talks_to = ""

    def _hang_up_partner(self, caller: Caller) -> None:
        leg = self.legs.get(caller.talks_to) if caller.talks_to else None
        if leg is not None:
            self.end_leg(leg, LegEnd.HUNG_UP)

    # ------------------------------------------------------------ phones and the truth

    def phone_is(self, endpoint: str, state: DeviceState) -> None:
        self.endpoints[endpoint] = state

    def snapshot(self) -> PbxSnapshot:
        return PbxSnapshot(
            pbx=self.name,
            can_hold=self.can_hold,
            cannot_dial="" if self.dials else "it has no trunk",
            outside=tuple(
                SeenOutside(call=call, agent=order.agent, number=order.number)
                for call, (_, order) in self.outside.items()
            ),
            calls=tuple(
                SeenCall(
                    arrived=caller.arrived,
                    talking_to=caller.talks_to[0] if caller.talks_to else "",
                )
                for caller in self.callers.values()
            ),
            legs=tuple(
                SeenLeg(
                    offer=leg.ring.offer,
                    device=leg.ring.device,
                    agent=leg.ring.agent,
                    call=leg.ring.call,
                    answered=leg.answered,
                    accepted=leg.accepted,
                    bridged=bool(leg.talks_to),
                )
                for leg in self.legs.values()
            ),
            endpoints=dict(self.endpoints),
        )
