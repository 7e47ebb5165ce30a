"""What the clock alone changes: shifts, the minute that moves utilisation, the day that begins anew."""

from __future__ import annotations

from callrouter.core import agents
from callrouter.core.state import Agent, Floor, Queue
from callrouter.model.hours import next_midnight
from callrouter.model.table import MemberSpec

MINUTE = 60.0
WINDOW = 3600.0
"""Seconds that utilisation looks back."""

DRIFTING = frozenset({"average-utilization", "max-utilization"})
"""Policies whose order changes while nothing happens. See `Candidate.busy_share`."""


def members_now(floor: Floor, queue: Queue) -> list[tuple[MemberSpec, int]]:
    """The members of a queue at this hour, each with the step of widening that brings them in."""
    spec = queue.spec
    shift = next((shift for shift in spec.shifts if shift.hours.on(floor.now)), None)
    found: dict[str, tuple[MemberSpec, int]] = {}
    for member in shift.members if shift is not None else spec.members:
        found.setdefault(member.agent, (member, 0))
    for tier, step in enumerate(spec.widen, start=1):
        for member in step.members:
            found.setdefault(member.agent, (member, tier))
    return list(found.values())


def arm_shift(floor: Floor, queue: Queue) -> None:
    """Look again when the next shift begins or ends."""
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
    """Look again when the next day begins."""
    floor.timers.day.set("", next_midnight(floor.now, floor.table.zone))


def new_day(floor: Floor) -> None:
    """What counts by the day starts from nothing."""
    for agent in floor.agents.values():
        agent.calls = 0
        agent.talk = 0.0
        for membership in agent.memberships.values():
            membership.calls = 0
            membership.talk = 0.0
        agents.touch(floor, agent)
    for queue in floor.queues.values():
        queue.answered = 0
    arm_day(floor)


def worked(floor: Floor, agent: Agent, since: float) -> None:
    """An agent was on a call from `since` to now."""
    if floor.drifting:
        agent.busy.append((since, floor.now))
        if floor.timers.minute.at("") is None:
            arm_minute(floor)


def arm_minute(floor: Floor) -> None:
    """Look again when the clock shows the next whole minute."""
    floor.timers.minute.set("", (floor.now // MINUTE + 1) * MINUTE)


def minute(floor: Floor) -> None:
    """Bring utilisation up to date; nothing to do once nobody has worked within the hour."""
    left = False
    for agent in floor.agents.values():
        if agent.busy:
            left = True
            if agent.open:
                agents.touch(floor, agent)
    if left and floor.drifting:
        arm_minute(floor)


def share(floor: Floor, agent: Agent) -> float:
    """The part of the last hour that the agent was on calls, as far as they have ended."""
    start = floor.now - WINDOW
    while agent.busy and agent.busy[0][1] <= start:
        agent.busy.popleft()
    return sum(end - max(begin, start) for begin, end in agent.busy) / WINDOW
