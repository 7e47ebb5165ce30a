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
from callrouter.background import ShortCollections, keep_for_good
from callrouter.daemon.assembly import ClusterRole, Parts
from callrouter.daemon.clustered.config_comparison import ConfigComparison
from callrouter.daemon.process import LastResort, LoopErrors
from callrouter.daemon.systemd import Systemd
from callrouter.mobiles.mobile_service import READ_WITHIN
from callrouter.model.text import counted
from callrouter.pbx.interface import ClusterPbx, HasRoutes
from callrouter.runtime import Runtime
from callrouter.store.repositories import unless_stopping
from callrouter.tasks import Tasks

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


async def first_of(tasks: Tasks, *events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = [tasks.spawn(event.wait(), "one of several events") for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


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
        role: the router's part in a cluster; None: it is alone.
    """

    def __init__(
        self,
        parts: Parts,
        control: ControlSocket,
        environ: Mapping[str, str],
        last_resort: LastResort,
        role: ClusterRole | None = None,
    ) -> None:
        self._parts = parts
        self._control = control
        self._systemd = Systemd(environ)
        self._last_resort = last_resort
        self._role = role
        self._stop = asyncio.Event()
        self._serving = False
        self._drivers: dict[str, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def run(self) -> bool:
        """Serve until told to stop.

        In a cluster it waits as a standby until it is the active router, and ends also when another
        router is to be the active one.

        Returns whether it was told to stop; False: another router of this process is to stand by.

        Raises:
            CannotListen: the HTTP side cannot be opened.
        """
        http = await self._open_http()
        try:
            if self._role is None:
                await self._serve(http)
                await self._stop.wait()
            else:
                await self._stand_by(http, self._role)
                if not self._stop.is_set():
                    await self._serve(http)
                    await first_of(self._parts.tasks, self._stop, self._role.tenure.ended)
            if self._stop.is_set():
                self._last_resort.begin()
        finally:
            await self._end(http)
        return self._stop.is_set()

    async def _stand_by(self, http: HttpServer, role: ClusterRole) -> None:
        """Wait, connected and silent, until this router is the active one or is told to stop."""
        await http.start()
        self._begin()
        for name, pbx in self._parts.runtime.pbxes.items():
            if isinstance(pbx, ClusterPbx):
                self._run_driver(name, pbx)
        self._parts.tasks.spawn(self._parts.store.warm_up(), "warming up")
        settings = role.member.settings
        self._systemd.ready(f"{settings.name} is a standby of pool {settings.pool}")
        role.member.campaign()
        await first_of(self._parts.tasks, self._stop, role.tenure.began)

    async def _serve(self, http: HttpServer) -> None:
        """Read what is stored, then connect the PBXes."""
        self._serving = True
        parts = self._parts
        if self._role is not None:
            self._claim(self._role)
        # Before any request can arrive and any PBX can ring.
        await parts.store.start()
        parts.tasks.spawn(parts.recall.restore(), "what the record knows")
        # Do not wait a second time for a store known to be down.
        within = 0.0 if parts.store.status()["problem"] else READ_WITHIN
        # Side by side, and before the record is written: what is read waits behind commits.
        await asyncio.gather(
            parts.mobiles.start(within),
            self._restore_sessions(within),
            *([parts.recall.wait_for_tried()] if within else []),
        )
        parts.record.start()
        if parts.queue_log is not None:
            parts.queue_log.start()
        parts.tasks.spawn(parts.ended_calls.recall(), "which calls are over")
        parts.tasks.spawn(parts.outgoing.recall(), "events of before")
        parts.tasks.spawn(parts.alert_watch.run(), "alarms")
        if self._role is None:
            # Before the PBXes are connected: calls of some of them arrive by HTTP.
            await http.start()
            self._begin()
        keep_for_good()
        self._start()
        if self._role is not None:
            self._role.tenure.serving = True

    async def _restore_sessions(self, within: float) -> None:
        """Restore who is logged in at the page and who is locked out, if possible before any request."""
        parts = self._parts

        async def restore() -> None:
            parts.sessions.restore(await parts.store.sessions.load())
            parts.screens.restore(await parts.store.screens.load())
            locks = await parts.store.lockouts.load()
            parts.logins.restore(locks)
            parts.feature_codes.restore_locks(locks)

        task = parts.tasks.spawn(unless_stopping(restore()), "sessions and locks of before")
        await asyncio.wait({task}, timeout=within)

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
        # A copy: the socket is closed with the server, and there may be another server after it.
        return HttpServer(app, listening, self._control.listener.dup())

    def _begin(self) -> None:
        """Take signals, follow the configuration, and watch this process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload_signal)
        self._log_start()
        parts = self._parts
        parts.tasks.spawn(parts.config.follow(), "configuration")
        if (cluster := parts.backend.cluster) is not None:
            comparison = ConfigComparison(cluster.node, cluster.known, parts.backend.config)
            parts.tasks.spawn(comparison.run(), "the others' configuration")
        parts.tasks.spawn(parts.self_check.run(), "self-check")
        parts.tasks.spawn(self._keep_collections_short(), "short collections")
        if self._systemd.watchdog is not None:
            parts.tasks.spawn(self._tell_alive(self._systemd.watchdog / 2), "watchdog")
        parts.loop_lag.start()

    def _start(self) -> None:
        """Let the router act on the PBXes."""
        runtime = self._parts.runtime
        runtime.start()
        for name, pbx in runtime.pbxes.items():
            if self._role is not None and isinstance(pbx, ClusterPbx):
                pbx.activate()
            if name not in self._drivers:
                self._run_driver(name, pbx)
        self._watch = self._parts.tasks.spawn(
            watch_pbxes(runtime, self._systemd.ready), "pbx watch"
        )

    def _claim(self, role: ClusterRole) -> None:
        """Make the PBXes obey this router, which takes a while, beside what else is to be done."""
        term = role.tenure.term
        for pbx in self._parts.runtime.pbxes.values():
            if isinstance(pbx, ClusterPbx):
                pbx.claim(handed_over=term is not None and term.after_release)

    def _run_driver(self, name: str, pbx: Pbx) -> None:
        self._drivers[name] = self._parts.tasks.spawn(keep_running(pbx), f"pbx {name}")

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
        if self._stop.is_set():
            self._systemd.stopping()
        parts.loop_lag.stop()
        parts.runtime.close()
        if self._role is not None:
            await self._leave_pbxes()
        if self._serving:
            if parts.queue_log is not None:
                await asyncio.to_thread(parts.queue_log.close, CLOSE_QUEUE_LOG_WITHIN)
            await parts.outgoing.close()
            parts.record.close()
            await parts.store.close()
        parts.database_lock.close()
        if self._role is not None:
            await self._role.member.release(self._role.tenure)
        await http.close()
        await parts.tasks.close()

    async def _leave_pbxes(self) -> None:
        """Cut the links before the lease is given back, so that nothing of ours arrives after it."""
        if self._watch is not None:
            self._watch.cancel()  # the links are not lost, we leave them
        for task in self._drivers.values():
            task.cancel()
        await asyncio.gather(*self._drivers.values(), return_exceptions=True)

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

    async def _keep_collections_short(self) -> None:
        collections = ShortCollections(self._parts.runtime.router.board.nobody_waits)
        while True:
            collections.step(asyncio.get_running_loop().time())
            await asyncio.sleep(1.0)

    async def _tell_alive(self, every: float) -> None:
        while True:
            self._systemd.alive()
            await asyncio.sleep(every)
