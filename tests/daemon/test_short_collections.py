"""Full garbage collections stay short, and no garbage stays for good."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from callrouter.background import COLLECT_ALL_EVERY, ShortCollections, without_collection


class Item:
    """Something in a cycle with itself, which only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


class Daemon:
    """What keeps something for long, with the time and whether callers wait."""

    def __init__(self) -> None:
        self.now, self.quiet = 100.0, True
        self.collections = ShortCollections(lambda: self.quiet)
        self.step(0.0)

    def step(self, seconds: float) -> None:
        self.now += seconds
        self.collections.step(self.now)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    gc.collect()
    yield Daemon()
    gc.unfreeze()
    gc.collect()


def walked() -> int:
    """How many objects a full collection would walk."""
    return len(gc.get_objects())


def test_what_a_full_collection_has_found_in_use_takes_no_part_in_the_next(daemon: Daemon) -> None:
    kept = [Item() for _ in range(10_000)]
    daemon.step(1.0)
    assert walked() > len(kept), "there was no full collection yet"
    gc.collect()
    daemon.step(1.0)
    assert walked() < len(kept) / 10


def test_new_garbage_is_still_found(daemon: Daemon) -> None:
    gc.collect()
    daemon.step(1.0)
    item = weakref.ref(Item())
    assert item() is not None
    gc.collect()
    assert item() is None


def test_garbage_among_what_was_kept_is_freed_in_a_quiet_moment(daemon: Daemon) -> None:
    item = Item()
    gone = weakref.ref(item)
    gc.collect()
    daemon.step(1.0)
    del item
    gc.collect()
    assert gone() is not None, "it takes no part"
    daemon.quiet = False
    daemon.step(COLLECT_ALL_EVERY)
    assert gone() is not None, "callers wait"
    daemon.quiet = True
    daemon.step(1.0)
    assert gone() is None
    assert walked() < 1000, "what is in use takes no part again"


def test_it_keeps_out_of_a_long_reading(daemon: Daemon) -> None:
    kept = [Item() for _ in range(10_000)]
    with without_collection():
        gc.collect()
        daemon.step(COLLECT_ALL_EVERY)
        assert walked() > len(kept)
    daemon.step(1.0)
    assert walked() < len(kept) / 10
