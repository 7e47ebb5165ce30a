"""Histories that nobody thought of: callers, phones, people and links doing anything at any instant.

Each call that entered ends exactly once, nobody is connected twice, nothing is ordered from a PBX that
is out of step, the same events give the same commands, and when all is over nothing is left. Short
histories come from hypothesis, which shrinks what it finds; long ones from a seed.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.core.world import ACTS, World

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
CHANCE = st.randoms(use_true_random=False)
WEIGHTED = [act for act, weight in ACTS.items() for _ in range(weight)]


class Histories(RuleBasedStateMachine):
    """Hypothesis decides what happens next."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(chance=CHANCE)
    def begin(self, chance: Random) -> None:
        self.world.begin(chance)

    @rule(chance=CHANCE, act=st.sampled_from(WEIGHTED))
    def happens(self, chance: Random, act: object) -> None:
        assert callable(act)
        act(self.world, chance)

    @invariant()
    def nobody_talks_twice(self) -> None:
        self.world.nobody_talks_twice()

    def teardown(self) -> None:
        self.world.finish()


TestHistories = pytest.mark.timeout(600)(Histories.TestCase)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2000 if DEEP else 40))
def test_long_history(seed: int) -> None:
    chance = Random(seed)
    world = World()
    world.begin(chance)
    for _ in range(300):
        chance.choice(WEIGHTED)(world, chance)
        world.nobody_talks_twice()
    world.finish()
    assert world.books.ended > 0
