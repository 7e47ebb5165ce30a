"""What the clock alone changes: shifts, utilisation minute by minute, and the daily totals."""

from __future__ import annotations

from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Queue
from callrouter.model.hours import next_midnight
from callrouter.model.routing_table import MemberSpec

MINUTE = 60.0
WINDOW = 3600.0
"""Seconds over which utilisation is measured."""


def members_now(floor: Floor, queue: Queue) -> list[tuple[MemberSpec, int]]:
    """The members of a queue at this hour, each with its escalation step (0: from the start).

    The first shift that is on now counts; if none is on, the plain `members` do. An agent who is
    named more than once gets the lowest step.
    """
    spec = queue.spec
    shift = next((shift for shift in spec.shifts if shift.hours.on(floor.now)), None)
    found: dict[str, tuple[MemberSpec, int]] = {}
    for member in shift.members if shift is not None else spec.members:
        found.setdefault(member.agent, (member, 0))
    for escalation_step, step in enumerate(spec.widen, start=1):
        for member in step.members:
            found.setdefault(member.agent, (member, escalation_step))
    return list(found.values())


def arm_shift(floor: Floor, queue: Queue) -> None:
    """Set the timer for the beginning or end of the next shift.

    Cancels it instead if no shift will ever change, or if the queue was removed and does not drain.
    """
    changes = [
        change
        for shift in queue.spec.shifts
        if (change := shift.hours.next_change(floor.now)) is not None
    ]
    if changes and (not queue.gone or queue.id in floor.draining):
        floor.timers.shift.set(queue.id, min(changes))
    else:
        floor.timers.shift.cancel(queue.id)


def arm_day(floor: Floor) -> None:
    """Set the timer for the next midnight.

    Midnight is that of the time zone of the routing table.
    """
    floor.timers.day.set("", next_midnight(floor.now, floor.table.zone))


def new_day(floor: Floor) -> None:
    """Reset the daily totals, also those of members whose shift is over.

    Rows that change by this are marked for storing. The timer is set for the next midnight.
    """
    for agent in floor.agents.values():
        if agent.calls:
            floor.changed_rows[agent.id] = None
        agent.calls = 0
        agent.talk = 0.0
        floor.mark_changed(agent)
    for queue in floor.queues.values():
        queue.answered = 0
        for membership in queue.known.values():
            if membership.calls or membership.talk:
                floor.changed_rows[membership.agent.id] = None
            membership.calls = 0
            membership.talk = 0.0
    arm_day(floor)


def worked(floor: Floor, agent: Agent, since: float) -> None:
    """Record that the agent was on a call from `since` until now.

    `since` is in epoch seconds. Nothing is recorded unless some queue's policy needs it
    (`Floor.drifting`).
    """
    if floor.drifting:
        agent.busy.append((since, floor.now))
        if floor.timers.minute.at("") is None:
            arm_minute(floor)


def arm_minute(floor: Floor) -> None:
    """Set the timer for the next whole minute."""
    floor.timers.minute.set("", (floor.now // MINUTE + 1) * MINUTE)


def minute(floor: Floor) -> None:
    """Update utilisation. Stops once no agent has worked within the last hour.

    Only available agents are marked. The others get their share when they are next re-evaluated.
    """
    left = False
    for agent in floor.agents.values():
        if agent.busy:
            left = True
            if agent.open:
                floor.mark_changed(agent)
    if left and floor.drifting:
        arm_minute(floor)


def share(floor: Floor, agent: Agent) -> float:
    """Fraction of the last hour that the agent spent on calls. Only calls that have ended count.

    Forgets the intervals that ended before that hour.
    """
    start = floor.now - WINDOW
    while agent.busy and agent.busy[0][1] <= start:
        agent.busy.popleft()
    return sum(end - max(begin, start) for begin, end in agent.busy) / WINDOW
