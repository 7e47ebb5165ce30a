"""Describes changes of agents, their phones, and the reasons for pauses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from callrouter.model.routing_table import AgentSpec, DeviceSpec, PauseSpec, Table
from callrouter.model.text import joined, phrase
from callrouter.settings.builders.queue_builder import queues_by_agent
from callrouter.settings.diff.compare import (
    added_or_removed,
    differing,
    heading,
    mapping_lines,
    option_differences,
)
from callrouter.settings.loaded import Settings
from callrouter.settings.schema.agent_options import AgentOptions, DeviceOptions
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.written_values import masked

_ON: Final = phrase("switched-on", "on")
_OFF: Final = phrase("switched-off", "off")
_LISTED: Final = phrase("reasons-listed", "those listed")
_ANY_TEXT: Final = phrase("reasons-any", "any text")


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
            devices = phrase(
                "devices-counted", "{count} device", "{count} devices", count=len(agent.devices)
            )
            about = [devices] if agent.name == id_ else [agent.name, devices]
            text = "agent {id} is new ({about})"
            yield phrase("agent-new", text, id=id_, about=joined(about))
        elif id_ not in after:
            if id_ in served:
                text = "agent {id} is gone; leaves {queues}"
                yield phrase("agent-gone-from", text, id=id_, queues=list(served[id_]))
            else:
                yield phrase("agent-gone", "agent {id} is gone", id=id_)
        else:
            yield from _agent(before[id_], after[id_])
    for what, was, now in (
        (phrase("its-pin", "PIN"), old.pins, new.pins),
        (phrase("its-password", "password"), old.passwords, new.passwords),
        (phrase("its-email", "email"), old.emails, new.emails),
    ):
        for id_ in differing(was, now):
            # Adding or removing an agent already implies its PIN and password.
            if id_ in before and id_ in after:
                change = added_or_removed(id_, was, now)
                yield phrase(
                    "secret-of-agent", "{id}: {what} {change}", id=id_, what=what, change=change
                )


def _agent(old: AgentSpec, new: AgentSpec) -> Iterator[str]:
    yield from map(str, option_differences(f"{new.id}:", AgentOptions, old, new))
    yield from mapping_lines(phrase("skill", "{id}: skill", id=new.id), old.skills, new.skills)
    yield from _devices(old, new)


def _devices(old: AgentSpec, new: AgentSpec) -> Iterator[str]:
    before = {device.id: device for device in old.devices}
    after = {device.id: device for device in new.devices}
    for id_ in differing(before, after):
        what = phrase("device-of", "{agent}: device {device}", agent=new.id, device=id_)
        if id_ not in before:
            yield phrase(
                "added", "{what} added ({address})", what=what, address=_address(after[id_])
            )
        elif id_ not in after:
            yield phrase(
                "removed", "{what} removed ({address})", what=what, address=_address(before[id_])
            )
        else:
            yield from _device(what, before[id_], after[id_])
    if before == after and list(before) != list(after):
        yield phrase(
            "order-devices",
            "{id}: order of devices {before} -> {after}",
            id=new.id,
            before=", ".join(before),
            after=", ".join(after),
        )


def _device(what: str, old: DeviceSpec, new: DeviceSpec) -> Iterator[str]:
    if (old.address, old.addresses) != (new.address, new.addresses):
        before, after = _address(old), _address(new)
        # The difference may be in the masked part.
        yield (
            phrase("was-now", "{what} {before} -> {after}", what=what, before=before, after=after)
            if before != after
            else phrase("number-changed", "{what}: number changed", what=what)
        )
    yield from map(str, option_differences(heading(what), DeviceOptions, old, new))
    if old.enabled is not new.enabled:
        yield phrase(
            "switched", "{what} switched {value}", what=what, value=_ON if new.enabled else _OFF
        )


def _address(device: DeviceSpec) -> str:
    if device.addresses:
        return ", ".join(f"{pbx} {address}" for pbx, address in device.addresses.items())
    return masked(device.number) if device.number else device.endpoint


def pause_changes(old: Table, new: Table) -> Iterator[str]:
    """Yield a line for every change of the reasons for pauses.

    If reasons are listed for the first time, or no longer, the first line says so.
    """
    if bool(old.pauses) != bool(new.pauses):
        yield phrase(
            "pauses-reasons-are-from-now-on",
            "pauses: reasons are {value} from now on",
            value=_LISTED if new.pauses else _ANY_TEXT,
        )
    for reason in differing(old.pauses, new.pauses):
        before, after = old.pauses.get(reason), new.pauses.get(reason)
        if before is None and after is not None:
            yield phrase(
                "pause-new", "pause {reason} is new ({pause})", reason=reason, pause=_pause(after)
            )
        elif before is not None and after is not None:
            yield phrase(
                "pause-changed",
                "pause {reason}: {was} -> {now}",
                reason=reason,
                was=_pause(before),
                now=_pause(after),
            )
        else:
            yield phrase("pause-gone", "pause {reason} is gone", reason=reason)


def _pause(spec: PauseSpec) -> str:
    longest = phrase("pause-no-limit", "no limit")
    if spec.longest is not None:
        text, most = "longest {longest}, then {then}", format_duration(spec.longest)
        longest = phrase("pause-longest", text, longest=most, then=spec.then.value)
    return (
        phrase("pause-default", "{pause}, the default", pause=longest) if spec.default else longest
    )
