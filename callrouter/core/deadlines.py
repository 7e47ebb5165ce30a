"""Deadlines, each under a key. Setting a key again replaces its deadline: no duplicates."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple, TypeAlias


class Timer(IntEnum):
    """Kinds of deadlines. Of two that are due at the same instant, the lower kind comes first.

    `WAIT` comes before `RETRY` so that a caller whose time is up is not rung for once more.
    """

    __hash__ = int.__hash__  # Enum's own is written in Python

    WAIT = 0
    RING = 1
    ACCEPT = 2
    CONNECT = 3
    CLOSING = 4
    WRAP_UP = 5
    PAUSE = 6
    COOLDOWN = 7
    HOURS = 8
    LEG = 9
    SHIFT = 10
    WIDEN = 11
    PREFER = 12
    MINUTE = 13
    DAY = 14
    ANNOUNCE = 15
    SHARE = 16
    NOBODY = 17
    RETRY = 18
    CLEARING = 19
    UNSEEN = 20
    LEFT = 21


class Key(NamedTuple):
    """What a deadline is for: a call, an offer, an agent or one of their devices, a queue, a PBX.

    `id` is empty for deadlines of the clock as a whole.
    """

    kind: Timer
    id: str
    device: str = ""


Owner: TypeAlias = str | tuple[str, str]
"""Owner of a deadline: the id of a call, offer, agent or queue, or an id and a device."""

_Entry: TypeAlias = tuple[float, int, Owner]
"""Due time, kind and owner: only types that the garbage collector does not have to track."""


_KINDS: Final = tuple(Timer)


class Deadlines:
    """The deadlines of one kind, in epoch seconds.

    `Timers` makes one for each kind. All of them share its heap.
    """

    __slots__ = ("_armed", "_heap", "_kind", "_timers")

    def __init__(self, timers: Timers, kind: Timer, heap: list[_Entry]) -> None:
        self._timers = timers
        self._kind = int(kind)
        self._armed: dict[Owner, float] = {}
        self._heap = heap

    def set(self, owner: Owner, at: float) -> None:
        """Arm the deadline for `at`, replacing any earlier setting.

        Args:
          owner: the id of a call, offer, agent or queue, or an id and a device.
          at: the due time in epoch seconds. It may be past: the deadline is then due at once.
        """
        if self._armed.get(owner) == at:
            return
        self._armed[owner] = at  # an earlier entry in the heap is stale from here on
        heap = self._heap
        heappush(heap, (at, self._kind, owner))
        if len(heap) > self._timers.sweep_at:
            self._timers.sweep()

    def cancel(self, owner: Owner) -> None:
        """Disarm the deadline. Does nothing if it is not armed.

        The entry in the heap stays. It is dropped when it reaches the top or when the heap is
        rebuilt.
        """
        self._armed.pop(owner, None)

    def at(self, owner: Owner) -> float | None:
        """The due time, or None if not armed."""
        return self._armed.get(owner)

    def expired(self, owner: Owner) -> None:
        """The deadline is being taken from the heap.

        For use by `Timers.pop` only.

        Raises:
            KeyError: it is not armed.
        """
        del self._armed[owner]

    def all(self) -> list[tuple[Owner, float]]:
        """Owner and due time of each armed deadline.

        The list is a copy, so deadlines may be set and cancelled while it is read.
        """
        return list(self._armed.items())


class Timers:
    """All deadlines, earliest first: `timers.ring.set(offer, at)`.

    A heap with lazy deletion. Nearly every deadline in a call centre is cancelled or replaced
    before it is due, so cancelling only drops it from `_armed` and leaves the heap alone. `_armed`
    is the truth: a heap entry counts only if its time is the one armed for its owner, and stale
    entries are dropped when they reach the top. A heap that has grown to twice its live size is
    rebuilt.

    Each kind has an attribute of its own, so that the hot path needs neither a look-up nor a key
    object.
    """

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self.sweep_at = 64
        """Number of heap entries at which a sweep is due. For use by `Deadlines` only."""
        # each at the index of its value
        self._kinds = [Deadlines(self, kind, self._heap) for kind in Timer]
        self.wait = self._kinds[Timer.WAIT]
        self.ring = self._kinds[Timer.RING]
        self.accept = self._kinds[Timer.ACCEPT]
        self.connect = self._kinds[Timer.CONNECT]
        self.closing = self._kinds[Timer.CLOSING]
        self.wrap_up = self._kinds[Timer.WRAP_UP]
        self.pause = self._kinds[Timer.PAUSE]
        self.cooldown = self._kinds[Timer.COOLDOWN]
        self.hours = self._kinds[Timer.HOURS]
        self.leg = self._kinds[Timer.LEG]
        self.shift = self._kinds[Timer.SHIFT]
        self.widen = self._kinds[Timer.WIDEN]
        self.prefer = self._kinds[Timer.PREFER]
        self.minute = self._kinds[Timer.MINUTE]
        self.day = self._kinds[Timer.DAY]
        self.announce = self._kinds[Timer.ANNOUNCE]
        self.share = self._kinds[Timer.SHARE]
        self.nobody = self._kinds[Timer.NOBODY]
        self.retry = self._kinds[Timer.RETRY]
        self.clearing = self._kinds[Timer.CLEARING]
        self.unseen = self._kinds[Timer.UNSEEN]
        self.left = self._kinds[Timer.LEFT]

    def of(self, kind: Timer) -> Deadlines:
        """The deadlines of one kind.

        For a kind known only at run time; other code uses the attribute of the kind.
        """
        return self._kinds[kind]

    def sweep(self) -> None:
        """Rebuild the heap from the armed deadlines.

        `Deadlines.set` calls it when the heap has outgrown `sweep_at`. The list stays the same
        object, because every `Deadlines` refers to it.
        """
        self._heap[:] = [
            (at, kind, owner)
            for kind, deadlines in enumerate(self._kinds)
            for owner, at in deadlines.all()
        ]
        heapify(self._heap)
        self.sweep_at = 2 * len(self._heap) + 64

    def quiet(self, now: float) -> bool:
        """Whether certainly nothing is due up to `now`, at the cost of one comparison.

        May be False without reason, when the earliest entry is stale.
        """
        heap = self._heap
        return not heap or heap[0][0] > now

    def next(self) -> float | None:
        """The earliest due time, or None.

        In epoch seconds. Drops the stale entries it finds at the top of the heap.
        """
        heap = self._heap
        while heap:
            at, kind, owner = heap[0]
            if self._kinds[kind].at(owner) == at:
                return at
            heappop(heap)
        return None

    def pop(self, now: float) -> Key | None:
        """Take the earliest deadline that is due at `now`.

        Returns:
          Its key, or None if none is due. It is no longer armed.
        """
        at = self.next()
        if at is None or at > now:
            return None
        _, kind, owner = heappop(self._heap)
        self._kinds[kind].expired(owner)
        return _key(kind, owner)

    def keys(self) -> frozenset[Key]:
        """The keys of all armed deadlines.

        It visits every deadline, so it is for checks only.
        """
        return frozenset(
            _key(kind, owner)
            for kind, deadlines in enumerate(self._kinds)
            for owner, _ in deadlines.all()
        )


def _key(kind: int, owner: Owner) -> Key:
    return Key(_KINDS[kind], owner) if isinstance(owner, str) else Key(_KINDS[kind], *owner)
