"""Calls from entry to end: waiting, connecting, talking, and each of the ways to leave."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from callrouter.core import (
    agents,
    announcing,
    calendar,
    devices,
    entrances,
    legs,
    rules,
    waiting,
    wishes,
)
from callrouter.core.state import Call, CallState, Floor, Offer, OfferState, Queue
from callrouter.model.commands import Connect, Happened, Hold, Leave, Result, StopReason
from callrouter.model.events import CallArrived, CallerEnd, CallMoved, TransferKind
from callrouter.model.table import HangUp, KeepWaiting, Rule, Target, ToDialplan, ToQueue

# Kept by hand: see `callrouter.core.state`.
_WAITING: Final = CallState.WAITING
_CONNECTING: Final = CallState.CONNECTING
_TALKING: Final = CallState.TALKING
_ENDED: Final = CallState.ENDED
_ENTERED: Final = Happened.ENTERED
_CONNECTED: Final = Happened.CONNECTED
_COMPLETED: Final = Happened.COMPLETED
_ANSWERED: Final = Result.ANSWERED
_ELSEWHERE: Final = StopReason.ANSWERED_ELSEWHERE

_NO_SKILLS: Final[Mapping[str, int]] = {}

CONNECT_WITHIN = 10.0
"""Seconds for the PBX to bring caller and agent together once the agent accepted.

Its driver tells sooner if it can: this is for a word that is late on a slow link, when they may well talk.
"""

PASSED_ON = 1000
"""Transferred calls that are kept in mind, should they come back."""

SOON = 1.0
"""An agent who hangs up within this many seconds may never have talked: the caller goes back in line.

Measured with app_queue, which ends such a caller's call instead (see docs/architecture.md).
"""


# ---------------------------------------------------------------- entering and waiting


def arrived(floor: Floor, event: CallArrived, *, found: bool = False) -> None:
    """A caller entered a queue; `found` in a snapshot, it is taken in whatever the limits say."""
    if event.call in floor.calls:
        floor.note(f"call {event.call} arrived again and is known already")
        return
    event = entrances.under_new_names(floor, event)
    as_written = event.caller_number
    event = rules.in_one_form(event, floor.table.numbering)
    rule = None
    if floor.table.rules:
        event, rule = rules.apply(
            floor.table, event, floor.now, partial(_waiting_in, floor), found=found
        )
    if not found:
        event = entrances.checked(floor, event)
    queue = floor.queues.get(event.queue)
    if queue is None or (queue.gone and not found):
        entrances.no_queue(floor, event)
        floor.order(Leave(pbx=event.pbx, call=event.call, result=Result.CLOSED))
        return
    entered_at = floor.now if event.entered_at is None else min(event.entered_at, floor.now)
    queued_at = event.queued_at
    if queued_at is None:
        queued_at = entered_at if found else floor.now
    call = Call(
        event.call,
        event.pbx,
        queue,
        floor.next_serial(),
        entered_at,
        min(max(queued_at, entered_at), floor.now),
        event.priority,
        event.caller_number,
        event.caller_name,
        event.called_number,
        event.tag,
        event.agent,
        _skills(event, rule),
    )
    call.shown_number = as_written if call.caller_number else ""
    floor.calls[call.id] = call
    floor.departed.pop(call.id, None)
    if rule is not None:
        floor.record(Happened.RULE, call=call, detail=(rule.name,))
    enter(floor, call, queue, found=found, since=call.queued_at)
    giver = floor.passed_on.pop(call.id, None)
    if giver is not None:  # whoever sent the caller back to a queue is the last choice there
        call.tried[giver] = None
        call.failed_at = floor.now


def _waiting_in(floor: Floor, queue: str) -> int:
    known = floor.queues.get(queue)
    return len(known.waiting) if known is not None else 0


def _skills(event: CallArrived, rule: Rule | None) -> Mapping[str, int]:
    """What is asked for besides what the queue does; where the dialplan and a rule differ, the rule counts."""
    if rule is None or not rule.skills:
        return event.skills or _NO_SKILLS
    return {**event.skills, **rule.skills}


def enter(
    floor: Floor, call: Call, queue: Queue, *, found: bool = False, since: float | None = None
) -> None:
    """Put a call in line, or send it where the rules say when the queue can't take it."""
    join(floor, call, queue, since=since)
    if not found and closed(floor, queue):
        _not_let_in(floor, call, Result.CLOSED)
        go(floor, call, queue.spec.on_closed, Result.CLOSED)
        return
    if not found and full(queue):
        _not_let_in(floor, call, Result.FULL)
        go(floor, call, queue.spec.on_full, Result.FULL)
        return
    in_line(floor, call)
    call.origin_position = position(call)
    detail = (call.origin_position, call.caller_number, call.caller_name)
    waited = (floor.now - call.queued_at,) if found else ()
    floor.record(_ENTERED, call=call, detail=(*detail, *waited))


