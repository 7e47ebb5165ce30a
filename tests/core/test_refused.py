"""Calls that agents have refused: not rung for again before their turn, and never in anyone's way."""

from __future__ import annotations

import sys
from math import log2
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.core.index.exclusions import Excluded, ExclusionTree
from callrouter.core.index.lines import LaneLine
from callrouter.core.index.pools import Pool, make_pool
from callrouter.core.router import Router
from callrouter.core.state import Agent, Call, Membership, Queue
from callrouter.model.commands import Ring
from callrouter.model.events import (
    CallArrived,
    ConnectSucceeded,
    DeviceState,
    Event,
    LegAccepted,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    SignedIn,
    TimePassed,
)
from callrouter.model.routing_table import MemberSpec, QueueSpec
from callrouter.policies import REGISTRY
from tests.core.playbook import Play
from tests.core.tables import PBX, agent, queue, table

NAMES = ("ann", "bob", "cat", "dan")
WRAP_UP = 10.0

# ---------------------------------------------------------------- stories


def test_a_call_that_all_idle_agents_refused_waits_for_the_others_and_comes_first() -> None:
    play = Play(table(queue("q", "ann bob cat", "linear", auto_pause=0, retry_after=600)))
    for name in ("ann", "bob"):
        play.phone(name).says(LegEnd.NO_ANSWER)
    play.call("c0", "q").accepts("cat")
    for number in range(1, 40):
        play.on(1).call(f"c{number}", "q")
    assert play.ringing() == {}
    assert play.rings("ann", "c7") == [(7, "ann")], "once, and not again before its turn"
    play.phone("ann").picks_up()
    play.on(1).call("new", "q").on(1)
    assert play.talking()["ann"] == "new", "whoever refused all the others still takes this one"
    play.agent_hangs_up("cat")
    assert play.ringing() == {"cat": "c1"}, "the first that cat has not refused"
    assert play.rings("ann", "c1") == [(1, "ann")]


def test_of_several_who_become_free_at_once_each_takes_a_call_not_refused_by_them() -> None:
    play = Play(table(queue("q", "ann bob cat dan", "linear", auto_pause=0, retry_after=600)))
    play.call("x", "q").accepts("ann").call("y", "q").accepts("bob")
    for name in ("cat", "dan"):
        play.phone(name).says(LegEnd.NO_ANSWER)
    for number in range(1, 20):
        play.on(1).call(f"c{number}", "q")
    play.lose().back()  # everyone is looked at in one step
    assert play.ringing() == {}
    play.agent_hangs_up("ann").agent_hangs_up("bob")
    assert play.ringing() == {"ann": "c1", "bob": "c2"}
    assert len(play.rings("cat")) == len(play.rings("dan")) == 19


# ---------------------------------------------------------------- against a walk past everyone


