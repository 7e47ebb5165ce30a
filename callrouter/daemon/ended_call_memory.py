"""Remembers ended calls across a restart, for drivers that late messages could mislead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from callrouter.clock import Clock
from callrouter.model.ended_calls import OverRow
from callrouter.pbx.interface import RemembersCalls
from callrouter.store.location import StoreError

if TYPE_CHECKING:
    from callrouter.pbx.interface import Pbx
    from callrouter.store.repositories import EndedCallRepository

KEPT_FOR: Final = 2 * 86_400.0
"""Seconds since the end of a call."""


class EndedCallMemory:
    """Carries the ended calls between the store and the drivers.

    Args:
        store: keeps them.
        pbxes: drivers by name; those that remember ended calls are told.
        clock: the time.
    """

    def __init__(self, store: EndedCallRepository, pbxes: Mapping[str, Pbx], clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pbxes = {name: pbx for name, pbx in pbxes.items() if isinstance(pbx, RemembersCalls)}
        for name, pbx in self._pbxes.items():
            pbx.remember(lambda call, at, name=name: self._keep(name, call, at))  # type: ignore[misc]

    def _keep(self, name: str, call: str, at: float) -> None:
        self._store.add(OverRow(at=at, pbx=name, call=call))

    async def recall(self) -> None:
        """Pass the stored calls to the drivers once they can be read.

        Calls are accepted before that.
        """
        if not self._pbxes:
            return
        try:
            rows = await self._store.load(self._clock.now() - KEPT_FOR)
        except StoreError:  # the daemon is stopping
            return
        for name, pbx in self._pbxes.items():
            pbx.recall((row.call, row.at) for row in rows if row.pbx == name)
