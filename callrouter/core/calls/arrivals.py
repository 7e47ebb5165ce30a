"""A caller arrives: what the call asks for is checked, the first rule that fits is applied.

Each fault in what a call asks for is reported as an `Oddity`, which is counted, with the nearest
name that exists. The call goes on without the faulty value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

from callrouter.core.calls import queueing, waiting
from callrouter.core.floor import Floor
from callrouter.core.state import CALL_WAITING, Call, Queue
from callrouter.model.call_notices import RuleApplied
from callrouter.model.commands import Leave, Result
from callrouter.model.events import CallArrived
from callrouter.model.phone_numbers import Numbering, withheld
from callrouter.model.routing_table import Rule, Table
from callrouter.model.text import nearest_name

_NO_SKILLS: Final[Mapping[str, int]] = {}

_FEW: Final = 200
"""Number of agents whose skills are compared with a mistyped one."""


def arrived(floor: Floor, event: CallArrived, *, found: bool = False) -> None:
    """A caller entered a queue.

    Args:
      floor: the state of the core.
      event: what the PBX reports of the call.
      found: the caller comes from a snapshot. They are already in the queue, so its hours and its
        limit do not apply, and what they ask for was checked when they entered.
    """
    if event.call in floor.calls:
        floor.report_oddity(f"call {event.call} arrived again and is known already")
        return
    event = under_new_names(floor, event)
    as_written = event.caller_number
    event = in_one_form(event, floor.table.numbering)
    rule = None
    if floor.table.rules:
        event, rule = apply_rules(
            floor.table, event, floor.now, partial(_waiting_in, floor), found=found
        )
    if not found:
        event = checked(floor, event)
    queue = floor.queues.get(event.queue)
    if queue is None or (queue.gone and not found):
        report_no_queue(floor, event)
        floor.order(Leave(pbx=event.pbx, call=event.call, result=Result.CLOSED))
        return
    call = _new_call(floor, event, queue, found=found)
    call.skills = _skills(event, rule)
    call.shown_number = as_written if event.caller_number else ""
    floor.calls[call.id] = call
    floor.departed.pop(call.id, None)
    floor.passed_on.pop(call.id, None)
    if rule is not None:
        floor.publish(RuleApplied(at=floor.now, call=call.id, queue=call.queue.id, rule=rule.name))
    queueing.enter_queue(floor, call, queue, found=found, since=call.queued_at)
    if found and call.state is CALL_WAITING:
        waiting.restore_tried(floor, call)
    giver = floor.transferred_by.pop(call.id, None)
    # The agent who sent this caller back to a queue is the last choice there.
    if giver is not None:
        call.tried[giver] = None
        call.failed_at = floor.now


def _new_call(floor: Floor, event: CallArrived, queue: Queue, *, found: bool) -> Call:
    """The call, with its two clocks: first entry into any queue, and entry into this one.

    Neither lies in the future, whatever the PBX's clock says, and the entry into this queue is not
    before the first. A caller whose entry into this queue is unknown has waited in it from the
    beginning if found there, and not at all otherwise.
    """
    entered_at = floor.now if event.entered_at is None else min(event.entered_at, floor.now)
    queued_at = event.queued_at
    if queued_at is None:
        queued_at = entered_at if found else floor.now
    return Call(
        id=event.call,
        pbx=event.pbx,
        queue=queue,
        seq=floor.next_serial(),
        entered_at=entered_at,
        queued_at=min(max(queued_at, entered_at), floor.now),
        priority=event.priority,
        caller_number=event.caller_number,
        caller_name=event.caller_name,
        called_number=event.called_number,
        tag=event.tag,
        first_agent=event.agent,
    )


def _waiting_in(floor: Floor, queue: str) -> int:
    known = floor.queues.get(queue)
    return len(known.waiting) if known is not None else 0


def _skills(event: CallArrived, rule: Rule | None) -> Mapping[str, int]:
    """Skills required beyond the queue's own. Where dialplan and rule differ, the rule wins."""
    if rule is None or not rule.skills:
        return event.skills or _NO_SKILLS
    return {**event.skills, **rule.skills}


# ---------------------------------------------------------------- what a call asks for


def report_no_queue(floor: Floor, event: CallArrived) -> None:
    """Report a call for a queue that does not exist or takes no new calls.

    The text names a similar queue if there is one.
    """
    name = event.queue
    queue = floor.queues.get(name)
    if queue is not None and queue.gone:
        floor.report_oddity(
            f"call {event.call} arrived for '{name}', which takes no new calls", "queue"
        )
        return
    names = (queue.id for queue in floor.queues.values() if not queue.gone)
    shown = name if name.startswith(("'", '"')) else f"'{name}'"
    text = f"call {event.call} arrived for {shown}, which is not a queue{nearest(name, names)}"
    floor.report_oddity(text, "queue")


def under_new_names(floor: Floor, event: CallArrived) -> CallArrived:
    """The same arrival, with the present names of a renamed queue or agent.

    A name that exists now is kept, even if it is also the former name of another queue or agent.
    """
    queue = floor.former_queues.get(event.queue) if event.queue not in floor.queues else None
    agent = floor.former_agents.get(event.agent) if event.agent not in floor.agents else None
    if queue is None and agent is None:
        return event
    return replace(event, queue=queue or event.queue, agent=agent or event.agent)


def checked(floor: Floor, event: CallArrived) -> CallArrived:
    """The same arrival without values that are not valid. Each removal is reported.

    Those are an agent who does not exist and skills that no agent has. The entries of
    `event.refused` are only reported.
    """
    for what, why in event.refused:
        floor.report_oddity(f"call {event.call}: {why}", what)
    if event.agent and event.agent not in floor.agents:
        hint = nearest(event.agent, floor.agents)
        text = f"call {event.call} asks for agent '{event.agent}', who does not exist{hint}"
        floor.report_oddity(text, "agent")
        event = replace(event, agent="")
    if event.skills:
        event = replace(event, skills=_known_skills(floor, event))
    return event


def _known_skills(floor: Floor, event: CallArrived) -> dict[str, int]:
    """The requested skills that some agent has. For any other the caller would wait forever."""
    kept = {}
    for skill, level in event.skills.items():
        specs = floor.table.agents.values()
        if level == 0 or any(spec.skills.get(skill, 0) > 0 for spec in specs):
            kept[skill] = level
            continue
        known = {name for spec in islice(specs, _FEW) for name in spec.skills}
        text = f"call {event.call} asks for skill '{skill}', which no agent has"
        floor.report_oddity(text + nearest(skill, known), "skills")
    return kept


def nearest(word: str, names: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or an empty string if no name is similar."""
    close = nearest_name(word, names)
    return f"; did you mean '{close}'?" if close else ""


# ---------------------------------------------------------------- rules


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


def apply_rules(
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
    """Whether the call itself meets every condition of the rule.

    An empty condition is met by every call. The number of waiting callers is left to `apply_rules`.
    `now` is in epoch seconds.
    """
    caller, called = event.caller_number, event.called_number
    return (
        (not rule.queues or event.queue in rule.queues)
        and (not rule.tags or event.tag in rule.tags)
        and (not rule.callers or any(pattern.fits(caller) for pattern in rule.callers))
        and (not rule.called or any(pattern.fits(called) for pattern in rule.called))
        and (rule.hours is None or rule.hours.on(now))
    )
