"""The routing table: what supervisors and operators configured, as the core sees it.

Frozen: a reload makes a new table and hands it to the core in one event. All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from enum import Enum
from typing import TypeAlias, TypeVar

from callrouter.model.hours import Hours
from callrouter.model.numbers import NOWHERE, Numbering

_Named = TypeVar("_Named", "AgentSpec", "QueueSpec")

FIRST_PRIORITY = 1
LAST_PRIORITY = 100
DEFAULT_PRIORITY = 50

ACCEPT_WITHIN = 25.0
"""Seconds from the answer for which a device is asked for key 1."""

ASK_ALONE_FOR = 6.0
"""Seconds for which a device that is asked for key 1 holds the caller back from other agents."""


class PauseEnd(Enum):
    """What happens when a pause has lasted as long as its reason allows."""

    TELL = "tell"
    """The agent is told, and the pause goes on."""
    RESUME = "resume"
    SIGN_OUT = "sign-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseSpec:
    """A reason for a pause. After `longest` seconds (None: no limit) `then` happens.

    `default` is the one of a pause that is asked for without a reason; one at most is.
    """

    reason: str
    longest: float | None = None
    then: PauseEnd = PauseEnd.TELL
    default: bool = False


class SignIn(Enum):
    """How an agent comes to be signed in."""

    MANUAL = "manual"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A phone of an agent.

    Exactly one of `endpoint` (a phone the PBX knows, such as ``PJSIP/1001``) and `number` (E.164,
    reached over a trunk) is set. `pbx` names the telephone systems that can ring it. A device with
    `confirm` is connected only after key 1, for which it is asked for `accept_within` seconds from the
    answer. It starts to ring `ring_after` seconds into an offer, and only within its `hours` (None:
    always). `states` are further devices and hints of the PBX: while one of them is in use, so is the
    phone. `all_contacts` rings every phone that is registered at the endpoint. With `auto_answer` the phone
    is asked to answer by itself.
    """

    id: str
    agent: str
    pbxes: tuple[str, ...]
    endpoint: str = ""
    number: str = ""
    confirm: bool = False
    ring_after: float = 0.0
    enabled: bool = True
    hours: Hours | None = None
    states: tuple[str, ...] = ()
    all_contacts: bool = True
    auto_answer: bool = False
    accept_within: float = ACCEPT_WITHIN

    @property
    def address(self) -> str:
        """What the PBX calls it."""
        return self.endpoint or self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """A person who takes calls. `wrap_up` overrides that of the queue when set.

    `extension` is what they key in, with their PIN, at a phone that is not theirs; empty: they can't.
    `language` is what prompts speak to them, as the PBX names it.
    """

    id: str
    name: str
    devices: tuple[DeviceSpec, ...] = ()
    sign_in: SignIn = SignIn.MANUAL
    capacity: int = 1
    wrap_up: float | None = None
    skills: Mapping[str, int] = field(default_factory=dict)
    extension: str = ""
    language: str = "en"
    zone: tzinfo | None = None
    """Of the hours of their phones; None: that of the table. `timezone` is its name."""
    timezone: str = ""
    renamed_from: str = ""
    """The id that they had before: all that is known of it is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """An agent's place in a queue: `level` 1 (first) to 100 (last), `order` as written in the file."""

    agent: str
    level: int = FIRST_PRIORITY
    order: int = 0


@dataclass(frozen=True, slots=True)
class ToQueue:
    """Send the call to another queue; its place there goes by its first entry, its limits begin afresh."""

    queue: str


@dataclass(frozen=True, slots=True)
class ToDialplan:
    """Send the call to a place in the dialplan of its PBX."""

    context: str
    extension: str
    priority: str = "1"


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True, slots=True)
class KeepWaiting:
    """Leave the call where it is (`on_nobody: wait`)."""


Target: TypeAlias = ToQueue | ToDialplan | HangUp | KeepWaiting


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSpec:
    """Members who replace those of the queue while `hours` are on."""

    hours: Hours
    members: tuple[MemberSpec, ...] = ()


