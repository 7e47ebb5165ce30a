"""Runs the assembled daemon: start, the PBX drivers, signals and shutdown."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from callrouter import __version__
from callrouter.api.changes import ChangeFeed
from callrouter.api.control_socket import ControlSocket
from callrouter.api.live import LiveViews
from callrouter.api.server.app import HttpServer, make_app
from callrouter.api.server.sockets import listen_tcp
from callrouter.background import keep_for_good
from callrouter.daemon.assembly import Parts
from callrouter.daemon.process import LastResort, LoopErrors
from callrouter.daemon.systemd import Systemd
from callrouter.mobiles.mobile_service import READ_WITHIN
from callrouter.model.text import counted
from callrouter.pbx.interface import HasRoutes
from callrouter.runtime import Runtime
from callrouter.store.repositories import unless_stopping

if TYPE_CHECKING:
    from callrouter.pbx.interface import Pbx


LOOK_EVERY: Final = 0.2
"""Seconds between two checks whether a PBX is in sync (only systemd and the log depend on it)."""


async def watch_pbxes(runtime: Runtime, on_ready: Callable[[str], None]) -> None:
    """Log when a PBX comes into sync or loses it, until cancelled.

    Args:
        runtime: has the PBXes.
        on_ready: called once, when the first of them is in sync, with a text that names them.
    """
    known: set[str] = set()
    ready = False
    while True:
        up = {name for name in runtime.pbxes if runtime.in_step(name)}
        for name in sorted(up - known):
            logger.info("%s is in step: %s", name, runtime.pbxes[name].health().detail)
        for name in sorted(known - up):
            why = runtime.pbxes[name].health().detail
            text = "%s is lost (talks go on, callers keep their music; trying again): %s"
            logger.error(text, name, why)
        known = up
        if up and not ready:
            ready = True
            on_ready(f"{', '.join(sorted(up))} in step")
        await asyncio.sleep(LOOK_EVERY)


async def keep_running(pbx: Pbx) -> None:
    """Restart a driver that fails: other drivers and its own calls need the process alive.

    It returns only when cancelled. The pause before a restart doubles each time, from 1 to 30
    seconds, and is not reset.
    """
    pause = 1.0
    while True:
        try:
            await pbx.run()
            logger.error("the driver of %s ended; starting it again in %.0f s", pbx.name, pause)
        except Exception:
            logger.exception("the driver of %s failed; again in %.0f s", pbx.name, pause)
        await asyncio.sleep(pause)
        pause = min(30.0, pause * 2)


logger = logging.getLogger(__name__)

CLOSE_QUEUE_LOG_WITHIN = 1.0
"""Seconds for the last lines of queue_log at the end."""


class Daemon:
    """Runs the parts of a daemon from start to shutdown.

    Args:
        parts: the parts.
        control: the command line's socket.
        environ: the environment, for systemd.
        last_resort: started with the shutdown. The caller of `run` cancels it afterwards.
    """

    def __init__(
        self,
        parts: Parts,
        control: ControlSocket,
        environ: Mapping[str, str],
        last_resort: LastResort,
    ) -> None:
        self._parts = parts
        self._control = control
        self._systemd = Systemd(environ)
        self._last_resort = last_resort
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to stop.

        Raises:
            CannotListen: the HTTP side cannot be opened.
        """
        http = await self._open_http()
        parts = self._parts
        try:
            # Before any request can arrive and any PBX can ring.
            await parts.store.start()
            parts.tasks.spawn(parts.recall.restore(), "what the record knows")
            if not parts.store.status()["problem"]:
                await parts.recall.wait_for_tried()
            parts.record.start()
            if parts.queue_log is not None:
                parts.queue_log.start()
            # Do not wait a second time for a store known to be down.
            await parts.mobiles.start(0.0 if parts.store.status()["problem"] else READ_WITHIN)
            await self._restore_sessions()
            parts.tasks.spawn(parts.ended_calls.recall(), "which calls are over")
            parts.tasks.spawn(parts.outgoing.recall(), "events of before")
            parts.tasks.spawn(parts.alert_watch.run(), "alarms")
            # Before the PBXes are connected: calls of some of them arrive by HTTP.
            await http.start()
            keep_for_good()
            self._start()
            await self._stop.wait()
            self._last_resort.begin()
        finally:
            await self._end(http)

    async def _restore_sessions(self) -> None:
        """Restore who is logged in at the page and who is locked out, if possible before any request."""
        parts = self._parts

        async def restore() -> None:
            parts.sessions.restore(await parts.store.sessions.load())
            parts.screens.restore(await parts.store.screens.load())
            locks = await parts.store.lockouts.load()
            parts.logins.restore(locks)
            parts.feature_codes.restore_locks(locks)

        task = parts.tasks.spawn(unless_stopping(restore()), "sessions and locks of before")
        await asyncio.wait({task}, timeout=0.0 if parts.store.status()["problem"] else READ_WITHIN)

    async def _open_http(self) -> HttpServer:
        parts = self._parts
        errors = LoopErrors(parts.backend.refusals)
        asyncio.get_running_loop().set_exception_handler(errors.heard)
        listening = await listen_tcp(parts.config.settings.http)
        live = LiveViews()
        parts.runtime.listen(live.listen)
        changes = ChangeFeed(parts.backend.views, parts.backend.clock)
        parts.runtime.listen(changes.listen)
        parts.runtime.listen_to_rows(changes.rows_changed)
        routes = [
            route
            for pbx in parts.runtime.pbxes.values()
            if isinstance(pbx, HasRoutes)
            for route in pbx.routes()
        ]
        app = make_app(parts.backend, parts.tokens, live, routes, changes)
        return HttpServer(app, listening, self._control.listener)

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload_signal)
        self._log_start()
        parts = self._parts
        parts.runtime.start()
        for name, pbx in parts.runtime.pbxes.items():
            parts.tasks.spawn(keep_running(pbx), f"pbx {name}")
        parts.tasks.spawn(parts.config.follow(), "configuration")
        parts.tasks.spawn(watch_pbxes(parts.runtime, self._systemd.ready), "pbx watch")
        parts.tasks.spawn(parts.self_check.run(), "self-check")
        if self._systemd.watchdog is not None:
            parts.tasks.spawn(self._tell_alive(self._systemd.watchdog / 2), "watchdog")
        parts.loop_lag.start()

    def _log_start(self) -> None:
        config, table = self._parts.config, self._parts.runtime.router.board.table
        logger.info(
            "callrouter %s (pid %d): %s, %s from %s; %s",
            *(__version__, os.getpid()),
            *(counted(len(table.agents), "agent"), counted(len(table.queues), "queue")),
            *(config.state.folder, self._parts.backend.listen()),
        )
        config.say_start()
        for warning in config.settings.warnings:
            logger.warning("%s", warning)
        logger.debug("control socket %s", self._control.path)

    async def _end(self, http: HttpServer) -> None:
        """Shut down in order: commands, requests, links. Calls stay up."""
        parts = self._parts
        self._systemd.stopping()
        parts.loop_lag.stop()
        parts.runtime.close()
        if parts.queue_log is not None:
            await asyncio.to_thread(parts.queue_log.close, CLOSE_QUEUE_LOG_WITHIN)
        await parts.outgoing.close()
        parts.record.close()
        await parts.store.close()
        parts.database_lock.close()
        await http.close()
        await parts.tasks.close()

    def _on_stop_signal(self, number: signal.Signals) -> None:
        # A second signal changes nothing: we are already stopping. A shell and its child often send
        # one each.
        if not self._stop.is_set():
            logger.info("%s: stopping", number.name)
            self._stop.set()

    def _on_reload_signal(self) -> None:
        logger.info("SIGHUP: reading the configuration again")
        if self._parts.queue_log is not None:
            self._parts.queue_log.reopen()
        self._parts.tasks.spawn(self._parts.config.reload(asked=True), "reload")

    async def _tell_alive(self, every: float) -> None:
        while True:
            self._systemd.alive()
            await asyncio.sleep(every)
