"""A busy floor: 20 agents, always 40 callers. The figures are printed; no test fails on a time.

`make test` runs this by itself and without coverage, which would slow the router and twenty phones.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from statistics import median, quantiles
from typing import Any

import pytest

from callrouter.lab import Install
from callrouter.model.call_notices import CallCompleted, CallEntered, OfferShared
from callrouter.model.outcomes import ShareReason
from tests.asterisk.floor import Answer, Dialog, Floor, queue, staff, stage, tell

pytestmark = [pytest.mark.asterisk, pytest.mark.load]

AGENTS, BACKLOG, SECONDS = 20, 40, 20.0


async def keep_them_coming(here: Floor, until: float) -> list[Dialog]:
    """Hold the backlog at its size: a new caller for each one who is gone."""
    callers: list[Dialog] = []
    while time.monotonic() < until:
        live = [caller for caller in callers if caller.state != "ended"]
        for _ in range(BACKLOG + AGENTS - len(live)):
            callers.append(await here.call())  # noqa: PERF401 - one at a time
        await asyncio.sleep(0.02)
    return callers


def gaps(dialogs: list[Dialog]) -> list[float]:
    """From the end of each call at a phone to its next INVITE, in ms."""
    return [
        (after.invite_at - before.ended_at) * 1000
        for before, after in itertools.pairwise(dialogs)
        if before.ended_at is not None
    ]


def overlaps(dialogs: list[Dialog]) -> int:
    """How often a phone had two calls at once."""
    return sum(gap < 0 for gap in gaps(dialogs))


@pytest.mark.timeout(120)
async def test_AST_76_how_soon_a_free_agent_is_rung(install: Install) -> None:
    rng = random.Random(7)

    def answer(_: Any) -> Answer:
        return Answer(after=0.05, talk=rng.uniform(1.5, 2.5))

    async with stage(install, AGENTS) as here:
        agents = [f"a{n}" for n in range(1, AGENTS + 1)]
        await here.fresh(*staff(AGENTS), queues=[queue("support", agents)])
        phones = [here.phone(str(1000 + n)) for n in range(1, AGENTS + 1)]
        for phone in phones:
            phone.behaviour = answer
        callers = await keep_them_coming(here, time.monotonic() + SECONDS)
        for phone in phones:
            assert overlaps(phone.incoming) == 0
        found = sorted(gap for phone in phones for gap in gaps(phone.incoming))
        cuts = quantiles(found, n=100)
        tell(f"{len(callers)} callers, {len(here.happened(CallCompleted))} served")
        tell(
            f"agent free to that agent's next INVITE, {len(found)} times: median "
            f"{median(found):.1f} ms, p90 {cuts[89]:.1f}, p99 {cuts[98]:.1f}, max {found[-1]:.1f}"
        )
        await asyncio.gather(*(caller.bye() for caller in callers if caller.state != "ended"))
        await here.quiet(15)
        assert len(here.happened(CallEntered)) == len(callers)
        # A phone talks for 1.5 s from its 200 on; if this machine stood still for a second of that, the
        # router is right to give the caller back. The caller is accounted for all the same.
        # If it stood still for longer, phones gave no sign, and other agents were rung for the caller as well.
        outcomes = Counter(outcome for _, outcome in here.outcomes())
        shared = [
            offer for offer in here.happened(OfferShared) if offer.why is ShareReason.NO_REPLY_YET
        ]
        tell(f"offers that came to nothing: {dict(outcomes) or 'none'}")
        assert set(outcomes) <= {"caller gone", "the agent hung up at once", "lost"}
        assert outcomes["lost"] <= len(shared)
