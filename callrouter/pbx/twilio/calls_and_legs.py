"""The callers and legs that the driver knows, and the encoding of their state in names.

The driver keeps callers and legs in memory only. So whatever a restarted daemon must know about
them is encoded in names that Twilio stores: the queue in which a caller waits, the URL for the next
turn of music, the conference of a conversation, and the label of each participant. Each encoder has
a decoder beside it that accepts any text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import TypeAlias

from callrouter.model.commands import Announce, Ring, StopReason
from callrouter.model.events import CallArrived, SeenCall, SeenLeg
from callrouter.model.routing_table import DEFAULT_PRIORITY, FIRST_PRIORITY, LAST_PRIORITY
from callrouter.pbx.twilio.twiml import OURS

_LONGEST = 64 - len(OURS) - len(".100")

LegKey: TypeAlias = tuple[str, str]
"""Offer and device."""

SeatKey: TypeAlias = tuple[str, str]
"""A participant of a conference (CallSid) and the property: ``hold`` or ``ends``."""


class Stand(Enum):
    """Where a caller is."""

    WAITING = "waiting"
    MOVING = "moving"
    """On the way to the conference in which an agent is, or soon will be."""
    TALKING = "talking"
    LEAVING = "leaving"
    """On the way out, to the destination of the rules."""


class LegState(Enum):
    """The progress of a leg."""

    IN_LINE = "in line"
    """Not requested from Twilio yet, because of the limit of calls per second."""
    PLACED = "placed"
    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up, and asked to press 1."""
    ACCEPTED = "accepted"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Leg:
    """One phone of one offer.

    Attributes:
        ring: the command.
        token: the one-shot token of its URLs.
        turn_until: when it must have been requested from Twilio.
        until: end of its ring time, which starts with the request.
        sid: its CallSid; "" if not known yet.
    """

    ring: Ring
    token: str
    turn_until: float
    until: float = 0.0
    state: LegState = LegState.IN_LINE
    sid: str = ""
    stopping: StopReason | None = None
    dialled: bool = False
    """Whether a `<Dial>` of the caller's call rings it; see `callrouter.pbx.twilio.dial`."""
    ending: bool = False
    """Whether Twilio was asked to end it."""
    picked_up: bool = False
    asked_until: float = 0.0
    """End of the time for pressing 1."""
    rang: bool = False
    missed_looks: int = 0

    @property
    def key(self) -> LegKey:
        """Identifies the leg."""
        return (self.ring.offer, self.ring.device)

    @property
    def live(self) -> bool:
        """Whether its `LegEnded` is still to come."""
        return self.state is not LegState.ENDED


@dataclass(slots=True, eq=False, kw_only=True)
class Dialling:
    """Phones that the caller's call rings together, and the document for it.

    While `asked` is True, a request with the document is under way, and its outcome decides.
    Otherwise the caller's next webhook gets the document.
    """

    token: str
    legs: tuple[Leg, ...]
    document: str
    asked: bool = False


@dataclass(slots=True, eq=False)
class Caller:
    """One caller. `way_out` is the document that runs when they leave."""

    arrived: CallArrived
    sid: str
    stand: Stand = Stand.WAITING
    leg: Leg | None = None
    way_out: str = ""
    first: float = 0.0
    """When they first entered, in epoch seconds."""
    queued: float = 0.0
    """When they entered their current queue, in epoch seconds."""
    moves: bool = False
    """Whether a request is under way to move them to the waiting room or out."""
    news: Announce | None = None
    """An announcement for the next turn of music."""
    since: float = 0.0
    missed_looks: int = 0
    dial: Dialling | None = None
    """The last `<Dial>` that their call was told to run, until it has ended."""
    consult: Leg | None = None
    """A colleague in the conversation, while the caller is on hold."""
    room: str = ""
    """Name of the conference, if any; see `room_of`."""
    conference: str = ""
    """SID of the conference, once known."""
    seats: dict[SeatKey, bool] = field(default_factory=dict)
    """The wanted properties of the participants."""
    asked: set[SeatKey] = field(default_factory=set)
    """The properties for which a request is under way."""

    @property
    def dials(self) -> bool:
        """Whether the caller's call is ringing phones."""
        return self.dial is not None and any(leg.live for leg in self.dial.legs)

    @property
    def document(self) -> str:
        """The document that rings those phones, for a caller's call that asks what to run.

        "" if there is none, or if a request with it is under way.
        """
        return (
            self.dial.document
            if self.dial is not None and self.dials and not self.dial.asked
            else ""
        )

    def to_talk(self, leg: Leg) -> None:
        """Put the caller on the way to a conversation with the leg."""
        self.stand, self.leg, self.room = Stand.MOVING, leg, room_of(self.sid, leg.ring.offer)
        self.conference = ""
        self.seats.clear()

    def alone(self, stand: Stand) -> None:
        """End the caller's conversation, connection or `<Dial>`, if any."""
        self.stand, self.leg, self.consult, self.room = stand, None, None, ""
        self.dial = None


