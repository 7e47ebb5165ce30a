"""What a handler finds out from its request: the daemon behind it, and what the caller may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from callrouter.api.access.tokens import ApiCaller
from callrouter.api.context import Backend
from callrouter.api.views.sight import Sight

if TYPE_CHECKING:
    from callrouter.api.views.floor_views import FloorViews

BACKEND: Final = web.AppKey("backend", Backend)
CALLER: Final = web.RequestKey("caller", ApiCaller)
"""Set once the request is authenticated."""
SIGHT: Final = web.RequestKey("sight", Sight)
"""What the caller may see of the floor. Set once the request is authorized."""


def backend_of(request: web.Request) -> Backend:
    """Return the daemon as the API sees it."""
    return request.app[BACKEND]


def floor_of(request: web.Request) -> FloorViews:
    """Return the API's sight of the floor."""
    return request.app[BACKEND].views
