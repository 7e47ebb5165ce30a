"""The language of stories: what callers, phones and agents do, and what can be seen of it.

A story is told once and played in three worlds: SIP phones on a real Asterisk, the scripted Twilio, and
the simulated telephone system. Each has one queue, `support`. What is seen is seen at the phones; only
who waits in what order, and what an agent is, is asked of the router.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from callrouter.core.agents.agent_availability import status_of
from callrouter.core.router import Router
from callrouter.model.call_notices import CallEnd, CallEntered, OfferEnded
from callrouter.model.events import Event
from callrouter.model.notices import Notice
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    SignIn,
    Table,
)


class Habit(Enum):
    """What a person does when their phone rings."""

    TAKES = "takes the call"
    """Picks up after a moment; at a mobile, presses 1 after another."""
    LETS_RING = "lets it ring"
    """Unless the story says `pick_up`."""
    REFUSES = "refuses"
    MACHINE = "a voicemail picks up"
    """And presses nothing."""
    SCREENS = "a screening service picks up"
    """And lets the person on, who presses 1, `SCREENED_FOR` seconds later."""


SCREENED_FOR = 20.0
"""Seconds from the answer of a screening service to key 1."""


@dataclass(frozen=True)
class Person:
    """An agent with one phone: on the desk, or a mobile that must press 1."""

    name: str
    number: str
    """Of the mobile; empty for one at a desk."""
    seat: int
    """From 1 on, in the order of the story."""


class World(ABC):
    """One call centre with one queue. See the module; every time is in seconds of that world."""

    pbx: str

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.callers: list[str] = []
        """Who has called, as a number each, in order; a story knows them by it."""

    # ------------------------------------------------------------ what the story sets up

    async def open(self, who: str, *, mobiles: str = "", **rules: object) -> None:
        """Open with these agents, all signed in; `rules` are those of the queue.

        Args:
            who: names with a space between, the first of the queue first.
            mobiles: those of them who are at a mobile.
            **rules: as in `QueueSpec`; `levels` are priorities by name.
        """
        names, out = who.split(), mobiles.split()
        self.people = {
            name: Person(name, f"+44770090000{seat}" if name in out else "", seat)
            for seat, name in enumerate(names, 1)
        }
        self.callers = []
        levels = rules.pop("levels", None)
        await self.begin(self._table(levels if isinstance(levels, dict) else {}, rules))
        for name in names:
            self.habit(name, Habit.TAKES)

    def _table(self, levels: dict[str, int], rules: dict[str, object]) -> Table:
        members = tuple(
            MemberSpec(agent=one.name, level=levels.get(one.name, 1), order=one.seat)
            for one in self.people.values()
        )
        wanted: dict[str, object] = {
            "ring_for": 20.0,
            "retry_after": 1.0,
            "wrap_up": 0.0,
            "on_nobody": KeepWaiting(),
            **rules,
        }
        queue = QueueSpec(id="support", name="Support", members=members, **wanted)  # type: ignore[arg-type]
        agents = {
            one.name: AgentSpec(
                id=one.name,
                name=one.name.title(),
                devices=(self._device(one),),
                sign_in=SignIn.ALWAYS,
            )
            for one in self.people.values()
        }
        return Table(agents=agents, queues={"support": queue})

    def _device(self, one: Person) -> DeviceSpec:
        if one.number:
            return DeviceSpec(
                id="mobile", agent=one.name, pbxes=(self.pbx,), number=one.number, confirm=True
            )
        return DeviceSpec(id="desk", agent=one.name, pbxes=(self.pbx,), endpoint=self.endpoint(one))

    @abstractmethod
    def endpoint(self, one: Person) -> str:
        """The desk phone of a person."""

    @abstractmethod
    async def begin(self, table: Table) -> None:
        """Start a router with this table; no call of an earlier story is left."""

    @abstractmethod
    def habit(self, agent: str, habit: Habit) -> None:
        """What an agent does at the next ring, and from then on."""

    # ------------------------------------------------------------ what people do

    async def call(self) -> str:
        """Somebody calls the queue and is in it; returns who."""
        number = f"+3312345670{len(self.callers) + 1}"
        self.callers.append(number)
        await self.dial(number)
        await self.until(lambda: number in {call.caller_number for call in self.calls()})
        return number

    def calls(self) -> list[_Named]:
        """The router's calls, by the story's names."""
        return [_Named(f"+{call.caller_number.lstrip('+')}", call.state.value) for call in self.router.floor.calls.values()]  # fmt: skip

    @abstractmethod
    async def dial(self, number: str) -> None:
        """Somebody with that number calls the queue."""

    @abstractmethod
    async def hang_up(self, caller: str) -> None:
        """A caller hangs up."""

    @abstractmethod
    async def pick_up(self, *agents: str) -> None:
        """Agents whose phones ring pick them up in the same instant."""

    async def agent_hangs_up(self, agent: str) -> None:
        """An agent who talks hangs up; not within the first second, which would count as no talk."""
        await self.a_moment()
        await self.put_down(agent)

    @abstractmethod
    async def put_down(self, agent: str) -> None:
        """An agent who talks hangs up at once."""

    def post(self, event: Event) -> None:
        """An agent or a supervisor asks for something."""
        self.take(event)

    @abstractmethod
    def take(self, event: Event) -> None:
        """Hand an event to the router."""

    @abstractmethod
    async def restart(self) -> None:
        """The router is gone without a word; then there is one that knows nothing of it."""

    # ------------------------------------------------------------ what can be seen

    @abstractmethod
    def ringing(self) -> set[str]:
        """The agents whose phones ring."""

    @abstractmethod
    def rung(self) -> list[str]:
        """The agents whose phones have rung so far, in order, once for each ring."""

    @abstractmethod
    def talking(self) -> dict[str, str]:
        """Which caller and which agent hear each other."""

    @abstractmethod
    def over(self, caller: str) -> bool:
        """Whether a caller is off the line."""

    @property
    @abstractmethod
    def router(self) -> Router:
        """The router that runs now."""

    @property
    @abstractmethod
    def notices(self) -> Sequence[Notice]:
        """What it has recorded since it started."""

    @abstractmethod
    async def until(self, true: Callable[[], object], within: float = 20.0) -> None:
        """Let time pass until something is so; fails if it is not by then."""

    async def a_moment(self) -> None:
        """Let a little over a second go by, so that what comes after has another time."""
        before = self.clock()
        await self.until(lambda: self.clock() > before + 1.1)

    @abstractmethod
    def clock(self) -> float:
        """The time of that world."""

    def line(self) -> list[str]:
        """Who waits, the first first."""
        waiting = self.router.floor.queues["support"].waiting.values()
        return [f"+{call.caller_number.lstrip('+')}" for call in waiting]

    def state(self, agent: str) -> str:
        """What is true of an agent."""
        return status_of(self.router.floor, self.router.floor.agents[agent]).state.value

    def misses(self) -> dict[str, int]:
        """Who has missed calls, and how many in a row."""
        return {one.id: one.misses for one in self.router.floor.agents.values() if one.misses}

    def outcomes(self) -> list[tuple[str, str]]:
        """How offers have ended."""
        return [(one.agent, one.outcome.value) for one in self.notices if isinstance(one, OfferEnded)]  # fmt: skip

    # ------------------------------------------------------------ the end of a story

    async def closed(self) -> None:
        """Everyone has gone home: no call, no offer, no phone in use, each caller accounted for once."""
        floor = self.router.floor
        await self.until(lambda: not floor.calls and not floor.offers)
        await self.until(lambda: not self.ringing() and not self.talking())
        await self.until(lambda: all(self.over(caller) for caller in self.callers))
        entered = Counter(one.call for one in self.notices if isinstance(one, CallEntered))
        ended = Counter(one.call for one in self.notices if isinstance(one, CallEnd))
        assert entered == ended
        assert set(entered.values()) <= {1}
        await self.nothing_left()

    @abstractmethod
    async def nothing_left(self) -> None:
        """Nothing is left on the telephone system, and no invariant was broken on the way."""


@dataclass(frozen=True)
class _Named:
    caller_number: str
    state: str
