"""The composition root: builds all parts of the daemon and connects them.

Every part is complete when it is made. So the order below is the order of their dependencies, and a
part that needs a later one gets a function that asks for it.
"""

from __future__ import annotations

import grp
import logging
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from callrouter.api.access.logins import Logins
from callrouter.api.access.people import People
from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tokens import ApiTokens, SocketGroup
from callrouter.api.access.wall_screens import WallScreens
from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.past_calls import PastCalls
from callrouter.api.calllog.service_totals import ServiceTotals
from callrouter.api.context import Backend
from callrouter.api.control_socket import ControlSocket
from callrouter.api.oidc.oidc_logins import OidcLogins
from callrouter.api.record_access import RecordAccess
from callrouter.api.server import sockets
from callrouter.api.views.floor_views import FloorViews
from callrouter.api.views.watched_views import WatchedViews
from callrouter.audit.act_log import ActLog
from callrouter.audit.act_rows import DeleteActs
from callrouter.audit.act_sources import files_changed, mobile_step
from callrouter.clock import SystemClock
from callrouter.cluster_views import ClusterPool
from callrouter.config_source.start_config import StartConfig
from callrouter.core.router import Router
from callrouter.daemon.alert_watch import AlertWatch
from callrouter.daemon.clustered.cluster_member import ClusterMember, Tenure
from callrouter.daemon.editing.config_editor import ConfigEditor
from callrouter.daemon.ended_call_memory import EndedCallMemory
from callrouter.daemon.history_recall import HistoryRecall
from callrouter.daemon.live_config import ConfigAccess, LiveConfig
from callrouter.daemon.loop_lag import LoopLag
from callrouter.daemon.notice_log import log_notice
from callrouter.daemon.outgoing_events import OutgoingEvents
from callrouter.daemon.process import make_run_id
from callrouter.daemon.queue_log_output import make_queue_log
from callrouter.daemon.self_check import SelfCheck
from callrouter.feature_codes import FeatureCodes
from callrouter.mobiles.calling_pbxes import CallingPbxes
from callrouter.mobiles.mobile_service import MobileService, MobileServiceParts
from callrouter.pbx.interface import ALONE, HasPhoneDialogues, KeepsRecords
from callrouter.pbx.notice_routing import NoticeRouting
from callrouter.queue_log.log_file import QueueLogFile
from callrouter.record.reading_threads import ReadingThread
from callrouter.record.record_service import RecordService, RecordSources
from callrouter.record.retention import Retention
from callrouter.reports.service_level import Target
from callrouter.runtime import Runtime
from callrouter.settings import PbxSettings, Settings
from callrouter.settings.builders.pbx_builder import dialling_pbxes
from callrouter.store.file_lock import DatabaseLock
from callrouter.store.location import EpochFence, Place, choose
from callrouter.store.repositories import unless_stopping
from callrouter.store.service import StoreService
from callrouter.tasks import Tasks

if TYPE_CHECKING:
    from callrouter.mobiles.mobile_records import AuditRow
    from callrouter.model.events import Event
    from callrouter.model.ivr import PhoneEvent
    from callrouter.model.routing_table import Table
    from callrouter.pbx.interface import Authority, DeviceBoard, Pbx, Post

logger = logging.getLogger(__name__)

MakePbx: TypeAlias = "Callable[[PbxSettings, Post, Table, str, DeviceBoard, Authority], Pbx]"


