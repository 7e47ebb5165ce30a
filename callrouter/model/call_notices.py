"""Notices about calls, offers and conversations. See `callrouter.model.notices`."""

from __future__ import annotations

from typing import TypeAlias

from callrouter.model.commands import Result
from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import CallerEnd, LegEnd, TransferKind
from callrouter.model.frozen import frozen
from callrouter.model.notices import CallAndAgentNotice, CallNotice, Notice, OfferNotice
from callrouter.model.outcomes import (
    ConsultationStep,
    EndedBy,
    OfferOutcome,
    RequeueCause,
    ShareReason,
)
from callrouter.model.routing_table import Target

# ---------------------------------------------------------------- a call enters and waits


@frozen
class RuleApplied(CallNotice):
    """A rule matched the call on its arrival."""

    kind = "rule"

    rule: str


@frozen
class EntryFacts:
    """What the PBX and the rules say of a call, as it is when it enters a queue.

    `first_entered_at` is its first entry into any queue, in epoch seconds, and `queued_at` that into
    this one. The numbers are in their canonical form; `priority` is 1 first to 100 last.
    """

    pbx: str
    priority: int
    first_entered_at: float
    queued_at: float
    called_number: str = ""
    tag: str = ""


@frozen
class CallEntered(CallNotice):
    """A call entered a queue, or found it full or closed.

    `position` counts from 1; 0 means that the call was not let in, and `refused` says why.
    `waited_s` is set for a call that was found waiting after a restart or a gap.
    `facts` is for the record; the core always sets it.
    """

    kind = "entered"

    position: int
    caller_number: str
    caller_name: str
    waited_s: float | None = None
    refused: Result | None = None
    facts: EntryFacts | None = None


@frozen
class WaitingCallMoved(CallNotice):
    """A supervisor moved a waiting call. `queue` is the queue that it is in from now on.

    `to_queue` and `to_agent` are empty, and `to_priority` is 0, if that stays as it was. `by` is
    empty if no person is named.
    """

    kind = "moved"

    to_queue: str
    to_agent: str
    to_priority: int
    by: str


@frozen
class PlaceHandedOver(CallAndAgentNotice):
    """Another caller now has this call's place in the queue, by an attended transfer.

    `agent` made the transfer. Number and name are those of the new caller.
    """

    kind = "replaced"

    caller_number: str
    caller_name: str


@frozen
class CallAbandoned(CallNotice):
    """The caller hung up, or was found gone after a gap, before talking to an agent.

    `position` is 0 if the call did not wait at that moment, because an agent had just accepted it.
    `first_position` is the position at which it entered the queue, and `wait_s` counts from there.
    """

    kind = "abandoned"

    position: int
    first_position: int
    wait_s: float
    how: CallerEnd


@frozen
class CallMovedAway(CallNotice):
    """Another program moved the caller out of the queue. Fields as in `CallAbandoned`."""

    kind = "taken"

    position: int
    first_position: int
    wait_s: float
    how: CallerEnd


@frozen
class CallLeftQueue(CallNotice):
    """A call left its queue by one of the queue's rules, or because a supervisor ended it.

    `target` is where it went; None: to where it came from. Otherwise as in `CallAbandoned`.
    """

    kind = "left"

    result: Result
    target: Target | None
    position: int
    first_position: int
    wait_s: float
    by: str


# ---------------------------------------------------------------- an agent is rung


@frozen
class OfferMade(OfferNotice):
    """An agent is being rung for a call.

    `idle_s` is how long the agent has been idle, `priority` is their level in the queue, and
    `left_out` describes the devices that are not rung.
    """

    kind = "offered"

    policy: tuple[str, ...]
    idle_s: float
    priority: int
    left_out: str = ""


