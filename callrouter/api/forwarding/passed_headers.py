"""Which headers of a request and of its answer are passed on.

Those of one connection are not (RFC 9110, 7.6.1), so how the body is framed is decided for each
connection by what has parsed the message: no second request can hide in the first. What says from
where a request comes is not passed on either: only a pass says that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

_OF_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"}
    | {"te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect"}
)
_MADE_HERE: Final = frozenset({"content-length", "host", "date", "server"})
_ORIGIN: Final = frozenset({"forwarded", "x-real-ip", "x-client-ip", "true-client-ip"})
_ORIGIN_PREFIXES: Final = ("x-forwarded-", "x-callrouter-")
_HANDSHAKE: Final = "sec-websocket-"
_CHECKED: Final = frozenset(
    {"authorization", "cookie", "origin", "x-csrf-token", "x-twilio-signature"}
)
"""What a request is judged by. It is passed on even if the Connection header names it, so that no
request is judged otherwise than if it had come directly."""


def request_headers(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return the headers of a request that are passed on, without those that are made for it.

    Those that the client's Connection header names are left out as well, unless a request is judged by
    them.
    """
    found = CIMultiDict(_of_message(received))
    for name in list(found):
        lowered = name.lower()
        if lowered in _ORIGIN or lowered.startswith((*_ORIGIN_PREFIXES, _HANDSHAKE)):
            found.popall(name, None)
    return found


def answer_headers(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return the headers of an answer that are passed back."""
    return CIMultiDict(_of_message(received))


def _of_message(received: CIMultiDictProxy[str]) -> Iterator[tuple[str, str]]:
    named = {
        name.strip().lower()
        for value in received.getall("Connection", ())
        for name in value.split(",")
    } - _CHECKED
    for name, value in received.items():
        if name.lower() not in _OF_CONNECTION | _MADE_HERE | named:
            yield name, value
