"""The thread that holds the lease, or waits until it can be taken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from callrouter.cluster.lease import ANY, LOOK_EVERY, RENEW_EVERY, PoolRow, Term, Watch
from callrouter.cluster.lease_queries import (
    NodeFacts,
    NodeState,
    RenewedLease,
    ask_to_hand_over,
    forget_node,
    prepare,
    read_pool,
    release,
    renew,
    show_node,
    take,
    too_new,
)
from callrouter.store.location import Address, StoreError

logger = logging.getLogger(__name__)

STALLED: Final = 2.0
"""Seconds for which the event loop may stand still. Then the lease is renewed no more, so that a standby takes it."""
LOG_EVERY: Final = 60.0
"""Seconds between two log lines about the same trouble."""


class LeaseListener(Protocol):
    """Hears what happens to the lease. Every method is called in the keeper's thread."""

    def taken(self, term: Term, before: str) -> None:
        """This node holds the lease from now on.

        Args:
            term: ends with the lease.
            before: the node that held it before; empty: none has.
        """

    def lost(self, why: str) -> None:
        """Another node has taken the lease, or the row says so. `why` is in words."""

    def hand_over(self, to: str) -> None:
        """This node is asked to hand over. `to` is a standby; the lease is held until `LeaseKeeper.release`."""