@frozen
class OfferDecided(Notice):
    """Why an agent is rung for a call: the alternatives at that moment.

    `ranked` holds the first few of the `available` agents, in no order: for each, the values by
    which the queue's policies rank them, when they became idle (-1 if a draw decides), and the
    agent's id. `waiting` counts the callers in the lanes examined.

    `by_agent` is set if the agent became free and took the call, rather than the call choosing the
    agent. The agent is then the only candidate and `ranked` is empty. `tried` lists the agents who
    refused or missed the call in the present round.

    `drawn` is the number of chances in the draw, one for each agent of equal rank unless the policy
    weights them; 0 means that nothing was drawn. `needs` and `escalation_step` are the required
    skills and the escalation step of the call at that time.

    One is reported for every offer, so it holds only what is at hand. It is for `why` and the live
    view alone. So it is no `OfferNotice`: a listener that keeps those does not get it.
    """

    kind = "decided"

    call: str
    queue: str
    agent: str
    offer: str
    policy: tuple[str, ...]
    available: int
    ranked: tuple[tuple[tuple[float | tuple[float, ...], ...], float, str], ...]
    waiting: int
    waited_s: float
    tried: tuple[str, ...]
    by_agent: bool
    preferred: bool
    drawn: int
    needs: frozenset[tuple[str, int]] = frozenset()
    escalation_step: int = 0


@frozen
class OfferRang(OfferNotice):
    """The first device of an offer rings."""

    kind = "rang"


@frozen
class OfferShared(OfferNotice):
    """An offer no longer keeps its caller from others: the call is offered to them as well."""

    kind = "shared"

    device: str
    why: ShareReason


@frozen
class OfferEnded(OfferNotice):
    """An offer ended without a conversation. `rang_s` counts from the offer."""

    kind = "offer-ended"

    outcome: OfferOutcome
    rang_s: float


@frozen
class OfferAccepted(OfferNotice):
    """The agent accepted on this device; the PBX is connecting the two."""

    kind = "accepted"

    device: str


@frozen
class DeviceFailed(OfferNotice):
    """A device did not take a call, in a way that counts as a failure of the device.

    `in_a_row` counts its consecutive failures. It is not rung for `cooldown_s` seconds.
    """

    kind = "device-failed"

    device: str
    why: LegEnd | DeviceFailure
    in_a_row: int
    cooldown_s: float


@frozen
class CallerIdRefused(OfferNotice):
    """The carrier rejected a call to an agent because of the caller ID that it presented.

    `rung_again`: the device is rung once more, with the business's own number.
    """

    kind = "number-refused"

    device: str
    rung_again: bool


# ---------------------------------------------------------------- a conversation


@frozen
class ConversationStarted(OfferNotice):
    """Caller and agent hear each other. `wait_s` is the wait in this queue.

    `rang_s` counts from the offer. Both are in seconds.
    """

    kind = "connected"

    wait_s: float
    rang_s: float


@frozen
class CallRequeued(CallNotice):
    """The connect failed or the conversation broke off at once: the call waits again."""

    kind = "requeued"

    why: RequeueCause


@frozen
class HoldChanged(CallAndAgentNotice):
    """The caller was put on hold, or taken off it (`on` is False)."""

    kind = "held"

    on: bool
    by: str


@frozen
class ConsultationChanged(CallAndAgentNotice):
    """Progress of a consultation between `agent` and a colleague.

    An `OfferOutcome` says that the colleague did not join.
    """

    kind = "consulted"

    colleague: str
    what: ConsultationStep | OfferOutcome


@frozen
class CallPutThrough(OfferNotice):
    """A consultation was completed: the colleague `to` has the caller. `agent` had them before.

    `offer` is the offer by which `agent` had the caller.
    """

    kind = "passed"

    to: str
    by: str


@frozen
class ConversationTransferred(OfferNotice):
    """The agent transferred the caller.

    `to` is a queue, an agent or an extension. `by` is the person who asked for it if that was not
    done on the agent's own phone.
    """

    kind = "transferred"

    transfer: TransferKind
    to: str
    wait_s: float
    talk_s: float
    first_position: int
    by: str


@frozen
class CallCompleted(OfferNotice):
    """The conversation ended, and the call with it.

    `ended_by` is the person who asked for it, if it was a supervisor.
    """

    kind = "completed"

    by: EndedBy
    wait_s: float
    talk_s: float
    first_position: int
    ended_by: str = ""


@frozen
class WrapUpStarted(CallAndAgentNotice):
    """After-call work began, for `wrap_up_s` seconds at most.

    `queue` is the queue of the conversation; the call may be in another by now.
    """

    kind = "wrap-up"

    wrap_up_s: float


CallEnd: TypeAlias = (
    CallAbandoned | CallMovedAway | CallLeftQueue | ConversationTransferred | CallCompleted
)
"""The notices that end a call. A `CallEntered` may follow, if it goes on to another queue."""
