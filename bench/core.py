"""What a decision costs: whole calls a second and microseconds an event, by size of the call centre.

    python bench/core.py                     # the whole table
    python bench/core.py --agents 100 10000  # some rows

A whole call is: arrives, is offered, rings, is accepted, connected, ends, wrap-up ends. With a backlog
the agent who ends it is offered the next at once.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

from callrouter.core.router import Router
from callrouter.model.commands import Ring
from callrouter.model.events import (
    CallArrived,
    CallConnected,
    Event,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    PbxSnapshot,
    Reached,
    SignedIn,
)
from callrouter.model.table import AgentSpec, DeviceSpec, MemberSpec, QueueSpec, Table

PBX = "office"
WRAP_UP = 10.0
SLICES = 8


def make_table(agents: int, queues: int, policy: str, each: int = 5) -> Table:
    """Every agent in `each` queues, levels 1 to 3."""
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
            )
            for name in names
        },
        queues={
            queue: QueueSpec(
                id=queue,
                name=queue,
                members=tuple(places),
                policy=(policy,),
                wrap_up=WRAP_UP,
                max_wait=3600.0,
            )
            for queue, places in members.items()
        },
    )


class Floor:
    """A router with its agents signed in, and phones that always answer.

    Between `WRAP_UP` and the pace of `step` half of the busy agents are in wrap-up at any time.
    """

    def __init__(self, table: Table, *, busy: int) -> None:
        self.router = Router(table, dice=random.Random(1), boot="b")
        self.now = 1.0
        self.events = self.arrived = self.ended = 0
        self.busy = busy
        self.rings: deque[Ring] = deque()
        self.talking: deque[str] = deque()
        self.rng = random.Random(2)
        self.queues = list(table.queues)
        endpoints = dict.fromkeys((f"PJSIP/{name}" for name in table.agents), Reached.IDLE)
        self.feed(PbxSnapshot(pbx=PBX, endpoints=endpoints))
        for name in table.agents:
            self.now += 0.001
            self.feed(SignedIn(agent=name))

    def feed(self, event: Event) -> None:
        self.events += 1
        for command in self.router.handle(event, self.now):
            if type(command) is Ring:
                self.rings.append(command)

    def arrive(self) -> None:
        self.arrived += 1
        queue = self.queues[self.rng.randrange(len(self.queues))]
        self.feed(CallArrived(call=f"c{self.arrived}", pbx=PBX, queue=queue))

    def answer_all(self) -> None:
        while self.rings:
            ring = self.rings.popleft()
            self.feed(LegRang(offer=ring.offer, device="desk"))
            self.feed(LegAccepted(offer=ring.offer, device="desk"))
            self.feed(CallConnected(call=ring.call, offer=ring.offer))
            self.talking.append(ring.offer)

    def step(self) -> None:
        """A call arrives, whoever is rung answers, and the longest talk ends."""
        self.now += 2 * WRAP_UP / self.busy
        self.arrive()
        self.answer_all()
        if len(self.talking) > self.busy // 2:
            self.ended += 1
            self.feed(LegEnded(offer=self.talking.popleft(), device="desk", why=LegEnd.HUNG_UP))
            self.answer_all()


def measure(agents: int, queues: int, backlog: int, calls: int, policy: str) -> Row:
    """With a backlog all agents are kept busy, else half of them."""
    floor = Floor(make_table(agents, queues, policy), busy=agents if backlog else agents // 2)
    for _ in range(backlog + agents if backlog else 0):
        floor.arrive()
    floor.answer_all()
    for _ in range(agents + agents // 2):  # until as many talk, and rest, as will
        floor.step()
    gc.collect()
    gc.freeze()
    rows = [one_slice(floor, max(1, calls // SLICES)) for _ in range(SLICES)]
    gc.unfreeze()
    return Row(agents, queues, backlog, *max(rows))


def one_slice(floor: Floor, calls: int) -> tuple[float, float]:
    """Whole calls a second, and microseconds an event."""
    floor.events = floor.ended = 0
    start = time.process_time()
    for _ in range(calls):
        floor.step()
    seconds = time.process_time() - start
    return floor.ended / seconds, seconds / floor.events * 1e6


@dataclass
class Row:
    """One line of the table.

    Seconds are those of the processor and of the best slice: neighbours disturb the clock's, and by
    their use of the caches the processor's too.
    """

    agents: int
    queues: int
    backlog: int
    per_second: float
    per_event: float


def bare_heaps(pairs: int = 100_000) -> float:
    """Reserve-and-release pairs a second of two heaps and nothing else: how fast this machine is now."""
    agents = [(float(number), number) for number in range(10_000)]
    best = 0.0
    for _ in range(SLICES):
        start = time.process_time()
        for number in range(pairs // SLICES):
            _, agent = heappop(agents)
            heappush(agents, (10_000.0 + number, agent))
        best = max(best, pairs / SLICES / (time.process_time() - start))
    return best


def memory(agents: int, queues: int, waiting: int) -> float:
    """Megabytes that Python holds for a floor with so many waiting calls."""
    tracemalloc.start()
    floor = Floor(make_table(agents, queues, "longest-idle"), busy=agents)
    for _ in range(agents + waiting):
        floor.arrive()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--queues", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--backlog", type=int, nargs="+", default=[0, 5_000])
    parser.add_argument("--calls", type=int, default=10_000, help="whole calls to measure")
    parser.add_argument("--policy", default="longest-idle")
    args = parser.parse_args()
    print(f"{'agents':>7} {'queues':>7} {'backlog':>8} {'calls/s':>9} {'us/event':>9} {'ratio':>6}")
    base: dict[int, float] = {}
    for backlog in args.backlog:
        for agents in args.agents:
            for queues in args.queues:
                row = measure(agents, queues, backlog, args.calls, args.policy)
                ratio = base.setdefault(backlog, row.per_second) / row.per_second
                print(
                    f"{agents:>7} {queues:>7} {backlog:>8} {row.per_second:>9.0f} "
                    f"{row.per_event:>9.2f} {ratio:>6.2f}"
                )
    print(f"bare heaps on this machine in this run: {bare_heaps():.0f} pairs a second")
    agents, queues = max(args.agents), max(args.queues)
    size = memory(agents, queues, 5_000)
    print(f"memory at {agents} agents, {queues} queues, 5,000 waiting: {size:.0f} MB")


if __name__ == "__main__":
    main()