@dataclass(frozen=True, slots=True)
class ClusterRole:
    """The part of one router in a cluster.

    Attributes:
        member: this process.
        tenure: tells whether this router may act.
    """

    member: ClusterMember
    tenure: Tenure

    def fence(self) -> EpochFence:
        """Return what keeps this router's store from writing unless it is the active one."""
        pool = self.member.settings.pool
        return EpochFence(pool, lambda: self.tenure.epoch, self.member.refused)

    def only_if_active(self, post: Post) -> Post:
        """Return what passes events to the core only while this router is the active one."""
        tenure = self.tenure

        def pass_on(event: Event) -> None:
            if tenure.active:
                post(event)

        return pass_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All parts of a daemon."""

    tasks: Tasks
    tokens: ApiTokens
    runtime: Runtime
    store: StoreService
    record: RecordService
    database_lock: DatabaseLock
    ended_calls: EndedCallMemory
    recall: HistoryRecall
    mobiles: MobileService
    config: LiveConfig
    feature_codes: FeatureCodes
    sessions: Sessions
    logins: Logins
    screens: WallScreens
    self_check: SelfCheck
    loop_lag: LoopLag
    queue_log: QueueLogFile | None
    outgoing: OutgoingEvents
    alert_watch: AlertWatch
    backend: Backend


def assemble(
    folder: Path,
    environ: Mapping[str, str],
    start: StartConfig,
    make: MakePbx,
    control: ControlSocket,
    *,
    role: ClusterRole | None = None,
) -> Parts:
    """Build the daemon. Nothing runs yet.

    Args:
        folder: The configuration folder.
        environ: The environment.
        start: What the daemon is started with.
        make: Makes the driver of a PBX.
        control: The command line's socket.
        role: The router's part in a cluster; None: it is alone.

    Raises:
        CannotDrive: A driver is not available.
        StoreError: Another daemon uses the database, or a library for it is missing.
    """
    settings = start.settings
    clock = SystemClock()
    now = clock.now()
    run_id = make_run_id(now, os.getpid())
    if role is not None:
        role.member.router_clock = clock.now
    tasks = Tasks()
    tokens = ApiTokens(settings.http.api_tokens, _open_control_socket(control, settings))
    # Not for secrets: it only decides which of two equal agents is rung.
    rng = random.Random()  # noqa: S311
    router = Router(settings.table, rng=rng, run_id=run_id, now=now, removed=start.removed)
    runtime = Runtime(router, clock)
    place = choose(settings.database, folder, environ, pool=settings.pool)
    database_lock = DatabaseLock(place, f"pid {os.getpid()}, for {folder}")
    retention = Retention(
        lambda: config.settings.history, clock.now, now, lambda before: [DeleteActs(before)]
    )
    fence = None if role is None else role.fence()
    store = StoreService(
        router.board,
        runtime.post,
        clock,
        place,
        upkeep=retention,
        fence=fence,
        clock_ahead=_clock_ahead(role, clock),
    )
    runtime.listen_to_rows(store.rows_changed)
    record = _make_record(runtime, store, tasks, run_id)
    queue_log = make_queue_log(runtime, settings, folder, environ)
    _attach_pbxes(runtime, settings, make, run_id, role)
    sessions, logins = _make_sessions(settings, store, clock)
    screens = WallScreens(
        clock, put=store.screens.put, forget=lambda name: store.screens.forget_key((name,))
    )
    acts = ActLog(store.record, clock)
    mobiles = _make_mobiles(runtime, settings, store, tasks, partial(mobile_step, acts.add))
    config = LiveConfig(
        folder,
        environ,
        start,
        clock,
        post=runtime.post,
        tokens=tokens,
        sessions=sessions,
        callers=router.board.callers,
        additions=mobiles,
        on_folder_replaced=lambda: control.also_for(folder),
        on_files_changed=_if_active(role, partial(files_changed, acts.add)),
    )
    feature_codes = _make_feature_codes(runtime, config, mobiles, store, tasks, acts=acts)

    def target(queue: str) -> Target:
        return _target(config.settings, queue)

    call_log, service_totals = CallLog(router.floor, target), ServiceTotals(target)
    outgoing, alert_watch = _make_alerts(
        runtime,
        config,
        store,
        tasks,
        refused=lambda: _refused_logins(backend, feature_codes),
        pool=lambda: None if backend.cluster is None else backend.cluster.known(),
    )
    listeners = (
        log_notice, call_log.listen, service_totals.listen, outgoing.listen, alert_watch.listen,
        record.listen,
    )  # fmt: skip
    for listener in listeners:
        runtime.listen(listener)
    past = ReadingThread(place, "past calls")
    recall = HistoryRecall(
        past, router.board, runtime.post, call_log, clock, clock_ahead=_clock_ahead(role, clock)
    )
    self_check, loop_lag = SelfCheck(runtime), LoopLag()
    backend = Backend(
        views=FloorViews(router.floor, call_log, clock),
        post=runtime.post,
        clock=clock,
        call_log=call_log,
        past_calls=PastCalls(past, router.floor, call_log),
        service_totals=service_totals,
        config=config.state,
        health=lambda: {name: pbx.health() for name, pbx in runtime.pbxes.items()},
        started_at=now,
        pid=os.getpid(),
        files=ConfigAccess(config),
        editor=ConfigEditor(config),
        mobiles=mobiles,
        record=_record_access(place, config),
        sessions=sessions,
        logins=logins,
        oidc=OidcLogins(lambda: config.settings.http, sessions.people, clock),
        screens=screens,
        acts=acts,
        cluster=None if role is None else role.member.known,
        listen=lambda: sockets.url(settings.http),
        public_url=lambda: config.settings.http.public_url,
        trusted_proxies=lambda: config.settings.http.trusted_proxies,
        extra={
            "history": lambda: str(config.history.place),
            "handled": lambda: runtime.handled,
            "faults": lambda: runtime.faults + tasks.failed + backend.refusals.faults,
            "http": lambda: {"refused": dict(backend.refusals.counts)},
            "store": store.status,
            "record": record.status,
            "deleted": lambda: dict(retention.deleted),
            "invariants": self_check.status,
            "loop": loop_lag.status,
            "reception": feature_codes.status,
            "mobiles": mobiles.status,
            **({"queue_log": queue_log[1].status} if queue_log else {}),
            "alerts": alert_watch.status,
            "outbox": outgoing.status,
            **({"cluster": role.member.status} if role else {}),
        },
    )
    return Parts(
        tasks=tasks,
        tokens=tokens,
        runtime=runtime,
        store=store,
        record=record,
        database_lock=database_lock,
        ended_calls=EndedCallMemory(store.ended_calls, runtime.pbxes, clock),
        recall=recall,
        mobiles=mobiles,
        config=config,
        feature_codes=feature_codes,
        sessions=sessions,
        logins=logins,
        screens=screens,
        self_check=self_check,
        loop_lag=loop_lag,
        queue_log=queue_log[0] if queue_log else None,
        outgoing=outgoing,
        alert_watch=alert_watch,
        backend=backend,
    )


def _if_active(
    role: ClusterRole | None, record: Callable[[str, str, tuple[str, ...]], None]
) -> Callable[[str, str, tuple[str, ...]], None]:
    """Return what records a change of the files, on the active router alone."""
    if role is None:
        return record
    tenure = role.tenure
    return lambda who, how, lines: record(who, how, lines) if tenure.active else None


def _target(settings: Settings, queue: str) -> Target:
    level = settings.service_levels.get(queue)
    return Target() if level is None else Target(level.within, level.short_abandon, level.target)


_LOGIN_REFUSALS: Final = (
    "unauthorized", "no-tokens", "too-many-wrong-tokens", "wrong-login", "locked",
)  # fmt: skip
"""The kinds of refused requests that are failed logins."""


def _refused_logins(backend: Backend, feature_codes: FeatureCodes) -> int:
    """Return how many logins failed since the start: tokens, passwords, PINs, and ours at a PBX."""
    requests = sum(backend.refusals.counts[kind] for kind in _LOGIN_REFUSALS)
    links = [count for health in backend.health().values() for count in health.link]
    logins = sum(count.value for count in links if count.name == "ami_refused_logins")
    return requests + feature_codes.status()["wrong_pins"] + logins


def _attach_pbxes(
    runtime: Runtime, settings: Settings, make: MakePbx, run_id: str, role: ClusterRole | None
) -> None:
    board = runtime.router.board
    post: Post = runtime.post
    authority: Authority = ALONE
    if role is not None:
        post, authority = role.only_if_active(runtime.post), role.tenure
    keepers: dict[str, KeepsRecords] = {}
    for item in settings.pbxes.values():
        pbx = make(item, post, settings.table, run_id, board, authority)
        runtime.attach(pbx)
        if isinstance(pbx, KeepsRecords):
            keepers[pbx.name] = pbx
    if keepers:
        runtime.listen(NoticeRouting(keepers).listen)


def _clock_ahead(role: ClusterRole | None, clock: SystemClock) -> Callable[[], float]:
    """Return what tells the seconds by which the clock of the router before is ahead of `clock`."""
    return (lambda: 0.0) if role is None else lambda: role.tenure.clock_ahead(clock.now())


def _make_sessions(
    settings: Settings, store: StoreService, clock: SystemClock
) -> tuple[Sessions, Logins]:
    people = People(settings)
    sessions = Sessions(
        people,
        clock,
        put=store.sessions.put,
        forget=lambda name: store.sessions.forget_key((name,)),
    )
    return sessions, Logins(people, clock, keep=store.lockouts.keep)


def _make_alerts(
    runtime: Runtime,
    config: LiveConfig,
    store: StoreService,
    tasks: Tasks,
    *,
    refused: Callable[[], int],
    pool: Callable[[], ClusterPool | None],
) -> tuple[OutgoingEvents, AlertWatch]:
    """Create what watches for alarms, and what sends them and the events of calls."""
    floor, clock = WatchedViews(runtime.router.floor), runtime.clock
    outgoing = OutgoingEvents(
        settings=lambda: config.settings, floor=floor, store=store, tasks=tasks, clock=clock
    )
    alert_watch = AlertWatch(
        settings=lambda: config.settings,
        floor=floor,
        pbxes=lambda: {name: runtime.in_step(name) for name in runtime.pbxes},
        store_trouble=lambda: str(store.status()["problem"] or ""),
        refused=refused,
        pool=pool,
        store=store.alerts,
        tell=outgoing.tell,
        clock=clock,
        spawn=tasks.spawn,
    )
    return outgoing, alert_watch


def _record_access(place: Place, config: LiveConfig) -> RecordAccess:
    return RecordAccess(
        lookups=ReadingThread(place, "look-ups in the record"),
        reports=ReadingThread(place, "reports"),
        settings=lambda: config.settings,
    )


def _make_record(runtime: Runtime, store: StoreService, tasks: Tasks, run_id: str) -> RecordService:
    board = runtime.router.board
    sources = RecordSources(
        members=board.queue_members,
        is_live=lambda call: board.priority(call) is not None,
        pbxes=lambda: runtime.pbxes,
        in_step=runtime.in_step,
    )
    return RecordService(store.record, sources, runtime.clock, run_id, tasks.spawn)


def _make_mobiles(
    runtime: Runtime,
    settings: Settings,
    store: StoreService,
    tasks: Tasks,
    on_step: Callable[[AuditRow], None],
) -> MobileService:
    """Create the service that adds agents' own mobiles to the tables of the files."""
    parts = MobileServiceParts(
        board=runtime.router.board,
        post=runtime.post,
        pbxes=CallingPbxes(runtime.pbxes, runtime.in_step),
        store=store.mobiles,
        now=runtime.clock.now,
        spawn=lambda work, name: tasks.spawn(unless_stopping(work), name),
        on_step=on_step,
    )
    return MobileService(settings.numbers, settings.table, dialling_pbxes(settings.pbxes), parts)


