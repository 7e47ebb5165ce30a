"""Figures of stays in queues: counts, waits and service levels, summed up from groups of stays.

A group is what a query returns: the stays of a queue with one outcome, their sums, and how many waited for
how many tenths of a second. So medians need no list of calls.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from callrouter.record.rows import StayOutcome
from callrouter.reports.report import Value
from callrouter.reports.service_level import Definition, LevelCounts, Target

BINS: Final = 10
"""Groups of waits per second."""
REFUSED: Final = frozenset({StayOutcome.FULL, StayOutcome.CLOSED, StayOutcome.NOBODY})
"""Outcomes of a call that was not let in, if it never had a position."""


def seconds(value: float | None) -> float | None:
    """Return a duration to the millisecond."""
    return None if value is None else round(value, 3)


def mean(total: float, count: int) -> float | None:
    """Return a mean in seconds, to the millisecond; None: of nothing."""
    return round(total / count, 3) if count else None


def share(part: float, whole: float) -> float | None:
    """Return a percentage; None: of nothing."""
    return 100 * part / whole if whole else None


@dataclass(slots=True)
class Waits:
    """How long calls waited.

    Attributes:
        count: how many calls.
        total: seconds, of all together.
        longest: seconds; None: there was none.
        bins: number of calls by tenths of a second, rounded down.
    """

    count: int = 0
    total: float = 0.0
    longest: float | None = None
    bins: Counter[int] = field(default_factory=Counter)

    def put(self, bins: Mapping[int, int], total: float, longest: float) -> None:
        """Add calls by how long they waited, in tenths of a second."""
        self.count += sum(bins.values())
        self.total += total
        self.longest = longest if self.longest is None else max(self.longest, longest)
        self.bins.update(bins)

    def add(self, other: Waits) -> None:
        """Add other calls' waits."""
        if other.longest is not None:
            self.put(other.bins, other.total, other.longest)

    def quantile(self, part: float) -> float | None:
        """Return the wait of the call at this part of all, by wait; None: there is none.

        It is the nearest rank, that of the first call at which at least this part has waited no
        longer, in seconds to the tenth, rounded down.
        """
        rank = max(1, math.ceil(part * self.count))
        for bin_ in sorted(self.bins):
            rank -= self.bins[bin_]
            if rank <= 0:
                return bin_ / BINS
        return None

    def row(self, prefix: str) -> dict[str, Value]:
        """Return the figures as cells: mean, median, 90th percentile and maximum, in seconds."""
        return {
            f"{prefix}.mean": mean(self.total, self.count),
            f"{prefix}.median": self.quantile(0.5),
            f"{prefix}.p90": self.quantile(0.9),
            f"{prefix}.max": seconds(self.longest),
        }


class StayGroup(NamedTuple):
    """Stays of one queue with one outcome.

    Attributes:
        queue: its present id.
        outcome: None: they wait.
        refused: whether they were not let in.
        bins: how many of them waited for how many tenths of a second, rounded down.
        stays: how many, those below included.
        from_elsewhere: how many came from another queue: overflow, transfer, or moved.
        re_entries: how many came back after their call was over.
        within: how many waited no longer than the queue's time.
        short: how many waited less than a short abandon.
        wait_s: their waits together; `longest_s`: the longest.
        talk_s: their conversations together, holds included; `hold_s`: on hold.
    """

    queue: str
    outcome: StayOutcome | None
    refused: bool
    bins: Mapping[int, int]
    stays: int
    from_elsewhere: int
    re_entries: int
    within: int
    short: int
    wait_s: float
    longest_s: float
    talk_s: float
    hold_s: float


@dataclass(slots=True)
class StayFigures:
    """The figures of any number of stays. Begin empty, and `put` groups or `add` other figures."""

    entered: int = 0
    refused: int = 0
    waiting: int = 0
    from_elsewhere: int = 0
    re_entries: int = 0
    left: dict[StayOutcome, int] = field(default_factory=dict)
    level: LevelCounts = field(default_factory=LevelCounts)
    waits: Waits = field(default_factory=Waits)
    abandoned_waits: Waits = field(default_factory=Waits)
    talk_s: float = 0.0
    hold_s: float = 0.0

    def put(self, group: StayGroup) -> None:
        """Add a group."""
        if group.refused:
            self.refused += group.stays
            return
        self.entered += group.stays
        self.from_elsewhere += group.from_elsewhere
        self.re_entries += group.re_entries
        self.talk_s += group.talk_s
        self.hold_s += group.hold_s
        match group.outcome:
            case None:
                self.waiting += group.stays
            case StayOutcome.ANSWERED:
                self.level.answered += group.stays
                self.level.answered_within += group.within
                self.waits.put(group.bins, group.wait_s, group.longest_s)
            case StayOutcome.ABANDONED:
                self.level.abandoned += group.stays
                self.level.abandoned_within += group.within
                self.level.abandoned_short += group.short
                self.abandoned_waits.put(group.bins, group.wait_s, group.longest_s)
            case outcome:
                self.left[outcome] = self.left.get(outcome, 0) + group.stays

    def add(self, other: StayFigures) -> None:
        """Add the figures of other stays."""
        self.entered += other.entered
        self.refused += other.refused
        self.waiting += other.waiting
        self.from_elsewhere += other.from_elsewhere
        self.re_entries += other.re_entries
        for outcome, count in other.left.items():
            self.left[outcome] = self.left.get(outcome, 0) + count
        self.level.add(other.level)
        self.waits.add(other.waits)
        self.abandoned_waits.add(other.abandoned_waits)
        self.talk_s += other.talk_s
        self.hold_s += other.hold_s

    def row(self, target: Target | None) -> dict[str, Value]:
        """Return the figures as cells.

        Args:
            target: what the queue aims at; None: several queues, which aim at different things.
        """
        level, left = self.level, self.left
        strict = level.level(Definition.STRICT)
        aim = None if target is None else target.percent
        return {
            "entered": self.entered,
            "answered": level.answered,
            "abandoned": level.abandoned,
            "left": sum(left.values()),
            "waiting": self.waiting,
            "refused": self.refused,
            **{f"service_level.{item.value}": level.level(item) for item in Definition},
            "service_level.within_s": None if target is None else target.within,
            "service_level.target": aim,
            "service_level.met": None if strict is None or aim is None else strict >= aim,
            **self.waits.row("wait_s"),
            **self.abandoned_waits.row("abandoned_wait_s"),
            "abandoned_share": share(level.abandoned, self.entered),
            "abandoned_within": level.abandoned_within,
            "abandoned_short": level.abandoned_short,
            "from_elsewhere": self.from_elsewhere,
            "re_entries": self.re_entries,
            **{f"left_by.{item.value}": left.get(item, 0) for item in LEFT_BY},
            "talk_s.mean": mean(self.talk_s, level.answered),
            "talk_s.total": seconds(self.talk_s),
            "hold_s.mean": mean(self.hold_s, level.answered),
        }


LEFT_BY: Final = tuple(
    item for item in StayOutcome if item not in {StayOutcome.ANSWERED, StayOutcome.ABANDONED}
)
"""How a call can leave a queue that let it in, other than answered or abandoned."""
