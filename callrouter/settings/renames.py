"""Queues and agents under other names: `renamed_from`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from callrouter.model.table import AgentSpec, MemberSpec, QueueSpec, Rule, Table
from callrouter.settings.folder import Document, Way
from callrouter.settings.problems import quoted
from callrouter.settings.result import Settings

_Spec = TypeVar("_Spec", AgentSpec, QueueSpec)
_Value = TypeVar("_Value")


def check_renames(section: str, renames: Mapping[str, str], document: Document) -> None:
    """Report a `renamed_from` that leads nowhere.

    Args:
        section: ``agents`` or ``queues``.
        renames: the former name by the present one.
        document: where to report.
    """
    first: dict[str, str] = {}
    names = document.names(section)
    for name, former in renames.items():
        way: Way = (section, name, "renamed_from")
        if former == name:
            text = f"{quoted(name)} is renamed from itself"
            document.error(way, text, "write the name that it had before, or take the line out")
        elif former in names:
            text = f"{quoted(former)} still exists"
            hint = f"take it out of {section}:, or take renamed_from out"
            document.error(way, text, hint)
        elif former in first:
            text = f"{quoted(first[former])} is renamed from {quoted(former)} as well"
            document.error(way, text, "one of them can be")
        first.setdefault(former, name)


def renamed(old: Mapping[str, _Spec], new: Mapping[str, _Spec]) -> dict[str, str]:
    """What is called otherwise now: the new name by the old one."""
    return {
        spec.renamed_from: name
        for name, spec in new.items()
        if spec.renamed_from in old and name not in old and spec.renamed_from not in new
    }


def under_new_names(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """The old settings as if what is renamed had had its new name, and a line for each."""
    agents = renamed(old.table.agents, new.table.agents)
    queues = renamed(old.table.queues, new.table.queues)
    if not agents and not queues:
        return old, []
    lines = [f"agent {before} is called {after} from now on" for before, after in agents.items()]
    lines += [f"queue {before} is called {after} from now on" for before, after in queues.items()]
    settings = replace(
        old,
        table=table_under_new_names(old.table, new.table),
        pins=_keys(old.pins, agents),
        service_levels=_keys(old.service_levels, queues),
    )
    return settings, lines


def table_under_new_names(old: Table, new: Table) -> Table:
    """The old table as if what is renamed had had its new name."""
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


def _keys(values: Mapping[str, _Value], names: Mapping[str, str]) -> dict[str, _Value]:
    return {names.get(name, name): value for name, value in values.items()}


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
        yield id_, replace(spec, id=id_, name=shown, devices=devices)


def _queue(spec: QueueSpec, agents: Mapping[str, str], queues: Mapping[str, str]) -> QueueSpec:
    id_ = queues.get(spec.id, spec.id)

    def who(members: tuple[MemberSpec, ...]) -> tuple[MemberSpec, ...]:
        return tuple(replace(m, agent=agents[m.agent]) if m.agent in agents else m for m in members)

    return replace(
        spec,
        id=id_,
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
