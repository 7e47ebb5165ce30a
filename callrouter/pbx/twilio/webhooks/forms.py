"""Strict parsing of a webhook's form: bytes in, fields out, or the reason for a refusal.

Any client on the internet can send these bytes, and the signature covers the decoded fields, so
they must be parsed before they can be verified. Every step takes linear time, and the number of
fields is limited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

FORM: Final = "application/x-www-form-urlencoded"
MOST_BYTES: Final = 64 * 1024
"""Maximum size of a body in bytes. Twilio's have 1 to 3 KiB."""
MOST_FIELDS: Final = 200
"""Maximum number of fields in a form. Twilio sends about 20 to 40."""

_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{27}=", re.ASCII)


class WebhookRefused(Exception):  # noqa: N818 - named for what happened
    """A request that is refused.

    Args:
        status: HTTP status of the answer.
        why: one of a fixed set of phrases. It is the name of a counter.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def check_head(
    signatures: Sequence[str], content_type: str, encodings: Sequence[str], length: int | None
) -> str:
    """Check the headers of a request before its body is read.

    Args:
        signatures: the values of the signature header.
        content_type: the value of ``Content-Type``, with its parameters.
        encodings: the values of ``Content-Encoding``.
        length: the value of ``Content-Length``, in bytes.

    Returns:
        The signature.

    Raises:
        WebhookRefused: 403 without exactly one well-formed signature, 415 for a body that Twilio would not
            send, 413 for one that is too large.
    """
    if len(signatures) != 1 or not _SIGNATURE.fullmatch(signatures[0]):
        raise WebhookRefused(403, "not signed by Twilio")
    if encodings:
        raise WebhookRefused(415, "an encoded body")
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind != FORM:
        raise WebhookRefused(415, "not a form")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise WebhookRefused(415, "not in UTF-8")
    if length is not None and length > MOST_BYTES:
        raise WebhookRefused(413, "too large")
    return signatures[0]


def read_form(body: bytes) -> Mapping[str, str]:
    """Decode a form.

    Raises:
        WebhookRefused: 400 for too many fields, a duplicate field (the signature does not say which one
            counts), a broken ``%`` escape, or bytes that are not UTF-8.
    """
    if body.count(b"&") >= MOST_FIELDS:
        raise WebhookRefused(400, "too many fields")
    if _BROKEN.search(body):
        raise WebhookRefused(400, "not to be read")
    fields: dict[str, str] = {}
    for piece in body.split(b"&"):
        if not piece:
            continue
        raw_name, _, raw_value = piece.partition(b"=")
        try:
            name, value = _decoded(raw_name), _decoded(raw_value)
        except UnicodeDecodeError as error:
            raise WebhookRefused(400, "not to be read") from error
        if name in fields:
            raise WebhookRefused(400, "a field twice")
        fields[name] = value
    return fields


def _decoded(raw: bytes) -> str:
    raw = raw.replace(b"+", b" ")
    return (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8")
