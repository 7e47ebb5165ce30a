"""Warnings about queues: settings that are legal but unwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final, cast

from callrouter.model.hours import DayOff, Hours
from callrouter.model.routing_table import (
    ALL_AT_ONCE,
    LAST_PRIORITY,
    TARGETS,
    AgentSpec,
    MemberSpec,
    QueueSpec,
    Table,
    ToQueue,
)
from callrouter.model.text import first_few, phrase
from callrouter.settings.builders.queue_builder import all_members
from callrouter.settings.lint import week
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.queue_options import QueueOptions
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.schema.written_values import at_once, skills
from callrouter.settings.yaml.reader import Items
from callrouter.settings.yaml.source import Document, KeyPath

_LIMITS: Final = (
    ("on_max_wait", "max_wait"),
    ("on_full", "max_waiting"),
    ("on_closed", "hours"),
)
_TOO_OFTEN: Final = 15.0
"""Seconds; an announcement takes up to ten."""


def warn_of_queues(root: RootOptions, table: Table, document: Document, now: float | None) -> None:
    """Add the warnings about all queues.

    `root` says what is written, `table` what it means. `now` is in epoch seconds; None: holidays in
    the past are not looked for.
    """
    today = None if now is None else datetime.fromtimestamp(now, UTC).astimezone(table.zone).date()
    asked_by_rule = any(rule.skills for rule in table.rules)
    for id_, queue in table.queues.items():
        written = root.queues[id_]
        _never_applies(queue, written, document)
        _who_serves(queue, written, document)
        _waits(queue, document)
        _widening(queue, document)
        _holidays(id_, written, document, today)
        _announces(id_, written, document)
        _dials(queue, table.agents, document)
        _skills(queue, table.agents, document, asked_by_rule)
    for path, names in _circles(table.queues):
        text = phrase(
            "calls-can-go-round-in-circle",
            "calls can go round in a circle: {names}",
            names=" -> ".join(names),
        )
        document.warning(
            path, text, phrase("let-one-them-end-elsewhere", "let one of them end elsewhere")
        )


def _never_applies(queue: QueueSpec, written: QueueOptions, document: Document) -> None:
    for target, limit in _LIMITS:
        if target in written.model_fields_set and limit not in written.model_fields_set:
            path: KeyPath = ("queues", queue.id, target)
            document.warning(
                path,
                phrase("never-applies", "{target} never applies", target=target),
                phrase("not-set", "{limit} is not set", limit=limit),
                key=True,
            )


def _who_serves(queue: QueueSpec, written: QueueOptions, document: Document) -> None:
    path: KeyPath = ("queues", queue.id)
    if next(all_members(queue), None) is None:
        document.warning(
            path, phrase("queue-has-no-agents", "queue {id} has no agents", id=queue.id), key=True
        )
        return
    if queue.members and all(member.level == LAST_PRIORITY for member in queue.members):
        text = phrase(
            "every-agent-has-priority-last",
            "every agent of {id} has priority {priority}, the last",
            id=queue.id,
            priority=LAST_PRIORITY,
        )
        document.warning(
            (*path, "agents"), text, phrase("1-rung-first", "1 is rung first"), key=True
        )
    _unserved(queue, written, document)


def _unserved(queue: QueueSpec, written: QueueOptions, document: Document) -> None:
    """Warn of open hours without agents, and of shifts that are never active.

    A shift counts only at the minutes of the week that the shifts before it leave.
    """
    path: KeyPath = ("queues", queue.id, "shifts")
    taken: week.Parts = []
    unserved: week.Parts = []
    for index, shift in enumerate(queue.shifts):
        on = week.covered(shift.hours)
        alone = week.without(on, taken)
        if not alone:
            text, hint = (
                phrase("this-shift-never-on", "this shift is never on"),
                phrase(
                    "shifts-before-take-all-its-hours", "the shifts before it take all of its hours"
                ),
            )
            document.warning((*path, index), text, hint)
        elif queue.hours is not None and shift.hours.zone is queue.hours.zone:
            _closed_then(alone, queue.hours, (*path, index), document)
        if not shift.members:
            unserved += alone
        taken = week.joined([*taken, *on])
    if not queue.members:
        unserved += week.without(week.WHOLE, taken)
    is_open = week.WHOLE if queue.hours is None else week.covered(queue.hours)
    # Without hours, the queue is open on holidays too, and then no shift is active.
    if queue.members and not week.without(is_open, taken) and (queue.hours or not written.holidays):
        _behind_shifts(queue, document)
    gaps = week.without(is_open, week.without(week.WHOLE, week.joined(unserved)))
    # Agents of a later step do serve the queue, although only callers who have waited that long.
    if any(step.members for step in queue.widen):
        return
    if gaps:
        text = phrase(
            "no-agent-serves",
            "no agent serves {id} {when}",
            id=queue.id,
            when=week.first_in_words(gaps),
        )
        document.warning(
            path, text, phrase("open-no-shift-or-agents", "open, and no shift or agents"), key=True
        )
    elif not queue.members and queue.hours is None and written.holidays:
        text = phrase(
            "no-agent-serves-on-its-holidays", "no agent serves {id} on its holidays", id=queue.id
        )
        hint = phrase("open-for-has-no-hours-no", "open, for it has no hours, and no shift is on")
        document.warning(("queues", queue.id, "holidays"), text, hint, key=True)


def _closed_then(on: week.Parts, hours: Hours, path: KeyPath, document: Document) -> None:
    """Warn of a shift during whose hours the queue is closed."""
    closed = week.without(week.WHOLE, week.covered(hours))
    if not week.without(on, closed):
        text = phrase(
            "this-shift-never-serves-queue-closed",
            "this shift never serves: the queue is closed at its hours",
        )
        document.warning(
            path,
            text,
            phrase(
                "make-queues-hours-longer-who-waits",
                "make the queue's hours longer; who waits at their end is served",
            ),
        )


def _behind_shifts(queue: QueueSpec, document: Document) -> None:
    """Warn of agents who can never be rung because of the shifts.

    It is called if the shifts take all open hours. If each agent also serves in a shift, there is
    one warning about the whole table.
    """
    path: KeyPath = ("queues", queue.id, "agents")
    hint = phrase(
        "shifts-take-every-hour-at-which",
        "the shifts of {id} take every hour at which it is open",
        id=queue.id,
    )
    served = {member.agent for shift in queue.shifts for member in shift.members}
    hidden = [member.agent for member in queue.members if member.agent not in served]
    if hidden:
        text = phrase(
            "agent-can-never-be-rung-for",
            "agent {hidden} can never be rung for {id}",
            hidden=first_few(hidden, 1),
            id=queue.id,
        )
        document.warning((*path, _place(hidden[0], path, document)), text, hint, key=True)
    else:
        document.warning(
            path, phrase("these-agents-never-apply", "these agents never apply"), hint, key=True
        )


def _waits(queue: QueueSpec, document: Document) -> None:
    if queue.max_wait is None:
        return
    if queue.max_wait < queue.ring_for:
        text = phrase(
            "max-wait-shorter-than-ring-for",
            "max_wait {max_wait} is shorter than ring_for {ring_for}",
            max_wait=format_duration(queue.max_wait),
            ring_for=format_duration(queue.ring_for),
        )
        hint = phrase(
            "phone-that-rings-rings-on",
            "a phone that rings then rings to its end, and the caller waits as long",
        )
        document.warning(("queues", queue.id, "max_wait"), text, hint)
    for index, step in enumerate(queue.widen):
        if step.after >= queue.max_wait:
            path: KeyPath = ("queues", queue.id, "widen", index)
            text = phrase(
                "this-step-never-reached-max-wait",
                "this step is never reached: max_wait is {max_wait}",
                max_wait=format_duration(queue.max_wait),
            )
            document.warning(
                (*path, "after"), text, phrase("call-has-left-by-then", "the call has left by then")
            )


def _widening(queue: QueueSpec, document: Document) -> None:
    """Warn of steps that ring no more agents at once than before.

    A step without `at_once` leaves the number as it was.
    """
    before = ALL_AT_ONCE if queue.at_once is None else queue.at_once
    for index, step in enumerate(queue.widen):
        if step.at_once is None:
            continue
        if step.at_once <= before:
            path: KeyPath = ("queues", queue.id, "widen", index, "at_once")
            text = phrase(
                "at-once-no-more-than-before",
                "at_once {at_once} is no more than before",
                at_once=at_once(step.at_once),
            )
            document.warning(
                path, text, phrase("was-already", "it was {before} already", before=at_once(before))
            )
        before = step.at_once


def _holidays(id_: str, written: QueueOptions, document: Document, today: date | None) -> None:
    if not written.holidays:
        return
    path: KeyPath = ("queues", id_, "holidays")
    if written.hours is None and not written.shifts:
        document.warning(
            path,
            phrase("holidays-never-apply", "holidays never apply"),
            phrase("neither-hours-nor-shifts-are-set", "neither hours nor shifts are set"),
            key=True,
        )
    elif today is not None and all(_over(day, today) for day in written.holidays):
        last = max(day.last if isinstance(day, DayOff) else day for day in written.holidays)
        text = phrase("all-holidays-are-in-past", "all holidays are in the past")
        document.warning(
            path, text, phrase("last-was", "the last was {last}", last=str(last)), key=True
        )


def _over(day: date | DayOff, today: date) -> bool:
    """Return whether a holiday is entirely in the past.

    One that returns each year never is.
    """
    if isinstance(day, DayOff):
        return not day.yearly and day.last < today
    return day < today


def _dials(queue: QueueSpec, agents: Mapping[str, AgentSpec], document: Document) -> None:
    """Warn if `ring_all: dial` has no phones to ring: those with key 1 are called one by one."""
    phones = {
        device.address
        for member in all_members(queue)
        for device in agents[member.agent].devices
        if device.endpoint.partition("/")[0] in {"sip", "client"} and not device.confirm
    }
    if queue.dial and len(phones) < 2:
        text = phrase(
            "ring-all-dial-has-sip-phone",
            "ring_all: dial has {value} SIP phone or browser of Twilio's to ring",
            value=len(phones) or "no",
        )
        hint = phrase(
            "phones-press-1-are-called-one",
            "phones that press 1 are called one by one all the same",
        )
        document.warning(("queues", queue.id, "ring_all"), text, hint)


def _announces(id_: str, written: QueueOptions, document: Document) -> None:
    said = written.announce
    if said is None:
        return
    path: KeyPath = ("queues", id_, "announce")
    if not (said.position or said.estimate):
        text = phrase(
            "announce-says-nothing-neither-position-nor",
            "announce says nothing: neither position nor estimate is true",
        )
        document.warning(
            path, text, phrase("such-as-position-true", "such as {{position: true}}"), key=True
        )
    elif said.every < _TOO_OFTEN:
        text = phrase(
            "callers-are-told-something-every-hear",
            "callers are told something every {every}, and hear little else",
            every=format_duration(said.every),
        )
        document.warning((*path, "every"), text, phrase("45s-usual", "45s is usual"))


def _skills(
    queue: QueueSpec, agents: Mapping[str, AgentSpec], document: Document, asked_by_rule: bool
) -> None:
    """Warn of agents who never have the required skills, and of a policy without effect.

    An agent may meet only the levels of a later step: that counts as serving.
    """
    asked = [queue.skills, *(step.skills for step in queue.widen if step.skills is not None)]
    if "skills" in queue.policy and not any(asked) and not asked_by_rule:
        path: KeyPath = ("queues", queue.id, "policy")
        text = phrase(
            "policy-skills-makes-no-difference-no",
            "policy skills makes no difference: no skills are asked for",
        )
        document.warning(path, text, phrase("give-queue-skills", "give the queue skills"))
    if not any(asked):
        return
    now = queue.skills
    in_force = [queue.skills]
    for step in queue.widen:
        now = now if step.skills is None else step.skills
        in_force.append(now)
    for path, members, since in _tables(queue):
        unfit = [
            member.agent
            for member in members
            if not any(_meets(agents[member.agent].skills, least) for least in in_force[since:])
        ]
        if unfit:
            _never_serve(queue.id, unfit, path, in_force[since], document)


def _tables(queue: QueueSpec) -> Iterator[tuple[KeyPath, tuple[MemberSpec, ...], int]]:
    """Yield the path of each table of agents, its agents, and the number of its first step.

    That number is 0 for agents who serve from the start, and counts the steps from 1.
    """
    path: KeyPath = ("queues", queue.id)
    yield (*path, "agents"), queue.members, 0
    for index, shift in enumerate(queue.shifts):
        yield (*path, "shifts", index, "agents"), shift.members, 0
    for index, step in enumerate(queue.widen):
        yield (*path, "widen", index, "agents"), step.members, index + 1


def _never_serve(
    queue: str, unfit: list[str], path: KeyPath, least: Mapping[str, int], document: Document
) -> None:
    text = phrase(
        "agent-can-never-serve",
        "agent {unfit} can never serve {queue}",
        unfit=first_few(unfit, 1),
        queue=queue,
    )
    hint = phrase("asks-for", "it asks for {least}", least=skills(least))
    document.warning((*path, _place(unfit[0], path, document)), text, hint, key=True)


def _place(agent: str, path: KeyPath, document: Document) -> str | int:
    """Return the key or index of an agent in a table of agents."""
    written = document.written(*path)
    # Names in a list may be written as numbers.
    listed = [] if isinstance(written, dict) else [str(name) for name in cast(Items, written)]
    return listed.index(agent) if listed else agent


def _meets(has: Mapping[str, int], least: Mapping[str, int]) -> bool:
    return all(has.get(skill, 0) >= level for skill, level in least.items())


def _circles(queues: Mapping[str, QueueSpec]) -> Iterator[tuple[KeyPath, list[str]]]:
    """Yield each overflow cycle once: the path to the target that closes it, and its queues.

    The list of queues ends with the one it begins with. Targets of rules do not count.
    """
    done: set[str] = set()
    for start in queues:
        trail: dict[str, int] = {}
        # An explicit stack, since an overflow chain can be deeper than Python's recursion limit.
        stack = [] if start in done else [(start, _next(queues, start))]
        trail.update((name, 0) for name, _ in stack)
        while stack:
            name, edges = stack[-1]
            key, to = next(edges, ("", ""))
            if not to:
                done.add(name)
                del trail[name]
                stack.pop()
            elif to in trail:
                yield ("queues", name, key), [*list(trail)[trail[to] :], to]
            elif to not in done:
                trail[to] = len(trail)
                stack.append((to, _next(queues, to)))


def _next(queues: Mapping[str, QueueSpec], name: str) -> Iterator[tuple[str, str]]:
    for key in TARGETS:
        target = getattr(queues[name], key)
        if isinstance(target, ToQueue) and target.queue in queues:
            yield key, target.queue
