"""Who is on the line: callers and legs, as the driver knows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import TypeAlias

from callrouter.model.commands import Announce, Ring, StopReason
from callrouter.model.events import CallArrived, SeenCall, SeenLeg
from callrouter.model.table import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY
from callrouter.pbx.twilio.twiml import OURS

_LONGEST = 64 - len(OURS) - len(".100")

LegKey: TypeAlias = tuple[str, str]
"""Offer and device."""

SeatKey: TypeAlias = tuple[str, str]
"""Whose seat in a conference (a CallSid), and what about it: ``hold`` or ``ends``."""


class Stand(Enum):
    """Where a caller is."""

    WAITING = "waiting"
    MOVING = "moving"
    """On the way to the conference where an agent is, or soon will be."""
    TALKING = "talking"
    LEAVING = "leaving"
    """Done with: on the way to where the rules say."""


class LegState(Enum):
    """How far a leg has come."""

    IN_LINE = "in line"
    """Not asked of Twilio yet: so many calls per second and no more."""
    PLACED = "placed"
    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up, and asked for key 1."""
    ACCEPTED = "accepted"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Leg:
    """One phone of one offer; `sid` is empty until it is known.

    Before `turn_until` it must have been asked of Twilio; `until` is when its ring time is over, which
    begins with that.
    """

    ring: Ring
    token: str
    turn_until: float
    until: float = 0.0
    state: LegState = LegState.IN_LINE
    sid: str = ""
    stopping: StopReason | None = None
    dialled: bool = False
    """It is rung by a `<Dial>` of the caller's own leg; see `callrouter.pbx.twilio.dials`."""
    ending: bool = False
    """Twilio was asked to end it."""
    picked_up: bool = False
    asked_until: float = 0.0
    """Until when it is asked for key 1."""
    rang: bool = False
    missed_looks: int = 0

    @property
    def key(self) -> LegKey:
        """What it is known by."""
        return (self.ring.offer, self.ring.device)

    @property
    def live(self) -> bool:
        """Whether its `LegEnded` is still to come."""
        return self.state is not LegState.ENDED


@dataclass(slots=True, eq=False, kw_only=True)
class Dialling:
    """Phones that a caller's leg rings together, and the document that says so.

    While it is `asked` for, the answer to that says what comes; else the caller's next request gets the
    document.
    """

    token: str
    legs: tuple[Leg, ...]
    document: str
    asked: bool = False


@dataclass(slots=True, eq=False)
class Caller:
    """One caller. `way_out` is the document that is run when they are let go."""

    arrived: CallArrived
    sid: str
    stand: Stand = Stand.WAITING
    leg: Leg | None = None
    way_out: str = ""
    first: float = 0.0
    """When they entered first, in epoch seconds."""
    queued: float = 0.0
    """When they entered the queue they are in."""
    moves: bool = False
    """Twilio is being asked to let them wait, or to let them out."""
    news: Announce | None = None
    """What they are to be told with the next turn of music."""
    since: float = 0.0
    missed_looks: int = 0
    dial: Dialling | None = None
    """The last `<Dial>` that the caller's leg was told to run, until it is over."""
    consult: Leg | None = None
    """A colleague in the talk, while the caller is on hold."""
    room: str = ""
    """The conference, if there is one; see `room_of`."""
    conference: str = ""
    """Its SID, once that was told."""
    seats: dict[SeatKey, bool] = field(default_factory=dict)
    """What is wanted of the seats in it."""
    asked: set[SeatKey] = field(default_factory=set)
    """Of those, what Twilio is being asked for."""

    @property
    def dials(self) -> bool:
        """Whether phones are being rung by the caller's own leg."""
        return self.dial is not None and any(leg.live for leg in self.dial.legs)

    @property
    def document(self) -> str:
        """What rings those phones, for a caller who asks what to run now; empty if it is on its way."""
        return (
            self.dial.document
            if self.dial is not None and self.dials and not self.dial.asked
            else ""
        )

    def to_talk(self, leg: Leg) -> None:
        """From here on the caller is on the way to a talk with the leg."""
        self.stand, self.leg, self.room = Stand.MOVING, leg, room_of(self.sid, leg.ring.offer)
        self.conference = ""
        self.seats.clear()

    def alone(self, stand: Stand) -> None:
        """Nobody talks to the caller any more."""
        self.stand, self.leg, self.consult, self.room = stand, None, None, ""
        self.dial = None


