"""Describes changes in queues: their rules, members, hours and escalation steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from callrouter.model.hours import Hours
from callrouter.model.routing_table import (
    AnnounceSpec,
    MemberSpec,
    QueueSpec,
    ShiftSpec,
    Table,
    WidenStep,
)
from callrouter.model.text import counted
from callrouter.settings.builders.queue_builder import all_members
from callrouter.settings.diff import written_values
from callrouter.settings.diff.changes import differing, mapping_lines, moved

_ORDERED: Final = frozenset({"linear", "round-robin"})
"""Policies that depend on the order in the file."""


def _duration(seconds: float | None) -> str:
    return "none" if seconds is None else written_values.duration(seconds)


def _count(number: int | None) -> str:
    return "none" if number is None else str(number)


def _hours(hours: Hours | None) -> str:
    return "always" if hours is None else written_values.hours(hours.spans)


def _timezone(name: str) -> str:
    return name or "that of the site"


def _last_agent(seconds: float | None) -> str:
    return "never" if seconds is None else written_values.duration(seconds)


def _ring_all(dial: bool) -> str:
    return "dial" if dial else "each"


def _announce(spec: AnnounceSpec | None) -> str:
    if spec is None:
        return "nothing"
    what = [word for word in ("position", "estimate") if getattr(spec, word)]
    return f"{' and '.join(what)} every {written_values.duration(spec.every)}"


def _none_or(text: str) -> str:
    return text or "none"


_KEYS: Final[tuple[tuple[str, Callable[[Any], str]], ...]] = (
    ("name", str),
    ("policy", ", ".join),
    ("at_once", written_values.at_once),
    ("ring_for", _duration),
    ("ask_alone_for", _duration),
    ("show", _none_or),
    ("alert_info", _none_or),
    ("retry_after", _duration),
    ("wrap_up", _duration),
    ("weight", str),
    ("max_wait", _duration),
    ("max_waiting", _count),
    ("on_max_wait", written_values.target),
    ("on_full", written_values.target),
    ("on_nobody", written_values.target),
    ("nobody_after", _duration),
    ("on_closed", written_values.target),
    ("auto_pause", str),
    ("music", str),
    ("hours", _hours),
    ("timezone", _timezone),
    ("last_agent", _last_agent),
    ("prefer_for", _duration),
    ("announce", _announce),
    ("dial", _ring_all),
)
"""Keys with a single value, and how to format it."""
_WRITTEN: Final = {"dial": "ring_all"}
"""Attributes that have another name in the files."""


def queue_changes(old: Table, new: Table) -> Iterator[str]:
    """Yield a line for every change in the queues."""
    for id_ in differing(old.queues, new.queues):
        if id_ not in new.queues:
            yield f"queue {id_} is gone; it serves those who wait in it"
        elif id_ not in old.queues:
            queue = new.queues[id_]
            policy = ", ".join(queue.policy)
            agents = {member.agent for member in all_members(queue)}
            yield f"queue {id_} is new (policy {policy}; {counted(len(agents), 'agent', zero='0')})"
        else:
            yield from _queue(old.queues[id_], new.queues[id_], new)


def _queue(old: QueueSpec, new: QueueSpec, table: Table) -> Iterator[str]:
    yield from _members(old.members, new.members, new.id, table)
    if _ORDERED.intersection(new.policy):
        order = ([member.agent for member in queue.members] for queue in (old, new))
        for agent, up in moved(*order):
            yield f"{agent} moves {'up' if up else 'down'} in the order of {new.id}"
    for key, word in _KEYS:
        before, after = word(getattr(old, key)), word(getattr(new, key))
        if before != after:
            yield f"{new.id}: {_WRITTEN.get(key, key)} {before} -> {after}"
    yield from _holidays(old, new)
    yield from mapping_lines(f"{new.id}: skill", old.skills, new.skills)
    yield from _shifts(old, new, table)
    yield from _widen(old, new, table)


def _members(
    old: Sequence[MemberSpec],
    new: Sequence[MemberSpec],
    where: str,
    table: Table,
) -> Iterator[str]:
    before = {member.agent: member.level for member in old}
    after = {member.agent: member.level for member in new}
    for agent in differing(before, after):
        if agent not in before:
            yield f"{agent} joins {where} with priority {after[agent]}"
        elif agent in after:
            yield f"{agent} moves from priority {before[agent]} to {after[agent]} in {where}"
        elif agent in table.agents:
            # The removal of the agent has its own line.
            yield f"{agent} leaves {where}"


def _holidays(old: QueueSpec, new: QueueSpec) -> Iterator[str]:
    before, after = (
        {day for hours in all_hours(queue) for day in hours.holidays} for queue in (old, new)
    )
    for days, how in ((after - before, "added"), (before - after, "removed")):
        if days:
            yield f"{new.id}: holidays {how}: {', '.join(sorted(map(written_values.day_off, days)))}"


def all_hours(queue: QueueSpec) -> Iterator[Hours]:
    """Yield the hours of a queue and of its shifts."""
    if queue.hours is not None:
        yield queue.hours
    for shift in queue.shifts:
        yield shift.hours


def _shifts(old: QueueSpec, new: QueueSpec, table: Table) -> Iterator[str]:
    before, after = _by_hours(old.shifts), _by_hours(new.shifts)
    for name in dict.fromkeys((*before, *after)):
        where = f"shift {name} of {new.id}"
        if name not in before:
            yield f"{where} is new ({_who(after[name].members)})"
        elif name not in after:
            yield f"{where} is gone"
        else:
            yield from _members(before[name].members, after[name].members, where, table)
            yield from _order(before[name].members, after[name].members, where, new)
    for name, up in moved(list(before), list(after)):
        yield f"shift {name} of {new.id} moved {'up' if up else 'down'}"


def _order(
    old: Sequence[MemberSpec], new: Sequence[MemberSpec], where: str, queue: QueueSpec
) -> Iterator[str]:
    if _ORDERED.intersection(queue.policy):
        for agent, up in moved([member.agent for member in old], [member.agent for member in new]):
            yield f"{agent} moves {'up' if up else 'down'} in the order of {where}"


def _by_hours(shifts: Sequence[ShiftSpec]) -> dict[str, ShiftSpec]:
    """Return shifts by their hours.

    Of several with the same hours, only the first is ever active.
    """
    found: dict[str, ShiftSpec] = {}
    for shift in shifts:
        found.setdefault(written_values.hours(shift.hours.spans), shift)
    return found


def _widen(old: QueueSpec, new: QueueSpec, table: Table) -> Iterator[str]:
    before = {step.after: step for step in old.widen}
    after = {step.after: step for step in new.widen}
    for seconds in sorted({*before, *after}):
        where = f"{new.id} after {written_values.duration(seconds)}"
        if seconds not in before:
            yield f"{where}: widens ({_step(after[seconds])})"
        elif seconds not in after:
            yield f"{where}: no longer widens ({_step(before[seconds])})"
        else:
            yield from _changed_step(before[seconds], after[seconds], where, new, table)


def _changed_step(
    old: WidenStep, new: WidenStep, where: str, queue: QueueSpec, table: Table
) -> Iterator[str]:
    yield from _members(old.members, new.members, where, table)
    yield from _order(old.members, new.members, where, queue)
    if old.at_once != new.at_once:
        yield f"{where}: at_once {_at_once(old)} -> {_at_once(new)}"
    if old.skills != new.skills:
        yield f"{where}: skills {_skills(old)} -> {_skills(new)}"


def _at_once(step: WidenStep) -> str:
    return "as before" if step.at_once is None else written_values.at_once(step.at_once)


def _skills(step: WidenStep) -> str:
    return "as before" if step.skills is None else written_values.skills(step.skills)


def _step(step: WidenStep) -> str:
    parts = []
    if step.at_once is not None:
        parts.append(f"at_once {written_values.at_once(step.at_once)}")
    if step.members:
        parts.append(_who(step.members))
    if step.skills is not None:
        parts.append(f"skills {written_values.skills(step.skills)}")
    return "; ".join(parts)


def _who(members: Sequence[MemberSpec]) -> str:
    if len(members) > 5 or not members:
        return counted(len(members), "agent", zero="0")
    return ", ".join(f"{member.agent} {member.level}" for member in members)