class LeaseKeeper:
    """Looks after the lease of a pool for one node, in a thread with a connection of its own.

    Nothing is taken before `campaign`. A lease that cannot be renewed, because the database is away,
    is not given up: nothing says that another node has it. `Term.sure` is then False.

    Args:
        address: the database.
        node: this node. Its run must be one that no other process has.
        listener: hears what happens.
        state: tells what this node shows the others. Called in the thread.
        alive_at: returns when the event loop last gave a sign of life, in seconds since boot.
        clock: the seconds since boot.
    """

    def __init__(
        self,
        address: Address,
        node: NodeFacts,
        listener: LeaseListener,
        *,
        state: Callable[[], NodeState],
        alive_at: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        from callrouter.cluster.lease_link import LeaseLink  # noqa: PLC0415 - an optional extra

        self.node = node
        self._listener = listener
        self._state = state
        self._alive_at = alive_at
        self._clock = clock
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        # Guarded by the condition.
        self._stopping = False
        self._campaigning = False
        self._woken = False
        """Whether there is something to do at once, also if the thread has just decided to wait."""
        self._hurried = False
        self._to_release: tuple[Term, str] | None = None
        """The term to end, and the node that may take the lease at once."""
        self._was_released = False
        self._release_tried = threading.Event()
        self._newest = 0
        # Of the thread alone, and read by others.
        self._link = LeaseLink(address)
        self._schema = address.schema
        self._unfit = ""
        self._watch = Watch(node.name)
        self._term: Term | None = None
        self._prepared = False
        self._renew_at = 0.0
        self._show_at = 0.0
        self._trouble = ""
        self._logged_at: float | None = None
        self._name_taken = False

    def start(self) -> None:
        """Begin to watch the lease."""
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why this node can neither take over nor renew its lease now, in words; empty: it can."""
        return self._trouble or self._unfit

    @property
    def row(self) -> PoolRow | None:
        """The pool's row as last seen while another node held the lease; None: not seen now."""
        return self._watch.row

    def campaign(self) -> None:
        """Take the lease as soon as it can be taken. It ends with the lease."""
        with self._changed:
            self._campaigning = True
            self._wake()

    def rest(self) -> None:
        """Take no lease until `campaign` is called."""
        with self._changed:
            self._campaigning = False

    def knows(self, epoch: int) -> None:
        """Take no epoch that is not newer than this one, which was seen on a PBX."""
        with self._changed:
            self._newest = max(self._newest, epoch)

    def hurry(self) -> None:
        """Renew the lease now: the row has something to tell, such as a wish to hand over."""
        with self._changed:
            self._hurried = True
            self._wake()

    def give_up(self, term: Term) -> None:
        """End a term without telling the database, which may be away: another epoch is in force."""
        term.end()
        with self._changed:
            self._wake()

    def release(self, term: Term, to: str = ANY) -> None:
        """End a term and give the lease back, soon. See `wait_released`.

        Args:
            term: the term that ends. A later one is not touched.
            to: the node that may take the lease at once.
        """
        term.end()
        with self._changed:
            self._release_tried.clear()
            self._to_release = (term, to)
            self._wake()

    def wait_released(self, within: float) -> bool:
        """Wait until the lease was given back.

        Returns False if the database could not be told, or if that took longer than `within` seconds.
        """
        return self._release_tried.wait(within) and self._was_released

    def close(self, within: float) -> None:
        """Stop watching and renewing, and take this node off the list. A lease that is held stays until it ends."""
        with self._changed:
            self._stopping = True
            self._wake()
        self._thread.join(within)

    def _wake(self) -> None:
        """Let the thread take its next step at once. The caller has the condition."""
        self._woken = True
        self._changed.notify()

    # ------------------------------------------------------------ in the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping and self._to_release is None:
                    break
                self._woken = False
            try:
                until = self._step()
                self._works()
            except StoreError as error:
                until = self._failed(str(error))
            except Exception as error:
                logger.exception("a fault in keeping the lease")
                until = self._failed(str(error))
            with self._changed:
                if not self._woken:
                    self._changed.wait(max(0.0, until - self._clock()))
        self._leave()

    def _step(self) -> float:
        """Do what is due. Returns when the next step is."""
        if not self._link.open:
            self._watch.lost_sight()
            self._prepared = False
        term = self._term
        if self._to_release is not None:
            return self._give_back(*self._to_release)
        if term is not None and term.over:
            self._term = term = None
            self._watch.lost_sight()
        if not self._prepared:
            prepare(self._link, self.node.pool)
            self._prepared = True
        return self._look() if term is None else self._hold(term)

    def _hold(self, term: Term) -> float:
        now = self._clock()
        if not self._is_due(now):
            return self._renew_at
        stood = now - self._alive_at()
        if stood > STALLED:
            raise StoreError(f"the event loop has stood still for {stood:.0f} s")
        renewed = renew(self._link, self.node, self._shown(), term.epoch, now)
        if renewed is None:
            self._lost(term)
            return now
        term.renewed(now, sealed=renewed.sealed)
        self._renew_at = now + RENEW_EVERY
        if renewed.hand_to:
            self._hand_over(renewed)
        return self._renew_at

    def _is_due(self, now: float) -> bool:
        """Whether to renew the lease. Once `hurry` was called, it is due until it has been renewed."""
        with self._changed:
            if self._hurried:
                self._hurried = False
                self._renew_at = now
        return now >= self._renew_at

    def _lost(self, term: Term) -> None:
        row = read_pool(self._link, self.node.pool)
        term.end()
        self._term = None
        self._campaigning = False
        self._watch.lost_sight()
        if row.epoch > term.epoch:
            why = f"{row.holder} has taken the pool over (epoch {row.epoch})"
        else:
            why = f"the database does not know of it (it is at epoch {row.epoch}, ours is {term.epoch})"
            self._newest = max(self._newest, term.epoch)
        self._listener.lost(why)

    def _hand_over(self, renewed: RenewedLease) -> None:
        to = renewed.hand_to
        if to == ANY and renewed.standbys:
            to = renewed.standbys[0]
        if to in renewed.standbys:
            self._listener.hand_over(to)
            return
        ask_to_hand_over(self._link, self.node.pool, "")
        if to == self.node.name:
            logger.info("hand-over: %s is active already", to)
        elif to == ANY:
            logger.warning("hand-over: there is no standby that could take over; nothing is done")
        else:
            logger.warning(
                "hand-over: %s is no standby that could take over (there %s); nothing is done",
                to,
                f"is {', '.join(renewed.standbys)}" if renewed.standbys else "is none",
            )

    def _look(self) -> float:
        now = self._clock()
        if now >= self._show_at:
            self._look_at_version()
            free = show_node(self._link, self.node, self._shown())
            if not free and not self._name_taken:
                logger.error(
                    "another callrouter in the pool %s is named %s too: give each a name of its own",
                    *(self.node.pool, self.node.name),
                )
            self._name_taken = not free
            self._show_at = now + RENEW_EVERY
        asked_at = self._clock()
        row = read_pool(self._link, self.node.pool)
        self._watch.saw(row, self._clock(), asked_at)
        takes_at = self._watch.takes_at()
        now = self._clock()
        if takes_at is None or not self._campaigning or self._unfit:
            return now + LOOK_EVERY
        if now < takes_at:
            return min(takes_at, now + LOOK_EVERY)
        stood = now - self._alive_at()
        if stood > STALLED:
            raise StoreError(f"the event loop has stood still for {stood:.0f} s")
        taken = take(self._link, self.node, row, self._newest)
        if taken is None:
            return now
        term = Term(
            taken.epoch,
            now,
            after_release=taken.after_release,
            sealed=taken.sealed,
            clock_before=self._watch.holder_clock_ahead,
        )
        self._term = term
        self._campaigning = False
        self._renew_at = now + RENEW_EVERY
        self._listener.taken(term, taken.before)
        return self._renew_at

    def _look_at_version(self) -> None:
        """See that a node of an old version does not take over a database that it cannot read."""
        unfit = too_new(self._link, self._schema)
        if unfit and unfit != self._unfit:
            logger.error("cluster: this standby cannot take over: %s", unfit)
        self._unfit = unfit

    def _shown(self) -> NodeState:
        state = self._state()
        return replace(state, problem=state.problem or self._unfit)

    def _give_back(self, term: Term, to: str) -> float:
        """Give the lease back, once: if the database is away, it ends by itself."""
        released = False
        try:
            release(self._link, self.node, term.epoch, to)
            released = True
        finally:
            with self._changed:
                self._to_release = None
                self._was_released = released
            if self._term is term:
                self._term = None
            self._watch.lost_sight()
            self._release_tried.set()
        return self._clock()

    def _leave(self) -> None:
        try:
            if self._link.open:
                forget_node(self._link, self.node)
        except StoreError as error:
            logger.debug("not taken off the list of nodes: %s", error)
        self._link.close()

    # ------------------------------------------------------------ trouble

    def _works(self) -> None:
        if self._trouble:
            logger.info("cluster: the lease is looked after again")
            self._trouble = ""
            self._logged_at = None

    def _failed(self, why: str) -> float:
        now = self._clock()
        if self._logged_at is None or now - self._logged_at >= LOG_EVERY:
            self._logged_at = now
            if self._term is not None:
                text = "cluster: the lease cannot be renewed, and calls go on until another takes over: %s"
            else:
                text = "cluster: the lease cannot be watched, so this standby cannot take over: %s"
            logger.error(text, why)
        self._trouble = why
        return now + LOOK_EVERY
