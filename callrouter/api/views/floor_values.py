"""Plain values about calls and queues that `FloorViews` gives to routes and metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from callrouter.model.agent_status import AgentState


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """What a request to move or end a call depends on.

    Attributes:
        state: the name of the core's state. One that rings is ``waiting``.
        waiting: whether it waits, so that it can be moved.
        talking: whether it is connected, also while held, so that it can be transferred.
    """

    id: str
    queue: str
    pbx: str
    state: str
    waiting: bool
    talking: bool


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """The waiting calls and present agents of a queue.

    Attributes:
        longest_wait: seconds.
        present: agents signed in and not paused.
    """

    queue: str
    waiting: int
    longest_wait: float
    present: int


@dataclass(frozen=True, slots=True)
class QueueStaff:
    """What the agents of a queue do: how many are in each state, and paused for each reason."""

    queue: str
    states: Counter[AgentState]
    pauses: Counter[str]
