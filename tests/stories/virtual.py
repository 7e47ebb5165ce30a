"""The two worlds on a virtual clock: the scripted Twilio, and the simulated telephone system."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Generic, Protocol, TypeVar

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.events import CallArrived, CallerLeft, Event, LegEnd
from callrouter.model.notices import Notice
from callrouter.model.routing_table import Table
from callrouter.pbx.simulated.engine import Engine, Events
from callrouter.pbx.simulated.simulated_calls import (
    SimulatedCaller,
    SimulatedCallerState,
    SimulatedLeg,
)
from callrouter.pbx.simulated.traffic import Spread, Traffic
from tests.simulated import world as simulated
from tests.stories.world import SCREENED_FOR, Habit, Person, World
from tests.twilio import peer
from tests.twilio import world as twilio

STEP = 0.05
"""Seconds between two looks at whether something is so."""


class _Clockwork(Protocol):
    """What the two have in common: a router, and a clock that is turned by hand."""

    now: float
    router: Router
    notices: list[Notice]

    def post(self, event: Event) -> None: ...

    def run(self, seconds: float) -> None: ...


W = TypeVar("W", bound=_Clockwork)


class Virtual(World, Generic[W]):
    """A world whose time passes only in `until`."""

    _world: W

    def take(self, event: Event) -> None:
        self._world.post(event)

    @property
    def router(self) -> Router:
        return self._world.router

    @property
    def notices(self) -> Sequence[Notice]:
        return self._world.notices

    def clock(self) -> float:
        return self._world.now

    async def until(self, true: Callable[[], object], within: float = 20.0) -> None:
        waited = 0.0
        while not true():
            assert waited < within, f"not so within {within:g} s"
            self._world.run(STEP)
            waited += STEP


class TwilioWorld(Virtual[twilio.World]):
    """The driver's logic against `tests.twilio.peer`, which is our reading of Twilio's documents."""

    pbx = twilio.PBX
    _HABITS: ClassVar = {
        Habit.TAKES: peer.Phone(answers_after=0.5, key_after=0.5, hangs_up_after=None),
        Habit.LETS_RING: peer.Phone(answers_after=None, key_after=0.5, hangs_up_after=None),
        Habit.REFUSES: peer.Phone(refuses=("busy", "603")),
        Habit.MACHINE: peer.Phone(answers_after=0.5, key=None),
        Habit.SCREENS: peer.Phone(answers_after=0.5, key_after=SCREENED_FOR, hangs_up_after=None),
    }

    def endpoint(self, one: Person) -> str:
        return f"sip/{one.name}@acme.sip.twilio.com"

    async def begin(self, table: Table) -> None:
        self._world = twilio.World(table)

    def habit(self, agent: str, habit: Habit) -> None:
        self._world.peer.phones[self._address(agent)] = self._HABITS[habit]

    def _address(self, agent: str) -> str:
        return self.people[agent].number or f"sip:{agent}@acme.sip.twilio.com"

    def _legs(self) -> list[tuple[str, peer.Line]]:
        names = {self._address(name): name for name in self.people}
        return [(names[one.number], one) for one in self._world.peer.lines.values() if not one.inbound]  # fmt: skip

    def _caller(self, number: str) -> peer.Line:
        return next(one for one in self._world.peer.lines.values() if one.inbound and one.number == number)  # fmt: skip

    async def dial(self, number: str) -> None:
        self._world.peer.call(number)

    async def hang_up(self, caller: str) -> None:
        self._world.peer.hang_up(self._caller(caller))

    async def pick_up(self, *agents: str) -> None:
        for name, leg in self._legs():
            if name in agents and leg.status == "ringing":
                self._world.peer.pick_up(leg)

    async def put_down(self, agent: str) -> None:
        for name, leg in self._legs():
            if name == agent and leg.room:
                self._world.peer.hang_up(leg)

    async def restart(self) -> None:
        self._world.notices.clear()
        self._world.restart()

    def ringing(self) -> set[str]:
        return {name for name, leg in self._legs() if leg.status == "ringing"}

    def rung(self) -> list[str]:
        return [name for name, _ in self._legs()]

    def talking(self) -> dict[str, str]:
        names = {leg.sid: name for name, leg in self._legs()}
        pairs = [room for room in self._world.peer.rooms.values() if len(room) == 2]
        return {
            next(one.number for one in pair if one.inbound): next(names[one.sid] for one in pair if not one.inbound)
            for pair in pairs
        }  # fmt: skip

    def over(self, caller: str) -> bool:
        return self._caller(caller).over

    async def nothing_left(self) -> None:
        self._world.nothing_left()
        assert self._world.control.account.callers == {}
        assert not [note for note in self._world.oddities if "can't be" in note]


class Played(Engine):
    """The simulated telephone system with its people played by a story, in place of chance."""

    def __init__(self, name: str, table: Table, now: float) -> None:
        quick = Spread(median=0.5, sigma=0.0)
        calm = Traffic(otherwise=0.0, misses=0.0, refusals=0.0, machines=0.0, answer=quick, key=quick)  # fmt: skip
        super().__init__(name, table, calm, random.Random(1), now=now, run_id="t")
        self.habits: dict[str, Habit] = {}
        self.rung: list[str] = []
        self.ringing: set[SimulatedLeg] = set()
        self._calm = calm

    def arrives(self, number: str) -> Events:
        self.came += 1
        arrived = CallArrived(
            call=f"{self.name}-{self.came}", pbx=self.name, queue="support", caller_number=number
        )
        self.callers[arrived.call] = SimulatedCaller(arrived, self._now, self._now + 3600.0)
        return (arrived,)

    def hangs_up(self, caller: SimulatedCaller) -> Events:
        if caller.state is not SimulatedCallerState.TALKING or caller.leg is None:
            return self._gives_up(caller, caller.turn)
        self._gone(caller, "talked")
        return (
            CallerLeft(call=caller.arrived.call),
            *self._ended(caller.leg, LegEnd.HUNG_UP),
        )

    def puts_down(self, leg: SimulatedLeg) -> Events:
        return self._ended(leg, LegEnd.HUNG_UP)

    def takes(self, leg: SimulatedLeg) -> Events:
        return self._picks_up(leg)

    def _rings(self, leg: SimulatedLeg) -> Events:
        habit = self.habits[leg.ring.agent]
        self.traffic = replace(
            self._calm,
            misses=float(habit is Habit.LETS_RING),
            refusals=float(habit is Habit.REFUSES),
        )
        told = super()._rings(leg)
        if told:
            self.rung.append(leg.ring.agent)
            self.ringing.add(leg)
        return told

    def _picks_up(self, leg: SimulatedLeg) -> Events:
        machine = self.habits[leg.ring.agent] is Habit.MACHINE
        self.traffic = replace(self._calm, machines=float(machine))
        if self.habits[leg.ring.agent] is Habit.SCREENS:
            key = Spread(median=SCREENED_FOR, sigma=0.0)
            self.traffic = replace(self._calm, machines=0.0, key=key)
        self.ringing.discard(leg)
        return super()._picks_up(leg)

    def _ended(self, leg: SimulatedLeg, why: LegEnd) -> Events:
        self.ringing.discard(leg)
        return super()._ended(leg, why)

    def _connected(self, caller: SimulatedCaller, leg: SimulatedLeg) -> Events:
        self.traffic = replace(self._calm, talk=Spread(median=3600.0, sigma=0.0))
        return super()._connected(caller, leg)


class SimulatedWorld(Virtual[simulated.World]):
    """The engine of the driver `simulated`."""

    pbx = simulated.PBX

    def endpoint(self, one: Person) -> str:
        return f"PJSIP/100{one.seat}"

    async def begin(self, table: Table) -> None:
        self._world = simulated.World(table, Traffic(otherwise=0.0), sign_in=False)
        self._engine = Played(self.pbx, table, self._world.now)
        self._world.engine = self._engine
        self._world.post(self._engine.snapshot())

    def habit(self, agent: str, habit: Habit) -> None:
        self._engine.habits[agent] = habit

    def _post(self, events: Events) -> None:
        for event in events:
            self._world.post(event)

    def _caller(self, number: str) -> SimulatedCaller | None:
        found = (one for one in self._engine.callers.values() if one.arrived.caller_number == number)  # fmt: skip
        return next(found, None)

    async def dial(self, number: str) -> None:
        self._post(self._engine.arrives(number))

    async def hang_up(self, caller: str) -> None:
        found = self._caller(caller)
        assert found is not None
        self._post(self._engine.hangs_up(found))

    async def pick_up(self, *agents: str) -> None:
        for leg in [one for one in self._engine.ringing if one.ring.agent in agents]:
            self._post(self._engine.takes(leg))

    async def put_down(self, agent: str) -> None:
        [leg] = [one for one in self._engine.legs.values() if one.ring.agent == agent and one.caller is not None]  # fmt: skip
        self._post(self._engine.puts_down(leg))

    async def restart(self) -> None:
        world = self._world
        world.notices.clear()
        world.router = Router(world.table, rng=random.Random(3), run_id="b2", now=world.now)
        world.post(self._engine.snapshot())

    def ringing(self) -> set[str]:
        return {leg.ring.agent for leg in self._engine.ringing}

    def rung(self) -> list[str]:
        return self._engine.rung

    def talking(self) -> dict[str, str]:
        return {
            one.arrived.caller_number: one.leg.ring.agent
            for one in self._engine.callers.values()
            if one.state is SimulatedCallerState.TALKING and one.leg is not None
        }

    def over(self, caller: str) -> bool:
        return self._caller(caller) is None

    async def nothing_left(self) -> None:
        assert self._engine.legs == {}
        assert self._engine.callers == {}
        assert self._world.breaches == []
        assert check(self.router.floor) == []
        assert set(self._world.ends.values()) <= {1}
        assert not [note for note in self._world.oddities if "can't be" in note]
