"""Any table after any other, in the middle of calls: `Play` checks everything after each step."""

from __future__ import annotations

import random

import pytest

from callrouter.core.check import check
from callrouter.model.table import MemberSpec, QueueSpec, SignIn, Table, WidenStep
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

NAMES = ("ann", "bob", "cat", "dan", "eve")


def some_queue(rng: random.Random, name: str, names: list[str]) -> QueueSpec:
    members = " ".join(f"{who}:{rng.randint(1, 3)}" for who in names if rng.random() < 0.7)
    extra: dict[str, object] = {}
    if names and rng.random() < 0.4:
        step = WidenStep(
            after=rng.choice((5.0, 20.0)), members=(MemberSpec(agent=rng.choice(names)),)
        )
        extra["widen"] = (step,)
    if rng.random() < 0.3:
        extra["skills"] = {"french": 1}
    if rng.random() < 0.3:
        extra["prefer_for"] = 10.0
    if rng.random() < 0.5:
        extra["max_wait"] = rng.choice((30.0, 90.0))
    policy = rng.choice(("priority", "random", "round-robin", "longest-idle", "ring-all"))
    return queue(name, members, policy, ring_for=rng.choice((5.0, 10.0)), **extra)


def some_table(rng: random.Random) -> Table:
    names = [name for name in NAMES if rng.random() < 0.8]
    agents = [
        agent(
            name,
            *((desk(name), mobile(name)) if rng.random() < 0.3 else (desk(name),)),
            skills={"french": 2} if rng.random() < 0.5 else {},
            capacity=2 if name == "eve" else 1,  # one lowered meanwhile may be exceeded for a while
            sign_in=rng.choice((SignIn.MANUAL, SignIn.ALWAYS)),
        )
        for name in names
    ]
    queues = [some_queue(rng, name, names) for name in ("q1", "q2", "q3") if rng.random() < 0.8]
    return table(*agents, *queues)


@pytest.mark.parametrize("seed", range(40))
def test_any_table_after_any_other(seed: int) -> None:
    rng = random.Random(seed)
    known = [some_table(rng) for _ in range(4)]
    play = Play(known[0])
    for name in NAMES:
        play.pbxes["office"].endpoints.setdefault(
            f"PJSIP/{name}", next(iter(play.pbxes["office"].endpoints.values()))
        )
        play.phone(name).picks_up(after=rng.choice((1.0, 3.0, 30.0)))
    for number in range(60):
        for name in rng.sample(NAMES, 1):
            if name in play.router.floor.agents and not play.agent(name).gone:
                play.sign_in(name)
        queues = list(play.router.floor.queues)
        if queues:
            play.call(f"c{number}", rng.choice(queues), agent=rng.choice(("", *NAMES)))
        play.on(rng.choice((0.0, 0.5, 4.0, 12.0)))
        if rng.random() < 0.5:
            before = play.router.floor.table
            play.reload(
                rng.choice(known).reusing(before) if rng.random() < 0.5 else some_table(rng)
            )
            assert not check(play.router.floor)
    play.on(500)


def test_a_reload_that_changes_nothing_touches_nobody() -> None:
    specs = table(queue("q", "ann bob"))
    play = Play(specs)
    before = play.router.floor.queues["q"].members
    play.reload(table(queue("q", "ann bob")))
    assert play.router.floor.queues["q"].members is before
