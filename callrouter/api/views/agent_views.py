"""Agents, their phones and their pauses as JSON types.

Every duration is measured up to `now`, the time of the request: the floor's own clock stands still
between two events.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, cast

from callrouter.api.json_values import moment, phrase_json, phrases_json, seconds
from callrouter.api.schemas.agent_answers import AgentJson, DeviceJson, OwnDeviceJson, PauseJson
from callrouter.api.schemas.vocabulary import AgentStateName
from callrouter.core.agents import (
    agent_availability,
    requested_state,
    shared_phones,
    unavailability_text,
)
from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.mobiles.mobile_records import MobileRow
from callrouter.model.agent_status import AgentState, AgentStatus, PendingRequest
from callrouter.model.events import DeviceState
from callrouter.model.routing_table import DeviceSpec, PauseSpec
from callrouter.model.text import Phrase, joined, mask
from callrouter.settings.schema.written_values import hours

_NEAREST: Final = (
    DeviceState.IDLE,
    DeviceState.IN_USE,
    DeviceState.BUSY,
    DeviceState.UNREACHABLE,
)
"""If several PBXes report different states of a phone, the first of these wins."""


def agent_json(floor: Floor, agent: Agent, now: float) -> AgentJson:
    """Return an agent as in ``GET /api/agents/{id}``.

    Args:
        floor: the floor.
        agent: the agent.
        now: the time of the request.
    """
    status = agent_availability.status_of(floor, agent)
    calls = [offer.call.id for offer in agent.offers.values()]
    pending = _pending_name(agent_availability.pending_request(agent))
    until, then = _until(floor, agent)
    reason = _reason(floor, agent, status, now)
    view: AgentJson = {
        "id": agent.id,
        "name": agent.spec.name,
        "state": state_name(status.state),
        "reason": reason,
        "since": moment(agent.since),
        "by": agent.changed_by or None,
        "by_at": moment(agent.changed_at),
        "until": moment(until),
        "then": then,
        "signed_in": agent.signed_in,
        "signed_in_at": moment(agent.signed_in_at if agent.signed_in else None),
        "pending": pending,
        "pending_by": (agent.pending_by or None) if pending else None,
        "pause_reason": agent.pause,
        "wrap_up_s": None if agent.wrap_until is None else seconds(agent.wrap_until - now),
        "idle_s": seconds(now - agent.idle_since) if status is AgentStatus.AVAILABLE else None,
        "call": calls[0] if calls else None,
        "calls": calls,
        "calls_today": agent.calls,
        "missed_in_a_row": agent.misses,
        "capacity": agent.spec.capacity,
        "queues": [
            {"id": member.queue.id, "priority": member.level}
            for member in agent.memberships.values()
        ],
        "devices": [device_json(floor, device, now) for device in agent.spec.devices],
        "why_not": (lines := unavailability_text.why_not(floor, agent, now)),
        "why_not_phrases": phrases_json(lines),
        "messages": [{"at": moment(at), "text": text} for at, text in agent.messages],
        "messages_phrases": phrases_json(text for _, text in agent.messages),
    }
    if isinstance(reason, Phrase):
        view["reason_phrase"] = phrase_json(reason)
    return view


def state_name(state: AgentState) -> AgentStateName:
    """Return the API's name of a state."""
    return state.value


Then: TypeAlias = Literal["tell", "resume", "sign-out", "ready"]


def _until(floor: Floor, agent: Agent) -> tuple[float | None, Then | None]:
    """Return when the pause or wrap-up ends by itself, and what follows.

    Both are None if nothing ends by itself. For a wrap-up, ``ready`` follows.
    """
    if agent.pause is None:
        return agent.wrap_until, "ready" if agent.wrap_until else None
    ends = requested_state.pause_ends(floor, agent)
    return ends, floor.table.pauses[agent.pause].then.value if ends is not None else None


def _pending_name(request: PendingRequest | None) -> Literal["pause", "sign-out"] | None:
    """Return what was requested and takes effect after the call."""
    return None if request is None else request.value