def _not_let_in(floor: Floor, call: Call, why: Result) -> None:
    """The call came, and its queue is closed or full: it never stands in line."""
    detail = (0, call.caller_number, call.caller_name, 0.0, why.value)
    floor.record(_ENTERED, call=call, detail=detail)


def join(floor: Floor, call: Call, queue: Queue, *, since: float | None = None) -> None:
    """A stay in a queue begins, now or at `since`: its clocks start, and all its agents are untried.

    An agent whom the caller asked for was asked for in the queue before, and is nobody special here.
    """
    if call.been:
        call.first_agent = ""
    call.queue = queue
    call.been += (queue.id,)
    call.queued_at = floor.now if since is None else since
    call.told_place = 0
    call.expired = False
    call.tried.clear()


def closed(floor: Floor, queue: Queue) -> bool:
    """Whether a queue takes no callers at this hour. Those who wait already are served."""
    hours = queue.spec.hours
    return hours is not None and not hours.on(floor.now)


def full(queue: Queue) -> bool:
    """Whether a queue takes no more callers. Where its rules let them wait, it takes them."""
    limit = queue.spec.max_waiting
    return (
        limit is not None
        and len(queue.waiting) >= limit
        and not isinstance(queue.spec.on_full, KeepWaiting)
    )


def patience(queue: Queue) -> float | None:
    """Seconds after which a caller leaves a queue; None: never."""
    return None if isinstance(queue.spec.on_max_wait, KeepWaiting) else queue.spec.max_wait


def in_line(floor: Floor, call: Call) -> None:
    """The call waits, at the place its priority and first entry give it."""
    call.state = _WAITING
    call.queue.waiting.add(call)
    limit_wait(floor, call)
    waiting.open_up(floor, call)
    waiting.prefer(floor, call)
    announcing.arm(floor, call)
    floor.hungry[call.id] = call


def limit_wait(floor: Floor, call: Call) -> None:
    """Arm the end of the wait, as the rules now are; it is measured from the entry into this queue.

    Where that is past already (a connect that failed late) it strikes right after this step: an agent
    who is idle now is still rung, and no other is waited for.
    """
    limit = patience(call.queue)
    if limit is None:
        floor.timers.wait.cancel(call.id)
        call.expired = False
    elif not call.expired or call.queued_at + limit > floor.now:
        floor.timers.wait.set(call.id, call.queued_at + limit)
        call.expired = False


def out_of_line(floor: Floor, call: Call) -> None:
    """The call no longer waits."""
    call.queue.waiting.discard(call)
    leave_lane(call)
    floor.hungry.pop(call.id, None)
    announcing.line_left(call.queue)
    timers = floor.timers
    timers.wait.cancel(call.id)
    timers.retry.cancel(call.id)
    timers.widen.cancel(call.id)
    timers.prefer.cancel(call.id)
    timers.announce.cancel(call.id)


