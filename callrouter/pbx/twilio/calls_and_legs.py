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
from callrouter.pbx.twilio.twiml import OUR_PREFIX

_LONGEST = 64 - len(OUR_PREFIX) - len(".100")

LegKey: TypeAlias = tuple[str, str]
"""Offer and device."""


class ParticipantProperty(Enum):
    """What can be set of a participant of a conference."""

    HOLD = "hold"
    """They hear music and cannot be heard."""
    ENDS_CONFERENCE = "ends conference"
    """The conference ends when they leave it."""


PropertyKey: TypeAlias = tuple[str, ParticipantProperty]
"""A participant of a conference (CallSid) and one of their properties."""


class TwilioCallerState(Enum):
    """Where a caller is."""

    WAITING = "waiting"
    MOVING = "moving"
    """On the way to the conference in which an agent is, or soon will be."""
    TALKING = "talking"
    LEAVING = "leaving"
    """On the way out, to the destination of the rules."""


class TwilioLegState(Enum):
    """The progress of a leg, in this order. A leg may end in any state."""

    QUEUED = "in line"
    """Not requested from Twilio yet, because of the limit of calls per second."""
    PLACED = "placed"
    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up, and asked to press 1."""
    ACCEPTED = "accepted"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class TwilioLeg:
    """One phone of one offer. Times are epoch seconds.

    Attributes:
        ring: the command.
        token: the one-shot token of its URLs.
        place_by: when it must have been requested from Twilio.
        ring_until: end of its ring time, which starts with the request.
        state: its progress.
        sid: its CallSid; "" if not known yet.
        stop_reason: why the router has stopped it; None while it has not.
        in_group_dial: whether a `<Dial>` of the caller's call rings it; see
            `callrouter.pbx.twilio.dial`.
        hang_up_requested: whether Twilio was asked to end it.
        picked_up: whether it is off-hook, or was.
        key_until: end of the time for pressing 1.
        rang: whether Twilio has reported ringing.
        missed_resyncs: number of consecutive resyncs that have not found it.
    """

    ring: Ring
    token: str
    place_by: float
    ring_until: float = 0.0
    state: TwilioLegState = TwilioLegState.QUEUED
    sid: str = ""
    stop_reason: StopReason | None = None
    in_group_dial: bool = False
    hang_up_requested: bool = False
    picked_up: bool = False
    key_until: float = 0.0
    rang: bool = False
    missed_resyncs: int = 0

    @property
    def key(self) -> LegKey:
        """Identifies the leg."""
        return (self.ring.offer, self.ring.device)

    @property
    def live(self) -> bool:
        """Whether its `LegEnded` is still to come."""
        return self.state is not TwilioLegState.ENDED

    @property
    def wanted(self) -> bool:
        """Whether it may still be accepted and connected: it is live, and nothing has stopped it."""
        return self.live and self.stop_reason is None


@dataclass(slots=True, eq=False, kw_only=True)
class GroupDial:
    """Phones that the caller's call rings together, and the document for it.

    While `redirect_pending` is True, a request with the document is under way, and its outcome decides.
    Otherwise the caller's next webhook gets the document.
    """

    token: str
    legs: tuple[TwilioLeg, ...]
    document: str
    redirect_pending: bool = False


@dataclass(slots=True, eq=False)
class TwilioCaller:
    """One caller. Times are epoch seconds.

    Attributes:
        arrived: the event that reported them, with their present queue and priority.
        sid: their CallSid.
        state: where they are.
        leg: the agent's leg that they talk to, or are being connected with.
        exit_document: the document that runs when they leave.
        first_entered_at: when they first entered.
        queued_at: when they entered their current queue.
        redirect_pending: whether a request is under way to move them to the waiting room or out.
        announcement: an announcement for the next turn of music.
        state_since: when they arrived, were last put back in the queue, or were connected.
        missed_resyncs: number of consecutive resyncs that have not found them.
        logged: whether an earlier run has logged that they entered, as that of every adopted caller.
        group_dial: the last `<Dial>` that their call was told to run, until it has ended.
        consulted_leg: a colleague in the conversation, while the caller is on hold.
        conference_name: name of the conference, if any; see `encode_conference_name`.
        conference_sid: SID of the conference, once known.
        wanted_properties: the wanted properties of the participants.
        pending_properties: the properties for which a request is under way.
    """

    arrived: CallArrived
    sid: str
    state: TwilioCallerState = TwilioCallerState.WAITING
    leg: TwilioLeg | None = None
    exit_document: str = ""
    first_entered_at: float = 0.0
    queued_at: float = 0.0
    redirect_pending: bool = False
    announcement: Announce | None = None
    state_since: float = 0.0
    missed_resyncs: int = 0
    logged: bool = False
    group_dial: GroupDial | None = None
    consulted_leg: TwilioLeg | None = None
    conference_name: str = ""
    conference_sid: str = ""
    wanted_properties: dict[PropertyKey, bool] = field(default_factory=dict)
    pending_properties: set[PropertyKey] = field(default_factory=set)

    @property
    def rings_phones(self) -> bool:
        """Whether the caller's call is ringing phones."""
        return self.group_dial is not None and any(leg.live for leg in self.group_dial.legs)

    @property
    def dial_document(self) -> str:
        """The document that rings those phones, for a caller's call that asks what to run.

        "" if there is none, or if a request with it is under way.
        """
        dial = self.group_dial
        if dial is None or dial.redirect_pending or not self.rings_phones:
            return ""
        return dial.document

    def start_connecting(self, leg: TwilioLeg) -> None:
        """Put the caller on the way to a conversation with the leg."""
        self.state, self.leg = TwilioCallerState.MOVING, leg
        self.conference_name = encode_conference_name(self.sid, leg.ring.offer)
        self.conference_sid = ""
        self.wanted_properties.clear()

    def detach(self, state: TwilioCallerState) -> None:
        """End the caller's conversation, connection or `<Dial>`, if any, and set the new state."""
        self.state, self.leg, self.consulted_leg, self.conference_name = state, None, None, ""
        self.group_dial = None


