"""The words by which the audit names what requests ask for. They are stored, and stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ACT_NAMES: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/api/session"): "session.log-in",
    ("DELETE", "/api/session"): "session.log-out",
    ("DELETE", "/api/sessions/{id}"): "session.revoke",
    ("POST", "/api/session/screen"): "screen.open",
    ("POST", "/api/wall-screens"): "screens.add",
    ("DELETE", "/api/wall-screens/{id}"): "screens.revoke",
    ("POST", "/api/agents/{id}/devices"): "devices.add",
    ("PATCH", "/api/agents/{id}/devices/{device}"): "devices.change",
    ("DELETE", "/api/agents/{id}/devices/{device}"): "devices.remove",
    ("POST", "/api/agents/{id}/devices/{device}/verify"): "devices.verify",
    ("POST", "/api/agents/{id}/devices/{device}/reject"): "devices.reject",
    ("POST", "/api/config/files"): "config.save",
    ("DELETE", "/api/calls/{id}"): "calls.end",
    ("POST", "/api/calls/{id}/move"): "calls.move",
}
"""By method and path. Those that are not listed are named by `act_name` after their path."""

NO_ACTS: Final = frozenset({("POST", "/api/config/draft"), ("POST", "/api/config/complete")})
"""Requests that change nothing and come with every word that a person types."""

_WITHOUT_VERB: Final = {"POST": "add", "PUT": "save", "PATCH": "change", "DELETE": "remove"}


def act_name(method: str, path: str) -> str:
    """Return the word for a request.

    Args:
        method: of the request.
        path: of its route, with the names of variables in braces.

    ``POST /api/agents/{id}/call/hold`` is ``agents.call.hold``, and ``PUT /api/config/files/{name}``
    is ``config.files.save``.
    """
    known = ACT_NAMES.get((method, path))
    if known is not None:
        return known
    parts = path.removeprefix("/api/").strip("/").split("/")
    fixed = [part for part in parts if not part.startswith("{")]
    if method != "POST" or parts[-1].startswith("{"):
        fixed.append(_WITHOUT_VERB.get(method, method.lower()))
    return ".".join(fixed)
