"""Builds the rules of a queue in the routing table from one that fits the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from callrouter.model import display
from callrouter.model.routing_table import (
    ALL_AT_ONCE,
    FIRST_PRIORITY,
    TARGETS,
    AgentSpec,
    AnnounceSpec,
    HangUp,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    ShiftSpec,
    Target,
    ToDialplan,
    ToQueue,
    WidenStep,
)
from callrouter.model.text import phrase
from callrouter.settings.builders.build_context import BuildContext, is_damaged
from callrouter.settings.errors import hints
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import TwilioSettings
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.queue_options import QueueOptions, WidenStepOptions
from callrouter.settings.yaml.reader import Items, Section
from callrouter.settings.yaml.source import KeyPath

RING_ALL: Final = "ring-all"


@dataclass(frozen=True, slots=True)
class _Table:
    """The agents of a queue, a shift or a step as written, and their path.

    `place` and `level` hide whether it is a list or a mapping; in a list, every agent has
    `FIRST_PRIORITY`.
    """

    written: Mapping[str, int] | list[str]
    path: KeyPath

    def place(self, name: str, index: int) -> KeyPath:
        return (*self.path, name if isinstance(self.written, Mapping) else index)

    def level(self, name: str) -> int:
        return self.written[name] if isinstance(self.written, Mapping) else FIRST_PRIORITY


def all_members(queue: QueueSpec) -> Iterator[MemberSpec]:
    """Yield the members of a queue, its shifts and its steps; one may appear several times.

    The queue's own members come first, then those of the shifts, then those of the steps. Whether a
    shift is on does not matter.
    """
    yield from queue.members
    for shift in queue.shifts:
        yield from shift.members
    for step in queue.widen:
        yield from step.members


_TAKEN: Final[Mapping[str, str]] = {
    "h": phrase(
        "asterisks-dialplan-goes-extension-when-caller",
        "Asterisk's dialplan goes to that extension when a caller hangs up: take another name",
    ),
    "i": phrase(
        "dialplan-goes-for-wrong-names",
        "Asterisk's dialplan goes to that extension for names that no queue can have: take another name",
    ),
}
"""Extensions that Asterisk itself goes to, with what to say of a queue of that name. The dialplan's contexts for
queues have them.
"""


def queues_by_agent(queues: Mapping[str, QueueSpec]) -> dict[str, dict[str, None]]:
    """Return the queues that each agent serves, also in a shift or step, in the queues' order.

    The inner mapping is an ordered set: its values are None. An agent in no queue has no entry.
    """
    found: dict[str, dict[str, None]] = {}
    for queue in queues.values():
        for member in all_members(queue):
            found.setdefault(member.agent, {})[queue.id] = None
    return found


def build_queue(
    id_: str, queue: QueueOptions, agents: Mapping[str, AgentSpec], context: BuildContext
) -> QueueSpec:
    """Build a queue.

    Args:
        id_: The queue's id.
        queue: Its options.
        agents: The agents who are not disabled.
        context: Receives what is inconsistent.
    """
    if hint := _TAKEN.get(id_):
        text = phrase("queue-cannot-be-called", "a queue cannot be called {id}", id=quoted(id_))
        context.document.error(("queues", id_), text, hint, key=True)
    context = context.within(queue.timezone, ("queues", id_))
    policy = _policy(id_, queue, context)
    base = _Table(queue.agents, ("queues", id_, "agents"))
    places: dict[str, KeyPath] = {}
    members = _members(base, agents, context, places)
    shifts = _shifts(id_, queue, agents, context)
    first = max([len(queue.agents), *(len(shift.agents) for shift in queue.shifts)])
    hours: dict[KeyPath, str] = {("queues", id_, "hours"): queue.hours} if queue.hours else {}
    targets = {key: _target(getattr(queue, key), ("queues", id_, key), context) for key in TARGETS}
    values = spec_values(
        queue,
        name=queue.name or id_,
        policy=policy,
        members=members,
        at_once=_at_once(id_, queue, policy, context),
        show=_show(id_, queue, context),
        hours=context.hours(hours, queue.holidays),
        shifts=shifts,
        widen=_widen(id_, queue.widen, agents, context, places, first=first),
        last_agent=None if isinstance(queue.last_agent, str) else queue.last_agent,
        announce=_announce(queue),
        dial=_dials(id_, queue, policy, context),
        **targets,
    )
    return QueueSpec(id=id_, **values)


def _show(id_: str, queue: QueueOptions, context: BuildContext) -> str:
    """Return what desk phones display; empty: the caller's name. An unknown field is an error."""
    written = queue.show or ""
    fault = display.fault(written)
    if fault:
        text = phrase("show", "show {written}: {fault}", written=quoted(written), fault=fault)
        fields = [f"{{{name}}}" for name in display.FIELDS]
        hint = phrase("fields-are", "fields are {fields}", fields=fields)
        context.document.error(("queues", id_, "show"), text, hint)
        return ""
    return written


