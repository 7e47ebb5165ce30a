"""A record of random calls, and how to store it. Nothing here is shared with the reports."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

import sqlalchemy as sa

from callrouter.record.rows import (
    AgentStateRow,
    CallOutcome,
    CallRow,
    ConsultationRow,
    ConversationEnd,
    ConversationKind,
    ConversationRow,
    GapRow,
    HoldRow,
    HowIn,
    OfferResult,
    OfferRow,
    StayOutcome,
    StayRow,
)

QUEUES = ("support", "sales", "helpdesk", "gone")
"""On record. `helpdesk` is the former id of `support`; `gone` is no longer configured."""
AGENTS = ("alice", "bob", "carol", "robert", "dave")
"""On record. `robert` is the former id of `bob`; `dave` is no longer configured."""
STATES = {
    "signed-out": "offline", "no-phone": "offline", "available": "available", "reserved": "reserved",
    "ringing": "ringing", "on-call": "on-call", "private-call": "on-call", "closing": "reserved",
    "wrap-up": "wrap-up", "paused": "paused",
}  # fmt: skip


@dataclass
class RandomRecord:
    """Rows by table. The first index of each list is the oldest."""

    calls: list[CallRow] = field(default_factory=list)
    stays: list[StayRow] = field(default_factory=list)
    offers: list[OfferRow] = field(default_factory=list)
    conversations: list[ConversationRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    consultations: list[ConsultationRow] = field(default_factory=list)
    agent_states: list[AgentStateRow] = field(default_factory=list)
    record_gaps: list[GapRow] = field(default_factory=list)

    def store(self, link: sa.Connection) -> None:
        """Write every row."""
        for table in fields(self):
            put(link, table.name, getattr(self, table.name))


def put(link: sa.Connection, table: str, rows: Iterable[Any]) -> None:
    """Write rows to a table."""
    values = [{item.name: plain(getattr(row, item.name)) for item in fields(row)} for row in rows]
    if values:
        link.execute(sa.insert(sa.table(table, *map(sa.column, values[0]))), values)


def plain(value: object) -> object:
    """A value as the database holds it."""
    return value.value if isinstance(value, Enum) else value


def call_row(call: str, entered_at: float, **given: Any) -> CallRow:
    """A call; what is not given is as in the simplest one."""
    usual: dict[str, Any] = {
        "pbx": "office", "ended_at": None, "caller_number": "+442079460001", "caller_name": "",
        "called_number": "", "tag": "", "priority": 50, "queue": "support", "last_queue": "support",
        "outcome": None, "result": "", "agent": "", "wait_s": 0.0, "talk_s": 0.0, "hold_s": 0.0,
        "stays": 1, "offers": 0, "conversations": 0, "transfers": 0, "ended_by": "",
        "ended_by_name": "", "number_key": "k1",
    }  # fmt: skip
    return CallRow(call=call, entered_at=entered_at, **(usual | given))


def stay_row(call: str, entered_at: float, **given: Any) -> StayRow:
    """A stay; what is not given is as in the simplest one."""
    usual: dict[str, Any] = {
        "n": 0, "queue": "support", "left_at": None, "outcome": None, "wait_s": None,
        "first_position": 1, "position": 0, "priority": 50, "agent": "", "answered_at": None,
        "talk_s": 0.0, "hold_s": 0.0, "how_in": HowIn.NEW, "target": "", "by": "", "offers": 0,
        "requeues": 0,
    }  # fmt: skip
    return StayRow(call=call, entered_at=entered_at, **(usual | given))


def offer_row(offer: str, made_at: float, **given: Any) -> OfferRow:
    """An offer; what is not given is as in the simplest one."""
    usual: dict[str, Any] = {
        "call": "c", "stay": 0, "queue": "support", "agent": "alice", "taker": "", "device": "",
        "policy": "longest-idle", "level": 1, "idle_s": 0.0, "rang_at": None, "accepted_at": None,
        "ended_at": None, "result": None, "rang_s": None,
    }  # fmt: skip
    return OfferRow(offer=offer, made_at=made_at, **(usual | given))


def conversation_row(call: str, started_at: float, **given: Any) -> ConversationRow:
    """A conversation; what is not given is as in the simplest one."""
    usual: dict[str, Any] = {
        "n": 0, "stay": 0, "queue": "support", "agent": "alice", "offer": "", "ended_at": None,
        "kind": ConversationKind.FIRST, "talk_s": None, "hold_s": 0.0, "wrap_up_s": None,
        "ended_by": None, "to": "", "by": "",
    }  # fmt: skip
    return ConversationRow(call=call, started_at=started_at, **(usual | given))


def state_row(
    serial: int, agent: str, at: float, until: float | None, status: str, **given: Any
) -> AgentStateRow:
    """What an agent was doing for a while."""
    usual: dict[str, Any] = {"reason": "", "by": "", "state": STATES[status]}
    return AgentStateRow(
        serial=serial, agent=agent, at=at, until=until, status=status, **(usual | given)
    )


def seconds(chance: random.Random, mean: float) -> float:
    """A random duration; often whole, often a tenth, and sometimes 0."""
    value = chance.expovariate(1 / mean)
    return chance.choice(
        (value, round(value), round(value, 1), 0.0, min(value, 20.0), min(value, 5.0))
    )


def random_record(seed: int, from_: float, to: float, calls: int = 300) -> RandomRecord:
    """Calls that enter from a while before `from_` until a while after `to`."""
    chance = random.Random(seed)
    record = RandomRecord()
    span = to - from_
    for number in range(calls):
        entered = chance.choice(
            (from_ + chance.uniform(-0.2, 1.2) * span, from_, to, from_ + span / 2)
        )
        _random_call(chance, record, f"17.{number}", entered)
    for agent in AGENTS:
        _random_states(chance, record, agent, from_ - span / 4, to + span / 4)
    return record


def _random_call(chance: random.Random, record: RandomRecord, call: str, entered: float) -> None:
    at = entered
    number = chance.choice(("+442079460001", "+442079460002", "+442079460003", ""))
    n = conversations = offers = 0
    for n in range(chance.choice((1, 1, 1, 2, 3))):
        queue = chance.choice(QUEUES)
        how_in = chance.choice((HowIn.NEW, HowIn.FOUND)) if n == 0 else chance.choice(list(HowIn))
        outcome = chance.choice(
            (*list(StayOutcome), *[StayOutcome.ANSWERED] * 12, *[StayOutcome.ABANDONED] * 4, None)
        )
        wait = None if outcome is None else seconds(chance, 20)
        refused = (
            outcome in {StayOutcome.FULL, StayOutcome.CLOSED, StayOutcome.NOBODY}
            and chance.random() < 0.5
        )
        talk, hold = (
            (seconds(chance, 90), seconds(chance, 5))
            if outcome is StayOutcome.ANSWERED
            else (0.0, 0.0)
        )
        agent = chance.choice(AGENTS) if outcome is StayOutcome.ANSWERED else ""
        begun = at
        left = None if wait is None else at + wait
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            _random_offer(chance, record, call, n, queue, at, offers)
            offers += 1
        if left is not None:
            at = left
        if outcome is StayOutcome.ANSWERED:
            live = chance.random() < 0.05
            record.conversations.append(
                conversation_row(
                    call, at, n=conversations, stay=n, queue=queue, agent=agent, hold_s=hold,
                    ended_at=None if live else at + talk, talk_s=None if live else talk,
                    wrap_up_s=chance.choice((None, seconds(chance, 10))),
                    ended_by=None if live else chance.choice(list(ConversationEnd)),
                    kind=chance.choice(list(ConversationKind)),
                )
            )  # fmt: skip
            conversations += 1
            at += talk
        record.stays.append(
            stay_row(
                call, begun, n=n, queue=queue, left_at=left, outcome=outcome, wait_s=wait,
                first_position=0 if refused else chance.randint(1, 9), agent=agent, how_in=how_in,
                talk_s=talk, hold_s=hold, position=0 if refused else chance.randint(1, 9),
            )
        )  # fmt: skip
        if outcome is None:
            break
    own = [stay for stay in record.stays if stay.call == call]
    ended = None if own[-1].outcome is None else at
    record.calls.append(
        call_row(
            call, entered, ended_at=ended, caller_number=number, number_key=f"k{number[-1:]}" if number else "",
            queue=own[0].queue, last_queue=own[-1].queue, stays=len(own), offers=offers, conversations=conversations,
            agent=own[-1].agent, wait_s=sum(stay.wait_s or 0.0 for stay in own), talk_s=sum(stay.talk_s for stay in own),
            outcome=None if ended is None else CallOutcome.ANSWERED if own[-1].agent else CallOutcome.ABANDONED,
        )
    )  # fmt: skip


def _random_offer(
    chance: random.Random,
    record: RandomRecord,
    call: str,
    stay: int,
    queue: str,
    at: float,
    number: int,
) -> None:
    result = chance.choice(
        (*list(OfferResult), *[OfferResult.ACCEPTED] * 20, *[OfferResult.NO_ANSWER] * 5, None)
    )
    rang = None if result is None else seconds(chance, 8)
    made = at + seconds(chance, 3)
    record.offers.append(
        offer_row(
            f"{call}/{number}", made, call=call, stay=stay, queue=queue, agent=chance.choice(AGENTS),
            result=result, rang_s=rang, ended_at=None if rang is None else made + rang,
            level=chance.choice((1, 1, 2)), policy=chance.choice(("longest-idle", "priority,longest-idle")),
        )
    )  # fmt: skip


def _random_states(
    chance: random.Random, record: RandomRecord, agent: str, at: float, end: float
) -> None:
    while at < end:
        status = chance.choice(list(STATES))
        length = chance.choice(
            (0.0, chance.expovariate(1 / 600), chance.expovariate(1 / 20_000), 900.0)
        )
        last = at + length >= end
        record.agent_states.append(
            state_row(
                len(record.agent_states), agent, at, None if last and chance.random() < 0.7 else at + length, status,
                reason=chance.choice(("lunch", "meeting")) if status == "paused" else "",
                by=chance.choice(("", "", "sam")),
            )
        )  # fmt: skip
        at += length
        if last:
            return
        if chance.random() < 0.1:  # a gap: the router was down
            at += chance.expovariate(1 / 3_600)
