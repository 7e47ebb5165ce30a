"""The runtime tells after each event whose row may have changed; what goes wrong there stops nothing."""

from __future__ import annotations

import random
from collections.abc import Collection

from callrouter.core.router import Router
from callrouter.model.events import PauseRequested, SignedIn, TimePassed
from callrouter.runtime import Runtime
from tests.core.tables import queue, table
from tests.store.world import Clock


def made() -> Runtime:
    clock = Clock()
    spec = table(queue("q", "ann bob"))
    return Runtime(Router(spec, rng=random.Random(1), run_id="b", now=clock.at), clock)


async def test_each_change_is_told_once_and_nothing_at_the_start() -> None:
    runtime = made()
    told: list[list[str]] = []
    runtime.listen_to_rows(lambda agents: told.append(sorted(agents)))
    runtime.post(TimePassed())
    assert told == []
    runtime.post(SignedIn(agent="ann"))
    runtime.post(TimePassed())
    runtime.post(PauseRequested(agent="ann"))
    assert told == [["ann"], ["ann"]]
    runtime.close()


async def test_a_listener_that_fails_is_a_fault_and_the_others_are_told() -> None:
    runtime = made()
    told: list[str] = []

    def fails(_agents: Collection[str]) -> None:
        raise RuntimeError("full")

    runtime.listen_to_rows(fails)
    runtime.listen_to_rows(told.extend)
    runtime.post(SignedIn(agent="bob"))
    assert (told, runtime.faults) == (["bob"], 1)
    assert runtime.router.board.signed_in("bob")
    runtime.close()
