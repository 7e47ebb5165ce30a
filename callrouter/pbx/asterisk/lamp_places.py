"""Which lamps one of several Asterisks needs.

A lamp costs an action, its answer, a row in AstDB and an event. With twenty Asterisks and every lamp
at each of them, lamps were half of the router's work. So the lamp of an agent without a phone at this
Asterisk, or of a queue without such an agent, is set here only if a hint names it: Asterisk makes
the hint of `callrouter-codes` when a phone subscribes to it first, and the site's own are in its
dialplan. With a single Asterisk every agent has a phone there, and nothing is asked.
"""

from __future__ import annotations

import re
from typing import Final

from callrouter.model.routing_table import DeviceSpec, Table
from callrouter.pbx.asterisk.ami import AmiClient, AmiError

AGENT: Final = "Custom:callrouter-"
QUEUE: Final = "Custom:callrouter-queue-"
_LIST_HINTS: Final = {"Action": "ExtensionStateList"}
_LAMP: Final = re.compile(r"Custom:callrouter-[A-Za-z0-9_-]+")


def is_lamp(device: str) -> bool:
    """Whether the name of a device is one that an agent's or a queue's lamp could have."""
    return _LAMP.fullmatch(device) is not None


class LampPlaces:
    """The lamps that one Asterisk shows.

    Attributes:
        far: whether agents or queues are known that have no phone here.
    """

    def __init__(self, pbx: str, table: Table) -> None:
        """Show the lamps of the agents with a phone at this PBX, or without any, and of their queues."""
        self.far = False
        self._pbx = pbx
        self._named: frozenset[str] = frozenset()
        """Lamps that a hint of this Asterisk names."""
        self._table = table
        self._near: frozenset[str] = frozenset()
        self._near_queues: dict[str, bool] = {}
        """Of each queue that was asked for, whether one of its agents is near."""
        self._find_near()

    def use(self, table: Table) -> None:
        """Use a new routing table."""
        before, self._table = self._table, table
        if table.agents is not before.agents or table.queues is not before.queues:
            self._find_near()

    def _find_near(self) -> None:
        self._near = frozenset(
            agent.id
            for agent in self._table.agents.values()
            if not agent.devices or any(self._is_here(device) for device in agent.devices)
        )
        self._near_queues.clear()
        self.far = len(self._near) < len(self._table.agents)

    def _is_here(self, device: DeviceSpec) -> bool:
        """Whether a phone is at home at this Asterisk; one that several have by trunks is not."""
        return self._pbx in (device.homes or device.pbxes)

    def has_agent(self, name: str) -> bool:
        """Whether an agent's lamp is shown here. That of a former name is."""
        if not self.far or name in self._near or name not in self._table.agents:
            return True
        return AGENT + name in self._named

    def has_queue(self, name: str) -> bool:
        """Whether a queue's lamp is shown here. That of a former name or a removed queue is."""
        if not self.far:
            return True
        near = self._near_queues.get(name)
        if near is None:
            spec = self._table.queues.get(name)
            near = spec is None or any(member.agent in self._near for member in spec.members)
            self._near_queues[name] = near
        return near or QUEUE + name in self._named

    def has(self, lamp: str) -> bool:
        """Whether a lamp is shown here, given as its device."""
        if not self.far:
            return True
        agent = lamp.removeprefix(AGENT)
        if agent in self._table.agents:
            return self.has_agent(agent)
        return not lamp.startswith(QUEUE) or self.has_queue(lamp.removeprefix(QUEUE))

    async def read(self, client: AmiClient) -> frozenset[str]:
        """Ask Asterisk which hints there are; returns the lamps that are named only now.

        Nothing is asked while every lamp is shown anyway. If Asterisk does not answer, what was
        known stays.
        """
        if not self.far:
            return frozenset()
        try:
            rows = await client.list(_LIST_HINTS)
        except AmiError:
            return frozenset()
        before = self._named
        self._named = frozenset(
            lamp for row in rows for lamp in _LAMP.findall(row.get("Hint")[:4096])
        )
        return self._named - before
