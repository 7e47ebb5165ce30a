"""Answers about agents, their phones and their pauses."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import (
    AgentStateName,
    DeviceKind,
    DeviceStateName,
    Moment,
    PhraseJson,
)


class DeviceJson(TypedDict):
    """A phone of an agent."""

    id: str
    kind: DeviceKind
    """``endpoint``: a phone of the PBX; ``number``: reached over a trunk."""
    address: Annotated[str, Field(examples=["PJSIP/1001", "+44…123"])]
    """The endpoint or the number; numbers are masked except for their owner and supervisors."""
    addresses: Annotated[
        dict[str, str], Field(examples=[{"north": "PJSIP/1001", "south": "PJSIP/1001@north"}])
    ]
    """The endpoint on each PBX, if the phone has several; empty: `address` is all."""
    state: DeviceStateName
    enabled: bool
    """False if the phone is switched off."""
    confirm: bool
    """Whether whoever answers must press 1 to accept a call."""
    trouble: str | None
    """Why the phone cannot ring now, in words."""
    trouble_phrase: NotRequired[PhraseJson]
    """The same as a code with values, if there is a trouble."""


class OwnDeviceJson(DeviceJson):
    """A phone of an agent, as its owner and supervisors see it: with the whole number."""

    source: Literal["configuration", "registered"]
    """Where the phone comes from: the configuration files, or its owner."""
    status: Literal["unverified", "waiting", "in-use"]
    """``waiting``: verified, and a supervisor must approve it."""
    ring_after_s: float
    """Seconds after the agent's first phone."""
    hours: Annotated[str | None, Field(examples=["mon-fri 08:00-18:00"])]
    """When the phone may ring; null: always."""
    order: int | None
    """Its place among the agent's registered mobiles."""
    added_at: Moment | None
    added_by: str | None
    verified_at: Moment | None
    approved_by: str | None


class MobileJson(OwnDeviceJson):
    """A mobile that an agent registered."""

    agent: str
    agent_name: str


class DeviceAnswerJson(TypedDict):
    """The result of a request about a phone."""

    text: str
    """What was done, in words."""
    code: str | None
    """The code that the verification call asks for; null: no call is placed."""
    expires_at: Moment | None
    """When the code expires."""
    device: OwnDeviceJson | None
    """The phone as it is now; null: it was removed."""


class AuditStepJson(TypedDict):
    """One step in the life of a registered mobile."""

    at: Moment
    device: str
    who: str
    via: str
    """``api``, ``command line`` or ``phone``."""
    what: str
    """A stable word for scripts."""
    number: str
    """Masked."""
    detail: str
    """For people."""


class AuditJson(TypedDict):
    """What was done about an agent's registered mobiles, newest first."""

    steps: list[AuditStepJson]


class MembershipJson(TypedDict):
    """A queue in which an agent takes calls."""

    id: str
    priority: int
    """The agent's level in the queue; 1 is asked first."""


class MessageJson(TypedDict):
    """A message that the router sent to an agent."""

    at: Moment
    text: str


class AgentJson(TypedDict):
    """An agent."""

    id: str
    name: str
    state: AgentStateName
    reason: str | None
    """Why, in states that have a reason."""
    reason_phrase: NotRequired[PhraseJson]
    """The same as a code with values, except for the reason of a pause."""
    since: Moment
    """When the present state began."""
    by: str | None
    """Who signed them in or out, or paused them; null: not known."""
    by_at: Moment | None
    until: Moment | None
    """When the pause or wrap-up ends by itself."""
    then: Literal["tell", "resume", "sign-out", "ready"] | None
    """What happens at that time."""
    signed_in: bool
    signed_in_at: Moment | None
    pending: Literal["pause", "sign-out"] | None
    """What was requested and takes effect after the call."""
    pending_by: str | None
    pause_reason: str | None
    wrap_up_s: float | None
    """Seconds that remain of the wrap-up."""
    idle_s: float | None
    """Seconds since the agent became available."""
    call: str | None
    """The first of `calls`."""
    calls: list[str]
    """The calls that the agent is being rung for or connected to."""
    calls_today: int
    missed_in_a_row: int
    capacity: int
    """How many calls the agent takes at once."""
    queues: list[MembershipJson]
    devices: list[DeviceJson]
    why_not: list[str]
    """Every reason why the agent is not available, in words."""
    why_not_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""
    messages: list[MessageJson]
    """What the agent was told lately, oldest first."""
    messages_phrases: list[PhraseJson]
    """The same as codes with values, in the same order."""


class PauseJson(TypedDict):
    """A configured reason for a pause."""

    reason: str
    longest_s: float | None
    """Seconds after which `then` happens; null: no limit."""
    then: Literal["tell", "resume", "sign-out"] | None
    default: bool
    """Used for a pause requested without a reason."""
