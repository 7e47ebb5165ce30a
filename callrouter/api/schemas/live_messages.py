"""The messages of ``/api/live``."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.agent_answers import AgentJson
from callrouter.api.schemas.call_answers import CallJson, QueueJson
from callrouter.api.schemas.notice_answers import NoticeJson
from callrouter.api.schemas.status_answers import StatusJson
from callrouter.api.schemas.vocabulary import Moment


class LiveStateJson(TypedDict):
    """The first message: everything that the token may see."""

    type: Literal["state"]
    at: Moment
    agents: list[AgentJson]
    queues: list[QueueJson]
    calls: list[CallJson]
    status: NotRequired[StatusJson]
    """Left out for tokens of role ``agent``."""


class LiveNoticeJson(NoticeJson):
    """A notice in the live view."""

    type: Literal["record"]


class LiveDecisionJson(TypedDict):
    """Why an agent is rung for a call, in short: ``/api/calls/{id}/why`` has it all."""

    type: Literal["decision"]
    at: Moment
    call: str
    queue: str
    agent: str
    offer: str
    policy: list[str]
    """The policies that ranked the agents, most significant first."""
    available: int
    """How many agents could be rung."""
    waiting: int
    """How many calls waited for them."""
    waited_s: float
    by_agent: bool
    """Whether the agent became free and took the call."""
    preferred: bool
    """Whether the call prefers this agent."""
    drawn: int
    """From how many chances the agent was drawn; 0: nothing was drawn."""


class LiveGoneJson(TypedDict):
    """What is there no more, or is hidden now."""

    topic: Literal["agents", "queues", "calls"]
    id: str


class LiveChangesJson(TypedDict):
    """What has changed since the message before, of the topics that are watched.

    While nothing changes, a message without rows comes every second or two: what was shown is true.
    """

    type: Literal["changes"]
    seq: int
    """Grows with each message. Those in which nothing is for this watcher are left out."""
    at: Moment
    agents: list[AgentJson]
    queues: list[QueueJson]
    calls: list[CallJson]
    gone: list[LiveGoneJson]


class LiveNoteJson(TypedDict):
    """Something odd that was otherwise ignored."""

    type: Literal["note"]
    text: str