ALL_AT_ONCE = 1_000_000
"""`at_once: all` of a `WidenStep`, which needs None for "as before"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenStep:
    """What changes for a call that has waited `after` seconds in the queue.

    `at_once` None and `skills` None change nothing; `members` are open to the call besides the
    earlier ones.
    """

    after: float
    at_once: int | None = None
    members: tuple[MemberSpec, ...] = ()
    skills: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceSpec:
    """What waiting callers are told every `every` seconds; see `callrouter.core.announcing`."""

    position: bool = False
    estimate: bool = False
    every: float = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSpec:
    """A queue's rules.

    `at_once` None rings every agent at once. A target of None leaves by the way the call came: back
    to the dialplan after a ``Gosub``, to the fallback after a ``Goto``. `on_nobody` applies at once when no
    member is signed in and unpaused, and after `nobody_after` seconds in which none of those had a device
    that could ring. `auto_pause` is the number
    of missed calls in a row after which an agent is paused; 0 never pauses. `hours` None is always
    open. `skills` are the least levels that an agent must have. A caller's last agent is tried first
    within `last_agent` seconds of their last talk; None: never. An agent whom a call prefers (its
    last, or one named by a rule or the dialplan) is the only one rung for `prefer_for` seconds. A device
    that was picked up and asks for key 1 is asked alone for `ask_alone_for` seconds; then the next agent
    is offered the call as well. `show` is what desk phones show in place of the caller's name (see
    `callrouter.model.display`; empty: the name), `alert_info` the SIP header Alert-Info of their INVITE.
    """

    id: str
    name: str
    policy: tuple[str, ...] = ("longest-idle",)
    members: tuple[MemberSpec, ...] = ()
    at_once: int | None = 1
    ring_for: float = 20.0
    retry_after: float = 5.0
    wrap_up: float = 0.0
    weight: int = 1
    max_wait: float | None = None
    max_waiting: int | None = None
    on_max_wait: Target | None = None
    on_full: Target | None = None
    on_nobody: Target | None = None
    nobody_after: float = 10.0
    auto_pause: int = 3
    music: str = "default"
    hours: Hours | None = None
    on_closed: Target | None = None
    shifts: tuple[ShiftSpec, ...] = ()
    widen: tuple[WidenStep, ...] = ()
    skills: Mapping[str, int] = field(default_factory=dict)
    last_agent: float | None = None
    prefer_for: float = 0.0
    announce: AnnounceSpec | None = None
    ask_alone_for: float = ASK_ALONE_FOR
    show: str = ""
    alert_info: str = ""
    timezone: str = ""
    """The zone of its hours and shifts, by name, where that is not the table's."""
    renamed_from: str = ""
    """The name that it had before: its calls, and all that is known of it, are this queue's."""
    dial: bool = False
    """`ring_all: dial`: a PBX that can rings the phones of one step by a request of its own."""

    def reusing(self, old: QueueSpec) -> QueueSpec:
        """The same rules, with the tables of members that have not changed taken from `old`."""
        if self == old:
            return old
        return replace(
            self,
            members=old.members if self.members == old.members else self.members,
            shifts=old.shifts if self.shifts == old.shifts else self.shifts,
            widen=old.widen if self.widen == old.widen else self.widen,
        )


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """A phone number in the form of `callrouter.model.numbers`, or with `prefix` the beginning of one.

    `also` is another beginning that is meant, where what was written may be that of an extension or of a national
    number. Empty digits without `prefix` mean callers whose number is withheld.
    """

    digits: str
    prefix: bool = False
    also: str = ""

    def fits(self, number: str) -> bool:
        """Whether a number, in the same form, is meant."""
        if not self.prefix:
            return number == self.digits
        return number.startswith(self.digits) or (bool(self.also) and number.startswith(self.also))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on a count: ``> 20``. `sign` is one of ``<``, ``<=``, ``=``, ``>=``, ``>``."""

    sign: str
    count: int

    def holds(self, count: int) -> bool:
        """Whether a count is as asked for."""
        match self.sign:
            case "<":
                return count < self.count
            case "<=":
                return count <= self.count
            case ">=":
                return count >= self.count
            case ">":
                return count > self.count
            case _:
                return count == self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is changed about a call on arrival if everything that is asked for fits.

    Empty conditions ask for nothing. Of several values one must fit. `waiting` is about the number of callers who
    wait in the queue that the call is about to enter, without this one.
    """

    name: str
    callers: tuple[NumberPattern, ...] = ()
    called: tuple[NumberPattern, ...] = ()
    queues: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    hours: Hours | None = None
    waiting: Comparison | None = None
    priority: int | None = None
    queue: str = ""
    agent: str = ""
    tag: str = ""
    skills: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All agents and queues, by id; the rules in the order written; the zone of "today".

    `pauses` are the reasons that a pause may have, by name; where there are none, any text will do. `numbering` says
    how phone numbers are written at home.
    """

    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    queues: Mapping[str, QueueSpec] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    zone: tzinfo = UTC
    pauses: Mapping[str, PauseSpec] = field(default_factory=dict)
    numbering: Numbering = NOWHERE

    def reusing(self, old: Table) -> Table:
        """The same table, with what has not changed since `old` taken from there.

        So that a reload can tell by identity what it has to touch. Takes long for a large table; it
        needs nothing of the core and can be done beside it.
        """
        return replace(
            self,
            agents=_reused(
                old.agents,
                (
                    old.agents[name] if old.agents.get(name) == spec else spec
                    for name, spec in self.agents.items()
                ),
            ),
            queues=_reused(
                old.queues,
                (
                    spec.reusing(old.queues[name]) if name in old.queues else spec
                    for name, spec in self.queues.items()
                ),
            ),
        )


def _reused(old: Mapping[str, _Named], specs: Iterable[_Named]) -> Mapping[str, _Named]:
    """By id; where all are the old ones, the old mapping itself."""
    made = {spec.id: spec for spec in specs}
    return old if made == old else made
