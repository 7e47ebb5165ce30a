"""Deadlines, each under a key: setting a key again replaces it, so none can be doubled or lost."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import NamedTuple


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
    RETRY = 16


class Key(NamedTuple):
    """What a deadline is for: a call, an offer, an agent or one device of it, a queue, or no one."""

    kind: Timer
    id: str
    device: str = ""


class Timers:
    """Deadlines in epoch seconds, the earliest first.

    A heap whose cancelled entries stay until they come up: setting and cancelling, which nearly every
    deadline of a call centre ends in, then cost next to nothing. It is swept when most of it is stale.
    """

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []

    def set(self, key: Key, at: float) -> None:
        """Strike at `at`, and no longer at any earlier-set time."""
        if self._at.get(key) == at:
            return
        self._at[key] = at
        heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [(at, key) for key, at in self._at.items()]
            heapify(self._heap)

    def cancel(self, key: Key) -> None:
        """Forget it; nothing happens if it was not set."""
        self._at.pop(key, None)

    def at(self, key: Key) -> float | None:
        """When it strikes, or None."""
        return self._at.get(key)

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        while self._heap:
            at, key = self._heap[0]
            if self._at.get(key) == at:
                return at
            heappop(self._heap)
        return None

    def pop(self, now: float) -> Key | None:
        """Take the earliest deadline that is not after `now`, if there is one."""
        at = self.next()
        if at is None or at > now:
            return None
        _, key = heappop(self._heap)
        del self._at[key]
        return key

    def keys(self) -> frozenset[Key]:
        """All that are set."""
        return frozenset(self._at)
