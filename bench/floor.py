"""A call centre for benchmarks of the core: a table, and phones that answer at once."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from callrouter.api.calllog.call_log import CallLog
from callrouter.core.router import Router
from callrouter.model.commands import Ring, StopRing
from callrouter.model.events import (
    CallArrived,
    ConnectSucceeded,
    DeviceState,
    Event,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    PbxSnapshot,
    SignedIn,
    TimePassed,
)
from callrouter.model.notices import Notice
from callrouter.model.routing_table import AgentSpec, DeviceSpec, MemberSpec, QueueSpec, Table

PBX = "office"
WRAP_UP = 10.0


def make_table(agents: int, queues: int, policy: str, each: int = 5) -> Table:
    """Return a table with every agent in `each` queues, at levels 1 to 3."""
    rng = random.Random(7)
    names = [f"a{number}" for number in range(agents)]
    members: dict[str, list[MemberSpec]] = {f"q{number}": [] for number in range(queues)}
    for name in names:
        for queue in rng.sample(sorted(members), min(each, queues)):
            places = members[queue]
            places.append(MemberSpec(agent=name, level=rng.randint(1, 3), order=len(places)))
    return Table(
        agents={
            name: AgentSpec(
                id=name,
                name=name,
                devices=(
                    DeviceSpec(id="desk", agent=name, pbxes=(PBX,), endpoint=f"PJSIP/{name}"),
                ),
                skills={"french": number % 4},
            )
            for number, name in enumerate(names)
        },
        queues={
            queue: QueueSpec(
                id=queue,
                name=queue,
                members=tuple(places),
                policy=(policy,),
                at_once=None if policy == "ring-all" else 1,
                skills={"french": 1} if policy == "skills" else {},
                wrap_up=WRAP_UP,
                max_wait=3600.0,
            )
            for queue, places in members.items()
        },
    )


def deaf_table(deaf: int, working: int) -> Table:
    """Return a table with one queue, some of whose agents never answer but are never paused."""
    table = make_table(deaf + working, 1, "linear")
    queues = {
        name: replace(queue, auto_pause=0, retry_after=36000.0, max_wait=None)
        for name, queue in table.queues.items()
    }
    return replace(table, queues=queues)


class Floor:
    """A router with its agents signed in, and phones that always answer.

    Between `WRAP_UP` and the pace of `step`, half of the busy agents are in wrap-up at any time.
    With `why`, all notices are kept, as in the daemon.
    """

    def __init__(self, table: Table, *, busy: int, why: bool = False) -> None:
        self.router = Router(table, rng=random.Random(1), run_id="b")
        self.listen: Callable[[Notice], None] | None = None
        if why:
            self.listen = CallLog(self.router.floor).listen
        self.now = 1.0
        self.events = self.arrived = self.ended = 0
        self.busy = busy
        self.rings: deque[Ring] = deque()
        self.stops: deque[StopRing] = deque()
        self.talking: deque[tuple[str, str]] = deque()
        self.queues = self._drawn(list(table.queues))
        endpoints = dict.fromkeys((f"PJSIP/{name}" for name in table.agents), DeviceState.IDLE)
        self.feed(PbxSnapshot(pbx=PBX, endpoints=endpoints))
        for name in table.agents:
            self.now += 0.001
            self.feed(SignedIn(agent=name))

    @staticmethod
    def _drawn(queues: list[str]) -> Iterator[str]:
        """Yield the queues that callers call, from random numbers drawn beforehand."""
        drawn = random.Random(2).choices(queues, k=100_003)
        while True:
            yield from drawn

    def feed(self, event: Event) -> None:
        self.events += 1
        for command in self.router.handle(event, self.now):
            kind = type(command)
            if kind is Ring:
                self.rings.append(command)  # type: ignore[arg-type]  # it is one
            elif kind is StopRing:
                self.stops.append(command)  # type: ignore[arg-type]  # it is one
            elif self.listen is not None and isinstance(command, Notice):
                self.listen(command)

    def arrive(self) -> None:
        self.arrived += 1
        self.feed(CallArrived(call=f"c{self.arrived}", pbx=PBX, queue=next(self.queues)))

    def answer_all(self, deaf: Collection[str] = ()) -> None:
        """Answer each ringing phone unless another one was answered.

        Agents in `deaf` never answer.
        """
        while self.rings or self.stops:
            if self.stops:
                stop = self.stops.popleft()
                self.feed(LegEnded(offer=stop.offer, device=stop.device, why=LegEnd.HUNG_UP))
                continue
            ring = self.rings.popleft()
            if ring.agent in deaf:
                self.feed(LegEnded(offer=ring.offer, device=ring.device, why=LegEnd.NO_ANSWER))
            elif ring.offer in self.router.floor.offers:
                self.feed(LegRang(offer=ring.offer, device=ring.device))
                self.feed(LegAccepted(offer=ring.offer, device=ring.device))
                self.feed(ConnectSucceeded(call=ring.call, offer=ring.offer))
                self.talking.append((ring.offer, ring.device))

    def hang_up(self) -> None:
        """End the longest conversation."""
        self.ended += 1
        offer, device = self.talking.popleft()
        self.feed(LegEnded(offer=offer, device=device, why=LegEnd.HUNG_UP))

    def step(self) -> None:
        """Let a call arrive, let the agent rung answer, and end the longest conversation."""
        self.now += 2 * WRAP_UP / self.busy
        self.arrive()
        self.answer_all()
        if len(self.talking) > self.busy // 2:
            self.hang_up()
            self.answer_all()

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.feed(TimePassed())
