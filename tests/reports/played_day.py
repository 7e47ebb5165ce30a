"""A day of a call centre, played by a seed and put on record: for every report, and the documentation.

Three queues, twelve agents with shifts and breaks, callers who give up and some who call again. It is not
the router that plays it: what stands in the rows is what the rows' documentation says.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from callrouter.record.rows import (
    AgentStateRow,
    CallOutcome,
    ConversationEnd,
    OfferResult,
    StayOutcome,
)
from tests.record.rows import call_row, conversation_row, offer_row, state_row, stay_row
from tests.reports.samples import FRIDAY

AGENTS = {
    "alice": "Alice Ainsworth", "ben": "Ben Okafor", "chloe": "Chloé Martin", "dmitri": "Dmitri Volkov",
    "emma": "Emma Lindqvist", "farid": "Farid Haddad", "grace": "Grace Murphy", "hiro": "Hiro Tanaka",
    "isabel": "Isabel Ortega", "jonas": "Jonas Weber", "kavita": "Kavita Rao", "liam": "Liam O'Connor",
}  # fmt: skip
QUEUES = {"sales": "Sales", "support": "Support", "billing": "Billing"}
_PER_HOUR = {"sales": 17.0, "support": 34.0, "billing": 8.0}
_MEMBERS = {
    "sales": ("alice", "ben", "chloe", "dmitri", "emma"),
    "support": ("dmitri", "emma", "farid", "grace", "hiro", "isabel", "jonas", "liam"),
    "billing": ("isabel", "jonas", "kavita", "alice"),
}
RING = 15.0
WRAP_UP = 25.0

CONFIG = {
    "agents": "agents:\n"
    + "".join(f"  {id_}: {{name: \"{name}\", devices: {{desk: PJSIP/{n}}}}}\n"
              for n, (id_, name) in enumerate(AGENTS.items(), 1001)),
    "queues": "queues:\n"
    + "".join(
        f"  {id_}: {{name: {name}, policy: longest-idle, agents: [{', '.join(_MEMBERS[id_])}],\n"
        "    on_nobody: wait, service_level: {within: 20s, target: 80, short_abandon: 5s}}\n"
        for id_, name in QUEUES.items()
    ),
}  # fmt: skip
"""The configuration files of it."""


@dataclass
class _Waiting:
    call: str
    queue: str
    number: str
    at: float
    patience: float
    offers: int = 0
    missed: str = ""


@dataclass
class PlayedDay:
    """The rows of a day.

    Args:
        seed: the same seed plays the same day.
        begin: epoch seconds of its midnight.
    """

    seed: int = 27
    begin: float = FRIDAY
    rows: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._numbers = itertools.count(1)
        self._serials = itertools.count(1)
        self._states: dict[str, AgentStateRow] = {}
        self._idle: dict[str, float] = {}
        self._absent: dict[str, list[tuple[float, float, str]]] = {}
        self._waiting: list[_Waiting] = []
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        for agent in AGENTS:
            self._plan_shift(agent)
        for queue in QUEUES:
            for at in self._arrivals(_PER_HOUR[queue]):
                self._later(at, "arrive", queue)
        while self._events:
            at, _, what, subject = heapq.heappop(self._events)
            getattr(self, f"_{what}")(at, subject)
            self._match(at)
        self.rows += list(self._states.values())

    def _later(self, at: float, what: str, subject: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), what, subject))

    def _arrivals(self, per_hour: float) -> Iterator[float]:
        at = self.begin + 8 * 3600
        while at < self.begin + 18 * 3600:
            hour = (at - self.begin) / 3600
            busy = math.exp(-((hour - 10.3) ** 2) / 1.8) + 0.85 * math.exp(
                -((hour - 14.6) ** 2) / 2.4
            )
            at += self._dice.expovariate(per_hour * (0.35 + 1.3 * busy) / 3600)
            yield at

    # ------------------------------------------------------------ agents

    def _plan_shift(self, agent: str) -> None:
        place = list(AGENTS).index(agent)
        starts = (7.9, 7.9, 8.9, 9.9)[place % 4]
        ends = starts + (8.2 if place % 5 else 6.2)
        lunch = self._dice.uniform(11.5, 13.3)
        breaks = [
            (lunch, lunch + self._dice.uniform(0.5, 0.8), "lunch"),
            (starts + 1.9, starts + 2.1, "break"),
            (ends - 1.6, ends - 1.4, "break"),
        ]
        if self._dice.random() < 0.4:
            breaks.append((15.0, 15.5, "meeting"))
        self._absent[agent] = [
            (self.begin + a * 3600, self.begin + b * 3600, reason)
            for a, b, reason in sorted(breaks)
        ]
        self._absent[agent].append((self.begin + ends * 3600, math.inf, ""))
        self._become(agent, self.begin, "signed-out", "offline")
        self._later(self.begin + starts * 3600 + self._dice.uniform(-200, 200), "free", agent)

    def _become(self, agent: str, at: float, status: str, state: str, reason: str = "") -> None:
        before = self._states.pop(agent, None)
        if before is not None and before.at < at:
            self.rows.append(replace(before, until=at))
        self._states[agent] = state_row(
            next(self._serials), agent, at, status=status, state=state, reason=reason
        )

    def _free(self, at: float, agent: str) -> None:
        """The agent is free, unless a break is due or the shift is over."""
        absent = self._absent[agent]
        if absent and absent[0][0] <= at:
            begin, end, reason = absent.pop(0)
            if not reason:
                self._become(agent, at, "signed-out", "offline")
                return
            self._become(agent, at, "paused", "paused", reason)
            self._later(at + end - begin, "free", agent)
            return
        self._become(agent, at, "available", "available")
        self._idle[agent] = at
        if absent and absent[0][0] < math.inf:
            self._later(absent[0][0], "leave", agent)

    def _leave(self, at: float, agent: str) -> None:
        if self._idle.pop(agent, None) is not None:
            self._free(at, agent)

    # ------------------------------------------------------------ calls

    def _arrive(self, at: float, queue: str) -> None:
        number = f"+44163296{self._dice.randrange(10_000):04}"
        call = f"{at:.0f}.{next(self._numbers)}"
        waiting = _Waiting(call, queue, number, at, self._dice.expovariate(1 / 170) + 3)
        self._waiting.append(waiting)
        self._later(at + waiting.patience, "give_up", waiting)

    def _again(self, at: float, waiting: _Waiting) -> None:
        call = f"{at:.0f}.{next(self._numbers)}"
        self._waiting.append(_Waiting(call, waiting.queue, waiting.number, at, 900.0))

    def _give_up(self, at: float, waiting: _Waiting) -> None:
        if waiting not in self._waiting:
            return
        self._waiting.remove(waiting)
        wait = at - waiting.at
        same = {"queue": waiting.queue, "wait_s": wait, "offers": waiting.offers, "agent": ""}
        self.rows += [
            call_row(
                waiting.call, waiting.at, ended_at=at, caller_number=waiting.number, number_key=waiting.number,
                last_queue=waiting.queue, outcome=CallOutcome.ABANDONED, result="abandoned",
                talk_s=0.0, conversations=0, **same,
            ),
            stay_row(
                waiting.call, 0, waiting.at, left_at=at, outcome=StayOutcome.ABANDONED, talk_s=0.0,
                answered_at=None, **same,
            ),
        ]  # fmt: skip
        if self._dice.random() < 0.5:
            self._later(at + self._dice.uniform(300, 3600), "again", waiting)

    def _match(self, at: float) -> None:
        for waiting in list(self._waiting):
            free = [
                agent
                for agent in _MEMBERS[waiting.queue]
                if agent in self._idle and agent != waiting.missed
            ]
            if free:
                self._offer(at, waiting, min(free, key=self._idle.__getitem__))

    def _offer(self, at: float, waiting: _Waiting, agent: str) -> None:
        self._waiting.remove(waiting)
        waiting.offers += 1
        idle = at - self._idle.pop(agent)
        offer = {
            "queue": waiting.queue, "agent": agent, "idle_s": idle, "rang_at": at + 0.2,
        }  # fmt: skip
        name = f"{waiting.call}-{waiting.offers}"
        self._become(agent, at, "ringing", "ringing")
        if self._dice.random() < 0.04:
            missed = {
                "result": OfferResult.NO_ANSWER,
                "accepted_at": None,
                "taker": "",
                "device": "",
            }
            self.rows.append(
                offer_row(
                    name, waiting.call, at, ended_at=at + RING, rang_s=RING, **missed, **offer
                )
            )
            waiting.missed = agent
            self._later(at + RING, "free", agent)
            self._later(at + RING, "back", waiting)
            return
        answered = at + self._dice.uniform(1.5, 7)
        accepted = {"accepted_at": answered, "ended_at": answered, "taker": agent}
        self.rows.append(
            offer_row(name, waiting.call, at, rang_s=answered - at, **accepted, **offer)
        )
        self._talk(answered, waiting, agent, name)

    def _back(self, at: float, waiting: _Waiting) -> None:
        self._waiting.insert(0, waiting)
        self._later(max(at, waiting.at + waiting.patience), "give_up", waiting)

    def _talk(self, at: float, waiting: _Waiting, agent: str, offer: str) -> None:
        talk = self._dice.lognormvariate(math.log(210), 0.6)
        hold = self._dice.uniform(10, 60) if self._dice.random() < 0.15 else 0.0
        hold = min(hold, talk / 2)
        by = self._dice.choice((ConversationEnd.CALLER, ConversationEnd.AGENT))
        same = {"queue": waiting.queue, "agent": agent, "talk_s": talk, "hold_s": hold}
        wait = {"wait_s": at - waiting.at, "offers": waiting.offers}
        self.rows += [
            call_row(
                waiting.call, waiting.at, ended_at=at + talk, caller_number=waiting.number,
                number_key=waiting.number,
                last_queue=waiting.queue, ended_by=by.value, **wait, **same,
            ),
            stay_row(waiting.call, 0, waiting.at, left_at=at, answered_at=at, **wait, **same),
            conversation_row(
                waiting.call, 0, at, ended_at=at + talk, ended_by=by, wrap_up_s=WRAP_UP, offer=offer, **same
            ),
        ]  # fmt: skip
        self._become(agent, at, "on-call", "on-call")
        self._later(at + talk, "wrap_up", agent)

    def _wrap_up(self, at: float, agent: str) -> None:
        self._become(agent, at, "wrap-up", "wrap-up")
        self._later(at + WRAP_UP, "free", agent)
