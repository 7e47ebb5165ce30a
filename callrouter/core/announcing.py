"""What waiting callers are told: their place in line, and about how long it will take.

The estimate is the place in line times the time the line takes to move on by one: the mean of the last
`MOVES` intervals between two callers of the queue who were taken by agents, of those intervals in which
somebody stood in line all the time. So it goes by what the floor really does: agents who serve other queues
as well, wrap-up, and callers whom nobody picks up at once are all in it. An interval that is not over yet
counts as soon as it is longer than the mean, so that a line that has come to a stop is not praised.

A place that is told never grows: while callers with a better priority stand before a caller, nothing is said of
the place until it is again at most what was told before. "You are next" is said only to a caller whom an agent who
is there would take first; not while all are on a break, nor while a heavier queue's callers go first with all of
them.
"""

from __future__ import annotations

from callrouter.core.state import Call, CallState, Floor, Membership, Queue
from callrouter.model.commands import Announce

FIRST = 5.0
"""Seconds in line before the first announcement: whoever is taken sooner hears none."""

ENOUGH = 3
"""Intervals without which there is no estimate."""

MOST_MINUTES = 60
"""A longer estimate is not told: nobody would believe it."""


def arm(floor: Floor, call: Call) -> None:
    """Plan the next announcement to a call in line, as the rules now are."""
    spec = call.queue.spec.announce
    if spec is None:
        floor.timers.announce.cancel(call.id)
        return
    at = floor.timers.announce.at(call.id) or max(floor.now, call.queued_at) + FIRST
    if call.told_at is not None:
        at = max(call.told_at + spec.every, floor.now)
    floor.timers.announce.set(call.id, at)


def due(floor: Floor, call: Call) -> None:
    """It is time to tell a caller something."""
    call.told_at = floor.now
    arm(floor, call)
    tell(floor, call)


def tell(floor: Floor, call: Call) -> None:
    """Tell a waiting caller what is true now; nothing where there is nothing to say."""
    spec = call.queue.spec.announce
    if spec is None or call.state is not CallState.WAITING:
        return
    place = call.queue.waiting.position(call)
    position = _may_be_told(call, place) if spec.position else 0
    there = call.queue.there.get(call.pbx)
    minutes = estimate(floor, call.queue, place) if spec.estimate and there else 0
    if position:
        call.told_place = position
    if position or minutes:
        floor.order(Announce(pbx=call.pbx, call=call.id, position=position, minutes=minutes))


def _may_be_told(call: Call, place: int) -> int:
    """A place that the caller can be told of now; 0: it is better not to."""
    if call.told_place and place > call.told_place:
        return 0
    return place if place > 1 or _next(call) else 0


def _next(call: Call) -> bool:
    """Whether the first in line would be taken first by an agent who is there."""
    return any(
        call.pbx in member.agent.present_on and not _others_first(call, member)
        for member in call.queue.members.values()
    )


def _others_first(call: Call, member: Membership) -> bool:
    """Whether an agent takes a caller of another queue before this one."""
    for other in member.agent.memberships.values():
        first = other.queue.waiting.first() if other.queue is not call.queue else None
        if first is not None and first.rank < call.rank and first.pbx in member.agent.present_on:
            return True
    return False


def estimate(floor: Floor, queue: Queue, place: int) -> int:
    """Minutes that a place in line will take, 1 at least; 0: nobody can say. See the module."""
    moves = queue.moves
    if len(moves) < ENOUGH:
        return 0
    mean = sum(moves) / len(moves)
    if queue.moved_at is not None:
        present = floor.now - queue.moved_at
        if present > mean:
            mean = (sum(moves) + present) / (len(moves) + 1)
    minutes = max(1, int(place * mean / 60.0 + 0.5))
    return minutes if minutes <= MOST_MINUTES else 0


def taken(floor: Floor, queue: Queue) -> None:
    """An agent takes a caller out of line, who stands in it still: it moves on by one."""
    if queue.moved_at is not None:
        queue.moves.append(floor.now - queue.moved_at)
    queue.moved_at = floor.now


def line_left(queue: Queue) -> None:
    """Somebody has left the line; where nobody is left, no interval runs."""
    if not queue.waiting:
        queue.moved_at = None
