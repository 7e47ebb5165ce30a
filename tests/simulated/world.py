"""The router and the simulated telephone system on one virtual clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.call_notices import OfferDecided
from callrouter.model.commands import Connect, Leave, Ring
from callrouter.model.events import (
    CallArrived,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    Event,
    LegEnded,
    SignedIn,
    TimePassed,
)
from callrouter.model.notices import Notice, Oddity
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    Table,
)
from callrouter.pbx.simulated import Engine, Traffic

PBX = "sim"
START = 1_800_000_000.0


def agent(name: str, endpoint: str, number: str = "", ring_after: float = 3.0) -> AgentSpec:
    devices = [DeviceSpec(id="desk", agent=name, pbxes=(PBX,), endpoint=endpoint)]
    if number:
        devices.append(
            DeviceSpec(
                id="mobile",
                agent=name,
                pbxes=(PBX,),
                number=number,
                confirm=True,
                ring_after=ring_after,
            )
        )
    return AgentSpec(id=name, name=name.title(), devices=tuple(devices))


def queue(name: str, levels: Mapping[str, int], **changes: object) -> QueueSpec:
    members = tuple(
        MemberSpec(agent=who, level=level, order=order)
        for order, (who, level) in enumerate(levels.items())
    )
    wanted: dict[str, object] = {
        "ring_for": 12.0,
        "retry_after": 2.0,
        "wrap_up": 3.0,
        "on_nobody": KeepWaiting(),
        "auto_pause": 0,
        **changes,
    }
    return QueueSpec(id=name, name=name.title(), members=members, **wanted)  # type: ignore[arg-type]


def call_centre() -> Table:
    staff = [
        agent(f"a{n}", f"PJSIP/{1000 + n}", f"+44770090000{n}" if n in {1, 4} else "")
        for n in range(1, 9)
    ]
    return Table(
        agents={person.id: person for person in staff},
        queues={
            spec.id: spec
            for spec in (
                queue("support", {"a1": 1, "a2": 1, "a3": 2, "a4": 50}, policy=("priority",)),
                queue("sales", {"a3": 1, "a4": 1, "a5": 1, "a6": 1}),
                queue("front", {"a6": 1, "a7": 1, "a8": 1}, at_once=None),
            )
        },
    )


N = TypeVar("N", bound=Notice)


@dataclass
class World:
    table: Table
    traffic: Traffic = field(default_factory=Traffic)
    seed: int = 1
    sign_in: bool = True

    def __post_init__(self) -> None:
        self.now = START
        rng = random.Random(self.seed)
        self.engine = Engine(PBX, self.table, self.traffic, rng, now=self.now, run_id="t")
        self.router = Router(self.table, rng=random.Random(2), run_id="b", now=self.now)
        self.notices: list[Notice] = []
        self.oddities: list[str] = []
        self.breaches: list[str] = []
        self.ends: Counter[tuple[str, str]] = Counter()
        self.rung: Counter[tuple[str, str]] = Counter()
        self.connects: Counter[tuple[str, str]] = Counter()
        self.connected: Counter[tuple[str, str]] = Counter()
        self.arrived: set[str] = set()
        self.left: set[str] = set()
        self.log: list[Event] = []
        self.post(self.engine.snapshot())
        if self.sign_in:
            for person in self.table.agents:
                self.post(SignedIn(agent=person))

    def post(self, event: Event) -> None:
        self._count(event)
        for command in self.router.handle(event, self.now):
            match command:
                case Oddity():
                    self.oddities.append(command.text)
                case OfferDecided():
                    pass
                case Notice():
                    self.notices.append(command)
                case _:
                    if isinstance(command, Ring):
                        self.rung[command.offer, command.device] += 1
                    elif isinstance(command, Connect):
                        self.connects[command.call, command.offer] += 1
                    elif isinstance(command, Leave):
                        self.left.add(command.call)
                    self.engine.order(command, self.now)
        self.breaches.extend(check(self.router.floor))

    def _count(self, event: Event) -> None:
        self.log.append(event)
        if isinstance(event, LegEnded):
            self.ends[event.offer, event.device] += 1
        elif isinstance(event, CallArrived):
            self.arrived.add(event.call)
        elif isinstance(event, ConnectSucceeded) or (
            isinstance(event, ConnectFailed) and event.why is ConnectFault.CALLER_GONE
        ):
            self.connected[event.call, event.offer] += 1

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            ours, theirs = self.engine.next_at(), self.router.next_deadline()
            times = [at for at in (ours, theirs) if at is not None]
            if not times or min(times) > until:
                break
            self.now = max(self.now, min(times))
            if ours is not None and ours <= self.now:
                for event in self.engine.step(self.now):
                    self.post(event)
            else:
                self.post(TimePassed())
        self.now = until

    def drain(self) -> None:
        """Let nobody in any more, and go on until everyone has gone."""
        self.engine.close_doors()
        self.run(7200.0)

    def happened(self, kind: type[N]) -> list[N]:
        return [record for record in self.notices if isinstance(record, kind)]
