"""Callers and legs of the simulated telephone system, and their form in a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from callrouter.model.commands import Ring
from callrouter.model.events import CallArrived, SeenCall, SeenLeg

LegKey: TypeAlias = tuple[str, str]
"""Offer and device."""


class SimulatedCallerState(Enum):
    """Where a simulated caller is."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    TALKING = "talking"


@dataclass(slots=True, eq=False)
class SimulatedCaller:
    """A simulated caller. Times are epoch seconds.

    Attributes:
        arrived: the event that reported them.
        entered_at: when they called.
        gives_up_at: when they lose patience, unless they are talking then.
        state: where they are.
        leg: the leg that they talk to, or are being connected with.
        turn: counts state changes, so that actions planned before a change are void.
        heard: the announcements played: time, position in the queue, minutes.
    """

    arrived: CallArrived
    entered_at: float
    gives_up_at: float
    state: SimulatedCallerState = SimulatedCallerState.WAITING
    leg: SimulatedLeg | None = None
    turn: int = 0
    heard: list[tuple[float, int, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class SimulatedLeg:
    """A phone that was told to ring.

    Attributes:
        ring: the command.
        answered: whether it is off-hook.
        accepted: whether the agent has accepted the call.
        stopping: whether it was told to stop. It ends a moment later, as a real one would.
        caller: the caller it was connected with; None if it never was.
    """

    ring: Ring
    answered: bool = False
    accepted: bool = False
    stopping: bool = False
    caller: SimulatedCaller | None = None

    @property
    def key(self) -> LegKey:
        """Offer and device. The same offer never rings a device twice, so this names one leg.

        The engine's `legs` are kept under it.
        """
        return (self.ring.offer, self.ring.device)


def seen_call(caller: SimulatedCaller) -> SeenCall:
    """A caller for a snapshot.

    A simulated caller keeps their first entry over a snapshot, as a real PBX would report it.
    """
    talks = caller.state is SimulatedCallerState.TALKING and caller.leg is not None
    arrived = caller.arrived
    again = CallArrived(
        call=arrived.call,
        pbx=arrived.pbx,
        queue=arrived.queue,
        caller_number=arrived.caller_number,
        called_number=arrived.called_number,
        entered_at=caller.entered_at,
    )
    return SeenCall(arrived=again, talking_to=caller.leg.ring.offer if talks and caller.leg else "")


def seen_leg(leg: SimulatedLeg) -> SeenLeg:
    """A leg for a snapshot.

    `bridged` only while its caller still talks to this leg, and not after a requeue.
    """
    return SeenLeg(
        offer=leg.ring.offer,
        device=leg.ring.device,
        agent=leg.ring.agent,
        call=leg.ring.call,
        answered=leg.answered,
        accepted=leg.accepted,
        bridged=leg.caller is not None and leg.caller.leg is leg,
    )
