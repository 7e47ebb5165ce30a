"""The short form of `make chaos`: two minutes of faults, from a seed that is always the same."""

from __future__ import annotations

import os

import pytest

from callrouter.lab import Install
from tests.chaos.run import chaos

pytestmark = [pytest.mark.asterisk, pytest.mark.chaos]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("CHAOS_SEED", "5"))


@pytest.mark.timeout(SECONDS + 400)
async def test_nothing_is_lost_whatever_breaks(install: Install) -> None:
    made, bad = await chaos(install, SECONDS, SEED)
    assert bad == []
    assert made.ends.total() > SECONDS
