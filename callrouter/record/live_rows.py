"""What the recorder keeps in memory: calls that are live, and those that ended a moment ago.

Each class has the fields of a row, which may still change, and makes the row when it is to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

from callrouter.record.call_steps import StepItem
from callrouter.record.record_tables import LiveSteps
from callrouter.record.row_codec import column_names
from callrouter.record.rows import (
    AgentStateRow,
    CallOutcome,
    CallRow,
    ConsultationRow,
    ConversationEnd,
    ConversationKind,
    ConversationRow,
    HoldRow,
    HowIn,
    OfferResult,
    OfferRow,
    StayOutcome,
    StayRow,
)
from callrouter.store.tables import Key, RecordedTable

RowT = TypeVar("RowT")

STEPS_OF_A_PART: Final = 32
"""Steps stored together. A call that goes on writes only its last part again."""


class Touched(Protocol):
    """Notes that something is to be written."""

    def __call__(self, table: RecordedTable[Any], key: Key, live: object, /) -> None:
        """Note it. `live` makes the row when it is written."""


@dataclass(slots=True, kw_only=True)
class LiveStay:
    """A stay; see `StayRow`. `talked_s` is time spent talking before the caller waited again."""

    call: str
    n: int
    queue: str
    entered_at: float
    priority: int
    how_in: HowIn
    first_position: int
    left_at: float | None = None
    outcome: StayOutcome | None = None
    wait_s: float | None = None
    position: int = 0
    agent: str = ""
    answered_at: float | None = None
    talk_s: float = 0.0
    hold_s: float = 0.0
    target: str = ""
    by: str = ""
    offers: int = 0
    requeues: int = 0
    talked_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class LiveOffer:
    """An offer; see `OfferRow`."""

    offer: str
    call: str
    stay: int
    queue: str
    agent: str
    made_at: float
    policy: str = ""
    level: int = 0
    idle_s: float = 0.0
    taker: str = ""
    device: str = ""
    rang_at: float | None = None
    accepted_at: float | None = None
    ended_at: float | None = None
    result: OfferResult | None = None
    rang_s: float | None = None


@dataclass(slots=True, kw_only=True)
class LiveHold:
    """A hold; see `HoldRow`."""

    call: str
    n: int
    conversation: int
    agent: str
    began_at: float
    by: str
    ended_at: float | None = None


@dataclass(slots=True, kw_only=True)
class LiveConsultation:
    """A consultation; see `ConsultationRow`."""

    call: str
    n: int
    conversation: int
    queue: str
    agent: str
    colleague: str
    asked_at: float
    talked_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""


@dataclass(slots=True, kw_only=True)
class LiveConversation:
    """A conversation; see `ConversationRow`."""

    call: str
    n: int
    stay: int
    queue: str
    agent: str
    offer: str
    kind: ConversationKind
    started_at: float
    ended_at: float | None = None
    talk_s: float | None = None
    hold_s: float = 0.0
    wrap_up_s: float | None = None
    ended_by: ConversationEnd | None = None
    to: str = ""
    by: str = ""


@dataclass(slots=True, kw_only=True)
class LiveAgentState:
    """What an agent is doing; see `AgentStateRow`."""

    serial: int
    agent: str
    at: float
    status: str
    state: str
    reason: str
    by: str
    until: float | None = None


@dataclass(slots=True, kw_only=True)
class LiveCall:
    """A call; see `CallRow` for the fields that it has as well.

    Attributes:
        stay: the last one.
        open_offers: those that have not ended, by id.
        accepted: the offer that led to the last conversation.
        conversation: the last one, also if it has ended; `before` is the one before it.
        hold: the caller is on hold.
        consultation: the colleague being asked.
        talks: number of conversations so far, all of them; `held` and `consulted` likewise.
        over: it has ended for the router. It may come back.
        steps: of the present part.
        part: the number of the present part.
        waiting_for_recall: notices that wait until it is known what the record has of the call;
            None: nothing is waited for.
    """

    call: str
    pbx: str
    entered_at: float
    priority: int
    queue: str
    last_queue: str
    caller_number: str = ""
    caller_name: str = ""
    called_number: str = ""
    tag: str = ""
    ended_at: float | None = None
    outcome: CallOutcome | None = None
    result: str = ""
    agent: str = ""
    wait_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    stays: int = 0
    offers: int = 0
    conversations: int = 0
    transfers: int = 0
    ended_by: str = ""
    ended_by_name: str = ""
    number_key: str = ""
    stay: LiveStay | None = None
    open_offers: dict[str, LiveOffer] = field(default_factory=dict)
    accepted: LiveOffer | None = None
    conversation: LiveConversation | None = None
    before: LiveConversation | None = None
    talks: int = 0
    hold: LiveHold | None = None
    held: int = 0
    consultation: LiveConsultation | None = None
    consulted: int = 0
    over: bool = False
    how_next: HowIn = HowIn.RE_ENTRY
    steps: list[StepItem] = field(default_factory=list)
    part: int = 0
    waiting_for_recall: list[StepItem] | None = None

    @property
    def talking(self) -> LiveConversation | None:
        """The conversation that goes on; None: there is none."""
        last = self.conversation
        return last if last is not None and last.ended_at is None else None


def _as_they_are(steps: LiveSteps) -> LiveSteps:
    return LiveSteps(steps.call, steps.part, tuple(steps.items))


def _copier(row: type[Any], live: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    names = column_names(row)
    missing = set(names) - set(column_names(live))
    if missing:
        raise TypeError(f"{live.__name__} has no {missing}")
    return attrgetter(*names)


_COPIERS: Final[Mapping[type[Any], Callable[[Any], Any]]] = {
    LiveCall: _copier(CallRow, LiveCall),
    LiveStay: _copier(StayRow, LiveStay),
    LiveOffer: _copier(OfferRow, LiveOffer),
    LiveConversation: _copier(ConversationRow, LiveConversation),
    LiveHold: _copier(HoldRow, LiveHold),
    LiveConsultation: _copier(ConsultationRow, LiveConsultation),
    LiveAgentState: _copier(AgentStateRow, LiveAgentState),
    LiveSteps: _as_they_are,
}


def as_row(live: Any) -> Any:
    """Return the values of a live object's row as they are now, in the order of the row's fields.

    The thread makes a row of them: that takes longer. What is no live object is returned as it is.
    """
    copy = _COPIERS.get(type(live))
    return live if copy is None else copy(live)


def revive(kind: type[RowT], row: Any) -> RowT:
    """Return a live object with the values of a row that was read from the record."""
    own = {item.name for item in fields(kind)}  # type: ignore[arg-type]  # it is a dataclass
    values = {item.name: getattr(row, item.name) for item in fields(row) if item.name in own}
    return kind(**values)
