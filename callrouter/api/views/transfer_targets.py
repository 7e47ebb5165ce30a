"""Where an agent can send a caller, as JSON types."""

from __future__ import annotations

from typing import Final

from callrouter.api.schemas.call_answers import ColleagueJson, TargetsJson
from callrouter.api.views.agent_views import state_name
from callrouter.core.floor import Floor
from callrouter.core.state import Agent

MOST_COLLEAGUES: Final = 1000
"""Colleagues who are listed. Those who could be rung now come first, so none of them is missing
where it matters.
"""


def targets_json(floor: Floor, agent: Agent) -> TargetsJson:
    """Return the queues and colleagues to which an agent can give a caller.

    Args:
        floor: the floor.
        agent: who gives the caller away. Colleagues are those of the agent's own queues.
    """
    colleagues: dict[str, ColleagueJson] = {}
    for membership in agent.memberships.values():
        queue = membership.queue
        for member in queue.members.values():
            other = member.agent
            if other is agent or other.gone:
                continue
            known = colleagues.get(other.id)
            if known is not None:
                known["queues"].append(queue.id)
                continue
            colleagues[other.id] = {
                "id": other.id,
                "name": other.spec.name,
                "state": state_name(other.status.state),
                "free": bool(other.open),
                "queues": [queue.id],
            }
    first = sorted(colleagues.values(), key=lambda one: (not one["free"], one["name"], one["id"]))
    queues = [queue for queue in floor.queues.values() if not queue.gone]
    return {
        "queues": [
            {
                "id": queue.id,
                "name": queue.spec.name,
                "free": sum(bool(member.agent.open) for member in queue.members.values()),
            }
            for queue in sorted(queues, key=lambda queue: (queue.spec.name, queue.id))
        ],
        "agents": first[:MOST_COLLEAGUES],
        "outside": list(floor.table.outside.allowed),
    }
