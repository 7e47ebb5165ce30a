"""One pool of agents for two telephone systems: the scripted Twilio and the simulated one, on one clock."""

from __future__ import annotations

from random import Random

import pytest

from callrouter.core.state import OfferState
from callrouter.model.call_notices import ConversationStarted
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    Table,
)
from callrouter.pbx.simulated.engine import Engine
from callrouter.pbx.simulated.traffic import Spread, Traffic
from tests.twilio.peer import Mischief, Phone
from tests.twilio.world import PBX, World

OFFICE = "office"
NAMES = ("ann", "bob", "cat", "dan")


def person(name: str, number: str) -> AgentSpec:
    desk = DeviceSpec(id="desk", agent=name, pbxes=(OFFICE,), endpoint=f"PJSIP/{name}")
    cell = DeviceSpec(id="mobile", agent=name, pbxes=(PBX,), number=number, confirm=True)
    return AgentSpec(id=name, name=name.title(), devices=(desk, cell))


def pool() -> Table:
    people = {name: person(name, f"+4477009000{n:02d}") for n, name in enumerate(NAMES)}
    queues = {}
    for id_, order in (("support", NAMES), ("sales", NAMES[::-1])):
        members = tuple(MemberSpec(agent=name, order=n) for n, name in enumerate(order))
        queues[id_] = QueueSpec(
            id=id_,
            name=id_.title(),
            members=members,
            at_once=2,
            ring_for=8.0,
            retry_after=1.0,
            wrap_up=1.0,
            on_nobody=KeepWaiting(),
            auto_pause=0,
        )
    return Table(agents=people, queues=queues)


@pytest.mark.parametrize("seed", range(6))
def test_two_minutes_of_both_and_no_agent_ever_has_two_calls(seed: int) -> None:
    routes, rng = pool(), Random(seed)
    world = World(routes, seed=seed, calls_per_second=5.0)
    traffic = Traffic(otherwise=6.0, answer=Spread(median=1.0), talk=Spread(median=8.0), patience=Spread(median=30.0))  # fmt: skip
    world.engine = Engine(OFFICE, routes, traffic, Random(seed), now=world.now, run_id="t")
    world.post(world.engine.snapshot())
    world.peer.mischief = Mischief(delay=1.0, twice=0.2, lost=0.1)
    served = set()
    callers = []
    for _ in range(60):
        world.peer.default = Phone(answers_after=rng.choice([0.5, 2.0, None]), key_after=0.5, hangs_up_after=6.0)  # fmt: skip
        if rng.random() < 0.3:
            callers.append(world.peer.call())
        for _ in range(
            20
        ):  # `check` has looked after each event as well, at the router's own books
            world.run(0.1)
            on_calls = busy(world)
            assert len(on_calls) == len(set(on_calls)), on_calls
    for offer in world.happened(ConversationStarted):
        served.add(offer.call.split("-")[0])
    assert served == {PBX, OFFICE}, "both sides had calls answered"
    world.engine.close_doors()
    world.peer.default = Phone(hangs_up_after=4.0)
    world.run(300.0)
    assert all(line.over for line in callers)
    assert not world.engine.legs
    assert not [offer for offer in world.router.floor.offers.values() if offer.state is OfferState.TALKING]  # fmt: skip


def busy(world: World) -> list[str]:
    """Who talks, by what the two telephone systems themselves see."""
    assert world.engine is not None
    numbers = {device.number: agent.id for agent in world.routes.agents.values() for device in agent.devices}  # fmt: skip
    cloud = [
        numbers[line.number]
        for room in world.peer.rooms.values()
        if len(room) == 2
        for line in room
        if not line.inbound
    ]
    office = [
        caller.leg.ring.agent
        for caller in world.engine.callers.values()
        if caller.leg is not None and caller.state.value == "talking"
    ]
    return cloud + office
