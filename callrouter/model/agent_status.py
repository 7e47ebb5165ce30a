"""What an agent is doing, as the API, the phones' lamps and the database name it."""

from __future__ import annotations

from enum import Enum


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


class StatusReason(Enum):
    """Distinguishes two kinds of being offline, and a private call from a call of ours."""

    SIGNED_OUT = "signed out"
    NO_PHONE = "no phone can ring"
    """The agent is signed in, but none of their devices can ring."""
    PRIVATE_CALL = "private call"
    """A phone of the agent is in a call that is not ours."""

    __hash__ = object.__hash__


class PendingRequest(Enum):
    """What an agent asked for during a call, to take effect when the call is over.

    The values are those of the API and of the database.
    """

    PAUSE = "pause"
    SIGN_OUT = "sign-out"
