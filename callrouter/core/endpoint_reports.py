"""What a PBX's report of an endpoint's state means for the agents that the endpoint belongs to."""

from __future__ import annotations

from callrouter.core import leg_reports, phone_transfers
from callrouter.core.agents import devices, shared_phones
from callrouter.core.floor import Floor
from callrouter.model.events import DeviceState, EndpointChanged


def changed(floor: Floor, event: EndpointChanged) -> None:
    """The state of an endpoint on a PBX is now this. A report that says nothing new changes nothing."""
    key = (event.pbx, event.endpoint)
    if event.state is DeviceState.IN_USE:
        floor.in_use[key] = event.channel, floor.now if event.since is None else event.since
    else:
        floor.in_use.pop(key, None)
    before = floor.device_states.get(key)
    if before is event.state:
        return
    came_back = before is DeviceState.UNREACHABLE
    floor.device_states[key] = event.state
    if floor.clearing:
        in_use = event.state is DeviceState.IN_USE
        (shared_phones.seen_clearing if in_use else shared_phones.cleared)(floor, key)
    for agent in floor.owners.get(key, ()):
        if came_back:
            devices.registered(floor, agent, event.pbx, event.endpoint)
        if before in {None, DeviceState.UNREACHABLE} or event.state is DeviceState.UNREACHABLE:
            floor.recount_presence[agent.id] = agent
        floor.mark_changed(agent)
    if floor.shares_phones:
        phone_transfers.phone_changed(floor, event, before)
        if event.state is DeviceState.IN_USE:
            leg_reports.seen_in_use(floor, event.pbx, event.endpoint)


def no_longer_seen(floor: Floor, pbx: str) -> None:
    """The link to a PBX has been down for so long that what it said of calls counts no longer."""
    for endpoint in shared_phones.no_longer_seen(floor, pbx):
        changed(floor, EndpointChanged(pbx=pbx, endpoint=endpoint, state=DeviceState.IDLE))
