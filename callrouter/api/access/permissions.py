"""Authorization: one table of routes and the roles that may use them.

Roles. ``metrics`` reads ``/metrics``. ``agent`` sees its agent, that agent's calls, and the agent's
queues with masked numbers, and acts for that agent only. ``supervisor`` sees and does everything in
its queues (all queues unless the token is limited), edits their part of the configuration
(`callrouter.settings.editing.edit_rights`) and, if not limited, reloads it. ``admin`` may do everything and is the only role that sees where the daemon keeps its
files. ``screen`` is a screen on the wall: it sees its queues and the states of their agents, without
numbers and names of callers, in the live view alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from callrouter.api.access.tokens import CallerRole

Own: TypeAlias = Literal["", "agent", "device", "queue", "call", "all"]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route requires of its callers.

    `own` names the object in the path that must belong to a caller who does not see everything:
    ``agent``, ``queue`` or ``call``. ``device`` is like ``agent``, but a request of an agent's
    token for another agent's device goes on to the registrar, which counts, audits and refuses it.
    ``all``: only for callers who see everything.
    """

    roles: frozenset[CallerRole]
    own: Own = ""


_ANY: Final[frozenset[CallerRole]] = frozenset({"metrics", "agent", "supervisor", "admin"})
_PEOPLE: Final[frozenset[CallerRole]] = frozenset({"agent", "supervisor", "admin"})
_STAFF: Final[frozenset[CallerRole]] = frozenset({"supervisor", "admin"})
_ADMINS: Final[frozenset[CallerRole]] = frozenset({"admin"})
_COUNTS: Final[frozenset[CallerRole]] = frozenset({"metrics", "supervisor", "admin"})
_SCREEN: Final[frozenset[CallerRole]] = frozenset({"screen"})

_ACTS: Final = ("sign-in", "sign-out", "pause", "resume", "ready", "free")
_TALK: Final = ("hold", "unhold", "transfer", "consult", "complete", "cancel")

PERMISSIONS: Final[Mapping[tuple[str, str], Permission]] = {
    ("GET", "/metrics"): Permission(_COUNTS, "all"),
    ("GET", "/api/openapi.json"): Permission(_ANY),
    ("GET", "/api/status"): Permission(_STAFF),
    ("GET", "/api/cluster"): Permission(_STAFF),
    ("POST", "/api/cluster/hand-over"): Permission(_ADMINS),
    ("GET", "/api/session"): Permission(_ANY | _SCREEN),
    ("DELETE", "/api/session"): Permission(_ANY),
    ("POST", "/api/session/ticket"): Permission(_PEOPLE),
    ("GET", "/api/sessions"): Permission(_PEOPLE),
    ("GET", "/api/sessions/{id}"): Permission(_PEOPLE),
    ("DELETE", "/api/sessions/{id}"): Permission(_PEOPLE),
    ("GET", "/api/wall-screens"): Permission(_STAFF),
    ("POST", "/api/wall-screens"): Permission(_STAFF),
    ("DELETE", "/api/wall-screens/{id}"): Permission(_STAFF),
    ("GET", "/api/pauses"): Permission(_PEOPLE),
    ("GET", "/api/live"): Permission(_PEOPLE | _SCREEN),
    ("GET", "/api/agents"): Permission(_PEOPLE),
    ("GET", "/api/agents/{id}"): Permission(_PEOPLE, "agent"),
    ("GET", "/api/agents/{id}/why-not"): Permission(_PEOPLE, "agent"),
    **{("POST", f"/api/agents/{{id}}/{act}"): Permission(_PEOPLE, "agent") for act in _ACTS},
    **{("POST", f"/api/agents/{{id}}/call/{act}"): Permission(_PEOPLE, "agent") for act in _TALK},
    ("POST", "/api/agents/{id}/message"): Permission(_STAFF, "agent"),
    ("GET", "/api/agents/{id}/targets"): Permission(_PEOPLE, "agent"),
    ("GET", "/api/agents/{id}/devices"): Permission(_PEOPLE, "device"),
    ("GET", "/api/agents/{id}/audit"): Permission(_PEOPLE, "device"),
    ("POST", "/api/agents/{id}/devices"): Permission(_PEOPLE, "device"),
    ("PATCH", "/api/agents/{id}/devices/{device}"): Permission(_PEOPLE, "device"),
    ("DELETE", "/api/agents/{id}/devices/{device}"): Permission(_PEOPLE, "device"),
    ("POST", "/api/agents/{id}/devices/{device}/verify"): Permission(_PEOPLE, "device"),
    ("POST", "/api/agents/{id}/devices/{device}/reject"): Permission(_STAFF, "agent"),
    ("GET", "/api/mobiles"): Permission(_STAFF),
    ("GET", "/api/queues"): Permission(_PEOPLE),
    ("GET", "/api/queues/{id}"): Permission(_PEOPLE, "queue"),
    ("GET", "/api/calls"): Permission(_PEOPLE),
    ("GET", "/api/calls/{id}"): Permission(_PEOPLE, "call"),
    ("GET", "/api/calls/{id}/why"): Permission(_STAFF, "call"),
    ("POST", "/api/calls/{id}/move"): Permission(_STAFF, "call"),
    ("DELETE", "/api/calls/{id}"): Permission(_STAFF, "call"),
    ("GET", "/api/reports/{what}"): Permission(_PEOPLE),
    ("GET", "/api/records/calls"): Permission(_PEOPLE),
    ("GET", "/api/audit"): Permission(_PEOPLE),
    ("GET", "/api/config/diff"): Permission(_STAFF, "all"),
    ("GET", "/api/config/history"): Permission(_STAFF, "all"),
    ("GET", "/api/config/history/{number}"): Permission(_STAFF, "all"),
    ("POST", "/api/config/reload"): Permission(_STAFF, "all"),
    ("POST", "/api/config/rollback"): Permission(_STAFF, "all"),
    ("GET", "/api/config/files"): Permission(_STAFF),
    ("POST", "/api/config/files"): Permission(_STAFF),
    ("GET", "/api/config/files/{name}"): Permission(_STAFF),
    ("PUT", "/api/config/files/{name}"): Permission(_STAFF),
    ("GET", "/api/config/tables"): Permission(_STAFF),
    ("POST", "/api/config/draft"): Permission(_STAFF),
    ("POST", "/api/config/complete"): Permission(_STAFF),
}
"""By method and path. A route that is not listed is closed."""