def _reason(floor: Floor, agent: Agent, status: AgentStatus, now: float) -> str | None:
    """Return the reason, for statuses that need one.

    None for other statuses, and for a pause without a reason.
    """
    if status is AgentStatus.PAUSED:
        return agent.pause or None
    if status is AgentStatus.NO_PHONE:
        return joined(unavailability_text.device_lines(floor, agent, now))
    if status is AgentStatus.PRIVATE_CALL:
        device = agent_availability.private_call(floor, agent)
        return None if device is None else unavailability_text.private_call_text(floor, device, now)
    return None


def pause_json(spec: PauseSpec) -> PauseJson:
    """Return a configured pause reason.

    Without a longest time, `then` is null: nothing follows.
    """
    return {
        "reason": spec.reason,
        "longest_s": spec.longest,
        "then": spec.then.value if spec.longest is not None else None,
        "default": spec.default,
    }


# ---------------------------------------------------------------- phones


def device_json(floor: Floor, device: DeviceSpec, now: float) -> DeviceJson:
    """Return a phone of an agent. The number is private to its owner and is masked.

    Args:
        floor: the floor.
        device: the phone in the routing table.
        now: the time of the request.
    """
    best = min(
        (agent_availability.device_state(floor, device, pbx) for pbx in device.pbxes),
        key=_NEAREST.index,
        default=DeviceState.UNREACHABLE,
    )
    agent = floor.agents.get(device.agent)
    if device.addresses and agent and shared_phones.in_private_call(floor, agent, device):
        best = DeviceState.IN_USE
    troubles = [unavailability_text.trouble_text(floor, device, pbx, now) for pbx in device.pbxes]
    view: DeviceJson = {
        "id": device.id,
        "kind": "number" if device.number else "endpoint",
        "address": mask(device.number) if device.number else device.endpoint,
        "addresses": dict(device.addresses),
        "state": best.value,
        "enabled": device.enabled and not agent_availability.switched_off(floor, device),
        "confirm": device.confirm,
        "trouble": troubles[0] if troubles and all(troubles) else None,
    }
    if view["trouble"] is not None:
        view["trouble_phrase"] = phrase_json(view["trouble"])
    return view


def configured_device_json(
    floor: Floor, agent: Agent, spec: DeviceSpec, row: MobileRow | None, now: float
) -> OwnDeviceJson:
    """Return a phone that is in use, for its owner and supervisors: the number is not masked.

    Args:
        floor: the floor.
        agent: the owner.
        spec: the phone in the routing table.
        row: its registration; None: it is in the configuration files.
        now: the time of the request.
    """
    written = hours(spec.hours.spans) if spec.hours is not None else None
    return {
        **device_json(floor, spec, now),
        "address": spec.address,
        "source": "configuration" if row is None else "registered",
        "status": "in-use",
        "enabled": spec.enabled and spec.id not in agent.devices_off,
        "ring_after_s": spec.ring_after,
        "hours": row.hours if row is not None and row.hours else written,
        "order": None if row is None else row.place,
        "added_at": None if row is None else moment(row.added_at),
        "added_by": None if row is None else row.added_by,
        "verified_at": None if row is None else moment(row.verified_at),
        "approved_by": None if row is None else row.approved_by or None,
    }


def unused_mobile_json(row: MobileRow, trouble: str) -> OwnDeviceJson:
    """Return a registered mobile that is not rung.

    Args:
        row: the registration.
        trouble: why it is not rung, in words.
    """
    return {
        "id": row.device,
        "kind": "number",
        "address": row.number,
        "addresses": {},
        "state": "idle",
        "enabled": True,
        "confirm": True,
        "trouble": trouble,
        "source": "registered",
        "status": cast("Literal['unverified', 'waiting', 'in-use']", row.state),
        "ring_after_s": row.ring_after,
        "hours": row.hours or None,
        "order": row.place,
        "added_at": moment(row.added_at),
        "added_by": row.added_by,
        "verified_at": moment(row.verified_at),
        "approved_by": row.approved_by or None,
    }
