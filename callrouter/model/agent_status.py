"""What an agent is doing, as the API, the phones' lamps and the database name it."""

from __future__ import annotations

from enum import Enum


class AgentState(Enum):
    """The status of an agent. The values are those of the API."""

    OFFLINE = "offline"
    AVAILABLE = "available"
    RESERVED = "reserved"
    RINGING = "ringing"
    ON_CALL = "on-call"
    WRAP_UP = "wrap-up"
    PAUSED = "paused"

    __hash__ = object.__hash__
