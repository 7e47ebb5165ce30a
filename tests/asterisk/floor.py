"""A call centre for tests: a real Asterisk, real SIP phones, and the router in this process."""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from callrouter.clock import SystemClock
from callrouter.core.agents.agent_availability import status_of
from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.lab import Answer, Dialog, Install, Lab, Phone, RingOnly, lab
from callrouter.model.call_notices import CallEnd, CallEntered, ConversationStarted, OfferEnded
from callrouter.model.events import Event, SignedIn, TimePassed
from callrouter.model.notices import Notice, Oddity
from callrouter.model.routing_table import (
    AgentSpec,
    DeviceSpec,
    MemberSpec,
    QueueSpec,
    SignIn,
    Table,
)
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.driver import AsteriskPbx
from callrouter.pbx.interface import ALONE, Authority
from callrouter.runtime import Runtime
from callrouter.settings import AsteriskSettings
from tests.asterisk import second
from tests.noise import until

ROOT = Path(__file__).parents[2]
DIALPLAN = (ROOT / "dialplan/extensions_callrouter.conf").read_text()
MANAGER = (ROOT / "dialplan/manager_callrouter.conf").read_text()
PBX = "office"


def desk(agent: str, number: str, **changes: Any) -> DeviceSpec:
    """A desk phone."""
    return DeviceSpec(id="desk", agent=agent, pbxes=(PBX,), endpoint=f"PJSIP/{number}", **changes)


def mobile(agent: str, number: str, **changes: Any) -> DeviceSpec:
    """A mobile that must press 1."""
    return DeviceSpec(
        id="mobile", agent=agent, pbxes=(PBX,), number=number, confirm=True, **changes
    )


def person(name: str, *devices: DeviceSpec, **changes: Any) -> AgentSpec:
    """An agent who is signed in from the start."""
    return AgentSpec(
        id=name, name=name.title(), devices=devices, **{"sign_in": SignIn.ALWAYS, **changes}
    )


def members(levels: Sequence[str] | Mapping[str, int]) -> tuple[MemberSpec, ...]:
    """Memberships in the order written."""
    pairs = levels.items() if isinstance(levels, Mapping) else [(name, 1) for name in levels]
    return tuple(
        MemberSpec(agent=name, level=level, order=order)
        for order, (name, level) in enumerate(pairs)
    )


def queue(name: str, who: Sequence[str] | Mapping[str, int], **changes: Any) -> QueueSpec:
    """A queue with short times."""
    return QueueSpec(
        id=name,
        name=name.title(),
        members=members(who),
        **{"ring_for": 5.0, "retry_after": 1.0, **changes},
    )


def table(agents: Sequence[AgentSpec], *queues: QueueSpec) -> Table:
    """A routing table."""
    return Table(
        agents={agent.id: agent for agent in agents}, queues={spec.id: spec for spec in queues}
    )


def staff(count: int, **changes: Any) -> list[AgentSpec]:
    """Agents a1, a2, … with desk phones 1001, 1002, …"""
    return [person(f"a{n}", desk(f"a{n}", str(1000 + n)), **changes) for n in range(1, count + 1)]


def tell(figure: str) -> None:
    """Show a figure that was measured; pytest's -s lets it through."""
    sys.stdout.write(f"\n    {figure}")


N = TypeVar("N", bound=Notice)


