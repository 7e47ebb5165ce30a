"""A story on a virtual clock: people and phones with a script, the core, and what came of it.

    play = Play(table(queue("support", "alice bob", policy="priority")))
    play.phone("alice").lets_it_ring()
    play.phone("bob").picks_up(after=2)
    play.call("c1", "support")
    play.until(21)
    assert play.ringing() == {"bob": "c1"}

`check` runs after every single event, so that a story fails where an invariant is broken first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeVar

from callrouter.core.agents.agent_availability import status_of
from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.core.state import Agent, Call, CallState, OfferState
from callrouter.model.agent_status import AgentState
from callrouter.model.call_notices import OfferEnded
from callrouter.model.commands import (
    Leave,
    PbxCommand,
    Ring,
    StopRing,
)
from callrouter.model.events import (
    CallArrived,
    ConfigReloaded,
    DeviceState,
    EndpointChanged,
    Event,
    LegEnd,
    PauseRequested,
    PbxLost,
    PbxSnapshot,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
    TransferKind,
)
from callrouter.model.notices import Notice, Oddity, Output
from callrouter.model.routing_table import QueueSpec, Table
from tests.core.fakepbx import FakePbx, Leg

N = TypeVar("N", bound=Notice)


@dataclass
class Phone:
    """What a phone does when it is rung; without a script it rings and nobody comes."""

    rings: bool = True
    up_after: float | None = None
    one_after: float | None = None
    end: tuple[float, LegEnd] | None = None
    once: list[Phone] = field(default_factory=list)
    """Scripts for the next rings, each used up; then this phone's own holds."""

    def _be(self, **how: Any) -> Phone:
        self.rings, self.up_after, self.one_after, self.end = True, None, None, None
        for key, value in how.items():
            setattr(self, key, value)
        return self

    def lets_it_ring(self) -> Phone:
        return self._be()

    def picks_up(self, after: float = 0.0, key_1: float | None = None) -> Phone:
        """Off-hook after so many seconds; a mobile presses 1 `key_1` seconds later, or never."""
        return self._be(up_after=after, one_after=key_1)

    def is_voicemail(self, after: float = 5.0, listens: float = 10.0) -> Phone:
        """Picks up, and nobody presses 1: the PBX ends it."""
        return self._be(up_after=after, end=(after + listens, LegEnd.NOT_ACCEPTED))

    def says(self, why: LegEnd, after: float = 0.0) -> Phone:
        """Refuses, or can't be reached; without ringing where that is so."""
        silent = why in {LegEnd.UNREACHABLE, LegEnd.FAILED, LegEnd.BUSY, LegEnd.UNAVAILABLE}
        return self._be(end=(after, why), rings=not silent)

    def is_dead(self) -> Phone:
        """Nothing ever comes back."""
        return self._be(rings=False)