def leave_lane(call: Call) -> None:
    """The call wants no more agents rung for now."""
    for lane in call.lanes:
        lane.line.remove(call)
    call.lanes = ()


def stand_anew(call: Call) -> None:
    """The call stands where it stood, and other agents than before are not to be rung for it."""
    for lane in call.lanes:
        lane.line.remove(call)
        lane.line.add(call)


def position(call: Call) -> int:
    """The place in the queue, from 1; 0 when not waiting."""
    return call.queue.waiting.position(call)


def waited_enough(floor: Floor, call: Call) -> None:
    """`max_wait` has struck: what rings may finish ringing, and nothing new is rung."""
    call.expired = True
    leave_lane(call)
    floor.timers.retry.cancel(call.id)
    floor.hungry[call.id] = call


# ---------------------------------------------------------------- leaving


def go(floor: Floor, call: Call, target: Target | None, result: Result, *, by: str = "") -> None:
    """The call leaves its queue, for another one or for good; `by`: who ordered it, if a person did."""
    place = position(call)
    stop_offers(floor, call, StopReason.WITHDRAWN, "withdrawn")
    out_of_line(floor, call)
    following = _overflow(floor, call, target) if isinstance(target, ToQueue) else None
    if following is None and isinstance(target, ToQueue | KeepWaiting):
        target = None
    floor.record(
        Happened.LEFT,
        call=call,
        detail=(
            result.value,
            describe(target),
            place,
            call.origin_position,
            floor.now - call.queued_at,
            *said_by(by),
        ),
    )
    if following is not None:
        enter(floor, call, following)
        return
    floor.order(Leave(pbx=call.pbx, call=call.id, result=result, target=target))
    forget(floor, call)


def _overflow(floor: Floor, call: Call, target: ToQueue) -> Queue | None:
    """The queue that a call is to go to; None if it is gone, or if the call has been there."""
    queue = floor.queues.get(target.queue)
    if queue is None or queue.gone or queue.id in call.been:
        floor.note(f"call {call.id} can't overflow to '{target.queue}': it is gone or was there")
        return None
    return queue


def said_by(who: str) -> tuple[str, ...]:
    """The end of a record's detail: who asked for it, where a person did."""
    return (who,) if who else ()


def describe(target: Target | None) -> str:
    """A target as it is written in the configuration."""
    match target:
        case ToQueue(queue):
            return f"queue:{queue}"
        case ToDialplan(context, extension, priority):
            return f"dialplan:{context},{extension},{priority}"
        case HangUp():
            return "hangup"
        case KeepWaiting():
            return "wait"
        case None:
            return ""


def caller_left(floor: Floor, call: Call, how: CallerEnd) -> None:
    """The caller hung up, or was taken out of our hands, before talking to anyone."""
    place = position(call)
    stop_offers(floor, call, StopReason.CALLER_GONE, "caller gone")
    if call.winner is not None:
        legs.close(floor, call.winner, StopReason.CALLER_GONE, "caller gone")
    kind = Happened.TAKEN if how is CallerEnd.TAKEN else Happened.ABANDONED
    floor.record(
        kind,
        call=call,
        detail=(place, call.origin_position, floor.now - call.queued_at, how.value),
    )
    forget(floor, call)


def stop_offers(floor: Floor, call: Call, why: StopReason, outcome: str) -> None:
    """Stop every phone that rings for this call."""
    for offer in list(call.offers.values()):
        legs.close(floor, offer, why, outcome)


def forget(floor: Floor, call: Call) -> None:
    """The call is over for us. Offers that go on (an agent still off-hook) keep their own record."""
    if call.state is _WAITING:
        out_of_line(floor, call)
    elif call.state is _CONNECTING:
        floor.timers.connect.cancel(call.id)
    call.state = _ENDED
    call.winner = None  # they would hold each other, and be left to the garbage collector
    floor.calls.pop(call.id, None)


# ---------------------------------------------------------------- connecting and talking


