"""Requests by agents, or by supervisors for them: sign in and out, pause, resume, ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from callrouter.core.agents import agent_availability, agent_messages, presence
from callrouter.core.agents.requested_state import (
    by_another,
    changed_by,
    end_pause,
    end_wrap_up,
    reason_of,
    set_pause,
    set_signed_out,
    unknown_reason,
)
from callrouter.core.floor import Floor
from callrouter.core.offers.offer_failures import withdraw_all
from callrouter.core.state import Agent
from callrouter.model.agent_status import AgentStatus
from callrouter.model.call_requests import no_agent
from callrouter.model.commands import Disregard
from callrouter.model.events import (
    AgentRequest,
    DeviceState,
    DeviceSwitchRequested,
    MessageWritten,
    PauseRequested,
    PhoneFreed,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.notices import AgentDeviceSwitched, AgentSignedIn, PrivateCallDisregarded
from callrouter.model.routing_table import SignIn
from callrouter.model.text import phrase


def refusal(floor: Floor, event: AgentRequest) -> str:
    """Why a request can't be granted, in words for the person who asked; empty if it can.

    A request that would change nothing is not refused.
    """
    agent = floor.agents.get(event.agent)
    if agent is None or agent.gone:
        return no_agent(event.agent)
    match event:
        case SignedOut() if agent.spec.sign_in is SignIn.ALWAYS:
            return phrase(
                "always-signed-in",
                "{agent} is always signed in (sign_in: always); pause instead",
                agent=agent.id,
            )
        case PauseRequested() | Resumed() | ReadyPressed() if not agent.signed_in:
            return phrase("not-signed-in", "{agent} is not signed in", agent=agent.id)
        case PauseRequested():
            return unknown_reason(floor.table.pauses, event.reason)
        case DeviceSwitchRequested():
            return _no_switch(agent, event)
        case PhoneFreed() if agent_availability.private_call(floor, agent) is None:
            return phrase(
                "no-private-call",
                "no phone of {agent} is in a call that is not callrouter's",
                agent=agent.id,
            )
        case _:
            return ""


def _no_switch(agent: Agent, event: DeviceSwitchRequested) -> str:
    device = agent_availability.device_of(agent, event.device)
    if device is None:
        known = ", ".join(spec.id for spec in agent.spec.devices) or "none"
        return phrase(
            "no-such-device",
            "{agent} has no device '{device}'; there are: {known}",
            agent=agent.id,
            device=event.device,
            known=known,
        )
    if event.on and not device.enabled:
        return phrase(
            "device-off-in-files",
            "{device} of {agent} is switched off in the configuration (enabled: false)",
            device=event.device,
            agent=agent.id,
        )
    return ""


def handle_request(floor: Floor, event: AgentRequest) -> None:
    """Handle a request by an agent, or by a supervisor for them.

    A request that can't be granted is reported as an oddity and changes nothing. What a granted one
    does depends on the agent's status; see `REQUESTS`.
    """
    reason = refusal(floor, event)
    if reason:
        floor.report_oddity(f"{type(event).__name__} refused: {reason}")
        return
    agent = floor.agents[event.agent]
    agent.acted = True
    floor.changed_rows[agent.id] = None
    REQUESTS[type(event)][agent_availability.status_of(floor, agent)](floor, agent, event)


def deliver_message(floor: Floor, event: MessageWritten) -> None:
    """Send an agent the line that a person wrote. It changes nothing about what they do."""
    agent = floor.agents.get(event.agent)
    if agent is None or agent.gone:
        floor.report_oddity(f"a message is for '{event.agent}', who is not an agent")
        return
    agent_messages.send_message(floor, agent, agent_messages.written(event.text, event.by))


Action = Callable[[Floor, Agent, AgentRequest], None]


def _sign_in(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    was = presence.is_present(agent)
    agent.signed_in = True
    agent.signed_in_at = agent.idle_since = floor.now
    changed_by(floor, agent, event.by)
    presence.count_present(floor, agent, was)
    floor.mark_changed(agent)
    floor.publish(AgentSignedIn(at=floor.now, agent=agent.id, by=event.by))
    if by_another(agent, event.by):
        agent_messages.send_message(floor, agent, agent_messages.signed_in(event.by))


def _stay(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    """Already signed in: only withdraw a pending sign-out."""
    if not agent.signed_in:  # found in a conversation after a restart that kept no sign-in
        _sign_in(floor, agent, event)
    agent.pending_sign_out = False
    floor.mark_changed(agent)


def _nothing(_floor: Floor, _agent: Agent, _event: AgentRequest) -> None:
    """The request changes nothing."""


def _sign_out(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    set_signed_out(floor, agent, event.by)


def _sign_out_ringing(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    withdraw_all(floor, agent)
    if agent.signed_in:
        set_signed_out(floor, agent, event.by)


def _sign_out_later(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    agent.pending_sign_out = True
    agent.pending_by = event.by
    if by_another(agent, event.by):
        agent_messages.send_message(floor, agent, agent_messages.sign_out_pending(event.by))
    withdraw_all(floor, agent)
    floor.mark_changed(agent)


def _pause(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    assert isinstance(event, PauseRequested)  # noqa: S101 - narrows the type; the table guarantees it
    reason = reason_of(floor.table.pauses, event.reason) or ""
    if agent.pause != reason:
        set_pause(floor, agent, reason, event.by)


def _pause_ringing(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    withdraw_all(floor, agent)
    _pause(floor, agent, event)


def _pause_later(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    assert isinstance(event, PauseRequested)  # noqa: S101 - narrows the type; the table guarantees it
    agent.pending_pause = reason_of(floor.table.pauses, event.reason) or ""
    agent.pending_by = event.by
    if by_another(agent, event.by):
        agent_messages.send_message(floor, agent, agent_messages.pause_pending(event.by))
    withdraw_all(floor, agent)
    floor.mark_changed(agent)


def _resume(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    agent.pending_pause = None
    if agent.pause is None:
        floor.mark_changed(agent)
    else:
        end_pause(floor, agent, event.by)


def _switch(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    """Switch a device on or off. A call that rings or talks on it goes on."""
    assert isinstance(event, DeviceSwitchRequested)  # noqa: S101 - narrows the type; the table guarantees it
    if event.on is (event.device not in agent.devices_off):
        return
    if event.on:
        del agent.devices_off[event.device]
    else:
        agent.devices_off[event.device] = (event.by, floor.now)
    floor.mark_devices_changed(agent)
    floor.publish(
        AgentDeviceSwitched(
            at=floor.now, agent=agent.id, device=event.device, on=event.on, by=event.by
        )
    )
    if by_another(agent, event.by):
        text = agent_messages.device_switched(event.device, on=event.on, by=event.by)
        agent_messages.send_message(floor, agent, text)


def _ready(floor: Floor, agent: Agent, _event: AgentRequest) -> None:
    end_wrap_up(floor, agent)


def _free(floor: Floor, agent: Agent, event: AgentRequest) -> None:
    """Treat every phone that is in use as free. A call that begins on it later counts again."""
    for device in agent.spec.devices:
        for pbx in device.pbxes if device.endpoint else ():
            key = (pbx, device.endpoint_on(pbx))
            if floor.device_states.get(key) is not DeviceState.IN_USE or pbx not in floor.up:
                continue
            channel, _ = floor.in_use.get(key, ("", 0.0))
            floor.order(Disregard(pbx=pbx, endpoint=key[1]))
            floor.publish(
                PrivateCallDisregarded(
                    at=floor.now, agent=agent.id, device=device.id, channel=channel, by=event.by
                )
            )
            if by_another(agent, event.by):
                text = agent_messages.private_call_disregarded(device.id, channel, event.by)
                agent_messages.send_message(floor, agent, text)


def _by_status(
    *,
    signed_out: Action,
    free: Action,
    ringing: Action,
    on_call: Action,
    wrap_up: Action,
    paused: Action,
) -> Mapping[AgentStatus, Action]:
    """What a request does in each status.

    Devices and private calls make no difference (`free`): an agent with an unplugged phone can sign
    in and out.
    """
    return {
        AgentStatus.SIGNED_OUT: signed_out,
        AgentStatus.AVAILABLE: free,
        AgentStatus.NO_PHONE: free,
        AgentStatus.PRIVATE_CALL: free,
        AgentStatus.CLOSING: free,
        AgentStatus.RESERVED: ringing,
        AgentStatus.RINGING: ringing,
        AgentStatus.ON_CALL: on_call,
        AgentStatus.WRAP_UP: wrap_up,
        AgentStatus.PAUSED: paused,
    }


REQUESTS: Mapping[type, Mapping[AgentStatus, Action]] = {
    SignedIn: _by_status(
        signed_out=_sign_in,
        free=_stay,
        ringing=_stay,
        on_call=_stay,
        wrap_up=_stay,
        paused=_stay,
    ),
    SignedOut: _by_status(
        signed_out=_nothing,
        free=_sign_out,
        ringing=_sign_out_ringing,
        on_call=_sign_out_later,
        wrap_up=_sign_out,
        paused=_sign_out,
    ),
    PauseRequested: _by_status(
        signed_out=_nothing,
        free=_pause,
        ringing=_pause_ringing,
        on_call=_pause_later,
        wrap_up=_pause,
        paused=_pause,
    ),
    Resumed: _by_status(
        signed_out=_nothing,
        free=_resume,
        ringing=_resume,
        on_call=_resume,
        wrap_up=_resume,
        paused=_resume,
    ),
    ReadyPressed: _by_status(
        signed_out=_nothing,
        free=_nothing,
        ringing=_ready,
        on_call=_ready,
        wrap_up=_ready,
        paused=_ready,
    ),
    PhoneFreed: dict.fromkeys(AgentStatus, _free),
    DeviceSwitchRequested: dict.fromkeys(AgentStatus, _switch),
}
"""What each request does in each status of the agent."""