def a_call(number: int, priority: int, tried: frozenset[str], line: Queue) -> Call:
    call = Call(f"c{number}", PBX, line, number, float(number // 3), 0.0, priority)
    call.tried = dict.fromkeys(sorted(tried))
    return call


@given(
    st.lists(st.tuples(st.integers(1, 3), st.frozensets(st.sampled_from(NAMES))), max_size=40),
    st.randoms(use_true_random=False),
)
def test_a_line_gives_the_call_that_a_walk_from_the_front_would(
    made: list[tuple[int, frozenset[str]]], chance: Random
) -> None:
    place = Queue(QueueSpec(id="q", name="q"))
    line, there = LaneLine[Call](), list[Call]()
    for number, (priority, tried) in enumerate(made):
        call = a_call(number, priority, tried, place)
        line.add(call)
        there.append(call)
        if chance.random() < 0.4:
            gone = there.pop(chance.randrange(len(there)))
            line.remove(gone)
        if (
            there and chance.random() < 0.3
        ):  # it is refused by somebody else, or its round begins anew
            changed = chance.choice(there)
            line.remove(changed)
            changed.tried = dict.fromkeys(chance.sample(NAMES, chance.randrange(4)))
            line.add(changed)
        agree(line, there, place, chance.sample(NAMES, chance.randrange(1, 4)))


def agree(line: LaneLine[Call], there: list[Call], place: Queue, idle: list[str]) -> None:
    """What the line says, and what a look at everyone from the front says."""
    walk = sorted(there, key=lambda call: call.rank)
    assert [call for *_, call in line] == walk
    assert len(line) == len(walk)
    for name in NAMES:
        found = line.first_for(name)
        assert (found and found[-1]) == next((c for c in walk if name not in c.tried), None)
    pool: Pool[Membership] = make_pool((REGISTRY["linear"],), {}, Random(0))
    for order, name in enumerate(idle):
        pool.add(Membership(Agent(spec=agent(name)), place, MemberSpec(agent=name, order=order)))
    found = line.first_of(pool)
    assert (found and found[-1]) == next((c for c in walk if set(idle) - c.tried.keys()), None)


# ---------------------------------------------------------------- and no walk


@pytest.mark.parametrize("count", [100, 10_000])
def test_a_look_past_any_number_of_refused_calls_is_short(count: int) -> None:
    place = Queue(QueueSpec(id="q", name="q"))
    refused, looks = ExclusionTree[Call](), 0
    for number in range(count):
        tried = frozenset({"ann"} if number != count // 3 else {"bob"})
        refused.add((*(call := a_call(number, 50, tried, place)).rank, call), tried)

    def skips(passed: Excluded) -> bool:
        nonlocal looks
        looks += 1
        return "ann" in passed

    found = refused.first(skips)
    assert found is not None
    assert found[-1].seq == count // 3
    assert looks <= 6 * log2(count)
    refused.discard(found)
    looks = 0
    assert refused.first(skips) is None
    assert looks == 1


class Floor:
    """A core with one queue, whose first two agents let every call ring out, and no check after each step."""

    def __init__(self, waiting: int) -> None:
        # `ring_for`: the dead entries of deadlines are not to come up just in the step that is measured.
        more = {"auto_pause": 0, "retry_after": 1e6, "ring_for": 1e6, "wrap_up": WRAP_UP}
        rules = queue("q", "deaf1 deaf2 ann bob", "linear", **more)
        self.now = 0.0
        self.router = Router(table(rules), rng=Random(0), run_id="b")
        self.rings: list[Ring] = []
        names = ("deaf1", "deaf2", "ann", "bob")
        phones = {f"PJSIP/{name}": DeviceState.IDLE for name in names}
        self.feed(PbxSnapshot(pbx=PBX, endpoints=phones))
        for name in names:
            self.feed(SignedIn(agent=name))
        self.talks = []
        for number in range(waiting + 2):
            self.feed(CallArrived(call=f"c{number}", pbx=PBX, queue="q"))
            self.talks += self.answer()

    def answer(self) -> list[Ring]:
        """Whoever is not deaf takes the call; returns who did."""
        taken = []
        while self.rings:
            ring = self.rings.pop(0)
            if ring.agent.startswith("deaf"):
                self.feed(LegEnded(offer=ring.offer, device="desk", why=LegEnd.NO_ANSWER))
            else:
                self.feed(LegAccepted(offer=ring.offer, device="desk"))
                self.feed(ConnectSucceeded(call=ring.call, offer=ring.offer))
                taken.append(ring)
        return taken

    def feed(self, event: Event) -> None:
        commands = self.router.handle(event, self.now)
        self.rings += [command for command in commands if isinstance(command, Ring)]

    def cost(self, event: Event) -> int:
        """Functions that are called for one event."""
        called = 0

        def count(_frame: object, what: str, _arg: object) -> None:
            nonlocal called
            called += what in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            self.feed(event)
        finally:
            sys.setprofile(before)
        return called


@pytest.mark.parametrize("apart", [3.0, 0.0])
def test_what_an_event_costs_hardly_grows_with_the_calls_that_idle_agents_refused(
    apart: float,
) -> None:
    """One agent after the other becomes free, or both in one step."""
    costs = []
    for waiting in (20, 640):
        floor = Floor(waiting)
        floor.now += 60.0
        for ring in floor.talks:
            floor.now += apart
            floor.feed(LegEnded(offer=ring.offer, device="desk", why=LegEnd.HUNG_UP))
        floor.now += WRAP_UP - apart
        dearest = floor.cost(TimePassed())
        floor.now += apart
        dearest = max(dearest, floor.cost(TimePassed()))
        assert {ring.agent for ring in floor.rings} == {"ann", "bob"}
        costs.append(dearest)
    few, many = costs
    assert many <= 1.5 * few + 50, "nobody is walked past"
