"""Any table after any other, in the middle of calls: `Play` checks everything after each step."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from callrouter.core.invariants import check
from callrouter.model.routing_table import (
    HangUp,
    MemberSpec,
    QueueSpec,
    Rule,
    SignIn,
    Table,
    ToQueue,
    WidenStep,
)
from callrouter.model.staged_reload import steps
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table

NAMES = ("ann", "bob", "cat", "dan", "eve")


def some_queue(rng: random.Random, name: str, names: list[str], **extra: object) -> QueueSpec:
    members = " ".join(f"{who}:{rng.randint(1, 3)}" for who in names if rng.random() < 0.7)
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
    there = [name for name in ("q1", "q2", "q3") if rng.random() < 0.8]
    queues = [
        some_queue(
            rng,
            name,
            names,
            on_max_wait=ToQueue(rng.choice(there)) if rng.random() < 0.5 else HangUp(),
        )
        for name in there
    ]
    rules = [
        Rule(name=f"to {name}", tags=frozenset({name}), queue=name, agent=rng.choice(["", *names]))
        for name in there
    ]
    return replace(table(*agents, *queues), rules=tuple(rules))


def in_steps(play: Play, rng: random.Random, new: Table) -> None:
    """A large change, with calls and phones in between."""
    for number, step in enumerate(steps(play.router.floor.table, new, size=rng.choice((1, 5, 12)))):
        hangs_together(step, new)
        play.reload(step, more=step is not new)
        if step.queues and rng.random() < 0.5:
            play.call(f"{play.now}-{number}", rng.choice(list(step.queues)))
            play.on(rng.choice((0.0, 0.5)))
    assert play.router.floor.table is new


def hangs_together(step: Table, new: Table) -> None:
    for name, spec in step.queues.items():
        tables = [spec.members, *(one.members for one in spec.widen)]
        assert {member.agent for group in tables for member in group} <= step.agents.keys()
        for target in (spec.on_full, spec.on_max_wait, spec.on_nobody, spec.on_closed):
            if isinstance(target, ToQueue) and name in new.queues:
                assert target.queue in step.queues
    for rule in step.rules:
        assert {*rule.queues, rule.queue} - {""} <= step.queues.keys()
        assert {rule.agent} - {""} <= step.agents.keys()


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
            way = rng.random()
            if way < 0.3:
                play.reload(some_table(rng))
            elif way < 0.6:
                play.reload(rng.choice(known).reusing(before))
            else:
                in_steps(play, rng, rng.choice(known).reusing(before))
            assert not check(play.router.floor)
    play.on(500)


def test_a_reload_that_changes_nothing_touches_nobody() -> None:
    specs = table(queue("q", "ann bob"))
    play = Play(specs)
    before = play.router.floor.queues["q"].members
    play.reload(table(queue("q", "ann bob")))
    assert play.router.floor.queues["q"].members is before
