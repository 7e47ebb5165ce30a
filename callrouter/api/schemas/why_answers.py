"""The answers to ``why`` and ``why-not``."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import AgentStateName, Moment


class PassedOverJson(TypedDict):
    """Agents who were not rung for the same reason."""

    reason: str
    """A stable word for the reason."""
    text: str
    agents: list[str]
    """The first of them."""
    count: int


class CandidateJson(TypedDict):
    """An agent who could have been rung."""

    agent: str
    idle_s: float | None
    text: str
    """The values that ranked the agent, in words."""


class OfferOutcomeJson(TypedDict):
    """What became of an offer."""

    result: str
    """A stable word."""
    text: str


class StepJson(TypedDict):
    """A step in the life of a call. Steps of the kind ``offer`` have all fields."""

    at: Moment
    after_s: float
    """Seconds since the call entered."""
    kind: str
    queue: str
    text: str
    """The step in words."""
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


class WhyNotJson(TypedDict):
    """Why an agent is not being offered calls now."""

    agent: str
    state: AgentStateName
    available: bool
    reasons: list[str]
    """The reasons that hold for every queue."""
    queues: list[QueueReasonsJson]
    text: str
