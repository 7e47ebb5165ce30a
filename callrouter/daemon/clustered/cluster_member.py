"""This process as a member of a cluster: whether its router may act, and when that begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from callrouter import __version__
from callrouter.clock import since_boot
from callrouter.cluster.lease import ANY, VALID, PoolRow, Term
from callrouter.cluster.lease_keeper import LeaseKeeper
from callrouter.cluster.lease_queries import NodeFacts, NodeState
from callrouter.daemon.clustered.known_cluster import KnownCluster
from callrouter.settings.loaded import ClusterSettings
from callrouter.store.location import Address

logger = logging.getLogger(__name__)

ALIVE_EVERY: Final = 0.25
"""Seconds between two signs of life of the event loop for the keeper's thread."""
RELEASE_WITHIN: Final = 1.2
"""Seconds to give the lease back."""
CLOSE_WITHIN: Final = 1.2
"""Seconds for the keeper to take this node off the list."""


SAME_CLOCK: Final = 2.0
"""Seconds by which the clocks of two machines may differ and still count as equal."""


class TenureEnd(enum.Enum):
    """Why a router is no longer the active one."""

    OVERTAKEN = "overtaken"
    """Another router is active, or may be: nothing may be written any more."""
    HAND_OVER = "hand-over"
    """An operator wants another to be active: everything is written, then the lease is given back."""


class Tenure:
    """The authority of one router: a standby, then perhaps active, then over for good.

    A router that has stepped down is closed, and another is made in its place with another tenure. So
    what is left of the old one can never act again. See `callrouter.pbx.interface.Authority`.
    """

    def __init__(self, step_down: Callable[[Tenure, str, int], None]) -> None:
        self._step_down = step_down
        self.term: Term | None = None
        self.before = ""
        """The node that was active before this one; empty: none was."""
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.end: TenureEnd | None = None
        self.hand_to = ANY
        self.serving = False
        """Whether what is stored has been read since, so that requests can be answered here."""

    @property
    def epoch(self) -> int:
        """The epoch of this router; 0: it is a standby."""
        return 0 if self.term is None else self.term.epoch

    @property
    def active(self) -> bool:
        """Whether this router is the active one, as far as it knows."""
        return self.term is not None and not self.term.over

    def sure(self) -> bool:
        """Whether the lease certainly is valid at this moment."""
        return self.term is not None and self.term.sure(since_boot())

    def newer_epoch(self, pbx: str, epoch: int) -> None:
        """A PBX obeys a newer epoch: step down at once."""
        self._step_down(self, f"{pbx} obeys a router of epoch {epoch}", epoch)

    def begin(self, term: Term, before: str) -> None:
        """This router is the active one from now on."""
        self.term, self.before = term, before
        self.began.set()

    def clock_ahead(self, now: float) -> float:
        """Return the seconds by which the clock of the router before is ahead of ours.

        Less than `SAME_CLOCK` counts as none: that much may come of what messages take.

        Args:
            now: the time by the clock of this router.
        """
        if self.term is None or self.term.clock_before is None:
            return 0.0
        ahead = self.term.clock_before + since_boot() - now
        return ahead if abs(ahead) >= SAME_CLOCK else 0.0

    def finish(self, end: TenureEnd, hand_to: str = ANY) -> None:
        """Let the router be closed. If another router is active, nothing is done by this one any more."""
        if end is TenureEnd.OVERTAKEN and self.term is not None:
            self.term.end()
        if self.end is None or end is TenureEnd.OVERTAKEN:
            self.end = end
        self.hand_to = hand_to
        self.ended.set()


@dataclass(frozen=True, slots=True)
class ConfigShown:
    """The configuration that a node has in force, as it shows it to the others.

    Attributes:
        digest: equal on nodes with the same configuration; empty: not known.
        source: ``files`` or ``database``.
    """

    digest: str = ""
    source: str = "files"


