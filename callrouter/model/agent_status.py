"""What an agent is doing, as the API, the phones' lamps and the database name it."""

from __future__ import annotations

from enum import Enum
from typing import Final


class AgentState(Enum):
    """The status of an agent. The values are those of the API."""

    OFFLINE = "offline"
    """Signed out, or none of the agent's devices can ring."""
    AVAILABLE = "available"
    RESERVED = "reserved"
    """Being rung, but no device has reported ringing yet; or a device is still being stopped."""
    RINGING = "ringing"
    ON_CALL = "on-call"
    WRAP_UP = "wrap-up"
    PAUSED = "paused"

    __hash__ = object.__hash__  # Enum's own is written in Python and hashes the name


class PendingRequest(Enum):
    """What an agent asked for during a call, to take effect when the call is over.

    The values are those of the API and of the database.
    """

    PAUSE = "pause"
    SIGN_OUT = "sign-out"


class AgentStatus(Enum):
    """What an agent is doing, in full. `callrouter.core.agents.agent_availability.status_of` determines it.

    Attributes:
        state: the status as the API shows it.
    """

    SIGNED_OUT = ("signed out", AgentState.OFFLINE)
    NO_PHONE = ("no phone", AgentState.OFFLINE)
    """Signed in, and none of the agent's devices can ring."""
    AVAILABLE = ("available", AgentState.AVAILABLE)
    RESERVED = ("reserved", AgentState.RESERVED)
    """Being rung, but no device has reported ringing yet."""
    RINGING = ("ringing", AgentState.RINGING)
    ON_CALL = ("on a call", AgentState.ON_CALL)
    """Connected to a caller, or about to be."""
    PRIVATE_CALL = ("in a private call", AgentState.ON_CALL)
    CLOSING = ("closing", AgentState.RESERVED)
    """Free again, while a device of theirs is still being stopped."""
    WRAP_UP = ("in wrap-up", AgentState.WRAP_UP)
    PAUSED = ("paused", AgentState.PAUSED)

    state: AgentState

    __hash__ = object.__hash__

    def __init__(self, _words: str, state: AgentState) -> None:
        self.state = state


# A look-up of a member takes 0.1 µs on Python 3.11; code that every call passes through uses these.
AGENT_AVAILABLE: Final = AgentStatus.AVAILABLE
AGENT_RESERVED: Final = AgentStatus.RESERVED
AGENT_RINGING: Final = AgentStatus.RINGING
AGENT_ON_CALL: Final = AgentStatus.ON_CALL
AGENT_WRAP_UP: Final = AgentStatus.WRAP_UP