def room_of(sid: str, offer: str) -> str:
    """The name of a conference, which `read_room` decodes after a restart.

    Each offer has its own name, so that news about an earlier conference is not taken for news
    about this one.
    """
    return f"{OURS}{sid}-{offer}"


def place_of(arrived: CallArrived) -> str:
    """The queue name that encodes queue and priority. `read_place` decodes it after a restart."""
    name = short(arrived.queue)
    return name if arrived.priority == DEFAULT_PRIORITY else f"{name}.{arrived.priority}"


def turn_of(arrived: CallArrived, first: float, queued: float = 0.0) -> str:
    """What each turn of music reports about a caller.

    It encodes the queue, the priority, the first entry (`first`) and the entry into the current
    queue (`queued`). See `read_turn` and `read_stay`.
    """
    before = round(queued - first)
    stay = f"-{before}" if before > 0 else ""
    return f"{short(arrived.queue)}.{arrived.priority}.{first:.0f}{stay}"


def short(queue: str) -> str:
    """A queue's name, shortened to fit Twilio's 64 characters with `OURS` and a priority."""
    if len(queue) <= _LONGEST:
        return queue
    return f"{queue[: _LONGEST - 13]}-{sha256(queue.encode()).hexdigest()[:12]}"


def read_place(text: str, queues: Iterable[str]) -> tuple[str, int]:
    """Decode `place_of`: the queue among `queues` and the priority. The queue is "" if unknown."""
    name, _, rest = text.partition(".")
    queue = next((queue for queue in queues if short(queue) == name), "")
    known = rest.isascii() and rest.isdigit() and len(rest) <= 3
    priority = int(rest) if known else DEFAULT_PRIORITY
    fits = FIRST_PRIORITY <= priority <= LAST_PRIORITY
    return queue, priority if fits else DEFAULT_PRIORITY


def read_turn(text: str, queues: Iterable[str]) -> tuple[str, int, float | None]:
    """Decode `turn_of`: as `read_place`, plus the time of the first entry or None."""
    place, _, times = text.rpartition(".")
    since = times.partition("-")[0]
    known = since.isascii() and since.isdigit() and len(since) == 10
    return (*read_place(place, queues), float(since) if known else None)


def read_stay(text: str) -> float:
    """Seconds from the first entry to the entry into the current queue, from `turn_of`."""
    more = text.rpartition(".")[2].partition("-")[2]
    return float(more) if more.isascii() and more.isdigit() and len(more) <= 6 else 0.0


def read_room(name: str) -> tuple[str, str]:
    """Decode `room_of`: the caller's SID and the offer."""
    sid, _, offer = name.removeprefix(OURS).partition("-")
    return sid, offer


def label(leg: Leg) -> str:
    """The label of a participant, which `read_label` decodes after a restart."""
    return f"{leg.ring.agent}|{leg.ring.device}"


def read_label(text: str) -> tuple[str, str]:
    """Decode `label`: the agent and the device."""
    agent, _, device = text.partition("|")
    return agent, device


def seen_call(caller: Caller) -> SeenCall:
    """A caller for a snapshot."""
    talking = caller.leg if caller.stand is Stand.TALKING else None
    return SeenCall(
        arrived=caller.arrived, talking_to=talking.ring.offer if talking is not None else ""
    )


def seen_leg(leg: Leg, *, talks: bool) -> SeenLeg:
    """A leg for a snapshot."""
    return SeenLeg(
        offer=leg.ring.offer,
        device=leg.ring.device,
        agent=leg.ring.agent,
        call=leg.ring.call,
        answered=leg.picked_up,
        accepted=leg.state is LegState.ACCEPTED,
        bridged=talks,
    )
