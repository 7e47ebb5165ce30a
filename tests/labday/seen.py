"""What was seen at the phones, by persons and by the test; nothing here comes from callrouter.

Times are seconds of the router's wall clock, which is the machine's plus a fixed number of seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class Watch:
    """The router's wall clock, and the times of phones (`time.monotonic`) by it."""

    def __init__(self, now_is: float) -> None:
        """Begin so that it is `now_is` (epoch seconds) now."""
        self.off = now_is - time.time()
        self._wall = now_is - time.monotonic()

    def now(self) -> float:
        """Return the time."""
        return self._wall + time.monotonic()

    def of(self, at: float | None) -> float | None:
        """Return the time of an event at a phone; None: it did not come to that."""
        return None if at is None else self._wall + at


@dataclass(slots=True)
class Ring:
    """A phone of an agent that was rung for a caller.

    Attributes:
        agent: whose phone it is.
        number: the caller's, as the phone showed it.
        invite: when the INVITE came; `rang`: the 180; `talked`: from when both could hear each other.
        ended: when it was over at the phone.
        by_agent: whether the agent hung up, refused, or transferred the caller away.
        code: the SIP code of a refusal; 0: none.
    """

    agent: str
    number: str
    invite: float
    rang: float | None
    talked: float | None
    ended: float
    by_agent: bool
    code: int = 0
    accepted: float | None = None
    """When the agent took the call, if that was before both could hear each other."""
    quiet: float | None = None
    """When the phone was on-hook, if that was after it was told to stop."""


@dataclass(slots=True)
class Stay:
    """A caller's wait in a queue, as the caller and the agents' phones tell it."""

    queue: str
    entered: float
    how: str
    """``new``, ``transfer``, ``overflow``, ``re-entry``."""
    left: float = 0.0
    outcome: str = ""
    agent: str = ""
    talks: list[tuple[str, float, float]] = field(default_factory=list)
    """(agent, from, to) of its conversations."""

    @property
    def wait(self) -> float:
        return self.left - self.entered

    @property
    def talk(self) -> float:
        return sum(ended - began for _, began, ended in self.talks)


@dataclass(slots=True)
class Visit:
    """A caller from the first ring to the end.

    Attributes:
        number: the caller's, different for each.
        moves: (time, queue, how) of each entry into a queue: the first by dialling it, others by what an
            agent did, by the queue's rule, or by the dialplan.
        leaves: (time, outcome) at which a rule sent the caller out of the present queue.
        ended: when the caller's phone was on-hook; `by_caller`: whether the caller hung up.
    """

    number: str
    moves: list[tuple[float, str, str]]
    caller: str = ""
    """Who it is, if the same caller may call again; `number` is different for each visit."""
    leaves: list[tuple[float, str]] = field(default_factory=list)
    ended: float = 0.0
    by_caller: bool = False


GRACE = 130.0
"""Seconds after which a caller who was not found again counts as lost."""
AT_ONCE = 1.0
"""Seconds: an agent who hangs up sooner may not have talked to the caller, who waits again."""


def broke_off(ring: Ring, visit: Visit) -> bool:
    """Whether the agent hung up at once, and the caller was still there."""
    return (
        ring.talked is not None
        and ring.by_agent
        and ring.ended - ring.talked < AT_ONCE
        and visit.ended > ring.ended
    )


@dataclass(slots=True)
class Day:
    """All that was seen.

    Attributes:
        down: (from, to) of the times without a router that is in step.
        until: when the day was over.
        duty: (time, agent, what, reason) of what agents asked for: ``in``, ``out``, ``pause``, ``resume``.
    """

    visits: list[Visit] = field(default_factory=list)
    rings: list[Ring] = field(default_factory=list)
    down: list[tuple[float, float]] = field(default_factory=list)
    until: float = 0.0
    duty: list[tuple[float, str, str, str]] = field(default_factory=list)
    holds: list[tuple[str, float, float]] = field(default_factory=list)
    """(agent, from, to) of callers on hold."""
    transfers: list[tuple[str, float]] = field(default_factory=list)
    """(agent, beginning of the conversation that the agent gave away)."""

    def stays(self, visit: Visit, rings: list[Ring]) -> list[Stay]:
        """Put a caller's entries and the agents' phones that rang for the caller together."""
        talks = sorted(
            (ring.talked, ring.ended, ring.agent)
            for ring in rings
            if ring.talked is not None and not broke_off(ring, visit)
        )
        stays: list[Stay] = []
        edges = [at for at, _, _ in visit.moves[1:]] + [visit.ended]
        for (entered, queue, how), edge in zip(visit.moves, edges, strict=True):
            stay = Stay(queue, entered, how)
            stays.append(stay)
            inside = [one for one in talks if entered <= one[0] < edge]
            sent_out = [one for one in visit.leaves if entered < one[0] <= edge + 0.001]
            if inside:
                stay.left, stay.outcome = inside[0][0], "answered"
                stay.talks = [(agent, at, min(ended, edge)) for at, ended, agent in inside]
                stay.agent = inside[-1][2]
            elif sent_out:
                stay.left, stay.outcome = sent_out[0]
            else:
                stay.left = visit.ended
                stay.outcome = "abandoned"
                if any(began <= visit.ended <= ended for began, ended in self.down):
                    # For two minutes it may still turn up; after that it is lost.
                    stay.outcome = "lost" if self.until > visit.ended + GRACE else "waiting"
        return stays
