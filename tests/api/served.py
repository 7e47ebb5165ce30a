"""The application as the daemon serves it; aiohttp's own test server has other settings."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from callrouter.api.server.app import make_runner


class Served(TestServer):
    """A test server on 127.0.0.1 that is run by the daemon's own runner."""

    __test__ = False

    async def _make_runner(self, **_: Any) -> web.AppRunner:
        return make_runner(self.app)
