"""The composition root: from a configuration folder to a running daemon and its shutdown."""

from __future__ import annotations

import asyncio
import grp
import importlib
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from callrouter import __version__
from callrouter.api.access.tokens import ApiTokens, SocketGroup
from callrouter.api.calllog.call_log import CallLog
from callrouter.api.context import Backend
from callrouter.api.control_socket import ControlSocket, ControlSocketError, claim
from callrouter.api.live import LiveViews
from callrouter.api.notice_text import log_line
from callrouter.api.server.app import HttpServer, make_app
from callrouter.api.server.sockets import CannotListen, listen_tcp
from callrouter.api.views.floor_views import FloorViews
from callrouter.background import keep_for_good
from callrouter.clock import SystemClock
from callrouter.core.router import Router
from callrouter.daemon import last_good
from callrouter.daemon.drivers import CannotDrive, make_pbx
from callrouter.daemon.ended_call_memory import Memory
from callrouter.daemon.last_good import Start
from callrouter.daemon.live_config import Configuration, Door
from callrouter.daemon.loop_errors import LoopErrors
from callrouter.daemon.loop_lag import HoldUps
from callrouter.daemon.rlimits import more_descriptors
from callrouter.daemon.self_check import SelfCheck
from callrouter.daemon.systemd import Systemd
from callrouter.feature_codes import FeatureCodes
from callrouter.logs import Log
from callrouter.mobiles.calling_pbxes import CallingPbxes
from callrouter.mobiles.mobile_service import READ_WITHIN, MobileService, MobileServiceParts
from callrouter.model.call_notices import OfferDecided
from callrouter.model.notices import AgentNotified, AgentStatusChanged, Notice, Oddity
from callrouter.model.text import counted
from callrouter.pbx.interface import HasPhoneDialogues, HasRoutes, KeepsRecords
from callrouter.runtime import Runtime
from callrouter.settings import ConfigError, PbxSettings, Settings
from callrouter.settings.builders.pbx_builder import dialling_pbxes
from callrouter.settings.builders.policy_plugins import PluginError, load_policies
from callrouter.store.file_lock import DatabaseLock
from callrouter.store.location import StoreError, choose
from callrouter.store.service import StoreService
from callrouter.tasks import Tasks

if TYPE_CHECKING:
    from callrouter.model.ivr import PhoneEvent
    from callrouter.model.routing_table import Table
    from callrouter.pbx.interface import DeviceBoard, Pbx, Post

logger = logging.getLogger(__name__)

MakePbx: TypeAlias = "Callable[[PbxSettings, Post, Table, str, DeviceBoard], Pbx]"

