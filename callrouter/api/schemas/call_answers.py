"""Answers about queues and calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from callrouter.api.schemas.notice_answers import NoticeJson
from callrouter.api.schemas.vocabulary import AgentStateName, CallStateName, Moment


class WaitingJson(TypedDict):
    """A call that waits in a queue."""

    call: str
    position: int
    """Counts from 1."""
    caller_number: Annotated[str, Field(examples=["+441632960961"])]
    """Empty: withheld."""
    caller_name: str
    priority: int
    """1 is first, 100 is last."""
    wait_s: float
    """Seconds since it entered this queue."""
    state: Literal["waiting", "ringing"]
    ringing: list[str]
    """The agents being rung for it."""


class DayJson(TypedDict):
    """What happened in a queue since midnight."""

    entered: int
    answered: int
    abandoned: int
    """Calls whose caller hung up while waiting."""
    left: int
    """Calls that left by a rule of the queue, such as its longest wait."""
    longest_wait_s: float


class ServiceLevelJson(TypedDict):
    """How many of today's callers were answered in time, and how many should be."""

    within_s: float
    """Seconds within which a call should be answered."""
    target: int | None
    """The share of the calls in percent that should be; null: the queue names none."""
    percent: float | None
    """Of the calls answered and abandoned today, the share that was answered in time; null: none
    was.
    """


class QueueJson(TypedDict):
    """A queue."""

    id: str
    name: str
    policy: list[str]
    """The policies that rank its agents, most significant first."""
    waiting: list[WaitingJson]
    free: int
    """Agents who could be rung now for a waiting call (for any call if none waits)."""
    longest_wait_s: float
    talking: int
    """Calls connected to an agent."""
    agents: dict[AgentStateName, list[str]]
    """The members by state."""
    today: DayJson
    service_level: ServiceLevelJson


class QueueTargetJson(TypedDict):
    """A queue to which a caller can be given."""

    id: str
    name: str
    free: int
    """Agents who could be rung now."""


class ColleagueJson(TypedDict):
    """A colleague to whom a caller can be given."""

    id: str
    name: str
    state: AgentStateName
    free: bool
    """Whether they could be rung now."""
    queues: list[str]
    """The queues that they share with the agent who asks."""


class TargetsJson(TypedDict):
    """Where an agent can send a caller."""

    queues: list[QueueTargetJson]
    agents: list[ColleagueJson]
    """Those of the agent's own queues; who could be rung now comes first."""
    outside: list[str]
    """How the numbers outside begin to which a caller can be given; empty: to none."""


class OfferJson(TypedDict):
    """An agent who is being rung for a call or connected to it."""

    id: str
    agent: str
    state: str
    rang: bool
    """Whether a phone has said that it rings."""
    since_s: float
    """Seconds since the offer was made."""
    devices: dict[str, str]
    """The state of each phone that was asked."""


class CallJson(TypedDict):
    """A call, active or ended."""

    id: str
    pbx: str | None
    """Null for an ended call."""
    queue: str
    caller_number: Annotated[str, Field(examples=["+441632960961"])]
    """Empty: withheld."""
    caller_name: str
    called_number: str | None
    tag: str | None
    state: CallStateName
    agent: str | None
    """The agent it is or was connected to."""
    held: bool
    """Whether the caller hears music during the conversation."""
    can_hold: bool
    """Whether the caller can be put on hold here, and a colleague be asked first; else the keys of
    the phone do that, if they can. False unless it is connected."""
    consulting: str | None
    """The colleague whom the agent is asking."""
    consulting_state: Literal["ringing", "talking"] | None
    """Whether that colleague has answered; null: no one is being asked."""
    entered_at: Moment
    wait_s: float | None
    """Seconds it waited in its queue."""
    talk_s: float | None
    """Seconds since it was connected; of an ended call: the length of the conversation."""
    priority: int | None
    """1 is first, 100 is last."""
    position: int | None
    """Its place in the queue, from 1; null: it does not wait."""
    offers: list[OfferJson]
    ended_at: Moment | None
    result: str | None
    """Why a call that left its queue did: ``timeout``, ``full``, ``nobody``, ``closed`` …, or ``ended``
    if a supervisor ended it."""


class CallDetailJson(CallJson):
    """A call, with what happened to it."""

    decisions: list[NoticeJson]
    """The latest notices about the call, oldest first; none for an agent's token."""
