"""The bodies of requests. Fields may be left out; unknown ones are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypedDict

from callrouter.model.routing_table import FIRST_PRIORITY, LAST_PRIORITY

_STRICT = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

_Duration = Annotated[object, WithJsonSchema({"type": ["number", "string"]})]
"""Seconds, or a text such as ``10s``; the handler parses it."""


@with_config(_STRICT)
class EmptyBody(TypedDict, total=False):
    """No fields."""


@with_config(_STRICT)
class HandOverBody(TypedDict, total=False):
    """Which pool is handed over, and to which of its nodes."""

    pool: str
    """Left out: the pool of the daemon that is asked."""
    to: Annotated[str, Field(examples=["north-2"])]
    """Left out: the standby that is readiest."""


@with_config(_STRICT)
class LogInBody(TypedDict, total=False):
    """Who logs in. Both fields are required."""

    user: str
    """An id of a user or an agent, or an agent's extension."""
    password: str
    """The password, or an agent's PIN."""


@with_config(_STRICT)
class TicketBody(TypedDict, total=False):
    """Which page uses the ticket."""

    origin: Annotated[str, Field(examples=["https://intranet.example.com"])]
    """Scheme, host and port, as browsers write them; required."""


@with_config(_STRICT)
class WallScreenBody(TypedDict, total=False):
    """A link for a screen on the wall."""

    name: Annotated[str, Field(examples=["Hall, left"])]
    """What to call it; required."""
    queues: list[str]
    """What it shows; left out or empty: all queues."""


@with_config(_STRICT)
class OpenScreenBody(TypedDict, total=False):
    """The secret of a link for a wall screen."""

    token: str
    """Required."""


@with_config(_STRICT)
class PauseBody(TypedDict, total=False):
    """A pause."""

    reason: str
    """One of ``/api/pauses``, or any text if none is configured."""


@with_config(_STRICT)
class ConversationBody(TypedDict, total=False):
    """A request about the conversation of an agent."""

    call: str
    """Which one, if the agent has several."""


@with_config(_STRICT)
class TransferBody(TypedDict, total=False):
    """Where a conversation goes."""

    call: str
    """Which one, if the agent has several."""
    queue: str
    agent: str
    number: Annotated[str, Field(examples=["+442079460123"])]
    """A number outside, in any usual form; only for a transfer, and only to numbers that
    ``transfers: outside`` of the configuration allows."""


@with_config(_STRICT)
class MoveBody(TypedDict, total=False):
    """Where a call goes."""

    queue: str
    agent: str
    """This agent of the queue is asked first."""
    priority: Annotated[
        int, Field(json_schema_extra={"minimum": FIRST_PRIORITY, "maximum": LAST_PRIORITY})
    ]
    """1 is first, 100 is last."""


@with_config(_STRICT)
class RegisterBody(TypedDict, total=False):
    """A mobile to register."""

    number: Annotated[str, Field(examples=["+447700900123"])]
    """In any usual form; required."""
    id: str
    """What to call it; ``mobile`` if left out."""
    ring_after: _Duration
    """How long after the agent's first phone it rings."""
    hours: Annotated[str, Field(examples=["mon-fri 08:00-18:00"])]
    """When it may ring."""
    vouch: bool
    """A supervisor answers for the number: no verification call."""


@with_config(_STRICT)
class DeviceBody(TypedDict, total=False):
    """What to change about a phone. All but `enabled` is for registered mobiles."""

    enabled: bool
    ring_after: _Duration
    """How long after the agent's first phone it rings."""
    hours: str
    """When it may ring; empty: always."""
    order: int
    """Its place among the agent's mobiles."""


@with_config(_STRICT)
class VerifyBody(TypedDict, total=False):
    """How a mobile is verified."""

    vouch: bool
    """A supervisor answers for the number, or approves it: no verification call."""


@with_config(_STRICT)
class RejectBody(TypedDict, total=False):
    """Why a mobile is not accepted."""

    reason: str
    """What its agent is told, and the audit says; may be left out."""


@with_config(_STRICT)
class MessageBody(TypedDict, total=False):
    """A line to an agent."""

    text: Annotated[str, Field(examples=["Please call me after this one"])]
    """Required; 200 characters at most."""


@with_config(_STRICT)
class ReloadBody(TypedDict, total=False):
    """How the configuration files are read."""

    confirm: bool
    """False: a change that removes a lot is only reported."""
