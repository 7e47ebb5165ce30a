"""Lines of waiting calls: that of a queue, for people; those of lanes, in which agents look for calls."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from callrouter.core.refused import Entry, Passed, Refused

if TYPE_CHECKING:
    from callrouter.core.pools import Pool
    from callrouter.core.state import Call

NOBODY: Passed = frozenset()


class QueueLine:
    """All who wait in a queue, by priority, first entry, and who was seen first.

    A plain sorted list: in a line of thousands, to move those behind one place on is a copy of a few
    kilobytes.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[tuple[float, float, int, Call]] = []

    def add(self, call: Call) -> None:
        """The call waits, at the place that `Call.key` says."""
        insort(self._calls, (*call.key, call))

    def discard(self, call: Call) -> None:
        """The call no longer waits; nothing happens if it did not."""
        place = self.position(call)
        if place:
            del self._calls[place - 1]

    def position(self, call: Call) -> int:
        """The place of a call, from 1; 0 if it does not wait here."""
        calls = self._calls
        place = bisect_left(calls, call.key)
        return place + 1 if place < len(calls) and calls[place][3] is call else 0

    def values(self) -> list[Call]:
        """All of them, the first first."""
        return [entry[3] for entry in self._calls]

    def first(self) -> Call | None:
        """The first of them, if there is one."""
        return self._calls[0][3] if self._calls else None

    def __len__(self) -> int:
        return len(self._calls)


class LaneLine:
    """The calls of a lane that want agents, in the order in which they are to be taken.

    Most have been refused by nobody. They are a heap, whose entries of calls that have left stay until
    they come up or are the most. The others are kept aside, in `Refused`.
    """

    __slots__ = ("_heap", "_passed", "_refused", "_standing", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._refused = Refused()
        self._standing: dict[str, Entry] = {}
        self._passed: dict[str, Passed] = {}
        self._sweep_at = 64

    def add(self, call: Call) -> None:
        """The call wants an agent. It does not stand here yet."""
        entry = self._standing[call.id] = (*call.rank, call)
        if call.tried or call.offers:
            passed = self._passed[call.id] = call.passed()
            self._refused.add(entry, passed)
            return
        heappush(self._heap, entry)
        if len(self._heap) > self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        kept = [entry for call, entry in self._standing.items() if call not in self._passed]
        heapify(kept)
        self._heap = kept
        self._sweep_at = 2 * len(kept) + 64

    def remove(self, call: Call) -> None:
        """The call wants nobody more for now."""
        entry = self._standing.pop(call.id)
        if self._passed and self._passed.pop(call.id, None) is not None:
            self._refused.discard(entry)

    def passed(self, call: Call) -> Passed:
        """The agents who were not to be rung for a call when it was put here."""
        return self._passed.get(call.id, NOBODY)

    def first_for(self, agent: str) -> Entry | None:
        """The first call for which an agent may be rung."""
        first = self._first()
        if not self._refused:
            return first
        other = self._refused.first(lambda passed: agent in passed)
        return other if first is None or (other is not None and other < first) else first

    def first_of(self, idle: Pool) -> Entry | None:
        """The first call for which any of these agents may be rung; there is one at least."""
        first = self._first()
        if not self._refused:
            return first
        other = self._refused.first(lambda passed: not idle.has(passed))
        return other if first is None or (other is not None and other < first) else first

    def _first(self) -> Entry | None:
        """The first call that nobody has refused."""
        heap, standing = self._heap, self._standing
        while heap:
            entry = heap[0]
            if standing.get(entry[4].id) is entry:
                return entry
            heappop(heap)
        return None

    def __contains__(self, call: Call) -> bool:
        return call.id in self._standing

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._standing.values()))

    def __len__(self) -> int:
        return len(self._standing)
