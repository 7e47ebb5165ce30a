"""Merges registered mobiles into the routing table, as if they were configured."""

from __future__ import annotations

from dataclasses import replace

from callrouter.mobiles.book import MobileBook, in_order
from callrouter.mobiles.mobile_records import MobileRow
from callrouter.model.hours import Hours, parse_spans
from callrouter.model.routing_table import AgentSpec, DeviceSpec, Table


class TableMerger:
    """Adds registered mobiles to tables.

    An unchanged agent is the same object as the last time, because the core finds what differs
    between two tables by identity.

    Args:
        book: the registered mobiles.
    """

    def __init__(self, book: MobileBook) -> None:
        self._book = book
        self._last: dict[str, tuple[AgentSpec, tuple[DeviceSpec, ...], AgentSpec]] = {}
        """By agent: as configured, the mobiles that were added, and the result."""

    def merged(self, base: Table) -> Table:
        """`base`, with each agent's registered mobiles in use after their configured devices.

        Returns:
            A new table; `base` itself if there is no mobile to add.
        """
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


class MergedTable:
    """The table in force: the configured one with the registered mobiles.

    While a new configuration is applied, changes of mobiles are held back. A large change is
    applied in steps, and a table of ours between two steps would undo the first ones.

    Args:
        book: the registered mobiles.
        configured: the table as configured.
    """

    def __init__(self, book: MobileBook, configured: Table) -> None:
        self._merger = TableMerger(book)
        self._configured = configured
        self._in_force = configured
        self._held = False

    def hold(self) -> None:
        """Hold changes of mobiles back until `release`."""
        self._held = True

    def reconfigure(self, configured: Table) -> tuple[Table, Table]:
        """Use a new table as configured. The book must know its rules and agents already.

        Returns:
            The table in force until now, and the one to apply.
        """
        self._configured = configured
        before, self._in_force = self._in_force, self._merger.merged(configured)
        return before, self._in_force

    def release(self) -> None:
        """Changes of mobiles count again."""
        self._held = False

    def changed(self) -> Table | None:
        """The table that comes into force because mobiles have changed.

        Returns:
            The table, which must be applied; None if it has not changed or changes are held back.
        """
        if self._held:
            return None
        table = self._merger.merged(self._configured)
        if table == self._in_force:
            return None
        self._in_force = table
        return table
