"""Carries out what agents asked for: pauses and their limits, sign-out, wrap-up, and messages."""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.core import lane_membership
from callrouter.core.agents import agent_availability, agent_messages, presence
from callrouter.core.agents.devices import forget_devices, forget_refusals, remove_owner
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Call, Queue
from callrouter.model.agent_status import PendingRequest
from callrouter.model.call_notices import WrapUpStarted
from callrouter.model.notices import (
    AgentPaused,
    AgentResumed,
    AgentSignedOut,
    WrapUpEnded,
)
from callrouter.model.routing_table import PauseEnd, PauseSpec, SignIn
from callrouter.model.text import nearest_name, phrase

MISSED = "missed calls"
"""The reason of a pause that the router imposed."""

ROUTER = "callrouter"
"""The name under which the router's own actions are reported."""


# ---------------------------------------------------------------- who, and telling


def changed_by(floor: Floor, agent: Agent, by: str) -> None:
    """Record who changed the agent's requested state, and when.

    From here on the state is the agent's own again: what was restored after a restart (a promised
    request, the time of the earlier status) no longer applies.
    """
    agent.changed_by, agent.changed_at = by, floor.now
    agent.acted = True
    floor.changed_rows[agent.id] = None
    agent.promised = None
    agent.before = None


def by_another(agent: Agent, by: str) -> bool:
    """Whether another person did it, or an unknown phone, so that the agent must be told.

    Args:
      agent: the agent concerned.
      by: a person's id, ``phone <endpoint>``, or empty for the agent.
    """
    own = {
        f"phone {device.endpoint_on(pbx)}"
        for device in agent.spec.devices
        for pbx in device.pbxes
        if device.endpoint
    }
    return by not in {"", agent.id, ROUTER} | own


# ---------------------------------------------------------------- pauses


def reason_of(pauses: Mapping[str, PauseSpec], asked: str) -> str | None:
    """The pause reason that a request means; None if there is no such reason.

    If reasons are defined, an empty request means the default one, or no reason if there is no
    default.
    """
    if not pauses:
        return asked
    if not asked:
        return next((spec.reason for spec in pauses.values() if spec.default), "")
    return asked if asked in pauses else next((r for r in pauses if r == asked.lower()), None)


def unknown_reason(pauses: Mapping[str, PauseSpec], asked: str) -> str:
    """Why a pause reason is not valid, with a suggestion; empty if it is valid.

    If no reasons are defined, every reason is valid.
    """
    if reason_of(pauses, asked) is not None:
        return ""
    if near := nearest_name(asked, pauses):
        return phrase(
            "no-pause-reason-near",
            "there is no pause reason '{reason}'; did you mean '{near}'? the reasons are: {reasons}",
            reason=asked[:80],
            near=near,
            reasons=list(pauses),
        )
    text = "there is no pause reason '{reason}'; the reasons are: {reasons}"
    return phrase("no-pause-reason", text, reason=asked[:80], reasons=list(pauses))


def set_pause(floor: Floor, agent: Agent, reason: str, by: str) -> None:
    """The pause begins now.

    Args:
      floor: the state of the core.
      agent: an agent who is not on a call.
      reason: a valid reason, or an empty string.
      by: who asked for it.
    """
    was = presence.is_present(agent)
    agent.pause = reason
    agent.paused_at = floor.now
    agent.pending_pause = None
    agent.overstayed = False
    changed_by(floor, agent, by)
    limit_pause(floor, agent)
    presence.count_present(floor, agent, was)
    floor.mark_changed(agent)
    floor.publish(AgentPaused(at=floor.now, agent=agent.id, reason=reason, by=by))
    if by_another(agent, by):
        agent_messages.send_message(floor, agent, agent_messages.paused(by, reason))


