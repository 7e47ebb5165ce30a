"""The world of real calls: SIP phones on an Asterisk of the laboratory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from callrouter.core.router import Router
from callrouter.lab import Refuse
from callrouter.lab.behaviour import Behaviour
from callrouter.model.events import Event
from callrouter.model.notices import Notice
from callrouter.model.routing_table import Table
from tests.asterisk.floor import PBX, Answer, Dialog, Floor, RingOnly
from tests.stories.world import SCREENED_FOR, Habit, Person, World

RINGS = frozenset({"ringing", "early"})


class AsteriskWorld(World):
    """A floor of `tests.asterisk`. All mobiles are reached at the one carrier."""

    pbx = PBX

    def __init__(self, floor: Floor) -> None:
        super().__init__()
        self._floor = floor
        self._out: dict[str, Dialog] = {}
        self._habits: dict[str, Habit] = {}

    def endpoint(self, one: Person) -> str:
        return f"PJSIP/{1000 + one.seat}"

    async def begin(self, table: Table) -> None:
        self._out.clear()
        await self._floor.fresh(*table.agents.values(), queues=[*table.queues.values()])

    def habit(self, agent: str, habit: Habit) -> None:
        self._habits[agent] = habit
        if self.people[agent].number:
            self._floor.phone("carrier").behaviour = self._mobile
        else:
            self._floor.phone(self._phone(agent)).behaviour = self._does(habit, "")

    def _phone(self, agent: str) -> str:
        return "carrier" if self.people[agent].number else str(1000 + self.people[agent].seat)

    def _mobile(self, dialog: Dialog) -> Behaviour:
        owner = next(one for one in self.people.values() if one.number == f"+{dialog.called}")
        return self._does(self._habits[owner.name], "1")

    @staticmethod
    def _does(habit: Habit, key: str) -> Behaviour:
        match habit:
            case Habit.LETS_RING:
                return RingOnly()
            case Habit.REFUSES:
                return Refuse(603)
            case Habit.MACHINE:
                return Answer(after=0.2)
            case Habit.SCREENS:
                return Answer(after=0.2, dtmf=((SCREENED_FOR, key, "rfc4733"),))
            case Habit.TAKES:
                return Answer(after=0.2, dtmf=((0.5, key, "rfc4733"),) if key else ())

    def _legs(self, agent: str) -> list[Dialog]:
        number = self.people[agent].number.removeprefix("+")
        return [one for one in self._floor.phone(self._phone(agent)).incoming if not number or one.called == number]  # fmt: skip

    async def dial(self, number: str) -> None:
        self._out[number] = await self._floor.call(caller_number=number.removeprefix("+"))

    async def hang_up(self, caller: str) -> None:
        await self._out[caller].bye()

    async def pick_up(self, *agents: str) -> None:
        legs = [(name, leg) for name in agents for leg in self._legs(name) if leg.state in RINGS]
        for _, leg in legs:
            await leg.answer()
        for name, leg in legs:
            if self.people[name].number:
                await leg.send_dtmf("1")

    async def put_down(self, agent: str) -> None:
        await asyncio.gather(*(leg.bye() for leg in self._legs(agent) if leg.state == "up"))

    def take(self, event: Event) -> None:
        self._floor.post(event)

    async def restart(self) -> None:
        await self._floor.crash()
        await self._floor.start()

    def ringing(self) -> set[str]:
        return {name for name in self.people if any(leg.state in RINGS for leg in self._legs(name))}

    def rung(self) -> list[str]:
        rings = [(leg.invite_at, name) for name in self.people for leg in self._legs(name)]
        return [name for _, name in sorted(rings)]

    def talking(self) -> dict[str, str]:
        return {
            caller: name
            for caller, line in self._out.items()
            for name in self.people
            for leg in self._legs(name)
            if leg.peer_number == caller.removeprefix("+")
            and _hear_each_other(line, leg, self._phone(name))
        }

    def over(self, caller: str) -> bool:
        return self._out[caller].state == "ended"

    @property
    def router(self) -> Router:
        return self._floor.router

    @property
    def notices(self) -> Sequence[Notice]:
        return self._floor.notices

    def clock(self) -> float:
        return self._floor.runtime.clock.now()

    async def until(self, true: Callable[[], object], within: float = 20.0) -> None:
        await self._floor.until(true, within)

    async def nothing_left(self) -> None:
        await self._floor.quiet()
        assert self._floor.breaches == []


def _hear_each_other(line: Dialog, leg: Dialog, phone: str) -> bool:
    """By what each phone has heard in this very call."""
    both_up = line.state == "up" and leg.state == "up"
    return both_up and phone in line.heard and "caller" in leg.heard
