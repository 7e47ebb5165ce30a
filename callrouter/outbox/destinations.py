"""Where events are sent, and which: what the files say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

GIVE_UP_AFTER: Final = 24 * 3600.0
"""Seconds after which an event that could not be delivered is given up, if not configured."""

EventName: TypeAlias = Literal[
    "call.entered",
    "call.offered",
    "call.offer_ended",
    "call.connected",
    "call.requeued",
    "call.transferred",
    "call.ended",
    "agent.signed_in",
    "agent.signed_out",
    "agent.paused",
    "agent.resumed",
]
"""The events that a webhook can ask for."""
EVENT_NAMES: Final[tuple[EventName, ...]] = get_args(EventName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A receiver: either `webhook` (a URL) or `mail` (an address) is set.

    `secret` signs what goes to a webhook (``whsec_…``, see `callrouter.outbox.standard_webhooks`). With
    `plain_http` its URL may be without TLS although it is not on this machine. An event that could
    not be delivered within `give_up_after` seconds is given up.
    """

    id: str
    webhook: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    mail: str = ""
    plain_http: bool = False
    give_up_after: float = GIVE_UP_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Which events go to the destinations `to`. `queues` limit those of calls; empty: all queues."""

    to: tuple[str, ...]
    events: tuple[EventName, ...]
    queues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The server that takes mail for delivery (RFC 6409).

    `tls` is ``starttls`` (a plain connection that is then encrypted), ``tls`` (encrypted from the
    start) or ``none``. Without a `user` there is no login. `sender` is the address that mail is from.
    """

    host: str
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str
