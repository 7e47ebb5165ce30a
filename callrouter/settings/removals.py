"""Detects removals that are probably unintended: much of the floor, or the end of a truncated file.

A full disk, a slow copy, `rsync --inplace` or a `git stash` leaves files that are valid as far as
they go. What they lose must be confirmed (`callrouter reload`); see `callrouter.daemon.held_changes`.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from callrouter.model.routing_table import Table
from callrouter.model.staged_reload import renamed, under_new_names
from callrouter.model.text import first_few, joined, phrase
from callrouter.settings.builders.queue_builder import all_members
from callrouter.settings.config_files import ConfigFiles

LEAST: Final = 3
"""At least this many agents, queues, phones or places must be lost …"""
PART: Final = 3
"""… and more than one in this many of those present before."""
_NAMED: Final = 5
"""Maximum number of names in a line."""


def losses(
    old: Table, new: Table, *, before: ConfigFiles, after: ConfigFiles, lines: Sequence[str]
) -> tuple[str, ...]:
    """Return what a change removes that must be confirmed; empty: it can be applied at once.

    Args:
        old: the table in force.
        new: the table from the current files.
        before: the files in force.
        after: the current files.
        lines: the effects of the change, in words.
    """
    old = under_new_names(old, new)
    return (
        *_cut(before, after, lines),
        *_much(_queues(len(old.queues)), gone_queues(old, new), len(old.queues)),
        *_much(
            _agents(len(old.agents)),
            [name for name in old.agents if name not in new.agents],
            len(old.agents),
        ),
        *_places(old, new),
        *_phones(old, new),
    )


def gone_queues(old: Table, new: Table) -> list[str]:
    """Return the removed queues, without renamed ones.

    They are in the order of `old`. The new table says what was renamed (`renamed_from`).
    """
    names = renamed(old.queues, new.queues)
    return [name for name in old.queues if name not in new.queues and name not in names]


def removals_with_callers(old: Table, new: Table, callers: Mapping[str, int]) -> tuple[str, ...]:
    """Return the queues with callers that would be removed or lose all their agents.

    Args:
        old: The table in force.
        new: The table from the current files.
        callers: The number of callers in each queue.

    Returns:
        A line for each such queue.
    """
    gone = set(gone_queues(old, new))
    found: list[str] = []
    for name, count in callers.items():
        if not count or name not in old.queues:
            continue
        after = new.queues.get(name)
        had = next(all_members(old.queues[name]), None) is not None
        lost = had and after is not None and next(all_members(after), None) is None
        if name in gone or lost:
            what = phrase("queue-is-gone", "queue {queue} is gone", queue=name)
            if lost:
                text = "queue {queue} loses all of its agents"
                what = phrase("queue-loses-all", text, queue=name)
            one = "{what}, and {count} caller is in it"
            many = "{what}, and {count} callers are in it"
            found.append(phrase("and-callers-in-it", one, many, what=what, count=count))
    return tuple(found)


def _queues(number: int) -> str:
    return phrase("queues-counted", "{count} queue", "{count} queues", count=number)


def _agents(number: int) -> str:
    return phrase("agents-counted", "{count} agent", "{count} agents", count=number)


def _much(counted: str, gone: Sequence[str], there_were: int) -> Iterator[str]:
    if is_much(len(gone), there_were):
        yield phrase(
            "are-gone",
            "{gone} of {counted} are gone ({names})",
            gone=len(gone),
            counted=counted,
            names=first_few(gone, _NAMED),
        )


def is_much(gone: int, there_were: int) -> bool:
    """Return whether a loss is large: three or more, and more than a third.

    Args:
        gone: How many are lost.
        there_were: How many there were.
    """
    return gone >= LEAST and gone * PART > there_were


def _places(old: Table, new: Table) -> Iterator[str]:
    """Yield queues that lose many of their agents.

    Agents of shifts and steps count too. Queues that are gone are not looked at here.
    """
    for name, spec in old.queues.items():
        there = new.queues.get(name)
        if there is None or there is spec:
            continue
        was = dict.fromkeys(member.agent for member in all_members(spec))
        now = {member.agent for member in all_members(there)}
        gone = [agent for agent in was if agent not in now]
        if is_much(len(gone), len(was)):
            places = _agents(len(was))
            yield phrase(
                "queue-loses",
                "queue {id} loses {gone} of {places} ({names})",
                id=there.id,
                gone=len(gone),
                places=places,
                names=first_few(gone, _NAMED),
            )


def _phones(old: Table, new: Table) -> Iterator[str]:
    """Yield agents who stay but lose their phones.

    The phones of all who stay are counted together, in at most one line.
    """
    there_were, gone = 0, []
    for name, spec in old.agents.items():
        now = new.agents.get(name)
        if now is None:
            continue
        there_were += len(spec.devices)
        left = () if now is spec else {device.id for device in spec.devices}
        kept = {device.id for device in now.devices}
        gone += [f"{name}'s {device}" for device in left if device not in kept]
    text, more = "{count} phone", "{count} phones"
    yield from _much(phrase("phones-counted", text, more, count=there_were), gone, there_were)


def _cut(before: ConfigFiles, after: ConfigFiles, lines: Sequence[str]) -> Iterator[str]:
    """Yield files that have become shorter, if that has any effect.

    `lines` are the effects of the change; at most five of them are named.
    """
    if not lines:
        return
    for name, file in before.items():
        how = cut_in_words(file.content, after[name].content if name in after else None)
        if how:
            effects = joined(lines[:_NAMED])
            if (more := len(lines) - _NAMED) > 0:
                effects = phrase(
                    "effects-and-more", "{effects}; {count} more", effects=effects, count=more
                )
            yield phrase("file-cut", "{file} {how}: {effects}", file=name, how=how, effects=effects)


def is_only_cut(before: ConfigFiles, after: ConfigFiles) -> bool:
    """Return whether files were only deleted, emptied or truncated.

    A person who edits files while no daemon runs changes something else too. So this is the trace
    of a full disk or of an interrupted copy.
    """
    return all(
        name in before
        and (
            file.content == before[name].content or cut_in_words(before[name].content, file.content)
        )
        for name, file in after.items()
    )


def cut_in_words(before: bytes, after: bytes | None) -> str:
    """Say how a file seems to have lost content.

    Args:
        before: The content in force.
        after: The current content; None: the file is gone.

    Returns:
        Words that follow the file's name; empty: it has lost nothing.
    """
    if not before.strip():
        return ""
    if after is None:
        return phrase("file-gone", "is gone")
    if not after.strip():
        return phrase("file-empty", "is empty")
    left, was = after.rstrip(), before.rstrip()
    if was.startswith(left) and (len(was) - len(left)) * PART > len(was):
        return phrase("file-ends-early", "ends early")
    return ""
