"""The addresses that Twilio is told to ask, all below ``/twilio/NAME``."""

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
"""What there is below the prefix; see `callrouter.pbx.twilio.webhooks`."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes absolute URLs.

    A leg's carry the one-shot token of the leg and nothing else; no URL ever has a phone number in
    it, for URLs end up in logs.
    """

    public_url: str
    name: str

    @property
    def prefix(self) -> str:
        """The path that all of them begin with."""
        return f"/twilio/{self.name}"

    def to(self, part: str, token: str = "") -> str:
        """The URL of a part."""
        url = f"{self.public_url.rstrip('/')}{self.prefix}/{part}"
        return f"{url}?o={token}" if token else url
