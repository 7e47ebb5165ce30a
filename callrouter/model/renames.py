"""Queues and agents under new names: `renamed_from`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from callrouter.model.routing_table import AgentSpec, MemberSpec, QueueSpec, Rule, Table

_Spec = TypeVar("_Spec", AgentSpec, QueueSpec)


def renamed(old: Mapping[str, _Spec], new: Mapping[str, _Spec]) -> dict[str, str]:
    """The renamed specs: new name by old name.

    A spec does not count as renamed if its former name is still in use, or if the new name was in
    use before.
    """
    return {
        spec.renamed_from: name
        for name, spec in new.items()
        if spec.renamed_from in old and name not in old and spec.renamed_from not in new
    }


def under_new_names(old: Table, new: Table) -> Table:
    """The old table, as if every renamed agent and queue had already had its new name.

    It is `old` itself if nothing is renamed. A name for display that was only the id changes with
    it.
    """
    agents, queues = renamed(old.agents, new.agents), renamed(old.queues, new.queues)
    if not agents and not queues:
        return old
    return replace(
        old,
        agents=dict(_agents(old.agents, agents)),
        queues={
            queues.get(name, name): _queue(spec, agents, queues)
            for name, spec in old.queues.items()
        },
        rules=tuple(_rule(rule, agents, queues) for rule in old.rules),
    )


def _agents(
    specs: Mapping[str, AgentSpec], names: Mapping[str, str]
) -> Iterator[tuple[str, AgentSpec]]:
    for name, spec in specs.items():
        if name not in names:
            yield name, spec
            continue
        id_ = names[name]
        devices = tuple(replace(device, agent=id_) for device in spec.devices)
        shown = id_ if spec.name == name else spec.name
        yield id_, replace(spec, id=id_, name=shown, devices=devices, renamed_from=name)


def _queue(spec: QueueSpec, agents: Mapping[str, str], queues: Mapping[str, str]) -> QueueSpec:
    id_ = queues.get(spec.id, spec.id)

    def who(members: tuple[MemberSpec, ...]) -> tuple[MemberSpec, ...]:
        return tuple(replace(m, agent=agents[m.agent]) if m.agent in agents else m for m in members)

    return replace(
        spec,
        id=id_,
        renamed_from=spec.renamed_from if id_ == spec.id else spec.id,
        name=id_ if spec.name == spec.id else spec.name,
        members=who(spec.members),
        shifts=tuple(replace(shift, members=who(shift.members)) for shift in spec.shifts),
        widen=tuple(replace(step, members=who(step.members)) for step in spec.widen),
    )


def _rule(rule: Rule, agents: Mapping[str, str], queues: Mapping[str, str]) -> Rule:
    return replace(
        rule,
        agent=agents.get(rule.agent, rule.agent),
        queue=queues.get(rule.queue, rule.queue),
        queues=frozenset(queues.get(name, name) for name in rule.queues),
    )
