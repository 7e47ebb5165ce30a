"""Lines of waiting calls: one per queue, for positions, and one per lane, for matching."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from callrouter.core.index.exclusions import Excluded, ExclusionTree, RankedCall

NOBODY: Excluded = frozenset()


class WaitingCall(Protocol):
    """What the lines read of a call.

    The index knows no more of it, so it does not depend on the core's state.
    """

    @property
    def id(self) -> str:
        """The call's id."""

    @property
    def key(self) -> tuple[float, float, int]:
        """The order within a queue.

        The lowest comes first. It must not change while the call stands in a line.
        """

    @property
    def rank(self) -> tuple[float, float, float, int]:
        """The order across queues.

        The lowest comes first. It must not change while the call stands in a lane.
        """

    @property
    def tried(self) -> Collection[str]:
        """Agents who refused or missed the call."""

    @property
    def offers(self) -> Collection[str]:
        """Agents who are being rung for the call."""

    def excluded(self) -> Excluded:
        """Both of these: the agents who are not to be rung for the call now."""


class IdleAgents(Protocol):
    """What a line asks of a lane's agents."""

    def has(self, excluded: Collection[str], /) -> bool:
        """Whether there is an agent not in `excluded`."""


CallT = TypeVar("CallT", bound=WaitingCall)


class QueueLine(Generic[CallT]):
    """Every call waiting in a queue, by priority, then first entry, then `Call.seq`.

    A plain sorted list. Even in a line of thousands, an insertion moves only a few kilobytes.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[tuple[float, float, int, CallT]] = []

    def add(self, call: CallT) -> None:
        """Insert the call at the position that `Call.key` gives it.

        The call must not be in this line.
        """
        insort(self._calls, (*call.key, call))

    def discard(self, call: CallT) -> None:
        """Remove the call. Does nothing if it does not wait here."""
        position = self.position(call)
        if position:
            del self._calls[position - 1]

    def position(self, call: CallT) -> int:
        """The position of a call, from 1; 0 if it does not wait here.

        It is found by `Call.key`, without a walk along the line.
        """
        calls = self._calls
        index = bisect_left(calls, call.key)
        return index + 1 if index < len(calls) and calls[index][3] is call else 0

    def values(self) -> list[CallT]:
        """All calls, in order.

        The list is a copy, so calls may leave while it is read.
        """
        return [entry[3] for entry in self._calls]

    def first(self) -> CallT | None:
        """The first call, or None."""
        return self._calls[0][3] if self._calls else None

    def __len__(self) -> int:
        return len(self._calls)


class LaneLine(Generic[CallT]):
    """The calls of a lane that want agents, in the order in which they are taken.

    Most calls have tried no agent yet. Those are in a heap, and removal is lazy: the entry of a
    call that has left stays until it reaches the top, or until such entries outnumber the others
    and a sweep rebuilds the heap. `_standing` is the truth, so a stale entry is recognised by
    identity. Calls that have tried agents are kept in `ExclusionTree`.
    """

    __slots__ = ("_excluded", "_heap", "_standing", "_sweep_at", "_tree")

    def __init__(self) -> None:
        self._heap: list[RankedCall[CallT]] = []
        self._tree: ExclusionTree[CallT] = ExclusionTree()
        self._standing: dict[str, RankedCall[CallT]] = {}
        self._excluded: dict[str, Excluded] = {}
        self._sweep_at = 64

    def add(self, call: CallT) -> None:
        """Insert a call that wants an agent. It must not be in this line."""
        entry = self._standing[call.id] = (*call.rank, call)
        # A call that has tried no agent is open to each of them, so its rank alone decides and a heap is
        # enough. Only the few that some agent has refused need the tree, which is dearer.
        if call.tried or call.offers:
            excluded = self._excluded[call.id] = call.excluded()
            self._tree.add(entry, excluded)
            return
        heappush(self._heap, entry)
        if len(self._heap) > self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        # The heap may double before the next sweep. So a sweep of n entries is paid for by the n
        # insertions before it, and an insertion costs the same on average however long the line is.
        kept = [entry for call, entry in self._standing.items() if call not in self._excluded]
        heapify(kept)
        self._heap = kept
        self._sweep_at = 2 * len(kept) + 64

    def remove(self, call: CallT) -> None:
        """Remove a call that wants no more agents for now.

        Raises:
            KeyError: the call is not in this line.
        """
        entry = self._standing.pop(call.id)
        if self._excluded and self._excluded.pop(call.id, None) is not None:
            self._tree.discard(entry)

    def excluded(self, call: CallT) -> Excluded:
        """The agents that were excluded for a call when it was inserted.

        Empty if the call is not in this line.
        """
        return self._excluded.get(call.id, NOBODY)

    def first_for(self, agent: str) -> RankedCall[CallT] | None:
        """The first call for which this agent may be rung.

        None if there is none. May drop stale entries, but removes no call.
        """
        first = self._first()
        if not self._tree:
            return first
        # Monotonic, as `SkipTest` requires: a larger set still contains the agent.
        other = self._tree.first(lambda excluded: agent in excluded)
        return other if first is None or (other is not None and other < first) else first

    def first_of(self, idle: IdleAgents) -> RankedCall[CallT] | None:
        """The first call for which any of these agents may be rung. `idle` must not be empty.

        None if there is none. May drop stale entries, but removes no call.
        """
        first = self._first()
        if not self._tree:
            return first
        # Monotonic, as `SkipTest` requires: a larger set leaves no more agents than a smaller one.
        other = self._tree.first(lambda excluded: not idle.has(excluded))
        return other if first is None or (other is not None and other < first) else first

    def _first(self) -> RankedCall[CallT] | None:
        """The first call with no excluded agents. Stale entries above it are dropped."""
        heap, standing = self._heap, self._standing
        while heap:
            entry = heap[0]
            if standing.get(entry[4].id) is entry:
                return entry
            heappop(heap)
        return None

    def __contains__(self, call: CallT) -> bool:
        return call.id in self._standing

    def __iter__(self) -> Iterator[RankedCall[CallT]]:
        return iter(sorted(self._standing.values()))

    def __len__(self) -> int:
        return len(self._standing)
