"""Queues and agents under other names: all that belongs to them goes along, live and over a restart."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from callrouter.api.calllog.call_log import CallLog
from callrouter.core.invariants import check
from callrouter.model.agent_row import AgentRow
from callrouter.model.agent_status import AgentState
from callrouter.model.commands import Result
from callrouter.model.events import (
    AgentRestored,
    CallArrived,
    DeviceSwitchRequested,
    LegEnd,
    SeenLeg,
)
from callrouter.model.notices import AgentRenamed, Notice, QueueRenamed
from callrouter.model.routing_table import MemberSpec, QueueSpec, Table, ToQueue
from callrouter.model.staged_reload import steps
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table


def old_table(**rules: object) -> Table:
    return table(
        agent("ann", desk("ann"), mobile("ann", number="+447700900123")),
        queue("support", "ann bob cat", "round-robin", last_agent=3600.0, ring_for=9, **rules),
        queue("sales", "ann", on_full=ToQueue("support")),
    )


def new_table(**rules: object) -> Table:
    return table(
        agent(
            "annette",
            desk("annette", endpoint="PJSIP/ann"),
            mobile("annette", number="+447700900123"),
            renamed_from="ann",
        ),
        queue(
            "helpdesk",
            "annette bob cat",
            "round-robin",
            last_agent=3600.0,
            ring_for=9,
            renamed_from="support",
            **rules,
        ),
        queue("sales", "annette", on_full=ToQueue("helpdesk")),
    )


def test_callers_talks_and_phones_that_ring_go_along() -> None:
    play = Play(old_table(max_wait=100.0))
    for name in ("c1", "c2"):
        play.call(name, "support", caller_number=name)
    play.accepts("ann").on(5)
    for name in ("c3", "c4", "c5"):
        play.call(name, "support", caller_number=name)
    assert play.talking() == {"ann": "c1"}
    play.on(2).reload(new_table(max_wait=100.0))
    floor = play.router.floor
    assert set(floor.queues) == {"helpdesk", "sales"}
    assert set(floor.agents) == {"annette", "bob", "cat"}
    assert play.waiting("helpdesk") == ["c2", "c3", "c4", "c5"]
    assert [call.result for call in map(play.left, ("c1", "c2", "c3")) if call] == []
    assert play.state("annette") is AgentState.ON_CALL
    ringing = play.ringing()
    assert sorted(ringing) == ["bob", "cat"]
    assert play.rings("annette") == []
    play.until(99.9)
    assert play.find("c2").entered_at == 0.0
    play.until(100)
    assert play.left("c2") is not None  # max_wait goes on from where it was


def test_an_agent_keeps_state_clock_and_everything_else() -> None:
    play = Play(table(agent("ann", desk("ann"), mobile("ann", number="+447700900123")),
                      queue("support", "ann bob", "round-robin", wrap_up=30, last_agent=3600.0)),
                signed_in="ann")  # fmt: skip
    play.feed(DeviceSwitchRequested(agent="ann", device="mobile", on=False, by="ann"))
    play.call("c1", "support", caller_number="+44201").accepts("ann").on(10).agent_hangs_up("ann")
    before = replace_all(play)
    new = table(agent("annette", desk("annette", endpoint="PJSIP/ann"),
                      mobile("annette", number="+447700900123"), renamed_from="ann"),
                queue("support", "annette bob", "round-robin", wrap_up=30, last_agent=3600.0))  # fmt: skip
    play.on(5).reload(new)
    found = play.agent("annette")
    assert found.signed_in
    assert play.state("annette") is AgentState.WRAP_UP
    assert before == replace_all(play, "annette")
    assert found.devices_off["mobile"][0] == "annette"
    assert play.router.floor.timers.wrap_up.at("annette") == 40
    assert [k for k in sorted(play.router.floor.timers.keys()) if "ann" in (k.id, k.device)] == []
    play.until(40)
    assert play.state("annette") is AgentState.AVAILABLE
    play.sign_in("bob").call("c2", "support", caller_number="+44201")
    assert play.find("c2").first_agent == "annette"  # the last agent of that caller
    assert play.notices(AgentRenamed, agent="annette")[0].former_id == "ann"


def replace_all(play: Play, name: str = "ann") -> tuple[object, ...]:
    found = play.agent(name)
    [member] = found.memberships.values()
    return (found.calls, found.talk, found.idle_since, found.signed_in_at, found.misses,
            member.calls, member.talk, member.turn, found.wrap_until)  # fmt: skip


def test_who_refused_is_not_rung_again_under_another_name() -> None:
    play = Play(old_table())
    play.phone("ann").says(LegEnd.DECLINED)
    play.phone("ann", "mobile").says(LegEnd.DECLINED)
    play.call("c1", "support").on(3)
    assert play.rings()[0][1] == "ann"
    assert "ann" in play.find("c1").tried
    play.reload(new_table())
    assert "annette" in play.find("c1").tried
    rung = [who for _, who in play.on(8).rings()]
    assert "annette" not in rung
    assert check(play.router.floor) == []


def test_new_calls_for_the_former_names_are_served() -> None:
    play = Play(new_table()).call("c1", "support", agent="ann")
    assert play.waiting("helpdesk") == ["c1"]
    assert play.find("c1").first_agent == "annette"
    assert play.oddities() == []
    play.call("c2", "suport")
    left = play.left("c2")
    assert left is not None
    assert left.result is Result.CLOSED


def test_over_a_restart() -> None:
    play = Play(new_table(), signed_in="", up=False)
    play.feed(
        AgentRestored(row=AgentRow(agent="ann", signed_in=True, signed_in_at=-50.0, idle_since=-40.0, calls=7, day="1970-01-01",
                      wrap_until=20.0, wrap_queue="support"))
    )  # fmt: skip
    found = play.agent("annette")
    assert (found.signed_in, found.calls, found.signed_in_at) == (True, 7, -50.0)
    fake = play.pbxes["office"]
    play.down.add("office")
    fake.arrive(CallArrived(call="c1", pbx="office", queue="support", entered_at=-9.0))
    seen = fake.snapshot()
    leg = SeenLeg(offer="x-1", device="desk", agent="ann", call="c9", answered=True, accepted=True, bridged=True)  # fmt: skip
    play.down.discard("office")
    play.feed(replace(seen, legs=(leg,)))
    assert play.waiting("helpdesk") == ["c1"]
    assert play.state("annette") is AgentState.ON_CALL
    assert "ann" not in play.router.floor.agents


def test_counts_go_along() -> None:
    play = Play(old_table())
    log = CallLog(play.router.floor)
    play.call("c1", "support").accepts("ann").on(5).caller_hangs_up("c1").reload(new_table())
    for _, item in play.log:
        if isinstance(item, Notice):
            log.listen(item)
    counts = log.totals()
    assert counts.queue_today("helpdesk", play.now).entered == 1
    assert play.router.floor.agents["annette"].calls == 1
    assert counts.calls == {"helpdesk": 1}
    assert counts.ended["helpdesk", "completed"] == 1
    assert set(counts.waits) == {"helpdesk"}


def test_a_large_change_gives_the_names_first() -> None:
    def big(names: dict[str, str], former: dict[str, str]) -> Table:
        people = [agent(names[n], desk(names[n], endpoint=f"PJSIP/{n}"), renamed_from=former.get(n, "")) for n in names]  # fmt: skip
        members = tuple(MemberSpec(agent=name, order=n) for n, name in enumerate(names.values()))
        spec = QueueSpec(id="q", name="Q", members=members)
        return Table(agents={one.id: one for one in people}, queues={"q": spec})

    names = {str(n): f"a{n}" for n in range(450)}
    old = big(names, {})
    new = big({n: f"b{n}" for n in names}, names)
    play = Play(old).call("c1", "q").accepts("a0")
    for step in steps(old, new.reusing(old)):
        play.reload(step, more=step is not new)
    assert play.talking() == {"a0": "c1"}  # as the phone has it
    assert play.state("b0") is AgentState.ON_CALL
    assert all(one.signed_in for one in play.router.floor.agents.values())
    assert len(play.notices(AgentRenamed)) + len(play.notices(QueueRenamed)) == 450


@pytest.mark.parametrize("seed", range(30))
def test_names_change_at_any_moment(seed: int) -> None:
    rng = random.Random(seed)
    play = Play(old_table(skills={}), seed=seed)
    names = ("ann", "bob", "cat")
    for phone in play.everyone():
        rng.choice((phone.lets_it_ring, phone.picks_up, lambda p=phone: p.says(LegEnd.BUSY)))()
    for number in range(rng.randrange(1, 7)):
        wished = rng.choice(("", *names))
        play.call(f"c{number}", rng.choice(("support", "sales")), agent=wished, caller_number="1")
        play.on(rng.choice((0.0, 0.5, 3.0, 10.0)))
        if rng.random() < 0.3:
            name = rng.choice(names)
            play.pause(name) if rng.random() < 0.5 else play.resume(name)
    calls = set(play.router.floor.calls)
    play.reload(new_table())
    assert set(play.router.floor.calls) == calls
    play.on(rng.choice((0.0, 5.0))).call("late", "helpdesk").on(200)
    play.reload(new_table()).on(5)
    assert set(play.router.floor.agents) == {"annette", "bob", "cat"}
