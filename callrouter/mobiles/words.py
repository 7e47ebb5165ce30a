"""What the registration of mobiles is asked and told, and what it decides. Frozen, like all events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from callrouter.model.phoning import (
    CallNumber,
    DigitsKeyed,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    Say,
)
from callrouter.model.registered import AuditRow, DialledRow, MobileRow, NumberSettings
from callrouter.model.table import AgentSpec

REF: Final = "verify-"
"""How the refs of verification calls begin."""
CODE_DIGITS: Final = 6
CODE_LASTS: Final = 600.0
MOST_TRIES: Final = 3


def masked(number: str) -> str:
    """A number for those whose business it is not; also of what is none, as somebody typed it."""
    number = "".join(c for c in number if c.isprintable())[:40]
    if len(number) <= 3:
        return number
    return f"{number[:3] if number.startswith('+') and len(number) > 8 else ''}…{number[-3:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, by which way (``api``, ``command line``, ``phone``), and for whom they may.

    A supervisor may for everyone; anyone else for `agent` alone.
    """

    name: str
    via: str
    agent: str = ""
    supervisor: bool = False

    def may(self, agent: str) -> bool:
        """Whether the devices of `agent` are theirs to change."""
        return self.supervisor or bool(agent and agent == self.agent)


# ---------------------------------------------------------------- asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a verification call would be placed with: secrets are not the machine's to make.

    `pbx` is the one that would place it; empty: none can now.
    """

    ref: str
    code: str = field(repr=False)
    pbx: str = ""


NO_TRIAL: Final = Trial(ref="", code="")
"""In a request until it reaches whoever makes secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAsked:
    """Register `number`, as typed, as a mobile of `agent`; by default it gets a name by itself.

    `vouch`: a supervisor answers for it, so that no call is needed.
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
    """Place the verification call (again); with `vouch` a supervisor answers for the mobile."""

    asker: Asker
    agent: str
    device: str
    trial: Trial = NO_TRIAL
    vouch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAsked:
    """Change when and where in the order a mobile rings; None leaves it."""

    asker: Asker
    agent: str
    device: str
    ring_after: float | None = None
    hours: str | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAsked:
    """Forget a mobile; a verification call that is on is void from now on."""

    asker: Asker
    agent: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchAsked:
    """Switch a device on or off, registered or configured; without a name all the agent's numbers."""

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
    """What was kept by an earlier run."""

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
    """A verification call is being placed; it will ask for `code`, until `expires_at`."""

    agent: str
    device: str
    number: str
    code: str = field(repr=False)
    expires_at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It was done; `text` says what, for people."""

    agent: str
    device: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It was not done. `kind` is stable; `text` says why and what would be right."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Keep a row in the store."""

    row: MobileRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Take a row out of the store."""

    agent: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """Have the core switch a device; answered when it was."""

    agent: str
    device: str
    on: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The mobiles that may be rung are others than before: make the routing table anew."""


Answer: TypeAlias = Started | Done | Refused
Decision: TypeAlias = (
    Answer | Keep | Forget | Changed | Switched | AuditRow | DialledRow | CallNumber | Say
)