def room_of(sid: str, offer: str) -> str:
    """A conference's name, which a restarted daemon reads back with `read_room`.

    It is another one for each offer: news of an earlier one is not taken for news of this one.
    """
    return f"{OURS}{sid}-{offer}"


def place_of(arrived: CallArrived) -> str:
    """Where a caller waits, and how; a restarted daemon reads it back with `read_place`."""
    name = short(arrived.queue)
    return name if arrived.priority == DEFAULT_PRIORITY else f"{name}.{arrived.priority}"


def turn_of(arrived: CallArrived, first: float, queued: float = 0.0) -> str:
    """What each turn of music tells of a caller.

    Who entered first at `first`, and the present queue at `queued`; see `read_turn` and `read_stay`.
    """
    before = round(queued - first)
    stay = f"-{before}" if before > 0 else ""
    return f"{short(arrived.queue)}.{arrived.priority}.{first:.0f}{stay}"


def short(queue: str) -> str:
    """A queue's name as Twilio has room for it, in 64 characters with `OURS` and a priority."""
    if len(queue) <= _LONGEST:
        return queue
    return f"{queue[: _LONGEST - 13]}-{sha256(queue.encode()).hexdigest()[:12]}"


def read_place(text: str, queues: Iterable[str]) -> tuple[str, int]:
    """The queue, of those there are, and the priority that a place tells of; empty: none of them."""
    name, _, rest = text.partition(".")
    queue = next((queue for queue in queues if short(queue) == name), "")
    known = rest.isascii() and rest.isdigit() and len(rest) <= 3
    priority = int(rest) if known else DEFAULT_PRIORITY
    fits = FIRST_PRIORITY <= priority <= LAST_PRIORITY
    return queue, priority if fits else DEFAULT_PRIORITY


def read_turn(text: str, queues: Iterable[str]) -> tuple[str, int, float | None]:
    """What a turn of music tells of: as `read_place`, and the first entry, if it is one."""
    place, _, times = text.rpartition(".")
    since = times.partition("-")[0]
    known = since.isascii() and since.isdigit() and len(since) == 10
    return (*read_place(place, queues), float(since) if known else None)


def read_stay(text: str) -> float:
    """Seconds from the first entry to that into the present queue, as a turn of music tells them."""
    more = text.rpartition(".")[2].partition("-")[2]
    return float(more) if more.isascii() and more.isdigit() and len(more) <= 6 else 0.0


def read_room(name: str) -> tuple[str, str]:
    """The caller's SID and the offer that a conference's name tells of."""
    sid, _, offer = name.removeprefix(OURS).partition("-")
    return sid, offer


def label(leg: Leg) -> str:
    """What a participant is called; a restarted daemon reads it back with `read_label`."""
    return f"{leg.ring.agent}|{leg.ring.device}"


def read_label(text: str) -> tuple[str, str]:
    """The agent and the device that a label tells of."""
    agent, _, device = text.partition("|")
    return agent, device


def seen_call(caller: Caller) -> SeenCall:
    """A caller as a snapshot shows them."""
    talking = caller.leg if caller.stand is Stand.TALKING else None
    return SeenCall(
        arrived=caller.arrived, talking_to=talking.ring.offer if talking is not None else ""
    )


def seen_leg(leg: Leg, *, talks: bool) -> SeenLeg:
    """A leg as a snapshot shows it."""
    return SeenLeg(
        offer=leg.ring.offer,
        device=leg.ring.device,
        agent=leg.ring.agent,
        call=leg.ring.call,
        answered=leg.picked_up,
        accepted=leg.state is LegState.ACCEPTED,
        bridged=talks,
    )
