"""Warnings about queues whose callers would wait for agents who cannot be rung there or then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from callrouter.model.routing_table import KeepWaiting, QueueSpec, Table, ToQueue
from callrouter.model.text import first_few, phrase
from callrouter.settings.builders.queue_builder import all_members
from callrouter.settings.lint import week
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.pbx_options import TwilioOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import Document, KeyPath

_NAMED: Final = 5
"""Agents named in one warning."""


def warn_of_staffing(root: RootOptions, table: Table, document: Document) -> None:
    """Add the warnings about all queues.

    A queue without any agents is left to `warn_of_queues`.
    """
    callers = {id_: _entered(pbx, table) for id_, pbx in root.pbx.items()}
    for queue in table.queues.values():
        if next(all_members(queue), None) is not None:
            _no_phone_there(queue, table, callers, document)
            _outside_hours(queue, table, document)
    _wrong_trunks(root, table, document)
    shared = {
        pbx
        for agent in table.agents.values()
        for device in agent.devices
        if len(device.addresses) > 1
        for pbx in device.addresses
    }
    for pbx, entered in callers.items():
        if pbx in shared:
            _not_reached_from(pbx, entered, table, document)


def _wrong_trunks(root: RootOptions, table: Table, document: Document) -> None:
    """Warn of a phone's address that leads to a PBX where the phone is not registered.

    Only trunks that are named like a PBX say where they lead.
    """
    for agent in table.agents.values():
        for device in agent.devices:
            for pbx, address in device.addresses.items():
                there = address.rpartition("@")[2]
                if address.startswith("Local/") or there not in root.pbx or there in device.homes:
                    continue
                path: KeyPath = ("agents", agent.id, "devices", device.id, "endpoint", pbx)
                plain = address.rpartition("@")[0]
                said = "{address} leads to {pbx}, and no address says that the phone is there"
                text = phrase("leads-elsewhere", said, address=address, pbx=there)
                hint = "where it is registered it has no @: {better}"
                advice = phrase("no-at-at-home", hint, better=f"{there}: {plain}")
                if device.homes:
                    home, hint = device.homes[0], "it is registered at {pbx}: such as {better}"
                    advice = phrase("registered-at", hint, pbx=home, better=f"{plain}@{home}")
                document.warning(path, text, advice)


def _entered(pbx: TwilioOptions | object, table: Table) -> frozenset[str] | None:
    """Return the queues that callers of a PBX can reach; None: any, since its dialplan decides.

    They reach the queues of numbers and rules, and from there those that calls overflow to.
    """
    if not isinstance(pbx, TwilioOptions):
        return None
    found: set[str] = set()
    ahead = [*pbx.numbers.values(), *(rule.queue for rule in table.rules if rule.queue)]
    while ahead:
        queue = table.queues.get(ahead.pop())
        if queue is None or queue.id in found:
            continue
        found.add(queue.id)
        targets = (queue.on_max_wait, queue.on_full, queue.on_nobody, queue.on_closed)
        ahead += [target.queue for target in targets if isinstance(target, ToQueue)]
    return frozenset(found)


def _no_phone_there(
    queue: QueueSpec,
    table: Table,
    callers: dict[str, frozenset[str] | None],
    document: Document,
) -> None:
    """Warn if no agent of a queue has a phone on the PBX of its callers."""
    able = {pbx for member in all_members(queue) for pbx in _pbxes(table, member.agent)}
    if not able:
        return  # another check reports that no agent has a phone at all
    for pbx, entered in callers.items():
        if pbx in able or (entered is not None and queue.id not in entered):
            continue
        text = phrase(
            "no-agent-has-phone-on", "no agent of {id} has a phone on {pbx}", id=queue.id, pbx=pbx
        )
        if isinstance(queue.on_nobody, KeepWaiting):
            hint = phrase(
                "caller-there-would-wait-in-vain",
                "a caller there would wait in vain: on_nobody is wait",
            )
        else:
            hint = phrase(
                "caller-there-leaves-by-on-nobody",
                "a caller there leaves by on_nobody after {nobody_after}",
                nobody_after=format_duration(queue.nobody_after),
            )
        document.warning(("queues", queue.id), text, hint, key=True)


def _not_reached_from(
    pbx: str, entered: frozenset[str] | None, table: Table, document: Document
) -> None:
    """Warn of agents who have no phone on a PBX whose callers their colleagues are rung for.

    Called for a PBX that rings phones at home elsewhere; at other sites each has its own agents.
    A queue none of whose agents has a phone there has a warning of its own.
    """
    missed: dict[str, None] = {}
    for queue in table.queues.values():
        if entered is not None and queue.id not in entered:
            continue
        names = dict.fromkeys(member.agent for member in all_members(queue))
        there = {name for name in names if pbx in _pbxes(table, name)}
        if there:
            # An agent without any phone has a warning, too.
            missed |= {n: None for n in names if n not in there and any(_pbxes(table, n))}
    if not missed:
        return
    text = phrase(
        "callers-on-do-not-reach",
        "callers on {pbx} do not reach {agents}",
        pbx=pbx,
        agents=first_few(list(missed), _NAMED),
    )
    home = next(_pbxes(table, next(iter(missed))))
    hint = phrase(
        "no-phone-theirs-has-address-there",
        'no phone of theirs has an address there, such as {{{home}: PJSIP/1001, {pbx}: "PJSIP/1001@{home}"}}',
        home=home,
        pbx=pbx,
    )
    document.warning(("pbx", pbx), text, hint, key=True)


def _pbxes(table: Table, agent: str) -> Iterator[str]:
    for device in table.agents[agent].devices:
        if device.enabled:
            yield from device.pbxes


def _outside_hours(queue: QueueSpec, table: Table, document: Document) -> None:
    """Warn of agents none of whose phones rings at some hour when the queue is open.

    An agent with a phone without hours, or with no phone that is enabled, is passed over.
    """
    is_open = week.WHOLE if queue.hours is None else week.covered(queue.hours)
    never: list[str] = []
    for name in dict.fromkeys(member.agent for member in all_members(queue)):
        devices = [device for device in table.agents[name].devices if device.enabled]
        if not devices or any(device.hours is None for device in devices):
            continue
        rings = week.joined(
            part
            for device in devices
            if device.hours is not None
            for part in week.covered(device.hours)
        )
        if not week.without(is_open, week.without(is_open, rings)):
            never.append(name)
    if never:
        text = phrase(
            "agents-can-never-be-rung-for",
            "agent {agents} can never be rung for {id}",
            agents=first_few(never, 1),
            id=queue.id,
        )
        path: KeyPath = ("queues", queue.id)
        document.warning(
            path,
            text,
            phrase(
                "no-phone-theirs-rings-at-hour",
                "no phone of theirs rings at an hour at which it is open",
            ),
            key=True,
        )
