"""A small call centre behind the API: real core, a PBX that only takes note."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestClient

from callrouter.api.access.logins import Logins
from callrouter.api.access.people import People
from callrouter.api.access.sessions import Sessions
from callrouter.api.access.tokens import ApiTokens
from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.service_totals import ServiceTotals
from callrouter.api.changes import ChangeFeed
from callrouter.api.context import Backend, ConfigState
from callrouter.api.forwarding.cluster_directory import ClusterDirectory
from callrouter.api.live import LiveViews
from callrouter.api.server.app import make_app
from callrouter.api.views.floor_views import FloorViews
from callrouter.core.router import Router
from callrouter.model.commands import Connect, PbxCommand, Ring
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    ConnectSucceeded,
    DeviceState,
    LegAccepted,
    LegEnd,
    LegEnded,
    LegRang,
    PbxSnapshot,
    SignedIn,
)
from callrouter.model.notices import Notice
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    SignIn,
    Table,
)
from callrouter.pbx.interface import PbxHealth
from callrouter.reports.service_level import Target
from callrouter.runtime import Runtime
from callrouter.settings import ApiToken, Settings
from tests.api.contract import check_answers

Client: TypeAlias = TestClient[web.Request, web.Application]

T0 = 1_763_761_987.0

TOKENS = (
    ApiToken(name="crm", role="supervisor", token="supervisor-token-1"),
    ApiToken(name="boss", role="admin", token="admin-token-123456"),
    ApiToken(name="wall", role="agent", token="agent-token-123456"),
)
SUPERVISOR = {"Authorization": "Bearer supervisor-token-1"}
READER = {"Authorization": "Bearer agent-token-123456"}


class Clock:
    def __init__(self) -> None:
        self.at = T0

    def now(self) -> float:
        return self.at


class NotingPbx:
    """Does nothing, and remembers what it was told."""

    name = "office"

    def __init__(self) -> None:
        self.up = True
        self.commands: list[PbxCommand] = []

    async def run(self) -> None: ...

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        self.commands.extend(commands)

    def use(self, table: Table) -> None: ...

    def resync(self, why: str) -> None: ...

    def health(self) -> PbxHealth:
        return PbxHealth(up=self.up, detail="Asterisk at 127.0.0.1:5038")


def agent(name: str, *devices: DeviceSpec, sign_in: SignIn = SignIn.MANUAL) -> AgentSpec:
    return AgentSpec(id=name, name=name.title(), devices=devices, sign_in=sign_in)


def desk(owner: str, endpoint: str) -> DeviceSpec:
    return DeviceSpec(id="desk", agent=owner, pbxes=("office",), endpoint=endpoint)


def mobile(owner: str, number: str) -> DeviceSpec:
    return DeviceSpec(id="mobile", agent=owner, pbxes=("office",), number=number, confirm=True)


def members(*names: str) -> tuple[MemberSpec, ...]:
    return tuple(MemberSpec(agent=name, order=n) for n, name in enumerate(names))


TABLE = Table(
    agents={
        "alice": agent("alice", desk("alice", "PJSIP/1001"), mobile("alice", "+447700900123")),
        "bob": agent("bob", desk("bob", "PJSIP/1002")),
        "front": agent("front", desk("front", "PJSIP/1003"), sign_in=SignIn.ALWAYS),
    },
    queues={
        "support": QueueSpec(
            id="support",
            name="Support",
            members=members("alice", "bob"),
            wrap_up=30.0,
            on_nobody=KeepWaiting(),
        ),
        "sales": QueueSpec(
            id="sales", name="Sales", members=members("bob"), on_nobody=KeepWaiting()
        ),
    },
)


class World:
    """Everything, with the ways to make things happen."""

    def __init__(
        self,
        *,
        tokens: Sequence[ApiToken] = TOKENS,
        table: Table = TABLE,
        doors: Sequence[web.RouteDef] = (),
        settings: Settings | None = None,
        cluster: ClusterDirectory | None = None,
    ) -> None:
        self.clock = Clock()
        router = Router(table, rng=random.Random(1), run_id="t", now=T0)
        self.runtime = Runtime(router, self.clock)
        self.floor = router.floor
        self.pbx = NotingPbx()
        self.runtime.attach(self.pbx)
        self.watchers = LiveViews()
        self.notices: list[Notice] = []
        self.targets = {"support": Target(within=10.0, short=5.0, percent=80)}

        def target(queue: str) -> Target:
            return self.targets.get(queue, Target())

        self.call_log = CallLog(self.floor, target)
        self.service_totals = ServiceTotals(target)
        self.runtime.listen(self.call_log.listen)
        self.runtime.listen(self.service_totals.listen)
        self.runtime.listen(self.notices.append)
        self.runtime.listen(self.watchers.listen)
        self.people = People(settings)
        self.sessions = Sessions(self.people, self.clock)
        self.logins = Logins(self.people, self.clock)
        self.backend = Backend(
            views=FloorViews(self.floor, self.call_log, self.clock),
            call_log=self.call_log,
            service_totals=self.service_totals,
            post=self.runtime.post,
            clock=self.clock,
            config=ConfigState(folder="/etc/callrouter", loaded_at=T0),
            health=lambda: {"office": self.pbx.health()},
            started_at=T0,
            pid=1,
            sessions=self.sessions,
            logins=self.logins,
            cluster=cluster,
        )
        self.changes = ChangeFeed(self.backend.views, self.clock)
        self.runtime.listen(self.changes.listen)
        self.runtime.listen_to_rows(self.changes.rows_changed)
        self.app: web.Application = make_app(
            self.backend, ApiTokens(tokens), self.watchers, doors, self.changes
        )
        check_answers(self.app)

    def in_step(self) -> None:
        phones = {f"PJSIP/100{n}": DeviceState.IDLE for n in (1, 2, 3)}
        self.runtime.post(PbxSnapshot(pbx="office", endpoints=phones))

    def sign_in(self, *names: str) -> None:
        for name in names:
            self.runtime.post(SignedIn(agent=name))

    def arrive(
        self, call: str, queue: str = "support", number: str = "+442079460018", name: str = ""
    ) -> None:
        self.runtime.post(
            CallArrived(
                call=call, pbx="office", queue=queue, caller_number=number, caller_name=name
            )
        )

    def ring(self) -> Ring:
        """The last order to ring."""
        return [c for c in self.pbx.commands if isinstance(c, Ring)][-1]

    def rang(self) -> None:
        ring = self.ring()
        self.runtime.post(LegRang(offer=ring.offer, device=ring.device))

    def accept(self) -> None:
        """The agent rung last takes the call and talks."""
        ring = [c for c in self.pbx.commands if isinstance(c, Ring) and c.device == "desk"][-1]
        self.runtime.post(LegAccepted(offer=ring.offer, device=ring.device))
        connect = [c for c in self.pbx.commands if isinstance(c, Connect)][-1]
        self.runtime.post(ConnectSucceeded(call=connect.call, offer=connect.offer))

    def hang_up(self, call: str) -> None:
        """The caller hangs up, and then the agent's phones are quiet."""
        self.runtime.post(CallerLeft(call=call))
        for offer in list(self.floor.offers.values()):
            if offer.call.id == call:
                for device in offer.legs:
                    self.runtime.post(LegEnded(offer=offer.id, device=device, why=LegEnd.HUNG_UP))

    def close(self) -> None:
        self.runtime.close()
