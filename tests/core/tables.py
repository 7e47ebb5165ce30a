"""Short ways to write a routing table in a test."""

from __future__ import annotations

from typing import Any

from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    SignIn,
    Table,
)

PBX = "office"


def desk(agent: str, *, pbxes: tuple[str, ...] = (PBX,), **more: Any) -> DeviceSpec:
    """A desk phone: ``PJSIP/<agent>`` unless told otherwise."""
    more.setdefault("id", "desk")
    more.setdefault("endpoint", f"PJSIP/{agent}")
    return DeviceSpec(agent=agent, pbxes=pbxes, **more)


def mobile(agent: str, *, pbxes: tuple[str, ...] = (PBX,), **more: Any) -> DeviceSpec:
    """A mobile that asks for key 1."""
    more.setdefault("id", "mobile")
    more.setdefault("number", f"+44{agent}")
    return DeviceSpec(agent=agent, pbxes=pbxes, confirm=True, **more)


def agent(name: str, *devices: DeviceSpec, **more: Any) -> AgentSpec:
    """An agent with a desk phone, or with the devices given."""
    return AgentSpec(id=name, name=name.title(), devices=devices or (desk(name),), **more)


def always(name: str, *devices: DeviceSpec, **more: Any) -> AgentSpec:
    """An agent who never has to sign in."""
    return agent(name, *devices, sign_in=SignIn.ALWAYS, **more)


def queue(name: str, members: str, policy: str = "longest-idle", **more: Any) -> QueueSpec:
    """A queue; `members` is ``"alice bob:5"`` (level 5), `policy` is ``"priority random"``.

    Callers wait where nobody is, unless told otherwise.
    """
    more.setdefault("on_nobody", KeepWaiting())
    places = []
    for order, word in enumerate(members.split()):
        who, _, level = word.partition(":")
        places.append(MemberSpec(agent=who, level=int(level or 1), order=order))
    if policy == "ring-all":
        more.setdefault("at_once", None)
    return QueueSpec(
        id=name, name=name.title(), members=tuple(places), policy=tuple(policy.split()), **more
    )


def table(*parts: AgentSpec | QueueSpec) -> Table:
    """A table; agents that only a queue names get a desk phone."""
    agents = {part.id: part for part in parts if isinstance(part, AgentSpec)}
    queues = {part.id: part for part in parts if isinstance(part, QueueSpec)}
    for spec in queues.values():
        shifts = [member for shift in spec.shifts for member in shift.members]
        steps = [member for step in spec.widen for member in step.members]
        for member in (*spec.members, *shifts, *steps):
            agents.setdefault(member.agent, agent(member.agent))
    return Table(agents=agents, queues=queues)
