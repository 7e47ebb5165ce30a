"""Lets the event loop serve calls while a thread does a long computation, such as a large reload.

Two parts of Python would make the loop wait. The interpreter lock: a computing thread keeps it for
5 ms at a time. The cyclic garbage collector: it stops all threads while it walks every container
object, and reading ten thousand agents creates a million of them, five thousand remembered calls two
hundred thousand. No other module changes either.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_SHORT: Final = 0.0005
"""Seconds after which a computing thread yields to the loop. Python's default is 0.005."""
COLLECT_ALL_EVERY: Final = 6 * 3600.0
"""Seconds between two collections of everything, at least."""


class _Shared:
    """A setting of the whole process that is different while at least one block is active.

    Blocks may overlap, in one thread or in several. Only the first one in saves the usual value,
    and only the last one out restores it; otherwise the block that ends last could restore the
    value that another block had set.
    """

    def __init__(self, change: Callable[[], Callable[[], None]]) -> None:
        """`change` sets the value and returns what restores the usual one."""
        self._change = change
        self._lock = threading.Lock()
        self._active = 0
        self._restore: Callable[[], None] = lambda: None

    @contextmanager
    def block(self) -> Iterator[None]:
        with self._lock:
            if self._active == 0:
                self._restore = self._change()
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                if self._active == 0:
                    self._restore()


def _shorten_turns() -> Callable[[], None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SHORT)
    return lambda: sys.setswitchinterval(usual)


def _disable_collection() -> Callable[[], None]:
    if not gc.isenabled():
        return lambda: None
    gc.disable()
    return gc.enable


_TURNS: Final = _Shared(_shorten_turns)
_COLLECTION: Final = _Shared(_disable_collection)


@contextmanager
def without_collection() -> Iterator[None]:
    """Pause the garbage collector inside this block and any overlapping one.

    For work that creates many objects without cycles. Scanning them again and again would take
    half of the time.
    """
    with _COLLECTION.block():
        yield


@contextmanager
def beside_calls() -> Iterator[None]:
    """Run a long computation in a thread without delaying calls on the loop.

    The loop gets its turn within half a millisecond, and no garbage is collected.
    """
    with without_collection(), _TURNS.block():
        yield


def keep_for_good() -> None:
    """Exclude all present objects from garbage collection, because they stay.

    Later collections are shorter. Garbage in a cycle that exists at this moment is never freed, so
    call this only at the end of a start and after settings that were applied, never for data that
    may be dropped again.
    """
    gc.freeze()


def let_go() -> None:
    """Undo `keep_for_good`: what was kept has been closed, and its memory can be freed."""
    gc.unfreeze()


class ShortCollections:
    """Keeps full garbage collections short, since the loop stands still meanwhile.

    Nearly everything that a full collection finds in use is used for hours. So it takes no part in the next
    ones, as with `keep_for_good`. Alone, that would be a leak of every cycle that becomes garbage later: at
    times, when nobody would notice, everything takes part again.
    """

    def __init__(self, quiet: Callable[[], bool]) -> None:
        """`quiet` tells whether the loop may stand still for a moment now."""
        self._quiet = quiet
        self._seen = _full_collections()
        self._all_at: float | None = None

    def step(self, now: float) -> None:
        """Look whether there was a full collection. To be called about once a second.

        `now` is in seconds by any clock that is not set.
        """
        if not gc.isenabled():
            return
        if self._all_at is None:
            self._all_at = now
        elif now - self._all_at >= COLLECT_ALL_EVERY and self._quiet():
            self._all_at = now
            gc.unfreeze()
            gc.collect()
        if (found := _full_collections()) != self._seen:
            self._seen = found
            gc.freeze()


def _full_collections() -> int:
    return int(gc.get_stats()[-1]["collections"])
