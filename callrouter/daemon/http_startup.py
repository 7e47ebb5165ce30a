"""The HTTP side of the daemon: it listens from the start and is loaded once calls are served.

The HTTP server takes a third of a second to load, and no caller has to wait for that. Clients that
connect earlier wait in the listen backlog and are answered afterwards.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from callrouter.api.access.tokens import Tokens
from callrouter.api.context import Backend
from callrouter.api.control_socket import Claim
from callrouter.api.server.sockets import LINE, ONE_AT_A_TIME, Listening
from callrouter.cooperative import short_turns
from callrouter.runtime import Listener

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger(__name__)

LOAD_AGAIN: Final = 1.0
"""Seconds before a failed load is tried again."""


class Front:
    """Serves the open sockets from `open` to `close`."""

    def __init__(
        self,
        backend: Backend,
        tokens: Tokens,
        listening: Listening,
        control: Claim,
        doors: Sequence[web.RouteDef],
    ) -> None:
        self._backend = backend
        self._tokens = tokens
        self._listening = listening
        self._control = control
        self._doors = doors
        self._runner: web.AppRunner | None = None

    async def load(self) -> None:
        """Load the HTTP server in a thread.

        Retries until it works: file descriptors may run out.
        """
        said = ""
        while True:
            try:
                await asyncio.to_thread(_load)
            except Exception as error:  # noqa: BLE001 - each import has its own way to fail by that
                if repr(error) != said:
                    said = repr(error)
                    logger.error("what serves HTTP cannot be loaded, tried on: %s", said)  # noqa: TRY400
                await asyncio.sleep(LOAD_AGAIN)
                importlib.invalidate_caches()
            else:
                return

    async def open(self, listen: Callable[[Listener], None]) -> None:
        """Load the HTTP server in a thread, then serve. `listen` connects the live clients.

        On failure the sockets are closed, so that no client is left waiting.
        """
        try:
            await self.load()
            await self._serve(listen)
        except BaseException:
            await self.close()
            raise

    async def _serve(self, listen: Callable[[Listener], None]) -> None:
        from aiohttp import web  # noqa: PLC0415 - loaded by now

        from callrouter.api.live import Live  # noqa: PLC0415
        from callrouter.api.server.app import make_app, make_runner, open_tcp  # noqa: PLC0415

        live = Live()
        listen(live.listen)
        app = make_app(self._backend, self._tokens, live, self._doors)
        self._runner = make_runner(app)
        await self._runner.setup()
        await open_tcp(self._runner, self._listening)
        local = self._control.listener
        await web.SockSite(self._runner, local, backlog=ONE_AT_A_TIME).start()
        local.listen(LINE)

    async def close(self) -> None:
        """Stop answering."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self._listening.close()


def _load() -> None:
    with short_turns():
        importlib.import_module("callrouter.api.server.app")