class ClusterMember:
    """Made once for a process. Everything but the keeper's callbacks is called on the loop.

    Args:
        settings: of the cluster.
        address: the database.
    """

    def __init__(self, settings: ClusterSettings, address: Address) -> None:
        self.settings = settings
        self._since = since_boot()
        self._alive_at = since_boot()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tenure: Tenure | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._seen: PoolRow | None = None
        self.show_config: Callable[[], ConfigShown] = ConfigShown
        """Tells what configuration is in force. Called in a thread; cheap."""
        self.router_clock: Callable[[], float] | None = None
        """The clock of the present router, in epoch seconds. Called in a thread."""
        self.problem = ""
        """What keeps this node from taking over, for the other nodes and for `status`; empty: nothing."""
        node = NodeFacts(
            pool=settings.pool,
            name=settings.name,
            run_id=secrets.token_hex(8),
            pid=os.getpid(),
            host=socket.gethostname(),
            url=settings.url,
            version=__version__,
        )
        self.known = KnownCluster(settings, address, node.run_id)
        """What the API knows of the cluster."""
        self.keeper = LeaseKeeper(
            address,
            node,
            self,
            state=self._state,
            alive_at=lambda: self._alive_at,
            clock=since_boot,
        )
        # The active node carries out what it is asked, so it need not wait for its next renewal.
        self.known.on_hand_over = self.keeper.hurry

    def start(self) -> None:
        """Begin to watch the lease. Call it on the loop, once."""
        self._loop = asyncio.get_running_loop()
        self._note_alive()
        self.keeper.start()
        self.known.start()

    def new_tenure(self) -> Tenure:
        """Return the authority of the next router. The one before is closed."""
        tenure = self._tenure = Tenure(self._overtaken)
        self.known.is_active = lambda: tenure.serving and tenure.active
        return tenure

    def campaign(self) -> None:
        """The router is ready to take over: let it do so as soon as no other is active.

        To make the router may have kept the loop for seconds. It is alive now.
        """
        self._alive_at = since_boot()
        self.keeper.campaign()

    async def release(self, tenure: Tenure) -> None:
        """Give the lease back. The router has stopped, and everything is written."""
        self._since = since_boot()
        term = tenure.term
        if term is None or term.over:
            return
        self.keeper.release(term, tenure.hand_to)
        if not await asyncio.to_thread(self.keeper.wait_released, RELEASE_WITHIN):
            logger.warning(
                "cluster: the lease of pool %s could not be given back; it ends by itself in %.1f s",
                *(self.settings.pool, VALID),
            )

    async def close(self) -> None:
        """Take no lease any more, and take this node off the list."""
        self.keeper.rest()
        self.known.close()
        await asyncio.to_thread(self.keeper.close, CLOSE_WITHIN)
        if self._timer is not None:
            self._timer.cancel()

    def status(self) -> dict[str, Any]:
        """Return the figures for ``/api/status``."""
        tenure = self._tenure
        active = tenure is not None and tenure.active
        trouble = self.keeper.trouble or self.problem
        row = self.keeper.row
        term = tenure.term if tenure is not None else None
        return {
            "state": "bad" if trouble else "good",
            "node": self.settings.name,
            "pool": self.settings.pool,
            "role": "active" if active else "standby",
            "epoch": term.epoch if active and term is not None else (row.epoch if row else 0),
            "active": self.settings.name if active else (row.holder if row else ""),
            "since_s": round(since_boot() - self._since, 1),
            "lease_s": round(term.left(since_boot()), 1) if active and term is not None else None,
            "problem": trouble or None,
        }

    # ------------------------------------------------------------ called in the keeper's thread

    def taken(self, term: Term, before: str) -> None:
        """See `LeaseListener`."""
        self._on_loop(self._begin, term, before)

    def lost(self, why: str) -> None:
        """See `LeaseListener`."""
        self._on_loop(self._lost, why)

    def hand_over(self, to: str) -> None:
        """See `LeaseListener`."""
        self._on_loop(self._hand_over, to)

    def refused(self, why: str) -> None:
        """The database refused a write of the store: another router is active. Called in the store's thread."""
        self._on_loop(self._lost, f"the database says that {why}")

    def _state(self) -> NodeState:
        shown = self.show_config()
        return NodeState(
            since_s=since_boot() - self._since,
            clock=None if self.router_clock is None else self.router_clock(),
            config_digest=shown.digest,
            config_source=shown.source,
            problem=self.problem,
        )

    def _on_loop(self, action: Callable[..., None], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action, *values)

    # ------------------------------------------------------------ on the loop

    def _note_alive(self) -> None:
        self._alive_at = since_boot()
        row = self.keeper.row
        seen, self._seen = self._seen, row or self._seen
        if row is not None and (seen is None or seen.epoch != row.epoch):
            self._say_who_is_active(row)
        if self._loop is not None:
            self._timer = self._loop.call_later(ALIVE_EVERY, self._note_alive)

    def _say_who_is_active(self, row: PoolRow) -> None:
        if row.released or not row.holder or row.holder_run == self.keeper.node.run_id:
            return
        logger.info(
            "cluster: %s is a standby of pool %s; %s is active (epoch %d)",
            *(self.settings.name, self.settings.pool, row.holder, row.epoch),
        )

    def _begin(self, term: Term, before: str) -> None:
        tenure = self._tenure
        if tenure is None or tenure.ended.is_set():
            self.keeper.release(term)
            return
        self._since = since_boot()
        if term.after_release:
            why = f"{before} has given it back" if before else "no router was active before"
        else:
            why = f"{before} has not renewed its lease"
        logger.warning(
            "cluster: %s takes pool %s over (epoch %d): %s",
            *(self.settings.name, self.settings.pool, term.epoch, why),
        )
        tenure.begin(term, before)
        ahead = 0.0 if self.router_clock is None else tenure.clock_ahead(self.router_clock())
        if ahead:
            logger.warning(
                "cluster: the clock of %s is %.0f s %s that of %s: set both by NTP "
                "(what went on before keeps its length; the times of the record do not fit together)",
                *(before, abs(ahead), "ahead of" if ahead > 0 else "behind", self.settings.name),
            )

    def _lost(self, why: str) -> None:
        if self._tenure is not None:
            self._overtaken(self._tenure, why, 0)

    def _overtaken(self, tenure: Tenure, why: str, epoch: int) -> None:
        """A router is not the active one any more. Its successor never takes an epoch up to `epoch`."""
        term = tenure.term
        if term is None or tenure.end is TenureEnd.OVERTAKEN:
            return
        self.keeper.knows(epoch)
        tenure.finish(TenureEnd.OVERTAKEN)
        self.keeper.give_up(term)
        self._since = since_boot()
        logger.error(
            "cluster: %s steps down (its epoch was %d): %s; calls stay where they are",
            *(self.settings.name, term.epoch, why),
        )

    def _hand_over(self, to: str) -> None:
        tenure = self._tenure
        if tenure is not None and tenure.active and not tenure.ended.is_set():
            logger.warning(
                "cluster: %s hands pool %s over to %s",
                *(self.settings.name, self.settings.pool, to),
            )
            tenure.finish(TenureEnd.HAND_OVER, to)
