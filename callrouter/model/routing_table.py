"""The routing table: the configuration as the core sees it.

Frozen: a reload creates a new table and passes it to the core in one event. All durations are
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from enum import Enum
from typing import Final, TypeAlias, TypeVar

from callrouter.model.hours import Hours
from callrouter.model.phone_numbers import E164, NOWHERE, Numbering

_Named = TypeVar("_Named", "AgentSpec", "QueueSpec")

FIRST_PRIORITY = 1
LAST_PRIORITY = 100
DEFAULT_PRIORITY = 50

ACCEPT_WITHIN = 25.0
"""Seconds after the answer during which a device is asked for key 1."""

ASK_ALONE_FOR = 6.0
"""Seconds for which a device that is asked for key 1 keeps the caller from other agents."""


class PauseEnd(Enum):
    """What happens when a pause reaches the limit for its reason."""

    TELL = "tell"
    """The agent is told, and the pause goes on."""
    RESUME = "resume"
    SIGN_OUT = "sign-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseSpec:
    """A reason for a pause. After `longest` seconds (None: no limit) `then` happens.

    At most one reason is the `default`, used for a pause requested without a reason.
    """

    reason: str
    longest: float | None = None
    then: PauseEnd = PauseEnd.TELL
    default: bool = False


class SignIn(Enum):
    """How an agent is signed in."""

    MANUAL = "manual"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A phone of an agent.

    Exactly one of `endpoint` (a phone known to the PBX, such as ``PJSIP/1001``) and `number`
    (E.164, reached over a trunk) is set. `pbxes` names the PBXes that can ring it.

    A device with `confirm` is connected only after key 1, which is asked for during `accept_within`
    seconds after the answer. It starts to ring `ring_after` seconds into an offer, and only within
    its `hours` (None: always). `states` are further devices and hints of the PBX: while one of them
    is in use, so is the phone. `all_contacts` rings every phone registered at the endpoint. With
    `auto_answer` the phone is asked to answer automatically.

    A phone with an address of its own on each of several PBXes has them in `addresses`, by PBX, and
    `endpoint` is the first of those at its `homes`: the PBXes where it is registered, or that ring
    it by a route of their own. What a home says of it is true of the phone, whichever PBX rings it.
    With `watch_answer`, what answers through another PBX is taken for the phone only if a home sees
    the phone in use; while no home is in step, key 1 is asked for there.
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
    addresses: Mapping[str, str] = field(default_factory=dict)
    homes: tuple[str, ...] = ()
    watch_answer: bool = False

    @property
    def address(self) -> str:
        """What the PBX calls the device.

        That is its endpoint or, for a phone reached over a trunk, its number.
        """
        return self.endpoint or self.number

    def endpoint_on(self, pbx: str) -> str:
        """Its endpoint on one of its `pbxes`; empty for an outside number."""
        return self.addresses[pbx] if self.addresses else self.endpoint

    def seen_by(self, pbx: str) -> DeviceSpec:
        """The device as one of its `pbxes` has it: with one endpoint.

        Its states are those of its homes, so another PBX has none. What would have to be watched
        at a home is asked for key 1 by another PBX, unless the router knows better. A device without
        `addresses` is returned as it is.
        """
        if not self.addresses:
            return self
        at_home = pbx in self.homes or not self.homes
        return replace(
            self,
            endpoint=self.addresses[pbx],
            states=self.states if at_home else (),
            confirm=self.confirm or (self.watch_answer and not at_home),
            addresses={},
            homes=(),
            watch_answer=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """A person who takes calls. `wrap_up` overrides the queue's if set.

    `extension` identifies them, with their PIN, at a phone that is not theirs; empty: they can't
    use one. `language` is the language of their prompts, as the PBX names it.
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
    """The zone for the hours of their devices; None: that of the table. `timezone` is its name."""
    timezone: str = ""
    renamed_from: str = ""
    """The agent's former id. Everything known under it belongs to this agent."""

    def devices_on(self, pbx: str) -> Iterator[DeviceSpec]:
        """Yield the devices that this PBX can ring, as it has them (`DeviceSpec.seen_by`)."""
        return (device.seen_by(pbx) for device in self.devices if pbx in device.pbxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSpec:
    """An agent's place in a queue.

    `level` is 1 (first) to 100 (last). `order` is the position in the file.
    """

    agent: str
    level: int = FIRST_PRIORITY
    order: int = 0


@dataclass(frozen=True, slots=True)
class ToQueue:
    """Send the call to another queue.

    Its place there follows from its first entry into any queue. Its time limits start over.
    """

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


def target_text(target: Target | None) -> str:
    """Return a target as written in the configuration; empty for None."""
    match target:
        case ToQueue(queue):
            return f"queue:{queue}"
        case ToDialplan(context, extension, priority):
            return f"dialplan:{context},{extension},{priority}"
        case HangUp():
            return "hangup"
        case KeepWaiting():
            return "wait"
        case None:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSpec:
    """Members who replace those of the queue during `hours`."""

    hours: Hours
    members: tuple[MemberSpec, ...] = ()


ALL_AT_ONCE = 1_000_000
"""`at_once: all` in a `WidenStep`, where None means "unchanged"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenStep:
    """What changes for a call that has waited `after` seconds in the queue.

    `at_once` and `skills` change nothing if None. `members` are added to those of earlier steps.
    """

    after: float
    at_once: int | None = None
    members: tuple[MemberSpec, ...] = ()
    skills: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceSpec:
    """What waiting callers are told every `every` seconds; see `callrouter.core.calls.announcements`."""

    position: bool = False
    estimate: bool = False
    every: float = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSpec:
    """A queue's configuration.

    - `at_once`: how many agents ring at once; None: all of them.
    - Targets (`on_…`): None leaves by the way the call came, which is back to the dialplan after a
      ``Gosub`` and to the fallback after a ``Goto``.
    - `on_nobody`: applies at once if no member is signed in and unpaused, and after `nobody_after`
      seconds during which none of those had a device that could ring.
    - `auto_pause`: the number of missed calls in a row after which an agent is paused; 0: never.
    - `hours`: None is always open.
    - `skills`: the minimum levels that an agent must have.
    - `last_agent`: a caller's last agent is tried first within this many seconds of their last
      conversation; None: never.
    - `prefer_for`: seconds for which only the preferred agent is rung (the last one, or one named
      by a rule or the dialplan).
    - `ask_alone_for`: seconds for which a device that was picked up is asked for key 1 alone; then
      the next agent is offered the call as well.
    - `show`: what desk phones show in place of the caller's name (see `callrouter.model.display`);
      empty: the name.
    - `alert_info`: the SIP header Alert-Info of the INVITE to desk phones.
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
    """The name of the zone of its hours and shifts, if it is not the table's."""
    renamed_from: str = ""
    """The queue's former name. Its calls, and everything known under it, belong to this queue."""
    dial: bool = False
    """`ring_all: dial`: a PBX that supports it rings all devices of one step in one request."""

    def reusing(self, old: QueueSpec) -> QueueSpec:
        """An equal spec that shares unchanged tables of members with `old`.

        It is `old` itself if nothing differs.
        """
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
    """A phone number in the form of `callrouter.model.phone_numbers`, or with `prefix` its beginning.

    `also` is a second beginning, for digits that may belong to an extension or to a national
    number. Without `prefix`, empty digits mean callers who withhold their number.
    """

    digits: str
    prefix: bool = False
    also: str = ""

    def fits(self, number: str) -> bool:
        """Whether a number in the same form matches.

        An empty number means that it is withheld.
        """
        if not self.prefix:
            return number == self.digits
        return number.startswith(self.digits) or (bool(self.also) and number.startswith(self.also))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on a count: ``> 20``. `sign` is one of ``<``, ``<=``, ``=``, ``>=``, ``>``."""

    sign: str
    count: int

    def holds(self, count: int) -> bool:
        """Whether a count meets the condition."""
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
    """Changes to a call on arrival if all conditions match.

    An empty condition always matches. Of several values, one must match. `waiting` compares the
    number of callers who wait in the queue that the call is about to enter, not counting this one.
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


TARGETS: Final = ("on_max_wait", "on_full", "on_nobody", "on_closed")
"""The attributes of a `QueueSpec` that say where a caller goes who leaves without an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideTransfers:
    """Whether, how often and where to callers may be passed on to numbers outside.

    Attributes:
        allowed: how the numbers begin (E.164, with ``+``); empty: no number is allowed.
        at_once: how many callers may be with numbers outside at a time, on all PBXes together.
        per_hour: how many callers one agent may pass on within an hour.
        ring_for: seconds for which a number is rung before the caller comes back.
    """

    allowed: tuple[str, ...] = ()
    at_once: int = 5
    per_hour: int = 10
    ring_for: float = 30.0

    def permits(self, number: str) -> bool:
        """Whether a number is E.164 and begins like one of those allowed.

        Whether it is a number that exists, and of the country that is meant, is for
        `callrouter.mobiles.outside_numbers` to say.
        """
        return E164.fullmatch(number) is not None and number.startswith(self.allowed)


NO_OUTSIDE: Final = OutsideTransfers()
"""No caller is passed on to a number outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All agents and queues by id, the rules in the order written, and the zone of "today".

    `pauses` has the configured reasons for a pause; empty: any text is a reason. `numbering` is the
    home country's. `outside` says which numbers outside callers may be passed on to.
    """

    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    queues: Mapping[str, QueueSpec] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    zone: tzinfo = UTC
    pauses: Mapping[str, PauseSpec] = field(default_factory=dict)
    numbering: Numbering = NOWHERE
    outside: OutsideTransfers = NO_OUTSIDE

    def devices_on(self, pbx: str) -> Iterator[DeviceSpec]:
        """Yield the devices that this PBX can ring, as it has them, agent by agent."""
        for agent in self.agents.values():
            yield from agent.devices_on(pbx)

    def reusing(self, old: Table) -> Table:
        """An equal table that shares every unchanged part with `old`.

        This lets a reload tell by identity what it has to touch. It takes long for a large table,
        but uses nothing of the core and can run in another thread.
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
    """The specs by id; the old mapping itself if all are equal.

    Their order makes no difference.
    """
    made = {spec.id: spec for spec in specs}
    return old if made == old else made