def _dials(id_: str, queue: QueueOptions, policy: tuple[str, ...], context: BuildContext) -> bool:
    """Return whether `ring_all: dial` applies.

    Without a Twilio account, or with one agent at a time, it would do nothing, which is an error.
    """
    if queue.ring_all != "dial":
        return False
    path: KeyPath = ("queues", id_, "ring_all")
    sure = context.document.knows_all_names("pbx") and set(context.pbxes) == context.document.names(
        "pbx"
    )
    if sure and not any(isinstance(pbx, TwilioSettings) for pbx in context.pbxes.values()):
        text = phrase(
            "ring-all-dial-twilios-no-pbx", "ring_all: dial is Twilio's, and no pbx is a Twilio"
        )
        context.document.error(
            path,
            text,
            phrase(
                "take-out-asterisk-rings-all-phones",
                "take it out: Asterisk rings all phones at once anyway",
            ),
        )
    later = [step.at_once for step in queue.widen if step.at_once is not None]
    if RING_ALL not in policy and queue.at_once == 1 and set(later) <= {1}:
        text = phrase(
            "ring-all-dial-rings-several-phones",
            "ring_all: dial rings several phones at once, and at_once is 1",
        )
        context.document.error(
            path,
            text,
            phrase("give-queue-at-once-all-or", "give the queue at_once: all, or a number above 1"),
        )
    return True


def _announce(queue: QueueOptions) -> AnnounceSpec | None:
    said = queue.announce
    if said is None or not (said.position or said.estimate):
        return None
    return AnnounceSpec(**spec_values(said))


def _policy(id_: str, queue: QueueOptions, context: BuildContext) -> tuple[str, ...]:
    path: KeyPath = ("queues", id_, "policy")
    one = isinstance(queue.policy, str)
    names = (queue.policy,) if isinstance(queue.policy, str) else tuple(queue.policy)
    known = phrase("known", "known: {sorted}", sorted=sorted(context.policies))
    if not names and "policy" in queue.model_fields_set:
        written = context.document.written(*path)
        # Otherwise there was an unusable name, which has been reported.
        if not (isinstance(written, Items) and written.thinned):
            context.document.error(path, phrase("policy-names-none", "policy names none"), known)
    for index, name in enumerate(names):
        at: KeyPath = path if one else (*path, index)
        if name not in context.policies:
            hint = hints.policy(context.nearest, name, context.policies)
            text = phrase("unknown-policy", "unknown policy {name}", name=quoted(name))
            both = phrase("advice-and-known", "{advice} {known}", advice=hint, known=known)
            context.document.error(at, text, both if hint else known)
        elif name in names[:index]:
            context.document.error(
                at, phrase("policy-stands-twice", "policy {name} appears twice", name=quoted(name))
            )
    return names


def _at_once(
    id_: str, queue: QueueOptions, policy: tuple[str, ...], context: BuildContext
) -> int | None:
    at_once = None if isinstance(queue.at_once, str) else queue.at_once
    if RING_ALL not in policy or at_once is None:
        return at_once
    if "at_once" in queue.model_fields_set:
        text = phrase(
            "at-once-contradicts-policy",
            "at_once: {at_once} contradicts policy: {policy}",
            at_once=at_once,
            policy=RING_ALL,
        )
        hint = phrase("take-at-once-out-or-choose", "take at_once out, or choose another policy")
        context.document.error(("queues", id_, "at_once"), text, hint)
    return None


