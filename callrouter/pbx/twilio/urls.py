"""The URLs that Twilio is given, all below ``/twilio/NAME``."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = (
    "voice",
    "wait",
    "left",
    "caller-done",
    "dial-done",
    "caller-status",
    "agent",
    "accept",
    "agent-done",
    "offer",
    "conference",
    "hold",
    "code",
    "keyed",
)
"""The endpoints below the prefix; see `callrouter.pbx.twilio.webhooks.webhook_routes`."""


@dataclass(frozen=True, slots=True)
class WebhookUrls:
    """Builds absolute URLs.

    The URL of a leg contains its one-shot token and nothing else. No URL ever contains a phone
    number, since URLs end up in logs.
    """

    public_url: str
    name: str

    @property
    def prefix(self) -> str:
        """The path with which every URL begins."""
        return f"/twilio/{self.name}"

    def to(self, part: str, token: str = "") -> str:
        """The URL of an endpoint.

        Args:
            part: one of `PARTS`.
            token: what must come back with the request; "" for nothing.
        """
        url = f"{self.public_url.rstrip('/')}{self.prefix}/{part}"
        return f"{url}?o={token}" if token else url
