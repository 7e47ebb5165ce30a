"""The time limit of an operation on PostgreSQL: connections are cut in time, by one thread for all of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from callrouter.store import postgres
from callrouter.store.postgres import Patience


class Link:
    """What is known of a connection: its descriptor."""

    def __init__(self) -> None:
        self.ours, self.server = socket.socketpair()

    def fileno(self) -> int:
        return self.ours.fileno()

    def is_cut(self, within: float) -> bool:
        self.ours.settimeout(within)
        try:
            return self.ours.recv(1) == b""
        except TimeoutError:
            return False

    def close(self) -> None:
        self.ours.close()
        self.server.close()


@pytest.fixture
def links() -> Iterator[list[Link]]:
    made = [Link() for _ in range(3)]
    yield made
    for link in made:
        link.close()


def patience(link: Link, seconds: float) -> Patience:
    made = Patience(link)  # type: ignore[arg-type] # of a connection, it needs the descriptor
    made.ends_in(seconds)
    return made


@pytest.fixture(autouse=True)
def earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' stores have a thread of their own."""
    monkeypatch.setattr(postgres, "_watchdog", postgres._Watchdog())
    _EARLIER[:] = threading.enumerate()


_EARLIER: list[threading.Thread] = []


def threads() -> set[threading.Thread]:
    """Those that were started by this test and have not ended."""
    return {thread for thread in threading.enumerate() if thread.name == "patience"} - {*_EARLIER}


def test_each_is_cut_at_its_own_time_whatever_the_order(links: list[Link]) -> None:
    began = time.monotonic()
    limits = [patience(links[0], 0.6), patience(links[1], 0.1), patience(links[2], 30.0)]
    assert len(threads()) == 1
    assert links[1].is_cut(within=5.0)
    assert time.monotonic() - began < 0.5
    assert links[0].is_cut(within=5.0)
    assert time.monotonic() - began >= 0.6
    assert not links[2].is_cut(within=0.05)
    for limit in limits:
        limit.close()


def test_what_is_done_in_time_is_not_cut(links: list[Link]) -> None:
    patience(links[0], 0.1).close()
    later = patience(links[1], 0.1)
    later.ends_in(30.0)
    assert not links[0].is_cut(within=0.3)
    assert not links[1].is_cut(within=0.05)
    later.close()


def test_many_operations_one_after_the_other_need_one_thread(links: list[Link]) -> None:
    seen = set()
    for _ in range(200):
        limit = patience(links[0], 30.0)
        seen |= threads()
        limit.close()
    assert len(seen) == 1


def test_the_thread_ends_when_there_is_nothing_to_wait_for(links: list[Link]) -> None:
    patience(links[0], 0.05).close()
    cut = patience(links[1], 0.1)
    assert links[1].is_cut(within=5.0)
    cut.close()
    end = time.monotonic() + 5.0
    while threads():
        assert time.monotonic() < end
        time.sleep(0.02)