def _make_feature_codes(
    runtime: Runtime,
    config: LiveConfig,
    mobiles: MobileService,
    store: StoreService,
    tasks: Tasks,
    *,
    acts: ActLog,
) -> FeatureCodes:
    """Create the feature codes for agents, on every PBX that supports them."""
    feature_codes = FeatureCodes(
        board=runtime.router.board,
        post=runtime.post,
        pins=lambda: config.settings.pins,
        clock=runtime.clock,
        tasks=tasks,
        region=lambda: config.settings.numbers.region,
        codes=lambda: config.settings.codes,
        locks=store.lockouts,
        mobiles=mobiles,
        record=acts.add,
    )

    def on_phone_event(event: PhoneEvent) -> None:
        if not mobiles.handle_phone_event(event):
            feature_codes.handle(event)

    for name, pbx in runtime.pbxes.items():
        if isinstance(pbx, HasPhoneDialogues):
            feature_codes.attach(name, pbx)
            pbx.report_phone_events(on_phone_event)
    return feature_codes


def _open_control_socket(control: ControlSocket, settings: Settings) -> SocketGroup | None:
    """Give the group named by the configuration access to the socket, if possible.

    None: no group is named, or it cannot be given access, which is logged.
    """
    wanted = settings.socket
    if not wanted.group:
        return None
    try:
        gid = grp.getgrnam(wanted.group).gr_gid
        control.open_to(gid)
    except (KeyError, OSError) as error:
        why = "there is none" if isinstance(error, KeyError) else error.strerror
        logger.warning(
            "group %s cannot be let in at the command line's socket (%s): the daemon must run with "
            "this group, under systemd by Group=%s and SupplementaryGroups=callrouter; root and the "
            "daemon's user are let in",
            *(wanted.group, why, wanted.group),
        )
        return None
    return SocketGroup(gid, wanted.role)
