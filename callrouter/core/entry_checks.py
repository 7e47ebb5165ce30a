"""Checks what a call asks for on entry: unknown queues, agents and skills, and invalid values.

Each fault is reported as an `Oddity`, which is counted, with the nearest name that exists. The call
goes on without the faulty value.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from callrouter.core.floor import Floor
from callrouter.model.events import CallArrived

_LONGEST: Final = 64
"""Longest name in characters for which similar names are searched."""
_FEW: Final = 200
"""Number of names compared with a mistyped one. This keeps the search within a few milliseconds."""


def no_queue(floor: Floor, event: CallArrived) -> None:
    """Report a call for a queue that does not exist or takes no new calls."""
    name = event.queue
    queue = floor.queues.get(name)
    if queue is not None and queue.gone:
        floor.note(f"call {event.call} arrived for '{name}', which takes no new calls", "queue")
        return
    names = (queue.id for queue in floor.queues.values() if not queue.gone)
    shown = name if name.startswith(("'", '"')) else f"'{name}'"
    text = f"call {event.call} arrived for {shown}, which is no queue{nearest(name, names)}"
    floor.note(text, "queue")


def under_new_names(floor: Floor, event: CallArrived) -> CallArrived:
    """The same arrival, with the present names of a renamed queue or agent."""
    queue = floor.former_queues.get(event.queue) if event.queue not in floor.queues else None
    agent = floor.former_agents.get(event.agent) if event.agent not in floor.agents else None
    if queue is None and agent is None:
        return event
    return replace(event, queue=queue or event.queue, agent=agent or event.agent)


def checked(floor: Floor, event: CallArrived) -> CallArrived:
    """The same arrival without values that are not valid. Each removal is reported."""
    for what, why in event.refused:
        floor.note(f"call {event.call}: {why}", what)
    if event.agent and event.agent not in floor.agents:
        hint = nearest(event.agent, floor.agents)
        text = f"call {event.call} asks for agent '{event.agent}', who does not exist{hint}"
        floor.note(text, "agent")
        event = replace(event, agent="")
    if event.skills:
        event = replace(event, skills=_skills(floor, event))
    return event


def _skills(floor: Floor, event: CallArrived) -> dict[str, int]:
    """The requested skills that some agent has. For any other the caller would wait forever."""
    kept = {}
    for skill, level in event.skills.items():
        specs = floor.table.agents.values()
        if level == 0 or any(spec.skills.get(skill, 0) > 0 for spec in specs):
            kept[skill] = level
            continue
        known = {name for spec in islice(specs, _FEW) for name in spec.skills}
        text = f"call {event.call} asks for skill '{skill}', which no agent has"
        floor.note(text + nearest(skill, known), "skills")
    return kept


def nearest(word: str, names: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or an empty string if no name is similar."""
    if len(word) > _LONGEST:
        return ""
    close = difflib.get_close_matches(word.lower(), islice(names, _FEW), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
