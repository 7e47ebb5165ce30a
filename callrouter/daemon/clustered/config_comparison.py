"""Compares the configuration of this router with that of the active one of its pool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from callrouter.api.context import ConfigState
from callrouter.cluster_views import ClusterPool

logger = logging.getLogger(__name__)

EVERY: Final = 5.0
"""Seconds between two looks. A new version has reached all routers long before the second."""


class ConfigComparison:
    """Says when this router has another configuration than the active one, and when no longer.

    Args:
        node: the name of this router.
        pool: returns the pool with its nodes; None: not known.
        state: receives the name of the active router, if its configuration differs.
    """

    def __init__(
        self, node: str, pool: Callable[[], ClusterPool | None], state: ConfigState
    ) -> None:
        self._node = node
        self._pool = pool
        self._state = state
        self._suspected = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            self.look()

    def look(self) -> None:
        """Compare once. A difference counts if the look before has found it too."""
        pool = self._pool()
        if pool is None:
            return
        own, active = pool.node(self._node), pool.active
        differs = own is not None and active is not None and pool.differs(own)
        name = active.name if differs and active is not None else ""
        seen_before, self._suspected = self._suspected, name
        if name and name == seen_before and self._state.differs_from != name:
            self._state.differs_from = name
            logger.error(
                "the configuration of %s is not that of %s, which is active; "
                "bring the files of both in line, or keep them in the database (config: database)"
                if not self._state.in_database
                else "the configuration of %s is not that of %s, which is active; "
                "see above why the newest version is not in force here",
                self._node,
                name,
            )
        elif not name and self._state.differs_from:
            self._state.differs_from = ""
            logger.info("the configuration of %s is that of the active router again", self._node)
