"""Filters live messages for callers who do not see everything."""

from __future__ import annotations

from typing import Final

from callrouter.api.json_values import Json
from callrouter.api.views.sight import Sight
from callrouter.model.text import mask

_PRIVATE: Final = ("caller_number", "caller_name", "to", "target", "to_agent")
"""Fields with names and numbers, removed from records about other agents' calls."""


def shown(view: Json, sight: Sight) -> Json | None:
    """Return the message for this caller; None: it is not shown.

    Notes are free text about anything, so only callers who see everything get them. Decisions name
    candidates, so an agent's token does not get them.
    """
    if sight.everything:
        return view
    agent, queue = view.get("agent", ""), view.get("queue", "")
    if view["type"] == "note":
        return None
    if not sight.masked:
        return view if _seen(sight, agent, queue) else None
    if view["type"] == "decision":
        return None
    if agent:
        return view if agent == sight.agent else None
    return _hidden(view) if queue and sight.sees_queue(queue) else None


def _seen(sight: Sight, agent: str, queue: str) -> bool:
    if queue:
        return sight.sees_queue(queue)
    return bool(agent) and sight.sees_agent(agent)


def _hidden(view: Json) -> Json:
    kept = {name: value for name, value in view.items() if name not in _PRIVATE}
    if "caller_number" in view:
        kept["caller_number"] = mask(view["caller_number"])
    return kept
