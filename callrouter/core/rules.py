"""Rules on arrival: the first that fits is applied."""

from __future__ import annotations

import re
from dataclasses import replace

from callrouter.model.events import CallArrived
from callrouter.model.table import Rule, Table

_NOISE = re.compile(r"[\s().\-/]")


def apply(table: Table, event: CallArrived, now: float) -> tuple[CallArrived, Rule | None]:
    """What the rules make of a call, and which rule it was; None if none fits."""
    if not table.rules:
        return event, None
    caller, called = spelled(event.caller_number), spelled(event.called_number)
    for rule in table.rules:
        if fits(rule, event, caller, called, now):
            changed = replace(
                event,
                queue=rule.queue or event.queue,
                priority=event.priority if rule.priority is None else rule.priority,
                agent=rule.agent or event.agent,
                tag=rule.tag or event.tag,
            )
            return changed, rule
    return event, None


def fits(rule: Rule, event: CallArrived, caller: str, called: str, now: float) -> bool:
    """Whether everything that a rule asks for is so. Numbers as `spelled`."""
    return (
        (not rule.queues or event.queue in rule.queues)
        and (not rule.tags or event.tag in rule.tags)
        and (not rule.callers or any(pattern.fits(caller) for pattern in rule.callers))
        and (not rule.called or any(pattern.fits(called) for pattern in rule.called))
        and (rule.hours is None or rule.hours.on(now))
    )


def spelled(number: str) -> str:
    """A number as patterns spell it: without blanks and the like, 00 before a country as +."""
    plain = _NOISE.sub("", number)
    return "+" + plain[2:] if plain.startswith("00") else plain
