"""Deadlines, each under a key: setting a key again replaces it, so none can be doubled or lost."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple, TypeAlias


class Timer(IntEnum):
    """Kinds of deadlines; of two that fall on the same instant the lower kind strikes first.

    `WAIT` precedes `RETRY` so that a caller whose time is up is not rung for once more.
    """

    __hash__ = int.__hash__  # Enum's own is written in Python

    WAIT = 0
    RING = 1
    ACCEPT = 2
    CONNECT = 3
    CLOSE = 4
    WRAP_UP = 5
    PAUSE = 6
    REST = 7
    HOURS = 8
    LEG = 9
    SHIFT = 10
    WIDEN = 11
    PREFER = 12
    MINUTE = 13
    DAY = 14
    ANNOUNCE = 15
    ALONE = 16
    NOBODY = 17
    RETRY = 18


class Key(NamedTuple):
    """What a deadline is for: a call, an offer, an agent or one device of it, a queue, or no one."""

    kind: Timer
    id: str
    device: str = ""


Owner: TypeAlias = str | tuple[str, str]
"""Whose deadline it is: the id of a call, an offer, an agent or a queue, or an id and a device."""

_Entry: TypeAlias = tuple[float, int, Owner]
"""When, the value of the kind, and whose: nothing that the garbage collector would have to look at."""


_KINDS: Final = tuple(Timer)


class Deadlines:
    """The deadlines of one kind, in epoch seconds."""

    __slots__ = ("_armed", "_heap", "_kind", "_timers")

    def __init__(self, timers: Timers, kind: Timer, heap: list[_Entry]) -> None:
        self._timers = timers
        self._kind = int(kind)
        self._armed: dict[Owner, float] = {}
        self._heap = heap

    def set(self, owner: Owner, at: float) -> None:
        """Strike at `at`, and no longer at any earlier-set time."""
        if self._armed.get(owner) == at:
            return
        self._armed[owner] = at
        heap = self._heap
        heappush(heap, (at, self._kind, owner))
        if len(heap) > self._timers.sweep_at:
            self._timers.sweep()

    def cancel(self, owner: Owner) -> None:
        """Forget it; nothing happens if it was not set."""
        self._armed.pop(owner, None)

    def at(self, owner: Owner) -> float | None:
        """When it strikes, or None."""
        return self._armed.get(owner)

    def strikes(self, owner: Owner) -> None:
        """It is being taken."""
        del self._armed[owner]

    def all(self) -> list[tuple[Owner, float]]:
        """Whose there are, and when each strikes."""
        return list(self._armed.items())


class Timers:
    """All deadlines, the earliest first: `timers.ring.set(offer, at)`.

    A heap whose cancelled entries stay until they come up: setting and cancelling, which nearly every
    deadline of a call centre ends in, then cost next to nothing. It is swept when most of it is stale.
    Each kind has a name here, for with it nothing is looked up and no key is made on the way.
    """

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self.sweep_at = 64
        """Of the kinds of deadlines only: how many entries are too many."""
        self._kinds = [Deadlines(self, kind, self._heap) for kind in Timer]  # at its value's place
        self.wait = self._kinds[Timer.WAIT]
        self.ring = self._kinds[Timer.RING]
        self.accept = self._kinds[Timer.ACCEPT]
        self.connect = self._kinds[Timer.CONNECT]
        self.close = self._kinds[Timer.CLOSE]
        self.wrap_up = self._kinds[Timer.WRAP_UP]
        self.pause = self._kinds[Timer.PAUSE]
        self.rest = self._kinds[Timer.REST]
        self.hours = self._kinds[Timer.HOURS]
        self.leg = self._kinds[Timer.LEG]
        self.shift = self._kinds[Timer.SHIFT]
        self.widen = self._kinds[Timer.WIDEN]
        self.prefer = self._kinds[Timer.PREFER]
        self.minute = self._kinds[Timer.MINUTE]
        self.day = self._kinds[Timer.DAY]
        self.announce = self._kinds[Timer.ANNOUNCE]
        self.alone = self._kinds[Timer.ALONE]
        self.nobody = self._kinds[Timer.NOBODY]
        self.retry = self._kinds[Timer.RETRY]

    def of(self, kind: Timer) -> Deadlines:
        """The deadlines of a kind."""
        return self._kinds[kind]

    def sweep(self) -> None:
        """Leave only what is still to strike."""
        self._heap[:] = [
            (at, kind, owner)
            for kind, deadlines in enumerate(self._kinds)
            for owner, at in deadlines.all()
        ]
        heapify(self._heap)
        self.sweep_at = 2 * len(self._heap) + 64

    def quiet(self, now: float) -> bool:
        """Whether certainly nothing strikes up to `now`: a look that costs nothing."""
        heap = self._heap
        return not heap or heap[0][0] > now

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            at, kind, owner = heap[0]
            if self._kinds[kind].at(owner) == at:
                return at
            heappop(heap)
        return None

    def pop(self, now: float) -> Key | None:
        """Take the earliest deadline that is not after `now`, if there is one."""
        at = self.next()
        if at is None or at > now:
            return None
        _, kind, owner = heappop(self._heap)
        self._kinds[kind].strikes(owner)
        return _key(kind, owner)

    def keys(self) -> frozenset[Key]:
        """All that are set."""
        return frozenset(
            _key(kind, owner)
            for kind, deadlines in enumerate(self._kinds)
            for owner, _ in deadlines.all()
        )


def _key(kind: int, owner: Owner) -> Key:
    return Key(_KINDS[kind], owner) if isinstance(owner, str) else Key(_KINDS[kind], *owner)
