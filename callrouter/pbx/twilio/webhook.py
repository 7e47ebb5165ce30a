"""A webhook: the URL that Twilio is given for it, what it brings, and the answer that is being built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from callrouter.pbx.twilio import hangup_causes

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


class MalformedWebhook(Exception):  # noqa: N818 - named for what happened
    """A correctly signed request that does not match Twilio's documentation."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request from Twilio.

    Attributes:
        part: the endpoint, one of `webhook.PARTS`.
        token: what our URL contained: a leg's one-shot token, or a caller's turn; "" if nothing.
        sid: CallSid of the call that it is about; "" for a conference.
        params: all parameters.
    """

    part: str
    token: str
    sid: str
    params: Mapping[str, str]

    @property
    def call_is_over(self) -> bool:
        """Whether the call has ended, according to `CallStatus`."""
        return self.params.get("CallStatus") in hangup_causes.OVER


Handler: TypeAlias = Callable[[Webhook], str]
"""Handles a webhook and returns the document to run."""


class WebhookReply:
    """The answer that is being built for a webhook, if there is one.

    Twilio runs what a webhook is answered with, and a request can replace that document at any
    time. If we did both for one call, the requested document would cut the answer off. While a
    webhook is handled, an event goes to the router, which gives its commands before the handler
    returns. So all code that changes a call's document goes through `deliver`: if the answer that is
    being built is for that call, it carries the new document, and no request is sent.
    """

    def __init__(self) -> None:
        self._sid = ""

    @contextmanager
    def building(self, sid: str) -> Iterator[None]:
        """Mark the answer to a webhook of the call `sid` as being built.

        The handler must return the call's document as it is after this block.
        """
        outer, self._sid = self._sid, sid
        try:
            yield
        finally:
            self._sid = outer

    def deliver(self, sid: str, by_request: Callable[[], None]) -> None:
        """Have the call `sid` run its new document.

        Args:
            sid: the call.
            by_request: sends the document as a request. Not called if the answer that is being
                built carries it.
        """
        if sid != self._sid:
            by_request()
