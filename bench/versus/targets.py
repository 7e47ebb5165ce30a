"""The targets of callrouter, and whether it met them. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.versus import results
from bench.versus.results import Effort, Results, ratio

AT_MOST_SLOWER_MS = 3.0
TIMES_FASTER = 50.0
MEDIAN_TO_FLOOR = 1.5
P99_TO_FLOOR = 3.0
CALLS_TO_FLOOR = 0.98
PROCESSOR = 1.15


@dataclass(frozen=True, slots=True)
class Target:
    """One target, with the figure measured for it."""

    part: str
    wanted: str
    figure: str
    met: bool

    @property
    def word(self) -> str:
        """The verdict."""
        return "met" if self.met else "missed"


def targets(found: Results) -> list[Target]:
    """Return every target for which there is a figure."""
    return [*_queued(found), *_freed(found), *_answered(found), *_processor(found)]


def _queued(found: Results) -> Iterator[Target]:
    ours = found.spread("callrouter", results.QUEUED)
    theirs = found.spread("app_queue", results.QUEUED)
    if ours and theirs:
        more = ours.median - theirs.median
        wanted = f"median at most {AT_MOST_SLOWER_MS:.0f} ms more than app_queue's"
        yield Target("a", wanted, f"{more:+.1f} ms", more <= AT_MOST_SLOWER_MS)


def _freed(found: Results) -> Iterator[Target]:
    ours = found.spread("callrouter", results.FREED)
    theirs = found.spread("app_queue", results.FREED)
    floor = found.spread("floor", results.FREED)
    if ours and theirs:
        times = theirs.median / ours.median
        wanted = f"median {TIMES_FASTER:.0f} times faster than app_queue"
        yield Target("b", wanted, f"{times:.0f} times", times >= TIMES_FASTER)
    if ours and floor:
        median, p99 = ours.median / floor.median, ours.p99 / floor.p99
        wanted = f"median at most {MEDIAN_TO_FLOOR} times the bare script's"
        yield Target("b", wanted, f"{median:.2f} times", median <= MEDIAN_TO_FLOOR)
        wanted = f"p99 at most {P99_TO_FLOOR:.0f} times the bare script's"
        yield Target("b", wanted, f"{p99:.2f} times", p99 <= P99_TO_FLOOR)


def _answered(found: Results) -> Iterator[Target]:
    ours, theirs, floor = (
        effort.per_minute() if effort else None
        for effort in (
            found.effort(name, results.BACKLOG) for name in ("callrouter", "app_queue", "floor")
        )
    )
    more = ratio(ours, theirs)
    if more is not None:
        yield Target("c", "more calls than app_queue", f"{more - 1:+.1%}", more > 1.0)
    more = ratio(ours, floor)
    if more is not None:
        wanted = f"at least {CALLS_TO_FLOOR:.0%} of the bare script's calls"
        yield Target("c", wanted, f"{more:.1%}", more >= CALLS_TO_FLOOR)


def _processor(found: Results) -> Iterator[Target]:
    for where, get in (("a line of callers", backlog), ("callers as they come", as_they_come)):
        ours, theirs = (
            effort.asterisk_ms() if effort else None
            for effort in (get(found, name) for name in ("callrouter", "app_queue"))
        )
        more = ratio(ours, theirs)
        if more is not None:
            wanted = f"Asterisk's work per call at most app_queue's {PROCESSOR - 1:+.0%}, {where}"
            yield Target("d", wanted, f"{more - 1:+.0%}", more <= PROCESSOR)


def backlog(found: Results, system: str) -> Effort | None:
    """Return a system's totals for the endless queue."""
    return found.effort(system, results.BACKLOG)


def as_they_come(found: Results, system: str) -> Effort | None:
    """Return a system's totals for random arrivals, all loads together (same calls for each)."""
    total = Effort()
    for name, effort in found.efforts.get(system, {}).items():
        if name != results.BACKLOG:
            total.add(effort)
    return total if total.answered else None
