"""A hundred and fifty hostile callers at a real Asterisk; `make fuzz` goes on to ten thousand."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import identities
from tests.fuzz.mutate import mutated

CALLS = 150


@pytest.mark.asterisk
@pytest.mark.timeout(120)
async def test_no_caller_changes_what_the_router_knows_of_others() -> None:
    rng = random.Random(11)
    async with identities.opened() as door:
        for seed in identities.SEEDS:
            await door.knock(seed)
        while door.calls < CALLS:
            await door.knock(mutated(identities.SEEDS, rng))
        assert door.here.pbx.health().counts["forged events"] > CALLS // 10