@dataclass
class Floor:
    """Everything a test needs: the laboratory, and a router that can be taken away and replaced."""

    lab: Lab
    spec: Table
    username: str = "callrouter"
    port: int = 0
    """Where the router finds the manager; a proxy's port, or 0 for Asterisk's own."""
    site: dict[str, Any] = field(default_factory=dict)
    """More settings of the PBX."""
    authority: Authority = ALONE
    """Whether the router may act."""
    notices: list[Notice] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self.trace: deque[str] = deque(maxlen=150)
        """The last AMI events and records, for the report of a test that failed."""

    @property
    def router(self) -> Router:
        return self.runtime.router

    # ------------------------------------------------------------ the router

    def begin(self) -> None:
        """Start a router that knows nothing of any before it."""
        clock = SystemClock()
        run_id = secrets.token_hex(3)
        router = Router(self.spec, rng=random.Random(1), run_id=run_id, now=clock.now())
        self.runtime = Runtime(router, clock)
        settings = AsteriskSettings(
            id=PBX,
            port=self.port or self.lab.asterisk.ami_port,
            username=self.username,
            secret="change-me",
            **{"dial_number": "PJSIP/{number}@carrier", **self.site},
        )
        self.pbx = AsteriskPbx(
            PBX,
            settings,
            post=self.runtime.post,
            table=self.spec,
            board=router.board,
            run_id=run_id,
            authority=self.authority,
        )
        self.runtime.attach(self.pbx)
        self.notices, self.oddities = [], []
        self._trace()

        def listen(notice: Notice) -> None:
            self.trace.append(f"        {notice}")
            if isinstance(notice, Oddity):
                self.oddities.append(notice)
            else:
                self.notices.append(notice)
            self.breaches.extend(check(router.floor))

        self.runtime.listen(listen)
        self.runtime.listen(self.pbx.listen)
        self.runtime.start()
        self._task = asyncio.create_task(self.pbx.run())

    def _trace(self) -> None:
        handle = self.pbx.tracker.handle
        shown = ("Uniqueid", "Channel", "UserEvent", "ChannelStateDesc", "Cause", "TechCause")

        def traced(message: AmiMessage) -> None:
            what = " ".join(message.get(key) for key in (*shown, "Device", "State"))
            self.trace.append(f"{message.name} {what}")
            handle(message)

        self.trace.append("---- a router starts")
        self.pbx.tracker.handle = traced  # type: ignore[method-assign]

    async def start(self, spec: Table | None = None) -> None:
        """Start a router and wait until it is in step."""
        self.spec = spec or self.spec
        self.begin()
        await self.until(lambda: self.pbx.in_step, 10)

    async def crash(self) -> None:
        """End the router where it stands: calls stay as they are."""
        if self._task is None:
            return
        self.runtime.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        breaches, self.breaches = self.breaches, []
        assert self.runtime.faults == 0
        assert breaches == []

    async def fresh(self, *agents: AgentSpec, queues: Sequence[QueueSpec]) -> None:
        """A new router with other rules on the same Asterisk; every phone on-hook and friendly."""
        await self.crash()
        if self.lab.asterisk.pid is None:  # it crashed in the test before, which has failed by it
            await self._another_asterisk()
        await self.hang_all_up()
        for phone in self.lab.phones.values():
            phone.behaviour = Answer()
            phone.incoming.clear()
            phone.outgoing.clear()
        await self.start(table(agents, *queues))

    async def _another_asterisk(self) -> None:
        """Start Asterisk once more, and register the phones: a crash loses their registrations."""
        asterisk = self.lab.asterisk
        await asterisk.restart()
        names = (*asterisk.options.phones, asterisk.options.carrier)
        await asyncio.gather(*(self.lab[name].register() for name in names))

    # ------------------------------------------------------------ phones

    def phone(self, name: str) -> Phone:
        return self.lab[name]

    async def call(self, target: str = "support", **how: Any) -> Dialog:
        return await self.lab["caller"].call(target, **how)

    async def talk(self, target: str = "support", **how: Any) -> tuple[Dialog, Dialog]:
        """A caller and the first agent, in a talk that counts: as if it had gone on for ten seconds."""
        caller = await self.call(target, **how)
        agent = await self.phone("1001").wait_incoming()
        await caller.wait_heard("1001")
        await self.until(lambda: self.happened(ConversationStarted))
        for offer in self.router.floor.offers.values():
            assert offer.talked_since is not None
            offer.talked_since -= 10.0
        return caller, agent

    async def hang_all_up(self) -> None:
        dialogs = [dialog for phone in self.lab.phones.values() for dialog in phone.dialogs]
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.gather(*(dialog.bye() for dialog in dialogs), return_exceptions=True)
        async with asyncio.timeout(5):
            while await self.channels():
                await self.lab.asterisk.cli("channel request hangup all")
                await asyncio.sleep(0.05)

    # ------------------------------------------------------------ looking

    def post(self, event: Event) -> None:
        self.runtime.post(event)

    def happened(self, kind: type[N]) -> list[N]:
        return [record for record in self.notices if isinstance(record, kind)]

    def outcomes(self) -> list[tuple[str, str]]:
        """(agent, how it ended) of every offer so far."""
        return [(r.agent, r.outcome.value) for r in self.happened(OfferEnded)]

    def state(self, agent: str) -> str:
        """What is true of an agent now."""
        return status_of(self.router.floor, self.router.floor.agents[agent]).state.value

    def free(self, agent: str) -> bool:
        return self.state(agent) == "available"

    async def until(self, true: Callable[[], Any], within: float = 10.0) -> None:
        """Wait until a condition on the router or the phones holds; longer while the machine stands still."""
        await until(true, within)

    async def written(self) -> None:
        """Wait until Asterisk has carried out all that the router has written to it so far.

        It carries out the actions of one session in order, so the answer to a Ping is the last.
        """
        await self.pbx.client.request({"Action": "Ping"}, timeout=20.0)

    async def fallback_known(self, queue: str) -> None:
        """Wait until Asterisk has been told which phones the fallback would ring for a queue."""
        known = self.pbx._fallback
        assert known is not None
        await self.until(lambda: known._published.get(queue) not in {None, ("-", "-")})
        await self.written()

    async def quiet(self, within: float = 10.0) -> None:
        """Wait until no call and no offer is left, then see that nothing is left on the PBX."""
        floor = self.router.floor
        await self.until(lambda: not floor.calls and not floor.offers, within)
        left: list[str] = []
        try:
            async with asyncio.timeout(within):
                while left := await self.channels():  # noqa: ASYNC110 - Asterisk tells nobody
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"channels left: {left}") from None
        seen = await second.look(self.lab.asterisk.ami_port)
        assert seen.names == []
        assert seen.bridges == ()
        self.accounted_for()

    def accounted_for(self) -> None:
        """Every caller who came in went out again in exactly one way."""
        entered = Counter(record.call for record in self.happened(CallEntered))
        ended = Counter(record.call for record in self.notices if isinstance(record, CallEnd))
        assert entered == ended
        faulty = [note.text for note in self.oddities if "can't be" in note.text]
        assert faulty == []

    async def channels(self) -> list[str]:
        """The channels that Asterisk has, by its own console, without the shells that it forgets."""
        text = await self.lab.asterisk.cli("core show channels concise")
        return [ln for ln in text.splitlines() if "!" in ln and not contract.is_dead_shell(ln)]

    def queue_log(self) -> list[list[str]]:
        """Asterisk's queue_log, line by line: time, call, queue, agent, event, parameters."""
        path = self.lab.asterisk.folder / "log/queue_log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split("|") for line in lines]