STOP_WITHIN: Final = 4.0
"""Seconds allowed for an orderly shutdown; the process is gone a second later at the latest."""
_NOT_LOGGED: Final = (OfferDecided, AgentStatusChanged, AgentNotified)
LOOK_EVERY: Final = 0.2
"""Seconds between two checks whether a PBX is in sync (only systemd and the log depend on it)."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def run(folder: Path, environ: Mapping[str, str], *, make: MakePbx = make_pbx) -> int:
    """Run the daemon for the configuration in `folder` until told to stop.

    Returns the exit status: 0 stopped as told, 2 could not start (stderr says why).
    """
    os.umask(0o077)  # all files we write contain private numbers or secrets
    try:
        load_policies()
        found = last_good.start(folder, environ, SystemClock().now())
    except PluginError as error:
        complain(f"not started: {error}")
        return 2
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 - as `callrouter check` says it
        complain(f"not started: {counted(error.count, 'mistake')} in {folder}")
        return 2
    try:
        control = claim(folder, environ)
    except ControlSocketError as error:
        complain(str(error))
        return 2
    log = Log(journal="JOURNAL_STREAM" in environ)
    if control.note:
        logger.warning("%s", control.note)
    more_descriptors()
    try:
        daemon = Daemon(folder, environ, found, make)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(daemon.run(control))
        logger.info("stopped; every call stays where it is")
        daemon.last_resort.cancel()
    except (CannotListen, CannotDrive, StoreError) as error:
        log.close()
        complain(str(error))
        return 2
    finally:
        control.release()
        log.close()
    return 0


def complain(text: str) -> None:
    """Print the reason for the exit to stderr."""
    print(f"callrouter: {text}", file=sys.stderr)  # noqa: T201 - for who started us


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop factory if installed: the same loop, faster."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return make


def make_run_id(now: float, pid: int) -> str:
    """Return an identifier unique to this run: milliseconds and process id, in base 36."""
    number = int(now * 1000) << 22 | pid  # pid_max is at most 2**22
    word = ""
    while number:
        number, digit = divmod(number, 36)
        word = _DIGITS[digit] + word
    return word


class Daemon:
    """Owns all parts from start to shutdown."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], found: Start, make: MakePbx
    ) -> None:
        settings = found.settings
        self._systemd = Systemd(environ)
        self._clock = SystemClock()
        self._run_id = make_run_id(self._clock.now(), os.getpid())
        # Not for secrets: it only decides which of two equal agents is rung.
        rng = random.Random()  # noqa: S311
        now = self._clock.now()
        self._router = Router(
            settings.table, rng=rng, run_id=self._run_id, now=now, removed=found.removed
        )
        self._runtime = Runtime(self._router, self._clock)
        self._selfcheck = SelfCheck(self._runtime)
        self._hold_ups = HoldUps()
        self._tokens = ApiTokens(settings.http.api_tokens)
        self._tasks = Tasks()
        self._listens_at = ""
        """Our URL, once the HTTP side listens."""
        self._stop = asyncio.Event()
        self.last_resort = threading.Timer(STOP_WITHIN, _give_up)
        """Started when we are told to stop. The caller of `run` cancels it after an orderly
        shutdown.
        """
        self.last_resort.daemon = True
        place = choose(settings.database, folder, environ)
        self._database_lock = DatabaseLock(place, f"pid {os.getpid()}, for {folder}")
        self._store = StoreService(self._router.board, self._runtime.post, self._clock, place)
        self._runtime.listen_to_rows(self._store.rows_changed)
        for item in settings.pbxes.values():
            self._runtime.attach(
                make(item, self._runtime.post, settings.table, self._run_id, self._router.board)
            )
        for pbx in self._runtime.pbxes.values():
            if isinstance(pbx, KeepsRecords):
                self._runtime.listen(pbx.listen)
        self._memory = Memory(self._store.ended_calls, self._runtime.pbxes, self._clock)
        self._mobiles = self._make_mobiles(settings)
        self._config = Configuration(
            folder,
            environ,
            found,
            self._clock,
            post=self._runtime.post,
            tokens=self._tokens,
            callers=self._router.board.callers,
            additions=self._mobiles,
        )
        self._feature_codes = self._open_feature_codes()
        call_log = CallLog(self._router.floor)
        for listener in (_log, call_log.listen):
            self._runtime.listen(listener)
        self._backend = self._make_backend(call_log, now)

    def _make_mobiles(self, settings: Settings) -> MobileService:
        """Create the service that adds agents' own mobiles to the tables of the files."""
        parts = MobileServiceParts(
            board=self._router.board,
            post=self._runtime.post,
            pbxes=CallingPbxes(self._runtime.pbxes, self._in_step),
            store=self._store.mobiles,
            now=self._clock.now,
            spawn=self._tasks.spawn,
        )
        dialling = dialling_pbxes(settings.pbxes)
        return MobileService(settings.numbers, settings.table, dialling, parts)

    def _in_step(self, pbx: str) -> bool:
        """Whether a PBX is usable: its link is up and the core has compared its calls with it."""
        return self._runtime.pbxes[pbx].health().up and self._router.board.in_step(pbx)

    def _open_feature_codes(self) -> FeatureCodes:
        """Create the feature codes for agents, on every PBX that supports them."""
        feature_codes = FeatureCodes(
            board=self._router.board,
            post=self._runtime.post,
            pins=lambda: self._config.settings.pins,
            clock=self._clock,
            tasks=self._tasks,
            region=lambda: self._config.settings.numbers.region,
            locks=self._store.lockouts,
            mobiles=self._mobiles,
        )
        for name, pbx in self._runtime.pbxes.items():
            if isinstance(pbx, HasPhoneDialogues):
                feature_codes.attach(name, pbx)
                pbx.report_phone_events(self._phoned)
        return feature_codes

    def _phoned(self, event: PhoneEvent) -> None:
        if not self._mobiles.handle_phone_event(event):
            self._feature_codes.handle(event)

    def _make_backend(self, call_log: CallLog, now: float) -> Backend:
        return Backend(
            views=FloorViews(self._router.floor, call_log, self._clock),
            post=self._runtime.post,
            clock=self._clock,
            call_log=call_log,
            config=self._config.state,
            health=lambda: {name: pbx.health() for name, pbx in self._runtime.pbxes.items()},
            started_at=now,
            listen=lambda: self._listens_at,
            pid=os.getpid(),
            files=Door(self._config),
            mobiles=self._mobiles,
            public_url=lambda: self._config.settings.http.public_url,
            extra={
                "history": lambda: str(self._config.past.place),
                "handled": lambda: self._runtime.handled,
                "faults": lambda: (
                    self._runtime.faults + self._tasks.failed + self._backend.refusals.faults
                ),
                "http": lambda: {"refused": dict(self._backend.refusals.counts)},
                "store": self._store.status,
                "invariants": self._selfcheck.status,
                "loop": self._hold_ups.status,
                "reception": self._feature_codes.status,
                "mobiles": self._mobiles.status,
            },
        )

    async def run(self, control: ControlSocket) -> None:
        """Serve until told to stop.

        Raises:
            CannotListen: the HTTP side cannot be opened.
        """
        routes = [
            route
            for pbx in self._runtime.pbxes.values()
            if isinstance(pbx, HasRoutes)
            for route in pbx.routes()
        ]
        errors = LoopErrors(self._backend.refusals)
        asyncio.get_running_loop().set_exception_handler(errors.heard)
        listening = await listen_tcp(self._config.settings.http)
        self._listens_at = listening.url
        live = LiveViews()
        self._runtime.listen(live.listen)
        app = make_app(self._backend, self._tokens, live, routes)
        http = HttpServer(app, listening, control.listener)
        try:
            # Before any request can arrive and any PBX can ring.
            await self._store.start()
            # Do not wait a second time for a store known to be down.
            await self._mobiles.start(0.0 if self._store.status()["problem"] else READ_WITHIN)
            self._tasks.spawn(self._memory.recall(), "which calls are over")
            self._tasks.spawn(self._feature_codes.load_locks(), "locks after wrong PINs")
            self._let_in(control)
            await http.start()
            keep_for_good()
            self._start(control)
            await self._stop.wait()
            self.last_resort.start()
        finally:
            await self._end(http)

    def _start(self, control: ControlSocket) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._told_to_reload)
        table = self._router.board.table
        logger.info(
            "callrouter %s (pid %d): %s, %s from %s; %s",
            *(__version__, os.getpid()),
            *(counted(len(table.agents), "agent"), counted(len(table.queues), "queue")),
            *(self._config.state.folder, self._listens_at),
        )
        self._config.say_start()
        for warning in self._config.settings.warnings:
            logger.warning("%s", warning)
        logger.debug("control socket %s", control.path)
        self._runtime.start()
        for name, pbx in self._runtime.pbxes.items():
            self._tasks.spawn(_keep_running(pbx), f"pbx {name}")
        self._tasks.spawn(
            self._config.follow(lambda: control.also_for(Path(self._config.state.folder))),
            "configuration",
        )
        self._tasks.spawn(self._watch_pbxes(), "pbx watch")
        self._tasks.spawn(self._selfcheck.run(), "self-check")
        if self._systemd.watchdog is not None:
            self._tasks.spawn(self._tell_alive(self._systemd.watchdog / 2), "watchdog")
        self._hold_ups.start()

    def _let_in(self, control: ControlSocket) -> None:
        """Give the group named by the configuration access to the socket, if possible."""
        wanted = self._config.settings.socket
        if not wanted.group:
            return
        try:
            gid = grp.getgrnam(wanted.group).gr_gid
            self._tokens.neighbours = SocketGroup(gid, wanted.role)
            control.open_to(gid)
        except (KeyError, OSError) as error:
            self._tokens.neighbours = None
            why = "there is none" if isinstance(error, KeyError) else error.strerror
            logger.warning(
                "group %s cannot be let in at the command line's socket (%s): the daemon must run with "
                "this group, under systemd by Group=%s and SupplementaryGroups=callrouter; root and the "
                "daemon's user are let in",
                *(wanted.group, why, wanted.group),
            )

    async def _end(self, http: HttpServer) -> None:
        """Shut down in order: commands, requests, links. Calls stay up."""
        self._systemd.stopping()
        self._hold_ups.stop()
        self._runtime.close()
        await self._store.close()
        self._database_lock.close()
        await http.close()
        await self._tasks.close()

    # ------------------------------------------------------------ signals

    def _told_to_stop(self, number: signal.Signals) -> None:
        # A second signal changes nothing: we are already stopping. A shell and its child often send
        # one each.
        if not self._stop.is_set():
            logger.info("%s: stopping", number.name)
            self._stop.set()

    def _told_to_reload(self) -> None:
        logger.info("SIGHUP: reading the configuration again")
        self._tasks.spawn(self._config.reload(asked=True), "reload")

    # ------------------------------------------------------------ watching

    async def _watch_pbxes(self) -> None:
        """Log when a PBX comes into sync or loses it. The first one in sync makes us ready."""
        known: set[str] = set()
        ready = False
        while True:
            up = {name for name in self._runtime.pbxes if self._in_step(name)}
            for name in sorted(up - known):
                logger.info("%s is in step: %s", name, self._runtime.pbxes[name].health().detail)
            for name in sorted(known - up):
                why = self._runtime.pbxes[name].health().detail
                text = "%s is lost (talks go on, callers keep their music; trying again): %s"
                logger.error(text, name, why)
            known = up
            if up and not ready:
                ready = True
                self._systemd.ready(f"{', '.join(sorted(up))} in step")
            await asyncio.sleep(LOOK_EVERY)

    async def _tell_alive(self, every: float) -> None:
        while True:
            self._systemd.alive()
            await asyncio.sleep(every)


def _log(notice: Notice) -> None:
    if isinstance(notice, _NOT_LOGGED):
        return
    level = logging.INFO
    if isinstance(notice, Oddity) and notice.mistake:
        level = logging.ERROR if notice.mistake == "queue" else logging.WARNING
    logger.log(level, "%s", log_line(notice))


def _give_up() -> None:
    """Exit now, whatever is blocked. The next start takes over the socket that is left behind."""
    os._exit(1)


async def _keep_running(pbx: Pbx) -> None:
    """Restart a driver that fails: other drivers and its own calls need the process alive."""
    pause = 1.0
    while True:
        try:
            await pbx.run()
            logger.error("the driver of %s ended; starting it again in %.0f s", pbx.name, pause)
        except Exception:
            logger.exception("the driver of %s failed; again in %.0f s", pbx.name, pause)
        await asyncio.sleep(pause)
        pause = min(30.0, pause * 2)
