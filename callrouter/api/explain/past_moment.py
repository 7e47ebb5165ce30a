"""What the record has of one moment: what an agent was doing, and which callers waited.

Runs in the thread that reads the record. What it returns is plain values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from callrouter.model.call_notices import OfferDecided
from callrouter.record import sql
from callrouter.record.call_steps import MemberFacts, members_of, unpack_steps
from callrouter.record.record_reader import CallStory, RecordReader
from callrouter.record.row_codec import row_reader
from callrouter.record.rows import AgentStateRow, ConversationRow, GapRow, OfferRow, StayRow

SHOWN: Final = 8
"""Callers of a queue that are explained individually; the others are only counted."""
_EXPLAINED: Final = 40
"""Callers that are explained in all."""
_MOST: Final = 5000
"""Callers that are counted."""
_LONGEST: Final = 86_400.0
"""Seconds before the moment in which a wait or a conversation must have begun to be found."""
_LAST_SERIAL: Final = 2**62
_INSTANT: Final = 0.001
_STAY, _OFFER, _TALK = row_reader(StayRow), row_reader(OfferRow), row_reader(ConversationRow)


class WaitingThen(NamedTuple):
    """A call that waited at the moment.

    Attributes:
        stay: its wait.
        offers: those of this stay, in order.
        talks: the call's conversations.
        decided: the last decision for it up to the moment, or else the first one after it; None:
            there was none, or it is not on record.
        members: the members of the queue at that decision; None: not on record.
        has_steps: whether the record has steps of it.
    """

    stay: StayRow
    offers: Sequence[OfferRow]
    talks: Sequence[ConversationRow]
    decided: OfferDecided | None
    members: Mapping[str, MemberFacts] | None
    has_steps: bool


class PastMoment(NamedTuple):
    """A moment, as the record has it.

    Attributes:
        at: epoch seconds.
        agent: who is asked about.
        state: what the agent was doing; None: not on record.
        offers: those by which the agent was being rung.
        talks: the agent's conversations.
        waiting: callers of each queue, explained ones only, in order of entry.
        counts: how many callers waited in each queue.
        gaps: what is missing from the record at that moment.
        first_run: when the first run on record began; None: there was none.
    """

    at: float
    agent: str
    state: AgentStateRow | None
    offers: Sequence[OfferRow]
    talks: Sequence[ConversationRow]
    waiting: Mapping[str, Sequence[WaitingThen]]
    counts: Mapping[str, int]
    gaps: Sequence[GapRow]
    first_run: float | None


def read_moment_of(
    reader: RecordReader,
    agent: str,
    at: float,
    queues: Collection[str] | None,
    first: Collection[str],
) -> PastMoment:
    """Return what the record has of a moment.

    Args:
        reader: reads the record.
        agent: who is asked about.
        at: epoch seconds.
        queues: those that may be looked at; None: all.
        first: queues whose callers are explained before those of others.
    """
    with reader.connection() as link:
        stays = _stays(link, at, queues)
        offers, talks = _offers(link, agent, at), _talks(link, agent, at)
        first_run = link.scalar(sa.select(sa.func.min(sql.RUNS.c.started_at)))
    counts: dict[str, int] = defaultdict(int)
    chosen: list[StayRow] = []
    for stay in stays:
        counts[stay.queue] += 1
        if counts[stay.queue] <= SHOWN:
            chosen.append(stay)
    chosen.sort(key=lambda stay: (stay.queue not in first, stay.queue, stay.entered_at))
    waiting: dict[str, list[WaitingThen]] = defaultdict(list)
    for stay in chosen[:_EXPLAINED]:
        waiting[stay.queue].append(_waiting(reader, stay, at))
    state = reader.states_at(at, serial=_LAST_SERIAL, agents=(agent,)).get(agent)
    if state is not None and state.until is not None and state.until <= at:
        state = None  # no router was running
    return PastMoment(
        at=at,
        agent=agent,
        state=state,
        offers=offers,
        talks=talks,
        waiting=waiting,
        counts=counts,
        gaps=reader.gaps(at, at + _INSTANT),
        first_run=first_run,
    )


def knows_agent(reader: RecordReader, agent: str) -> bool:
    """Return whether anything of an agent is on record, who may be in no file any more."""
    states, offers = sql.AGENT_STATES, sql.OFFERS
    with reader.connection() as link:
        return any(
            link.execute(sa.select(1).where(table.c.agent == agent).limit(1)).first() is not None
            for table in (states, offers)
        )


# ---------------------------------------------------------------- how


def _goes_on(end: sa.ColumnElement[float], at: float) -> sa.ColumnElement[bool]:
    return sa.or_(end.is_(None), end > at)


def _stays(link: sa.Connection, at: float, queues: Collection[str] | None) -> list[StayRow]:
    stays = sql.STAYS.c
    chosen = sa.select(*sql.STAYS.c).where(
        stays.entered_at <= at, stays.entered_at > at - _LONGEST, _goes_on(stays.left_at, at)
    )
    if queues is not None:
        chosen = chosen.where(stays.queue.in_(sorted(queues)))
    chosen = chosen.order_by(stays.entered_at, stays.call).limit(_MOST)
    return [_STAY(item) for item in link.execute(chosen)]


def _offers(link: sa.Connection, agent: str, at: float) -> list[OfferRow]:
    offers = sql.OFFERS.c
    chosen = sa.select(*offers).where(
        offers.agent == agent, offers.made_at <= at, offers.made_at > at - _LONGEST,
        _goes_on(offers.ended_at, at),
    )  # fmt: skip
    return [_OFFER(item) for item in link.execute(chosen.order_by(offers.made_at))]


def _talks(link: sa.Connection, agent: str, at: float) -> list[ConversationRow]:
    talks = sql.CONVERSATIONS.c
    chosen = sa.select(*talks).where(
        talks.agent == agent, talks.started_at <= at, talks.started_at > at - _LONGEST,
        _goes_on(talks.ended_at, at),
    )  # fmt: skip
    return [_TALK(item) for item in link.execute(chosen.order_by(talks.started_at))]


def _waiting(reader: RecordReader, stay: StayRow, at: float) -> WaitingThen:
    story = reader.story(stay.call)
    if story is None:  # deleted between two questions
        return WaitingThen(stay, (), (), None, None, has_steps=False)
    offers = [offer for offer in story.offers if offer.stay == stay.n]
    decided, digest = _decision(story, stay, at)
    members = None
    if digest:
        text = reader.member_lists((digest,)).get(digest)
        members = members_of(text) if text is not None else None
    has_steps = bool(story.decisions)
    return WaitingThen(stay, offers, story.conversations, decided, members, has_steps)


def _decision(story: CallStory, stay: StayRow, at: float) -> tuple[OfferDecided | None, str]:
    """Return the decision that is nearest to a moment of a stay, and the digest of its members."""
    decided: OfferDecided | None = None
    digest = ""
    for part in story.decisions:
        for step in unpack_steps(part.steps):
            notice = step.notice
            if not isinstance(notice, OfferDecided) or notice.queue != stay.queue:
                continue
            if notice.at < stay.entered_at:
                continue
            if notice.at > at:
                return (notice, step.digest) if decided is None else (decided, digest)
            decided, digest = notice, step.digest
    return decided, digest
