"""What `why` costs: whole calls through the core, with and without decisions and the journal.

    python -m bench.why [CALLS]

A whole call arrives, is offered, rings, is accepted, is connected and is hung up; then its agent is
available again. The variants alternate, and the best turn of each counts: other programs only ever
slow it down.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import pytest

from callrouter.api.calllog.call_log import CallLog
from callrouter.core import lane_membership, matching
from callrouter.core.floor import Floor
from callrouter.core.offers import ringing
from callrouter.core.router import Router
from callrouter.model.commands import Connect, Ring
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    ConnectSucceeded,
    DeviceState,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    PbxSnapshot,
)
from callrouter.model.notices import AgentStatusChanged, Notice
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    MemberSpec,
    QueueSpec,
    SignIn,
    Table,
)

AGENTS, QUEUES, TURNS = 200, 10, 41


def table(agents: int = AGENTS, queues: int = QUEUES, policy: str = "priority") -> Table:
    """Return a table with every agent in 3 queues, at one of 3 levels."""
    names = [f"a{n}" for n in range(agents)]
    return Table(
        agents={
            name: AgentSpec(
                id=name,
                name=name,
                sign_in=SignIn.ALWAYS,
                devices=(
                    DeviceSpec(id="desk", agent=name, pbxes=("office",), endpoint=f"PJSIP/{name}"),
                ),
            )
            for name in names
        },
        queues={
            f"q{q}": QueueSpec(
                id=f"q{q}",
                name=f"q{q}",
                policy=(policy,),
                members=tuple(
                    MemberSpec(agent=names[n], level=1 + n % 3, order=n)
                    for n in range(agents)
                    if (n - q) % queues < 3
                ),
            )
            for q in range(queues)
        },
    )


class Site:
    """A core with phones that answer at once; half of the agents are kept busy."""

    def __init__(self, made: Table, tell: Callable[[Any], None]) -> None:
        self.router = Router(made, rng=random.Random(1), run_id="b")
        self.now = 0.0
        self.tell = tell
        self.talks: deque[tuple[str, str, str]] = deque()
        phones = {f"PJSIP/{name}": DeviceState.IDLE for name in made.agents}
        self.feed(PbxSnapshot(pbx="office", endpoints=phones))

    def feed(self, event: Any) -> list[Any]:
        self.now += 0.01
        commands = self.router.handle(event, self.now)
        for command in commands:
            if isinstance(command, Notice):
                self.tell(command)
        return commands

    def one(self, number: int, queues: int) -> None:
        """Let a call arrive; the oldest conversation ends once half of the agents are busy."""
        name = f"c{number}"
        out = self.feed(
            CallArrived(
                call=name, pbx="office", queue=f"q{number % queues}", caller_number="+442079460018"
            )
        )
        self._serve(out)
        if len(self.talks) > AGENTS // 2:
            call, offer, device = self.talks.popleft()
            self.feed(CallerLeft(call=call))
            self._serve(self.feed(LegEnded(offer=offer, device=device, why=LegEnd.HUNG_UP)))

    def _serve(self, commands: list[Any]) -> None:
        """Let the agent who is rung accept the call."""
        for ring in commands:
            if isinstance(ring, Ring):
                self.feed(LegRang(offer=ring.offer, device=ring.device))
                out = self.feed(LegAccepted(offer=ring.offer, device=ring.device))
                assert any(isinstance(c, Connect) for c in out)
                self.feed(ConnectSucceeded(call=ring.call, offer=ring.offer))
                self.talks.append((ring.call, ring.offer, ring.device))


def emit_nothing(floor: Any, call: Any, agent: Any, *_: Any) -> bool:
    """`matching._make_offer` without its decision."""
    offer = ringing.make_offer(floor, call, call.queue.members[agent.id])
    if matching.wanted(call) <= 0:
        lane_membership.take_call_out(call)
    return offer is not None


@contextmanager
def emission(*, decisions: bool, states: bool) -> Iterator[None]:
    """Run the core with or without decisions and changes of agents' states."""
    keep_place, keep_publish = matching._make_offer, Floor.publish

    def quiet(floor: Any, notice: Notice) -> None:
        if not isinstance(notice, AgentStatusChanged):
            keep_publish(floor, notice)

    with pytest.MonkeyPatch.context() as patch:
        if not decisions:
            patch.setattr(matching, "_make_offer", emit_nothing)
        if not states:
            patch.setattr(Floor, "publish", quiet)
        yield
    assert matching._make_offer is keep_place


def turn(count: int, policy: str, *, decisions: bool, states: bool) -> float:
    """Return whole calls per second of this process's own CPU time."""
    with emission(decisions=decisions, states=states):
        site = Site(table(policy=policy), lambda _: None)
        if decisions:
            site.tell = CallLog(site.router.floor).listen
        for number in range(AGENTS):
            site.one(number, QUEUES)
        gc.collect()
        gc.disable()
        began = time.process_time()
        for number in range(AGENTS, AGENTS + count):
            site.one(number, QUEUES)
        spent = time.process_time() - began
        gc.enable()
        return count / spent


def measure(count: int, policy: str, turns: int = TURNS) -> tuple[float, float, float]:
    """Return calls per second, and the shares of decisions and journal, without and with states.

    Each share is the median over turns in which the variants follow each other directly, so that
    other load on the machine affects all alike.
    """
    speeds, parts, more = [], [], []
    for _ in range(turns):
        full = turn(count, policy, decisions=True, states=True)
        bare = turn(count, policy, decisions=False, states=True)
        barest = turn(count, policy, decisions=False, states=False)
        speeds.append(full)
        parts.append(1 - full / bare)
        more.append(1 - full / barest)
    return median(speeds), median(parts), median(more)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print(f"{AGENTS} agents in {QUEUES} queues, {count} calls, medians of {TURNS} turns")
    for policy in ("priority", "random", "round-robin"):
        speed, part, more = measure(count, policy)
        print(
            f"{policy:12} {speed:6.0f} calls/s; decisions and journal {part:.1%} of the time, "
            f"with the agents' changes of state {more:.1%}"
        )


if __name__ == "__main__":
    main()
