"""What a caller may see of the floor, and answers without the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from callrouter.api.access.tokens import SCREEN, ApiCaller
from callrouter.api.schemas.agent_answers import AgentJson
from callrouter.api.schemas.call_answers import CallJson, QueueJson, WaitingJson
from callrouter.core.floor import Floor
from callrouter.core.state import Call, CallState, Offer
from callrouter.model.text import mask


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may see of the floor. Equal for callers who may see the same.

    Attributes:
        agents: ids of the visible agents; None: all.
        queues: ids of the visible queues; None: all.
        agent: the agent that the caller acts for, whose calls are shown with their numbers.
        masked: whether the numbers of all other calls are masked.
        screen: whether this is a screen on the wall, which strangers may see.
    """

    agents: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    agent: str = ""
    masked: bool = False
    screen: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden."""
        return self.queues is None and self.agents is None and not self.screen

    def sees_agent(self, agent: str) -> bool:
        """Return whether an agent is shown."""
        return self.agents is None or agent in self.agents

    def sees_queue(self, queue: str) -> bool:
        """Return whether a queue is shown."""
        return self.queues is None or queue in self.queues

    def owns_call(self, call: Call) -> bool:
        """Return whether the caller's own agent is being rung for a call or connected to it.

        False for callers who act for no agent. A consulted colleague counts as connected.
        """
        return bool(self.agent) and any(offer.agent.id == self.agent for offer in _offers(call))

    def sees_call(self, call: Call) -> bool:
        """Return whether an active call is shown: it is in a shown queue or the own agent's."""
        if self.screen:
            return False
        if self.queues is None:
            return True
        if self.masked:  # an agent sees only the waiting calls of the queue
            waits = call.state is CallState.WAITING
            return self.owns_call(call) or (waits and self.sees_queue(call.queue.id))
        return self.sees_queue(call.queue.id) or self.owns_call(call)

    def sees_ended(self, queue: str, agent: str) -> bool:
        """Return whether an ended call is shown, judged by the queue and agent it ended with.

        Args:
            queue: its last queue.
            agent: who had it; empty: no agent. For a masked sight only this one counts.
        """
        if self.queues is None:
            return True
        if self.masked:
            return bool(self.agent) and agent == self.agent
        return self.sees_queue(queue)


EVERYTHING: Final = Sight()


def sight_of(floor: Floor, caller: ApiCaller) -> Sight:
    """Return what a caller may see now.

    It depends on the routing table, so compute it for each request.
    """
    if caller.role == "agent":
        agent = floor.agents.get(caller.agent)
        if agent is None or agent.gone:  # totals only
            queues = frozenset(floor.queues) if not caller.agent else frozenset()
            return Sight(frozenset(), queues, masked=True)
        queues = frozenset(member.queue.id for member in agent.memberships.values())
        return Sight(frozenset({agent.id}), queues, agent.id, masked=True)
    if caller.role == SCREEN:
        queues = frozenset(caller.queues) or frozenset(floor.queues)
        return Sight(frozenset(_members(floor, queues)), queues, screen=True)
    if caller.queues:
        queues = frozenset(caller.queues)
        return Sight(frozenset(_members(floor, queues)), queues)
    return EVERYTHING


def _members(floor: Floor, queues: frozenset[str]) -> Iterator[str]:
    for name in queues:
        if (queue := floor.queues.get(name)) is not None:
            yield from queue.members


def _offers(call: Call) -> Iterator[Offer]:
    yield from call.offers.values()
    if call.winner is not None:
        yield call.winner
    if call.consult is not None:
        yield call.consult


# ---------------------------------------------------------------- without what is hidden


def visible_queue(view: QueueJson, sight: Sight) -> QueueJson:
    """Return a queue as the caller may see it: for an agent, no other names and no numbers.

    Args:
        view: the queue as it is.
        sight: what the caller may see.
    """
    if sight.screen:
        line: list[WaitingJson] = [
            {**one, "caller_number": mask(one["caller_number"]), "caller_name": ""}
            for one in view["waiting"]
        ]
        return {**view, "waiting": line}
    if not sight.masked:
        return view
    own = {sight.agent} if sight.agent else set()
    return {
        **view,
        "waiting": [_visible_waiting(one, own) for one in view["waiting"]],
        "agents": {
            state: [name for name in names if name in own]
            for state, names in view["agents"].items()
        },
    }


def visible_agent(view: AgentJson, sight: Sight) -> AgentJson:
    """Return an agent as the caller may see them: for a screen on the wall, their state alone.

    Args:
        view: the agent as they are.
        sight: what the caller may see.
    """
    if not sight.screen:
        return view
    return {
        **view,
        "reason": None,
        "by": None,
        "by_at": None,
        "pending_by": None,
        "pause_reason": None,
        "call": None,
        "calls": [],
        "devices": [],
        "why_not": [],
        "why_not_phrases": [],
        "messages": [],
        "messages_phrases": [],
    }


def _visible_waiting(view: WaitingJson, own: set[str]) -> WaitingJson:
    if own & set(view["ringing"]):
        return {**view, "ringing": sorted(own & set(view["ringing"]))}
    return {**view, "caller_number": mask(view["caller_number"]), "caller_name": "", "ringing": []}


def visible_call(view: CallJson, sight: Sight, *, own: bool) -> CallJson:
    """Return a call as the caller may see it.

    Args:
        view: the call as it is.
        sight: what the caller may see.
        own: whether it rings or is connected to the caller's agent.
    """
    if not sight.masked:
        return view
    offers = [offer for offer in view["offers"] if offer["agent"] == sight.agent]
    if own:
        return {**view, "offers": offers}
    return {
        **view,
        "caller_number": mask(view["caller_number"]),
        "caller_name": "",
        "tag": None,
        "agent": None,
        "consulting": None,
        "consulting_state": None,
        "offers": [],
    }


def visible_ended(view: CallJson, sight: Sight) -> CallJson:
    """Return an ended call as the caller may see it: for an agent with the number masked, as on record.

    Args:
        view: the call as it is. An agent is shown no ended calls but their own.
        sight: what the caller may see.
    """
    shown = visible_call(view, sight, own=True)
    if not sight.masked:
        return shown
    return {**shown, "caller_number": mask(view["caller_number"]), "caller_name": ""}
