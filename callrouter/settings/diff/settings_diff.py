"""Describes the differences between two configurations in a supervisor's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from callrouter.model.routing_table import NumberPattern, Rule
from callrouter.model.text import listed, phrase
from callrouter.settings.builders.renamed import settings_under_new_names
from callrouter.settings.diff.agent_diff import agent_changes, pause_changes
from callrouter.settings.diff.alert_diff import alert_changes
from callrouter.settings.diff.compare import DOWN, UP, Difference, differing, reordered
from callrouter.settings.diff.queue_diff import queue_changes, service_level_changes
from callrouter.settings.diff.site_diff import site_changes
from callrouter.settings.loaded import Settings
from callrouter.settings.schema import written_values as written

MOST_LINES: Final = 1_000
"""Maximum number of changes listed individually, in answers, in the log and in the history."""


def bounded(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first `MOST_LINES` changes, and how many more there are."""
    more = len(lines) - MOST_LINES
    if more <= 0:
        return tuple(lines)
    text = "and {more} more changes"
    return (*lines[:MOST_LINES], phrase("more-changes", text, more=more))


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
    return [*map(Difference, applied), *site_changes(old, new), *alert_changes(old, new)]


def changes(old: Settings, new: Settings) -> list[str]:
    """Return `differences` as text; a change that is not applied ends in ``(needs a restart)``.

    The order is that of `differences`, which also says what is hidden or left out.
    """
    return [str(each) for each in differences(old, new)]


# ---------------------------------------------------------------- rules for arriving calls

_WHEN: Final = ("caller", "called", "queue", "waiting", "hours", "tag")


def rule_changes(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[str]:
    """Yield a line for every change. Rules are matched by name.

    One with another name is therefore gone and new. Numbers are masked; if two look the same that
    way, only the change is reported. Changes of the order come last.
    """
    before, after = ({rule.name: rule for rule in rules} for rules in (old, new))
    for name in differing(before, after):
        if name not in after:
            yield phrase("rule-gone", "rule {name} is gone", name=name)
        elif name not in before:
            yield phrase(
                "rule-new", "rule {name} is new ({whole})", name=name, whole=_whole(after[name])
            )
        else:
            yield from _changed(before[name], after[name])
    for name, up in reordered(list(before), list(after)):
        yield phrase("rule-moved", "rule {name} moved {value}", name=name, value=UP if up else DOWN)


def _changed(old: Rule, new: Rule) -> Iterator[str]:
    was, now = _parts(old), _parts(new)
    masked = {"caller": old.callers != new.callers, "called": old.called != new.called}
    for key in dict.fromkeys((*was, *now)):
        before, after = was.get(key, written.NONE), now.get(key, written.NONE)
        if before != after:
            yield phrase(
                "rule",
                "rule {name}: {key} {before} -> {after}",
                name=new.name,
                key=key,
                before=before,
                after=after,
            )
        elif masked.get(key):
            yield phrase("rule-changed", "rule {name}: {key} changed", name=new.name, key=key)


def _whole(rule: Rule) -> str:
    parts = _parts(rule)
    when = [f"{key} {text}" for key, text in parts.items() if key in _WHEN]
    then = [f"{key} {text}" for key, text in parts.items() if key not in _WHEN]
    return phrase(
        "rule-in-words",
        "{when}: {then}",
        when=when or phrase("every-call", "every call"),
        then=then or written.NOTHING,
    )


def _parts(rule: Rule) -> dict[str, str]:
    """Return the conditions and effects of a rule in words; only those that are set.

    Conditions come first. The keys of effects begin with ``then``. Numbers are masked.
    """
    parts = {
        "caller": _numbers(rule.callers),
        "called": _numbers(rule.called),
        "queue": listed(sorted(rule.queues), "or"),
        "waiting": "" if rule.waiting is None else f"{rule.waiting.sign} {rule.waiting.count}",
        "hours": "" if rule.hours is None else written.hours(rule.hours.spans),
        "tag": listed(sorted(rule.tags), "or"),
        "then priority": "" if rule.priority is None else str(rule.priority),
        "then queue": rule.queue,
        "then agent": rule.agent,
        "then tag": rule.tag,
        "then skills": written.skills(rule.skills) if rule.skills else "",
    }
    return {key: text for key, text in parts.items() if text}


def _numbers(patterns: Iterable[NumberPattern]) -> str:
    return listed([written.pattern(each) for each in patterns], "or")
