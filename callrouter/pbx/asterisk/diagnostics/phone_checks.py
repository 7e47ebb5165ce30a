"""`doctor`'s checks of phones and outbound routes, judged as the router judges them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from callrouter.model import endpoints
from callrouter.model.endpoints import EndpointKind
from callrouter.model.events import DeviceState
from callrouter.model.routing_table import AgentSpec, DeviceSpec, Table
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiError
from callrouter.pbx.asterisk.diagnostics.inspection import InspectedAsterisk
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.lookups import phone_queries
from callrouter.pbx.asterisk.tracking.phone_states import PhoneStates
from callrouter.pbx.interface import Finding

_SAMPLE: Final = "+447700900000"
"""An unassigned number (Ofcom reserves it for drama) for testing whether a route would match."""
_STATES: Final = {
    "NOT_INUSE": "not in use",
    "INUSE": "in use",
    "RINGINUSE": "ringing and in use",
    "ONHOLD": "on hold",
}
"""Device states whose names are run together."""
_CHECK: Final = "check this phone under agents: and in pjsip.conf"


async def check_phones(
    asterisk: InspectedAsterisk, found: Sequence[tuple[DeviceSpec, AgentSpec]]
) -> AsyncIterator[Finding]:
    """Check every phone that an agent has.

    Args:
        asterisk: the Asterisk.
        found: the devices with an endpoint on it, and their agents.
    """
    phones = PhoneStates(lambda _endpoint, _state: None)
    phones.use(device for device, _ in found)
    try:
        phones.set_hints(await phone_queries.hints(asterisk.client, phones.hints()))
        devices = list(dict.fromkeys(d for watch in phones.watched.values() for d in watch.devices))
        states = await phone_queries.states(asterisk.client, devices)
        registered = await phone_queries.contacts(asterisk.client, _registering(found))
    except AmiError as error:
        yield Finding(None, "phones not readable", str(error))
        return
    phones.apply_lists(states, {}, ())
    for device, agent in found:
        what = f"{device.endpoint} ({agent.id}, {device.id})"
        for source in device.states:
            hint = endpoints.hint_of(source)
            if hint is not None and not phones.has_hint(source):
                text = f"{what}: there is no hint for {hint[0]} in [{hint[1]}]"
                yield Finding(
                    False, text, "check state: of this phone under agents:, and the dialplan"
                )
        elsewhere = any(own.watch_answer for own in agent.devices if own.id == device.id)
        count = len(registered.get(device.endpoint, ()))
        yield _phone_finding(what, device, phones, count, watched=elsewhere)


async def check_headers(
    asterisk: InspectedAsterisk, table: Table, found: Sequence[tuple[DeviceSpec, AgentSpec]]
) -> AsyncIterator[Finding]:
    """Check that INVITEs can carry the headers that the configuration asks for."""
    wanted = [f"alert_info of {queue.id}" for queue in table.queues.values() if queue.alert_info]
    wanted += [f"auto_answer of {agent.id}" for device, agent in found if device.auto_answer]
    if wanted and await asterisk.variable("IFMODULE(res_pjsip_header_funcs.so)") == "0":
        what = f"{wanted[0]} does nothing: res_pjsip_header_funcs is not loaded"
        yield Finding(False, what, "load it in modules.conf, then restart Asterisk")


def _registering(found: Sequence[tuple[DeviceSpec, AgentSpec]]) -> list[str]:
    named = dict.fromkeys(device.endpoint for device, _ in found)
    return [
        name for name in named if name.startswith("PJSIP/") and _kind_of(name) is EndpointKind.PHONE
    ]


def _kind_of(endpoint: str) -> EndpointKind:
    try:
        return endpoints.read(endpoint).kind
    except ValueError:
        return EndpointKind.PHONE


def _phone_finding(
    what: str, device: DeviceSpec, phones: PhoneStates, registered: int, *, watched: bool
) -> Finding:
    """What there is to say of a phone; `watched`: its home must see it in use when it answers."""
    watch = phones.watched[device.endpoint]
    own, kind = phones.devices.get(watch.device, ""), _kind_of(device.endpoint)
    if own in {"", "INVALID"}:
        no_such = {
            EndpointKind.PHONE: "no such endpoint",
            EndpointKind.TRUNK: f"there is no trunk {watch.device}",
            EndpointKind.ROUTE: "no such extension in the dialplan",
        }[kind]
        return Finding(False, f"{what}: {no_such}", _CHECK)
    reached = phones.state_of(device.endpoint)
    if reached is DeviceState.UNREACHABLE:
        return Finding(None, f"{what}: not registered now", "it is rung once it registers")
    if reached is DeviceState.BUSY:
        said = ", ".join(
            name for name in sorted(watch.program_states) if phones.devices.get(name) != "NOT_INUSE"
        )
        return Finding(True, f"{what}: takes no calls at present, says {said}")
    if kind is not EndpointKind.PHONE:
        if watched:
            who = "an answer counts if its home sees the phone in use, else with key 1"
        elif device.confirm:
            who = "asks for key 1"
        else:
            who = "without key 1 (confirm: false): a voicemail could take the call"
        return Finding(True, f"{what}: can be rung; {who}")
    more = f", {registered} phones registered" if registered > 1 else ""
    return Finding(True, f"{what}: {_STATES.get(own, own.lower())}{more}")


async def check_outbound_route(
    asterisk: InspectedAsterisk, dial_number: str
) -> AsyncIterator[Finding]:
    """Check that there is a route for outside numbers.

    Args:
        asterisk: the Asterisk.
        dial_number: as configured, with the placeholder for the number.
    """
    if dial_number.startswith(contract.ROUTE):
        async for finding in _route(asterisk, dial_number):
            yield finding
        return
    tech, _, rest = dial_number.partition("/")
    trunk = rest.rpartition("@")[2]
    if tech != "PJSIP" or "{" in trunk:
        return  # Asterisk reports no state for other technologies
    state = await asterisk.variable(f"DEVICE_STATE(PJSIP/{trunk})")
    if state == "INVALID":
        what = f"dial_number: there is no endpoint {trunk}, so no mobile can be rung"
        yield Finding(
            False,
            what,
            "correct dial_number in callrouter.yaml or add the endpoint to pjsip.conf; without mobiles, remove dial_number",
        )
    elif state == "UNAVAILABLE":
        what = f"dial_number: the trunk {trunk} cannot be reached now"
        yield Finding(None, what, "is it registered, does the provider answer qualify?")
    elif state:
        yield Finding(True, f"dial_number: the trunk {trunk} is there")


async def _route(asterisk: InspectedAsterisk, dial_number: str) -> AsyncIterator[Finding]:
    dialled = actions.dial_string(dial_number, _SAMPLE)
    exten, _, rest = dialled.removeprefix(contract.ROUTE).partition("@")
    context = rest.partition("/")[0]
    there = await asterisk.variable(f"DIALPLAN_EXISTS({context},{exten},1)")
    if there == "0":
        what = f"dial_number: [{context}] has no way for a number such as {exten}"
        advice = "an outbound route must match what dial_number makes of a number"
        yield Finding(None, what, advice)
    elif there:
        yield Finding(True, f"dial_number: [{context}] takes numbers such as {exten}")
