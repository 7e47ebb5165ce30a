"""An agent over a restart: the row that is stored, and the way back from it.

Both directions stand here, so that a field that is written can be checked against the place that
reads it.
"""

from __future__ import annotations

from callrouter.core.agents import agent_availability, devices, presence, requested_state
from callrouter.core.agents.agent_availability import OFF_HOOK
from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.model.agent_row import AgentRow, QueueTotal, day_of
from callrouter.model.agent_status import PendingRequest
from callrouter.model.events import AgentRestored

# ---------------------------------------------------------------- to the store


def row_of(floor: Floor, agent: Agent, now: float) -> AgentRow:
    """The agent as they should be after a restart at `now` (epoch seconds).

    A request made during a call counts as done: after a restart no other part remembers it, and a
    promised pause or sign-out must be kept. The conversation itself is found on the PBX.
    """
    pause = agent.pause if agent.pause is not None else agent.pending_pause
    paused_at = None if pause is None else now if agent.paused_at is None else agent.paused_at
    pending = agent_availability.pending_request(agent)
    return AgentRow(
        agent=agent.id,
        signed_in=agent.signed_in and not agent.pending_sign_out,
        signed_in_at=agent.signed_in_at,
        pause_reason=pause,
        paused_at=paused_at,
        wrap_until=agent.wrap_until,
        wrap_queue=agent.wrap_queue if agent.wrap_until is not None else "",
        idle_since=_idle_since(agent),
        misses=agent.misses,
        calls=agent.calls,
        day=day_of(now, floor.table.zone),
        pending=pending or agent.promised,
        changed_by=agent.pending_by if pending else agent.changed_by,
        changed_at=now if pending else agent.changed_at,
        devices_off=dict(agent.devices_off),
        messages=tuple(agent.messages),
        failure_streaks=dict(agent.failure_streaks),
        shown=agent.status.state,
        since=agent.since,
        queue_totals={
            queue: QueueTotal(member.calls, member.talk)
            for queue, member in agent.memberships.items()
            if member.calls or member.talk
        },
    )


def _idle_since(agent: Agent) -> float:
    """Since when the agent is idle; for an agent on a call, the start of the conversation.

    The conversation may end while no router is running, and an agent who has just finished a call
    must not rank as the longest idle.
    """
    talks = [
        offer.talked_since
        for offer in agent.offers.values()
        if offer.state in OFF_HOOK and offer.talked_since is not None
    ]
    return max([agent.idle_since, *talks])


# ---------------------------------------------------------------- and back


def restore(floor: Floor, event: AgentRestored) -> None:
    """Restore an agent as they were before a restart. Deadlines keep their original times.

    The clock may have been ahead, so no restored time lies in the future. An agent who has acted
    in this run is left alone: the database was late, and the row is older than what they did.
    """
    row = event.row
    agent = floor.agent_named(row.agent)
    if agent is None or agent.gone:
        floor.report_oddity(f"'{row.agent}' was an agent before the restart and is none now")
        return
    if agent.acted:
        return
    floor.changed_rows[agent.id] = None  # an earlier copy, if the database was late, is now wrong
    was = presence.is_present(agent)
    agent.signed_in = row.signed_in or agent.signed_in
    agent.idle_since = min(floor.now, floor.now if row.idle_since is None else row.idle_since)
    agent.misses = row.misses
    if row.day == day_of(floor.now, floor.table.zone):
        _totals(floor, agent, row)
    agent.changed_by = row.changed_by
    agent.changed_at = None if row.changed_at is None else min(floor.now, row.changed_at)
    agent.devices_off = {
        device: (by, min(floor.now, at)) for device, (by, at) in row.devices_off.items()
    }
    agent.messages.extend((min(floor.now, at), text) for at, text in row.messages)
    devices.restore_failures(floor, agent, row.failure_streaks)
    _since(floor, agent, row)
    if row.pending is PendingRequest.SIGN_OUT and row.signed_in_at is not None:
        agent.signed_in_at = min(floor.now, row.signed_in_at)
    if agent.signed_in:
        if row.signed_in and row.signed_in_at is not None:
            agent.signed_in_at = min(floor.now, row.signed_in_at)
        elif agent.signed_in_at is None:
            agent.signed_in_at = agent.idle_since
        if agent.offers:  # their PBX was in step first, and showed them in a conversation
            agent.pending_pause, agent.pending_by = row.pause_reason, row.changed_by
        else:
            agent.pause = row.pause_reason
            since = floor.now if row.paused_at is None else min(floor.now, row.paused_at)
            agent.paused_at = None if agent.pause is None else since
        _wrap_up(floor, agent, row)
    presence.count_present(floor, agent, was)
    floor.mark_devices_changed(agent)
    agent.promised = row.pending
    if agent.offers:
        requested_state.make_pending_again(floor, agent)
    ends = requested_state.pause_ends(floor, agent)
    agent.overstayed = ends is not None and any(at >= ends for at, _ in agent.messages)
    requested_state.limit_pause(floor, agent)


def _totals(floor: Floor, agent: Agent, row: AgentRow) -> None:
    """Restore what the agent did today."""
    agent.calls = row.calls
    for queue, total in row.queue_totals.items():
        member = agent.memberships.get(floor.former_queues.get(queue, queue))
        if member is not None:
            member.calls, member.talk = total


def _since(floor: Floor, agent: Agent, row: AgentRow) -> None:
    """Restore the time of the last state change, if the agent is found in the same state."""
    if row.since is None or row.shown is None:
        return
    since = min(floor.now, row.since)
    if agent.status.state is row.shown:
        agent.since = min(agent.since, since)
    else:
        agent.before = row.shown, since


def _wrap_up(floor: Floor, agent: Agent, row: AgentRow) -> None:
    """Continue after-call work unless it is over by now.

    It never takes longer than the configuration allows: a clock that was set back must not keep an
    agent in wrap-up.
    """
    until = row.wrap_until
    if until is None:
        return
    queue = floor.former_queues.get(row.wrap_queue, row.wrap_queue)
    until = min(until, floor.now + requested_state.longest_wrap_up(floor, agent, queue))
    if until > floor.now:
        agent.wrap_until, agent.wrap_queue = until, queue
        floor.timers.wrap_up.set(agent.id, until)
    else:
        agent.idle_since = max(agent.idle_since, until)
