"""Describes the differences between two configurations in a supervisor's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callrouter.settings.builders.renamed import settings_under_new_names
from callrouter.settings.diff.agent_diff import agent_changes, pause_changes
from callrouter.settings.diff.compare import Difference
from callrouter.settings.diff.queue_diff import queue_changes, service_level_changes
from callrouter.settings.diff.rule_diff import rule_changes
from callrouter.settings.diff.site_diff import site_changes
from callrouter.settings.loaded import Settings

MOST_LINES: Final = 1_000
"""Maximum number of changes listed individually, in answers, in the log and in the history."""


def bounded(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first `MOST_LINES` changes, and how many more there are."""
    more = len(lines) - MOST_LINES
    return tuple(lines) if more <= 0 else (*lines[:MOST_LINES], f"and {more} more changes")


def differences(old: Settings, new: Settings) -> list[Difference]:
    """Return the differences between two configurations.

    Secrets are not shown, and of a phone number at most the country and the last 3 digits.
    Differences without effect are left out, such as the order of agents if the policy ignores it.

    Args:
        old: The configuration in force.
        new: The one that would replace it.
    """
    old, renamed = settings_under_new_names(old, new)
    applied = [
        *renamed,
        *agent_changes(old, new),
        *pause_changes(old.table, new.table),
        *queue_changes(old.table, new.table),
        *service_level_changes(old, new),
        *rule_changes(old.table.rules, new.table.rules),
    ]
    return [*map(Difference, applied), *site_changes(old, new)]


def changes(old: Settings, new: Settings) -> list[str]:
    """Return `differences` as text; a change that is not applied ends in ``(needs a restart)``.

    The order is that of `differences`, which also says what is hidden or left out.
    """
    return [str(each) for each in differences(old, new)]