def _members(
    table: _Table,
    agents: Mapping[str, AgentSpec],
    context: BuildContext,
    places: dict[str, KeyPath],
    first: int = 0,
) -> tuple[MemberSpec, ...]:
    """Return the members that a table of agents names.

    Args:
        table: The table, of the queue or of one of its shifts or steps.
        agents: The agents who are not disabled.
        context: Receives names that are unknown or stand twice.
        places: Where each agent was named so far; receives these.
        first: The number of agents in the tables before, whose order goes on here.
    """
    members: list[MemberSpec] = []
    for index, name in enumerate(table.written):
        path = table.place(name, index)
        if name in places:
            other = places[name]
            # In the same list, the first one is nearby.
            hint = (
                ""
                if other[:-1] == path[:-1]
                else phrase("first-in", "first in {place}", place=context.document.line(other))
            )
            context.document.error(
                path,
                phrase("agent-stands-twice", "agent {name} appears twice", name=quoted(name)),
                hint,
                key=True,
            )
        elif name in agents or context.check_name("agents", name, path, "agent", key=True):
            places[name] = path
            # A disabled agent keeps their place in the file but is not in the queue.
            if name in agents:
                level = table.level(name)
                members.append(MemberSpec(agent=name, level=level, order=first + index))
    # An agent with an invalid level may be unknown as well.
    written = context.document.written(*table.path)
    if isinstance(written, Section):
        for name in written.at.keys() - written.keys():
            context.check_name("agents", name, (*table.path, name), "agent", key=True)
    return tuple(members)


def _shifts(
    id_: str, queue: QueueOptions, agents: Mapping[str, AgentSpec], context: BuildContext
) -> tuple[ShiftSpec, ...]:
    found: list[ShiftSpec] = []
    for index, shift in enumerate(queue.shifts):
        path: KeyPath = ("queues", id_, "shifts", index)
        members = _members(_Table(shift.agents, (*path, "agents")), agents, context, {})
        hours = context.hours({(*path, "hours"): shift.hours}, queue.holidays)
        if hours is not None:
            found.append(ShiftSpec(hours=hours, members=members))
    return tuple(found)


def _widen(
    id_: str,
    steps: list[WidenStepOptions],
    agents: Mapping[str, AgentSpec],
    context: BuildContext,
    places: dict[str, KeyPath],
    *,
    first: int,
) -> tuple[WidenStep, ...]:
    """Build the escalation steps. Their agents follow `first` others, in the order written.

    Each step must be later than the one before. `places` knows the queue's own agents, so that an
    agent who is named there and in a step is reported.
    """
    found: list[WidenStep] = []
    before: float = 0
    for index, step in enumerate(steps):
        path: KeyPath = ("queues", id_, "widen", index)
        if step.after <= before:
            text = phrase(
                "after-must-be-longer-than-step",
                "after {after} must be longer than that of the step before",
                after=format_duration(step.after),
            )
            context.document.error(
                (*path, "after"),
                text,
                phrase("that-is", "that is {before}", before=format_duration(before)),
            )
        before = max(before, step.after)
        _changes_something(step, path, context)
        members = _members(_Table(step.agents, (*path, "agents")), agents, context, places, first)
        first += len(step.agents)
        found.append(
            WidenStep(
                **spec_values(
                    step,
                    at_once=ALL_AT_ONCE if isinstance(step.at_once, str) else step.at_once,
                    members=members,
                )
            )
        )
    return tuple(found)


def _changes_something(step: WidenStepOptions, path: KeyPath, context: BuildContext) -> None:
    if step.at_once is not None or step.agents or step.skills is not None:
        return
    # An invalid value, already reported, would have changed something.
    if not is_damaged(context.document.written(*path)):
        text = phrase("this-step-changes-nothing", "this step changes nothing")
        context.document.error(
            path,
            text,
            phrase("give-at-once-agents-or-skills", "give it at_once, agents or skills"),
            key=True,
        )


def _target(written: str | None, path: KeyPath, context: BuildContext) -> Target | None:
    if written is None:
        return None
    kind, _, rest = written.partition(":")
    match kind:
        case "hangup":
            return HangUp()
        case "wait":
            return KeepWaiting()
        case "queue":
            context.check_name("queues", rest, path, "queue")
            return ToQueue(rest)
        case _:
            return ToDialplan(*rest.split(","))
