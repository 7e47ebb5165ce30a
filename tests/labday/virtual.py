"""A day of 25 hours on a virtual clock: the core and a simulated telephone system, without a process.

What the phones saw is taken from what passes between the two: events of the system, and orders to it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from callrouter.core.router import Router
from callrouter.model.commands import PbxCommand, Ring, StopRing
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    ConnectSucceeded,
    Event,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    PauseRequested,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
)
from callrouter.model.notices import Notice
from callrouter.model.routing_table import Table, ToQueue
from callrouter.pbx.simulated.engine import Engine
from callrouter.pbx.simulated.traffic import Spread, Traffic
from tests.labday.seen import Day, Visit
from tests.labday.seen import Ring as Rung
from tests.simulated.world import agent, queue

PBX = "sim"
AGENTS = {"support": ("ann", "bob", "eve"), "night": ("dan",), "sales": ("cat", "fay")}
MAX_WAIT, WRAP_UP, RING_FOR = 45.0, 8.0, 15.0
WITHIN, SHORT = 20.0, 5.0
TRAFFIC = Traffic(
    per_minute={"support": 0.9, "sales": 0.5, "night": 0.05},
    patience=Spread(median=40.0, sigma=0.9, least=1.0),
    talk=Spread(median=90.0, sigma=0.5, least=3.0, most=900.0),
)
BREAKS = ("tea", "lunch")


def table() -> Table:
    """Three queues with agents of their own; one overflows into another."""
    people = [agent(name, f"PJSIP/{name}") for names in AGENTS.values() for name in names]
    more = {"support": {"max_wait": MAX_WAIT, "on_max_wait": ToQueue("night"), "wrap_up": WRAP_UP}}
    specs = [
        queue(
            name,
            dict.fromkeys(names, 1),
            ring_for=RING_FOR,
            auto_pause=0,
            **more.get(name, {"wrap_up": 0.0}),
        )
        for name, names in AGENTS.items()
    ]
    return Table(
        agents={person.id: person for person in people}, queues={spec.id: spec for spec in specs}
    )


@dataclass(slots=True)
class _Call:
    visit: Visit
    accepted: bool = False
    gone: bool = False
    due: bool = False
    """Their time in the queue was over while a phone rang for them."""


@dataclass(slots=True)
class _Leg:
    ring: Ring
    rung: Rung


@dataclass
class Observer:
    """Notes what the phones see."""

    day: Day = field(default_factory=Day)
    _calls: dict[str, _Call] = field(default_factory=dict)
    _legs: dict[str, _Leg] = field(default_factory=dict)
    _busy: dict[str, float] = field(default_factory=dict)
    """By agent: until when a phone rings, is in a call, or its agent has after-call work."""

    def idle(self, name: str, now: float) -> bool:
        """Whether an agent's phone is on-hook, and the agent has nothing to do."""
        return self._busy.get(name, 0.0) < now

    def event(self, event: Event, now: float) -> None:
        """Note what happened at a phone."""
        match event:
            case CallArrived():
                visit = Visit(event.call, [(now, event.queue, "new")], event.caller_number)
                self._calls[event.call] = _Call(visit)
                self.day.visits.append(visit)
            case LegRang():
                self._legs[event.offer].rung.rang = now
            case LegAccepted():
                leg = self._legs[event.offer]
                leg.rung.accepted = now
                self._calls[leg.ring.call].accepted = True
            case ConnectSucceeded():
                self._legs[event.offer].rung.talked = now
            case LegEnded():
                self._ended(self._legs.pop(event.offer), event.why, now)
            case CallerLeft():
                self._left(self._calls[event.call], now, by_caller=True)
            case _:
                pass

    def _ended(self, leg: _Leg, why: LegEnd, now: float) -> None:
        rung = leg.rung
        rung.ended, rung.quiet = rung.ended or now, now
        rung.code = {LegEnd.DECLINED: 603, LegEnd.NO_ANSWER: 487}.get(why, 0)
        call = self._calls[leg.ring.call]
        if rung.talked is not None and not call.gone:
            rung.by_agent = True
            self._left(call, now, by_caller=False)
        self._stops(call, now)
        wrap_up = WRAP_UP if rung.talked is not None and leg.ring.queue == "support" else 0.0
        self._busy[rung.agent] = now + wrap_up

    def _stops(self, call: _Call, now: float) -> None:
        """A phone no longer rings."""
        if call.due and not call.accepted:
            self.overflow(call.visit.number, now)

    def _left(self, call: _Call, now: float, *, by_caller: bool) -> None:
        if not call.gone:
            call.gone = True
            call.visit.ended, call.visit.by_caller = now, by_caller

    def order(self, command: PbxCommand, now: float) -> None:
        """Note an order to a phone."""
        if isinstance(command, Ring):
            rung = Rung(command.agent, command.call, now, None, None, 0.0, by_agent=False)
            self._legs[command.offer] = _Leg(command, rung)
            self._busy[command.agent] = float("inf")
            self.day.rings.append(rung)
        elif isinstance(command, StopRing):
            leg = self._legs.get(command.offer)
            if leg is not None and leg.rung.talked is None and not leg.rung.ended:
                leg.rung.ended = now
                self._stops(self._calls[leg.ring.call], now)

    def overflow(self, call: str, now: float) -> None:
        """A caller has waited for as long as the queue lets them. A phone may ring to its end."""
        found = self._calls[call]
        found.due = any(
            leg.ring.call == call and leg.ring.queue == "support" and not leg.rung.ended
            for leg in self._legs.values()
        )
        if not found.gone and not found.accepted and not found.due:
            found.visit.leaves.append((now, "timeout"))
            found.visit.moves.append((now, "night", "overflow"))


