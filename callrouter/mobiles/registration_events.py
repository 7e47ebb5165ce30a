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
"""Length of a code. With `MOST_TRIES`, guessing succeeds once in 333,000 calls."""
CODE_LASTS: Final = 600.0
"""Seconds from the request until the code expires."""
MOST_TRIES: Final = 3
"""Wrong codes after which a verification call fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The person who asks for something, and whose devices they may change.

    Attributes:
        name: their name, for the audit.
        via: how they ask: ``api``, ``command line`` or ``phone``.
        agent: the agent that they are; empty if they are none. They may change this agent's devices.
        supervisor: whether they may change the devices of every agent.
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
class CallSecrets:
    """What a verification call needs that pure modules cannot make.

    It is part of every request that may lead to a call, whether it does or not.

    Attributes:
        ref: the name of the call, with `REF` in front.
        code: the code, of `CODE_DIGITS` digits.
        pbx: the PBX that would place the call; empty if none can now.
    """

    ref: str
    code: str = field(repr=False)
    pbx: str = ""


NO_SECRETS: Final = CallSecrets(ref="", code="")
"""Placeholder in a request until the service that makes secrets has filled it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRequested:
    """Register a mobile.

    Attributes:
        requester: who asks.
        agent: whose mobile it is.
        number: the number, as typed.
        call_secrets: for the verification call.
        device: its name; empty gives it a default name.
        ring_after: seconds after the first devices before it rings.
        hours: when it rings, as written in the configuration; empty means always.
        vouch: whether a supervisor answers for the number, so that no call is needed.
    """

    requester: Requester
    agent: str
    number: str
    call_secrets: CallSecrets = NO_SECRETS
    device: str = ""
    ring_after: float = 0.0
    hours: str = ""
    vouch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequested:
    """Place the verification call again, with a new code.

    With `vouch`, a supervisor answers for the mobile or approves it, and no call is placed.
    """

    requester: Requester
    agent: str
    device: str
    call_secrets: CallSecrets = NO_SECRETS
    vouch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequested:
    """Change when a mobile rings, and its place in the order. None leaves a value as it is."""

    requester: Requester
    agent: str
    device: str
    ring_after: float | None = None
    hours: str | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRequested:
    """Remove a mobile.

    A running verification call has nothing to verify any more. A call that rings the mobile for a
    caller goes on.
    """

    requester: Requester
    agent: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRequested:
    """A supervisor does not accept a mobile that is not in use yet: it is removed, and its agent is told.

    An empty `reason` is left out of what they are told.
    """

    requester: Requester
    agent: str
    device: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRequested:
    """Switch a device on or off; without a name, all numbers of the agent.

    It may be a registered or a configured device.
    """

    requester: Requester
    agent: str
    on: bool
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesConfigured:
    """The rules, agents and PBXes that dial numbers, as configured from now on."""

    settings: NumberSettings
    agents: Mapping[str, AgentSpec]
    dialling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MobilesRestored:
    """What an earlier run stored."""

    mobiles: Sequence[MobileRow] = ()
    dialled: Sequence[DialledRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineReached:
    """Only the clock moved."""


MobileRequest: TypeAlias = (
    RegisterRequested
    | VerifyRequested
    | ChangeRequested
    | RemoveRequested
    | RejectRequested
    | SwitchRequested
)
VerificationEvent: TypeAlias = NumberAnswered | NumberFailed | DigitsKeyed | PersonLeft
MobileEvent: TypeAlias = (
    MobileRequest | VerificationEvent | RulesConfigured | MobilesRestored | DeadlineReached
)


# ---------------------------------------------------------------- decided


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationStarted:
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
class RequestDone:
    """The request was carried out; `text` says what was done, for people."""

    agent: str
    device: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused:
    """The request was refused. `kind` is stable; `text` says why and what would be right."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMobile:
    """Store a row."""

    row: MobileRow


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMobile:
    """Delete a row from the store."""

    agent: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchDevice:
    """Have the core switch a device. The answer follows when that is done."""

    agent: str
    device: str
    on: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellAgent:
    """Have the core send the agent a message: what `by` decided about a mobile."""

    agent: str
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MobilesChanged:
    """The mobiles that may be rung have changed: rebuild the routing table."""


RegistrationAnswer: TypeAlias = VerificationStarted | RequestDone | RequestRefused
Decision: TypeAlias = (
    RegistrationAnswer
    | StoreMobile
    | DeleteMobile
    | MobilesChanged
    | SwitchDevice
    | TellAgent
    | AuditRow
    | DialledRow
    | CallNumber
    | Say
)
