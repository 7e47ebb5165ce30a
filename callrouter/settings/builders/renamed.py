"""Renamed queues and agents: `renamed_from`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from callrouter.model.staged_reload import renamed, under_new_names
from callrouter.model.text import phrase
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import Settings
from callrouter.settings.yaml.source import Document, KeyPath

_Value = TypeVar("_Value")


def check_renames(section: str, renames: Mapping[str, str], document: Document) -> None:
    """Report a `renamed_from` without effect.

    Args:
        section: ``agents`` or ``queues``.
        renames: the old name by the new one.
        document: receives the reports.
    """
    first: dict[str, str] = {}
    names = document.names(section)
    for name, former in renames.items():
        path: KeyPath = (section, name, "renamed_from")
        if former == name:
            text = phrase("renamed-from-itself", "{name} is renamed from itself", name=quoted(name))
            document.error(
                path,
                text,
                phrase(
                    "write-name-had-before-or-take",
                    "write the name that it had before, or take the line out",
                ),
            )
        elif former in names:
            text = phrase("still-exists", "{former} still exists", former=quoted(former))
            hint = phrase(
                "take-out-or-take-renamed-from",
                "take it out of {section}:, or take renamed_from out",
                section=section,
            )
            document.error(path, text, hint)
        elif former in first:
            text = phrase(
                "renamed-from-as-well",
                "{first} is renamed from {former} as well",
                first=quoted(first[former]),
                former=quoted(former),
            )
            document.error(path, text, phrase("one-them-can-be", "one of them can be"))
        first.setdefault(former, name)


def settings_under_new_names(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Return the old settings with renamed items under their new names, and a line for each.

    Without renames, `old` itself is returned. `differences` uses it, so that a rename is not
    described as a removal and an addition.
    """
    agents = renamed(old.table.agents, new.table.agents)
    queues = renamed(old.table.queues, new.table.queues)
    if not agents and not queues:
        return old, []
    text = "agent {before} is called {after} from now on"
    lines: list[str] = [
        phrase("agent-renamed", text, before=before, after=after)
        for before, after in agents.items()
    ]
    text = "queue {before} is called {after} from now on"
    lines += [
        phrase("queue-renamed", text, before=before, after=after)
        for before, after in queues.items()
    ]
    settings = replace(
        old,
        table=under_new_names(old.table, new.table),
        pins=_keys(old.pins, agents),
        passwords=_keys(old.passwords, agents),
        emails=_keys(old.emails, agents),
        service_levels=_keys(old.service_levels, queues),
    )
    return settings, lines


def _keys(values: Mapping[str, _Value], names: Mapping[str, str]) -> dict[str, _Value]:
    return {names.get(name, name): value for name, value in values.items()}