def end_pause(floor: Floor, agent: Agent, by: str) -> None:
    """The pause ends. The agent's idle time starts over.

    Missed calls are counted from 0 again. For an agent who is paused; `by` says who asked for it.
    """
    was = presence.is_present(agent)
    reason, agent.pause = agent.pause or "", None
    agent.paused_at = None
    agent.misses = 0
    agent.idle_since = floor.now
    changed_by(floor, agent, by)
    limit_pause(floor, agent)
    presence.count_present(floor, agent, was)
    floor.mark_changed(agent)
    floor.publish(AgentResumed(at=floor.now, agent=agent.id, reason=reason, by=by))
    if by_another(agent, by):
        agent_messages.send_message(floor, agent, agent_messages.resumed(by))


def pause_ends(floor: Floor, agent: Agent) -> float | None:
    """When the pause reaches the limit for its reason; None if it has no limit.

    In epoch seconds, possibly past. None, too, if the agent is not paused.
    """
    spec = floor.table.pauses.get(agent.pause) if agent.pause is not None else None
    if spec is None or spec.longest is None or agent.paused_at is None:
        return None
    return agent.paused_at + spec.longest


def limit_pause(floor: Floor, agent: Agent) -> None:
    """Arm the limit of the pause under the current settings, measured from its beginning.

    Disarms it if there is no limit, or if the agent was told that it is reached.
    """
    ends = pause_ends(floor, agent)
    if ends is not None and ends > floor.now:
        agent.overstayed = False
    if ends is None or agent.overstayed:
        floor.timers.pause.cancel(agent.id)
    else:
        floor.timers.pause.set(agent.id, ends)


def pause_limit_reached(floor: Floor, agent: Agent) -> None:
    """The pause has reached the limit for its reason.

    `PauseSpec.then` says whether the agent is resumed, signed out or only told. An agent who is
    always signed in is told instead of signed out. During a call, the sign-out waits for its end.
    """
    spec = floor.table.pauses.get(agent.pause or "")
    if agent.pause is None or spec is None or spec.longest is None:
        return
    if spec.then is PauseEnd.RESUME:
        end_pause(floor, agent, ROUTER)
        agent_messages.send_message(floor, agent, agent_messages.pause_limit(spec, PauseEnd.RESUME))
    elif spec.then is PauseEnd.SIGN_OUT and agent.spec.sign_in is not SignIn.ALWAYS:
        agent_messages.send_message(
            floor, agent, agent_messages.pause_limit(spec, PauseEnd.SIGN_OUT)
        )
        if agent_availability.off_hook(agent):
            agent.overstayed = agent.pending_sign_out = True
            agent.pending_by = ROUTER
        else:
            set_signed_out(floor, agent, ROUTER)
    else:
        agent.overstayed = True
        agent_messages.send_message(floor, agent, agent_messages.pause_limit(spec, PauseEnd.TELL))
        floor.mark_changed(agent)


# ---------------------------------------------------------------- leaving


def set_signed_out(floor: Floor, agent: Agent, by: str) -> None:
    """The agent signs out now. A pause or wrap-up ends with it.

    Args:
      floor: the state of the core.
      agent: an agent who is not on a call.
      by: who asked for it.
    """
    was = presence.is_present(agent)
    end_wrap_up(floor, agent)
    since = agent.signed_in_at if agent.signed_in_at is not None else floor.now
    agent.signed_in = False
    agent.signed_in_at = None
    agent.pause = agent.pending_pause = agent.paused_at = None
    agent.pending_sign_out = False
    agent.misses = 0
    forget_refusals(floor, agent)
    changed_by(floor, agent, by)
    limit_pause(floor, agent)
    presence.count_present(floor, agent, was)
    floor.mark_changed(agent)
    signed_in_s = floor.now - since
    floor.publish(AgentSignedOut(at=floor.now, agent=agent.id, signed_in_s=signed_in_s, by=by))
    if by_another(agent, by) and not agent.gone:
        agent_messages.send_message(floor, agent, agent_messages.signed_out(by))


