"""A large change taken up in several small ones: what comes between, and how much each is."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from callrouter.core.invariants import check
from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Ring
from callrouter.model.events import (
    CallArrived,
    ConfigReloaded,
    DeviceState,
    EndpointChanged,
    Event,
    SignedIn,
)
from callrouter.model.notices import Output, TablePartlyReloaded, TableReloaded
from callrouter.model.routing_table import MemberSpec, QueueSpec, Rule, Table, ToQueue
from callrouter.model.staged_reload import steps
from tests.core.playbook import Play
from tests.core.tables import agent, desk, queue, table

WHO = "ann bob cat dan eve fay gus hal"


def many(*, level: int = 1, policy: str = "priority", name: str = "q") -> Table:
    return table(*(queue(f"{name}{n}", WHO.replace(" ", f":{level} "), policy) for n in range(4)))


def test_little_is_changed_in_one_step() -> None:
    old = many()
    new = replace(old, queues={**old.queues, "q1": replace(old.queues["q1"], ring_for=7)})
    assert list(steps(old, new)) == [new]


def test_nothing_changed_is_one_step_too() -> None:
    old = many()
    assert list(steps(old, many().reusing(old))) == [old]
    assert many().reusing(old).queues is old.queues
    assert many().reusing(old).agents is old.agents


def test_each_step_changes_no_more_than_it_may() -> None:
    old = many()
    before = old
    for step in steps(old, many(level=5).reusing(old), size=20):
        changed = [name for name in step.queues if step.queues[name] is not before.queues[name]]
        assert len(changed) <= 1  # of 18 each
        before = step
    assert before == many(level=5)


def test_a_new_queue_is_there_before_calls_are_sent_to_it_and_one_is_gone_after() -> None:
    old = many()
    spec = replace(old.queues["q0"], on_full=ToQueue("new1"))
    ring = {f"new{n}": queue(f"new{n}", WHO, on_max_wait=ToQueue(f"new{1 - n}")) for n in (0, 1)}
    rules = (Rule(name="r", queue="new0", agent="ivy"),)
    ivy = agent("ivy")
    new = replace(old, agents={**old.agents, "ivy": ivy}, queues={"q0": spec, **ring}, rules=rules)
    before = old
    for step in steps(old, new, size=1):
        for one in step.queues.values():
            for target in (one.on_full, one.on_max_wait):
                assert not isinstance(target, ToQueue) or target.queue in step.queues
        for rule in step.rules:
            assert rule.queue in step.queues
            assert rule.agent in step.agents
        assert step.queues.keys() >= before.queues.keys() or step.rules == rules
        before = step
    assert before is new


def test_a_call_to_a_queue_that_is_half_there_waits_for_its_agents() -> None:
    old = many()
    new = replace(old, queues={**old.queues, "new": replace(queue("new", WHO), on_nobody=None)})
    play = Play(old)
    first, *others = steps(old, new, size=1)
    play.reload(first, more=True).call("c1", "new")
    assert play.waiting("new") == ["c1"]
    for step in others:
        play.reload(step, more=step is not new)
    assert play.rings() == [(0, "ann")]


def test_agents_who_leave_finish_and_are_out_of_every_queue_first() -> None:
    old = many()
    play = Play(old).call("c1", "q0").accepts("ann")
    new = table(agent("bob"), queue("q0", "bob"), queue("q1", "bob"))
    for step in steps(old, new, size=3):
        play.reload(step, more=step is not new)
    assert play.talking() == {"ann": "c1"}
    play.on(5).agent_hangs_up("ann")
    assert "ann" not in play.router.floor.agents
    assert not any("no agent" in note for note in play.oddities())


def test_it_is_told_once_that_a_table_is_in_force() -> None:
    old = many()
    new = many(level=9).reusing(old)
    play = Play(old)
    for step in steps(old, new, size=20):
        play.reload(step, more=step is not new)
    assert len(play.notices(TableReloaded)) == 1
    assert len(play.notices(TablePartlyReloaded)) == 4


def ranked(spec: QueueSpec, **levels: int) -> QueueSpec:
    return replace(
        spec,
        members=tuple(
            MemberSpec(agent=who, level=level, order=n)
            for n, (who, level) in enumerate(levels.items())
        ),
    )


def test_who_waits_in_line_stands_at_the_new_place_at_once() -> None:
    spec = queue("q", "ann:1 bob:2 cat:3", "priority")
    play = Play(table(spec))
    play.call("c0", "q").accepts("ann").on(1).agent_hangs_up("ann")  # the lane is made
    play.reload(table(ranked(spec, ann=3, bob=2, cat=1)))
    play.call("c1", "q")
    assert play.ringing() == {"cat": "c1"}
    assert play.state("bob") is AgentState.AVAILABLE


def test_another_policy_finds_everyone_where_they_were() -> None:
    play = Play(table(queue("q", "ann bob cat", "linear"), queue("other", "cat")))
    play.call("c0", "q").accepts("ann").call("c1", "q").on(3)
    assert play.ringing() == {"bob": "c1"}
    play.reload(table(queue("q", "ann bob cat", "longest-idle"), queue("other", "cat")))
    assert play.ringing() == {"bob": "c1"}
    play.call("c2", "q").call("c3", "other")
    assert play.ringing() == {"bob": "c1", "cat": "c2"}
    assert play.waiting("other") == ["c3"]


def test_a_phone_that_changes_hands_is_the_new_owner_s() -> None:
    play = Play(table(agent("ann"), agent("bob"), queue("q", "ann bob", "linear")))
    shared = table(
        agent("ann", desk("ann", endpoint="PJSIP/bob")),
        agent("bob"),
        queue("q", "ann bob", "linear"),
    )
    floor = play.reload(shared).router.floor
    assert ("office", "PJSIP/ann") not in floor.owners
    assert sorted(one.id for one in floor.owners["office", "PJSIP/bob"]) == ["ann", "bob"]
    play.reload(table(agent("ann", desk("ann", endpoint="PJSIP/bob")), queue("q", "ann")))
    assert [one.id for one in floor.owners["office", "PJSIP/bob"]] == ["ann"]


def test_AI_15_phones_change_and_calls_are_offered_in_the_midst_of_a_reload() -> None:
    """2,000 agents in 50 queues, every place changed, and 20 phones that change in each step."""
    names = [f"a{n}" for n in range(2000)]

    def site(level: int) -> Table:
        members = (" ".join(f"{name}:{level}" for name in names[n::50]) for n in range(50))
        return table(*(queue(f"q{n}", one, "priority", at_once=1) for n, one in enumerate(members)))

    old = site(1)
    play = Play(old, signed_in="")
    router = play.router
    for name in names:
        router.handle(SignedIn(agent=name), 0.0)
    work: list[int] = []
    count = 0

    def called(_frame: Any, what: str, _arg: Any) -> None:
        nonlocal count
        count += what in {"call", "c_call"}

    def handle(event: Event) -> list[Output]:
        nonlocal count
        count = 0
        sys.setprofile(called)
        try:
            return router.handle(event, 0.0)
        finally:
            sys.setprofile(None)
            work.append(count)

    new = site(7).reusing(old)
    rung, taken = 0, 0
    for number, step in enumerate(steps(old, new)):
        router.handle(ConfigReloaded(table=step, more=step is not new), 0.0)
        taken += 1
        for n in range(20):
            endpoint = f"PJSIP/{names[(20 * number + n) % 2000]}"
            for state in (DeviceState.IN_USE, DeviceState.IDLE):
                handle(EndpointChanged(pbx="office", endpoint=endpoint, state=state))
        arrived = CallArrived(call=f"c{number}", pbx="office", queue=f"q{number % 50}")
        # In that very step, whatever of the reload is still to come.
        rung += sum(isinstance(command, Ring) for command in handle(arrived))
    assert taken >= 10
    assert rung == taken
    assert sorted(work)[len(work) // 2] < 200, "function calls for a change of a phone"
    assert max(work) < 5000, "and for whatever comes while a lane is made anew"
    assert check(router.floor) == []
