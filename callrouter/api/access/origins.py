"""Decides by ``Origin`` and ``Host`` which pages may talk to us from a browser.

A browser sets these headers itself, and a page's script cannot change them. So a page of another
site is recognized by its Origin, and a page that points its own name to our address (DNS rebinding)
by a Host that is not ours. Other programs send no Origin and are not checked here.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from callrouter.api.problem_json import ApiProblem

_SHOWN: Final = 100
"""Characters of a header that an answer repeats."""
_PORTS: Final = {"http": 80, "https": 443}


def check_origin(request: web.Request, public_url: str) -> None:
    """Reject requests made by other sites' pages.

    Args:
        request: a request of a browser or another program.
        public_url: ``http.public_url`` of the configuration; empty: not configured.

    With a `public_url`, its pages are ours, and so are those of the address (numeric, or
    ``localhost``) the request was sent to. Without one, the pages of the host the request was sent
    to are ours.

    Raises:
        ApiProblem: 403, with what was received and which setting would allow it.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return
    came_from, ours = _site(origin), _site(public_url)
    if came_from is not None and came_from == ours:
        return
    host = request.headers.get("Host", "")
    sent_to = _site(f"{came_from[0] if came_from else 'http'}://{host}")
    if came_from is not None and came_from == sent_to and (ours is None or _in_digits(sent_to[1])):
        return
    raise ApiProblem(403, "wrong-origin", _why(origin, host, public_url))


def as_origin(text: str) -> str | None:
    """Return an origin as browsers write it, in small letters and without the usual port.

    None: it is not a scheme, a host and perhaps a port.
    """
    site = _site(text.strip().lower())
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return None
    if (
        site is None
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
        or parts.username
    ):
        return None
    scheme, host, port = site
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + ("" if port == _PORTS[scheme] else f":{port}")


def _why(origin: str, host: str, public_url: str) -> str:
    seen = f"Origin is {origin[:_SHOWN]}, Host is {host[:_SHOWN] or 'missing'}"
    if public_url:
        return (
            f"{seen}, and http.public_url is {public_url}: open the page by that address, or set "
            "http.public_url in callrouter.yaml to the one that browsers show"
        )
    return (
        f"{seen}, and they must be of one site: set http.public_url in callrouter.yaml to the address "
        "that browsers show, or have the proxy pass Host on"
    )


def _site(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port; None: not such a URL.

    Without a port in the URL it is the usual one of the scheme. Only ``http`` and ``https`` have a
    site.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _in_digits(host: str) -> bool:
    """Return whether a host is numeric or ``localhost``, which another site cannot point here."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
