"""The answers to ``why`` and ``why-not``."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import AgentStateName, Moment, PhraseJson


class PassedOverJson(TypedDict):
    """Agents who were not rung for the same reason."""

    reason: str
    """A stable word for the reason."""
    text: str
    phrase: PhraseJson
    """The same as a code with values."""
    agents: list[str]
    """The first of them."""
    count: int


class CandidateJson(TypedDict):
    """An agent who could have been rung."""

    agent: str
    idle_s: float | None
    text: str
    """The values that ranked the agent, in words."""
    phrase: PhraseJson
    """The same as a code with values."""


class OfferOutcomeJson(TypedDict):
    """What became of an offer."""

    result: str
    """A stable word."""
    text: str
    phrase: PhraseJson
    """The same as a code with values."""


class StepJson(TypedDict):
    """A step in the life of a call. Steps of the kind ``offer`` have all fields."""

    at: Moment
    after_s: float
    """Seconds since the call entered."""
    kind: str
    queue: str
    text: str
    """The step in words."""
    phrase: PhraseJson
    """The same as a code with values."""
    agent: NotRequired[str]
    offer: NotRequired[str]
    policy: NotRequired[list[str]]
    by_agent: NotRequired[bool]
    preferred: NotRequired[bool]
    drawn: NotRequired[int]
    available: NotRequired[int]
    waiting: NotRequired[int]
    candidates: NotRequired[list[CandidateJson]]
    passed_over: NotRequired[list[PassedOverJson]]
    outcome: NotRequired[OfferOutcomeJson]


class WhyWaitingJson(TypedDict):
    """Why a call is still waiting."""

    text: str
    phrase: PhraseJson
    """The same as a code with values."""
    position: int
    ringing: list[str]
    passed_over: list[PassedOverJson]


class WhyJson(TypedDict):
    """Every decision that was made for a call, with reasons."""

    call: str
    queue: str
    caller_number: str
    caller_name: str
    entered_at: Moment
    ended_at: Moment | None
    result: str | None
    """How it ended; null: it is active."""
    agent: str | None
    left_out: int
    """How many of the first steps are no longer kept."""
    steps: list[StepJson]
    now: WhyWaitingJson | None
    """Null unless the call waits."""


class QueueReasonsJson(TypedDict):
    """Why an agent is not rung for the calls of one queue."""

    id: str
    member: bool
    waiting: int
    reasons: list[str]
    reasons_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""


class AgentSpanJson(TypedDict):
    """What an agent was doing for a while."""

    since: Moment
    until: Moment | None
    """Null: it goes on."""
    state: AgentStateName
    text: str
    """What it was, in words, with the person who brought it about."""
    phrase: PhraseJson
    """The same as a code with values."""


class AgentDecisionJson(TypedDict):
    """A decision for a call, as it concerns one agent."""

    at: Moment
    call: str
    queue: str
    rung: str | None
    """Who was rung; null: a colleague, that the asker may not know."""
    reason: str
    """A stable word for why the agent was not: ``rung`` if it was this agent."""
    text: str
    phrase: PhraseJson
    """The same as a code with values."""


class WhyNotJson(TypedDict):
    """Why an agent is not being offered calls now, was not at some time, or not for a call."""

    agent: str
    at: Moment | None
    """The time asked about; null: now, or a call."""
    call: str | None
    """The call asked about."""
    state: AgentStateName | None
    """At that time, or when the call entered. Null: it is not on record."""
    available: bool
    reasons: list[str]
    """The reasons that hold for every queue."""
    reasons_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    queues: list[QueueReasonsJson]
    states: list[AgentSpanJson]
    """What the agent was doing at that time, or while the call waited. Empty for now."""
    decisions: list[AgentDecisionJson]
    """Every decision for the call that was asked about, in order."""
    missing: list[str]
    """What would belong here and is not on record, in words."""
    missing_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    text: str
    phrase: PhraseJson
    """The same as a code with values."""
