"""Describes changes in queues: their rules, members, hours and escalation steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from callrouter.model.hours import Hours
from callrouter.model.routing_table import MemberSpec, QueueSpec, ShiftSpec, Table, WidenStep
from callrouter.model.text import phrase
from callrouter.settings.builders.queue_builder import all_members
from callrouter.settings.diff.compare import (
    ADDED,
    DOWN,
    REMOVED,
    UP,
    differing,
    mapping_lines,
    option_differences,
    reordered,
)
from callrouter.settings.loaded import SHORT_ABANDON, ServiceLevel, Settings
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.queue_options import QueueOptions

_AS_BEFORE: Final = phrase("as-before", "as before")
_ORDERED: Final = frozenset({"linear", "round-robin"})
"""Policies that depend on the order in the file."""


def queue_changes(old: Table, new: Table) -> Iterator[str]:
    """Yield a line for every change in the queues.

    A queue that is new or gone has a single line. Service levels are in `service_level_changes`.
    """
    for id_ in differing(old.queues, new.queues):
        if id_ not in new.queues:
            yield phrase(
                "queue-gone-serves-those-who-wait",
                "queue {id} is gone; it serves those who wait in it",
                id=id_,
            )
        elif id_ not in old.queues:
            queue = new.queues[id_]
            policy = ", ".join(queue.policy)
            agents = {member.agent for member in all_members(queue)}
            yield phrase(
                "queue-new-policy",
                "queue {id} is new (policy {policy}; {counted})",
                id=id_,
                policy=policy,
                counted=_agents(len(agents)),
            )
        else:
            yield from _queue(old.queues[id_], new.queues[id_], new)


def _queue(old: QueueSpec, new: QueueSpec, table: Table) -> Iterator[str]:
    yield from _members(old.members, new.members, new.id, table)
    yield from _order(old.members, new.members, new.id, new)
    yield from map(str, option_differences(f"{new.id}:", QueueOptions, old, new))
    yield from _holidays(old, new)
    yield from mapping_lines(phrase("skill", "{id}: skill", id=new.id), old.skills, new.skills)
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
            yield phrase(
                "joins-with-priority",
                "{agent} joins {where} with priority {after}",
                agent=agent,
                where=where,
                after=after[agent],
            )
        elif agent in after:
            yield phrase(
                "moves-from-priority-in",
                "{agent} moves from priority {before} to {after} in {where}",
                agent=agent,
                before=before[agent],
                after=after[agent],
                where=where,
            )
        elif agent in table.agents:
            # The removal of the agent has its own line.
            yield phrase("leaves", "{agent} leaves {where}", agent=agent, where=where)


def _holidays(old: QueueSpec, new: QueueSpec) -> Iterator[str]:
    before, after = (
        {day for hours in all_hours(queue) for day in hours.holidays} for queue in (old, new)
    )
    for days, how in ((after - before, ADDED), (before - after, REMOVED)):
        if days:
            yield phrase(
                "holidays",
                "{id}: holidays {how}: {sorted}",
                id=new.id,
                how=how,
                sorted=", ".join(sorted(map(written.day_off, days))),
            )


def all_hours(queue: QueueSpec) -> Iterator[Hours]:
    """Yield the hours of a queue and of its shifts.

    There are none for a queue that is always open and has no shifts.
    """
    if queue.hours is not None:
        yield queue.hours
    for shift in queue.shifts:
        yield shift.hours


def _shifts(old: QueueSpec, new: QueueSpec, table: Table) -> Iterator[str]:
    before, after = _by_hours(old.shifts), _by_hours(new.shifts)
    for name in dict.fromkeys((*before, *after)):
        where = phrase("shift", "shift {name} of {id}", name=name, id=new.id)
        if name not in before:
            yield phrase(
                "new", "{where} is new ({who})", where=where, who=_who(after[name].members)
            )
        elif name not in after:
            yield phrase("gone", "{where} is gone", where=where)
        else:
            yield from _members(before[name].members, after[name].members, where, table)
            yield from _order(before[name].members, after[name].members, where, new)
    for name, up in reordered(list(before), list(after)):
        yield phrase(
            "shift-moved",
            "shift {name} of {id} moved {value}",
            name=name,
            id=new.id,
            value=UP if up else DOWN,
        )


def _order(
    old: Sequence[MemberSpec], new: Sequence[MemberSpec], where: str, queue: QueueSpec
) -> Iterator[str]:
    if _ORDERED.intersection(queue.policy):
        for agent, up in reordered(
            [member.agent for member in old], [member.agent for member in new]
        ):
            yield phrase(
                "moves-in-order",
                "{agent} moves {value} in the order of {where}",
                agent=agent,
                value=UP if up else DOWN,
                where=where,
            )


def _by_hours(shifts: Sequence[ShiftSpec]) -> dict[str, ShiftSpec]:
    """Return shifts by their hours.

    Of several with the same hours, only the first is ever active.
    """
    found: dict[str, ShiftSpec] = {}
    for shift in shifts:
        found.setdefault(written.hours(shift.hours.spans), shift)
    return found


def _widen(old: QueueSpec, new: QueueSpec, table: Table) -> Iterator[str]:
    before = {step.after: step for step in old.widen}
    after = {step.after: step for step in new.widen}
    for seconds in sorted({*before, *after}):
        where = phrase("after", "{id} after {seconds}", id=new.id, seconds=format_duration(seconds))
        if seconds not in before:
            yield phrase(
                "widens", "{where}: widens ({step})", where=where, step=_step(after[seconds])
            )
        elif seconds not in after:
            yield phrase(
                "no-longer-widens",
                "{where}: no longer widens ({step})",
                where=where,
                step=_step(before[seconds]),
            )
        else:
            yield from _changed_step(before[seconds], after[seconds], where, new, table)


def _changed_step(
    old: WidenStep, new: WidenStep, where: str, queue: QueueSpec, table: Table
) -> Iterator[str]:
    yield from _members(old.members, new.members, where, table)
    yield from _order(old.members, new.members, where, queue)
    if old.at_once != new.at_once:
        yield phrase(
            "at-once-changed",
            "{where}: at_once {was} -> {now}",
            where=where,
            was=_at_once(old),
            now=_at_once(new),
        )
    if old.skills != new.skills:
        yield phrase(
            "skills-changed",
            "{where}: skills {was} -> {now}",
            where=where,
            was=_skills(old),
            now=_skills(new),
        )


def _at_once(step: WidenStep) -> str:
    return _AS_BEFORE if step.at_once is None else written.at_once(step.at_once)


def _skills(step: WidenStep) -> str:
    return _AS_BEFORE if step.skills is None else written.skills(step.skills)


def _step(step: WidenStep) -> str:
    parts = []
    if step.at_once is not None:
        parts.append(f"at_once {written.at_once(step.at_once)}")
    if step.members:
        parts.append(_who(step.members))
    if step.skills is not None:
        parts.append(f"skills {written.skills(step.skills)}")
    return "; ".join(parts)


def _who(members: Sequence[MemberSpec]) -> str:
    if len(members) > 5 or not members:
        return _agents(len(members))
    return ", ".join(f"{member.agent} {member.level}" for member in members)


def _agents(number: int) -> str:
    return phrase("agents-counted", "{count} agent", "{count} agents", count=number)


def service_level_changes(old: Settings, new: Settings) -> Iterator[str]:
    """Yield a line for every queue that stays and whose target changes.

    A queue that is new or gone has its line in `queue_changes`.
    """
    for id_ in differing(old.service_levels, new.service_levels):
        if id_ in old.table.queues and id_ in new.table.queues:
            before, after = _aim(old.service_levels.get(id_)), _aim(new.service_levels.get(id_))
            yield phrase(
                "service-level",
                "{id}: service_level {before} -> {after}",
                id=id_,
                before=before,
                after=after,
            )


def _aim(level: ServiceLevel | None) -> str:
    if level is None:
        return written.NONE
    within, target = format_duration(level.within), f"{level.target}%"
    if level.short_abandon == SHORT_ABANDON:
        return phrase("target-within", "{target} within {within}", target=target, within=within)
    text = "{target} within {within}, short abandons below {short}"
    short = format_duration(level.short_abandon)
    return phrase("target-within-short", text, target=target, within=within, short=short)
