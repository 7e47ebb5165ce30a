"""`check`, a little at a time: what must always hold, looked at while calls are on.

A round goes over every call, offer and agent. Each is looked at by itself, at one moment between two
events, so that a slice costs what it looks at and no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from callrouter.core import check
from callrouter.core.state import Agent, Call, Floor, Offer

MOST_MEMBERS = 500
"""Whether a call waits beside an available agent is looked at in queues of so many members at most."""

Thing: TypeAlias = Call | Offer | Agent


class Audit:
    """Goes round and round.

    Attributes:
        rounds: how often everything was looked at.
    """

    def __init__(self, floor: Floor) -> None:
        self.rounds = 0
        self._floor = floor
        self._left: deque[Thing] = deque()

    def again(self) -> None:
        """Begin a new round: something happened that calls for it."""
        self._left.clear()

    def look(self, most: int) -> list[str]:
        """Look at the next few; returns the breaches found, in words."""
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
        """What is over by now is passed over."""
        floor = self._floor
        match thing:
            case Call() if floor.calls.get(thing.id) is thing:
                yield from check.one_call(floor, thing)
                if len(thing.queue.members) <= MOST_MEMBERS:
                    yield from check.served(floor, thing)
            case Offer() if floor.offers.get(thing.id) is thing:
                yield from check.one_offer(floor, thing)
            case Agent() if floor.agents.get(thing.id) is thing:
                yield from check.one_agent(floor, thing)
            case _:
                return
