"""What the loop asks of a keeper while its thread is in the middle of a step, without a database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from callrouter.cluster import lease_keeper
from callrouter.cluster.lease import PoolRow, Term
from callrouter.cluster.lease_keeper import LeaseKeeper
from callrouter.cluster.lease_queries import NodeFacts, NodeState, RenewedLease
from callrouter.store.location import Address, StoreError

NOW = 100.0
FACTS = NodeFacts(
    pool="main", name="north", run_id="r", pid=1, host="here", url="http://127.0.0.1:1", version="1"
)


class Ears:
    """Hears what happens to the lease, and does nothing."""

    def taken(self, term: Term, before: str) -> None: ...
    def lost(self, why: str) -> None: ...
    def hand_over(self, to: str) -> None: ...


class Asked:
    """Answers a keeper's questions as a database would, and remembers what it was asked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.released: list[int] = []
        self.renewed: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.away = False
        for name, answer in {
            "prepare": lambda *_: None,
            "too_new": lambda *_: "",
            "show_node": lambda *_: True,
            "read_pool": lambda *_: PoolRow(),
            "forget_node": lambda *_: None,
            "release": self._release,
            "renew": self._renew,
        }.items():
            patch.setattr(lease_keeper, name, answer)

    def _release(self, _link: Any, _node: Any, epoch: int, _to: str) -> bool:
        if self.away:
            raise StoreError("away")
        self.released.append(epoch)
        return True

    def _renew(
        self, _link: Any, _node: Any, _state: Any, epoch: int, _asked_at: float
    ) -> RenewedLease:
        self.renewed.append(epoch)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return RenewedLease(hand_to="", standbys=(), sealed=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.fixture
def keeper(asked: Asked) -> LeaseKeeper:
    del asked  # its answers are in place
    return LeaseKeeper(
        Address("postgresql://127.0.0.1/x"), FACTS, Ears(),
        state=NodeState, alive_at=lambda: NOW, clock=lambda: NOW,
    )  # fmt: skip


class EndsAmidAStep(Term):
    """A term at whose end the thread takes a step, before the keeper knows what it is ended for."""

    def __init__(self, keeper: LeaseKeeper) -> None:
        super().__init__(7, NOW)
        self._keeper = keeper

    def end(self) -> None:
        super().end()
        self._keeper._step()


def test_a_term_that_ends_amid_a_step_is_given_back_all_the_same(
    keeper: LeaseKeeper, asked: Asked
) -> None:
    term = keeper._term = EndsAmidAStep(keeper)
    keeper.release(term)
    keeper._step()
    assert asked.released == [7]
    assert keeper.wait_released(0)


def test_a_release_that_the_database_has_not_heard_of_is_none(
    keeper: LeaseKeeper, asked: Asked
) -> None:
    term = keeper._term = Term(7, NOW)
    asked.away = True
    keeper.release(term)
    with pytest.raises(StoreError):
        keeper._step()
    assert not keeper.wait_released(0)


def test_a_hurry_amid_a_renewal_leads_to_the_next_one(keeper: LeaseKeeper, asked: Asked) -> None:
    keeper._term = Term(7, NOW)
    asked.meanwhile = keeper.hurry
    keeper._step()
    keeper._step()
    assert asked.renewed == [7, 7]
    keeper._step()
    assert asked.renewed == [7, 7]


def test_a_wish_amid_a_step_is_not_slept_through(keeper: LeaseKeeper) -> None:
    asked, second = threading.Event(), threading.Event()

    def step() -> float:
        if asked.is_set():
            second.set()
        else:
            keeper.campaign()
            asked.set()
        return NOW + 3600.0

    keeper._step = step  # type: ignore[method-assign]
    keeper.start()
    assert second.wait(5)
    keeper.close(5)
    assert not keeper._thread.is_alive()
