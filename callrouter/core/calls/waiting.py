"""Waiting in a queue: when a stay begins, what limits it, and what ends with it."""

from __future__ import annotations

from callrouter.core import lane_membership
from callrouter.core.calls import announcements, eligibility
from callrouter.core.floor import Floor
from callrouter.core.state import Call, Queue
from callrouter.model.routing_table import KeepWaiting


def begin_stay(floor: Floor, call: Call, queue: Queue, *, since: float | None = None) -> None:
    """Begin a stay in a queue: its clocks start and every agent is untried.

    Args:
      floor: the state of the core.
      call: a call that waits in no queue.
      queue: the queue.
      since: when the stay began, in epoch seconds; None: now.

    An agent the caller asked for was asked for in the first queue. In a later one the request is
    dropped.
    """
    if call.queues_entered:  # not its first queue
        call.first_agent = ""
    call.queue = queue
    call.queues_entered += (queue.id,)
    call.queued_at = floor.now if since is None else since
    call.announced_position = 0
    call.expired = False
    call.tried.clear()


def restore_tried(floor: Floor, call: Call) -> None:
    """The agents who refused or missed this waiting call before a restart are its last choice again.

    Nothing happens if none are known, or if that was in another queue. An agent who is being rung
    for the call, as found or in this run, has got it again since.
    """
    before = floor.before.tried.pop(call.id, None)
    if before is None:
        return
    if floor.former_queues.get(before.queue, before.queue) != call.queue.id:
        return
    agents = [floor.agent_named(name) for name in before.agents]
    known = {agent.id: None for agent in agents if agent and agent.id not in call.offers}
    call.tried = {**known, **call.tried}
    call.failed_at = max(call.failed_at, min(floor.now, before.failed_at))
    lane_membership.update_exclusions(call)
    floor.unmatched_calls[call.id] = call


def closed(floor: Floor, queue: Queue) -> bool:
    """Whether the queue takes no new callers at this hour. Callers who already wait are served.

    A queue without hours is never closed.
    """
    hours = queue.spec.hours
    return hours is not None and not hours.on(floor.now)


def full(queue: Queue) -> bool:
    """Whether the queue takes no more callers. If its rule for "full" is to wait, it is never full."""
    limit = queue.spec.max_waiting
    return (
        limit is not None
        and len(queue.waiting) >= limit
        and not isinstance(queue.spec.on_full, KeepWaiting)
    )


def patience(queue: Queue) -> float | None:
    """Seconds after which a caller leaves the queue; None: never."""
    return None if isinstance(queue.spec.on_max_wait, KeepWaiting) else queue.spec.max_wait


def start_waiting(floor: Floor, call: Call) -> None:
    """The call waits, at the position that its priority and first entry give it.

    Everything that waiting brings with it begins here: the maximum wait, escalation, the preferred
    agent, announcements, and the search for an agent at the end of this event. `stop_waiting`
    ends all of it.
    """
    call.queue.waiting.add(call)
    limit_wait(floor, call)
    eligibility.open_up(floor, call)
    eligibility.prefer(floor, call)
    announcements.arm(floor, call)
    floor.unmatched_calls[call.id] = call


def limit_wait(floor: Floor, call: Call) -> None:
    """Arm the maximum wait under the current settings, measured from the entry into this queue.

    The deadline may already be past, after a connect that failed late. It then expires right after
    this event: an agent who is idle now is still rung, but the caller waits for no other.
    """
    limit = patience(call.queue)
    if limit is None:
        floor.timers.wait.cancel(call.id)
        call.expired = False
    elif not call.expired or call.queued_at + limit > floor.now:
        floor.timers.wait.set(call.id, call.queued_at + limit)
        call.expired = False


def stop_waiting(floor: Floor, call: Call) -> None:
    """The call no longer waits: undo everything that `start_waiting` began.

    Harmless for a call that does not wait.
    """
    call.queue.waiting.discard(call)
    lane_membership.take_call_out(call)
    floor.unmatched_calls.pop(call.id, None)
    announcements.caller_stopped_waiting(call.queue)
    timers = floor.timers
    timers.wait.cancel(call.id)
    timers.retry.cancel(call.id)
    timers.widen.cancel(call.id)
    timers.prefer.cancel(call.id)
    timers.announce.cancel(call.id)


def position(call: Call) -> int:
    """Position in the queue, from 1; 0 if not waiting."""
    return call.queue.waiting.position(call)


def max_wait_expired(floor: Floor, call: Call) -> None:
    """`max_wait` expired: phones that ring may ring on, but no new offer is made.

    The caller leaves when the last of those phones has failed, or at the end of this event if none
    rings (`callrouter.core.matching`).
    """
    call.expired = True
    lane_membership.take_call_out(call)
    floor.timers.retry.cancel(call.id)
    floor.unmatched_calls[call.id] = call