def make_pending_again(floor: Floor, agent: Agent) -> None:
    """The agent was found in the call during which they asked for a pause or sign-out.

    The request, which was carried out at the restart, is pending again.
    """
    promised, agent.promised = agent.promised, None
    was = presence.is_present(agent)
    if promised is PendingRequest.PAUSE and agent.pause is not None:
        agent.pending_pause, agent.pause = agent.pause, None
        agent.paused_at = None
        limit_pause(floor, agent)
    elif promised is PendingRequest.SIGN_OUT and not agent.signed_in:
        agent.pending_sign_out = agent.signed_in = True
    else:
        return
    agent.pending_by = agent.changed_by
    presence.count_present(floor, agent, was)
    floor.mark_changed(agent)


def settle_pending(floor: Floor, agent: Agent) -> None:
    """Carry out pending requests, now that the agent has no call.

    Does nothing while an offer is left. A sign-out comes before a pause. An agent who was removed from
    the table is signed out and forgotten.
    """
    if agent.offers:
        return
    if agent.pending_sign_out or agent.gone:
        agent.pending_sign_out = False
        agent.pending_pause = None
        if agent.signed_in:
            by = "taken out of the table" if agent.gone else agent.pending_by
            set_signed_out(floor, agent, by)
    elif agent.pending_pause is not None:
        reason, agent.pending_pause = agent.pending_pause, None
        if agent.signed_in:
            set_pause(floor, agent, reason, agent.pending_by)
    if agent.gone:
        retire(floor, agent)


def retire(floor: Floor, agent: Agent) -> None:
    """An agent who was removed from the table has finished: forget them.

    For an agent who has no offer left. Their row is marked, so that it is deleted from the store.
    """
    lane_membership.take_agent_out(agent)
    floor.agents.pop(agent.id, None)
    floor.changed_rows[agent.id] = None
    floor.changed_agents.pop(agent.id, None)
    floor.timers.wrap_up.cancel(agent.id)
    floor.timers.pause.cancel(agent.id)
    forget_devices(floor, agent)
    remove_owner(floor, agent)


# ---------------------------------------------------------------- after-call work


def start_wrap_up(floor: Floor, agent: Agent, call: Call, queue: Queue, ended_at: float) -> None:
    """Begin after-call work for `queue`, or the idle time if there is none.

    Args:
      floor: the state of the core.
      agent: the agent, whose own wrap-up comes before that of the queue.
      call: the call that ended.
      queue: the queue through which the call came.
      ended_at: when it ended, in epoch seconds. A wrap-up that lasts longer already is kept.
    """
    own = agent.spec.wrap_up
    seconds = queue.spec.wrap_up if own is None else own
    agent.idle_since = ended_at
    floor.changed_rows[agent.id] = None
    if seconds <= 0 or not agent.signed_in:
        return
    until = ended_at + seconds
    if agent.wrap_until is not None and agent.wrap_until >= until:
        return  # the wrap-up of another call lasts longer
    agent.wrap_until = until
    agent.wrap_queue = queue.id
    agent.acted = True
    floor.timers.wrap_up.set(agent.id, agent.wrap_until)
    floor.publish(
        WrapUpStarted(at=floor.now, call=call.id, queue=queue.id, agent=agent.id, wrap_up_s=seconds)
    )


def longest_wrap_up(floor: Floor, agent: Agent, queue: str) -> float:
    """Seconds of after-call work configured for an agent after a call of `queue`.

    If the queue is no longer known, this is the longest of any queue.
    """
    if agent.spec.wrap_up is not None:
        return agent.spec.wrap_up
    known = floor.queues.get(queue)
    if known is not None:
        return known.spec.wrap_up
    return max((queue.spec.wrap_up for queue in floor.queues.values()), default=0.0)


def end_wrap_up(floor: Floor, agent: Agent) -> None:
    """End after-call work. The idle time starts.

    Does nothing if there is none. The idle time never counts from later than the planned end.
    """
    if agent.wrap_until is None:
        return
    agent.idle_since = min(floor.now, agent.wrap_until)
    agent.wrap_until = None
    floor.changed_rows[agent.id] = None
    floor.timers.wrap_up.cancel(agent.id)
    floor.publish(WrapUpEnded(at=floor.now, agent=agent.id, queue=agent.wrap_queue))
    floor.mark_changed(agent)
