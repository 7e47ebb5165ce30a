"""What the HTTP side and the drivers' own routes tell each other about a request."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

KNOWN: Final = web.RequestKey("known", bool)
"""Set once a request is authenticated and authorized. Refusals of all other requests may be delayed,
and their bodies are not read.
"""

BODY: Final = web.RequestKey("body", Mapping[str, Any])
"""The fields of the request's body, once they are read and known to be of the right types."""