@asynccontextmanager
async def floor(install: Install, spec: Table, **options: Any) -> AsyncIterator[Floor]:
    """Start it all; at the end no invariant may have been broken."""
    numbers = sorted(
        device.endpoint.removeprefix("PJSIP/")
        for agent in spec.agents.values()
        for device in agent.devices
        if device.endpoint
    )
    phones = tuple(options.pop("phones", numbers))
    manager = options.pop("manager", MANAGER) + second.USER
    router = options.pop("router", True)
    options = {"dialplan": DIALPLAN, "manager": manager, **options}
    async with lab(install, phones=phones, **options) as made:
        here = Floor(made, spec)
        try:
            if router:
                await here.start()
            yield here
        finally:
            await here.crash()


@asynccontextmanager
async def stage(install: Install, phones: int, **options: Any) -> AsyncIterator[Floor]:
    """Phones 1001, 1002, … on an Asterisk; each test begins with `fresh`, its own rules on it."""
    numbers = [str(1001 + n) for n in range(phones)]
    async with floor(install, table([]), phones=numbers, router=False, **options) as here:
        yield here


__all__ = [
    "Answer",
    "Dialog",
    "Floor",
    "RingOnly",
    "SignedIn",
    "TimePassed",
    "desk",
    "floor",
    "members",
    "mobile",
    "person",
    "queue",
    "staff",
    "stage",
    "table",
    "tell",
]
