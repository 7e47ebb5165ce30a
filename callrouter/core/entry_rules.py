"""Rules on arrival: the first one that matches is applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from callrouter.model.events import CallArrived
from callrouter.model.phone_numbers import Numbering, withheld
from callrouter.model.routing_table import Rule, Table


def in_one_form(event: CallArrived, numbering: Numbering) -> CallArrived:
    """A call with its numbers in the canonical form, in which all numbers are compared and shown.

    A caller who withholds their number has none, and no name that merely says so.
    """
    caller, called = event.caller_number, event.called_number
    caller = numbering.form(caller) if caller else ""
    called = numbering.form(called) if called else ""
    name = event.caller_name if caller else _no_word(event.caller_name)
    if (caller, called, name) == (event.caller_number, event.called_number, event.caller_name):
        return event
    return replace(event, caller_number=caller, called_number=called, caller_name=name)


def _no_word(name: str) -> str:
    return "" if withheld(name) else name


def apply(
    table: Table,
    event: CallArrived,
    now: float,
    waiting: Callable[[str], int],
    *,
    found: bool = False,
) -> tuple[CallArrived, Rule | None]:
    """The call as changed by the rules, and the rule that was applied; None if none matches.

    Args:
        table: the rules.
        event: the call, with its numbers in canonical form.
        now: the time in epoch seconds.
        waiting: returns the number of callers waiting in a queue.
        found: the call was in its queue before and stays there. Rules about the number of waiting
            callers do not apply, because that number on arrival is unknown.
    """
    for rule in table.rules:
        if not fits(rule, event, now):
            continue
        if rule.waiting is not None and (found or not rule.waiting.holds(waiting(event.queue))):
            continue
        changed = replace(
            event,
            queue=event.queue if found else rule.queue or event.queue,
            priority=event.priority if rule.priority is None else rule.priority,
            agent=rule.agent or event.agent,
            tag=rule.tag or event.tag,
        )
        return changed, rule
    return event, None


def fits(rule: Rule, event: CallArrived, now: float) -> bool:
    """Whether the call itself meets every condition of the rule."""
    caller, called = event.caller_number, event.called_number
    return (
        (not rule.queues or event.queue in rule.queues)
        and (not rule.tags or event.tag in rule.tags)
        and (not rule.callers or any(pattern.fits(caller) for pattern in rule.callers))
        and (not rule.called or any(pattern.fits(called) for pattern in rule.called))
        and (rule.hours is None or rule.hours.on(now))
    )