def connect(floor: Floor, offer: Offer) -> None:
    """The agent accepted: bring the two together and stop everyone else's phones."""
    call, leg = offer.call, offer.winner
    assert leg is not None  # noqa: S101 - the caller has just set it
    announcing.taken(floor, call.queue)
    out_of_line(floor, call)
    call.state = _CONNECTING
    call.winner = offer
    call.offers.pop(offer.agent.id, None)
    floor.order(Connect(pbx=call.pbx, call=call.id, offer=offer.id, device=leg.device.id))
    floor.timers.connect.set(call.id, floor.present + CONNECT_WITHIN)
    for other in offer.legs.values():
        if other is not leg:
            legs.stop(floor, offer, other, _ELSEWHERE)
    stop_offers(floor, call, _ELSEWHERE, "lost")


def connected(floor: Floor, call: Call, offer: Offer) -> None:
    """Caller and agent hear each other."""
    floor.timers.connect.cancel(call.id)
    call.state = _TALKING
    call.connected_at = floor.now
    offer.state = OfferState.TALKING
    offer.talked_since = floor.now
    _count_answered(offer, 1)
    if offer.agent.open:  # with a hand free still, and another place in the policies' order now
        agents.touch(floor, offer.agent)
    floor.record(
        _CONNECTED,
        call=call,
        agent=offer.agent.id,
        offer=offer.id,
        detail=(floor.now - call.queued_at, floor.now - offer.placed_at),
    )


def back_in_line(
    floor: Floor, call: Call, why: str, *, blame: bool = True, hold: bool = True
) -> None:
    """The connect came to nothing: the caller waits again, at the old place.

    The stay in the queue goes on. Its clock stood still for as long as they talked.

    Args:
        floor: all there is.
        call: connecting or talking.
        why: for people.
        blame: the agent who had the call comes after all others now.
        hold: send the caller to the waiting room; not if that is where they are.
    """
    legs.drop_consultation(floor, call, StopReason.WITHDRAWN)
    offer, call.winner = call.winner, None
    if call.connected_at is not None:
        call.queued_at += floor.now - call.connected_at
    call.connected_at, call.held = None, False
    floor.timers.connect.cancel(call.id)
    if offer is not None:
        if offer.talked_since is not None and not offer.adopted:
            _count_answered(offer, -1)
        if blame:
            call.tried[offer.agent.id] = None
            call.failed_at = floor.now
        legs.close(floor, offer, StopReason.WITHDRAWN, why)
    call.queue = floor.queues.get(call.queue.id, call.queue)
    if hold:
        floor.order(Hold(pbx=call.pbx, call=call.id))
    in_line(floor, call)
    floor.record(Happened.REQUEUED, call=call, detail=(why,))


def _count_answered(offer: Offer, one: int) -> None:
    offer.agent.calls += one
    offer.member.calls += one
    offer.call.queue.answered += one


def completed(floor: Floor, call: Call, by: str) -> None:
    """They have talked, and `by` (``agent`` or ``caller``) hung up first."""
    offer = call.winner
    legs.drop_consultation(floor, call, StopReason.CALLER_GONE)
    since = call.connected_at if call.connected_at is not None else floor.now
    floor.record(
        _COMPLETED,
        call=call,
        agent=offer.agent.id if offer else "",
        offer=offer.id if offer else "",
        detail=(by, since - call.queued_at, floor.now - since, call.origin_position),
    )
    if by == "agent":
        floor.order(Leave(pbx=call.pbx, call=call.id, result=_ANSWERED))
    forget(floor, call)


def end_conversation(floor: Floor, call: Call, by: str) -> None:
    """A supervisor ends a conversation: both parties are hung up, and the agent's wrap-up begins."""
    offer = call.winner
    if offer is None or call.pbx not in floor.up:
        floor.note(f"call {call.id} can't be ended now")
        return
    legs.drop_consultation(floor, call, StopReason.WITHDRAWN)
    since = call.connected_at if call.connected_at is not None else floor.now
    times = (since - call.queued_at, floor.now - since, call.origin_position)
    floor.record(
        _COMPLETED,
        call=call,
        agent=offer.agent.id,
        offer=offer.id,
        detail=("supervisor", *times, by),
    )
    floor.order(Leave(pbx=call.pbx, call=call.id, result=_ANSWERED, target=HangUp()))
    legs.release(floor, offer)
    forget(floor, call)


