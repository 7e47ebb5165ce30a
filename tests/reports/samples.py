"""Reports of a realistic day, for the formats: a small centre from 08:00 to 18:00, played by a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from statistics import mean, median
from zoneinfo import ZoneInfo

from callrouter.reports.report import Report, ReportColumn, Row, Shown, Value

LONDON = ZoneInfo("Europe/London")
FRIDAY = datetime(2026, 11, 27, tzinfo=LONDON).timestamp()
DAY = 86_400.0
STATES = ("available", "reserved", "ringing", "on-call", "wrap-up", "paused", "offline")


@dataclass
class Played:
    """A call of the day."""

    entered_at: float
    wait_s: float
    answered: bool
    talk_s: float = 0.0


@dataclass
class DayOfCalls:
    """A day of one queue: callers come more often at 10:00 and 14:00, and give up after a while."""

    seed: int = 1
    agents: int = 9
    per_hour: float = 95.0
    calls: list[Played] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        free = [8 * 3600.0] * self.agents
        at = 8 * 3600.0
        while True:
            at += dice.expovariate(self._rate(at / 3600) / 3600)
            if at > 18 * 3600:
                return
            agent = min(range(self.agents), key=free.__getitem__)
            wait = max(0.0, free[agent] - at) + dice.uniform(2, 7)
            patience = dice.expovariate(1 / 150) + 4
            if patience < wait:
                self.calls.append(Played(FRIDAY + at, patience, answered=False))
                continue
            talk = dice.lognormvariate(math.log(200), 0.6)
            free[agent] = at + wait + talk + 20
            self.calls.append(Played(FRIDAY + at, wait, answered=True, talk_s=talk))

    def _rate(self, hour: float) -> float:
        peaks = math.exp(-((hour - 10.2) ** 2) / 1.6) + 0.85 * math.exp(-((hour - 14.5) ** 2) / 2.2)
        return self.per_hour * (0.35 + 1.25 * peaks)


def figures(calls: list[Played]) -> dict[str, Value]:
    """The figures of some calls, as the report has them."""
    waits = sorted(call.wait_s for call in calls if call.answered)
    abandoned = sum(not call.answered for call in calls)
    within = sum(call.answered and call.wait_s <= 20 for call in calls)
    return {
        "entered": len(calls),
        "answered": len(waits),
        "abandoned": abandoned,
        "left": 0,
        "service_level.strict": 100 * within / len(calls) if calls else None,
        "service_level.within_s": 20.0,
        "service_level.target": 80.0,
        "wait_s.mean": mean(waits) if waits else None,
        "wait_s.median": median(waits) if waits else None,
        "wait_s.p90": waits[int(0.9 * (len(waits) - 1))] if waits else None,
        "wait_s.max": waits[-1] if waits else None,
    }


FIGURES = (
    ReportColumn(name="entered", title="Entered"),
    ReportColumn(name="answered", title="Answered"),
    ReportColumn(name="abandoned", title="Abandoned"),
    ReportColumn(name="left", title="Left", drop=4),
    ReportColumn(name="service_level.strict", title="Service level", shown=Shown.SHARE, unit="%"),
    ReportColumn(
        name="service_level.within_s", title="Within", shown=Shown.DURATION, unit="s", drop=9
    ),
    ReportColumn(name="service_level.target", title="Target", shown=Shown.SHARE, unit="%", drop=8),
    ReportColumn(name="wait_s.mean", title="Mean wait", shown=Shown.DURATION, unit="s"),
    ReportColumn(name="wait_s.median", title="Median wait", shown=Shown.DURATION, unit="s", drop=3),
    ReportColumn(name="wait_s.p90", title="90 % within", shown=Shown.DURATION, unit="s", drop=2),
    ReportColumn(name="wait_s.max", title="Longest wait", shown=Shown.DURATION, unit="s", drop=1),
)
QUEUE = ReportColumn(name="queue", title="Queue", shown=Shown.TEXT)
INTERVAL = ReportColumn(name="interval", title="Begins", shown=Shown.INTERVAL)


def hours(day: DayOfCalls, step: float = 1800.0) -> Report:
    """The day by half hours, all queues together."""
    rows: list[Row] = []
    for number in range(round(DAY / step)):
        start = FRIDAY + number * step
        some = [call for call in day.calls if start <= call.entered_at < start + step]
        rows.append({"interval": start, **figures(some)})
    return Report(
        what="hours",
        title="All queues by half hour",
        from_=FRIDAY,
        to=FRIDAY + DAY,
        zone=LONDON,
        by="30m",
        columns=[INTERVAL, *FIGURES],
        rows=rows,
        total={"interval": None, **figures(day.calls)},
        notes=["Service level: answered within 20 s, of all calls that entered."],
    )


def queues(names: tuple[str, ...], step: float | None = None) -> Report:
    """The day of several queues; `step`: by intervals of so many seconds."""
    rows: list[Row] = []
    for seed, name in enumerate(names):
        day = DayOfCalls(seed, agents=6 + seed, per_hour=50 + 16 * seed)
        if step is None:
            rows.append({"queue": name, **figures(day.calls)})
            continue
        for number in range(round(DAY / step)):
            start = FRIDAY + number * step
            some = [call for call in day.calls if start <= call.entered_at < start + step]
            rows.append({"queue": name, "interval": start, **figures(some)})
    return Report(
        what="queues",
        title="Queues" if step is None else "Queues by hour",
        from_=FRIDAY,
        to=FRIDAY + DAY,
        zone=LONDON,
        by="" if step is None else "1h",
        columns=[QUEUE, *([] if step is None else [INTERVAL]), *FIGURES],
        rows=rows,
    )


def agents(names: list[str]) -> Report:
    """What agents did during the day."""
    dice = random.Random(len(names))
    return Report(
        what="agents",
        title="Agents",
        from_=FRIDAY,
        to=FRIDAY + DAY,
        zone=LONDON,
        columns=[
            ReportColumn(name="agent", title="Agent", shown=Shown.TEXT),
            ReportColumn(name="answered", title="Answered"),
            *(
                ReportColumn(
                    name=f"state_s.{state}",
                    title=state.capitalize(),
                    shown=Shown.DURATION,
                    unit="s",
                    drop=number,
                )
                for number, state in enumerate(STATES)
            ),
        ],
        rows=[{"agent": name, **dict(_shift(dice))} for name in names],
    )


def _shift(dice: random.Random) -> Iterator[tuple[str, Value]]:
    length = dice.choice((4, 6, 8, 8, 8)) * 3600 * dice.uniform(0.95, 1.03)
    shares = [
        dice.uniform(*span) for span in ((9, 30), (0, 0.4), (1, 4), (40, 60), (5, 9), (6, 14))
    ]
    yield "answered", round(length / 3600 * dice.uniform(9, 15))
    for state, share in zip(STATES, shares, strict=False):
        yield f"state_s.{state}", round(length * share / sum(shares), 1)
    yield "state_s.offline", DAY - length


NAMES = (
    *(
        "Alice Ainsworth",
        "Ben Okafor",
        "Chloé Martin",
        "Dmitri Volkov",
        "Emma Lindqvist",
        "Farid Haddad",
    ),
    *("Grace Murphy", "Hiro Tanaka", "Isabel Ortega", "Jonas Weber", "Kavita Rao", "Liam O'Connor"),
)
