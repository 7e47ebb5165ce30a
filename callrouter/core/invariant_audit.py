"""Runs the invariants of `check` in small slices while the daemon handles calls.

One round covers every call, offer and agent. Each is checked by itself between two events, so a
slice costs no more than the objects it checks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from callrouter.core import invariants
from callrouter.core.floor import Floor
from callrouter.core.state import Agent, Call, Offer

MOST_MEMBERS = 500
"""Most members of a queue in which the audit looks for calls beside an available agent."""

Thing: TypeAlias = Call | Offer | Agent


class Audit:
    """Checks the floor round after round.

    Attributes:
      rounds: number of rounds begun.
    """

    def __init__(self, floor: Floor) -> None:
        self.rounds = 0
        self._floor = floor
        self._left: deque[Thing] = deque()

    def again(self) -> None:
        """Start a new round, because something happened that calls for it.

        What the present round has not checked yet is dropped. The next `check_next` starts with all
        objects of that moment.
        """
        self._left.clear()

    def check_next(self, most: int) -> list[str]:
        """Check the next few objects. Returns the breaches found, in words.

        At most `most` objects are checked; fewer at the end of a round. If the last round is over,
        this begins the next one. Objects that are over by now count as checked.
        """
        floor = self._floor
        if not self._left:
            self.rounds += 1
            self._left.extend(floor.calls.values())
            self._left.extend(floor.offers.values())
            self._left.extend(floor.agents.values())
        found: list[str] = []
        for _ in range(min(most, len(self._left))):
            found += self._one(self._left.popleft())
        return found

    def _one(self, thing: Thing) -> Iterator[str]:
        """Objects that are over by now are skipped."""
        floor = self._floor
        match thing:
            case Call() if floor.calls.get(thing.id) is thing:
                yield from invariants.one_call(floor, thing)
                if len(thing.queue.members) <= MOST_MEMBERS:
                    yield from invariants.served(floor, thing)
            case Offer() if floor.offers.get(thing.id) is thing:
                yield from invariants.one_offer(floor, thing)
            case Agent() if floor.agents.get(thing.id) is thing:
                yield from invariants.one_agent(floor, thing)
            case _:
                return
