"""Finds a client's own address behind proxies that the configuration trusts (`http.trusted_proxies`).

Only with that are lockouts, limits and the audit about the client and not about the proxy. A header
from any other address is ignored: whoever sends it could choose an address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import cache
from typing import Final, TypeAlias

from aiohttp import web

from callrouter.api.context import BACKEND
from callrouter.api.forwarding.node_passes import PASSED_ON
from callrouter.api.problem_json import Handler

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

HEADER: Final = "X-Forwarded-For"
MOST_HOPS: Final = 20
"""Addresses of the header that are looked at, from its end."""
_LONGEST: Final = 2000


@web.middleware
async def see_client(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request the address of its client as `remote`.

    Args:
        request: any request. Over the Unix socket there is no address.
        handler: the next middleware.
    """
    trusted = networks(request.app[BACKEND].trusted_proxies())
    # A pass has the address already, as the node found it that has passed the request on.
    if trusted and request.remote and PASSED_ON not in request and HEADER in request.headers:
        told = ",".join(request.headers.getall(HEADER))[-_LONGEST:]
        client = client_of(request.remote, told.split(","), trusted)
        if client != request.remote:
            request = request.clone(remote=client)
    return await handler(request)


def client_of(peer: str, hops: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the address of the client.

    Each proxy adds the address from which it got the request. So they are read from the end for as
    long as the one before is a trusted proxy's; what a client has written itself comes before that.

    Args:
        peer: from where the connection comes.
        hops: the addresses of the header, in order.
        trusted: the networks of trusted proxies.
    """
    address = _parsed(peer)
    if address is None:
        return peer
    for hop in reversed(hops[-MOST_HOPS:]):
        if not any(address in network for network in trusted):
            break
        before = _parsed(hop)
        if before is None:
            break
        address = before
    return str(address)


@cache
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return networks as the settings have them, which are checked already."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def _parsed(text: str) -> _Address | None:
    """Return an address, also in brackets or with a port; an IPv4 one mapped into IPv6 as such."""
    text = text.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
