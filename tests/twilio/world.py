"""The router, the Twilio driver's logic and the scripted peer on one virtual clock."""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import TypeVar

from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.call_notices import CallEntered, OfferDecided, WaitingCallMoved
from callrouter.model.commands import PbxCommand
from callrouter.model.events import Event, LegEnded, SignedIn, TimePassed
from callrouter.model.notices import Notice, Oddity
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    KeepWaiting,
    MemberSpec,
    QueueSpec,
    Table,
)
from callrouter.pbx.simulated.engine import Engine
from callrouter.pbx.twilio import resync_account
from callrouter.pbx.twilio.call_control import CallControl
from callrouter.pbx.twilio.rest.api_requests import ApiRequest, ApiResult, CallInProgress
from callrouter.settings import TwilioSettings
from tests.twilio.peer import ACCOUNT, Peer

PBX = "cloud"
START = 1_800_000_000.0
NUMBER = "+442079460000"
FALLBACK = "+442079460099"
VOICEMAIL = "+442079460077"


def settings(**changes: object) -> TwilioSettings:
    wanted: dict[str, object] = {
        "id": PBX,
        "account_sid": ACCOUNT,
        "auth_token": "t0p",
        "public_url": "https://calls.example.com",
        "numbers": {NUMBER: "support"},
        "caller_id": NUMBER,
        "calls_per_second": 30.0,
        "fallback": FALLBACK,
        "places": {"voicemail": VOICEMAIL},
        **changes,
    }
    return TwilioSettings(**wanted)  # type: ignore[arg-type]


def mobile(name: str, number: str) -> AgentSpec:
    device = DeviceSpec(id="mobile", agent=name, pbxes=(PBX,), number=number, confirm=True)
    return AgentSpec(id=name, name=name.title(), devices=(device,))


def desk(name: str) -> AgentSpec:
    device = DeviceSpec(
        id="desk", agent=name, pbxes=(PBX,), endpoint=f"sip/{name}@acme.sip.twilio.com"
    )
    return AgentSpec(id=name, name=name.title(), devices=(device,))


def table(*agents: AgentSpec, **changes: object) -> Table:
    rules: dict[str, object] = {
        "ring_for": 20.0,
        "retry_after": 2.0,
        "on_nobody": KeepWaiting(),
        "auto_pause": 0,
        **changes,
    }
    members = tuple(MemberSpec(agent=one.id, order=order) for order, one in enumerate(agents))
    queue = QueueSpec(id="support", name="Support", members=members, **rules)  # type: ignore[arg-type]
    return Table(agents={one.id: one for one in agents}, queues={"support": queue})


N = TypeVar("N", bound=Notice)


class World:
    """See the module."""

    def __init__(self, routes: Table, *, seed: int = 1, **changes: object) -> None:
        self.now = START
        self.settings = settings(**changes)
        self.routes = routes
        self.notices: list[Notice] = []
        self.oddities: list[str] = []
        self.ends: Counter[tuple[str, str]] = Counter()
        self.outcomes: list[LegEnded] = []
        self.inbox: deque[Event] = deque()
        self.draining = False
        self.boots = 0
        self.engine: Engine | None = None
        """Another telephone system besides, with calls and phones of its own."""
        self.peer = Peer(self._asked, self._came, Random(seed), self.now)
        self.peer.rate = self.settings.calls_per_second
        self.boot()
        self.post(self.control.account.snapshot())
        for name in routes.agents:
            self.post(SignedIn(agent=name))

    def boot(self) -> None:
        """A new process: it knows nothing."""
        self.boots += 1
        self.tokens = 0
        self.router = Router(self.routes, rng=Random(2), run_id=f"b{self.boots}", now=self.now)
        self.control = CallControl(
            PBX,
            self.settings,
            post=self.post,
            send=self.peer.take,
            token=self._token,
            table=self.routes,
            now=self.now,
        )

    def restart(self) -> None:
        """The daemon starts anew, and looks at what goes on."""
        self.boot()
        resync_account.adopt(self.control.account, self.settings, self.look())
        self.post(self.control.account.snapshot())
        for name in self.routes.agents:
            self.post(SignedIn(agent=name))

    def look(self) -> list[CallInProgress]:
        """What the REST API would show."""
        return [
            CallInProgress(
                sid=line.sid,
                ringing=line.status != "in-progress",
                caller_number=line.number if line.inbound else line.other,
                called_number=line.other if line.inbound else line.number,
                parent=line.parent.sid if line.parent is not None else "",
                started_at=float(int(line.since)),  # as precise as Twilio is
                queue=line.queue.removeprefix("callrouter-"),
                queued_at=float(int(line.queued)) if line.queue else None,
                conference=line.room,
                label=line.label,
            )
            for line in self.peer.lines.values()
            if not line.over and (line.status == "in-progress" or not line.inbound)
        ]

    def _token(self) -> str:
        self.tokens += 1
        return f"t{self.boots}-{self.tokens}"

    def _asked(self, part: str, token: str, params: dict[str, str]) -> str:
        return self.control.handlers.answer(part, token, params, self.now)

    def _came(self, ask: ApiRequest, answer: ApiResult) -> None:
        self.control.account.take_result(ask, answer, self.now)

    def post(self, event: Event) -> None:
        """As the runtime does: one at a time, orders within."""
        self.inbox.append(event)
        if self.draining:
            return
        self.draining = True
        while self.inbox:
            self._handle(self.inbox.popleft())
        self.draining = False

    def _handle(self, event: Event) -> None:
        if isinstance(event, LegEnded):
            self.ends[event.offer, event.device] += 1
            self.outcomes.append(event)
        orders: list[PbxCommand] = []
        heard: list[Notice] = []
        for command in self.router.handle(event, self.now):
            match command:
                case Oddity():
                    self.oddities.append(command.text)
                case OfferDecided():
                    pass
                case Notice():
                    self.notices.append(command)
                    heard.append(command)
                case _:
                    orders.append(command)
        self.control.execute([order for order in orders if order.pbx == PBX], self.now)
        for order in orders:
            if order.pbx != PBX:
                assert self.engine is not None
                self.engine.order(order, self.now)
        for record in heard:
            if isinstance(record, CallEntered | WaitingCallMoved):
                self.control.update_queue(record, self.now)
        breaches = check(self.router.floor)
        assert breaches == [], (event, breaches)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            times = {
                "ours": self.control.account.next_at(),
                "core": self.router.next_deadline(),
                "peer": self.peer.next_at(),
                "engine": self.engine.next_at() if self.engine is not None else None,
            }
            due = {who: at for who, at in times.items() if at is not None}
            if not due or min(due.values()) > until:
                break
            who = min(due, key=lambda name: due[name])
            self.now = max(self.now, due[who])
            self.peer.now = self.now
            if who == "ours":
                self.control.account.run_due(self.now)
            elif who == "core":
                self.post(TimePassed())
            elif who == "engine":
                assert self.engine is not None
                for event in self.engine.step(self.now):
                    self.post(event)
            else:
                self.peer.step(self.now)
        self.now = self.peer.now = until

    def happened(self, kind: type[N]) -> list[N]:
        return [record for record in self.notices if isinstance(record, kind)]

    def ring(self) -> list[str]:
        """The phones that ring or are off-hook."""
        return [
            line.number for line in self.peer.lines.values() if not line.inbound and not line.over
        ]

    def nothing_left(self) -> None:
        """No phone rings, nobody is reserved, and each leg ended once."""
        assert self.ring() == []
        assert self.router.floor.offers == {}
        assert self.control.account.legs == {}
        assert [key for key, count in self.ends.items() if count != 1] == []
