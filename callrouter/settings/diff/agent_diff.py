"""Describes changes of agents, their phones, and the reasons for pauses."""

from __future__ import annotations

from collections.abc import Iterator

from callrouter.model.routing_table import AgentSpec, DeviceSpec, PauseSpec, Table
from callrouter.model.text import counted
from callrouter.settings.builders.queue_builder import queues_by_agent
from callrouter.settings.diff.compare import (
    added_or_removed,
    differing,
    mapping_lines,
    option_differences,
)
from callrouter.settings.loaded import Settings
from callrouter.settings.schema.agent_options import AgentOptions, DeviceOptions
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.written_values import masked


def agent_changes(old: Settings, new: Settings) -> Iterator[str]:
    """Yield a line for every change of the agents and their phones.

    Changes of PINs come last. Phone numbers are masked. An agent who is renamed must have the new
    name in `old` too.
    """
    before, after = old.table.agents, new.table.agents
    served = queues_by_agent(old.table.queues)
    for id_ in differing(before, after):
        if id_ not in before:
            agent = after[id_]
            name = "" if agent.name == id_ else f"{agent.name}; "
            devices = counted(len(agent.devices), "device", zero="0")
            yield f"agent {id_} is new ({name}{devices})"
        elif id_ not in after:
            left = f"; leaves {', '.join(served[id_])}" if id_ in served else ""
            yield f"agent {id_} is gone{left}"
        else:
            yield from _agent(before[id_], after[id_])
    for what, was, now in (
        ("PIN", old.pins, new.pins),
        ("password", old.passwords, new.passwords),
        ("email", old.emails, new.emails),
    ):
        for id_ in differing(was, now):
            # Adding or removing an agent already implies its PIN and password.
            if id_ in before and id_ in after:
                yield f"{id_}: {what} {added_or_removed(id_, was, now)}"


def _agent(old: AgentSpec, new: AgentSpec) -> Iterator[str]:
    yield from map(str, option_differences(f"{new.id}:", AgentOptions, old, new))
    yield from mapping_lines(f"{new.id}: skill", old.skills, new.skills)
    yield from _devices(old, new)


def _devices(old: AgentSpec, new: AgentSpec) -> Iterator[str]:
    before = {device.id: device for device in old.devices}
    after = {device.id: device for device in new.devices}
    for id_ in differing(before, after):
        what = f"{new.id}: device {id_}"
        if id_ not in before:
            yield f"{what} added ({_address(after[id_])})"
        elif id_ not in after:
            yield f"{what} removed ({_address(before[id_])})"
        else:
            yield from _device(what, before[id_], after[id_])
    if before == after and list(before) != list(after):
        yield f"{new.id}: order of devices {', '.join(before)} -> {', '.join(after)}"


def _device(what: str, old: DeviceSpec, new: DeviceSpec) -> Iterator[str]:
    if (old.address, old.addresses) != (new.address, new.addresses):
        before, after = _address(old), _address(new)
        # The difference may be in the masked part.
        yield f"{what} {before} -> {after}" if before != after else f"{what}: number changed"
    yield from map(str, option_differences(f"{what}:", DeviceOptions, old, new))
    if old.enabled is not new.enabled:
        yield f"{what} switched {'on' if new.enabled else 'off'}"


def _address(device: DeviceSpec) -> str:
    if device.addresses:
        return ", ".join(f"{pbx} {address}" for pbx, address in device.addresses.items())
    return masked(device.number) if device.number else device.endpoint


def pause_changes(old: Table, new: Table) -> Iterator[str]:
    """Yield a line for every change of the reasons for pauses.

    If reasons are listed for the first time, or no longer, the first line says so.
    """
    if bool(old.pauses) != bool(new.pauses):
        yield f"pauses: reasons are {'those listed' if new.pauses else 'any text'} from now on"
    for reason in differing(old.pauses, new.pauses):
        before, after = old.pauses.get(reason), new.pauses.get(reason)
        if before is None and after is not None:
            yield f"pause {reason} is new ({_pause(after)})"
        elif before is not None and after is not None:
            yield f"pause {reason}: {_pause(before)} -> {_pause(after)}"
        else:
            yield f"pause {reason} is gone"


def _pause(spec: PauseSpec) -> str:
    longest = "no limit"
    if spec.longest is not None:
        longest = f"longest {format_duration(spec.longest)}, then {spec.then.value}"
    return longest + (", the default" if spec.default else "")