def encode_conference_name(sid: str, offer: str) -> str:
    """The name of a conference, which `decode_conference_name` decodes after a restart.

    Each offer has its own name, so that news about an earlier conference is not taken for news
    about this one.
    """
    return f"{OUR_PREFIX}{sid}-{offer}"


def encode_queue_name(arrived: CallArrived) -> str:
    """A name for Twilio's queue that encodes our queue and the priority.

    Before the first webhook about a caller, Twilio's queue is the only place where a restarted
    daemon can read them. So a caller who is moved to another queue of ours is moved to another
    one of Twilio's as well. `decode_queue_name` decodes it.
    """
    name = shortened(arrived.queue)
    return name if arrived.priority == DEFAULT_PRIORITY else f"{name}.{arrived.priority}"


def encode_turn(arrived: CallArrived, first_entered_at: float, queued_at: float = 0.0) -> str:
    """What each turn of music reports about a caller: ``QUEUE.PRIORITY.FIRST[-SECONDS]``.

    See `decode_turn` and `decode_time_before_queue`.

    Args:
        arrived: the queue and the priority.
        first_entered_at: when they first entered, in epoch seconds.
        queued_at: when they entered the current queue, in epoch seconds.
    """
    before = round(queued_at - first_entered_at)
    stay = f"-{before}" if before > 0 else ""
    return f"{shortened(arrived.queue)}.{arrived.priority}.{first_entered_at:.0f}{stay}"


def shortened(queue: str) -> str:
    """A queue's name, shortened to fit Twilio's 64 characters with `OUR_PREFIX` and a priority.

    A shortened name ends with a hash of the whole one, so that two long names stay different.
    """
    if len(queue) <= _LONGEST:
        return queue
    return f"{queue[: _LONGEST - 13]}-{sha256(queue.encode()).hexdigest()[:12]}"


def decode_queue_name(text: str, queues: Iterable[str]) -> tuple[str, int]:
    """Decode `encode_queue_name`.

    Args:
        text: any text, such as the name of a queue in the account.
        queues: the queues of the routing table.

    Returns:
        The queue, or "" if it is none of `queues`, and the priority, or the default one.
    """
    name, _, rest = text.partition(".")
    queue = next((queue for queue in queues if shortened(queue) == name), "")
    known = rest.isascii() and rest.isdigit() and len(rest) <= 3
    priority = int(rest) if known else DEFAULT_PRIORITY
    fits = FIRST_PRIORITY <= priority <= LAST_PRIORITY
    return queue, priority if fits else DEFAULT_PRIORITY


def decode_turn(text: str, queues: Iterable[str]) -> tuple[str, int, float | None]:
    """Decode `encode_turn`: as `decode_queue_name`, plus the time of the first entry or None.

    The text is the token of a URL and comes back from outside, so any text is accepted.
    """
    place, _, times = text.rpartition(".")
    first = times.partition("-")[0]
    known = first.isascii() and first.isdigit() and len(first) == 10
    return (*decode_queue_name(place, queues), float(first) if known else None)


def decode_time_before_queue(text: str) -> float:
    """Seconds from the first entry to the entry into the current queue, from `encode_turn`."""
    more = text.rpartition(".")[2].partition("-")[2]
    return float(more) if more.isascii() and more.isdigit() and len(more) <= 6 else 0.0


def decode_conference_name(name: str) -> tuple[str, str]:
    """Decode `encode_conference_name`: the caller's SID and the offer."""
    sid, _, offer = name.removeprefix(OUR_PREFIX).partition("-")
    return sid, offer


def encode_label(leg: TwilioLeg) -> str:
    """The label of a participant, which `decode_label` decodes after a restart."""
    return f"{leg.ring.agent}|{leg.ring.device}"


def decode_label(text: str) -> tuple[str, str]:
    """Decode `encode_label`: the agent and the device."""
    agent, _, device = text.partition("|")
    return agent, device


def seen_call(caller: TwilioCaller) -> SeenCall:
    """A caller for a snapshot."""
    talking = caller.leg if caller.state is TwilioCallerState.TALKING else None
    return SeenCall(
        arrived=caller.arrived, talking_to=talking.ring.offer if talking is not None else ""
    )


def seen_leg(leg: TwilioLeg, *, talks: bool) -> SeenLeg:
    """A leg for a snapshot."""
    return SeenLeg(
        offer=leg.ring.offer,
        device=leg.ring.device,
        agent=leg.ring.agent,
        call=leg.ring.call,
        answered=leg.picked_up,
        accepted=leg.state is TwilioLegState.ACCEPTED,
        bridged=talks,
    )
