"""What agents want and what is true of them, against books that know nothing of the core.

`Wishes` holds what each agent was last asked to be, by the requests that were granted and by what the
router told it did by itself. After every step the core's wishes must be those, and what it derives must
agree with what the telephone systems and the phones say. The world is that of `test_random_histories`,
without the nonsense that would make the telephone systems lie.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from callrouter.core.agents import agent_availability, shared_phones
from callrouter.core.agents.requested_state import MISSED, ROUTER, reason_of
from callrouter.core.state import Agent
from callrouter.model.agent_status import AgentState
from callrouter.model.events import (
    AgentRestored,
    ConfigReloaded,
    DeviceState,
    DeviceSwitchRequested,
    Event,
    PauseRequested,
    Resumed,
    SignedIn,
    SignedOut,
)
from callrouter.model.notices import (
    AgentNotice,
    AgentNotified,
    AgentPaused,
    AgentResumed,
    AgentSignedOut,
    Oddity,
    Output,
)
from callrouter.model.routing_table import SignIn
from tests.core.fakepbx import Leg
from tests.core.world import ACTS, World

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
CHANCE = st.randoms(use_true_random=False)


@dataclass
class Requested:
    """What one agent was last asked to be."""

    here: bool = False
    pause: str | None = None
    off: set[str] = field(default_factory=set)


class People(World):
    """The world, with books of what people want."""

    def __init__(self) -> None:
        super().__init__()
        self.requested: dict[str, Requested] = {}
        self.looked = 0

    def start_router(self) -> None:
        super().start_router()
        self.requested = {}
        self._take_over()

    def _take_over(self) -> None:
        """Agents who have come, and those who are always here; those who have gone are struck out."""
        known = self.router.floor.agents
        self.requested = {
            name: requested for name, requested in self.requested.items() if name in known
        }
        for name, agent in known.items():
            requested = self.requested.setdefault(
                name, Requested(here=agent.signed_in, pause=agent.pause)
            )
            if agent.spec.sign_in is SignIn.ALWAYS and not agent.gone:
                requested.here = True
            requested.off &= {device.id for device in agent.spec.devices}

    def feed(self, event: Event) -> None:
        super().feed(event)
        known = self.router.floor.agents  # one who finished has gone; who comes back later is new
        self.requested = {
            name: requested for name, requested in self.requested.items() if name in known
        }
        _, _, commands = self.replay[-1]
        for command in commands:
            if isinstance(command, AgentNotice) and command.agent in self.requested:
                self._router_did(command)
        if isinstance(event, ConfigReloaded):
            self._take_over()
        elif isinstance(event, AgentRestored):  # its own tests are those of restarts
            self.requested.pop(event.row.agent, None)
            self._take_over()
            self._restored(event)
        elif not refused(commands):
            self._asked(event)
        self.wanted()
        if not self.pending and not self.down:
            self.true()

    def _restored(self, event: AgentRestored) -> None:
        agent = self.router.floor.agents.get(event.row.agent)
        if agent is not None:
            requested = self.requested[event.row.agent]
            requested.here = agent.signed_in and not agent.pending_sign_out
            requested.pause = agent.pause if agent.pause is not None else agent.pending_pause
            requested.off = set(agent.devices_off)

    def _router_did(self, record: AgentNotice) -> None:
        requested = self.requested[record.agent]
        by_itself = getattr(record, "by", "") == ROUTER
        if isinstance(record, AgentSignedOut):
            requested.pause = None
            if by_itself:
                requested.here = False
        elif isinstance(record, AgentPaused) and by_itself:
            requested.pause = record.reason
        elif isinstance(record, AgentNotified) and "missed: you are paused" in record.message:
            requested.pause = MISSED  # maybe only after this call, of which no other record tells
        elif isinstance(record, AgentResumed) and by_itself:
            requested.pause = None

    def _asked(self, event: Event) -> None:
        match event:
            case SignedIn() if event.agent in self.requested:
                self.requested[event.agent].here = True
            case SignedOut():
                self.requested[event.agent].here = False
            case PauseRequested():
                reason = reason_of(self.router.floor.table.pauses, event.reason)
                self.requested[event.agent].pause = reason
            case Resumed():
                self.requested[event.agent].pause = None
            case DeviceSwitchRequested():
                off = self.requested[event.agent].off
                (off.discard if event.on else off.add)(event.device)
            case _:
                pass

    # ------------------------------------------------------------ what must hold

    def wanted(self) -> None:
        """What the core holds that people want is what they asked for last."""
        for name, requested in self.requested.items():
            agent = self.router.floor.agents.get(name)
            if agent is None or agent.gone:
                continue
            here = agent.signed_in and not agent.pending_sign_out
            assert here is requested.here, f"{name} is here: {here}, and {requested} was asked for"
            if here:
                pause = agent.pending_pause if agent.pending_pause is not None else agent.pause
                assert pause == requested.pause, (
                    f"{name} pauses for {pause}, {requested} was asked for"
                )
            if not agent.offers:  # one whose phone is just being silenced may still wait
                assert agent.signed_in is requested.here, (
                    f"{name} is free, and {requested} still waits"
                )
                pause = requested.pause if requested.here else None
                assert agent.pause == pause, (
                    f"{name} is free and paused: {agent.pause}, not {pause}"
                )
            assert set(agent.devices_off) == requested.off

    def true(self) -> None:
        """What the core derives is what phones and calls say, once everything is heard."""
        self.looked += 1
        for name, agent in self.router.floor.agents.items():
            legs = [leg for _, leg in self.legs() if leg.ring.agent == name]
            if agent.gone or any(leg.id in self.moved for _, leg in self.legs()):
                continue  # a colleague's phone took it: whose it is by now is not for us to say
            self._true_of(agent, legs)

    def _true_of(self, agent: Agent, legs: list[Leg]) -> None:
        state, requested = (
            agent_availability.status_of(self.router.floor, agent).state,
            self.requested[agent.id],
        )
        calls = {call for pbx in self.pbxes.values() for call in pbx.callers}
        said = f"{agent.id} is {state.value} with {legs} and {requested}"
        if any(leg.talks_to in calls for leg in legs):
            assert state is AgentState.ON_CALL, said
        match state:
            case AgentState.ON_CALL:
                assert any(leg.accepted for leg in legs) or self._in_use(agent), said
            case AgentState.RINGING:
                assert legs, said
            case AgentState.RESERVED:
                # Without a leg: the phone's home still sees the call that was, or may do so in a moment.
                assert legs or self._in_use(agent) or self._may_be_seen(agent), said
            case AgentState.AVAILABLE:
                assert not legs or agent.spec.capacity > 1, said
                assert requested.here, said
                assert requested.pause is None, said
                assert self._can_ring(agent, requested), said
            case _:
                assert not [leg for leg in legs if not leg.accepted], said
                assert state is not AgentState.PAUSED or requested.pause is not None, said

    def _in_use(self, agent: Agent) -> bool:
        return any(
            self.pbxes[pbx].endpoints.get(device.endpoint_on(pbx)) is DeviceState.IN_USE
            for device in agent.spec.devices
            for pbx in device.pbxes
        )

    def _may_be_seen(self, agent: Agent) -> bool:
        """Whether a leg to one of the phones over a trunk was stopped the fraction of a second before."""
        floor = self.router.floor
        ends = (
            floor.timers.clearing.at((pbx, device.endpoint_on(pbx)))
            for device in agent.spec.devices
            for pbx in device.homes
        )
        latest = floor.now + shared_phones.SEEN_WITHIN
        return any(end is not None and floor.now < end <= latest for end in ends)

    def _can_ring(self, agent: Agent, requested: Requested) -> bool:
        return any(
            (
                device.number
                or self.pbxes[pbx].endpoints.get(device.endpoint_on(pbx)) is DeviceState.IDLE
            )
            and device.id not in requested.off
            and (device.hours is None or device.hours.on(self.router.floor.now))
            for device in agent.spec.devices
            for pbx in device.pbxes
        )


def refused(commands: list[Output]) -> bool:
    """Whether the core said no to a request."""
    return any(isinstance(item, Oddity) and " refused: " in item.text for item in commands)


LIES = {World.goes_deaf, World.again, World.nonsense, World.odd_leg_event, World.is_taken}
WEIGHTED = [
    act
    for act, weight in ACTS.items()
    for _ in range(3 * weight if act is World.asks else weight)
    if act not in LIES
]


class Histories(RuleBasedStateMachine):
    """Hypothesis decides what happens next."""

    def __init__(self) -> None:
        super().__init__()
        self.world = People()

    @initialize(chance=CHANCE)
    def begin(self, chance: Random) -> None:
        self.world.begin(chance)

    @rule(chance=CHANCE, act=st.sampled_from(WEIGHTED))
    def happens(self, chance: Random, act: object) -> None:
        assert callable(act)
        act(self.world, chance)


TestHistories = pytest.mark.timeout(600)(Histories.TestCase)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1000 if DEEP else 25))
def test_long_history(seed: int) -> None:
    chance = Random(seed)
    world = People()
    world.begin(chance)
    for _ in range(250):
        chance.choice(WEIGHTED)(world, chance)
    world.finish()
    assert world.looked > 50
