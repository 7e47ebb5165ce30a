"""Answers about sessions of people at the page."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment


class SessionClusterJson(TypedDict):
    """The way by which a request came through the cluster."""

    node: str
    """The node that answers."""
    pool: str
    via: str | None
    """The standby that has passed the request on; null: it came directly."""
    standbys: int
    """How many nodes could take over now."""


class SessionJson(TypedDict):
    """Who sends the request."""

    user: str
    """The id of the person, or the name of the token."""
    name: str
    """The person's name, as shown."""
    role: str
    agent: str | None
    """The agent for whom they act."""
    queues: list[str]
    """The queues to which a supervisor is limited; empty: no limit."""
    session: str | None
    """The session's id; null for a token."""
    csrf_token: str | None
    """To be sent as X-CSRF-Token with every change; null for a token, which needs none."""
    expires_at: Moment | None
    """When the session ends in any case; null for a token."""
    cluster: NotRequired[SessionClusterJson]
    """Present if the daemon belongs to a cluster."""


class OidcWayJson(TypedDict):
    """A provider of OpenID Connect."""

    name: str
    """What the button calls it."""


class LogInWaysJson(TypedDict):
    """How a person can log in at the page, besides by name and password."""

    session: bool
    """Whether the browser's cookie is that of a session in force."""
    oidc: OidcWayJson | None
    """``/api/oidc/log-in`` leads there; null: not configured."""


class TicketJson(TypedDict):
    """A ticket for one live view."""

    ticket: str
    """For ``/api/live?topics=…&ticket=…``. It works once."""
    origin: str
    """From which it works."""
    expires_at: Moment


class SessionItemJson(TypedDict):
    """A session in the list."""

    id: str
    user: str
    created_at: Moment
    seen_at: Moment
    """When it was last used, give or take five minutes."""
    expires_at: Moment
    address: str
    """From where the person logged in."""
    program: str
    """The browser, as it names itself."""
    current: bool
    """Whether this request belongs to it."""
