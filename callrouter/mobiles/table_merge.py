"""Merges registered mobiles into the routing table, as if they were configured."""

from __future__ import annotations

from dataclasses import replace

from callrouter.mobiles.book import MobileBook, in_order
from callrouter.mobiles.mobile_records import MobileRow
from callrouter.model.hours import Hours, parse_spans
from callrouter.model.routing_table import AgentSpec, DeviceSpec, Table


class TableMerger:
    """Adds registered mobiles to tables. An unchanged agent is the same object as the last time."""

    def __init__(self, book: MobileBook) -> None:
        self._book = book
        self._last: dict[str, tuple[AgentSpec, tuple[DeviceSpec, ...], AgentSpec]] = {}

    def merged(self, base: Table) -> Table:
        """`base`, with each agent's registered mobiles in use after their configured devices."""
        found: dict[str, list[MobileRow]] = {}
        for row in self._book.mobiles.values():
            if row.agent in base.agents and not self._book.reason_not_rung(row):
                found.setdefault(row.agent, []).append(row)
        if not found:
            self._last = {}
            return base
        agents = dict(base.agents)
        last = self._last
        self._last = {}
        for agent, rows in found.items():
            devices = tuple(self._device(row, base) for row in in_order(rows))
            spec = base.agents[agent]
            known = last.get(agent)
            if known is not None and known[0] == spec and known[1] == devices:
                made = known[2]
            else:
                made = replace(spec, devices=(*spec.devices, *devices))
            self._last[agent] = (spec, devices, made)
            agents[agent] = made
        return replace(base, agents=agents)

    def _device(self, row: MobileRow, base: Table) -> DeviceSpec:
        """A mobile as a device. Key 1 is always required before it is connected."""
        zone = base.agents[row.agent].zone or base.zone
        hours = Hours(parse_spans(row.hours), zone, frozenset()) if row.hours else None
        return DeviceSpec(
            id=row.device,
            agent=row.agent,
            pbxes=self._book.dialling,
            number=row.number,
            confirm=True,
            ring_after=row.ring_after,
            hours=hours,
        )