def transferred(floor: Floor, call: Call, kind: TransferKind, to: str) -> None:
    """The agent passed the caller on; the agent's own leg ends on its own."""
    legs.drop_consultation(floor, call, StopReason.WITHDRAWN)
    record_transfer(floor, call, kind, to)
    forget(floor, call)


def record_transfer(floor: Floor, call: Call, kind: TransferKind, to: str, by: str = "") -> None:
    """An agent has given the caller away, and is the last choice should they come back.

    `by` is who asked for it, where that was not the agent's own phone.
    """
    offer = call.winner
    if offer is not None:
        floor.passed_on[call.id] = offer.agent.id
        if len(floor.passed_on) > PASSED_ON:
            floor.passed_on.popitem(last=False)
    since = call.connected_at if call.connected_at is not None else floor.now
    floor.record(
        Happened.TRANSFERRED,
        call=call,
        agent=offer.agent.id if offer else "",
        offer=offer.id if offer else "",
        detail=(
            kind.value,
            to,
            since - call.queued_at,
            floor.now - since,
            call.origin_position,
            *said_by(by),
        ),
    )


def replaced(floor: Floor, call: Call, number: str, name: str, giver: str) -> None:
    """Another caller has the call's place in line now; the agent who put them there is their last choice."""
    call.caller_number, call.caller_name = number, name
    floor.record(Happened.REPLACED, call=call, agent=giver, detail=(number, name))
    if giver and call.state is _WAITING and giver not in call.offers:
        call.tried[giver] = None
        call.failed_at = floor.now
        floor.hungry[call.id] = call


def talk_over(floor: Floor, offer: Offer) -> None:
    """The agent's own phone is on-hook after a talk: wrap-up begins."""
    agent = offer.agent
    if offer.talked_since is not None:
        agent.talk += floor.now - offer.talked_since
        offer.member.talk += floor.now - offer.talked_since
        calendar.worked(floor, agent, offer.talked_since)
        if agent.strikes and offer.winner and floor.now - offer.talked_since >= SOON:
            devices.proved(floor, offer.winner.device)
    offer.talked_since = None
    queue = offer.member.queue  # the call may have been passed on to another
    if not offer.consult:
        waiting.remember(floor, queue, offer.call.caller_number, agent.id)
    wishes.start_wrap_up(floor, agent, offer.call, queue, floor.now)
    legs.finish(floor, offer)


# ---------------------------------------------------------------- a supervisor takes a hand


def moved(floor: Floor, call: Call, event: CallMoved) -> str:
    """Move a waiting call; returns what is wrong with the request, or an empty string."""
    queue, agent, priority = event.queue, event.agent, event.priority
    if call.state is not _WAITING:
        return f"call {call.id} is not waiting"
    if queue and (queue not in floor.queues or floor.queues[queue].gone):
        return f"there is no queue '{queue}'"
    target = floor.queues[queue] if queue else call.queue
    if agent and agent not in target.members:
        return f"'{agent}' is not an agent of queue '{target.id}'"
    if agent or target is not call.queue:
        stop_offers(floor, call, StopReason.WITHDRAWN, "withdrawn")
    out_of_line(floor, call)
    if priority is not None:
        call.priority = priority
    if target is not call.queue:
        join(floor, call, target)
    if agent:
        call.first_agent = agent
        call.tried.pop(agent, None)
    in_line(floor, call)
    floor.record(
        Happened.MOVED, call=call, detail=(queue, agent, priority or 0, *said_by(event.by))
    )
    return ""
