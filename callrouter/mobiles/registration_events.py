"""The events and decisions of mobile registration. Frozen, like all events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from callrouter.mobiles.mobile_records import AuditRow, DialledRow, MobileRow, NumberSettings
from callrouter.model.ivr import (
    CallNumber,
    DigitsKeyed,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    Say,
)
from callrouter.model.routing_table import AgentSpec

REF: Final = "verify-"
"""Prefix of the refs of verification calls."""
CODE_DIGITS: Final = 6
CODE_LASTS: Final = 600.0
MOST_TRIES: Final = 3


def masked(number: str) -> str:
    """A masked number, for display. Accepts invalid input, such as what a person typed."""
    number = "".join(c for c in number if c.isprintable())[:40]
    if len(number) <= 3:
        return number
    return f"{number[:3] if number.startswith('+') and len(number) > 8 else ''}…{number[-3:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The person who asks, and how: ``api``, ``command line`` or ``phone``.

    A supervisor may ask for every agent, other people only for `agent`.
    """

    name: str
    via: str
    agent: str = ""
    supervisor: bool = False

    def may(self, agent: str) -> bool:
        """Whether they may change the devices of `agent`."""
        return self.supervisor or bool(agent and agent == self.agent)


# ---------------------------------------------------------------- asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The ref and code for a possible verification call, since this pure module makes no secrets.

    `pbx` is the PBX that would place the call; empty: none can now.
    """

    ref: str
    code: str = field(repr=False)
    pbx: str = ""


NO_TRIAL: Final = Trial(ref="", code="")
"""Placeholder in a request until the service that makes secrets has filled it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAsked:
    """Register `number`, as typed, as a mobile of `agent`. An empty `device` gets a default name.

    `vouch`: a supervisor answers for the number, so no call is needed.
    """

    asker: Asker
    agent: str
    number: str
    trial: Trial = NO_TRIAL
    device: str = ""
    ring_after: float = 0.0
    hours: str = ""
    vouch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAsked:
    """Place the verification call again. With `vouch` a supervisor answers for the mobile."""

    asker: Asker
    agent: str
    device: str
    trial: Trial = NO_TRIAL
    vouch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAsked:
    """Change when a mobile rings, and its place in the order. None leaves a value as it is."""

    asker: Asker
    agent: str
    device: str
    ring_after: float | None = None
    hours: str | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAsked:
    """Remove a mobile. A running verification call becomes void."""

    asker: Asker
    agent: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchAsked:
    """Switch a device on or off; without a name, all numbers of the agent.

    It may be a registered or a configured device.
    """

    asker: Asker
    agent: str
    on: bool
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The rules, agents and PBXes that dial numbers, as configured from now on."""

    settings: NumberSettings
    agents: Mapping[str, AgentSpec]
    dialling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What an earlier run stored."""

    mobiles: Sequence[MobileRow] = ()
    dialled: Sequence[DialledRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Only the clock moved."""


Asked: TypeAlias = RegisterAsked | VerifyAsked | ChangeAsked | RemoveAsked | SwitchAsked
Heard: TypeAlias = NumberAnswered | NumberFailed | DigitsKeyed | PersonLeft
MobileEvent: TypeAlias = Asked | Heard | Configured | Restored | Ticked


# ---------------------------------------------------------------- decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A verification call is being placed. It asks for `code` until `expires_at`.

    `expires_at` is in epoch seconds.
    """

    agent: str
    device: str
    number: str
    code: str = field(repr=False)
    expires_at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The request was carried out; `text` says what was done, for people."""

    agent: str
    device: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request was refused. `kind` is stable; `text` says why and what would be right."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Store a row."""

    row: MobileRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Delete a row from the store."""

    agent: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """Have the core switch a device. The answer follows when that is done."""

    agent: str
    device: str
    on: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The mobiles that may be rung have changed: rebuild the routing table."""


Answer: TypeAlias = Started | Done | Refused
Decision: TypeAlias = (
    Answer | Keep | Forget | Changed | Switched | AuditRow | DialledRow | CallNumber | Say
)
