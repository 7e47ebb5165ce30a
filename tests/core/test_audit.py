"""The floor looked at a little at a time."""

from __future__ import annotations

import random

from callrouter.core.invariant_audit import Audit
from callrouter.core.invariants import check
from tests.core.playbook import Play
from tests.core.tables import queue, table
from tests.core.world import ACTS, World

WEIGHTED = [act for act, weight in ACTS.items() for _ in range(weight)]


def test_it_goes_round_and_finds_nothing_in_random_histories() -> None:
    chance = random.Random(3)
    world = World()
    world.begin(chance)
    audit = Audit(world.router.floor)
    for _ in range(300):
        chance.choice(WEIGHTED)(world, chance)
        assert audit.check_next(3) == []
    assert audit.rounds > 10


def test_it_finds_what_check_finds() -> None:
    play = Play(table(queue("q", "ann bob")))
    play.call("c1", "q").on(1)
    floor = play.router.floor
    audit = Audit(floor)
    play.agent("bob").wrap_until = 99.0
    found = [text for _ in range(20) for text in audit.check_next(1)]
    assert any("bob" in text for text in found)
    assert set(found) <= set(check(floor))


def test_what_is_over_is_passed_over_and_a_new_round_can_be_begun() -> None:
    play = Play(table(queue("q", "ann")))
    play.call("c1", "q").on(1)
    audit = Audit(play.router.floor)
    audit.check_next(0)
    play.caller_hangs_up("c1").on(1)
    assert audit.check_next(100) == []
    audit.again()
    assert audit.check_next(100) == []
    assert audit.rounds == 2
