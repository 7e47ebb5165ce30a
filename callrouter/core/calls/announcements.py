"""What waiting callers are told: their position in the queue and the estimated wait.

The estimate is the position times the mean time the queue takes to advance by one. The mean covers
the last `ADVANCES` intervals between two callers taken by agents, counting only intervals during which
the queue was never empty. The estimate therefore follows what the floor really does: agents who
serve other queues as well, wrap-up time, and callers who are not picked up at once are all in it.
The running interval counts as soon as it is longer than the mean, so that a queue that has come to
a stop does not promise a short wait.

A caller never hears their position grow. If callers with a better priority come in ahead, no
position is announced until it is again at most the one announced before. "You are next" is
announced only if some present agent would take this caller first. It is not announced while all
agents are paused, or while callers of a heavier queue come first for every one of them.
"""

from __future__ import annotations

from callrouter.core.floor import Floor
from callrouter.core.state import Call, CallState, Membership, Queue
from callrouter.model.commands import Announce

FIRST = 5.0
"""Seconds in the queue before the first announcement. A caller taken sooner hears none."""

ENOUGH = 3
"""The fewest intervals needed for an estimate."""

MOST_MINUTES = 60
"""A longer estimate is not announced: callers would not believe it."""


def arm(floor: Floor, call: Call) -> None:
    """Schedule the next announcement for a waiting call under the current settings.

    The first comes `FIRST` seconds from now, unless one is scheduled already; each later one comes
    `every` seconds after the last. None is scheduled if the queue announces nothing.
    """
    spec = call.queue.spec.announce
    if spec is None:
        floor.timers.announce.cancel(call.id)
        return
    at = floor.timers.announce.at(call.id) or max(floor.now, call.queued_at) + FIRST
    if call.announced_at is not None:
        at = max(call.announced_at + spec.every, floor.now)
    floor.timers.announce.set(call.id, at)


def due(floor: Floor, call: Call) -> None:
    """An announcement is due for this caller.

    Called when the timer expires. The next one is scheduled even if there is nothing to say now.
    """
    call.announced_at = floor.now
    arm(floor, call)
    announce(floor, call)


def announce(floor: Floor, call: Call) -> None:
    """Announce the current position and estimate; nothing if there is nothing to say.

    Apart from the timer, a caller who begins to listen (`CallerListens`) leads here. A call that
    does not wait is passed over.
    """
    spec = call.queue.spec.announce
    if spec is None or call.state is not CallState.WAITING:
        return
    position = call.queue.waiting.position(call)
    announced = _position_to_announce(call, position) if spec.position else 0
    there = call.queue.members_present_on.get(call.pbx)
    minutes = estimate(floor, call.queue, position) if spec.estimate and there else 0
    if announced:
        call.announced_position = announced
    if announced or minutes:
        floor.order(Announce(pbx=call.pbx, call=call.id, position=announced, minutes=minutes))


def _position_to_announce(call: Call, position: int) -> int:
    """The position that may be announced now; 0 if none should be."""
    if call.announced_position and position > call.announced_position:
        return 0
    return position if position > 1 or _next(call) else 0


def _next(call: Call) -> bool:
    """Whether a present agent would take the first caller in this queue before all others."""
    return any(
        call.pbx in member.agent.present_on and not _others_first(call, member)
        for member in call.queue.members.values()
    )


def _others_first(call: Call, member: Membership) -> bool:
    """Whether the agent would take a caller of another queue before this one."""
    for other in member.agent.memberships.values():
        first = other.queue.waiting.first() if other.queue is not call.queue else None
        if first is not None and first.rank < call.rank and first.pbx in member.agent.present_on:
            return True
    return False


def estimate(floor: Floor, queue: Queue, position: int) -> int:
    """Estimated wait in minutes, at least 1; 0 if unknown or too long. See the module docstring.

    `position` counts from 1.
    """
    advances = queue.advances
    if len(advances) < ENOUGH:
        return 0
    mean = sum(advances) / len(advances)
    if queue.advanced_at is not None:
        present = floor.now - queue.advanced_at
        if present > mean:
            mean = (sum(advances) + present) / (len(advances) + 1)
    minutes = max(1, int(position * mean / 60.0 + 0.5))
    return minutes if minutes <= MOST_MINUTES else 0


def count_advance(floor: Floor, queue: Queue) -> None:
    """An agent takes a caller who is still in the queue: the queue advances by one.

    The first caller taken after the queue was empty only starts an interval.
    """
    if queue.advanced_at is not None:
        queue.advances.append(floor.now - queue.advanced_at)
    queue.advanced_at = floor.now


def caller_stopped_waiting(queue: Queue) -> None:
    """A caller left the queue. No interval runs while the queue is empty.

    Called once they have been taken out of the line, whatever the reason.
    """
    if not queue.waiting:
        queue.advanced_at = None
