"""What the HTTP side and the drivers' own routes tell each other about a request."""

from typing import Final

from aiohttp import web

KNOWN: Final = web.RequestKey("known", bool)
"""Set once a request is authenticated and authorized. Refusals of all other requests may be delayed,
and their bodies are not read.
"""
