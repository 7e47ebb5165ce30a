"""What the core shows of its state: plain values that are never modified.

A driver, the store and the daemon never see the core's own objects, which change with every event.
They ask a `callrouter.core.board.Board`, which answers with these.
"""

from __future__ import annotations

from collections.abc import Mapping

from callrouter.model.agent_status import AgentState
from callrouter.model.frozen import frozen
from callrouter.model.routing_table import AgentSpec, QueueSpec


@frozen
class AgentView:
    """An agent at the time of asking.

    - `spec`: the agent as configured; for one who was removed, as configured last.
    - `state`: the status that callrouter shows of the agent.
    - `signed_in`, `pause`: the state in force. `pause` is the reason; None if not paused.
    - `pending_pause`, `pending_sign_out`: requested during a call, and in effect after it.
    - `off_hook`: connected to a caller, or about to be.
    - `devices_off`: devices switched off at run time, each with who did it and when (epoch
      seconds).
    - `gone`: removed from the configuration, and only finishing what is in progress.
    """

    spec: AgentSpec
    state: AgentState
    signed_in: bool
    pause: str | None
    pending_pause: str | None
    pending_sign_out: bool
    off_hook: bool
    devices_off: Mapping[str, tuple[str, float]]
    gone: bool

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.spec.id


@frozen
class QueueView:
    """A queue at the time of asking.

    - `spec`: the queue as configured; for one that was removed, as configured last.
    - `waiting`: number of calls that wait, including those for which phones ring.
    - `members`: number of members now.
    """

    spec: QueueSpec
    waiting: int
    members: int

    @property
    def id(self) -> str:
        """The queue's id."""
        return self.spec.id