def a_day(
    began: float,
    hours: float,
    seed: int,
    hear: Callable[[Notice], None],
    start: Callable[[Router], None],
) -> Day:
    """Run a day of calls, and return what the phones saw. It ends when no caller is left.

    Args:
        began: epoch seconds.
        hours: how long callers come.
        seed: of everything that is left to chance.
        hear: is told all notices.
        start: is given the router before the first of them.
    """
    spec, rng = table(), random.Random(seed)
    router = Router(spec, rng=random.Random(seed + 1), run_id="v", now=began)
    engine = Engine(PBX, spec, TRAFFIC, random.Random(seed + 2), now=began, run_id="v")
    seen = Observer()
    start(router)
    agenda: list[tuple[float, int, Callable[[float], None]]] = []

    def at(when: float, action: Callable[[float], None]) -> None:
        heappush(agenda, (when, len(agenda) + rng.randrange(1 << 30), action))

    def handle(event: Event, now: float) -> None:
        seen.event(event, now)
        if isinstance(event, CallArrived) and event.queue == "support":
            # After whatever else happens at that moment.
            at(now + MAX_WAIT + 1e-6, lambda _now: seen.overflow(event.call, now + MAX_WAIT))
        for item in router.handle(event, now, now):
            if isinstance(item, Notice):
                hear(item)
            else:
                seen.order(item, now)
                engine.order(item, now)

    def asks(name: str, what: str, event: Event, reason: str = "") -> Callable[[float], None]:
        def ask(now: float) -> None:
            if what == "pause" and not seen.idle(name, now):
                at(now + 5.0, ask)  # a pause that is asked for in a call begins after it
                return
            seen.day.duty.append((now, name, what, reason))
            handle(event, now)
            if what == "pause":
                back = Resumed(agent=name, by="sam")
                at(now + rng.uniform(60, 3000), asks(name, "resume", back))

        return ask

    handle(engine.snapshot(), began)
    for name in spec.agents:
        at(began + rng.uniform(1, 60), asks(name, "in", SignedIn(agent=name, by="sam")))
        for number in range(int(hours / 2)):
            reason = BREAKS[number % 2]
            pause = PauseRequested(agent=name, reason=reason, by="sam")
            at(began + 7200 * number + rng.uniform(100, 4000), asks(name, "pause", pause, reason))
    closing = began + hours * 3600
    at(closing, lambda _now: engine.close_doors())

    while True:
        times = (engine.next_at(), router.next_deadline(), agenda[0][0] if agenda else None)
        due = [when for when in times if when is not None]
        now = min(due, default=closing)
        if now > closing and not engine.callers and not engine.legs:
            break
        if agenda and agenda[0][0] <= now:
            heappop(agenda)[2](now)
        elif times[0] is not None and times[0] <= now:
            for event in engine.step(now):
                handle(event, now)
        else:
            handle(TimePassed(), now)
    ends = now + 60.0
    for name in spec.agents:
        asks(name, "out", SignedOut(agent=name, by="sam"))(ends)
    seen.day.until = float("inf")
    return seen.day
