"""Authorization: one table of routes and roles, and what a caller may see of the floor.

Roles. ``metrics`` reads ``/metrics``. ``agent`` sees its agent, that agent's calls, and the agent's
queues with masked numbers, and acts for that agent only. ``supervisor`` sees and does everything in
its queues (all queues unless the token is limited) and, if not limited, reads and reloads the
configuration. ``admin`` may do everything and is the only role that sees where the daemon keeps its
files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from callrouter.api.access.tokens import Caller
from callrouter.core.floor import Floor
from callrouter.core.state import Call, CallState, Offer
from callrouter.settings import TokenRole

Own: TypeAlias = Literal["", "agent", "device", "queue", "call", "all"]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route requires of its callers.

    `own` names the object in the path that must belong to a caller who does not see everything:
    ``agent``, ``queue`` or ``call``. ``device`` is like ``agent``, but a request of an agent's
    token for another agent's device goes on to the registrar, which counts, audits and refuses it.
    ``all``: only for callers who see everything.
    """

    roles: frozenset[TokenRole]
    own: Own = ""


_ANY: Final[frozenset[TokenRole]] = frozenset({"metrics", "agent", "supervisor", "admin"})
_PEOPLE: Final[frozenset[TokenRole]] = frozenset({"agent", "supervisor", "admin"})
_STAFF: Final[frozenset[TokenRole]] = frozenset({"supervisor", "admin"})
_COUNTS: Final[frozenset[TokenRole]] = frozenset({"metrics", "supervisor", "admin"})

_ACTS: Final = ("sign-in", "sign-out", "pause", "resume", "ready", "free")
_TALK: Final = ("hold", "unhold", "transfer", "consult", "complete", "cancel")

PERMISSIONS: Final[Mapping[tuple[str, str], Permission]] = {
    ("GET", "/metrics"): Permission(_COUNTS, "all"),
    ("GET", "/api/openapi.json"): Permission(_ANY),
    ("GET", "/api/status"): Permission(_STAFF),
    ("GET", "/api/pauses"): Permission(_PEOPLE),
    ("GET", "/api/live"): Permission(_PEOPLE),
    ("GET", "/api/agents"): Permission(_PEOPLE),
    ("GET", "/api/agents/{id}"): Permission(_PEOPLE, "agent"),
    ("GET", "/api/agents/{id}/why-not"): Permission(_PEOPLE, "agent"),
    **{("POST", f"/api/agents/{{id}}/{act}"): Permission(_PEOPLE, "agent") for act in _ACTS},
    **{("POST", f"/api/agents/{{id}}/call/{act}"): Permission(_PEOPLE, "agent") for act in _TALK},
    ("GET", "/api/agents/{id}/devices"): Permission(_PEOPLE, "device"),
    ("GET", "/api/agents/{id}/audit"): Permission(_PEOPLE, "device"),
    ("POST", "/api/agents/{id}/devices"): Permission(_PEOPLE, "device"),
    ("PATCH", "/api/agents/{id}/devices/{device}"): Permission(_PEOPLE, "device"),
    ("DELETE", "/api/agents/{id}/devices/{device}"): Permission(_PEOPLE, "device"),
    ("POST", "/api/agents/{id}/devices/{device}/verify"): Permission(_PEOPLE, "device"),
    ("GET", "/api/queues"): Permission(_PEOPLE),
    ("GET", "/api/queues/{id}"): Permission(_PEOPLE, "queue"),
    ("GET", "/api/calls"): Permission(_PEOPLE),
    ("GET", "/api/calls/{id}"): Permission(_PEOPLE, "call"),
    ("GET", "/api/calls/{id}/why"): Permission(_STAFF, "call"),
    ("POST", "/api/calls/{id}/move"): Permission(_STAFF, "call"),
    ("DELETE", "/api/calls/{id}"): Permission(_STAFF, "call"),
    ("GET", "/api/config/diff"): Permission(_STAFF, "all"),
    ("GET", "/api/config/history"): Permission(_STAFF, "all"),
    ("POST", "/api/config/reload"): Permission(_STAFF, "all"),
}
"""By method and path. A route that is not listed is closed."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may see of the floor.

    `agents` and `queues` are ids, None for all. `agent` is the agent the caller acts for, whose
    calls are shown with their numbers. If `masked`, the numbers of all other calls are masked.
    """

    agents: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    agent: str = ""
    masked: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden."""
        return self.queues is None and self.agents is None

    def sees_agent(self, agent: str) -> bool:
        """Return whether an agent is shown."""
        return self.agents is None or agent in self.agents

    def sees_queue(self, queue: str) -> bool:
        """Return whether a queue is shown."""
        return self.queues is None or queue in self.queues

    def owns_call(self, call: Call) -> bool:
        """Return whether the caller's own agent is being rung for a call or connected to it."""
        return bool(self.agent) and any(offer.agent.id == self.agent for offer in _offers(call))

    def sees_call(self, call: Call) -> bool:
        """Return whether an active call is shown: it is in a shown queue or the own agent's."""
        if self.queues is None:
            return True
        if self.masked:  # an agent sees only the waiting calls of the queue
            waits = call.state is CallState.WAITING
            return self.owns_call(call) or (waits and self.sees_queue(call.queue.id))
        return self.sees_queue(call.queue.id) or self.owns_call(call)

    def sees_ended(self, queue: str, agent: str) -> bool:
        """Return whether an ended call is shown, judged by the queue and agent it ended with."""
        if self.queues is None:
            return True
        if self.masked:
            return bool(self.agent) and agent == self.agent
        return self.sees_queue(queue)


EVERYTHING: Final = Sight()


def sight(floor: Floor, caller: Caller) -> Sight:
    """Return what a caller may see now.

    It depends on the configuration, so compute it each time.
    """
    if caller.role == "agent":
        agent = floor.agents.get(caller.agent)
        if agent is None or agent.gone:  # totals only
            queues = frozenset(floor.queues) if not caller.agent else frozenset()
            return Sight(frozenset(), queues, masked=True)
        queues = frozenset(member.queue.id for member in agent.memberships.values())
        return Sight(frozenset({agent.id}), queues, agent.id, masked=True)
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
