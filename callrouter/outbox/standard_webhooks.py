"""Signatures of Standard Webhooks (https://www.standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac

_PREFIX = "whsec_"


def headers(secret: str, event: str, at: int, body: bytes) -> dict[str, str]:
    """Return the three headers that a receiver checks.

    Args:
        secret: ``whsec_`` and the key in base64; the settings have checked it.
        event: the id of the event, the same at every attempt.
        at: the time of the attempt, in whole epoch seconds.
        body: what is sent.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{event}.{at}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": event,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