class Play:
    """One call centre, from 0 s on. Agents are signed in and their phones reachable at the start."""

    def __init__(
        self,
        table: Table,
        *,
        signed_in: str | None = None,
        pbxes: tuple[str, ...] = ("office",),
        seed: int = 1,
        up: bool = True,
        now: float = 0.0,
        run_id: str = "b",
        removed: Mapping[str, QueueSpec] | None = None,
    ) -> None:
        self.now = now
        self.router = Router(
            table, rng=random.Random(seed), run_id=run_id, now=now, removed=removed
        )
        self.pbxes = {name: FakePbx(name, partial(self._said, name)) for name in pbxes}
        self.down: set[str] = set()
        self.log: list[tuple[float, Output]] = []
        self.history: list[tuple[Event, float]] = []
        self._phones: dict[str, Phone] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._table = table
        for spec in table.agents.values():
            for device in spec.devices:
                for pbx in device.pbxes if device.endpoint else ():
                    self.pbxes[pbx].endpoints[device.endpoint_on(pbx)] = DeviceState.IDLE
        if up:
            for fake in self.pbxes.values():
                self.feed(fake.snapshot())
        names = list(table.agents) if signed_in is None else signed_in.split()
        for name in names:
            self.sign_in(name)

    # ------------------------------------------------------------ the machinery

    def feed(self, event: Event) -> list[Output]:
        """Hand one event to the core now, carry out what it orders, and check."""
        self.history.append((event, self.now))
        commands = self.router.handle(event, self.now)
        wrong = check(self.router.floor)
        assert not wrong, f"at {self.now} after {event}: {wrong}"
        for command in commands:
            self.log.append((self.now, command))
            if isinstance(command, PbxCommand):
                assert command.pbx not in self.down, f"ordered while down: {command}"
                self._order(command)
        return commands

    def _order(self, command: PbxCommand) -> None:
        pbx = self.pbxes[command.pbx]
        pbx.execute(command)
        if isinstance(command, Ring):
            self._act(pbx, pbx.legs[command.offer, command.device])

    def _act(self, pbx: FakePbx, leg: Leg) -> None:
        """Put on the agenda what a phone's script says."""
        phone = self.phone(leg.ring.agent, leg.ring.device)
        phone = phone.once.pop(0) if phone.once else phone
        if phone.rings:
            self._later(0.0, pbx, leg, pbx.ring)
        if phone.up_after is not None:
            self._later(phone.up_after, pbx, leg, pbx.pick_up)
            if phone.one_after is not None:
                self._later(phone.up_after + phone.one_after, pbx, leg, pbx.press_1)
        if phone.end is not None:
            after, why = phone.end
            self._later(after, pbx, leg, lambda leg: pbx.end_leg(leg, why))

    def _later(self, after: float, pbx: FakePbx, leg: Leg, act: Callable[[Leg], None]) -> None:
        """The phone does something, unless its leg is over by then."""

        def do() -> None:
            if pbx.legs.get(leg.id) is leg and not leg.talks_to:
                act(leg)

        self._serial += 1
        heappush(self._agenda, (self.now + after, self._serial, do))

    def _said(self, pbx: str, event: Event) -> None:
        """A PBX says something: heard at this instant, after what is being done is done."""

        def hear() -> None:
            if pbx not in self.down:
                self.feed(event)

        self._serial += 1
        heappush(self._agenda, (self.now, self._serial, hear))

    def until(self, at: float) -> Play:
        """Let time run to `at`, striking deadlines and playing scripts on the way."""
        while True:
            scripted = self._agenda[0][0] if self._agenda else at + 1
            deadline = self.router.next_deadline()
            due = min(scripted, deadline if deadline is not None else at + 1)
            if due > at:
                break
            self.now = max(self.now, due)
            if scripted <= due:
                heappop(self._agenda)[2]()
            else:
                self.feed(TimePassed())
        self.now = max(self.now, at)
        return self

    def on(self, seconds: float = 0.0) -> Play:
        """Let so much time pass; with none, only what happens at this very instant."""
        return self.until(self.now + seconds)

    # ------------------------------------------------------------ the script

    def phone(self, agent: str, device: str = "desk") -> Phone:
        return self._phones.setdefault(f"{agent}/{device}", Phone())

    def everyone(self) -> list[Phone]:
        """All phones there are."""
        return [
            self.phone(spec.id, device.id)
            for spec in self._table.agents.values()
            for device in spec.devices
        ]

    def call(self, name: str, queue: str, *, pbx: str = "office", **more: Any) -> Play:
        self.pbxes[pbx].arrive(CallArrived(call=name, pbx=pbx, queue=queue, **more))
        return self.on()

    def caller_hangs_up(self, name: str) -> Play:
        self._home(name).hang_up(name)
        return self.on()

    def agent_hangs_up(self, name: str) -> Play:
        pbx, leg = self._leg_of(name)
        pbx.end_leg(leg, LegEnd.HUNG_UP)
        return self.on()

    def transfers(self, call: str, kind: TransferKind = TransferKind.BLIND) -> Play:
        self._home(call).transfer(call, kind, "1234")
        return self.on()

    def accepts(self, name: str) -> Play:
        """Picks up now whatever rings, and presses 1 if asked to."""
        pbx, leg = self._leg_of(name)
        pbx.press_1(leg)
        return self.on()

    def sign_in(self, name: str) -> Play:
        self.feed(SignedIn(agent=name))
        return self.on()

    def sign_out(self, name: str) -> Play:
        self.feed(SignedOut(agent=name))
        return self.on()

    def pause(self, name: str, reason: str = "lunch") -> Play:
        self.feed(PauseRequested(agent=name, reason=reason))
        return self.on()

    def resume(self, name: str) -> Play:
        self.feed(Resumed(agent=name))
        return self.on()

    def ready(self, name: str) -> Play:
        self.feed(ReadyPressed(agent=name))
        return self.on()

    def reload(self, table: Table, *, more: bool = False) -> Play:
        """Another table; `more`: it is one step on the way to another."""
        self._table = table
        self.feed(ConfigReloaded(table=table, more=more))
        return self.on()

    def phone_is(self, name: str, state: DeviceState, *, pbx: str = "office") -> Play:
        """A desk phone is unplugged, plugged in, or in a call that is not ours."""
        endpoint = f"PJSIP/{name}"
        self.pbxes[pbx].phone_is(endpoint, state)
        if pbx not in self.down:
            self.feed(EndpointChanged(pbx=pbx, endpoint=endpoint, state=state))
        return self.on()

    def lose(self, pbx: str = "office", *, stopped: bool = False) -> Play:
        """The link breaks, or it is broken and the driver finds out whether the PBX runs."""
        self.feed(PbxLost(pbx=pbx, stopped=stopped))
        self.down.add(pbx)
        return self

    def feed_pending_then_lose(self, pbx: str = "office") -> Play:
        """What was said up to now is heard; what comes of it is not: the link breaks first."""
        due, self._agenda = sorted(self._agenda, key=lambda item: item[:2]), []
        for _, _, hear in due:
            hear()
        self._agenda.clear()
        return self.lose(pbx)

    def back(self, pbx: str = "office", snapshot: PbxSnapshot | None = None) -> Play:
        """The link is there again, and everything is compared."""
        self.down.discard(pbx)
        self.feed(snapshot or self.pbxes[pbx].snapshot())
        return self.on()

    # ------------------------------------------------------------ looking

    def ringing(self) -> dict[str, str]:
        """Who is being rung, and for which call, as the telephone systems see it."""
        return {
            leg.ring.agent: leg.ring.call
            for pbx in self.pbxes.values()
            for leg in pbx.legs.values()
            if not leg.talks_to
        }

    def talking(self) -> dict[str, str]:
        """Who talks, and with which caller."""
        return {
            leg.ring.agent: leg.talks_to
            for pbx in self.pbxes.values()
            for leg in pbx.legs.values()
            if leg.talks_to
        }

    def waiting(self, queue: str) -> list[str]:
        return [call.id for call in self.router.floor.queues[queue].waiting.values()]

    def agent(self, name: str) -> Agent:
        return self.router.floor.agents[name]

    def state(self, name: str) -> AgentState:
        return status_of(self.router.floor, self.agent(name)).state

    def failures(self, agent: str, device: str = "desk") -> int:
        """How many times in a row a device did what speaks against it."""
        found = self.agent(agent).failure_streaks.get(device)
        return found.count if found is not None else 0

    def told(self, agent: str) -> list[str]:
        """What the agent was told, the oldest first."""
        return [text for _, text in self.agent(agent).messages]

    def find(self, call: str) -> Call:
        return self.router.floor.calls[call]

    def gone(self, call: str) -> bool:
        return call not in self.router.floor.calls

    def rings(self, agent: str | None = None, call: str | None = None) -> list[tuple[float, str]]:
        """Every ring so far: when, and who."""
        return [
            (at, order.agent)
            for at, order in self.log
            if isinstance(order, Ring)
            and agent in {None, order.agent}
            and call in {None, order.call}
        ]

    def stops(self) -> list[tuple[float, StopRing]]:
        return [(at, order) for at, order in self.log if isinstance(order, StopRing)]

    def left(self, call: str) -> Leave | None:
        """How the router let the caller go, if it did."""
        orders = [o for _, o in self.log if isinstance(o, Leave) and o.call == call]
        assert len(orders) <= 1, orders
        return orders[0] if orders else None

    def notices(self, kind: type[N], *, call: str = "", agent: str = "") -> list[N]:
        return [
            item
            for _, item in self.log
            if isinstance(item, kind)
            and (not call or getattr(item, "call", "") == call)
            and (not agent or getattr(item, "agent", "") == agent)
        ]

    def outcomes(self, agent: str) -> list[str]:
        """How this agent's offers ended, but for those that were accepted."""
        return [r.outcome.value for r in self.notices(OfferEnded, agent=agent)]

    def oddities(self) -> list[str]:
        return [item.text for _, item in self.log if isinstance(item, Oddity)]

    def quiet(self) -> bool:
        """Nothing is going on: no call, no offer, and no deadline but for resting phones."""
        floor = self.router.floor
        return not floor.calls and not floor.offers and not floor.out

    def _home(self, call: str) -> FakePbx:
        return next(pbx for pbx in self.pbxes.values() if call in pbx.callers)

    def _leg_of(self, agent: str) -> tuple[FakePbx, Leg]:
        legs = [
            (pbx, leg)
            for pbx in self.pbxes.values()
            for leg in pbx.legs.values()
            if leg.ring.agent == agent
        ]
        assert legs, f"nothing rings for {agent}"
        return legs[0]


def ringing_offers(play: Play, agent: str) -> list[str]:
    """The offers that the core holds as ringing for an agent."""
    return [o.id for o in play.agent(agent).offers.values() if o.state is OfferState.RINGING]


def is_talking(play: Play, call: str) -> bool:
    """Whether the core holds a call to be in a talk."""
    return not play.gone(call) and play.find(call).state is CallState.TALKING
