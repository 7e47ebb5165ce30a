"""From one routing table to the next: the steps of a large change, and new names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from callrouter.model.routing_table import (
    AgentSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    Rule,
    Table,
)

# ---------------------------------------------------------------- new names


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


STEP = 200
"""How many agents, or agent places in queues, one step may change."""

_Spec = TypeVar("_Spec", AgentSpec, QueueSpec)


def steps(old: Table, new: Table, size: int = STEP) -> Iterator[Table]:
    """Tables that lead from `old` to `new`, which comes last. A small change gives only `new`.

    What has not changed must be the same object in both (see `Table.reusing`). A queue is never
    split.

    Args:
        old: the table in force.
        new: the table that is to be in force.
        size: about how many agents and members may change in one step.
    """
    named = under_new_names(old, new)
    if named is not old and len(new.agents) + len(new.queues) > 1:
        yield named  # renames first, or a renamed item would be taken for a new one
        old = named
    agents, agents_over = _change(old.agents, new.agents)
    queues, queues_over = _change(old.queues, new.queues)
    weights = {name: _weight(old.queues.get(name), spec) for name, spec in queues.items()}
    weights |= {name: _weight(None, old.queues[name]) for name in queues_over}
    parts = len(agents) + len(agents_over) + len(weights)
    if parts > 1 and parts - len(weights) + sum(weights.values()) > size:
        step = old
        # New and changed agents first, because queues name them.
        for here in _grown((old.agents, new.agents), agents, agents_over, {}, size):
            step = replace(step, agents=here)
            yield step
        new_ones = {name: _empty(spec) for name, spec in queues.items() if name not in old.queues}
        # Then new queues without members, because queues and rules name them as targets.
        if new_ones:
            step = replace(step, queues={**old.queues, **new_ones})
            yield step
        for there in _grown((step.queues, new.queues), queues, queues_over, weights, size):
            step = replace(step, queues=there)
            yield step
        # Rules and all the rest, while every old and new target exists. After that nothing that
        # stays names a removed queue, and once those are gone nothing names a removed agent.
        step = replace(new, agents=step.agents, queues=step.queues)
        for there in _shrunk(step.queues, new.queues, queues_over, weights, size):
            step = replace(step, queues=there)
            yield step
        for here in _shrunk(step.agents, new.agents, agents_over, {}, size):
            step = replace(step, agents=here)
            yield step
    yield new


def _change(
    old: Mapping[str, _Spec], new: Mapping[str, _Spec]
) -> tuple[dict[str, _Spec], list[str]]:
    """The new or changed specs, and the names of those that are removed.

    Specs are compared by identity.
    """
    if old is new:
        return {}, []
    different = {name: spec for name, spec in new.items() if old.get(name) is not spec}
    return different, [name for name in old if name not in new]


def _grown(
    ends: tuple[Mapping[str, _Spec], Mapping[str, _Spec]],
    different: Mapping[str, _Spec],
    over: Collection[str],
    weights: Mapping[str, int],
    size: int,
) -> Iterator[Mapping[str, _Spec]]:
    """The old mapping with more and more changes; in the end `new` itself if nothing is removed.

    Mappings that were yielded before are not changed.
    """
    (now, new), left = ends, len(different)
    for part in _parts(different, weights, size):
        left -= len(part)
        now = {**now, **{name: different[name] for name in part}} if left or over else new
        yield now


def _shrunk(
    old: Mapping[str, _Spec],
    new: Mapping[str, _Spec],
    over: Collection[str],
    weights: Mapping[str, int],
    size: int,
) -> Iterator[Mapping[str, _Spec]]:
    """The old mapping with less and less of what is removed; in the end `new` itself.

    Mappings that were yielded before are not changed.
    """
    now, left = old, len(over)
    for part in _parts(over, weights, size):
        left -= len(part)
        now = {name: spec for name, spec in now.items() if name not in part} if left else new
        yield now


def _empty(spec: QueueSpec) -> QueueSpec:
    """A new queue before it has agents, as a target for other queues. Its callers wait a moment."""
    return replace(spec, members=(), shifts=(), widen=(), on_nobody=KeepWaiting())


def _weight(old: QueueSpec | None, new: QueueSpec) -> int:
    """The cost of applying a queue: its agent places, or fewer if only other settings changed."""
    tables = (
        new.members,
        *(one.members for one in new.shifts),
        *(one.members for one in new.widen),
    )
    places = sum(map(len, tables))
    if old is None or (old.members, old.shifts, old.widen) != (new.members, new.shifts, new.widen):
        return 10 + places
    return 10 + places // (10 if (old.policy, old.skills) != (new.policy, new.skills) else 100)


def _parts(
    names: Collection[str], weights: Mapping[str, int], size: int
) -> Iterator[dict[str, None]]:
    """The names in groups of at most `size` in total. A name without a weight counts as 1.

    A name that weighs more than `size` is a group of its own.
    """
    part: dict[str, None] = {}
    weight = 0
    for name in names:
        more = weights.get(name, 1)
        if part and weight + more > size:
            yield part
            part, weight = {}, 0
        part[name] = None
        weight += more
    if part:
        yield part
