"""Who may change what in the files, and which changes are refused, in words.

An admin changes everything. A supervisor changes the queues and the agents, but for passwords, PINs
and mail addresses, by which people log in; one who is limited to some queues changes those, and the agents who serve no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callrouter.model.text import phrase
from callrouter.settings.errors.hiding import is_secret
from callrouter.settings.yaml.source import KeyPath

OPEN_SECTIONS: Final = frozenset({"agents", "queues"})
"""What supervisors change."""
_SEEN: Final = frozenset({"agents", "queues", "pauses", "codes", "timezone", "numbers", "rules"})
"""What supervisors see. The others say how the machines and people are connected."""
_SEEN_LIMITED: Final = _SEEN - {"rules"}
_IDENTITY: Final = frozenset({"email"})
"""Keys of an agent that say who logs in as them. Like a password, only an admin gives one."""
_MOST_WORDS: Final = 20

Root = Mapping[str, Any]
"""All sections of all files as plain values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRights:
    """What a person may change in the files.

    Attributes:
        everything: an admin.
        queues: the queues to which a supervisor is limited; empty: no limit.
    """

    everything: bool = False
    queues: tuple[str, ...] = ()

    @property
    def limited(self) -> bool:
        """Whether only some queues may be changed."""
        return not self.everything and bool(self.queues)

    def may_queue(self, queue: str) -> bool:
        """Return whether the person may change a queue."""
        return not self.limited or queue in self.queues

    def sees(self, path: KeyPath, serving: Mapping[str, frozenset[str]]) -> bool:
        """Return whether a value may be shown.

        Args:
            path: where it stands.
            serving: which queues each agent serves.
        """
        if self.everything:
            return True
        section = str(path[0])
        if section not in (_SEEN_LIMITED if self.limited else _SEEN):
            return False
        if section == "queues" and len(path) > 1:
            return self.may_queue(str(path[1]))
        if section == "agents" and len(path) > 1:
            serves = serving.get(str(path[1]), frozenset())
            if self.limited and not serves & set(self.queues):
                return False
            return not (len(path) == 3 and is_secret(str(path[2])))
        return True


def serving(root: Root) -> dict[str, frozenset[str]]:
    """Return which queues each agent serves, in the table, a shift or an escalation step."""
    found: dict[str, set[str]] = {}
    for queue, spec in _entries(root, "queues"):
        for agent in _members(spec):
            found.setdefault(agent, set()).add(queue)
    return {agent: frozenset(queues) for agent, queues in found.items()}


def _entries(root: Root, section: str) -> Iterator[tuple[str, Any]]:
    found = root.get(section)
    if isinstance(found, dict):
        yield from found.items()


def _members(spec: Any) -> Iterator[str]:
    if not isinstance(spec, dict):
        return
    places = [spec]
    for steps in (spec.get("shifts"), spec.get("widen")):
        if isinstance(steps, list):
            places += [step for step in steps if isinstance(step, dict)]
    for place in places:
        agents = place.get("agents")
        if isinstance(agents, dict | list):
            yield from map(str, agents)


def refused(before: Root, after: Root, rights: EditRights) -> tuple[str, ...]:
    """Return why a person may not change the files like that, in words; empty: they may.

    Args:
        before: the files as they are, without hidden parts.
        after: the files as they would be.
        rights: what the person may change.
    """
    if rights.everything:
        return ()
    lines: list[str] = [
        phrase("admin-changes-section", "only an admin changes {section}", section=section)
        for section in sorted({*before, *after} - OPEN_SECTIONS)
        if before.get(section) != after.get(section)
    ]
    lines += _refused_queues(before, after, rights)
    lines += _refused_agents(before, after, rights)
    more = len(lines) - _MOST_WORDS
    return (
        *lines[:_MOST_WORDS],
        *((phrase("and-more", "and {more} more", more=more),) if more > 0 else ()),
    )


def _changed(before: Root, after: Root, section: str) -> Iterator[tuple[str, Any, Any]]:
    old, new = dict(_entries(before, section)), dict(_entries(after, section))
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new or not _same(old[name], new[name]):
            yield name, old.get(name), new.get(name)


def _same(old: Any, new: Any) -> bool:
    """Return whether two values are equal, and in the same order: a queue's table has one."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return list(old) == list(new) and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _refused_queues(before: Root, after: Root, rights: EditRights) -> Iterator[str]:
    served, mine = serving(before), set(rights.queues)
    there = dict(_entries(before, "agents"))
    for name, old, new in _changed(before, after, "queues"):
        if not rights.may_queue(name):
            yield phrase(
                "queue-not-yours",
                "queue {name} is not one of yours ({queues})",
                name=name,
                queues=", ".join(rights.queues),
            )
        elif rights.limited:  # who joins a queue is seen and managed by those who lead it
            for agent in sorted(set(_members(new)) - set(_members(old))):
                if agent in there and not served.get(agent, frozenset()) & mine:
                    yield phrase(
                        "admin-adds-agent",
                        "agent {agent} serves none of your queues, so an admin adds them to {name}",
                        agent=agent,
                        name=name,
                    )


def _refused_agents(before: Root, after: Root, rights: EditRights) -> Iterator[str]:
    served, serves = serving(before), serving(after)
    for name, old, new in _changed(before, after, "agents"):
        was, will = old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}
        for key in dict.fromkeys([*was, *will]):
            taken_out_whole = new is None
            decides = is_secret(str(key)) or key in _IDENTITY
            if decides and was.get(key) != will.get(key) and not taken_out_whole:
                yield phrase(
                    "admin-changes-key",
                    "only an admin changes the {key} of {name}",
                    key=key,
                    name=name,
                )
        if not rights.limited:
            continue
        mine = set(rights.queues)
        queues = served.get(name, frozenset()) | serves.get(name, frozenset())
        if others := sorted(queues - mine):
            yield phrase(
                "agent-also-serves",
                "agent {name} also serves {others}, which you do not lead",
                name=name,
                others=", ".join(others),
            )
        elif old is not None and not served.get(name):
            yield phrase("agent-serves-none", "agent {name} serves none of your queues", name=name)
        elif not queues:
            yield phrase(
                "agent-would-serve-none", "agent {name} would serve none of your queues", name=name
            )
